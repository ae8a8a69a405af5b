"""Which harmonics a Taylor kernel can learn from ``n`` samples, from its spectrum.

Kernel regression without ridge learns the share ``L_k = lambda_k/(lambda_k + kappa)`` of degree ``k``, where
``n = sum N_k L_k + tail/kappa`` (:mod:`analytic_ntk.learning_curve`). The NTK of most activations has
``lambda_k`` of order ``dim^-k``, so degree ``k`` needs ``n`` of order ``dim^k``; the QuadNTK has
``lambda_1`` of order ``dim^-2`` only: the dense part costs it as much as the next degree. The spectrum is
certified, the learning law **predicted** (an equivalent for large ``n``).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analytic_ntk.activation import Activation
from analytic_ntk.errors import DomainError
from analytic_ntk.layers.units import require_count
from analytic_ntk.learning_curve import Modes, learning_curve
from analytic_ntk.spectrum import SphereSpectrum
from analytic_ntk.theory.taylor import kernel, sphere

FloatArray = NDArray[np.float64]
BEYOND = 2
"""Degrees kept beyond those asked for."""


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
