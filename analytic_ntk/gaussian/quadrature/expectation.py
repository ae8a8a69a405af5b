"""The four questions, and which rule answers them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeVar

from flint import arb, ctx

from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.errors import DomainError, PrecisionError
from analytic_ntk.gaussian.pieces import Pieces
from analytic_ntk.gaussian.quadrature import cells, coefficients, correlation, panels, tails, trapezoid
from analytic_ntk.gaussian.quadrature.correlation import Correlated
from analytic_ntk.gaussian.quadrature.scaled import Scaled
from analytic_ntk.gaussian.quadrature.trapezoid import GUARD_BITS

Rule = TypeVar("Rule")
Value = TypeVar("Value")

NARROW = 0.004
"""Below this ``sqrt(1 - rho^2)`` the common grid of the correlation form would need too many nodes."""


def _standardised(f: Pieces, q: arb, name: str) -> Scaled:
    if not q > 0:
        # a ball across 0 (a closed form that cancelled) asks for bits, not for another question
        wrong = DomainError if q <= 0 else PrecisionError
        raise wrong(f"{name} = {q.str(8)}", "a variance that is certainly positive", "raise the precision")
    return Scaled(f, q.sqrt())


def _is_analytic(*functions: Scaled) -> bool:
    return all(len(f.parts) == 1 for f in functions)


def _first(rules: Sequence[Rule], use: Callable[[Rule], Value]) -> Value:
    """What the first rule that finds a bound gives: where there is no strip, panels may still do."""
    for rule in rules[:-1]:
        try:
            return use(rule)
        except PrecisionError:
            pass
    return use(rules[-1])


def single(f: Pieces, g: Pieces, q: arb, scale: arb, goal_bits: int, even: bool = False) -> arb:
    """``E f(u) g(scale u)`` for ``u ~ N(0, q)``, as a ball.

    ``q`` is a positive ball and ``scale`` a ball off 0 (1 on the diagonal, -1 for antipodes); ``even`` says
    that the product is an even function (proved by the caller), which halves the work. Raises
    :class:`DomainError` where a part is not analytic or grows too fast, :class:`PrecisionError` where no
    finite error bound is found.

    >>> import sympy as sp
    >>> from flint import arb
    >>> from analytic_ntk.arithmetic.precision import working_precision
    >>> from analytic_ntk.gaussian.pieces import Pieces
    >>> from analytic_ntk.notation import x
    >>> tanh = Pieces.of(sp.tanh(x))
    >>> with working_precision(120):
    ...     single(tanh, tanh, arb(1), arb(1), 100).str(25, radius=False)
    '0.3942944903978411744164598'
    """
    one = _standardised(f, q, "q")
    other = Scaled(g, one.scale if scale == 1 else scale * one.scale)  # times 1 rounds: another ball
    rules = [panels.single_panels]
    if _is_analytic(one, other):
        rules.insert(1 if trapezoid.is_narrow(one, other, goal_bits) else 0, trapezoid.single_trapezoid)
    return _first(rules, lambda rule: rule(one, other, goal_bits, even))


def double(f: Pieces, g: Pieces, q11: arb, q22: arb, q12: arb, goal_bits: int) -> arb:
    """``E f(u) g(v)`` for ``(u, v) ~ N(0, [[q11, q12], [q12, q22]])`` with ``|rho| < 1``, as a ball.

    Raises :class:`PrecisionError` where the balls do not keep ``rho`` off ``+-1``; otherwise as
    :func:`single`.
    """
    (value,) = double_many([(f, g)], q11, q22, q12, goal_bits)
    return value


def double_many(
    pairs: Sequence[tuple[Pieces, Pieces]], q11: arb, q22: arb, q12: arb, goal_bits: int
) -> list[arb]:
    """:func:`double` for several pairs of functions under one Gaussian law, sharing nodes and densities.

    >>> import sympy as sp
    >>> from flint import arb
    >>> from analytic_ntk.arithmetic.precision import working_precision
    >>> from analytic_ntk.gaussian.pieces import Pieces
    >>> from analytic_ntk.notation import x
    >>> sine, cosine = Pieces.of(sp.sin(x)), Pieces.of(sp.cos(x))
    >>> with working_precision(120):
    ...     values = double_many([(sine, sine), (cosine, cosine)], arb(1), arb(1), arb(1) / 2, 100)
    ...     exact = [arb(-1).exp() * arb(0.5).sinh(), arb(-1).exp() * arb(0.5).cosh()]
    >>> [bool(v.contains(e)) for v, e in zip(values, exact)]
    [True, True]
    """
    bits = max(int(ctx.prec), goal_bits + GUARD_BITS)
    with working_precision(bits):
        law = _law(q11, q22, q12)
        lost = math.ceil(max(0.0, -math.log2(float(law.variance.lower()))))
    with working_precision(bits + 2 * lost):
        law = _law(q11, q22, q12)
        tasks = [(_standardised(f, q11, "q11"), _standardised(g, q22, "q22")) for f, g in pairs]
        if law.rho.mid() < 0:
            law = Correlated(-law.rho, law.variance, law.sigma)
            tasks = [(f, g.mirrored()) for f, g in tasks]
        targets = [tails.goal_radius(f, g, goal_bits) for f, g in tasks]
        values = [arb(0)] * len(tasks)
        live = [i for i, target in enumerate(targets) if target > 0]
        if live:
            found = _evaluate([tasks[i] for i in live], law, [targets[i] for i in live], goal_bits)
            for i, value in zip(live, found, strict=True):
                values[i] = value
        return values


def _law(q11: arb, q22: arb, q12: arb) -> Correlated:
    """The standardised law; :class:`PrecisionError` where ``|rho| < 1`` is not certain."""
    rho = q12 / (q11 * q22).sqrt()
    variance = (q11 * q22 - q12 * q12) / (q11 * q22)
    if not (variance > 0 and rho > -1 and rho < 1):
        raise PrecisionError(
            f"a correlation {rho.str(8)} not separated from +-1", "|rho| < 1 certainly", "raise the precision"
        )
    return Correlated(rho, variance, variance.sqrt())


def _evaluate(
    tasks: list[tuple[Scaled, Scaled]], law: Correlated, targets: list[arb], goal_bits: int
) -> list[arb]:
    if law.sigma > NARROW and all(_is_analytic(f, g) for f, g in tasks):
        try:
            plan = correlation.plan(tasks, law, targets, goal_bits)
            return correlation.correlation_form(tasks, law, targets, plan)
        except PrecisionError:
            pass  # no strip around the whole window: panels may still do
    return cells.double_cells(tasks, law, targets)


def hermite(f: Pieces, q: arb, order: int, goal_bits: int, parity: str | None = None) -> list[arb]:
    """``a_n = E f(sqrt(q) Z) h_n(Z)`` for ``n = 0, ..., order``, ``h_n`` normalised probabilists' Hermite.

    Radii aim at ``2^-goal_bits sqrt(E f^2)``. With ``parity`` (``"even"`` or ``"odd"``, proved by the caller)
    the coefficients that it kills are exactly 0. Raises as :func:`single`.

    >>> import sympy as sp
    >>> from flint import arb
    >>> from analytic_ntk.arithmetic.precision import working_precision
    >>> from analytic_ntk.gaussian.pieces import Pieces
    >>> from analytic_ntk.notation import x
    >>> with working_precision(120):
    ...     [a.str(10, radius=False) for a in hermite(Pieces.of(sp.exp(x)), arb(1), 2, 100)]
    ['1.648721271', '1.648721271', '1.165821991']
    """
    one = _standardised(f, q, "q")
    rules = [panels.hermite_panels]
    if _is_analytic(one):
        rules.insert(
            1 if coefficients.is_narrow(one, order, goal_bits) else 0, coefficients.hermite_trapezoid
        )
    return _first(rules, lambda rule: rule(one, order, goal_bits, parity))
