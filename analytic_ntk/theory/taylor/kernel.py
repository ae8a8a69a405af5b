"""The kernels of the Taylor features of two-layer networks, in the limit of infinite width.

With ``f = sqrt(w/m) sum_r v_r phi(z_r) + b_0``, ``z_r`` Gaussian with covariance ``S = w <x, y>/d + b``, the
derivative of order ``j`` in the first layer's parameters is ``v_r phi^(j)(z_r)`` times a ``j``-fold tensor
power of the input, so that

    first:  K_j = w S^j E phi^(j)(u) phi^(j)(v)
    all:    K_j + j w S^(j-1) E phi^(j-1)(u) phi^(j-1)(v)   (+ b for j = 1)

(in the second the derivative is taken once in a ``v_r``, at each of the ``j`` places of the tensor).
``j = 1``, ``all`` is the NTK; ``j = 2`` the QuadNTK (Bai, Lee 2020; Nichani, Bai, Lee 2022). No factorials:
the Taylor term ``f_j`` itself has the kernel ``K_j/(j!)^2``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import sympy as sp
from flint import arb
from numpy.typing import NDArray

from analytic_ntk.activation import Activation, constant
from analytic_ntk.arithmetic.interpret import exact_ball
from analytic_ntk.certify import certify
from analytic_ntk.display import Shown, Typeset
from analytic_ntk.enclosure import Enclosure
from analytic_ntk.errors import DomainError, NoClosedFormError
from analytic_ntk.exact import ExactNumber, exact_number, variance
from analytic_ntk.layers import Dense, Nonlinearity
from analytic_ntk.layers.arrays import require_finite
from analytic_ntk.network import Network, ball_pair
from analytic_ntk.notation import LATEX_NAMES, q11, q12, q22, rho
from analytic_ntk.pair import Pair
from analytic_ntk.systems.ball import Ball
from analytic_ntk.systems.exact import Exact
from analytic_ntk.theory.taylor.derivative import derivative, first_singular_order, require_kernel_order

LAYERS = ("first", "all")


@dataclass(frozen=True)
class Part(Shown):
    """``factor S^power E psi(u) psi(v)``: the dual is the NNGP of ``network``, ``w E psi psi``."""

    factor: int
    power: int
    network: Network


@dataclass(frozen=True)
class TaylorKernel(Shown):
    """The kernel of order ``order``; made by :func:`kernel`, which checks the arguments."""

    activation: Activation
    order: int
    weight_variance: sp.Expr
    bias_variance: sp.Expr
    layers: str

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        orders = (self.order,) if self.layers == "first" else (self.order, self.order - 1)
        return tuple(
            Part(1 if j == self.order else self.order, j, self._network(derivative(self.activation, j)))
            for j in orders
        )

    @property
    def constant(self) -> sp.Expr:
        """What the last bias adds: it has a first derivative only."""
        return self.bias_variance if self.layers == "all" and self.order == 1 else sp.S.Zero

    def _network(self, psi: Activation) -> Network:
        w, b = self.weight_variance, self.bias_variance
        return Network(Dense(w, b), Nonlinearity(psi), Dense(w, 0))

    # ------------------------------------------------------------------------------- the doors

    def formula(self, on: str | None = None) -> sp.Expr:
        """The kernel as an exact expression in ``q11 = <x, x>/d``, ``q22``, ``q12``, or with
        ``on="sphere"`` in ``rho`` for inputs with ``<x, x>/d = 1``. Where there is no closed form it holds
        an unevaluated ``Dual``.

        >>> from analytic_ntk import activations
        >>> from analytic_ntk.theory import taylor
        >>> taylor.kernel(activations.sin, 2).formula(on="sphere")
        rho**2*exp(-1)*sinh(rho)
        """
        given = _start(on)
        s = self.weight_variance * given.q12 + self.bias_variance
        total = self.constant
        for part in self.parts:
            pair = given
            for layer in part.network.layers:
                pair = layer.push(pair, Exact())
            total += part.factor * s**part.power * pair.q12
        return _shortest(total)

    def at(self, xx: ExactNumber, xy: ExactNumber, yy: ExactNumber, digits: int = 30) -> Enclosure:
        """Certified, for the input covariance ``<x, x>/d, <x, y>/d, <y, y>/d`` (exact numbers).

        ``digits`` certain digits, or, where the value cannot be told from 0, a radius of at most
        ``10^-digits sqrt(K(x, x) K(y, y))``. Raises :class:`DomainError` for floats, symbols and what is no
        covariance, :class:`PrecisionError` where the digits cannot be had.

        >>> from analytic_ntk import activations
        >>> from analytic_ntk.theory import taylor
        >>> print(taylor.kernel(activations.sin, 2).at(1, "3/10", 1, digits=12))
        0.0100824079840...
        """
        a, c, b = covariance(xx, xy, yy)
        self._require_numeric()

        def compute() -> tuple[tuple[arb, ...], arb]:
            start = ball_pair(a, c, b)
            w, shift, total = (
                exact_ball(e).real for e in (self.weight_variance, self.bias_variance, self.constant)
            )
            scale = abs(total)
            for part in self.parts:
                found = part.network.push(start, Ball())
                value, size = part.factor * found.q12, part.factor * (found.q11 * found.q22).sqrt()
                for _ in range(part.power):
                    value *= w * start.q12 + shift
                    size *= ((w * start.q11 + shift) * (w * start.q22 + shift)).sqrt()
                total, scale = total + value, scale + size
            return (total,), scale

        return certify(compute, digits, "the Taylor kernel")[0]

    def gram(self, X: Any, Y: Any = None) -> NDArray[np.float64]:
        """The float64 matrix on rows of inputs, ``(n, d), (m, d) -> (n, m)``; accuracy and errors as those of
        :meth:`analytic_ntk.Network.gram`.

        >>> import numpy as np
        >>> from analytic_ntk import activations
        >>> from analytic_ntk.theory import taylor
        >>> taylor.kernel(activations.erf, 2).gram(np.sqrt(2) * np.eye(2)).round(6).tolist()
        [[0.455528, 0.0], [0.0, 0.455528]]
        """
        self._require_numeric()
        w, b = self.weight_variance, self.bias_variance
        s = Network(Dense(w, b)).gram(X, Y, kernel="nngp")
        total = np.full_like(s, float(self.constant))
        with np.errstate(over="ignore", invalid="ignore"):
            for part in self.parts:
                total = total + part.factor * s**part.power * part.network.gram(X, Y, kernel="nngp")
        require_finite(total, "a kernel that overflows float64", "rescale the inputs or the variances")
        return total

    def _require_numeric(self) -> None:
        self.activation.require_numeric()
        for number, name in (
            (self.weight_variance, "weight_variance"),
            (self.bias_variance, "bias_variance"),
        ):
            if number.free_symbols:
                raise DomainError(f"{name} = {number}", "a number", "use formula() for symbols")


def kernel(
    activation: Activation,
    order: int,
    weight_variance: ExactNumber = 1,
    bias_variance: ExactNumber = 0,
    layers: str = "first",
) -> TaylorKernel:
    """The infinite-width kernel of the Taylor features of order ``order >= 1`` of a two-layer network.

    ``layers="first"``: derivatives in the weights and biases of the first layer; ``"all"``: in all
    parameters. With unit weight variance and no bias, ``"first"`` is
    ``(<x, y>/d)^j E phi^(j)(u) phi^(j)(v)``. Raises :class:`DomainError` for order 0 and where ``phi^(j)``
    is a distribution (ReLU, order 2): see :func:`off_diagonal`.
    """
    if not isinstance(activation, Activation):
        raise DomainError(f"activation = {activation!r}"[:100], "an Activation", "use Activation.parse(text)")
    require_kernel_order(order)
    if layers not in LAYERS:
        raise DomainError(f"layers = {layers!r}"[:100], '"first" or "all"')
    w, b = variance(weight_variance, "weight_variance"), variance(bias_variance, "bias_variance")
    found = TaylorKernel(activation, order, w, b, layers)
    _ = found.parts  # refuses a distribution now
    return found


@dataclass(frozen=True)
class OffDiagonalKernel(Typeset):
    """``S^j`` times the ``j``-th derivative of the dual in the covariance, for ``|rho| < 1`` **only**.

    Where ``phi^(j)`` holds a Dirac mass the kernel is infinite on the diagonal and no finite network has
    square integrable features of this order: it is the kernel of nothing, a function off ``rho = +-1``.
    For ReLU and order 2 on the sphere: ``rho^2/(2 pi sqrt(1 - rho^2))``.
    """

    activation: Activation
    order: int
    expression: sp.Expr
    """In ``q11, q22, q12``."""

    def latex(self) -> str:
        """In LaTeX."""
        return sp.latex(self.expression, symbol_names=LATEX_NAMES)

    def formula(self, on: str | None = None) -> sp.Expr:
        """As :meth:`TaylorKernel.formula`, for ``|rho| < 1`` only."""
        given = _start(on)
        return self.expression.xreplace({q11: given.q11, q22: given.q22, q12: given.q12})

    def at(self, xx: ExactNumber, xy: ExactNumber, yy: ExactNumber, digits: int = 30) -> Enclosure:
        """Certified, for ``xy^2 < xx yy``. Raises :class:`DomainError` on the line ``rho = +-1``."""
        a, c, b = covariance(xx, xy, yy)
        if not sp.expand(a * b - c * c).is_positive:
            raise DomainError(f"covariance xx = {a}, xy = {c}, yy = {b}", "xy^2 < xx*yy: off the diagonal")
        value = self.expression.xreplace({q11: a, q22: b, q12: c})
        return certify(lambda: ((exact_ball(value).real,), arb(1)), digits, "the off-diagonal kernel")[0]


def off_diagonal(activation: Activation, order: int) -> OffDiagonalKernel:
    """The first-layer kernel off ``rho = +-1`` where ``phi^(order)`` is a distribution, by Price's theorem.

    Unit weight variance, no bias. Raises :class:`DomainError` where ``phi^(order)`` is a function (use
    :func:`kernel`), :class:`NoClosedFormError` where the dual has no closed form.

    >>> from analytic_ntk import activations
    >>> off_diagonal(activations.relu, 2).formula(on="sphere")
    rho**2/(2*pi*sqrt(1 - rho**2))
    """
    if not isinstance(activation, Activation):
        raise DomainError(f"activation = {activation!r}"[:100], "an Activation", "use Activation.parse(text)")
    require_kernel_order(order)
    activation.require_numeric()
    found = first_singular_order(activation, order)
    if found is None:
        raise DomainError(
            f"derivative {order} of {activation}, a function", "a distribution", "use taylor.kernel"
        )
    last = found[0] - 1
    dual = Exact().expectations(derivative(activation, last), Pair(q11, q22, q12, sp.S.Zero)).q12
    value = dual
    for _ in range(order - last):
        value = sp.diff(value, q12)
    if value.has(sp.Derivative, sp.Subs):
        raise NoClosedFormError(f"the dual of {activation}", "a closed form")
    return OffDiagonalKernel(activation, order, sp.factor_terms(sp.simplify(q12**order * value)))


def covariance(xx: ExactNumber, xy: ExactNumber, yy: ExactNumber) -> tuple[sp.Expr, sp.Expr, sp.Expr]:
    """``xx, xy, yy`` as exact numbers. Raises :class:`DomainError` unless they are a covariance."""
    a, c, b = (constant(exact_number(v, n), n) for v, n in ((xx, "xx"), (xy, "xy"), (yy, "yy")))
    det = sp.expand(a * b - c * c)
    if a.is_negative or b.is_negative or not (det.is_nonnegative or sp.simplify(det).is_nonnegative):
        raise DomainError(
            f"covariance xx = {a}, xy = {c}, yy = {b}",
            "xx, yy >= 0 and xy^2 <= xx*yy (Cauchy-Schwarz)",
            "check the order: xx, xy, yy",
        )
    return a, c, b


_LONG = 150
"""Operations beyond which an expression is left as it is."""


def _shortest(expr: sp.Expr) -> sp.Expr:
    """The shorter of an expression and the same over one denominator."""
    if expr.count_ops() > _LONG:
        return expr
    return min((expr, sp.factor(expr)), key=lambda e: (e.count_ops(), len(str(e))))


def _start(on: str | None) -> Pair:
    if on is None:
        return Pair(q11, q22, q12, sp.S.Zero)
    if on == "sphere":
        return Pair(sp.S.One, sp.S.One, rho, sp.S.Zero)
    raise DomainError(f"on = {on!r}", 'None (general covariance) or "sphere"')
