"""``decay_law``: how fast ``|a_n|`` falls, predicted from the expression alone.

``a_n = E f(sqrt(q) Z) h_n(Z)``. What decides is the strongest singularity: a jump of a derivative on the real
line, else the complex singularity nearest to it, else (entire functions) the Gaussian factors. The even and
the odd half of ``f`` are treated apart, since they may differ: the odd half of ``silu`` is ``x/2``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import sympy as sp

from analytic_ntk import exact
from analytic_ntk.display import Typeset, typeset
from analytic_ntk.errors import DomainError, UndecidedError
from analytic_ntk.gaussian import envelope
from analytic_ntk.gaussian.halves import halves
from analytic_ntk.gaussian.pieces import Pieces
from analytic_ntk.hermite.decay import entire, jumps, poles
from analytic_ntk.hermite.decay.parity import polynomial_degree
from analytic_ntk.hermite.decay.parity_law import MAX_LOG, ParityLaw
from analytic_ntk.hermite.decay.places import singular_places

__all__ = ["DecayLaw", "decay_law"]


@dataclass(frozen=True)
class DecayLaw(Typeset):
    """A predicted asymptotic law of ``|a_n|``: never a bound, never certified, silent on where it sets in.

    ``even`` and ``odd`` are the laws of the two parities of ``n``; the other fields are those of the slower.
    """

    variance: sp.Expr
    even: ParityLaw
    odd: ParityLaw

    @property
    def leading(self) -> ParityLaw:
        """The law of the parity whose coefficients fall more slowly."""
        return self.odd if self.odd.falls_slower_than(self.even) else self.even

    @property
    def kind(self) -> str:
        """One of ``parity_law.KINDS``: algebraic, root-exponential, geometric, factorial, finite, ..."""
        return self.leading.kind

    @property
    def exponent(self) -> sp.Rational | None:
        """The power of ``n``."""
        return self.leading.exponent

    @property
    def rate(self) -> sp.Expr | None:
        """``c`` in ``exp(-c sqrt n)``."""
        return self.leading.rate

    @property
    def ratio(self) -> sp.Expr | None:
        """``r`` in ``r^n``."""
        return self.leading.ratio

    @property
    def constant(self) -> float | None:
        """The factor in front (float64 of a formula, not fitted); ``None`` where it is not known."""
        return self.leading.constant

    @property
    def log_constant(self) -> float | None:
        """Logarithm of the constant, where float64 cannot hold it itself."""
        return self.leading.log_constant

    @property
    def source(self) -> str:
        """What the law comes from, and where it sits."""
        return self.leading.source

    @property
    def sentence(self) -> str:
        """The prediction in words."""
        if self.even.formula == self.odd.formula:
            return self.even.sentence
        return f"n even: {self.even.sentence}; n odd: {self.odd.sentence}"

    def __str__(self) -> str:
        return self.sentence

    def latex(self) -> str:
        """In LaTeX, constants to five digits; both parities where their laws differ."""
        even, odd = self.even.latex(), self.odd.latex()
        if even == odd:
            return even
        return rf"\begin{{cases}} {even} & n \text{{ even}} \\ {odd} & n \text{{ odd}} \end{{cases}}"

    def _repr_latex_(self) -> str | None:
        return typeset(rf"{self.latex()} \quad \text{{(predicted, not proved)}}")

    def of(self, n: int) -> ParityLaw:
        """The law for order ``n``; raises :class:`DomainError` unless ``n`` is an integer >= 0."""
        if isinstance(n, bool) or not isinstance(n, int) or n < 0:
            raise DomainError(f"n = {n!r}", "an integer >= 0")
        return self.odd if n % 2 else self.even

    def log_envelope(self, n: int) -> float:
        """``log`` of the predicted magnitude, the oscillating factor at its maximum; ``-inf`` for zero.

        Raises :class:`DomainError` where the constant is unknown and below the order ``start`` of the law.
        """
        return self.of(n).log_envelope(n)

    def envelope(self, n: int) -> float:
        """The predicted magnitude in float64 (0 where it is smaller than any float64)."""
        return _exp(self.log_envelope(n))

    def sign_and_log(self, n: int) -> tuple[int, float]:
        """The predicted coefficient with its oscillation, as a sign and a logarithm."""
        return self.of(n).sign_and_log(n)

    def predicted(self, n: int) -> float:
        """The predicted coefficient, oscillation and sign included (0 where below the smallest float64)."""
        sign, size = self.sign_and_log(n)
        return sign * _exp(size)


def _exp(logarithm: float) -> float:
    if logarithm > MAX_LOG:
        raise DomainError(
            f"exp({logarithm:.6g})", "a value that float64 can hold", "use the variant in logarithms"
        )
    return math.exp(logarithm)


def decay_law(pieces: Pieces, variance: exact.ExactNumber = sp.S.One) -> DecayLaw:
    """The predicted law of ``|a_n|`` for ``f`` cut in pieces, at an exact variance ``q > 0``.

    * jump ``J`` of ``f^(j)`` at ``alpha``: ``J q^(j/2) phi(alpha/sqrt q) He_(n-j-1)(alpha/sqrt q)/sqrt(n!)``,
      of size ``n^(-j/2-3/4)``; breakpoints of equal order add up;
    * complex singularity ``(x - x0)^mu``: ``n^(-mu/2-3/4) exp(-c sqrt n)``, ``c = Im x0/sqrt q``, with the
      constant of Watson's lemma;
    * entire functions of the canonical class: ``r^n``, ``r = sqrt|2 a q/(1 - 2 a q)|`` for ``exp(a x^2)``.

    A prediction: asymptotic, from the leading singularities alone. Raises :class:`DomainError` for free
    parameters, a variance that is not a positive exact number, or one at which ``E f^2`` is infinite.
    Sources: Szego, Orthogonal Polynomials, 8.22; Boyd, J. Comput. Phys. 54 (1984) 382 (the strip law).

    >>> from analytic_ntk.notation import x
    >>> decay_law(Pieces.of(sp.tanh(x))).rate, decay_law(Pieces.of(sp.Max(x, 0))).exponent
    (pi/2, -5/4)
    >>> print(decay_law(Pieces.of(sp.erf(x))))
    n even: zero; n odd: |a_n| about 0.71271 n^(-3/4) (sqrt(6)/3)^n, from terms in exp(-x**2)
    """
    if not isinstance(pieces, Pieces):
        raise DomainError(
            f"{type(pieces).__name__}", "Pieces", "use Pieces.of(expression), or activation.pieces"
        )
    if pieces.free_symbols:
        names = ", ".join(sorted(str(s) for s in pieces.free_symbols))
        raise DomainError(f"free parameters {names}", "numbers for all parameters", "substitute them first")
    q = _variance(pieces, variance)
    return DecayLaw(q, _of_parity(pieces, q, False), _of_parity(pieces, q, True))


def _variance(pieces: Pieces, variance: exact.ExactNumber) -> sp.Expr:
    q = exact.variance(variance, "variance")
    if not (q.is_number and q.is_positive):
        raise DomainError(f"variance = {q}", "an exact number > 0")
    safe = envelope.safe_variance(pieces)
    if safe is not sp.oo and not (safe - q).is_positive:
        limit = envelope.max_variance(pieces)
        if not (limit - q).is_positive:
            raise DomainError(f"variance = {q}: E f^2 is infinite", f"a variance below {limit}")
    return q


def _of_parity(pieces: Pieces, q: sp.Expr, odd: bool) -> ParityLaw:
    try:
        part = halves(pieces)[odd].expression
        if part is None:
            return jumps.law(pieces, q, odd)
        degree = polynomial_degree(part)
        if degree is not None:
            return ParityLaw.finite(odd, degree)
        found = singular_places(part)
        if found:
            return poles.law(part, found, q, odd)
        return entire.law(part, q, odd)
    except UndecidedError as error:
        return ParityLaw.unknown(odd, str(error.given))
