"""The explorer: a local page to play with."""

from __future__ import annotations

import contextlib
import webbrowser
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from analytic_ntk.cli.answers import require_ending, write_file
from analytic_ntk.cli.app import INCOMPLETE, JSON, answering, app, print_json, stages
from analytic_ntk.errors import AnalyticNTKError, DomainError

if TYPE_CHECKING:
    from analytic_ntk.explorer.panel import Panel, Subject
    from analytic_ntk.explorer.view import View

SECONDS = 60.0
"""For a conjecture."""
EXTRA = 'python -m pip install "analytic-ntk[explore]"'


@app.command()
def explore(
    view: Annotated[
        str, typer.Option("--view", metavar="QUERY", help="What to show: the part of the address after “?”.")
    ] = "",
    activation: Annotated[
        str | None, typer.Option(help="The activation to begin with, instead of that of --view.")
    ] = None,
    port: Annotated[int, typer.Option(help="Of the local page.", show_default="any free one")] = 0,
    browser: Annotated[bool, typer.Option(help="Open the page in the browser.")] = True,
    export: Annotated[
        Path | None, typer.Option(metavar="FILE.html", help="Write the view into one file and serve nothing.")
    ] = None,
    as_json: JSON = False,
) -> None:
    """A local page: type an activation, see kernels, formulas, spectra, proofs. Needs the extra explore."""
    with answering():
        chosen = _view(view, activation)
        if export is not None or as_json:
            _write(chosen, export, as_json)
            return
        try:
            from analytic_ntk.explorer.server import application, listen, serve
            from analytic_ntk.explorer.workers import Workers
        except ImportError as error:
            raise DomainError(f"the explorer without {error.name}", "the extra explore", EXTRA) from error
        listener = listen(port)
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/?{chosen.query()}"
        with Workers() as workers:
            workers.warm()
            print(f"the explorer is at {address}\nCtrl-C ends it", flush=True)
            if browser:
                webbrowser.open(address)
            with contextlib.suppress(KeyboardInterrupt):  # the way to end it
                serve(application(subjects(), workers), listener)


def subjects() -> tuple[Subject, ...]:
    """All panels, the one of conjectures among them, in their order."""
    from analytic_ntk.explorer.panel import Subject
    from analytic_ntk.explorer.panels import SUBJECTS
    from analytic_ntk.explorer.view import PANELS

    conjecture = Subject(
        "conjecture",
        "Conjecture",
        "State something about the kernels; it is proved or refuted, or what is missing is said.",
        ("activation", "depth", "weight_variance", "bias_variance", "conjecture"),
        conjecture_panel,
        waits="Prove or refute",
        seconds=SECONDS + 30.0,
    )
    return tuple(sorted((*SUBJECTS, conjecture), key=lambda subject: PANELS.index(subject.name)))


def conjecture_panel(view: View) -> Panel:
    """The answer to the conjecture of a view, with its evidence."""
    import json

    from analytic_ntk.explorer.panel import Captioned, Download, Panel
    from analytic_ntk.explorer.subject import network_line, network_of
    from analytic_ntk.report.sections import Table
    from proofs_check.conjectures.ask import conjecture

    if not view.conjecture:
        return Panel((), "Nothing is stated", ("For example: ntk(rho) >= nngp(rho) for rho in [0, 1]",))
    answer = conjecture(view.conjecture, network_of(view), seconds=SECONDS)
    downloads: tuple[Download, ...] = ()
    if answer.certificate is not None:
        content = (json.dumps(answer.certificate, indent=1) + "\n").encode()
        downloads = (Download("conjecture.json", "application/json", content, "Certificate"),)
    rows = tuple(row for row in answer.lines() if row[0] != "for")
    return Panel(
        (answer.verdict.value,),
        answer.verdict.value.upper(),
        (f"{network_line(view)}.",),
        tables=(Captioned("Evidence", Table(("", ""), rows, numeric=False)),),
        downloads=downloads,
    )


def _view(query: str, activation: str | None) -> View:
    """The view that a query names; every value must be good."""
    from urllib.parse import parse_qsl

    from analytic_ntk.explorer.view import View, read

    given = dict(parse_qsl(query.removeprefix("?"), keep_blank_values=True))
    given |= {} if activation is None else {"activation": activation}
    unknown = sorted(set(given) - set(View().texts()))
    if unknown:
        raise DomainError(f"--view with {unknown[0][:40]!r}", f"names among {', '.join(View().texts())}")
    found = read(given)
    for name, message in found.errors.items():
        raise DomainError(f"{name}: {message}", "a view that can be read")
    return found.view


def _write(view: View, path: Path | None, as_json: bool) -> None:
    """The view as a file, as JSON, or both; nothing is served."""
    from analytic_ntk.explorer.export import data, page
    from analytic_ntk.explorer.limits import failure_of, one_by_one
    from analytic_ntk.explorer.panel import Panel
    from analytic_ntk.explorer.panels.activation import CHECK

    require_ending(path, (".html", ".htm"))
    chosen = [subject for subject in subjects() if subject.name in view.panels]
    panels: dict[str, Panel | str] = {}
    with stages() as progress:

        def announced() -> Iterator[Subject]:
            for subject in (CHECK, *chosen):
                progress(subject.title)
                yield subject

        for subject, found in one_by_one(announced(), view):
            if subject is not CHECK:
                panels[subject.name] = found if isinstance(found, Panel) else str(failure_of(found, subject))
            elif isinstance(found, Exception):  # an error, not a page
                raise _wrong(found)
    if path is not None:
        write_file(path, page(view, subjects(), panels).encode())
    if as_json:
        print_json(data(view, panels))
    if any(isinstance(found, str) for found in panels.values()):
        raise typer.Exit(INCOMPLETE)


def _wrong(error: Exception) -> AnalyticNTKError:
    """Why the activation cannot be had."""
    from analytic_ntk.explorer.limits import failure_of
    from analytic_ntk.explorer.panels.activation import CHECK

    if isinstance(error, AnalyticNTKError):
        return error
    return DomainError(str(failure_of(error, CHECK)), "an activation that can be read at once")
