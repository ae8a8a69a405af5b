"""Random maps that keep inner products of tensor products and powers on average.

Count sketch ``C``: each coordinate is added, with a random sign, to one of ``width`` places. The circular
convolution of count sketches of ``x`` and ``y``, drawn independently, is one of their tensor product:

    E <C1 x * C2 y, C1 x' * C2 y'> = <x, x'> <y, y'>

(TensorSketch: Pham, Pagh 2013; of many factors, one after another: Ahle, Kapralov, Knudsen, Pagh,
Velingker, Woodruff, Zandieh 2020).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

Array = NDArray[np.float64]
INNER = 256
"""Places of the sketches that products are built from, at least."""


def product_sketch(first: Array, second: Array, width: int, rng: np.random.Generator) -> Array:
    """Features ``(n, width)`` of the tensor product of the rows ``(n, d)`` and ``(n, e)``.

    Unbiased: over the draw, ``E <z(x), z(y)> = <x, y> <x', y'>``. The draw depends on the shapes alone.
    """
    one = np.fft.rfft(_count_sketch(first, width, rng), axis=1)
    two = np.fft.rfft(_count_sketch(second, width, rng), axis=1)
    return np.fft.irfft(one * two, n=width, axis=1)


def power_sketches(rows: Array, widths: Sequence[int], rng: np.random.Generator) -> Iterator[Array]:
    """Features of the tensor powers ``1, 2, ...`` of the rows, of at most the ``widths``.

    Each is unbiased, ``E <z_k(x), z_k(y)> = <x, y>^k``. A power is the product of ``x`` with the power
    before: in full where that is short enough (then nothing is random), else sketched, the power before in
    :data:`INNER` places or more. So the variance grows like ``k``, where one convolution of ``k`` count
    sketches has ``3^k`` (Ahle et al. 2020, arXiv 1909.01410).
    """
    inner = max((INNER, *widths))
    before = np.ones((len(rows), 1))
    for k, width in enumerate(widths, 1):
        yield _times(before, rows, width, rng) if width else np.zeros((len(rows), 0))
        if k < len(widths):
            before = _times(before, rows, inner, rng)


def _times(before: Array, rows: Array, width: int, rng: np.random.Generator) -> Array:
    if before.shape[1] * rows.shape[1] <= width:
        return (before[:, :, None] * rows[:, None, :]).reshape(len(rows), -1)
    return product_sketch(before, rows, width, rng)


def _count_sketch(rows: Array, width: int, rng: np.random.Generator) -> Array:
    d = rows.shape[1]
    places = rng.integers(width, size=d)
    signs = rng.choice((-1.0, 1.0), size=d)
    return np.asarray(rows @ csr_array((signs, (np.arange(d), places)), shape=(d, width)))
