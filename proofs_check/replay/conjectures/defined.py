"""What algebra takes for granted: that all terms are defined. ``sqrt(-1)^2 == -1`` is no statement."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from proofs_check.replay.conjectures.statement import KERNELS, Comparison, Interval, Node, exact_value


def conditions(comparison: Comparison, domain: Interval | range | None) -> Iterator[Comparison]:
    """Comparisons that hold only where both sides are defined."""
    for side in (comparison.left, comparison.right):
        if not isinstance(domain, Interval):
            yield _bounded(side)
            continue
        whole = Fraction(-1) not in domain and Fraction(1) not in domain
        for node in side.walk():
            yield from _conditions(node, whole)


def _conditions(node: Node, inside: bool) -> Iterator[Comparison]:
    """``inside``: whether ``|rho| < 1``."""
    if not node.arguments or exact_value(node) is not None:
        return
    first, *others = node.arguments
    zero, one = _number(0), _number(1)
    if node.head == "/":
        yield Comparison(others[0], "!=", zero)
    elif node.head == "^" and first.head != "e":
        power = exact_value(others[0]) or Fraction(0)
        if power.denominator > 1:
            yield Comparison(first, ">=" if power > 0 and power.denominator == 2 else ">", zero)
        elif power < 0:
            yield Comparison(first, "!=", zero)
    elif node.head in ("sqrt", "log"):
        yield Comparison(first, ">" if node.head == "log" else ">=", zero)
    elif node.head in ("asin", "acos") or node.head in KERNELS:
        if first.head != "rho":
            yield from (Comparison(first, ">=", _number(-1)), Comparison(first, "<=", one))
        if node.order and not (inside and first.head == "rho"):
            yield _bounded(node)
    elif node.head in ("a", "series", "mu"):
        yield _bounded(node)  # the orders are in range


def _bounded(node: Node) -> Comparison:
    """True wherever the term has a value."""
    return Comparison(Node("abs", (node,)), ">=", _number(-1))


def _number(value: int) -> Node:
    return Node("number", value=Fraction(value))
