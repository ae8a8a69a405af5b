"""The program itself: what every command shares."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

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


class AnswerConsole(Console):
    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def fail(code: int, message: str) -> NoReturn:
    print(f"error: {message}", file=sys.stderr)
    raise typer.Exit(code)


@contextmanager
def answering() -> Iterator[None]:
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
        fail(WRONG if isinstance(error, DomainError) else INCOMPLETE, "\n  ".join(lines))
    except OSError as error:
        fail(UNWRITABLE, f"{error.strerror or error}: {error.filename}" if error.filename else str(error))
    except KeyboardInterrupt:
        fail(INTERRUPTED, "interrupted")


@contextmanager
def stages() -> Iterator[Callable[[str], None]]:
    """Show the stage at work on stderr, if that is a terminal."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda stage: None
        return
    with console.status("starting") as status:
        yield lambda stage: status.update(stage)


@contextmanager
def counted() -> Iterator[Callable[[int, int, str], None]]:
    """Show how many pieces of a long run are done on stderr, if that is a terminal."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda done, total, name: None
        return
    columns = (
        MofNCompleteColumn(),
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}", markup=False),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("starting", total=None)
        yield lambda done, total, name: bar.update(task, completed=done, total=total, description=name)


def activation(text: str) -> Activation:
    from analytic_ntk import activations

    return activations.resolve(text)


def print_json(value: Any) -> None:
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
