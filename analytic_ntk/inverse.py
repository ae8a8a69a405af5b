"""The inverse problem: an activation that has a given kernel.

For inputs with ``<x, x>/d = 1`` and one hidden layer without bias, ``phi = sum_k s_k sqrt(b_k) h_k`` with
any signs ``s_k`` has the NNGP kernel ``sum b_k rho^k``, and ``phi = sum_k s_k sqrt(b_k/(1 + k)) h_k`` the
NTK; ``h_k = He_k/sqrt(k!)``, ``b_k >= 0`` (Simon, Anand, DeWeese, "Reverse engineering the neural tangent
kernel", 2022). So the kernel of a deep network is that of a shallow one. A finite series is answered
exactly, by a polynomial; of an infinite one the head is taken, with a bound of what is dropped.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from typing import Literal

import sympy as sp

from analytic_ntk.activation import Activation, constant
from analytic_ntk.arithmetic.interpret import exact_ball
from analytic_ntk.arithmetic.precision import bits_for, working_precision
from analytic_ntk.display import Shown
from analytic_ntk.enclosure import Enclosure
from analytic_ntk.errors import DomainError, UndecidedError
from analytic_ntk.exact import ExactNumber
from analytic_ntk.gaussian.identities import vanishes
from analytic_ntk.notation import x
from analytic_ntk.series import KernelSeries

Kernel = Literal["nngp", "ntk"]
Signs = Literal["plus", "alternating"] | Sequence[int]
MAX_DEGREE = 100
"""Up to this degree the series of the polynomial found is exact again."""
_SIGN_BITS = 400


def activation_for(
    kernel_coefficients: Sequence[ExactNumber],
    of: Kernel,
    signs: Signs = "plus",
    weight_variance: ExactNumber = 1,
    bias_variance: ExactNumber = 0,
) -> Activation:
    """The polynomial whose network ``Network.mlp(phi, 1, weight_variance, bias_variance)`` has exactly the
    kernel ``sum b_k rho^k`` (its NNGP or its NTK) at inputs with ``<x, x>/d = 1``.

    ``kernel_coefficients`` are exact numbers ``b_0, b_1, .. >= 0``; ``signs`` is ``"plus"``,
    ``"alternating"`` (``+ - + -`` along the coefficients that are not 0) or a sequence of ``1`` and ``-1``,
    one per coefficient. With weight variance ``w``, bias variance ``b`` and ``t = (w rho + b)/(w + b)`` the
    kernel must be ``b + sum_k c_k t^k`` with ``c_k >= 0``; the Hermite coefficients, at variance ``w + b``,
    are ``sqrt(c_k/w)`` (NNGP), ``sqrt(c_k/(w (1 + k)))`` (NTK).

    Raises :class:`DomainError` for floats, for enclosures (see :func:`approximate_activation`), for no
    coefficients and for a negative one, saying which; :class:`UndecidedError` where a sign cannot be
    decided.

    >>> from analytic_ntk import Network
    >>> from analytic_ntk.inverse import activation_for
    >>> phi = activation_for([0, 1, "1/2"], of="nngp")
    >>> phi
    Activation('x**2/2 + x - 1/2')
    >>> Network.mlp(phi, 1, 1, 0).series(2).nngp
    (0, 1, 1/2)
    """
    squares, variance = _hermite_squares(kernel_coefficients, of, weight_variance, bias_variance)
    return _activation(squares, _chosen(signs, squares), variance)


def activations_for(
    kernel_coefficients: Sequence[ExactNumber],
    of: Kernel,
    weight_variance: ExactNumber = 1,
    bias_variance: ExactNumber = 0,
) -> Iterator[Activation]:
    """All activations of :func:`activation_for`, one by one: ``2^m`` of them for ``m`` coefficients that are
    not 0.

    They are distinct, and among polynomials there are no others with this kernel. Raises as
    :func:`activation_for`, at once.

    >>> from analytic_ntk.inverse import activations_for
    >>> [str(phi) for phi in activations_for([0, 1, "1/2"], of="nngp")]
    ['x**2/2 + x - 1/2', '-x**2/2 + x + 1/2', 'x**2/2 - x - 1/2', '-x**2/2 - x + 1/2']
    """
    squares, variance = _hermite_squares(kernel_coefficients, of, weight_variance, bias_variance)
    choices = product(*((1, -1) if square != 0 else (1,) for square in squares))
    return (_activation(squares, choice, variance) for choice in choices)


@dataclass(frozen=True)
class Approximation(Shown):
    """An activation whose kernel is ``sum b_k rho^k`` exactly, with ``b`` the ``coefficients``, and a
    certified
    bound, for all ``-1 <= rho <= 1``, of its distance to the kernel that was asked for."""

    activation: Activation
    coefficients: tuple[sp.Expr, ...]
    error: Fraction


def approximate_activation(
    series: KernelSeries, kernel: Kernel, of: Kernel, signs: Signs = "plus"
) -> Approximation:
    """A shallow network (``Network.mlp(phi, 1, 1, 0)``) for the kernel of any network, from its power series.

    ``kernel`` says which kernel of ``series`` is wanted, ``of`` which kernel of the new network shall equal
    it. Exact coefficients stay. One known as an enclosure is replaced by a rational close to its midpoint,
    chosen so that the activation's Hermite series has rational coefficients; ``error`` bounds the sum of all
    that differs and of the tail dropped. Raises :class:`DomainError` for what is not a series.

    >>> from analytic_ntk import Network, activations
    >>> from analytic_ntk.inverse import approximate_activation
    >>> deep = Network.mlp(activations.sin, depth=2, weight_variance=1, bias_variance=0)
    >>> found = approximate_activation(deep.series(9), kernel="ntk", of="ntk")
    >>> float(found.error) < 1e-3
    True
    """
    if not isinstance(series, KernelSeries):
        raise DomainError(f"{series!r}"[:80], "a power series", "use network.series(order)")
    _require_kernel(kernel, "kernel")
    _require_kernel(of, "of")
    coefficients: list[sp.Expr] = []
    error = series.tail(kernel)
    for k, value in enumerate(series.nngp if kernel == "nngp" else series.ntk):
        if isinstance(value, Enclosure):
            factor = math.factorial(k) * (k + 1 if of == "ntk" else 1)
            near = _square_near(max(value.midpoint, Fraction(0)) / factor, bits_for(series.digits)) * factor
            if value.upper < 0:
                raise DomainError(f"the coefficient {value} of rho^{k}", "coefficients >= 0")
            error += max(abs(value.upper - near), abs(near - max(value.lower, Fraction(0))))
            coefficients.append(sp.Rational(near.numerator, near.denominator))
        else:
            coefficients.append(value)
    return Approximation(activation_for(coefficients, of, signs), tuple(coefficients), error)


def _square_near(value: Fraction, bits: int) -> Fraction:
    """The square of a dyadic rational, equal to ``value`` to about ``bits`` relative bits."""
    shift = bits + max(0, value.denominator.bit_length() - value.numerator.bit_length()) // 2
    root = Fraction(math.isqrt((value.numerator << 2 * shift) // value.denominator), 1 << shift)
    return root * root


# ------------------------------------------------------------------------------------ details


def _require_kernel(value: str, name: str) -> None:
    if value not in ("nngp", "ntk"):
        raise DomainError(f"{name} = {value!r}", '"nngp" or "ntk"')


def _hermite_squares(
    kernel_coefficients: Sequence[ExactNumber], of: Kernel, weight: ExactNumber, bias: ExactNumber
) -> tuple[list[sp.Expr], sp.Expr]:
    """Squares of the Hermite coefficients, and the variance they belong to."""
    _require_kernel(of, "of")
    w, b = constant(weight, "weight_variance"), constant(bias, "bias_variance")
    if _sign(w, "weight_variance") <= 0:
        raise DomainError(f"weight_variance = {w}", "a variance > 0")
    if _sign(b, "bias_variance") < 0:
        raise DomainError(f"bias_variance = {b}", "a variance >= 0")
    given = _coefficients(kernel_coefficients)
    shown = "the kernel's coefficient of rho^{}"
    if b != 0:
        t = sp.Symbol("t")
        rest = sp.Poly(given[::-1], t).compose(sp.Poly([(w + b) / w, -b / w], t)) - sp.Poly(b, t)
        given = [sp.expand(rest.nth(k)) for k in range(len(given))]
        shown = f"the coefficient of ((w rho + b)/(w + b))^{{}} in kernel - b, w = {w}, b = {b},"
    signs = [_sign(value, shown.format(k)) for k, value in enumerate(given)]
    for k, sign in enumerate(signs):
        if sign < 0:
            raise DomainError(
                f"{shown.format(k)} {given[k]}",
                "coefficients >= 0: others belong to no network of this kind",
                "a kernel of a wide network has a power series without negative coefficients",
            )
    shares = [w * (1 + k if of == "ntk" else 1) for k in range(len(given))]
    return [v / c if sign else sp.S.Zero for v, c, sign in zip(given, shares, signs, strict=True)], w + b


def _coefficients(values: Sequence[ExactNumber]) -> list[sp.Expr]:
    remedy = "give exact numbers; for a series use approximate_activation(network.series(order), ..)"
    if isinstance(values, (str, bytes)) or not isinstance(values, Sequence):
        raise DomainError(f"kernel_coefficients = {values!r}"[:100], "a sequence of exact numbers", remedy)
    if not 1 <= len(values) <= MAX_DEGREE + 1:
        raise DomainError(f"{len(values)} kernel coefficients", f"1 to {MAX_DEGREE + 1} of them")
    for k, value in enumerate(values):
        if isinstance(value, Enclosure):
            raise DomainError(f"the enclosure {value} as coefficient {k}", "exact numbers", remedy)
    return [constant(value, f"kernel coefficient {k}") for k, value in enumerate(values)]


def _sign(number: sp.Expr, name: str) -> int:
    """Of an exact number; proved."""
    if number.is_zero:
        return 0
    with working_precision(_SIGN_BITS):
        ball = exact_ball(number).real
        if ball > 0:
            return 1
        if ball < 0:
            return -1
    if vanishes(number):
        return 0
    raise UndecidedError(
        f"the sign of {name} = {number}"[:200], "a decision", "write the number in simpler form"
    )


def _chosen(signs: str | Sequence[int], squares: Sequence[sp.Expr]) -> Sequence[int]:
    if isinstance(signs, str) and signs == "plus":
        return [1] * len(squares)
    if isinstance(signs, str) and signs == "alternating":
        chosen, now = [], 1
        for square in squares:
            chosen.append(now)
            now = -now if square != 0 else now
        return chosen
    required = f'"plus", "alternating" or {len(squares)} signs, each 1 or -1'
    if isinstance(signs, str) or not isinstance(signs, Sequence):
        raise DomainError(f"signs = {signs!r}"[:100], required, "for all of them use activations_for")
    if len(signs) != len(squares) or any(isinstance(s, (bool, float)) or s not in (1, -1) for s in signs):
        raise DomainError(f"signs = {signs!r}"[:100], required)
    return [int(sign) for sign in signs]


def _activation(squares: Sequence[sp.Expr], signs: Sequence[int], variance: sp.Expr) -> Activation:
    """``sum_k signs_k sqrt(squares_k) h_k(x/sqrt(variance))``, by powers of ``x``."""
    root = sp.sqrt(variance)
    powers: list[list[sp.Expr]] = [[] for _ in squares]
    before, now = [0], [1]  # He_k by rising powers: He_{k+1} = x He_k - k He_{k-1}
    for k, square in enumerate(squares):
        if square != 0:
            weight = signs[k] * sp.sqrt(square / sp.factorial(k))
            for j, c in enumerate(now):
                powers[j].append(c * weight)
        shifted = [0, *now]
        for j, c in enumerate(before if k else []):
            shifted[j] -= k * c
        before, now = now, shifted
    terms = (sp.expand(sp.Add(*parts)) / root**j * x**j for j, parts in enumerate(powers))
    return Activation(sp.Add(*terms))
