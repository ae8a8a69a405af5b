"""Terms of a statement, evaluated: in intervals over a box, or exactly with unknowns.

A :class:`World` knows the kernels of one network. There are two: the one of this checker
(:mod:`proofs_check.replay.conjectures.own`), and the one of whoever searches for proofs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import factorial
from typing import Any, Protocol

from flint import arb

from proofs_check.replay.conjectures.chain import Chain
from proofs_check.replay.conjectures.exact import ExactDual
from proofs_check.replay.conjectures.intervals import UNKNOWN, Interval
from proofs_check.replay.conjectures.jets import Jet
from proofs_check.replay.conjectures.statement import MAX_INDEX, WHOLE, Comparison, Node, exact_value
from proofs_check.replay.expression import Refusal

MAX_DIM, MAX_DEGREE = 10_000, 200


class World(Protocol):
    """The kernels of a network, for inputs with ``<x, x>/d = 1``, and what else a statement may name."""

    @property
    def chain(self) -> Chain:
        """Of NNGP and NTK."""

    @property
    def unit(self) -> Chain:
        """Of ``kappa``: one layer, variances 1 and 0. Raises :class:`Refusal` if the activations differ."""

    @property
    def exact(self) -> ExactDual | None:
        """``kappa`` as an exact number, where it is known."""

    def hermite(self, n: int) -> Interval: ...

    def series(self, kernel: str, n: int) -> Interval: ...

    def eigenvalue(self, kernel: str, n: int, dim: int) -> Interval: ...

    def smallest(self, kernel: str) -> Interval: ...


class Outside(Refusal):
    """A kernel at what is certainly no correlation: the statement means nothing."""


@dataclass(frozen=True)
class Place:
    """Where a statement is looked at: a box or a point of ``rho``, or an ``n``, or neither."""

    rho: Any = None
    n: int | None = None


def fold(node: Node, leaf: Callable[[Node], Any], n: int | None) -> Any:
    """A term in any arithmetic; ``leaf`` evaluates all that is no arithmetic."""
    if node.head in ("+", "-", "*", "/"):
        one, two = (fold(argument, leaf, n) for argument in node.arguments)
        if node.head in ("+", "-"):
            return one + two if node.head == "+" else one - two
        return one * two if node.head == "*" else one / two
    if node.head == "neg":
        return -fold(node.arguments[0], leaf, n)
    if node.head == "abs":
        return abs(fold(node.arguments[0], leaf, n))
    if node.head == "^":
        base, exponent = node.arguments
        if base.head == "e":
            return fold(exponent, leaf, n).exp()
        power = exact_value(exponent, n)
        if power is None or abs(power) > 1_000:
            raise Refusal("an exponent that is no rational number from -1000 to 1000")
        value = fold(base, leaf, n)
        if power.denominator == 1:
            return value.power(int(power))
        if power.denominator == 2:
            return value.sqrt().power(int(2 * power))
        return (value.log() * leaf(Node("number", value=power))).exp()
    if node.head in ("sqrt", "exp", "log", "sin", "cos", "asin", "acos"):
        return getattr(fold(node.arguments[0], leaf, n), node.head)()
    return leaf(node)


def index(node: Node, n: int | None, what: str, least: int = 0, most: int = MAX_INDEX) -> int:
    value = exact_value(node, n)
    if value is None or value.denominator != 1 or not least <= value <= most:
        shown = "a number that is no integer" if value is None or value.denominator != 1 else f"{value}"
        raise Refusal(f"{shown} as {what}; integers from {least} to {most} are allowed")
    return int(value)


# ------------------------------------------------------------------------------------- in intervals

Key = tuple[Any, ...]


@dataclass(frozen=True)
class Linear:
    """``rest + sum_key coefficient * kernel value``: what is the same kernel value cancels before it is
    rounded."""

    parts: dict[Key, Any]
    rest: Any
    kernel: Callable[[Key], Any]

    def collapse(self) -> Any:
        total = self.rest
        for key, coefficient in self.parts.items():
            value = self.kernel(key)  # evaluated even if it cancels: it must exist
            if not (isinstance(coefficient, Interval) and coefficient.is_zero):
                total = total + coefficient * value
            elif isinstance(value, Interval) and not value.bounded:
                total = total + UNKNOWN
        return total

    def _other(self, other: Any) -> Linear:
        return other if isinstance(other, Linear) else Linear({}, other, self.kernel)

    def __neg__(self) -> Linear:
        return Linear({key: -value for key, value in self.parts.items()}, -self.rest, self.kernel)

    def __add__(self, other: Linear) -> Linear:
        parts = dict(self.parts)
        for key, value in other.parts.items():
            parts[key] = parts[key] + value if key in parts else value
        return Linear(parts, self.rest + other.rest, self.kernel)

    def __sub__(self, other: Linear) -> Linear:
        return self + -other

    def __mul__(self, other: Linear) -> Linear:
        if self.parts and other.parts:
            return Linear({}, self.collapse() * other.collapse(), self.kernel)
        plain, mixed = (self.rest, other) if not self.parts else (other.rest, self)
        parts = {key: value * plain for key, value in mixed.parts.items()}
        return Linear(parts, mixed.rest * plain, self.kernel)

    def __truediv__(self, other: Linear) -> Linear:
        if other.parts:
            return Linear({}, self.collapse() / other.collapse(), self.kernel)
        parts = {key: value / other.rest for key, value in self.parts.items()}
        return Linear(parts, self.rest / other.rest, self.kernel)

    def power(self, count: int) -> Linear:
        return Linear({}, self.collapse().power(count), self.kernel) if count != 1 else self

    def __abs__(self) -> Linear:
        return Linear({}, abs(self.collapse()), self.kernel)

    def __getattr__(self, name: str) -> Callable[[], Linear]:
        if name not in ("sqrt", "exp", "log", "sin", "cos", "asin", "acos"):
            raise AttributeError(name)
        return lambda: Linear({}, getattr(self.collapse(), name)(), self.kernel)


class Enclosed:
    """Statements evaluated in intervals; kernel values are remembered."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._known: dict[Any, tuple[Jet, Jet]] = {}

    def difference(self, comparison: Comparison, place: Place) -> Any:
        """``left - right``: a jet, or an interval where ``rho`` plays no part."""
        one, two = self._linear((comparison.left, comparison.right), place)
        return (one - two).collapse()

    def has_kernels(self, sides: tuple[Node, ...], place: Place) -> bool:
        named = (node for side in sides for node in side.walk() if node.head in ("nngp", "ntk", "kappa"))
        return all(self._alone(node, place).bounded for node in named)

    def _alone(self, node: Node, place: Place) -> Interval:
        value = self._linear((node, Node("number")), place)[0].collapse()
        return value.c[0] if isinstance(value, Jet) else value

    def _linear(self, sides: tuple[Node, Node], place: Place) -> tuple[Linear, Linear]:
        inside: dict[Node, Any] = {}

        def kernel(key: Key) -> Any:
            name, order, depth, argument = key
            if argument not in inside:
                inside[argument] = fold(argument, leaf, place.n).collapse()
            return self._kernel(name, depth, order, inside[argument])

        def leaf(node: Node) -> Linear:
            parts: dict[Key, Any] = {}
            rest: Any = Interval.of(0)
            if node.head in ("nngp", "ntk", "kappa"):
                depth = depth_of(node, self.world)
                for name in parts_of(node.head):
                    parts[(name, node.order, depth, node.arguments[0])] = Interval.of(1)
            elif node.head == "rho":
                rest = place.rho
            else:
                rest = self._plain(node, place.n)
            return Linear(parts, rest, kernel)

        return fold(sides[0], leaf, place.n), fold(sides[1], leaf, place.n)

    def _plain(self, node: Node, n: int | None) -> Interval:
        if node.head == "number":
            return Interval.of(node.value)
        if node.head == "n":
            return Interval.of(Fraction(n or 0))
        if node.head in ("pi", "e"):
            return Interval.of(arb.pi() if node.head == "pi" else arb(1).exp())
        if node.head == "a":
            return self.world.hermite(index(node.arguments[0], n, "the order of a Hermite coefficient"))
        if node.head == "series":
            return self.world.series(node.kernel, index(node.arguments[0], n, "the order of a coefficient"))
        if node.head == "mu":
            degree = index(node.arguments[0], n, "the degree of an eigenvalue", 0, MAX_DEGREE)
            return self.world.eigenvalue(node.kernel, degree, index(node.arguments[1], n, "dim", 2, MAX_DIM))
        if node.head == "lambda_min":
            return self.world.smallest(node.kernel)
        raise Refusal(f"the term {node.head}")

    def _kernel(self, name: str, depth: int, order: int, argument: Any) -> Any:
        jet = argument if isinstance(argument, Jet) else Jet((argument,))
        inside = jet.c[0]
        if inside.low > 1 or inside.high < -1:
            raise Outside(f"{'ntk' if name == 'extra' else name} at {inside}, outside [-1, 1]")
        if not (inside.low >= -1 and inside.high <= 1):
            raise Refusal(f"{name} at what is not seen to lie in [-1, 1]")
        pair = self._values(name, depth, inside, order + jet.order)
        row = pair[1 if name == "extra" else 0].c
        outer = [row[order + k] * Fraction(factorial(order + k), factorial(k)) for k in range(jet.order + 1)]
        return jet.compose(tuple(outer)) if isinstance(argument, Jet) else outer[0]

    def _values(self, name: str, depth: int, inside: Interval, order: int) -> tuple[Jet, Jet]:
        key = (name == "kappa", depth, inside.low.man_exp(), inside.high.man_exp())
        known = self._known.get(key)
        if known is None or known[0].order < order:
            if len(self._known) > 20_000:
                self._known.clear()
            known = self._known[key] = chain_of(self.world, name, depth).kernels(inside, order)
        return known


def depth_of(node: Node, world: World) -> int:
    """The hidden layers of a kernel; the whole network has one name."""
    return WHOLE if node.depth == WHOLE or node.depth == len(world.chain.layers) else node.depth


def chain_of(world: World, name: str, depth: int) -> Chain:
    if name == "kappa":
        return world.unit
    return world.chain if depth == WHOLE else world.chain.first(depth)


def jet_at(box: Interval, order: int) -> Jet:
    """``rho`` itself over a box."""
    return Jet((box, Interval.of(1), *([Interval.of(0)] * order))[: order + 1])


def parts_of(kernel: str) -> tuple[str, ...]:
    return ("nngp", "extra") if kernel == "ntk" else (kernel,)
