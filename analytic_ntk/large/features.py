"""Random features: ``z(x)`` of few dimensions with ``<z(x), z(y)>`` near the kernel.

A regression on ``m`` features costs ``n m^2``, never ``n^2``. Two kinds:

* :func:`series_features` for inputs of one norm (any, if the kernel is homogeneous): the kernel is
  ``sum_k c_k rho^k``, ``c_k >= 0`` certified, and ``rho^k`` an inner product of tensor powers, sketched.
  Unbiased at every depth up to a certified remainder.
* :func:`layer_features` for any inputs: random layers, one after another; for relu and its kin these are
  random arc-cosine features. Unbiased with one hidden layer; deeper with an error that falls like
  ``1/sqrt(width)``.

(Zandieh, Han, Avron, Shoham, Kim, Shin 2021; Han, Zandieh, Avron 2022; Kar, Karnick 2012.)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analytic_ntk.display import Shown
from analytic_ntk.errors import DomainError
from analytic_ntk.exact import ExactNumber
from analytic_ntk.gram import data
from analytic_ntk.gram.inputs import Inputs
from analytic_ntk.large.sketch import power_sketches, product_sketch
from analytic_ntk.layers import Dense, Layer, LayerNorm, Nonlinearity, Residual
from analytic_ntk.layers.elementwise import on_arrays
from analytic_ntk.layers.units import require_count
from analytic_ntk.network import Network, require_network

Array = NDArray[np.float64]
DEGREE = 12
_DIGITS = 17


@dataclass(frozen=True, eq=False)
class SeriesFeatures(Shown):
    """``z(x)``: for each degree ``k`` a block with inner products ``c_k rho^k`` on average.

    ``coefficients``: the ``c_k``; ``widths``: the length of each block, ``dim^k`` where it is not random;
    ``remainder``: an upper bound of ``sum_{k > degree} c_k``, so that the features see ``K(x, y)`` up to
    ``remainder |rho|^(degree + 1)``: all of it on the diagonal, next to nothing between inputs far apart.
    Added to the diagonal (or to the ridge) it makes up for most. ``homogeneous``: any norms are taken; the
    coefficients are those at ``variance``. The map is fixed by ``seed``.
    """

    dim: int
    coefficients: tuple[float, ...]
    widths: tuple[int, ...]
    variance: float
    remainder: float
    homogeneous: bool
    seed: int

    @property
    def count(self) -> int:
        return sum(self.widths)

    def __call__(self, X: ArrayLike) -> Array:
        """Features ``(n, count)`` of the rows of ``X`` ``(n, dim)``."""
        rows = data(X, "X")
        single = getattr(X, "dtype", None) == np.float32  # norms are one up to the rounding of the data
        inputs = Inputs(rows, np.dtype(np.float32 if single else np.float64))
        if inputs.data.shape[1] != self.dim:
            raise DomainError(f"X with {inputs.data.shape[1]} columns", f"{self.dim}")
        if not self.homogeneous:
            away = np.abs(inputs.q - self.variance) > inputs.spread * self.variance
            if np.any(away):
                row = int(np.argmax(away))
                raise DomainError(
                    f"row {row} with <x, x>/d = {float(inputs.q[row])!r}",
                    f"{self.variance}, as the features were made for",
                    "rescale the rows, or use layer_features",
                )
        rng = np.random.default_rng(self.seed)
        powers = power_sketches(inputs.direction, self.widths[1:], rng)
        constant = np.ones((len(inputs.q), self.widths[0]))
        found = [
            math.sqrt(c) * block
            for c, block in zip(self.coefficients, chain([constant], powers), strict=True)
        ]
        z = np.concatenate(found, axis=1)
        if self.homogeneous:
            z *= np.sqrt(inputs.q / self.variance)[:, None]
        return z


def series_features(
    network: Network,
    dim: int,
    count: int,
    kernel: str = "ntk",
    degree: int = DEGREE,
    variance: ExactNumber = 1,
    seed: int = 0,
) -> SeriesFeatures:
    """Features from the power series of the kernel, at most ``count`` of them, for inputs in ``R^dim``.

    For inputs with ``<x, x>/d = variance`` (any, if the network is homogeneous). The features are shared out
    among the degrees in proportion to ``c_k``; a tensor power that is no longer than its share is taken in
    full, and what it does not need goes to the others. Kind of answer: random; over the seeds
    ``|E <z(x), z(y)> - K(x, y)| <= remainder |rho|^(degree + 1)`` plus rounding. Raises :class:`DomainError`
    for a ``count`` below the number of degrees with ``c_k > 0``, and as :meth:`Network.series` does.

    >>> import numpy as np
    >>> from analytic_ntk import Network, activations
    >>> from analytic_ntk.large import series_features
    >>> network = Network.mlp(activations.gelu, depth=2, weight_variance=2, bias_variance=0)
    >>> features = series_features(network, dim=8, count=2000)
    >>> X = np.random.default_rng(0).standard_normal((50, 8))
    >>> X *= np.sqrt(8 / np.sum(X * X, axis=1))[:, None]
    >>> z, K = features(X), network.gram(X)
    >>> bool(np.linalg.norm(z @ z.T - K) < 0.1 * np.linalg.norm(K))
    True
    """
    require_count(dim, "dim", 1)
    require_count(count, "count", 1)
    require_count(seed, "seed", 0)
    _kernel(kernel)
    series = network.series(degree, _DIGITS, variance)
    found = [max(0.0, float(c.midpoint)) for c in series.enclosures(kernel)]
    used = sum(c > 0 for c in found)
    if not used:
        raise DomainError(f"a kernel without a term of degree <= {degree}", "a kernel that is not 0")
    if count < used:
        raise DomainError(f"count = {count}", f"at least {used}, one for each degree", "or a lower degree")
    return SeriesFeatures(
        dim,
        tuple(found),
        _widths(found, dim, count),
        float(series.variance),
        math.nextafter(float(series.tail(kernel)), math.inf),
        _is_homogeneous(network.layers),
        seed,
    )


@dataclass(frozen=True, eq=False)
class LayerFeatures(Shown):
    """``z(x)`` through random layers of ``width`` units; the map is fixed by ``seed``."""

    layers: tuple[Layer, ...]
    width: int
    kernel: str
    seed: int

    def __call__(self, X: ArrayLike) -> Array:
        """Features ``(n, count)`` of the rows of ``X`` ``(n, d)``."""
        rows = data(X, "X")
        rng = np.random.default_rng(self.seed)
        start = rows / math.sqrt(rows.shape[1])
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows is refused below
            nngp, ntk = _through(self.layers, start, np.zeros((len(rows), 0)), self.width, rng)
        found = nngp if self.kernel == "nngp" else ntk
        if not np.all(np.isfinite(found)):
            raise DomainError("features too large for float64", "finite features", "rescale the inputs")
        return found


def layer_features(network: Network, width: int, kernel: str = "ntk", seed: int = 0) -> LayerFeatures:
    """Features from random layers, ``width`` at each nonlinearity: ``width + 1`` of them for the NNGP of a
    plain network, ``2 width + 1`` for its NTK (one less without bias).

    With ``f`` the features of the NNGP and ``g`` those of the NTK before a layer:

        Dense          f' = (sqrt(w) f, sqrt(b)),              g' = (f', sqrt(w) g)
        Nonlinearity   f' = phi(f G) / sqrt(width),            g' = sketch(g tensor phi'(f G) / sqrt(width))
        Residual       f' = (f, branch f),                     g' = (g, branch g)
        LayerNorm      f' = f / |f|,                           g' = g / |f|

    ``G`` standard normal, fresh in each layer; ``sketch`` of :mod:`.sketch`. Kind of answer: random. Unbiased
    with one nonlinearity; deeper ``f f^T`` is a random covariance and the mean is off by ``O(1/width)``.
    Raises :class:`DomainError` for symbolic parameters and other layers.
    """
    require_network(network)
    require_count(width, "width", 1)
    require_count(seed, "seed", 0)
    _kernel(kernel)
    for phi in network.activations:
        phi.require_numeric()
    found = LayerFeatures(network.layers, width, kernel, seed)
    network.gram(np.ones((1, 1)))  # refuses what has no kernel: infinite expectations, symbolic variances
    return found


def _through(
    layers: Sequence[Layer], f: Array, g: Array, width: int, rng: np.random.Generator
) -> tuple[Array, Array]:
    for layer in layers:
        match layer:
            case Dense():
                weight, bias = math.sqrt(float(layer.weight_variance)), math.sqrt(float(layer.bias_variance))
                constant = [np.full((len(f), 1), bias)] if bias else []
                f = np.concatenate([weight * f, *constant], axis=1)
                g = np.concatenate([f, weight * g], axis=1)
            case Nonlinearity():
                u = f @ rng.standard_normal((f.shape[1], width))
                slope = on_arrays(layer.activation.derivative)(u) / math.sqrt(width)
                f = on_arrays(layer.activation.pieces)(u) / math.sqrt(width)
                g = product_sketch(g, slope, width, rng)
            case Residual():
                other = _through(layer.branch, f, g, width, rng)
                f, g = (np.concatenate(pair, axis=1) for pair in zip((f, g), other, strict=True))
            case LayerNorm():
                length = np.sqrt(np.sum(f * f, axis=1))[:, None]
                if not np.all(length):
                    raise DomainError("a zero vector before LayerNorm", "a direction to normalise")
                f, g = f / length, g / length
            case _:
                raise DomainError(
                    f"features of {type(layer).__name__}", "Dense, Nonlinearity, Residual, LayerNorm"
                )
    return f, g


@dataclass(frozen=True)
class FeatureError(Shown):
    """How far ``count`` features are from the kernel: means over ``draws`` seeds of
    ``|z z^T - K|_F / |K|_F``, with its standard error, and of the largest ``|z z^T - K| / max K``."""

    count: int
    draws: int
    relative: float
    standard_error: float
    largest: float


def feature_errors(
    network: Network,
    X: ArrayLike,
    counts: Sequence[int],
    kind: str = "series",
    kernel: str = "ntk",
    draws: int = 5,
    seed: int = 0,
) -> tuple[FeatureError, ...]:
    """The error of features against their number, on the kernel matrix of ``X`` (a sample of the data).

    ``kind="series"`` (with ``<x, x>/d = 1``, or any norms for a homogeneous network) or ``"layers"`` (there
    ``counts`` are widths). Kind of answer: float64, of ``draws`` random draws.
    """
    if kind not in ("series", "layers"):
        raise DomainError(f"kind = {kind!r}", '"series" or "layers"')
    require_count(draws, "draws", 2)
    require_count(seed, "seed", 0)
    _kernel(kernel)
    K = np.asarray(network.gram(X, kernel=kernel), np.float64)
    if not K.any():
        raise DomainError("a kernel matrix of zeros", "a matrix to compare with")
    found = []
    for count in counts:
        relative, largest, size = [], [], 0
        made: SeriesFeatures | LayerFeatures = (
            series_features(network, np.shape(X)[1], count, kernel)
            if kind == "series"
            else layer_features(network, count, kernel)
        )
        for draw in range(seed, seed + draws):
            z = replace(made, seed=draw)(X)
            rest = z @ z.T - K
            relative.append(float(np.linalg.norm(rest) / np.linalg.norm(K)))
            largest.append(float(np.abs(rest).max() / K.max()))
            size = z.shape[1]
        spread = float(np.std(relative, ddof=1)) / math.sqrt(draws)
        found.append(FeatureError(size, draws, float(np.mean(relative)), spread, float(np.mean(largest))))
    return tuple(found)


def _widths(coefficients: Sequence[float], dim: int, count: int) -> tuple[int, ...]:
    """``count`` shared out in proportion to the coefficients, to each at least 1 and at most ``dim^k``."""
    widths = [0] * len(coefficients)
    open_ = {k for k, c in enumerate(coefficients) if c > 0}
    while open_:
        budget = count - sum(widths) - len(open_)  # beyond the 1 of each
        total = math.fsum(coefficients[k] for k in open_)
        share = {k: 1 + int(budget * coefficients[k] / total) for k in open_}
        full = {k for k in open_ if dim**k <= share[k]}
        for k in full or open_:
            widths[k] = min(share[k], dim**k)
        open_ = open_ - full if full else set()
    return tuple(widths)


def _is_homogeneous(layers: Sequence[Layer]) -> bool:
    """Whether ``K(c x, c' y) = c c' K(x, y)`` for positive ``c, c'``."""
    for layer in layers:
        match layer:
            case Dense():
                good = layer.bias_variance == 0
            case Nonlinearity():
                good = layer.activation.homogeneity == 1
            case Residual():
                good = _is_homogeneous(layer.branch)
            case _:
                good = False
        if not good:
            return False
    return True


def _kernel(kernel: str) -> None:
    if kernel not in ("nngp", "ntk"):
        raise DomainError(f"kernel = {kernel!r}", '"nngp" or "ntk"')
