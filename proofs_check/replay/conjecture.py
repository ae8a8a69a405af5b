"""Certificates of conjectures: a statement in words of the field, proved or refuted."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from proofs_check.replay.conjectures.masses import MAX_ORDER
from proofs_check.replay.conjectures.own import Own, Recipe
from proofs_check.replay.conjectures.rules import Box, Judge
from proofs_check.replay.conjectures.statement import Interval, Statement, parse
from proofs_check.replay.expression import Refusal, check, nodes, rational
from proofs_check.replay.reading import (
    Vector,
    allow_only,
    precision,
    read_field,
    read_numbers,
    read_vectors,
)

BITS = 128
MAX_LAYERS, MAX_BOXES, MAX_HALVINGS, MAX_NODES, MAX_WORK = 10, 2_000, 4_000, 400, 4_096
NARROWEST = Fraction(1, 2**32)
"""No box is halved below this."""
FIELDS = ("statement", "verdict", "activations", "weight_variances", "bias_variances", "order")
EVIDENCE = ("boxes", "point", "index", "points", "smallest")


def conjecture(data: dict[str, Any]) -> str:
    """A statement about the kernels of a fully connected network holds, or does not.

    The text is read by the grammar of :mod:`proofs_check.replay.conjectures.statement`; the network is given
    by its activations and variances; ``order`` Hermite coefficients of each activation are computed from its
    formula.

    * proved for ``rho`` in an interval: boxes that cover it, each shown by one of the rules of
      :mod:`proofs_check.replay.conjectures.rules` (this checker may halve them further);
    * proved for ``n`` in a range, or without a variable: every value is computed;
    * refuted: a point of the interval, or an ``n`` of the range, at which the statement is certainly false;
    * ``lambda_min``: the rows of ``X``, a lower bound shown by a factorisation, a vector for the upper one.
    """
    allow_only(data, (*FIELDS, *EVIDENCE))
    text = read_field(data, "statement", str)
    statement = parse(text)
    if statement.text != text:
        raise Refusal("statement: plain letters and signs are required")
    verdict = data.get("verdict")
    if verdict not in ("proved", "refuted"):
        raise Refusal("verdict: proved or refuted is required")
    recipe = _recipe(data)
    with precision(BITS):
        judge = Judge(statement, _world(data, recipe, statement))
        if verdict == "proved":
            _check_proof(data, judge)
        else:
            _check_refutation(data, judge)
    shown = " and ".join(sorted({str(e) for e in recipe.activations}))
    kind = "is true" if verdict == "proved" else "is false"
    variances = [", ".join(map(str, v)) for v in (recipe.weights, recipe.biases)]
    where = f"depth {len(recipe.activations)}, weight variances {variances[0]}, bias variances {variances[1]}"
    return f"{text!r} {kind} for {shown[:200]}, {where}"


def _recipe(data: dict[str, Any]) -> Recipe:
    activations = read_field(data, "activations", list)
    if not 1 <= len(activations) <= MAX_LAYERS:
        raise Refusal(f"activations: 1 to {MAX_LAYERS} are allowed")
    for expression in activations:
        check(expression)
        if nodes(expression) > MAX_NODES:
            raise Refusal(f"an activation of more than {MAX_NODES} parts")
    weights, biases = (tuple(read_numbers(data, f"{name}_variances")) for name in ("weight", "bias"))
    if not len(weights) == len(biases) == len(activations) + 1:
        raise Refusal("one more weight variance and bias variance than activations is required")
    if min(weights) <= 0 or min(biases) < 0:
        raise Refusal("weight variances > 0 and bias variances >= 0 are required")
    return Recipe(tuple(activations), weights, biases)


def _world(data: dict[str, Any], recipe: Recipe, statement: Statement) -> Own:
    order = _integer(data, "order")
    if not 1 <= order <= MAX_ORDER or order * len(recipe.activations) > MAX_WORK:
        raise Refusal(f"order: 1 to {MAX_ORDER}, and at most {MAX_WORK} coefficients in all")
    named = {node.kernel for node in statement.nodes() if node.head == "lambda_min"}
    if not named:
        if "points" in data or "smallest" in data:
            raise Refusal("points without a statement on lambda_min")
        return Own(recipe, order)
    points = read_vectors(data, "points")
    given = read_field(data, "smallest", dict)
    allow_only(given, sorted(named))
    evidence: dict[str, tuple[Fraction, Vector]] = {}
    for kernel in named:
        entry = read_field(given, kernel, dict)
        allow_only(entry, ("lower", "vector"))
        evidence[kernel] = rational(entry.get("lower"), "lower"), tuple(read_numbers(entry, "vector"))
    return Own(recipe, order, points, evidence)


def _integer(data: dict[str, Any], name: str) -> int:
    value = rational(data.get(name), name)
    if value.denominator != 1:
        raise Refusal(f"{name}: an integer is required")
    return int(value)


def _allow_evidence(data: dict[str, Any], *names: str) -> None:
    for name in ("boxes", "point", "index"):
        if name in data and name not in names:
            raise Refusal(f"the field {name!r} proves nothing here")


def _check_proof(data: dict[str, Any], judge: Judge) -> None:
    domain = judge.statement.domain
    if isinstance(domain, Interval):
        _allow_evidence(data, "boxes")
        boxes = _cover(data, domain)
        left = MAX_HALVINGS
        while boxes:
            low, high = boxes.pop()
            if judge.on_box((low, high)).proved:
                continue
            left -= 1
            if left < 0 or high - low <= NARROWEST:
                raise Refusal(f"the statement is not seen to hold between {low} and {high}")
            boxes += [(low, (low + high) / 2), ((low + high) / 2, high)]
        return
    _allow_evidence(data)
    for n in domain or (None,):
        if judge.at(n)[0] is not True:
            raise Refusal("the statement is not seen to hold" + ("" if n is None else f" at n = {n}"))


def _cover(data: dict[str, Any], domain: Interval) -> list[Box]:
    """The boxes, which must follow each other from end to end of the interval."""
    rows = read_field(data, "boxes", list)
    if not 1 <= len(rows) <= MAX_BOXES:
        raise Refusal(f"boxes: 1 to {MAX_BOXES} are allowed")
    boxes, place = [], domain.low
    for row in rows:
        if not isinstance(row, list) or len(row) != 2:
            raise Refusal("boxes: two ends each are required")
        low, high = (rational(end, "boxes") for end in row)
        if low != place or (high <= low and not (high == low and len(rows) == 1)):
            raise Refusal("boxes: they do not cover the interval one after the other")
        boxes.append((low, high))
        place = high
    if place != domain.high:
        raise Refusal("boxes: they do not cover the interval")
    return boxes


def _check_refutation(data: dict[str, Any], judge: Judge) -> None:
    domain = judge.statement.domain
    if isinstance(domain, Interval):
        _allow_evidence(data, "point")
        if judge.refuted_at(rational(data.get("point"), "point")) is None:
            raise Refusal("the statement is not seen to be false at the point")
        return
    _allow_evidence(data, "index")
    n = _integer(data, "index") if domain is not None else None
    if domain is not None and n not in domain:
        raise Refusal("index: one of the range is required")
    if domain is None and "index" in data:
        raise Refusal("an index without a range")
    if judge.at(n)[0] is not False:
        raise Refusal("the statement is not seen to be false")
