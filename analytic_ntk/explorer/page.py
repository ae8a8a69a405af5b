"""The page itself: fields on one side, panels on the other, the view in the address."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from fractions import Fraction
from typing import Any

from nicegui import Client, background_tasks, html, ui

from analytic_ntk import activations
from analytic_ntk.explorer.card import Card
from analytic_ntk.explorer.export import LABELS, page
from analytic_ntk.explorer.panel import Panel, Subject
from analytic_ntk.explorer.panels.activation import CHECK
from analytic_ntk.explorer.style import PAGE_STYLE, SCRIPT, STYLE
from analytic_ntk.explorer.view import DOMAINS, MAX_DEPTH, MAX_WIDTH, Reading, View, read
from analytic_ntk.explorer.workers import Workers, failure_of

PAUSE = 0.2
"""Seconds without a further change before anything is computed."""
HINTS = {
    "activation": "a formula in x, such as x*erf(x), or a name of the catalogue",
    "weight_variance": "a rational number above 0, up to 100",
    "bias_variance": "a rational number from 0 to 100",
    "rho": "from -1 to 1",
}
SLIDERS = {
    "depth": (1.0, float(MAX_DEPTH), 1.0),
    "weight_variance": (0.05, 4.0, 0.05),
    "bias_variance": (0.0, 2.0, 0.05),
    "rho": (-1.0, 1.0, 0.05),
    "width": (1.0, math.log2(MAX_WIDTH), 1.0),
}
"""Lowest, highest, step; of the width its logarithm to base 2."""
LOCAL = {
    "spectrum": ("dim",),
    "digits": ("digits",),
    "positivity": ("domain",),
    "conjecture": ("conjecture",),
    "width": ("width",),
}
"""Fields that stand in a panel of their own, beside what they change."""


class Explorer:
    """One visitor: the texts of the fields, the last view that could be read, the cards."""

    def __init__(self, subjects: Sequence[Subject], workers: Workers) -> None:
        self.subjects = subjects
        self.workers = workers
        self.client: Client = ui.context.client
        self.reading = read(_first_values(self.client))
        self.texts = self.reading.view.texts() | _first_values(self.client)
        self.fields: dict[str, Any] = {}
        self.sliders: dict[str, Any] = {}
        self.cards: dict[str, Card] = {}
        self.pending: asyncio.TimerHandle | None = None
        self.checked = 0
        self.checking: Future[Panel] | None = None

    @property
    def view(self) -> View:
        """The last view that could be read."""
        return self.reading.view

    # -------------------------------------------------------------------------------- building

    def build(self) -> None:
        """Write the page."""
        ui.add_css(STYLE + PAGE_STYLE)
        ui.add_body_html(f"<script>{SCRIPT}</script>")
        ui.colors(primary="#0b62c4")
        with html.div().classes("explorer"):
            with html.header():
                html.h1("Kernels of infinitely wide networks")
                html.p("Type an activation. Everything else follows from it.").classes("lead")
            with html.div().classes("desk"):
                with html.section().classes("card controls").props('aria-label="The network"'):
                    self._controls()
                with html.section().classes("panels").props('aria-label="Answers"'):
                    for subject in self.subjects:
                        self._card(subject)
            html.p("").props("id=copied role=status").classes("visually-hidden")
        self.client.on_delete(self._leave)
        self.client.on_connect(lambda: self._later(0.0))

    def _controls(self) -> None:
        self._text("activation")
        names = {
            "": "or pick one",
            **{name: name for name in map(str, activations.all_activations().values())},
        }
        self.picker = self._choice("Catalogue", names, self.texts["activation"], self._pick)
        self._slider("depth")
        for name in ("weight_variance", "bias_variance", "rho"):
            self._text(name)
            self._slider(name)
        with html.div().classes("actions"):
            html.button("Copy link").classes("act").props("type=button id=copy-link").on(
                "click", js_handler=COPY_LINK
            )
            html.button("Save page").classes("act quiet").props("type=button").on("click", self._save)
        self.status = ui.label("").classes("note").props("role=status aria-live=polite")
        with html.details().classes("chooser"):
            html.summary("Panels shown")
            for subject in self.subjects:
                box = ui.checkbox(subject.title, value=subject.name in self.view.panels)
                box.props("dense").on_value_change(self._chooser(subject.name))

    def _text(self, name: str) -> None:
        field = ui.input(LABELS[name], value=self.texts[name]).classes("field")
        field.props(f"outlined dense autocomplete=off spellcheck=false maxlength=300 name={name}")
        if name in HINTS:
            field.props["hint"] = HINTS[name]
        field.on_value_change(lambda event: self._typed(name, str(event.value or "")))
        self.fields[name] = field

    def _choice(self, label: str, names: Mapping[str, str], chosen: str, told: Callable[[str], None]) -> Any:
        """A list to choose from: the browser's own, which every keyboard, screen reader and phone knows."""
        with html.label(label).classes("choice"):
            found = (
                html.select()
                .props("autocomplete=off")
                .on("change", lambda event: told(str(event.args)), js_handler="(e) => emit(e.target.value)")
            )
            with found:
                for value, shown in names.items():
                    option = html.option(shown)
                    option.props["value"] = value
                    if value == chosen:
                        option.props["selected"] = True
        return found

    def _slider(self, name: str) -> None:
        low, high, step = SLIDERS[name]
        with html.div().classes("slider"):
            if name not in self.fields:
                self.fields[name] = ui.label(f"{LABELS[name]}: {getattr(self.view, name)}")
            slider = html.input_().props(
                f"type=range min={low:g} max={high:g} step={step:g} name={name}-slider autocomplete=off"
            )
            slider.props["aria-label"] = LABELS[name]
            # not "value": that would put the slider back to what the server knew last, in mid-drag
            slider.props["defaultValue"] = _place(name, getattr(self.view, name))
            slider.on(
                "input",
                lambda event: self._slid(name, event.args),
                throttle=0.1,
                js_handler="(e) => emit(e.target.value)",
            )
            self.sliders[name] = slider

    def _card(self, subject: Subject) -> None:
        card = Card(subject, self.workers, self._told)
        with card.build():
            for name in LOCAL.get(subject.name, ()):
                if name == "domain":
                    given = self.texts[name]  # of the address: a wrong one is shown too, to be changed
                    names = {**({} if given in DOMAINS else {given: given[:40]}), **DOMAINS}
                    self._choice(LABELS[name], names, given, lambda text: self._typed("domain", text))
                    self.fields[name] = ui.label("").classes("wrong").props("role=status")
                elif name == "width":
                    self._slider(name)
                else:
                    self._text(name)
        card.finish()
        self.cards[subject.name] = card

    # -------------------------------------------------------------------------------- what the visitor does

    def _pick(self, name: str) -> None:
        if name and name != self.texts["activation"]:
            self.fields["activation"].value = name

    def _typed(self, name: str, text: str) -> None:
        if self.texts.get(name) == text:
            return
        self.texts[name] = text
        self._later(PAUSE)
        if name in self.sliders:
            found = read({name: text})
            if not found.errors:
                place = _place(name, getattr(found.view, name))
                ui.run_javascript(f"getHtmlElement({self.sliders[name].id}).value = '{place}'")

    def _slid(self, name: str, place: object) -> None:
        text = _at(name, place)
        if text is None:
            return
        self.texts[name] = text
        field = self.fields[name]
        if isinstance(field, ui.label):
            field.text = f"{LABELS[name]}: {text}"
        else:
            field.value = text
        self._later(PAUSE)

    def _chooser(self, name: str) -> Callable[[Any], None]:
        def choose(event: Any) -> None:
            shown = {*self.view.panels} | {name} if event.value else {*self.view.panels} - {name}
            self.texts["panels"] = ",".join(sorted(shown))
            self._later(0.0)

        return choose

    def _save(self) -> None:
        panels: dict[str, Panel | str] = {}
        for name in self.view.panels:
            if name in self.cards:
                found = self.workers.known(self.cards[name].subject, self.view)
                panels[name] = found if isinstance(found, Panel) else str(found or "Not computed.")
        ui.download.content(page(self.view, self.subjects, panels), "explorer.html", "text/html")

    def _leave(self) -> None:
        if self.pending is not None:
            self.pending.cancel()
        if self.checking is not None:
            self.checking.cancel()
        for card in self.cards.values():
            card.drop()

    # -------------------------------------------------------------------------------- what follows

    def _later(self, pause: float) -> None:
        if self.pending is not None:
            self.pending.cancel()
        self.status.text = "Reading the fields."
        self.pending = asyncio.get_running_loop().call_later(
            pause, lambda: background_tasks.create(self._refresh(), name="explorer")
        )

    async def _refresh(self) -> None:
        """Read the fields; then the address, the messages and the cards."""
        self.checked += 1
        turn = self.checked
        found = read(self.texts, self.view)
        errors = dict(found.errors)
        if "activation" not in errors:
            wrong = await self._refusal(found.view)
            if turn != self.checked:
                return  # something was typed meanwhile
            if wrong:
                errors["activation"] = wrong
        view = found.view if "activation" not in errors else _replaced(found.view, self.view)
        self.reading = Reading(view, errors)
        with self.client:
            for name, field in self.fields.items():
                if name == "domain":
                    field.text = errors.get(name, "")
                elif isinstance(field, ui.label):
                    field.text = f"{LABELS[name]}: {errors.get(name, view.texts()[name])}"
                else:
                    field.error = errors.get(name)
                    field.props["aria-invalid"] = "true" if name in errors else "false"
                    field.props["aria-description"] = errors.get(name) or HINTS.get(name, "")
            for name, slider in self.sliders.items():  # a place is no value: of the width it is a logarithm
                if slider.props.get("aria-valuetext") != view.texts()[name]:
                    slider.props["aria-valuetext"] = view.texts()[name]
            ui.run_javascript(CHOOSE % (self.picker.id, json.dumps(view.activation)))
            ui.page_title(f"{view.activation}: analytic_ntk explorer")
            if not errors:
                ui.navigate.history.replace(f"/?{view.query()}")
        for name, card in self.cards.items():
            card.show(view, name in view.panels, [LABELS[n] for n in errors if n in card.subject.reads])
        self._told()

    async def _refusal(self, view: View) -> str:
        """Why the text is no activation; empty if it is one."""
        if self.checking is not None:
            self.checking.cancel()  # nobody waits for it any more
        self.checking = future = self.workers.start(CHECK, view)
        try:
            await asyncio.wrap_future(future)
        except (Exception, asyncio.CancelledError) as error:  # whatever a worker met, in words
            return str(failure_of(error, CHECK))
        return ""

    def _told(self) -> None:
        """Say how far the panels are."""
        busy = any(card.busy for card in self.cards.values())
        wrong = [LABELS.get(name, "Panels shown") for name in self.reading.errors]
        if wrong:
            text = f"To be put right: {', '.join(wrong)}. Panels that need it show the last good state."
        elif busy:
            text = "Answers are being computed."  # said once, not at every one that has come
        else:
            text = "Everything is up to date."
        if self.status.text != text:
            self.status.text = text


def _first_values(client: Client) -> dict[str, str]:
    request = client.request
    return {} if request is None else {k: v for k, v in request.query_params.items() if k in View().texts()}


def _replaced(view: View, before: View) -> View:
    return replace(view, activation=before.activation)


def _place(name: str, value: object) -> str:
    """Where the slider stands for a value."""
    number = float(Fraction(str(value)))
    return f"{math.log2(number) if name == 'width' else number:g}"


def _at(name: str, place: object) -> str | None:
    """The value where the slider stands: a decimal, which is exact."""
    low, high, _ = SLIDERS[name]
    try:
        number = float(str(place))
    except ValueError:
        return None
    if not low <= number <= high:
        return None
    if name == "width":
        return str(2 ** round(number))
    return (
        str(Fraction(f"{number:.2f}")) if name == "depth" else f"{number:.2f}".rstrip("0").rstrip(".") or "0"
    )


CHOOSE = "const list = getHtmlElement(%d); list.value = %s; if (list.selectedIndex < 0) list.value = ''"
"""Of a list without the text: its first line, which stands for none."""

COPY_LINK = """() => { navigator.clipboard.writeText(location.href).then(
  () => { document.getElementById('copied').textContent = 'Link copied';
          document.getElementById('copy-link').textContent = 'Copied';
          setTimeout(() => document.getElementById('copy-link').textContent = 'Copy link', 1500); }); }"""
