"""The catalogue."""

from __future__ import annotations

from analytic_ntk.cli.app import JSON, AnswerConsole, answering, app, print_json, stages


@app.command()
def activations(as_json: JSON = False) -> None:
    """The catalogue, with what is derived from each activation."""
    with answering():
        from analytic_ntk.report.catalogue import catalogue, catalogue_section
        from analytic_ntk.report.data import as_json as plain
        from analytic_ntk.report.terminal import show_section

        with stages() as progress:
            rows = catalogue(progress)
        if as_json:
            print_json(plain(rows))
        else:
            show_section(catalogue_section(rows), AnswerConsole())
