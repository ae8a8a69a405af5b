"""The command ``proofs-check conjecture``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from proofs_check.conjectures.answer import Answer

WRONG, REFUTED, UNWRITABLE, UNDECIDED, INTERRUPTED = 2, 3, 4, 5, 130


def conjecture(
    text: Annotated[
        str, typer.Argument(metavar="STATEMENT", help='Such as "ntk(rho) > 0 for rho in [0, 1]".')
    ],
    activation: Annotated[str, typer.Option(help="A name, or a formula in x.")],
    depth: Annotated[int, typer.Option(help="Hidden layers.")] = 1,
    weight_variance: Annotated[str, typer.Option(help="An exact number, such as 2 or 3/2.")] = "1",
    bias_variance: Annotated[str, typer.Option(help="An exact number, such as 0 or 0.1.")] = "0",
    x: Annotated[
        str | None, typer.Option("--x", help="Points of lambda_min: a CSV, JSON or npy file, or JSON itself.")
    ] = None,
    seconds: Annotated[float, typer.Option(help="Budget of time.")] = 60.0,
    boxes: Annotated[int, typer.Option(help="Budget of boxes.")] = 10_000,
    certificate: Annotated[Path | None, typer.Option(help="Write the certificate to this file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Prove or refute a statement about kernels; exit code 0 proved, 3 refuted, 5 undecided."""
    from analytic_ntk.errors import AnalyticNTKError

    try:
        answer = _asked(text, activation, depth, weight_variance, bias_variance, x, seconds, boxes)
    except AnalyticNTKError as error:
        lines = [error.given, f"required: {error.required}"] + [f"what to do: {error.remedy}"] * bool(
            error.remedy
        )
        _fail(WRONG, "\n  ".join(lines))
    except KeyboardInterrupt:
        _fail(INTERRUPTED, "interrupted before anything was known")
    _show(answer, as_json)
    if certificate is not None:
        if answer.certificate is None:
            print(f"no certificate written: {answer.no_certificate}", file=sys.stderr)
        else:
            try:
                answer.save(certificate)
            except OSError as error:
                _fail(UNWRITABLE, f"{error.strerror or error}: {certificate}")
    code = {"proved": 0, "refuted": REFUTED}.get(answer.verdict.value, UNDECIDED)
    if code:
        raise typer.Exit(code)


def _asked(
    text: str, activation: str, depth: int, weight: str, bias: str, x: str | None, seconds: float, boxes: int
) -> Answer:
    from analytic_ntk.activation import constant
    from proofs_check.conjectures.ask import conjecture as ask

    variances = constant(weight, "weight_variance"), constant(bias, "bias_variance")
    points = None if x is None else _points(x)
    return ask(text, activation, depth, *variances, points, seconds, boxes, progress=sys.stderr.isatty())


def _points(given: str) -> Any:
    """From JSON on the command line (numbers as they are written), or from a file."""
    from fractions import Fraction

    from analytic_ntk.cli.points import read_points
    from analytic_ntk.errors import DomainError

    if not given.lstrip().startswith("["):
        return read_points(Path(given))
    try:
        return json.loads(given, parse_float=Fraction)
    except (ValueError, RecursionError) as error:
        raise DomainError(
            f"--x {given[:60]!r}: {error}"[:160], "a file, or a list of lists such as [[1,0],[0,1]]"
        ) from error


def _show(answer: Answer, as_json: bool) -> None:
    if as_json:
        print(json.dumps(answer.as_json(), indent=2))
        return
    if sys.stdout.isatty():
        from rich.console import Console

        Console().print(answer)
    else:
        print(answer)


def _fail(code: int, message: str) -> NoReturn:
    print(f"error: {message}", file=sys.stderr)
    raise typer.Exit(code)
