"""An activation read from a certificate, with what the theorems ask of it, each shown or refused."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import cached_property
from itertools import pairwise
from typing import Any

from flint import arb

from proofs_check.replay.algebra import (
    Algebra,
    Form,
    constant,
    line,
    plus,
    powers_of_t,
    scaled,
    value,
)
from proofs_check.replay.budget import Budget
from proofs_check.replay.expression import Refusal, evaluate, nodes
from proofs_check.replay.gram.growth import size_on
from proofs_check.replay.pieces import Piece, pieces, polynomial, resolved
from proofs_check.replay.reading import MAX_BITS, precision

_JUMPING = ("cases", "sign", "step")
Powers = dict[int, Form]


class Activation:
    """``s`` of an expression that is well formed."""

    def __init__(self, expression: Any, budget: Budget) -> None:
        self.expression = expression
        self.budget = budget
        self.algebra = Algebra(budget)
        self._known: dict[tuple[tuple[Fraction, Fraction], ...], Powers] = {}

    @cached_property
    def pieces(self) -> tuple[Piece, ...] | None:
        """Cut at its breakpoints; ``None`` where they are not found."""
        try:
            return pieces(self.expression, self.budget).cut_at_0()
        except Refusal:
            return None

    @cached_property
    def at_zero(self) -> Form:
        """``s(0)``, with every switch as its definition has it there."""
        return self.algebra.evaluate(resolved(self.expression, _sign_at_0, self.budget), {})

    # ------------------------------------------------------------------------- hypotheses

    @cached_property
    def has_moments(self) -> bool:
        """Whether ``s`` and ``s'`` are seen to grow at most like ``exp(C |x|)``, and ``s(0)`` to be a number
        (a Gaussian of variance 0 has that value)."""
        assert self.at_zero is not None
        sizes = [size_on(piece) for piece in self.pieces or (Piece(None, None, self.expression),)]
        return all(size.tame and size.smooth for size in sizes)

    @cached_property
    def is_linear_at_most(self) -> bool:
        """Whether ``|s| <= C (1 + |x|)`` is seen on a half-line: then a polynomial has degree 1 at most."""
        outer = (self.pieces[0], self.pieces[-1]) if self.pieces else ()
        return any(size.above and size.below for size in map(size_on, outer))

    @cached_property
    def is_continuous(self) -> bool:
        """Whether ``s`` is seen to be continuous (at 0, with the value that it has there)."""
        if self.pieces is None:
            return not _uses(self.expression, _JUMPING)
        for before, after in pairwise(self.pieces):
            assert before.high is not None
            if before.expression == after.expression and before.high != 0:
                continue
            place = constant(before.high)
            sides = [self.algebra.evaluate(piece.expression, place) for piece in (before, after)]
            sides += [self.at_zero] if before.high == 0 else []
            if any(side != sides[0] for side in sides):
                return False
        return True

    @cached_property
    def is_nonzero_at_0(self) -> bool:
        """Whether ``s(0)`` is certainly not 0."""
        bits = 128
        while bits <= MAX_BITS:
            self.budget.spend(nodes(self.expression) * bits)
            with precision(bits):
                found = evaluate(self.expression, arb(0))
                if found > 0 or found < 0:
                    return True
            bits *= 2
        return False

    # ------------------------------------------------------------------------- identities

    @cached_property
    def polynomial(self) -> Powers | None:
        """The coefficients by power, none of them 0, if ``s`` is seen to be a polynomial (at 0, with the
        value that it has there)."""
        try:
            found = self.on_line([(Fraction(1), Fraction(1))])
            if plus(self.at_zero, scaled(found.get(0, {}), -1)):
                return None
        except Refusal:
            return None
        with precision(128):
            return found if all(value(c) > 0 or value(c) < 0 for c in found.values()) else None

    def on_line(self, terms: Sequence[tuple[Fraction, Fraction]]) -> Powers:
        """``sum_k u_k s(c_k t)`` as a polynomial in ``t``, for terms ``(u_k, c_k)``, ``c_k`` not 0.

        Raises :class:`Refusal` unless it is seen to be one, for all ``t`` but finitely many.
        """
        key = tuple(terms)
        if key not in self._known:
            found, other = (self._on_ray(side, terms) for side in (1, -1))
            if other != found:
                raise Refusal("a sum that is not one polynomial on its line")
            self._known[key] = found
        return self._known[key]

    def _on_ray(self, side: int, terms: Sequence[tuple[Fraction, Fraction]]) -> Powers:
        """The same for ``t > 0`` (``side = 1``) or ``t < 0``."""
        if self.pieces is None:
            raise Refusal("an identity of a function whose breakpoints are not found")
        ends = {end for piece in self.pieces for end in (piece.low, piece.high) if end}
        cuts = sorted({end / (side * c) for end in ends for _, c in terms if end * side * c > 0})
        self.budget.spend(1000 * (1 + len(cuts)) * len(terms) * nodes(self.expression))
        found: list[Powers] = []
        for low, high in pairwise([Fraction(0), *cuts, 2 * cuts[-1] + 1 if cuts else Fraction(1)]):
            total: Form = {}
            for u, c in terms:
                place = (low + high) / 2 * side * c
                piece = next(p for p in self.pieces if p.holds(place))
                total = plus(total, scaled(self.algebra.evaluate(piece.expression, line(side * c)), u))
            powers = powers_of_t(total)
            if powers is None:
                raise Refusal("a sum that is not seen to be a polynomial")
            found.append({k: scaled(form, side**k) for k, form in powers.items()})
        if any(other != found[0] for other in found):
            raise Refusal("a sum that is not one polynomial on its line")
        return found[0]


def _sign_at_0(guard: Any) -> int:
    if (exact := polynomial(guard)) is not None:
        return 0 if not exact else (exact[0] > 0) - (exact[0] < 0)
    with precision(256):
        found = evaluate(guard, arb(0))
    if found > 0 or found < 0 or found == 0:
        return 1 if found > 0 else -1 if found < 0 else 0
    raise Refusal("a comparison that cannot be told at 0")


def _uses(node: Any, heads: Sequence[str]) -> bool:
    return isinstance(node, list) and (node[0] in heads or any(_uses(part, heads) for part in node[1:]))
