"""Strict positivity of the kernels, decided."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from enum import Enum
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from analytic_ntk.cli.answers import Kernel, Mlp, kind, shown, value_json, write_file
from analytic_ntk.cli.app import (
    ACT,
    BIAS,
    DEPTH,
    DIGITS,
    INCOMPLETE,
    JSON,
    WEIGHT,
    AnswerConsole,
    answering,
    app,
    counted,
    print_json,
    stages,
)
from analytic_ntk.cli.points import read_points
from analytic_ntk.errors import DomainError, PrecisionError

if TYPE_CHECKING:
    from analytic_ntk.enclosure import Enclosure
    from analytic_ntk.positivity import Decision, GramDecision
    from analytic_ntk.positivity.linear import Vector
    from analytic_ntk.report.sections import Section

MOST_STEPS, MOST_VECTORS, MOST_ENTRIES, LONG = 12, 5, 24, 40
MOST_DECIDED = 200
"""Points that are decided exactly before ``--method float64`` too."""


class Where(str, Enum):
    """Domains of points."""

    distinct = "distinct"
    non_proportional = "non-proportional"
    sphere = "sphere"


class Method(str, Enum):
    """Ways to the smallest eigenvalue."""

    balls = "balls"
    float64 = "float64"


@app.command()
def positive(
    act: ACT,
    depth: DEPTH = 1,
    weight_variance: WEIGHT = "1",
    bias_variance: BIAS = "0",
    domain: Annotated[
        Where | None, typer.Option(help="All finite sets of such points.", show_default="distinct")
    ] = None,
    dim: Annotated[int | None, typer.Option(help="Of the points.", show_default="2", max=10_000)] = None,
    points: Annotated[
        Path | None, typer.Option(help="Only these: a CSV, JSON or npy file, a point a row.")
    ] = None,
    kernel: Annotated[Kernel, typer.Option(help="Which kernel.")] = Kernel.ntk,
    eigenvalue: Annotated[
        bool, typer.Option("--eigenvalue", help="Enclose the smallest eigenvalue too; needs --points.")
    ] = False,
    method: Annotated[
        Method,
        typer.Option(
            help="For the eigenvalue: any digits, or thousands of points quickly (beyond "
            f"{MOST_DECIDED} no exact decision)."
        ),
    ] = Method.balls,
    digits: DIGITS = 10,
    certificate: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the evidence, for proofs-check verify.")
    ] = None,
    as_json: JSON = False,
) -> None:
    """Is the kernel strictly positive definite? A proof or a counterexample; exit code 3 if undecided."""
    with answering():
        if points is None and eigenvalue:
            raise DomainError(
                "--eigenvalue without points", "--points FILE", "a domain has no smallest eigenvalue"
            )
        if points is not None and (domain is not None or dim is not None):
            raise DomainError(
                "--points with --domain or --dim", "one or the other", "the file says where they lie"
            )
        asked = Mlp.of(act, depth, weight_variance, bias_variance)
        if points is not None:
            way = method if eigenvalue else None
            _on_points(asked, points, kernel.value, way, digits, certificate, as_json)
        else:
            where, dim = domain or Where.distinct, 2 if dim is None else dim
            _on_domain(asked, where, dim, kernel.value, certificate, as_json)


def _on_domain(
    asked: Mlp, where: Where, dim: int, kernel: str, certificate: Path | None, as_json: bool
) -> None:
    from analytic_ntk.positivity import Domain, Positivity, decide
    from analytic_ntk.report.terminal import show_section

    with stages() as progress:
        progress("decision")
        found = decide(asked.network, dim, Domain[where.name.upper()], kernel)
    example = found.counterexample
    if as_json:
        print_json(
            _json(asked, found)
            | {"domain": where.value, "dim": dim, "counterexample": example and _vectors_json(example)}
        )
    else:
        vectors = () if example is None else (f"points {_points(example.points)}", *_vectors(example))
        show_section(_section(asked, found, f"{found.domain.value}, d = {dim}", vectors), AnswerConsole())
    _certify(asked, found, certificate)
    if found.verdict is Positivity.UNDECIDED:
        raise typer.Exit(INCOMPLETE)


def _on_points(
    asked: Mlp,
    path: Path,
    kernel: str,
    method: Method | None,
    digits: int,
    certificate: Path | None,
    as_json: bool,
) -> None:
    from analytic_ntk.positivity import Positivity, decide_gram
    from analytic_ntk.positivity.eigenvalue import require_few
    from analytic_ntk.report.terminal import show_section

    points = tuple(map(tuple, read_points(path)))
    if method is Method.balls:
        require_few(points)
    decided = True
    if method is Method.float64 and certificate is None and len(points) > MOST_DECIDED:
        decided = False
        least, reason = _least(asked, points, kernel, method, digits)
        found = _from_bounds(points, kernel, least)
    else:
        with stages() as progress:
            progress("decision")
            found = decide_gram(asked.network, points, kernel)
        least, reason = _least(asked, points, kernel, method, digits) if method else (None, "")
    if as_json:
        print_json(
            _json(asked, found)
            | {"points": len(points), "dim": len(points[0])}
            | {"nullity": found.nullity if decided or not found.null_vectors else None}
            | {"null_vectors": _vectors_json(found)["null_vectors"]}
            | ({"min_eigenvalue": value_json(least, digits), "reason": reason} if method else {})
        )
    else:
        lines = list(_vectors(found))
        if least is not None:
            lines.append(f"smallest eigenvalue {shown(least, digits)} ({kind(least)})")
        lines += [f"smallest eigenvalue: {reason}"] if reason else []
        where = f"{len(points)} point{'s' if len(points) > 1 else ''} in R^{len(points[0])}"
        show_section(_section(asked, found, where, lines), AnswerConsole())
    _certify(asked, found, certificate)
    if found.verdict is Positivity.UNDECIDED or reason:
        raise typer.Exit(INCOMPLETE)


def _least(
    asked: Mlp, points: Sequence[Vector], kernel: str, method: Method, digits: int
) -> tuple[Enclosure | None, str]:
    """The smallest eigenvalue, or why it is not to be had."""
    from analytic_ntk.positivity import min_eigenvalue

    with counted() as bar:
        try:
            if method is Method.balls:
                return min_eigenvalue(asked.network, points, kernel, digits, "balls", bar), ""
            # as many digits as float64 gives
            return min_eigenvalue(asked.network, _floats(points), kernel, None, "float64", bar), ""
        except PrecisionError as error:
            return None, str(error)


def _from_bounds(points: Sequence[Vector], kernel: str, least: Enclosure | None) -> GramDecision:
    """What is known without the exact decision: equal points, or the sign of the smallest eigenvalue."""
    from analytic_ntk.positivity import GramDecision, Positivity, Step

    first: dict[Vector, int] = {}
    same = [(k, j) for k, x in enumerate(points) if (j := first.setdefault(x, k)) != k]
    if same:
        size = range(len(points))
        null = tuple(tuple(Fraction((i == k) - (i == j)) for i in size) for k, j in same[:MOST_VECTORS])
        step = Step("any network", "equal points, equal rows; there may be more null vectors", "")
        return GramDecision(Positivity.SINGULAR, kernel, tuple(points), null, (step,))
    if least is not None and least.lower > 0:
        fact = "the smallest eigenvalue is certainly positive"
        step = Step("float64", fact, "Cholesky factorisation of a shifted matrix, Rump 2006")
        return GramDecision(Positivity.STRICTLY_POSITIVE, kernel, tuple(points), (), (step,))
    missing = f"the exact decision: not made before --method float64 beyond {MOST_DECIDED} points"
    return GramDecision(Positivity.UNDECIDED, kernel, tuple(points), (), (), missing)


def _floats(points: Sequence[Vector]) -> list[list[float]]:
    """Points as float64, which they must be already."""
    largest = Fraction(sys.float_info.max)
    for i, point in enumerate(points):
        for j, entry in enumerate(point):
            if abs(entry) > largest or Fraction(float(entry)) != entry:
                raise DomainError(
                    f"point {i}, coordinate {j}: {str(entry)[:40]}, no float64 number",
                    "binary numbers (those of an npy file are) with --method float64",
                    "use --method balls",
                )
    return [[float(entry) for entry in point] for point in points]


def _certify(asked: Mlp, found: Decision | GramDecision, path: Path | None) -> None:
    if path is not None:
        from analytic_ntk.certificate import of_decision

        write_file(path, of_decision(asked.network, found).text().encode())


# ------------------------------------------------------------------------------------ how it is shown


def _section(asked: Mlp, found: Decision | GramDecision, where: str, lines: Sequence[str]) -> Section:
    from analytic_ntk.positivity import Positivity
    from analytic_ntk.report.sections import Section, Table

    verdict = found.verdict.value + ("" if found.verdict is Positivity.UNDECIDED else " (proved)")
    title = f"{found.kernel.upper()}: {verdict}"
    cells = tuple((s.layer, s.fact, s.reference) for s in found.steps[:MOST_STEPS])
    table = Table(("layer", "what holds after it", "by"), cells, numeric=False) if cells else None
    last = (
        [f"and {len(found.steps) - MOST_STEPS} more layers (see --json)"]
        if len(found.steps) > MOST_STEPS
        else []
    )
    last += [f"missing: {found.missing}"] if found.missing else []
    return Section(title, (f"on {where}", asked.line), table=table, last="\n".join([*last, *lines]))


def _vectors(found: GramDecision) -> list[str]:
    """The null vectors, as many as one wants to read."""
    lines = [f"null vector {_vector(u)}" for u in found.null_vectors[:MOST_VECTORS]]
    more = len(found.null_vectors) - MOST_VECTORS
    return [*lines, f"and {more} more null vectors (see --json)"] if more > 0 else lines


def _points(points: Sequence[Vector]) -> str:
    return "; ".join(map(_vector, points))


def _vector(entries: Vector) -> str:
    words = [
        word if len(word) <= LONG else f"a fraction of {len(word)} characters" for word in _words(entries)
    ]
    return f"({', '.join(words[:MOST_ENTRIES])}{', ...' if len(words) > MOST_ENTRIES else ''})"


def _words(entries: Vector) -> list[str]:
    """Fractions in full (Python itself writes no integer of more than 4300 digits)."""
    from flint import fmpz

    parts = [(str(fmpz(e.numerator)), str(fmpz(e.denominator))) for e in entries]
    return [top if bottom == "1" else f"{top}/{bottom}" for top, bottom in parts]


def _json(asked: Mlp, found: Decision | GramDecision) -> dict[str, Any]:
    from analytic_ntk.positivity import Positivity
    from analytic_ntk.report.data import as_json

    return asked.as_json() | {
        "kernel": found.kernel,
        "verdict": found.verdict.value,
        "kind": None if found.verdict is Positivity.UNDECIDED else "proved",
        "steps": as_json(found.steps),
        "missing": found.missing,
    }


def _vectors_json(found: GramDecision) -> dict[str, Any]:
    return {
        "points": [_words(point) for point in found.points],
        "null_vectors": [_words(vector) for vector in found.null_vectors],
    }
