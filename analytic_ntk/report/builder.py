"""Making a report: every section computed once, timed, and kept as data."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import sympy as sp

from analytic_ntk import __version__
from analytic_ntk.activation import Activation
from analytic_ntk.errors import DomainError, PrecisionError, UndecidedError
from analytic_ntk.exact import ExactNumber, exact_number
from analytic_ntk.finite_width import require_count, sanity_check
from analytic_ntk.gaussian.unevaluated import piecewise_expression
from analytic_ntk.hermite.table import HermiteTable
from analytic_ntk.network import Network
from analytic_ntk.report.curves import circle
from analytic_ntk.report.data import (
    CertifiedRow,
    Properties,
    Report,
    Sampled,
    SampledRow,
    Series,
    SeriesRow,
    Unavailable,
)
from analytic_ntk.report.formulas import formulas_of

RHOS = ("-1", "-1/2", "0", "1/2", "9/10", "1")
SAMPLED_RHOS = ("1", "1/2", "-1/2")

Progress = Callable[[str], None]


def silent(stage: str) -> None:
    """No progress shown."""


@dataclass
class _Clock:
    progress: Progress
    seconds: list[tuple[str, float]] = field(default_factory=list)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        self.progress(name)
        start = time.perf_counter()
        yield
        self.seconds.append((name, time.perf_counter() - start))


def build(
    activation: Activation,
    depth: int = 1,
    weight_variance: ExactNumber = 1,
    bias_variance: ExactNumber = 0,
    digits: int = 20,
    order: int = 12,
    width: int = 512,
    draws: int = 16,
    seed: int = 0,
    progress: Progress = silent,
) -> Report:
    """Everything about an activation in a fully connected network of ``depth`` hidden layers.

    ``digits`` are those of certified values, ``order`` that of Hermite table and power series, ``width``,
    ``draws`` and ``seed`` those of the finite-width check; ``progress`` hears the name of each stage.
    Raises :class:`DomainError` where the kernel does not exist (infinite moments, wrong arguments); a
    section whose digits cannot be had says so in the report.

    >>> from analytic_ntk import activations
    >>> from analytic_ntk.report import build
    >>> report = build(activations.relu, depth=1, weight_variance=2, digits=10, width=16, draws=2)
    >>> [row.ntk.decimal(5) for row in report.certified]
    ['0', '-0.11534', '0.63662', '1.8847', '3.3607', '4.0000']
    """
    activation.require_numeric()
    require_count(width, "width", 1)
    require_count(draws, "draws", 2)
    network = Network.mlp(activation, depth, weight_variance, bias_variance)
    clock = _Clock(progress)
    with clock.stage("properties"):
        properties = properties_of(activation)
    with clock.stage("certified values"):
        certified = tuple(certified_row(network, 1, value, 1, digits) for value in RHOS)
    with clock.stage("closed forms"):
        formulas = formulas_of(activation, depth, weight_variance, bias_variance)
    with clock.stage("Hermite table"):
        hermite = _hermite(activation, order, digits)
    with clock.stage("power series"):
        series = _series(network, order)
    with clock.stage("finite width"):
        sampled = _sampled(network, width, draws, seed)
    return Report(
        title=str(activation),
        depth=depth,
        weight_variance=exact_number(weight_variance),
        bias_variance=exact_number(bias_variance),
        digits=digits,
        properties=properties,
        hermite=hermite,
        formulas=formulas,
        certified=certified,
        series=series,
        sampled=sampled,
        seconds=tuple(clock.seconds),
        version=__version__,
    )


def properties_of(activation: Activation) -> Properties:
    """What is derived from the expression alone."""
    try:
        degree: int | str | None = activation.polynomial_degree
    except UndecidedError:
        degree = "undecided"
    return Properties(
        expression=activation.expression,
        parity=activation.parity,
        homogeneity=activation.homogeneity,
        polynomial_degree=degree,
        continuous=activation.is_continuous,
        kinks=activation.kinks,
        jumps=activation.jumps,
        derivative=piecewise_expression(activation.derivative),
        max_variance=activation.max_variance,
        derivative_max_variance=activation.derivative_max_variance,
        singularity_distance=activation.singularity_distance,
    )


def certified_row(
    network: Network, xx: ExactNumber, xy: ExactNumber, yy: ExactNumber, digits: int
) -> CertifiedRow:
    """Both kernels at one input covariance; a row that falls short says what was reached."""
    a, c, b = exact_number(xx, "xx"), exact_number(xy, "xy"), exact_number(yy, "yy")
    try:
        values = network.at(a, c, b, digits)
    except PrecisionError as error:
        return CertifiedRow(a, c, b, None, None, str(error))
    return CertifiedRow(a, c, b, values.nngp, values.ntk)


def _hermite(activation: Activation, order: int, digits: int) -> HermiteTable | Unavailable:
    try:
        return activation.hermite_table(order, digits)
    except PrecisionError as error:
        return Unavailable(str(error))
    except DomainError as error:  # variance 1 may be too large where the network's variances are not
        if activation.max_variance is sp.oo or activation.max_variance > 1:
            raise
        return Unavailable(str(error))


def _series(network: Network, order: int) -> Series | Unavailable:
    try:
        found = network.series(order)
    except PrecisionError as error:
        return Unavailable(str(error))
    rows = tuple(SeriesRow(k, found.nngp[k], found.ntk[k]) for k in range(order + 1))
    return Series(rows, found.tail("nngp"), found.tail("ntk"))


def _sampled(network: Network, width: int, draws: int, seed: int) -> Sampled | Unavailable:
    points = [exact_number(value) for value in SAMPLED_RHOS]
    inputs = circle(np.array([float(p) for p in points]))
    try:
        check = sanity_check(network, inputs, width, draws, np.random.default_rng(seed))
    except (DomainError, PrecisionError) as error:
        return Unavailable(str(error))
    rows = []
    for kernel, estimate in (("NNGP", check.nngp), ("NTK", check.ntk)):
        scores = estimate.z_scores
        for column, point in enumerate(points):
            values = (m[0, column] for m in (estimate.limit, estimate.mean, estimate.standard_error, scores))
            rows.append(SampledRow(kernel, point, *(float(v) for v in values)))
    return Sampled(width, draws, seed, tuple(rows))
