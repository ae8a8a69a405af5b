"""Intervals for means of heavy-tailed numbers that hold at the sample size at hand, not in a limit of it.

No interval is valid for every distribution with a mean (Bahadur, Savage 1956): something must be assumed.
Here it is one number, a bound ``kappa`` of the kurtosis ``E(X - m)^4 / (Var X)^2`` of a single draw.

* **The variance.** The sample variance ``s^2`` of ``D`` draws is an average of means of ``D // 2``
  independent ``(X - X')^2 / 2``, which are >= 0, with mean ``v`` and second moment at most
  ``v^2 (kappa + 3)/2``. So ``P(s^2 <= (1 - e) v) <= exp(-e^2 (D // 2) / (kappa + 3))`` (lower tails of
  non-negative variables, and Hoeffding 1963, section 5), which bounds ``v`` from above.
* **The mean.** Catoni's estimator (Catoni 2012, Ann. IHP 48) of ``N`` independent block means with variance
  at most ``v``: the zero of ``r(t) = sum_i psi(a (X_i - t))``, ``psi(z) = sign(z) log(1 + |z| + z^2/2)``.
  With probability ``>= 1 - exp(-L)`` for each side it is off by at most

      (1 - sqrt(1 - a^2 v - 2 L / N)) / a

  for any fixed ``a``. The best ``a`` needs ``v``: it is chosen from a pilot sample that ``r`` does not see.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from analytic_ntk.finite_width.moments import Moments

Array = NDArray[np.float64]
SIDES = 3
"""Ways in which one interval can fail: the variance bound, the mean above, the mean below."""
_STEPS = 60


def variance_bound(moments: Moments, kurtosis: float, failure: float) -> Array:
    """An upper bound of each variance, wrong with probability ``failure`` at most; ``inf``: too few draws."""
    pairs = moments.count // 2
    slack = math.sqrt((kurtosis + 3.0) * math.log(1.0 / failure) / pairs) if pairs else math.inf
    if slack >= 1.0:
        return np.full_like(moments.mean, np.inf)
    return moments.variance / (1.0 - slack)


def catoni_scale(variance: Array, count: int, failure: float) -> Array:
    """The ``a`` that makes the radius least if the variance of an observation is ``variance``."""
    spent = 2.0 * math.log(1.0 / failure) / count
    if spent >= 1.0:
        return np.zeros_like(variance)
    safe = np.where(variance > 0, variance, 1.0)
    return np.where(variance > 0, np.sqrt(spent * (1.0 - spent) / safe), 0.0)


def catoni_radius(scale: Array, variance: Array, count: int, failure: float) -> Array:
    """How far the estimate is off at most, each side with probability at least ``1 - failure``."""
    spent = 2.0 * math.log(1.0 / failure) / count
    with np.errstate(invalid="ignore"):
        left = 1.0 - scale * scale * variance - spent
    usable = (scale > 0) & (left >= 0)
    root = np.sqrt(np.where(usable, left, 0.0))
    radius = np.where(usable, (1.0 - root) / np.where(usable, scale, 1.0), np.inf)
    return np.where(variance == 0, 0.0, radius)


def catoni_centre(values: Array, scale: Array) -> Array:
    """The zero of ``r`` for each column of ``values``, ``(count, length)``; the mean where ``scale`` is 0."""
    low, high = values.min(axis=0), values.max(axis=0)
    near = 1e-14 * (high - low)
    centre = values.mean(axis=0)
    for _ in range(_STEPS):
        z = scale * (values - centre)
        size = np.abs(z)
        inner = 1.0 + size + 0.5 * z * z
        r = (np.sign(z) * np.log(inner)).sum(axis=0)
        slope = scale * ((1.0 + size) / inner).sum(axis=0)
        low, high = np.where(r > 0, centre, low), np.where(r < 0, centre, high)
        step = centre + np.where(slope > 0, r / np.where(slope > 0, slope, 1.0), 0.0)
        step = np.where((step >= low) & (step <= high), step, 0.5 * (low + high))
        if np.all(np.abs(step - centre) <= near + np.spacing(np.abs(centre))):
            break
        centre = step
    return centre
