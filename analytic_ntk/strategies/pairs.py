"""Random covariances of two inputs, in strata: the places where kernels go wrong are drawn on purpose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from analytic_ntk.errors import DomainError


@dataclass(frozen=True)
class Covariance:
    """``<x,x>/d``, ``<x,y>/d``, ``<y,y>/d``: exact, with ``xy^2 <= xx yy`` and rational ``sqrt(xx yy)``."""

    xx: Fraction
    xy: Fraction
    yy: Fraction


class Stratum(Enum):
    """Where a pair of inputs lies."""

    GENERIC = "generic"
    EQUAL_NORMS = "equal norms"
    DUPLICATE = "duplicate"
    NEAR_DUPLICATE = "near duplicate"
    ANTIPODAL = "antipodal"
    ORTHOGONAL = "orthogonal"
    ZERO = "zero"
    HUGE = "huge"
    TINY = "tiny"


_NORMS = tuple(Fraction(n) for n in ("1", "1/2", "2", "3/2", "2/3", "3", "1/4"))
_CORRELATIONS = tuple(Fraction(r) for r in ("1/2", "-1/2", "1/3", "-3/5", "9/10", "1/10", "-4/5", "-1/7"))
_DEFECTS = tuple(Fraction(1, 10**k) for k in (15, 12, 8, 4))
_HUGE = tuple(Fraction(10**k) for k in (2, 3, 4))
"""Norms, not variances: the largest variance is 1e8, the least 1e-8."""


def covariances(
    strata: Sequence[Stratum] = tuple(Stratum), max_variance: Fraction | None = None
) -> SearchStrategy[Covariance]:
    """Covariances from the strata named, each as likely as the others.

    ``NEAR_DUPLICATE``: ``1 - |rho|`` from 1e-4 down to 1e-15, near antipodes included; ``HUGE`` and ``TINY``:
    norms up to 1e4 and down to 1e-4, one or both. With ``max_variance`` norms are scaled down until
    both variances are below it. A generic pair shrinks to unit variances and ``rho = 1/2``.

    Raises :class:`DomainError` for no stratum and for a bound that is not positive.
    """
    chosen = tuple(strata)
    if not chosen or not all(isinstance(s, Stratum) for s in chosen):
        raise DomainError(f"strata = {strata!r}", "one Stratum at least")
    if max_variance is not None and not max_variance > 0:
        raise DomainError(f"max_variance = {max_variance}", "a number > 0")
    drawn = st.one_of(*(_OF[stratum] for stratum in chosen))
    return drawn if max_variance is None else drawn.map(lambda c: _below(c, Fraction(max_variance)))


def _from_norms(first: Fraction, second: Fraction, rho: Fraction) -> Covariance:
    return Covariance(first * first, rho * first * second, second * second)


def _below(c: Covariance, bound: Fraction) -> Covariance:
    """Scaled by a power of 4 (norms stay rational) until both variances are below the bound."""
    scale = Fraction(1)
    while max(c.xx, c.yy) * scale >= bound:
        scale /= 4
    return Covariance(c.xx * scale, c.xy * scale, c.yy * scale)


_norm, _correlation = st.sampled_from(_NORMS), st.sampled_from(_CORRELATIONS)
_large = st.sampled_from(_HUGE)
_sign = st.sampled_from((1, -1))
_zero = st.just(Fraction(0))
_OF: dict[Stratum, SearchStrategy[Covariance]] = {
    Stratum.GENERIC: st.builds(_from_norms, _norm, _norm, _correlation),
    Stratum.EQUAL_NORMS: st.builds(lambda a, r: _from_norms(a, a, r), _norm, _correlation),
    Stratum.DUPLICATE: _norm.map(lambda a: _from_norms(a, a, Fraction(1))),
    Stratum.NEAR_DUPLICATE: st.builds(
        lambda a, defect, sign: _from_norms(a, a, sign * (1 - defect)),
        _norm,
        st.sampled_from(_DEFECTS),
        _sign,
    ),
    Stratum.ANTIPODAL: st.builds(_from_norms, _norm, _norm, st.just(Fraction(-1))),
    Stratum.ORTHOGONAL: st.builds(_from_norms, _norm, _norm, _zero),
    Stratum.ZERO: st.one_of(
        st.builds(_from_norms, _zero, _norm, _zero), st.builds(_from_norms, _zero, _zero, _zero)
    ),
    Stratum.HUGE: st.one_of(
        st.builds(lambda a, r: _from_norms(a, a, r), _large, _correlation),
        st.builds(_from_norms, _large, _norm, _correlation),
    ),
    Stratum.TINY: st.one_of(
        st.builds(lambda a, r: _from_norms(1 / a, 1 / a, r), _large, _correlation),
        st.builds(lambda a, b, r: _from_norms(1 / a, b, r), _large, _norm, _correlation),
    ),
}  # fmt: skip
