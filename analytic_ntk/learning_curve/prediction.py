"""The predicted learning curve."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import ArrayLike

from analytic_ntk.display import Shown, axes_for, tidy
from analytic_ntk.errors import DomainError, PrecisionError
from analytic_ntk.gaussian.values import real_array
from analytic_ntk.learning_curve.modes import Array, Modes, Spectrum, not_negative, power_by_degree

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LOG_TINY = -700.0
"""Below ``exp`` of this a number leaves the normal range of float64."""
_HALVINGS = 64
_PEAK = 1e12
"""The relative error of ``kappa`` is about ``1e-14 E0``: beyond this ``E0`` no two digits are left."""


@dataclass(frozen=True, eq=False)
class LearningCurve(Shown):
    """A predicted learning curve; ``m`` sample sizes, degrees ``0 .. K``.

    ``samples``, ``kappa``, ``inflation`` (``E0``), ``test_error``, ``train_error`` have shape ``(m,)``;
    ``learnability`` and ``error_by_degree`` ``(m, K + 1)``. ``test_error`` is measured against the target
    itself; ``noisy_test_error`` against fresh noisy labels, hence larger by the noise variance.
    ``error_by_degree`` is ``(1 - L_k)^2 P_k + N_k L_k^2 noisy_test_error/n`` (bias and variance in degree
    ``k``); it sums to ``test_error``. ``train_error`` is the mean squared residual on the noisy training
    labels.
    """

    samples: Array
    kappa: Array
    learnability: Array
    inflation: Array
    test_error: Array
    train_error: Array
    error_by_degree: Array
    target_power: Array
    noise_variance: float
    ridge: float

    @property
    def noisy_test_error(self) -> Array:
        """The error on fresh noisy labels."""
        return self.test_error + self.noise_variance

    def plot(self, axes: Axes | None = None, scale: Literal["linear", "log"] = "linear") -> Axes:
        """The predicted test error over the number of samples, and its part in each degree.

        Degrees that hold some of the target are drawn; the rest of the error (variance elsewhere) is in the
        total. The samples are on a logarithmic axis, the errors on a linear one, where the steps show, or a
        logarithmic one; what an axis cannot show is left out. Raises :class:`DomainError` for another scale.
        """
        if scale not in ("linear", "log"):
            raise DomainError(f"scale = {scale!r}"[:100], '"linear" or "log"')
        axes = axes_for(axes)
        order = np.argsort(self.samples)
        shown = order[self.samples[order] > 0]
        for number, k in enumerate(np.flatnonzero(self.target_power)):
            part = _drawable(self.error_by_degree[shown, k])
            colour = f"C{(number + 1) % 10}"
            axes.plot(self.samples[shown], part, "--", linewidth=1, color=colour, label=f"degree {k}")
        total = _drawable(self.test_error[shown])
        axes.plot(self.samples[shown], total, color="black", label="predicted")
        if np.isfinite(total).any():
            axes.set(xscale="log", yscale=scale)
            axes.set_ylim(bottom=np.nanmin(total) / 3 if scale == "log" else 0.0)
        axes.set(xlabel="samples", ylabel="test error (mean square)")
        return tidy(axes)


def _drawable(values: Array) -> Array:
    """Values a logarithmic axis can show; gaps elsewhere."""
    return np.where((values > 0) & np.isfinite(values), values, np.nan)


def learning_curve(
    spectrum: Spectrum | Modes,
    target_power: ArrayLike,
    samples: ArrayLike,
    noise_variance: float,
    ridge: float,
) -> LearningCurve:
    """The predicted errors of kernel ridge regression with ``samples`` points, a number or a vector of them.

    ``target_power[k]`` is the mean square of the target's part of degree ``k`` (absent degrees: 0),
    ``ridge`` is added to the kernel matrix as ``K + ridge I``; ``ridge = 0`` is the interpolant of least
    norm. All ``>= 0``.

    Kind of answer: predicted (large ``n``), solved in float64 with a relative error of about ``1e-14 E0``.
    Measured for the ReLU NTK, ``dim`` 5 to 20, ``n`` 16 to 256: within three standard errors of the
    simulation plus ``(power + noise)/n``; the little that is left of a degree already learned was off by up
    to half of itself in dimension 5, by a tenth in dimension 10. At ``n = 0`` the limit (the error is the
    power of the target). Without ridge and tail the error is infinite where ``n`` equals the rank of the
    kernel: the peak of double descent. Raises :class:`DomainError` for negative or non-finite input and for
    power in a degree beyond the spectrum, :class:`PrecisionError` so close to that peak (``E0 > 1e12``) that
    no digits are left.

    >>> from analytic_ntk.learning_curve import Modes, learning_curve
    >>> curve = learning_curve(Modes([1, 0.25], [1, 4], 0), [0, 1], [0, 2, 10], noise_variance=0, ridge=0)
    >>> curve.test_error.round(4).tolist(), curve.learnability[:, 1].round(4).tolist()
    ([1.0, 0.8, 0.0], [0.0, 0.3333, 1.0])
    """
    modes = Modes.of(spectrum)
    noise, added = not_negative(noise_variance, "noise_variance"), not_negative(ridge, "ridge")
    power = power_by_degree(target_power, len(modes.eigenvalues))
    n = np.atleast_1d(real_array(samples))
    if n.ndim != 1 or n.size == 0 or (n < 0).any() or np.asarray(samples).dtype.kind == "b":
        raise DomainError(f"samples = {samples!r}"[:80], "numbers of samples >= 0")
    points = [
        _predict(modes, power, noise, added, float(size), float(kappa))
        for size, kappa in zip(n, _solve_kappa(modes, modes.tail + added, n), strict=True)
    ]
    kappa, learned, inflation, test, train, by_degree = (np.array(c) for c in zip(*points, strict=True))
    return LearningCurve(n, kappa, learned, inflation, test, train, by_degree, power, noise, added)


def _predict(
    modes: Modes, power: Array, noise: float, ridge: float, n: float, kappa: float
) -> tuple[float, Array, float, float, float, Array]:
    """One point of the curve. Sums are arranged without differences of near numbers."""
    values, total = modes.eigenvalues, modes.tail + ridge
    if n == 0:  # kappa is infinite
        learned = occupied = np.zeros_like(values)
        missed, left = np.ones_like(values), 0.0
    elif kappa == 0:  # more data than the rank
        learned = (values > 0).astype(float)
        missed, occupied, left = 1 - learned, learned * modes.counts, n - modes.rank
    else:
        learned, missed = values / (values + kappa), kappa / (values + kappa)
        occupied, left = modes.masses / (values + kappa), total / kappa  # N_k L_k and n - sum N_k L_k
    bias = missed**2 * power
    unlearned = math.fsum(bias) + noise
    if n == 0:
        fraction = ridge / (modes.trace + ridge) if modes.trace + ridge > 0 else 1.0
        return math.inf, learned, 1.0, math.fsum(bias), fraction**2 * unlearned, bias
    spread = math.fsum(occupied * learned)
    free = left + math.fsum(occupied * missed)  # n - sum N_k L_k^2
    if free == 0:
        error = math.inf if unlearned > 0 else 0.0
        variance = np.where(learned > 0, error, 0.0)
        return kappa, learned, math.inf, error, 0.0, bias + variance
    if kappa > 0 and n > _PEAK * free:
        raise PrecisionError(
            f"E0 = {n / free:.1g} at {n:g} samples: kappa has no certain digits",
            f"E0 up to {_PEAK:.0e}",
            "a larger ridge, or samples further from the rank of the kernel",
        )
    noisy = n / free * unlearned
    fraction = (ridge / total if total > 0 else 1.0) * left / n
    error = math.fsum(bias) + spread / free * unlearned
    return kappa, learned, n / free, error, fraction**2 * noisy, bias + occupied * learned * (noisy / n)


def _solve_kappa(modes: Modes, total: float, n: Array) -> Array:
    """The root of ``n = sum N_k lambda_k/(lambda_k + kappa) + total/kappa``, decreasing in ``kappa``.

    Bracketed from ``kappa <= (trace + total)/n`` downwards, bisected in ``log kappa``, then one Newton step.
    """
    kappa = np.where(n == 0, np.inf, 0.0)
    inside = (n > 0) & (n < (math.inf if total > 0 else modes.rank))
    if not inside.any():
        return kappa
    scale, m = math.fsum([*modes.masses, total]), n[inside]
    values, masses, total = modes.eigenvalues / scale, modes.masses / scale, total / scale

    def count(root: Array) -> Array:
        return np.sum(masses / (values + root[:, None]), axis=1) + total / root

    left, right, width = -np.log(m), -np.log(m), 1.0
    while (low := count(np.exp(left)) < m).any():
        if (left[low] <= _LOG_TINY).any():
            raise PrecisionError("a root kappa too small for float64", "a larger ridge", "use fewer degrees")
        left, width = np.where(low, np.maximum(left - width, _LOG_TINY), left), 2 * width
    for _ in range(_HALVINGS):
        middle = (left + right) / 2
        above = count(np.exp(middle)) > m
        left, right = np.where(above, middle, left), np.where(above, right, middle)
    root = np.exp((left + right) / 2)
    column = root[:, None]
    slope = np.sum(masses / (values + column) * (column / (values + column)), axis=1) + total / root
    kappa[inside] = scale * root * (1 + (count(root) - m) / slope)
    return kappa
