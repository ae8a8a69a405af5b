"""Where ``lambda_min`` of each block settles as the widths grow: plateaus of the limit's power series."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from flint import arb, arb_series, ctx

from analytic_ntk.activation import Activation
from analytic_ntk.certify import certify
from analytic_ntk.display import Shown
from analytic_ntk.enclosure import Enclosure
from analytic_ntk.errors import DomainError
from analytic_ntk.layers.dense import Dense
from analytic_ntk.layers.nonlinearity import Nonlinearity
from analytic_ntk.layers.units import require_count
from analytic_ntk.network import Network
from analytic_ntk.pair import Pair
from analytic_ntk.systems.ball import Ball
from analytic_ntk.systems.series import Series

MAX_ORDER = 200


@dataclass(frozen=True)
class BlockSeries(Shown):
    """One block of the limit at inputs with ``<x, x> = d``: ``sum_k coefficients[k] rho^k``, certified.

    ``total``: its value at ``rho = 1``, the sum of all coefficients, those beyond the list included. In units
    of ``n_{l-1} n_{L-1}`` for block ``l < L`` of the paper's network, of ``n_{L-1}`` for the last.
    """

    coefficients: tuple[Enclosure, ...]
    total: Enclosure

    def plateau(self, level: int) -> float:
        """``sum_{k > level} c_k``: heuristic, ``lambda_min`` while ``d^level << N << d^(level+1)``.

        Harmonics of degree ``k <= level`` span fewer dimensions than there are inputs and leave an eigenvalue
        0; those of higher degree are nearly orthonormal on random inputs, and add their coefficient times the
        identity. A prediction, not a bound.
        """
        require_count(level, "level", 0)
        if level >= len(self.coefficients):
            raise DomainError(f"level = {level}", f"below the order {len(self.coefficients)}")
        low = sum((_float(c) for c in self.coefficients[: level + 1]), 0.0)
        return max(0.0, _float(self.total) - low)

    def predicted(self, samples: int, dim: int) -> float:
        """Between two plateaus: ``sum_k c_k (1 - sqrt(N/D_k))_+^2``, ``D_k`` harmonics of degree ``k``.

        The lower edge of the Marchenko-Pastur law for each degree, added as if they were independent:
        heuristic twice over, and for infinite width.
        """
        require_count(samples, "samples", 1)
        require_count(dim, "dim", 2)
        known = 0.0
        for k, c in enumerate(self.coefficients):
            edge = 1 - math.sqrt(samples / _harmonics(dim, k))
            known += _float(c) * max(0.0, edge) ** 2
        order = len(self.coefficients)
        edge = max(0.0, 1 - math.sqrt(samples / _harmonics(dim, order)))
        return known + self.plateau(order - 1) * edge**2


def block_series(
    activation: Activation, depth: int, order: int = 12, digits: int = 12
) -> tuple[BlockSeries, ...]:
    """The blocks of the paper's network in the limit of infinite width, first layer first, certified.

        K_l/(n_{l-1} n_{L-1}) -> S_{l-1} prod_{k >= l} E s'(u_k) s'(v_k)  (l < L),   K_L/n_{L-1} -> S_{L-1}

    with ``S_0 = rho``, ``S_l = E s(u_l) s(v_l)``, ``(u_l, v_l)`` of covariance ``S_{l-1}``: products of
    series whose coefficients are the squared Hermite coefficients of ``s`` and of ``s'``, composed. Raises
    :class:`DomainError` for a bad depth or order, :class:`PrecisionError` where digits cannot be had.

    >>> from analytic_ntk import activations
    >>> first, last = block_series(activations.relu, 1, order=3)
    >>> print(last.coefficients[1].decimal(6), first.coefficients[1].decimal(6), last.total.decimal(4))
    0.250000... 0.250000... 0.5000...
    """
    if not isinstance(activation, Activation):
        raise DomainError(f"activation = {activation!r}"[:100], "an Activation")
    require_count(depth, "depth", 1)
    require_count(order, "order", 1)
    if order > MAX_ORDER:
        raise DomainError(f"order = {order}", f"at most {MAX_ORDER}")
    layers = Network.mlp(activation, depth, 1, 0).layers
    activation.require_numeric()
    columns = order + 2

    def compute() -> tuple[tuple[arb, ...], arb]:
        one = arb(1)
        totals = _run(layers, Pair(one, one, one, arb(0), arb(0)), Ball(), arb(1))
        before, ctx.cap = ctx.cap, order + 1
        try:
            line = Pair(one, one, arb_series([0, one]), arb_series([0]))
            series = _run(layers, line, Series(order), arb_series([1]))
            rows = [(*(s[k] for k in range(order + 1)), t) for s, t in zip(series, totals, strict=True)]
        finally:
            ctx.cap = before
        return tuple(value for row in rows for value in row), sum(totals, arb(0))

    found = certify(compute, digits, "the power series of the blocks")
    rows = [found[k : k + columns] for k in range(0, len(found), columns)]
    return tuple(BlockSeries(tuple(row[:-1]), row[-1]) for row in rows)


def _run(layers: tuple[Any, ...], pair: Pair, system: Any, one: Any) -> list[Any]:
    """``S_{l-1} prod kappa'`` for each dense layer: what its parameters add, without the weight variance."""
    parts: list[Any] = []
    for layer in layers:
        if isinstance(layer, Nonlinearity):
            result = system.expectations(layer.activation, pair)
            parts = [part * result.derivative for part in parts]
            pair = Pair(result.q11, result.q22, result.q12, pair.ntk, result.gap)
        elif isinstance(layer, Dense):
            parts.append(pair.q12 * one)
            pair = layer.push(pair, system)
    return parts


def prediction(activation: Activation, depth: int, samples: int, dim: int) -> float:
    """A **heuristic** for ``lambda_min`` with ``d = n_1 = .. = n_{L-1}``, at Gaussian inputs.

        sum_l p_l (1 - sqrt(N/p_l))_+^2 sum_k c_k^(l) (1 - sqrt(N/D_k))_+^2

    ``c_k^(l)`` as in :func:`block_series`, ``p_l`` the number of parameters of the block: each block as if
    its Jacobian had independent columns, each degree as if it stood alone. No bound, no theorem: to be held
    against simulation, which it exceeds by a factor of one to two.

    >>> from analytic_ntk import activations
    >>> round(prediction(activations.sigmoid, 2, 1000, 977))
    149
    """
    require_count(samples, "samples", 1)
    require_count(dim, "dim", 2)
    total = 0.0
    for place, part in enumerate(block_series(activation, depth)):
        columns = dim * dim if place < depth else dim
        edge = max(0.0, 1 - math.sqrt(samples / columns))
        total += columns * edge**2 * part.predicted(samples, dim)
    return total


def _float(value: Enclosure) -> float:
    try:
        return float(value)
    except OverflowError:
        raise DomainError(f"a coefficient beyond float64 ({value})"[:100], "smaller activations") from None


def _harmonics(dim: int, degree: int) -> int:
    """The dimension of the harmonics of a degree on the sphere of ``R^dim``."""
    whole = math.comb(dim + degree - 1, degree)
    return whole - (math.comb(dim + degree - 3, degree - 2) if degree >= 2 else 0)
