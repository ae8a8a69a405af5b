"""What decides positivity about an activation: its even and odd part on the half-line.

On ``t > 0`` write ``s(t) = e(t) + o(t)``, ``s(-t) = e(t) - o(t)``. Each of ``e`` and ``o`` either is a
polynomial there, or it is *wild*: proved not to be one. For a wild ``f`` no combination
``sum_k a_k f(c_k t)`` with distinct ``c_k > 0`` and some ``a_k != 0`` is a polynomial on ``t > 0``: at the
outermost breakpoint the term of the least ``c_k`` stands alone; without breakpoints ``f`` has infinitely
many Taylor coefficients at 0 and those of high order are governed by the largest ``c_k``. So the two parts
carry every identity there is: ``s(t) - s(-t) = c t``, ``s(t) + s(-t) = c``, ``s(ct) = k s(t)``, ...
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import sympy as sp

from analytic_ntk.activation import Activation
from analytic_ntk.display import Shown
from analytic_ntk.errors import UndecidedError
from analytic_ntk.gaussian.halves import Half, halves
from analytic_ntk.gaussian.identities import Powers, is_not_smooth, is_zero, polynomial_powers
from analytic_ntk.gaussian.pieces import Pieces
from analytic_ntk.notation import x


@dataclass(frozen=True)
class Profile(Shown):
    """``even`` and ``odd``: the nonzero coefficients by power on ``t > 0``, or ``None`` for a wild part.

    ``at_zero`` is ``s(0)`` (at a jump, the mean of the two sides).
    """

    even: Powers | None
    odd: Powers | None
    at_zero: sp.Expr

    @property
    def polynomial(self) -> frozenset[int] | None:
        """The powers with nonzero coefficient, if ``s`` is a polynomial on the whole line."""
        if self.even is None or self.odd is None:
            return None
        if any(k % 2 for k in self.even) or any(k % 2 == 0 for k in self.odd):
            return None
        return frozenset(self.even) | frozenset(self.odd)

    @property
    def constant(self) -> bool:
        return self.polynomial is not None and self.polynomial <= {0}

    def scales(self, ratio: sp.Expr) -> sp.Expr | None:
        """``k`` with ``s(ratio t) = k s(t)`` for almost all ``t``, if there is one; ``ratio`` not 0."""
        factors: set[sp.Expr] = set()
        for part, sign in ((self.even, 1), (self.odd, 1 if ratio > 0 else -1)):
            if part is None:
                if abs(ratio) != 1:
                    return None
                factors.add(sp.Integer(sign))
            else:
                factors |= {sign * abs(ratio) ** power for power in part}
        if len(factors) > 1:
            return None
        return factors.pop() if factors else sp.S.One

    def identities(self) -> tuple[str, ...]:
        """The identities found, in words."""
        found = []
        if self.polynomial is not None:
            found.append(f"s is a polynomial with powers {sorted(self.polynomial)}")
            return tuple(found)
        for part, left in ((self.odd, "s(t) - s(-t)"), (self.even, "s(t) + s(-t)")):
            if part is not None:
                right = sp.Add(*(2 * c * sp.Symbol("t") ** k for k, c in sorted(part.items())))
                found.append(f"{left} = {right} for t > 0")
            else:
                found.append(f"{left} is not a polynomial on t > 0")
        powers = {k for part in (self.even, self.odd) if part is not None for k in part}
        if self.even is not None and self.odd is not None and len(powers) == 1:
            found.append(f"s(ct) = c^{powers.pop()} s(t) for c > 0")
        return tuple(found)


@lru_cache(maxsize=64)
def profile(activation: Activation) -> Profile:
    """Derived from the expression. Raises :class:`UndecidedError` where a part cannot be classified.

    >>> profile(Activation.parse("Max(x, 0)")).identities()
    ('s(t) - s(-t) = t for t > 0', 's(t) + s(-t) = t for t > 0', 's(ct) = c^1 s(t) for c > 0')
    >>> profile(Activation.parse("log(1 + exp(x))")).identities()
    ('s(t) - s(-t) = t for t > 0', 's(t) + s(-t) is not a polynomial on t > 0')
    """
    activation.require_numeric()
    even, odd = halves(activation.pieces)
    at_zero = sp.simplify(even.pieces.parts[0].subs(x, 0))
    return Profile(
        _powers(even, activation), _powers(odd, activation), sp.S.Zero if is_zero(at_zero) else at_zero
    )


def _powers(half: Half, activation: Activation) -> Powers | None:
    """The coefficients of a polynomial on ``t > 0``, or ``None`` for a part proved wild."""
    pieces = half.pieces
    for point, (before, after) in zip(pieces.breakpoints, pairwise(pieces.parts), strict=True):
        if not is_not_smooth(Pieces((point,), (before, after))):
            raise UndecidedError(
                f"whether {activation} is analytic at {point}", "a decision", "simplify its pieces"
            )
    if len(pieces.parts) > 1:
        return None
    return polynomial_powers(pieces.parts[0], sides=(1,))
