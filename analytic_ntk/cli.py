"""The command ``analytic-ntk``.

Exit codes: 0 the answer is complete; 2 the question is wrong (usage, an activation that cannot be read, an
infinite moment); 3 the answer could not be had in full (digits not reached, no closed form); 4 a file could
not be written; 130 interrupted; 1 a fault of this program. Answers go to stdout, everything else to stderr.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from rich.console import Console

from analytic_ntk import __version__
from analytic_ntk.errors import AnalyticNTKError, DomainError

if TYPE_CHECKING:
    from analytic_ntk.activation import Activation

WRONG, INCOMPLETE, UNWRITABLE, INTERRUPTED, CLOSED_PIPE = 2, 3, 4, 130, 141

app = typer.Typer(
    help="Kernels of infinitely wide neural networks: NNGP and NTK from any activation.",
    epilog="Exit codes: 0 complete, 2 wrong question, 3 incomplete answer, 4 file not written, 130 stopped.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

ACT = Annotated[str, typer.Argument(metavar="ACT", help="A name (see: activations), or a formula in x.")]
DEPTH = Annotated[int, typer.Option(help="Hidden layers.")]
WEIGHT = Annotated[str, typer.Option(help="An exact number, such as 2 or 3/2.")]
BIAS = Annotated[str, typer.Option(help="An exact number, such as 0 or 0.1.")]
DIGITS = Annotated[int, typer.Option(help="Certain decimal digits.")]
JSON = Annotated[bool, typer.Option("--json", help="Print JSON.")]


class Format(str, Enum):
    """How a table is printed."""

    table = "table"
    csv = "csv"
    json = "json"
    markdown = "markdown"
    latex = "latex"


# ------------------------------------------------------------------------------------ running


class _Console(Console):
    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def _fail(code: int, message: str) -> NoReturn:
    print(f"error: {message}", file=sys.stderr)
    raise typer.Exit(code)


@contextmanager
def _answering() -> Iterator[None]:
    """Turn what can go wrong into one message and an exit code."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(CLOSED_PIPE) from None
    except AnalyticNTKError as error:
        lines = [error.given, f"required: {error.required}"]
        lines += [f"what to do: {error.remedy}"] if error.remedy else []
        _fail(WRONG if isinstance(error, DomainError) else INCOMPLETE, "\n  ".join(lines))
    except OSError as error:
        _fail(UNWRITABLE, f"{error.strerror or error}: {error.filename}" if error.filename else str(error))
    except KeyboardInterrupt:
        _fail(INTERRUPTED, "interrupted")


@contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """Show the stage at work on stderr, if that is a terminal."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda stage: None
        return
    with console.status("starting") as status:
        yield lambda stage: status.update(stage)


def _activation(text: str) -> Activation:
    from analytic_ntk import activations

    return activations.resolve(text)


def _print_json(value: Any) -> None:
    print(json.dumps(value, indent=2))


def _version(wanted: bool) -> None:
    if wanted:
        print(f"analytic-ntk {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


# ------------------------------------------------------------------------------------ commands


@app.command()
def report(
    act: ACT,
    depth: DEPTH = 1,
    weight_variance: WEIGHT = "1",
    bias_variance: BIAS = "0",
    digits: DIGITS = 20,
    order: Annotated[int, typer.Option(help="Of the Hermite table and the power series.")] = 12,
    width: Annotated[int, typer.Option(help="Of the sampled networks.")] = 512,
    draws: Annotated[int, typer.Option(help="How many networks are sampled.")] = 16,
    seed: Annotated[int, typer.Option(help="Of the sampled networks.", min=0)] = 0,
    html: Annotated[Path | None, typer.Option(help="Write a page with plots to this file instead.")] = None,
    as_json: JSON = False,
) -> None:
    """All about an activation and its kernels: properties, formulas, certified values, series, a check."""
    with _answering():
        from analytic_ntk.report import build
        from analytic_ntk.report.curves import curves_of
        from analytic_ntk.report.files import write_text
        from analytic_ntk.report.html import page
        from analytic_ntk.report.terminal import show

        phi = _activation(act)
        with _progress() as progress:
            found = build(
                phi, depth, weight_variance, bias_variance, digits, order, width, draws, seed, progress
            )
            if html is not None:
                progress("page")
                write_text(html, page(found, curves_of(phi, depth, weight_variance, bias_variance)))
        if html is not None:
            print(f"wrote {html}", file=sys.stderr)
        if as_json:
            _print_json(found.to_json())
        elif html is None:
            show(found, _Console())
        if not found.complete:
            raise typer.Exit(INCOMPLETE)


@app.command()
def kernel(
    act: ACT,
    depth: DEPTH = 1,
    weight_variance: WEIGHT = "1",
    bias_variance: BIAS = "0",
    rho: Annotated[
        list[str] | None, typer.Option(help="Correlation of unit inputs; may be repeated.")
    ] = None,
    xx: Annotated[str | None, typer.Option(help="<x,x>/d, instead of --rho.")] = None,
    xy: Annotated[str | None, typer.Option(help="<x,y>/d.")] = None,
    yy: Annotated[str | None, typer.Option(help="<y,y>/d.")] = None,
    formula: Annotated[
        bool, typer.Option("--formula", help="The closed forms instead; exit code 3 if there are none.")
    ] = False,
    digits: DIGITS = 30,
    as_json: JSON = False,
) -> None:
    """Certified values of NNGP and NTK, or their formulas."""
    with _answering():
        from analytic_ntk.network import Network
        from analytic_ntk.report.builder import certified_row
        from analytic_ntk.report.data import as_json as plain
        from analytic_ntk.report.formulas import formulas_of
        from analytic_ntk.report.sections import Section, values_section
        from analytic_ntk.report.terminal import show_section

        given = [value is not None for value in (xx, xy, yy)]
        if formula + bool(rho) + any(given) != 1 or any(given) != all(given):
            raise DomainError("the inputs", "one of --rho, --formula, or all of --xx, --xy, --yy")
        phi = _activation(act)
        with _progress() as progress:
            if formula:
                progress("formulas")
                formulas = formulas_of(phi, depth, weight_variance, bias_variance)
                result, section = plain(formulas), Section("Formulas", formulas=formulas)
                complete = all(found.closed for found in formulas)
            else:
                progress("certified values")
                network = Network.mlp(phi, depth, weight_variance, bias_variance)
                inputs = [("1", value, "1") for value in rho] if rho else [(xx, xy, yy)]
                rows = [certified_row(network, *where, digits) for where in inputs]
                result, section = plain(rows), values_section(rows, digits)
                complete = not any(row.reason for row in rows)
        if as_json:
            _print_json(result)
        else:
            show_section(section, _Console())
        if not complete:
            raise typer.Exit(INCOMPLETE)


@app.command()
def hermite(
    act: ACT,
    order: Annotated[int, typer.Option(help="The last coefficient.")] = 20,
    digits: DIGITS = 30,
    variance: Annotated[str, typer.Option(help="Coefficients of phi(sqrt(variance) z).")] = "1",
    style: Annotated[Format, typer.Option("--format", help="How to print the table.")] = Format.table,
    output: Annotated[Path | None, typer.Option(help="Write to this file.")] = None,
    as_json: JSON = False,
) -> None:
    """Hermite coefficients, each exact or certified, and how much of E phi^2 they carry."""
    with _answering():
        from analytic_ntk.report.files import write_text
        from analytic_ntk.report.hermite_formats import FORMATS
        from analytic_ntk.report.sections import hermite_section
        from analytic_ntk.report.terminal import section_text, show_section

        with _progress() as progress:
            progress("Hermite coefficients")
            table = _activation(act).hermite_table(order, digits, variance)
        chosen = Format.json if as_json else style
        section = hermite_section(table)
        if chosen is not Format.table:
            text = FORMATS[chosen.value](table)
        elif output is not None:
            text = section_text(section)
        else:
            show_section(section, _Console())
            return
        if output is None:
            sys.stdout.write(text)
        else:
            write_text(output, text)


@app.command()
def activations(as_json: JSON = False) -> None:
    """The catalogue, with what is derived from each activation."""
    with _answering():
        from analytic_ntk.report.catalogue import catalogue, catalogue_section
        from analytic_ntk.report.data import as_json as plain
        from analytic_ntk.report.terminal import show_section

        with _progress() as progress:
            rows = catalogue(progress)
        if as_json:
            _print_json(plain(rows))
        else:
            show_section(catalogue_section(rows), _Console())


def main() -> None:
    """The entry point."""
    try:
        app()
    except KeyboardInterrupt:  # before or after a command
        print("error: interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
