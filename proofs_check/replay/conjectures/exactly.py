"""Terms evaluated exactly, with unknowns: what comes out 0 is 0, whatever the digits."""

from __future__ import annotations

from fractions import Fraction
from math import factorial
from typing import Any

from proofs_check.replay.conjectures.chain import Chain, parity
from proofs_check.replay.conjectures.duals import ArcCosine
from proofs_check.replay.conjectures.exact import exact_kernel
from proofs_check.replay.conjectures.formal import PI, Atom, Formal, NotFormal
from proofs_check.replay.conjectures.jets import Jet
from proofs_check.replay.conjectures.statement import WHOLE, Comparison, Node, exact_value
from proofs_check.replay.conjectures.terms import (
    MAX_DEGREE,
    Place,
    World,
    chain_of,
    depth_of,
    fold,
    index,
    parts_of,
)

WINDOW = 40
"""Powers of ``rho`` whose absence is looked at one by one."""
MANY = 401
"""The same for coefficients of the power series."""


class Exactly:
    """Statements evaluated with unknowns. What comes out 0 is 0: kernel values are exact numbers where there
    are closed forms, else atoms, their parities and missing powers known, and for one layer ``ntk = nngp +
    (rho + b/w) nngp'`` (continuous activations)."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._rows: dict[tuple[str, int, int], tuple[bool, ...]] = {}

    def difference(self, comparison: Comparison, place: Place) -> Any:
        """A jet, or a :class:`Formal`. Raises :class:`NotFormal`."""

        def leaf(node: Node) -> Any:
            if node.head in ("nngp", "ntk", "kappa"):
                argument = fold(node.arguments[0], leaf, place.n)
                return self._kernel(node.head, depth_of(node, self.world), node.order, argument)
            if node.head == "rho":
                return place.rho
            return self._plain(node, place.n)

        one, two = (fold(side, leaf, place.n) for side in (comparison.left, comparison.right))
        return one - two

    def _plain(self, node: Node, n: int | None) -> Formal:
        if node.head in ("number", "n"):
            return Formal.of(node.value if node.head == "number" else Fraction(n or 0))
        if node.head in ("pi", "e"):
            return Formal.of(PI if node.head == "pi" else Atom("e", True))
        if node.head == "a":
            k = index(node.arguments[0], n, "the order of a Hermite coefficient")
            return self._hermite(k)
        if node.head == "series":
            k = index(node.arguments[0], n, "the order of a coefficient")
            return self._coefficient(node.kernel, k)
        if node.head == "mu":
            k = index(node.arguments[0], n, "the degree of an eigenvalue", 0, MAX_DEGREE)
            may = any(
                chain_of(self.world, name, WHOLE).degrees(name == "extra")[k % 2] >= k
                for name in parts_of(node.kernel)
            )
            dim = exact_value(node.arguments[1], n)
            return Formal.of(Atom(("mu", node.kernel, k, dim), True) if may else 0)
        if node.head == "lambda_min":
            same = node.kernel == "nngp" or max(self.world.chain.degrees(True)) < 0  # phi' = 0
            return Formal.of(Atom(("lambda_min", "nngp" if same else "ntk"), True))
        raise NotFormal

    def _hermite(self, k: int) -> Formal:
        """With its sign, where that is seen."""
        value = self.world.hermite(k)
        known = bool(value.low > 0 or value.high < 0)
        size = Formal.of(Atom(("|a|", k), known)) if self._may(k) else Formal.of(0)
        return -size if value.high < 0 else size

    def _may(self, k: int) -> bool:
        return self.world.unit.layers[0].dual.support(k + 1)[k]

    def _coefficient(self, kernel: str, k: int) -> Formal:
        """Of ``rho^k``: ``a_k^2`` of one layer at unit variance, and of ``S + (rho + b/w) S'``."""
        if not any(self._supports(name, WHOLE, k + 1)[k] for name in parts_of(kernel)):
            return Formal.of(0)
        if kernel == "kappa":
            return Formal.of(Atom(("|a|", k))).power(2) if self._may(k) else Formal.of(0)
        chain = self.world.chain
        if len(chain.layers) == 1:
            w, b = chain.weights, chain.biases
            if kernel == "ntk" and chain.layers[0].slope is None:
                extra = self._coefficient("nngp", k + 1) * (b[0] / w[0]) if b[0] else Formal.of(0)
                return (self._coefficient("nngp", k) + extra) * (k + 1)
            if kernel == "nngp" and w[0] == 1 and b[0] == 0:
                return self._coefficient("kappa", k) * w[1] + (b[1] if k == 0 else 0)
        return Formal.of(Atom(("series", kernel, k), True))

    def _supports(self, name: str, depth: int, size: int) -> tuple[bool, ...]:
        size = WINDOW if size <= WINDOW else max(size, MANY)  # one row serves them all
        key = (name, depth, size)
        if key not in self._rows:
            self._rows[key] = chain_of(self.world, name, depth).supports(size)[1 if name == "extra" else 0]
        return self._rows[key]

    def _kernel(self, head: str, depth: int, order: int, argument: Any) -> Any:
        total: Any = Formal.of(0)
        for name in parts_of(head):
            if isinstance(argument, Jet):
                point = argument.c[0]
                powers = range(argument.order + 1)
                outer = [self._atom(name, depth, order + k, point) / factorial(k) for k in powers]
                total = argument.compose(tuple(outer)) + total
            else:
                total = self._atom(name, depth, order, argument) + total
        return total

    def _atom(self, name: str, depth: int, order: int, point: Formal) -> Formal:
        """The derivative of that order of a kernel at a point."""
        chain = chain_of(self.world, name, depth)
        if max(chain.degrees(name == "extra")) < 0:
            return Formal.of(0)
        known = self._known(name, chain, order, point)
        if known is not None:
            return known
        if name != "kappa" and len(chain.layers) == 1 and chain.weights[0] > 0:
            w, b, layer = chain.weights, chain.biases, chain.layers[0]
            if name == "extra" and layer.slope is None:
                shifted = point + b[0] / w[0]
                above, here = (self._atom("nngp", depth, order + k, point) for k in (1, 0))
                return shifted * above + order * here
            q = w[0] + b[0]
            if name == "nngp" and (q == 1 or isinstance(layer.dual, ArcCosine)):  # c |x| + d x is homogeneous
                inside = (point * w[0] + b[0]) / q
                return self._atom("kappa", WHOLE, order, inside) * (w[1] * q * (w[0] / q) ** order) + (
                    b[1] if order == 0 else 0
                )
        value = point.rational
        if value == 0:
            if not self._supports(name, depth, max(WINDOW, order + 1))[order]:
                return Formal.of(0)
        kind = parity(self._supports(name, depth, WINDOW)) if _has_parity(chain, name) else None
        if kind and point.is_turned:
            sign = (-1) ** (order + (kind == "odd"))
            return Formal.of(sign) * self._atom(name, depth, order, -point)
        key = (name, depth, order, point.key if value is None else value)
        return Formal.of(Atom(key, value is not None and value >= 0))

    def _known(self, name: str, chain: Chain, order: int, point: Formal) -> Formal | None:
        """The exact value, where there is one."""
        if self.world.exact is None and chain.layers:
            return None
        try:
            jet = exact_kernel(self.world.exact, chain, name == "extra", point, order)
        except (NotFormal, ZeroDivisionError):
            return None
        return jet.c[order] * factorial(order)


def _has_parity(chain: Chain, name: str) -> bool:
    even, odd = chain.degrees(name == "extra")
    return even < 0 or odd < 0
