"""The kernels of a network as ``analytic_ntk`` derives them, for the search of proofs.

The rules are those of :mod:`proofs_check.replay.conjectures`; the numbers are not: Hermite coefficients,
moments, series, eigenvalues come from the package here, from the checker's own integration there.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import sympy as sp
from flint import arb, ctx

from analytic_ntk import spectrum
from analytic_ntk.activation import Activation
from analytic_ntk.arithmetic.interpret import exact_ball
from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.certificate import expression_json
from analytic_ntk.enclosure import Enclosure
from analytic_ntk.errors import AnalyticNTKError, DomainError, PrecisionError
from analytic_ntk.gaussian import quadrature
from analytic_ntk.gaussian.halves import halves
from analytic_ntk.gaussian.pieces import Pieces
from analytic_ntk.layers import Dense, Nonlinearity
from analytic_ntk.network import Network
from analytic_ntk.notation import x
from analytic_ntk.pair import Pair
from analytic_ntk.positivity import min_eigenvalue
from analytic_ntk.series import KernelSeries
from analytic_ntk.systems.ball import Ball, canonical, check_growth
from analytic_ntk.systems.series import coefficients_at
from proofs_check.replay.conjectures.chain import Chain, Layer
from proofs_check.replay.conjectures.duals import ArcCosine, Dual, HermiteDual
from proofs_check.replay.conjectures.exact import ExactDual, exact_dual
from proofs_check.replay.conjectures.intervals import Interval
from proofs_check.replay.conjectures.masses import LARGEST
from proofs_check.replay.expression import Refusal

BITS, SPARE = 128, 64
"""Of the search, and on top of them for what the kernels are made of."""
ORDERS = (64, 256, 512)
ENOUGH = 50
"""Bits below the whole that the Hermite coefficients left out may weigh."""
DIGITS, MAX_DEPTH = 25, 32


@dataclass(frozen=True)
class Shape:
    """A fully connected network with rational variances: ``Dense`` and ``Nonlinearity`` in turn."""

    network: Network
    activations: tuple[Activation, ...]
    weights: tuple[Fraction, ...]
    biases: tuple[Fraction, ...]

    @classmethod
    def of(cls, network: Network) -> Shape:
        """Raises :class:`DomainError` for other layers, for variances that are not rational, for weights
        0."""
        layers = network.layers
        kinds = [Dense if k % 2 == 0 else Nonlinearity for k in range(len(layers))]
        if len(layers) < 3 or any(type(layer) is not kind for layer, kind in zip(layers, kinds, strict=True)):
            raise DomainError(
                "a network of other layers",
                "Dense and Nonlinearity in turn, Dense first and last, for conjectures",
            )
        dense = [layer for layer in layers if isinstance(layer, Dense)]
        weights = tuple(_rational(layer.weight_variance, "weight_variance") for layer in dense)
        biases = tuple(_rational(layer.bias_variance, "bias_variance") for layer in dense)
        if len(layers) > 2 * MAX_DEPTH + 1:
            raise DomainError(f"depth {len(layers) // 2}", f"at most {MAX_DEPTH}, for conjectures")
        if min(weights) <= 0:
            raise DomainError(f"weight_variance = {min(weights)}", "a number > 0, for conjectures")
        activations = tuple(layer.activation for layer in layers if isinstance(layer, Nonlinearity))
        for phi in activations:
            phi.require_numeric()
        return cls(network, activations, weights, biases)

    @property
    def unit(self) -> Network:
        """One layer with variances 1 and 0: its NNGP is ``kappa``."""
        if len(set(self.activations)) > 1:
            raise Refusal("kappa and a(n) of a network with different activations")
        return Network.mlp(self.activations[0], 1, 1, 0)


def _rational(value: Any, name: str) -> Fraction:
    number = sp.sympify(value)
    if not isinstance(number, sp.Rational):
        raise DomainError(f"{name} = {number}", "a rational number, for conjectures")
    return Fraction(int(number.p), int(number.q))


@dataclass(frozen=True)
class Derived:
    """``reach``: the highest orders asked for, by the head of the term; ``X``: the points of
    ``lambda_min``."""

    shape: Shape
    order: int
    reach: dict[str, int]
    X: Any = None

    @cached_property
    def chain(self) -> Chain:
        shape, layers = self.shape, []
        with working_precision(BITS + SPARE):
            q = Ball().number(sp.Rational(*(shape.weights[0] + shape.biases[0]).as_integer_ratio()))
            for phi, w, b in zip(shape.activations, shape.weights[1:], shape.biases[1:], strict=True):
                layers.append(layer_of(phi, q, self.order))
                weight, bias = (exact_ball(sp.Rational(*v.as_integer_ratio())).real for v in (w, b))
                q = weight * layers[-1].dual.total + bias
        return Chain(tuple(layers), shape.weights, shape.biases)

    @cached_property
    def unit(self) -> Chain:
        phi = self.shape.unit.activations[0]
        with working_precision(BITS + SPARE):
            layer = layer_of(phi, arb(1), self.order)
        return Chain((layer,), (Fraction(1), Fraction(1)), (Fraction(0), Fraction(0)))

    @cached_property
    def exact(self) -> ExactDual | None:
        try:
            return exact_dual(expression_json(self.shape.unit.activations[0].expression))
        except (DomainError, Refusal):
            return None

    @property
    def is_enough(self) -> bool:
        """Whether more Hermite coefficients would hardly tell more."""
        chains = [*([self.chain] if "chain" in self.reach else []), *self._unit_if_any]
        duals = [layer.dual for chain in chains for layer in chain.layers]
        return all(
            isinstance(dual, ArcCosine)
            or dual.rests[0][0] + dual.rests[0][1] <= dual.total * arb(2) ** -ENOUGH
            for dual in duals
            if isinstance(dual, (ArcCosine, HermiteDual))
        )

    @property
    def _unit_if_any(self) -> tuple[Chain, ...]:
        return (self.unit,) if self.reach.get("kappa") is not None else ()

    # ------------------------------------------------------------------------- terms

    def hermite(self, n: int) -> Interval:
        row = self.table[n]
        return Interval.of(0) if row.expression == 0 else _interval(row.value)

    @cached_property
    def table(self) -> Any:
        phi = self.shape.unit.activations[0]
        return _decided(lambda: phi.hermite_table(self.reach["a"], DIGITS).rows)

    def series(self, kernel: str, n: int) -> Interval:
        found = self.unit_series if kernel == "kappa" else self.kernel_series
        name = "nngp" if kernel == "kappa" else kernel
        value = (found.nngp if name == "nngp" else found.ntk)[n]
        return _interval(found.enclosures(name)[n]) if value != 0 else Interval.of(0)

    @cached_property
    def kernel_series(self) -> KernelSeries:
        return _decided(lambda: self.shape.network.series(self.reach["series"], DIGITS))

    @cached_property
    def unit_series(self) -> KernelSeries:
        return _decided(lambda: self.shape.unit.series(self.reach["series"], DIGITS))

    @cached_property
    def spectra(self) -> dict[tuple[str, int], Any]:
        return {}

    def eigenvalue(self, kernel: str, n: int, dim: int) -> Interval:
        key = (kernel, dim)
        if key not in self.spectra:
            network = self.shape.unit if kernel == "kappa" else self.shape.network
            name = "nngp" if kernel == "kappa" else kernel
            found = _decided(lambda: spectrum.sphere(network, dim, self.reach["mu"], name, 15))
            self.spectra[key] = found.eigenvalues
        value = self.spectra[key][n]
        return _interval(value) if isinstance(value, Enclosure) else Interval.of(exact_ball(value).real)

    def smallest(self, kernel: str) -> Interval:
        return _interval(self.eigenvalues[kernel])

    @cached_property
    def eigenvalues(self) -> dict[str, Enclosure]:
        """``lambda_min`` of the kernels named in the statement."""
        return {
            kernel: _decided(lambda kernel=kernel: min_eigenvalue(self.shape.network, self.X, kernel, 15))
            for kernel in ("nngp", "ntk")
            if kernel in self.reach
        }

    @property
    def known_eigenvalues(self) -> tuple[Enclosure, ...]:
        return () if self.X is None else tuple(self.eigenvalues.values())


def _decided(compute: Any) -> Any:
    """What cannot be had to the digits leaves the statement undecided."""
    try:
        return compute()
    except PrecisionError as error:
        raise Refusal(str(error)) from error


def _interval(value: Enclosure) -> Interval:
    return Interval.between(value.lower, value.upper)


# ------------------------------------------------------------------------------------ one nonlinearity


class Closed(HermiteDual):
    """With the closed forms of the dual and of the derivative dual inside ``|r| < 1``, where the
    coefficients left out matter."""

    def with_closed_form(self, phi: Activation, q: arb) -> Closed:
        object.__setattr__(self, "_phi", phi)
        object.__setattr__(self, "_q", q)
        return self

    def halves(self, order: int, t: arb) -> tuple[Interval, Interval]:
        rough = super().halves(order, t)
        phi: Activation = self.__dict__["_phi"]
        q: arb = self.__dict__["_q"]
        width = max((part.high - part.low for part in rough), key=float)
        if order > 1 or not 0 < t < 1 or width <= self.total * arb(2) ** -ENOUGH:
            return rough
        values = []
        with working_precision(BITS + SPARE):
            for r in (t, -t):
                pair = Pair(q, q, q * r, arb(0), q * (1 - t))
                try:
                    found = Ball().duals(phi.pieces, phi.derivative, pair)
                except AnalyticNTKError:
                    return rough
                values.append(found[0] if order == 0 else q * found[1])
        plus, minus = values
        if not (plus.is_finite() and minus.is_finite()):
            return rough
        fine = Interval.of((plus + minus) / 2), Interval.of((plus - minus) / 2)
        parts = tuple(a.meet(b) for a, b in zip(rough, fine, strict=True))
        if any(part.low > part.high for part in parts):
            raise ArithmeticError(f"two enclosures of the dual of {phi} exclude each other at {t}")
        return parts[0], parts[1]


def layer_of(phi: Activation, q: arb, order: int) -> Layer:
    """A nonlinearity at variance ``q``, known by ``order + 1`` Hermite coefficients or in closed form."""
    check_growth(phi, q)
    if not (q > arb(2) ** -LARGEST and q < arb(2) ** LARGEST):
        raise DomainError(
            f"the variance {q.str(5, radius=False)} in a layer", f"one between 2^-{LARGEST} and 2^{LARGEST}"
        )
    if phi.is_continuous and phi.homogeneity == 1:
        right, left = _at(phi, 1), -_at(phi, -1)
        even, line = (exact_ball(sp.simplify((right + sign * left) / 2)).real for sign in (-1, 1))
        return Layer(ArcCosine(even, line, q), q)
    functions = [phi.pieces]
    if phi.is_continuous:
        functions.append(phi.derivative)
        if not phi.kinks:
            functions.append(phi.derivative.derivative())
    parities = [phi.parity, _flipped(phi.parity), phi.parity]
    dual = _measured(functions, parities, q, order, phi)
    slope: Dual | None = None
    if not phi.is_continuous:
        slope = _measured([phi.derivative], [_flipped(phi.parity)], q, order, None)
    return Layer(dual, q, slope)


def _at(phi: Activation, point: int) -> sp.Expr:
    return phi.pieces.part_at(sp.Integer(point)).subs(x, point)


def _flipped(parity: str | None) -> str | None:
    return {"even": "odd", "odd": "even"}.get(parity or "")


def _measured(
    functions: list[Pieces], parities: list[str | None], q: arb, order: int, phi: Activation | None
) -> HermiteDual:
    ball, goal = Ball(), int(ctx.prec) - 16
    ends, scale = [], arb(1)
    for f, parity in zip(functions, parities, strict=False):
        square = ball.second_moment(f, q)
        if parity is None:
            mirrored = quadrature.single(f, f, q, arb(-1), goal)
        else:
            mirrored = square if parity == "even" else -square
        ends.append((scale * square, scale * mirrored))
        scale = scale * q
    values = coefficients_at(functions[0], order, q, parities[0], ends[0][0])
    even, odd = (half.degree for half in halves(functions[0]))
    degrees = (even, odd)
    values = [
        arb(0) if (d := degrees[n % 2]) is not None and n > d else value for n, value in enumerate(values)
    ]
    if (
        phi is None
        or canonical(phi.pieces) is None
        or canonical(phi.derivative) is None
        or not phi.is_continuous
    ):
        return HermiteDual(tuple(values), tuple(ends), degrees)
    return Closed(tuple(values), tuple(ends), degrees).with_closed_form(phi, q)
