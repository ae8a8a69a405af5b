"""Which harmonics a Taylor kernel can learn from ``n`` samples, from its spectrum.

Kernel regression without ridge learns the share ``L_k = lambda_k/(lambda_k + kappa)`` of degree ``k``, where
``n = sum N_k L_k + tail/kappa`` (:mod:`analytic_ntk.learning_curve`). The NTK of most activations has
``lambda_k`` of order ``dim^-k``, so degree ``k`` needs ``n`` of order ``dim^k``; the QuadNTK has
``lambda_1`` of order ``dim^-2`` only: the dense part costs it as much as the next degree. The spectrum is
certified and the orders in ``dim`` are exact (:func:`exponents`), the learning law is **predicted** (an
equivalent for large ``n``).
"""

from __future__ import annotations

import math

import numpy as np
import sympy as sp
from numpy.typing import ArrayLike, NDArray

from analytic_ntk.activation import Activation
from analytic_ntk.enclosure import Enclosure
from analytic_ntk.errors import DomainError, UndecidedError
from analytic_ntk.layers.units import require_count
from analytic_ntk.learning_curve import Modes, learning_curve
from analytic_ntk.spectrum import SphereSpectrum
from analytic_ntk.theory.taylor import kernel, power_series, sphere
from analytic_ntk.theory.taylor.series import structure

FloatArray = NDArray[np.float64]
BEYOND = 2
"""Degrees kept beyond those asked for."""


def exponents(activation: Activation, order: int, degree: int) -> tuple[int | None, ...]:
    """``e_0 .. e_degree`` with ``lambda_k`` exactly of order ``dim^(-e_k)``, None where ``lambda_k = 0``.

    With ``c_i = i (i-1) .. (i-order+1) a_i^2`` and ``i`` the least power of the parity of ``k``, at least
    ``k``, whose ``c_i`` is not 0,

        e_k = (i + k)/2,     dim^(e_k) lambda_k -> c_i i!/(2^h h!),   h = (i - k)/2      (dim -> oo),

    since ``m(i, k, dim)`` is ``i!/(2^h h!)`` over ``dim (dim + 2) .. (dim + i + k - 2)``: falling in ``i``.
    So ``n lambda_k`` is of order 1 at ``n ~ dim^(e_k)``: from ``n ~ dim^p`` samples the kernel can learn the
    degrees with ``e_k <= p``. Exact: which coefficients vanish is proved, that the others do not is certified
    (:class:`UndecidedError` where neither is).

    >>> from analytic_ntk import Activation, activations
    >>> phi = Activation.parse("sigmoid(x - 1)")
    >>> exponents(phi, 1, 3), exponents(phi, 2, 3), exponents(activations.sin, 2, 3)
    ((1, 1, 2, 3), (1, 2, 2, 3), (None, 2, None, 3))
    """
    require_count(degree, "degree", 0)
    found = kernel(activation, order)
    shape, last = structure(found), degree + order + LOOKED_AT
    coefficients = power_series(found, last, digits=15).coefficients
    answer: list[int | None] = []
    for k in range(degree + 1):
        power = next((i for i in range(k, last + 1, 2) if _present(coefficients[i])), None)
        if power is None and not shape.vanishes(k):
            raise UndecidedError(
                f"no power up to {last} feeds degree {k}",
                "a coefficient certainly not 0",
                "take a lower degree",
            )
        if power is not None:
            doubtful = [i for i in range(k, power, 2) if isinstance(coefficients[i], Enclosure)]
            if doubtful:
                raise UndecidedError(
                    f"the coefficient of rho^{doubtful[0]} could not be told from 0", "certainly 0, or not 0"
                )
        answer.append(None if power is None else (power + k) // 2)
    return tuple(answer)


LOOKED_AT = 40
"""Powers beyond ``degree + order`` among which one that is not 0 is looked for."""


def _present(coefficient: sp.Expr | Enclosure) -> bool:
    if isinstance(coefficient, Enclosure):
        return coefficient.lower > 0
    return bool(coefficient != 0)


def learnable(activation: Activation, order: int, dim: int, samples: ArrayLike, degree: int) -> FloatArray:
    """``L_0 .. L_degree`` of the Taylor kernel of order 1 (NTK) or 2 (QuadNTK), ``(sizes, degree + 1)``.

    Predicted. Raises :class:`DomainError` where the activation lacks the derivatives.

    >>> from analytic_ntk import Activation
    >>> phi = Activation.parse("sigmoid(x - 1)")
    >>> learnable(phi, 1, 30, [300], 2).round(2).tolist(), learnable(phi, 2, 30, [300], 2).round(2).tolist()
    ([[0.91, 0.99, 0.38]], [[0.87, 0.21, 0.3]])
    """
    found = _spectrum(activation, order, dim, degree)
    power = np.zeros(degree + 1 + BEYOND)
    curve = learning_curve(found, power, samples, noise_variance=0, ridge=0)
    return curve.learnability[:, : degree + 1]


def samples_needed(activation: Activation, order: int, dim: int, degree: int, share: float = 0.5) -> float:
    """The predicted number of samples from which the kernel learns ``share`` of a degree; infinite where its
    eigenvalue is 0.

    ``kappa = lambda_k (1 - share)/share`` puts ``L_k`` at the share, and ``n`` is a sum over the spectrum.
    """
    if isinstance(share, bool) or not isinstance(share, float) or not 0 < share < 1:
        raise DomainError(f"share = {share!r}"[:80], "a float strictly between 0 and 1")
    modes = Modes.of(_spectrum(activation, order, dim, degree))
    value = float(modes.eigenvalues[degree])
    if value == 0:
        return math.inf
    kappa = value * (1 - share) / share
    learned = modes.eigenvalues / (modes.eigenvalues + kappa)
    return float(np.sum(modes.counts * learned) + modes.tail / kappa)


def complexity_slope(activation: Activation, order: int, dim: int, degree: int) -> float:
    """The exponent of ``samples_needed`` in the dimension, between ``dim`` and ``2 dim``.

    >>> from analytic_ntk import Activation
    >>> phi = Activation.parse("sigmoid(x - 1)")
    >>> [round(complexity_slope(phi, order, 400, 1), 1) for order in (1, 2)]
    [1.0, 2.0]
    """
    low, high = (samples_needed(activation, order, d, degree) for d in (dim, 2 * dim))
    if not math.isfinite(low):
        raise DomainError(
            f"degree {degree}, which this kernel does not have", "a degree with an eigenvalue > 0"
        )
    return math.log2(high / low)


def _spectrum(activation: Activation, order: int, dim: int, degree: int) -> SphereSpectrum:
    require_count(degree, "degree", 0)
    return sphere(kernel(activation, order), dim, degree + BEYOND, digits=12)
