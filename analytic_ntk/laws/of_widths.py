"""Finite networks of any depth tend to the infinite one: the kernels without their ``1/width`` part.

Unlike with one hidden layer nothing is proved here about tails and bias: what is assumed of them is said at
:data:`KURTOSIS` and in the check.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from numpy.typing import NDArray

from analytic_ntk.activation import Activation
from analytic_ntk.errors import AnalyticNTKError
from analytic_ntk.finite_width import WidthLaw, agreement, is_unbiased, monte_carlo
from analytic_ntk.finite_width.estimation import ROUNDING, scale_of
from analytic_ntk.laws.cases import Case, OnData
from analytic_ntk.laws.doors import Doors, Points
from analytic_ntk.laws.law import CASE_FAILURE, Kind, Law, Outcome, Saboteur
from analytic_ntk.laws.measure import Plant, faulty_gram, matrix_margin
from analytic_ntk.laws.of_grams import on_data
from analytic_ntk.laws.subject import Subject
from analytic_ntk.layers import Dense, Layer, Residual
from analytic_ntk.network import Network
from analytic_ntk.strategies import Shape, data_sets

Array = NDArray[np.float64]
WIDTH, DRAWS, POINTS = 32, 8192, 2
KURTOSIS = 40.0
"""Assumed of an entry of one network's kernels, at most; a sample that speaks against it shows nothing."""
_PILOT, _PILOT_KURTOSIS = 2000, 20.0
_INPUTS = np.sqrt(2.0) * np.array([[1.0, 0.0], [0.6, 0.8]])


def _extrapolated(case: Case, doors: Doors) -> Outcome:
    """``2 K_2n - K_n`` against the limit, within its interval and once more what was taken away as bias.

    The interval holds but with probability :data:`CASE_FAILURE` under the assumption on the kurtosis. The
    bias left is of second order in ``1/n``: that it is below the part of first order is an assumption too.
    """
    network, X, seed = on_data(case)
    found = agreement(
        network, np.array(X), WIDTH, DRAWS, seed, CASE_FAILURE, KURTOSIS, limit=doors.gram(network, X, None)
    )
    estimate = found.estimate
    if not isinstance(estimate, WidthLaw) or estimate.suspect:
        return Outcome(0.0, trivial=True)
    margins, seen = [], False
    for limit, name in zip(found.limit, ("nngp", "ntk"), strict=True):
        law = getattr(estimate, name)
        narrow, wide = (getattr(e, name).centre for e in estimate.estimates)
        allowed = law.radius[0] + np.abs(narrow - wide) + ROUNDING * scale_of(limit)
        margins.append(matrix_margin(law.limit - limit, allowed))
        seen = name == "ntk" and bool((np.diag(limit) > 2 * np.diag(allowed)).any())
    return Outcome(max(margins), trivial=not seen)


def _strata(subject: Subject) -> tuple[SearchStrategy[Case], ...]:
    networks = subject.networks(2).filter(lambda network: not is_unbiased(network))
    bound = min(subject.max_input_variance, Fraction(4))
    rows = data_sets((Shape.GAUSSIAN, Shape.HEXAGON, Shape.CLOSE), POINTS, max_variance=bound)
    return (st.builds(OnData, networks, rows, st.integers(0, 2**63 - 1)),)


def _skip(subject: Subject) -> str:
    network = subject.what
    if isinstance(network, Activation):
        if subject.max_depth < 2:
            return f"networks of one hidden layer only: {subject.restriction}"
        network = Network.mlp(network, 2, 1, "1/10")
    elif is_unbiased(network):
        return "at finite width the mean is the limit itself: see expect_empirical_eq_kernel"
    try:
        pilot = monte_carlo(network, _INPUTS, WIDTH, _PILOT, 0)
    except NotImplementedError:
        return "a layer that draws no finite one"
    except AnalyticNTKError as error:
        return f"finite networks of width {WIDTH}: {error.given}"
    kurtosis = max(pilot.nngp.kurtosis.max(), pilot.ntk.kurtosis.max())
    if kurtosis > _PILOT_KURTOSIS:
        return f"tails too heavy for {DRAWS} networks of width {WIDTH}: their kurtosis is {kurtosis:.0f}"
    return ""


# ------------------------------------------------------------------------------------ faults


def _scaled_ntk(doors: Doors, fault: Fraction) -> Doors:
    def change(network: Network, X: Points, Y: Points, nngp: Array, ntk: Array) -> tuple[Array, Array]:
        return nngp, ntk * (1 + float(fault))

    return faulty_gram(change)(doors)


def _of(change: Callable[[Layer], tuple[Layer, ...]]) -> Plant:
    """The limit of another network than was drawn."""

    def plant(doors: Doors, fault: Fraction) -> Doors:
        def gram(network: Network, X: Points, Y: Points | None) -> tuple[Array, Array]:
            return doors.gram(Network(*(new for old in network.layers for new in change(old))), X, Y)

        return Doors(**(vars(doors) | {"gram": gram}))

    return plant


def _variance_doubled(layer: Layer) -> tuple[Layer, ...]:
    return (Dense(2 * layer.weight_variance, layer.bias_variance),) if isinstance(layer, Dense) else (layer,)


def _branch_alone(layer: Layer) -> tuple[Layer, ...]:
    return layer.branch if isinstance(layer, Residual) else (layer,)


EXTRAPOLATED = Law(
    name="richardson_empirical_eq_kernel",
    statement="finite networks of any depth tend to the limit: their mean without its 1/width part is there",
    latex=r"2\,\mathbb{E}\hat K_{2n}(x,y)-\mathbb{E}\hat K_n(x,y)=K(x,y)+O(n^{-2})",
    kind=Kind.STATISTICAL,
    strata=_strata,
    check=_extrapolated,
    saboteurs=(
        Saboteur("NTK too large", _scaled_ntk),
        Saboteur("weight variances twice as large", _of(_variance_doubled)),
        Saboteur("residual branches without their skips", _of(_branch_alone)),
    ),
    smallest_fault=1.0,
    skip=_skip,
)

LAWS = (EXTRAPOLATED,)
