"""Means, variances and kurtoses of many numbers, seen once and in pieces."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analytic_ntk.display import Shown

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Moments(Shown):
    """``count`` observations of a vector: mean and sums of powers 2, 3, 4 of the deviations from it.

    Pieces are merged without cancellation (Chan, Golub, LeVeque 1979; Pebay 2008, SAND2008-6212).

    >>> import numpy as np
    >>> values = np.random.default_rng(0).standard_normal((100, 2))
    >>> whole, pieces = Moments.of(values), Moments.of(values[:30]).merged(Moments.of(values[30:]))
    >>> np.allclose(whole.m4, pieces.m4), np.allclose(whole.variance, values.var(axis=0, ddof=1))
    (True, True)
    """

    count: int
    mean: Array
    m2: Array
    m3: Array
    m4: Array

    @classmethod
    def of(cls, values: Array) -> Moments:
        """Of the rows of ``values``, ``(count, length)``, one row or more."""
        mean = values.mean(axis=0)
        deviation = values - mean
        square = deviation * deviation
        return cls(
            len(values),
            mean,
            square.sum(axis=0),
            (square * deviation).sum(axis=0),
            (square * square).sum(axis=0),
        )

    def merged(self, other: Moments) -> Moments:
        """Of both sets of observations together."""
        a, b = self.count, other.count
        n = a + b
        step = other.mean - self.mean
        s, t = step / n, step * step / n
        m2 = self.m2 + other.m2 + a * b * t
        m3 = (
            self.m3
            + other.m3
            + a * b * (a - b) * s * t
            + 3.0 * s * (a * other.m2 - b * self.m2)
        )  # fmt: skip
        m4 = (
            self.m4
            + other.m4
            + a * b * (a * a - a * b + b * b) * s * s * t
            + 6.0 * s * s * (a * a * other.m2 + b * b * self.m2)
            + 4.0 * s * (a * other.m3 - b * self.m3)
        )
        return Moments(n, self.mean + b * s, m2, m3, m4)

    @property
    def variance(self) -> Array:
        """The unbiased sample variance, for two observations or more."""
        return self.m2 / (self.count - 1)

    @property
    def standard_error(self) -> Array:
        return np.sqrt(self.variance / self.count)

    @property
    def kurtosis(self) -> Array:
        """Of the sample: 3 for many Gaussian numbers, at most ``count``; 0 where nothing varies."""
        varies = self.m2 > 0
        scale = np.where(varies, self.m2, 1.0)
        return np.where(varies, self.count * (self.m4 / scale) / scale, 0.0)

    def as_rows(self) -> Array:
        """``(4, length)``: mean, m2, m3, m4."""
        return np.array([self.mean, self.m2, self.m3, self.m4])

    @classmethod
    def from_rows(cls, count: int, rows: Array) -> Moments:
        return cls(count, *rows)
