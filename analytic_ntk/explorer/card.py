"""A panel on the page: its last good answer, what is being computed, and how to stop it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from nicegui import background_tasks, html, ui

from analytic_ntk.explorer.html import panel_html
from analytic_ntk.explorer.limits import Failure
from analytic_ntk.explorer.panel import Panel, Subject
from analytic_ntk.explorer.view import View
from analytic_ntk.explorer.workers import Workers, failure_of

PATIENCE = 0.4
"""Seconds before a computation is shown as such: what is quicker would only flicker."""


class Card:
    """One panel. ``told`` is called when it becomes busy or idle."""

    def __init__(self, subject: Subject, workers: Workers, told: Callable[[], None]) -> None:
        self.subject = subject
        self.workers = workers
        self.told = told
        self.future: Future[Panel] | None = None
        self.wanted: View | None = None
        self.shown: View | None = None
        self.stopped: View | None = None
        self.why = ""

    @property
    def busy(self) -> bool:
        """Whether a computation is under way."""
        return self.future is not None

    # -------------------------------------------------------------------------------- building

    def build(self) -> Any:
        """The section; what is put into it before :meth:`finish` stands above the answer."""
        title = f"title-{self.subject.name}"
        self.section = html.section().classes("card").props(f"id={self.subject.name} aria-labelledby={title}")
        with self.section:
            html.h2(self.subject.title).props(f"id={title}")
            html.p(self.subject.about).classes("about-panel")
            return html.div().classes("local")

    def finish(self) -> None:
        """What stands below the fields: the button that asks, progress, messages, the answer."""
        with self.section:
            with html.div().classes("actions"):
                self.ask = html.button(self.subject.waits or "Compute").classes("act").props("type=button")
                self.ask.on("click", self._asked)
            with html.div().classes("busy") as self.progress:
                self.bar = html.progress().props(f'max={self.subject.seconds:g} aria-label="Time taken"')
                self.clock = ui.label("").classes("hint")
                html.button("Cancel").classes("act quiet").props(
                    f'type=button aria-label="Cancel: {self.subject.title}"'
                ).on("click", self.cancel)
            self.message = ui.label("").classes("message").props("role=status")
            self.body = ui.html("", sanitize=False).classes("answer")
        for element in (self.ask, self.progress, self.message):
            element.set_visibility(False)

    # -------------------------------------------------------------------------------- showing

    def show(self, view: View, is_open: bool, missing: list[str]) -> None:
        """Show the answer for a view, or begin to compute it; ``missing``: fields that cannot be read."""
        self.section.set_visibility(is_open)
        if not is_open:
            self.drop()
            return
        if missing:
            self.drop()
            kept = "The answer below is to the last good values." if self.shown else ""
            self._say(f"Waits for: {', '.join(missing)}. {kept}")
            self.ask.set_visibility(False)
            return
        seen = self.subject.seen(view)
        if seen == self.wanted and (self.busy or self.shown == seen):
            self._say("")
            return
        self.drop()
        self.wanted = seen
        known = self.workers.known(self.subject, view)
        if known is not None:
            self._answer(known)
        elif seen == self.stopped:  # begun again only when asked for
            self._stop(self.why)
        elif self.subject.waits:
            self.ask.set_visibility(True)
            self._say("The answer below is to an earlier question." if self.shown else "")
        else:
            self._start()

    def _asked(self) -> None:
        if self.wanted is not None and not self.busy:
            self._start()

    def _start(self) -> None:
        assert self.wanted is not None
        self.ask.set_visibility(False)
        self.stopped = None
        self._say("")
        self.future = self.workers.start(self.subject, self.wanted)
        self.section.props("aria-busy=true")
        background_tasks.create(self._wait(self.future), name=self.subject.name)

    async def _wait(self, future: Future[Panel]) -> None:
        began = None
        waiting = asyncio.wrap_future(future)
        while not waiting.done():
            await asyncio.wait([waiting], timeout=PATIENCE)
            if future is not self.future:  # dropped: nobody waits for it
                waiting.cancel()
                return
            if began is None and future.running():
                began = time.monotonic()
            if not waiting.done():
                self.progress.set_visibility(True)
                if self.shown is not None:
                    self._mark_stale(True)
                self._tell_time(None if began is None else time.monotonic() - began)
                self.told()
        self._idle()
        try:
            self._answer(waiting.result())
        except (Exception, asyncio.CancelledError) as error:  # whatever a worker met, in words
            self._answer(failure_of(error, self.subject))
        self.told()

    def _tell_time(self, taken: float | None) -> None:
        """How long it has been at work; ``None``: it waits for others."""
        self.bar.props["value"] = f"{taken or 0.0:.1f}"
        self.bar.update()
        limit = f"of at most {self.subject.seconds:.0f} s"
        self.clock.text = "Waits for a free process." if taken is None else f"{taken:.0f} s {limit}"

    def _answer(self, found: Panel | Failure) -> None:
        self.ask.set_visibility(False)
        if isinstance(found, Panel):
            self.shown = self.wanted
            self._say("")
            self.body.set_content(panel_html(found))
            return
        self._stop(f"{found}{' Below is the answer to an earlier question.' if self.shown else ''}")
        self.ask.set_visibility(bool(self.subject.waits) or not found.wrong)

    def _stop(self, why: str) -> None:
        self.stopped, self.why = self.wanted, why
        self._say(why)
        self.ask.set_visibility(True)

    def _say(self, text: str) -> None:
        self.message.text = text.strip()
        self.message.set_visibility(bool(text.strip()))
        self._mark_stale(bool(text.strip()) and self.shown is not None)

    def _mark_stale(self, stale: bool) -> None:
        """Of the section and not of the answer: the class of an element is sent with all it holds."""
        self.section.classes(add="stale" if stale else None, remove=None if stale else "stale")

    # -------------------------------------------------------------------------------- stopping

    def cancel(self) -> None:
        """Stop at the visitor's word."""
        if self.future is not None:
            self.drop()
            self._stop("Stopped.")
            self.told()

    def drop(self) -> None:
        """Stop because nobody waits for the answer any more."""
        future = self.future
        self._idle()
        if future is not None:
            future.cancel()

    def _idle(self) -> None:
        self.future = None
        self.progress.set_visibility(False)
        self.section.props("aria-busy=false")
