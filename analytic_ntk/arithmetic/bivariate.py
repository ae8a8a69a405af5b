"""The normal and the bivariate normal distribution function in ball arithmetic.

``Phi(h) = P(Z <= h)`` and ``Phi2(h, k, r) = P(Z1 <= h, Z2 <= k)`` for a standard normal pair of
correlation ``r``; both extend to entire functions of complex ``h``, ``k``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from flint import acb, arb, ctx

from analytic_ntk.errors import NoClosedFormError, PrecisionError

Ball: TypeAlias = arb | acb


def phi_cdf(h: Ball) -> Ball:
    """``Phi(h) = erfc(-h / sqrt 2) / 2``."""
    return (-h / arb(2).sqrt()).erfc() / 2


def integrate(function: Callable[[acb], acb], lower: Ball, upper: Ball) -> acb:
    """``int_lower^upper`` of an integrand that is meromorphic (python callback errors are re-raised).

    ``acb.integral`` hides an exception of its callback behind ``SystemError``; here the original one
    comes out. The integrand must be built from meromorphic functions only: no analytic flag is passed.
    """
    caught: list[BaseException] = []

    def guarded(t: acb, _analytic: bool) -> acb:
        try:
            return function(t)
        except BaseException as error:
            caught.append(error)
            return acb("nan")

    value = acb.integral(guarded, acb(lower), acb(upper), eval_limit=200_000, depth_limit=50 * ctx.prec)
    if caught:
        raise caught[0]
    return value


def _plackett(h: Ball, k: Ball, r: arb) -> Ball:
    """``Phi(h) Phi(k) + (1/2 pi) int_0^{asin r} exp(-(h^2 + k^2 - 2 h k sin t) / (2 cos^2 t)) dt``."""
    square = h * h + k * k
    twice = 2 * h * k

    def integrand(t: acb) -> acb:
        cosine = t.cos()
        return (-(square - twice * t.sin()) / (2 * cosine * cosine)).exp()

    tail = integrate(integrand, arb(0), r.asin()) / (2 * arb.pi())
    value = phi_cdf(h) * phi_cdf(k) + tail
    return value.real if isinstance(h, arb) and isinstance(k, arb) else value


def _owen(h: arb, a: arb) -> arb:
    """Owen's ``T(h, a) = (1/2 pi) int_0^a exp(-h^2 (1 + t^2)/2) / (1 + t^2) dt`` for real ``|a| <= 1``."""
    half = -h * h / 2

    def integrand(t: acb) -> acb:
        s = 1 + t * t
        return (half * s).exp() / s

    return integrate(integrand, arb(0), a).real / (2 * arb.pi())


def _owen_any(h: arb, a: arb) -> arb:
    """Owen's T for any real ``a``: even in ``h``, odd in ``a``, and ``a -> 1/a`` beyond 1 to stay tame."""
    h = abs(h)
    if abs(a) <= 1 or not abs(a) > arb("0.5"):  # a ball across 1 is harmless either way
        return _owen(h, a)
    if a < 0:
        return -_owen_any(h, -a)
    low, high = phi_cdf(h), phi_cdf(a * h)
    return (low + high) / 2 - low * high - _owen(a * h, 1 / a)


def _edge(h: arb, z: arb) -> arb:
    """``-(1/2 pi) int_z^oo exp(-(h^2 + t^2)/2) h/(h^2 + t^2) dt``: the mass behind an edge.

    Behind as seen from the origin, and with the sign of ``-h``. The edge is the ray at distance ``|h|``
    that starts ``z`` beyond the foot of the perpendicular. With ``t = z + s`` the size
    ``exp(-(h^2 + z^2)/2)`` stands in front of an integral of moderate size: the value has as many certain
    bits as the precision, however small it is. Wants ``h^2 + z^2 > 0``.
    """
    if z < 0:  # the whole line hides Phi(-|h|)
        whole = phi_cdf(h) if h < 0 else -phi_cdf(-h) if h > 0 else arb("nan")
        return whole - _edge(h, -z)
    square = h * h + z * z
    unit = 1 / (1 + abs(z.mid()))
    depth = arb(2 * (ctx.prec + 8))
    end = (depth / ((z * z + depth).sqrt() + z)).mid()

    def integrand(t: acb) -> acb:
        s = unit * t
        return (-s * (s + 2 * z) / 2).exp() * (square / (h * h + (z + s) * (z + s)))

    found = unit * integrate(integrand, arb(0), end / unit).real
    rest = (-end * (end + 2 * z) / 2).exp() / (end + z)
    return -h * (-square / 2).exp() / (2 * arb.pi() * square) * (found + rest.union(arb(0)))


def _hidden(h: arb, k: arb, r: arb) -> arb | None:
    """``Phi2(h, k, r)`` of a quadrant that misses the origin (``h < 0`` or ``k < 0``), its corner far away.

    In coordinates that make the pair independent the quadrant is a wedge; the two edges, seen from the
    origin, give its mass, certain relative to its size. ``None`` where the other forms, which are quicker,
    lose less than half of the bits (size ``2^(-prec/2)``), or where ``|r|`` is not told from 1.
    """
    root = ((1 - r) * (1 + r)).sqrt()
    first, second = (r * h - k) / root, (r * k - h) / root
    far = 7 * ctx.prec // 10
    if not h * h + first * first > far or not k * k + second * second > far:
        return None
    value = _edge(h, first)
    return value + (value if h is k else _edge(k, second))


def phi2_cdf(h: Ball, k: Ball, r: arb) -> Ball:
    """``Phi2(h, k, r)``, an enclosure for real or complex ``h``, ``k`` and real ``|r| <= 1``.

    Real arguments whose quadrant lies far from the origin give a value certain relative to its size (to half
    of the bits at least), however small: it may meet a factor as large, as in ``E exp(u + v)`` over
    ``u, v < 0``. Other real ones use Owen's T where ``|r|`` is large (uniform as ``r -> +-1``), complex ones
    Plackett's integral. Raises :class:`PrecisionError` if the result is not finite,
    :class:`NoClosedFormError` for a complex correlation (``Phi(x) cos(x^2)``), where a branch would have to
    be chosen.
    """
    if isinstance(r, acb):
        if r.imag != 0:
            raise NoClosedFormError(f"Phi2 at the correlation {r.str(5)}", "a real correlation")
        r = r.real
    zero_h = h == 0
    zero_k = k == 0
    if zero_h and zero_k:
        # asin(r) through atan2, finite for a ball that touches +-1
        root = (1 - r * r).nonnegative_part().sqrt()
        return arb(1) / 4 + arb.atan2(r, root) / (2 * arb.pi())
    real = isinstance(h, arb) and isinstance(k, arb)
    if r == 0:
        return phi_cdf(h) * phi_cdf(k)
    if r == 1 and real:
        return phi_cdf(h.min(k))
    if r == -1 and real:
        low, high = (k, h) if h > k else (h, k)  # the difference of the smaller pair loses least
        return (phi_cdf(low) - phi_cdf(-high)).max(arb(0)) if not h + k == 0 else arb(0)
    if real and (h < 0 or k < 0):
        hidden = _hidden(h, k, r)
        if hidden is not None and hidden.is_finite():
            return hidden
    if real and (zero_h or zero_k):
        other = k if zero_h else h
        value = phi_cdf(other) / 2 + _owen_any(other, r / ((1 - r) * (1 + r)).sqrt())
        if value.is_finite():
            return value
    if real and (h is k or abs(r) > arb("0.7")) and (h > 0 or h < 0) and (k > 0 or k < 0):
        root = ((1 - r) * (1 + r)).sqrt()
        a_h = (k - r * h) / (h * root)
        a_k = (h - r * k) / (k * root)
        if a_h.is_finite() and a_k.is_finite():
            same = (h > 0 and k > 0) or (h < 0 and k < 0)
            first = _owen_any(h, a_h)
            value = (phi_cdf(h) + phi_cdf(k)) / 2 - first - (first if h is k else _owen_any(k, a_k))
            value = value if same else value - arb(1) / 2
            if value.is_finite():
                return value
    value = _plackett(h, k, r)
    if not value.is_finite():
        raise PrecisionError(
            f"Phi2({h.str(5)}, {k.str(5)}, {r.str(5)})", "a finite enclosure", "raise the working precision"
        )
    return value
