"""Piecewise analytic functions of a correlated pair, uniformly up to ``rho = +-1``.

``y = rho x + s t`` with ``x``, ``t`` independent and ``s^2 = 1 - rho^2``. The ``x``-line is cut at the
breakpoints of ``f``, and into *zones* (where the window ``|t| <= T`` meets a breakpoint of ``g``) and the
rest. Outside zones one part of ``g`` is met and the rule is panels in ``x`` times a trapezoidal rule in
``t``. In a zone the breakpoints are parallel to the axes of ``(x, y)``, and the density factors as in
:mod:`correlation`: panels in ``x`` times panels in ``y``, whose width follows ``s`` by itself because the
bound of the density off the real line, ``exp(y^2 / (2 s^2))``, does.
"""

from __future__ import annotations

from collections.abc import Sequence

from flint import arb

from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.gaussian.quadrature import tails
from analytic_ntk.gaussian.quadrature.correlation import Correlated, Pair
from analytic_ntk.gaussian.quadrature.scaled import BOUND_BITS
from analytic_ntk.gaussian.quadrature.segments import cut_bound, segments_of
from analytic_ntk.gaussian.quadrature.sheared import add_sheared
from analytic_ntk.gaussian.quadrature.windows import Account, between, outside_t, outside_x, pose, zones_of
from analytic_ntk.gaussian.quadrature.zone import add_zone


def double_cells(tasks: Sequence[Pair], law: Correlated, targets: Sequence[arb]) -> list[arb]:
    """``E f(x) g(y)`` for each pair under ``law`` with ``rho >= 0`` (or a ball around 0)."""
    problem = pose(tasks, law, targets)
    account = Account.of(len(tasks))
    zones = zones_of(problem)
    for low, high in zones:
        add_zone(problem, low, high, account)
    fs = [f for f, _ in tasks]
    for low, high in between(zones, problem.radius):
        for segment in segments_of(fs, problem.x_cuts, low, high):
            add_sheared(problem, segment, account)
    with working_precision(BOUND_BITS):
        for k, (f, g) in enumerate(tasks):
            account.add_error(k, outside_x(f, g, law, problem.radius))
            account.add_error(k, outside_t(f, g, law, problem.reach))
            for one, other, cuts in ((f, g, problem.x_cuts), (g, f, problem.y_cuts)):
                inner = tails.conditional(other.growth(), law.rho, law.variance)
                account.add_error(k, cut_bound(tails.product(one.growth(), inner), cuts, 1e9))
            tails.require_finite(account.errors[k], "the cells")
    return [value + arb(0, error) for value, error in zip(account.values, account.errors, strict=True)]
