"""The kernels of a network as this checker computes them: from the formula of the activation alone."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import factorial
from typing import Any

from flint import arb, arb_mat, arb_series, ctx

from proofs_check.replay.conjectures.chain import Chain, Layer
from proofs_check.replay.conjectures.duals import ArcCosine, Dual, HermiteDual, derivative_over, sum_of
from proofs_check.replay.conjectures.exact import ExactDual, exact_dual
from proofs_check.replay.conjectures.intervals import Interval
from proofs_check.replay.conjectures.masses import layer_of
from proofs_check.replay.expression import Refusal, ball
from proofs_check.replay.reading import Vector

MAX_SERIES, MAX_POINTS, MAX_VARIANCES = 400, 20, 60


@dataclass(frozen=True)
class Recipe:
    """A fully connected network: activations as expressions, one more weight and bias variance than these."""

    activations: tuple[Any, ...]
    weights: tuple[Fraction, ...]
    biases: tuple[Fraction, ...]


@dataclass(frozen=True)
class Own:
    """``order``: how many Hermite coefficients are computed; ``points`` and ``evidence`` (for each kernel a
    lower bound of the least eigenvalue and a vector whose Rayleigh quotient is the upper) for
    ``lambda_min``."""

    recipe: Recipe
    order: int
    points: tuple[Vector, ...] = ()
    evidence: dict[str, tuple[Fraction, Vector]] | None = None

    @cached_property
    def chain(self) -> Chain:
        q = ball(self.recipe.weights[0] + self.recipe.biases[0])
        layers = []
        for expr, w, b in self._later():
            layers.append(layer_of(expr, q, self.order))
            q = ball(w) * layers[-1].dual.total + ball(b)
        return Chain(tuple(layers), self.recipe.weights, self.recipe.biases)

    def _later(self) -> list[tuple[Any, Fraction, Fraction]]:
        recipe = self.recipe
        return list(zip(recipe.activations, recipe.weights[1:], recipe.biases[1:], strict=True))

    @cached_property
    def unit(self) -> Chain:
        first, *others = self.recipe.activations
        if any(other != first for other in others):
            raise Refusal("kappa and a(n) of a network with different activations")
        one, none = (Fraction(1), Fraction(1)), (Fraction(0), Fraction(0))
        if self.recipe.weights[0] + self.recipe.biases[0] == 1:
            return Chain(self.chain.layers[:1], one, none)
        return Chain((layer_of(first, arb(1), self.order),), one, none)

    @cached_property
    def exact(self) -> ExactDual | None:
        first, *others = self.recipe.activations
        return exact_dual(first) if all(other == first for other in others) else None

    # ------------------------------------------------------------------------- coefficients

    def hermite(self, n: int) -> Interval:
        return self.unit.layers[0].dual.coefficient(n)

    def series(self, kernel: str, n: int) -> Interval:
        row = self._coefficients(kernel)
        if n >= len(row):
            raise Refusal(f"the coefficient {n}; at most {MAX_SERIES} are allowed")
        return row[n]

    @cached_property
    def _rows(self) -> dict[str, list[Interval]]:
        return {}

    def _coefficients(self, kernel: str) -> list[Interval]:
        if kernel not in self._rows:
            size = min(self.order, MAX_SERIES) + 1
            if kernel == "kappa":
                self._rows["kappa"] = power_series(self.unit, size)[0]
            else:
                self._rows["nngp"], self._rows["ntk"] = power_series(self.chain, size)
        return self._rows[kernel]

    def eigenvalue(self, kernel: str, n: int, dim: int) -> Interval:
        """``sum_j c_j m(j, n, dim)``, ``m`` the eigenvalue of ``rho^j``."""
        chain = self.unit if kernel == "kappa" else self.chain
        row = self._coefficients(kernel)
        ends = []
        for rho in (1, -1):
            one, extra = (jet.c[0] for jet in chain.kernels(Interval.of(rho), 0))
            ends.append(one + extra if kernel == "ntk" else one)
        mass = (ends[0] + ends[1] * (-1) ** n) * Fraction(1, 2)
        wide = [k for k, c in enumerate(row) if not c.bounded or (c.high - c.low) > mass.high * arb(2) ** -40]
        row = row[: max(2, wide[0])] if wide else row
        known, total, last = Interval.of(0), Interval.of(0), len(row) - 1
        for j in range(n % 2, len(row), 2):
            known = known + row[j]
            if j >= n:
                total = total + row[j] * Interval.of(power_eigenvalue(j, n, dim))
        rest = max((mass - known).high, arb(0))
        if chain.degrees(False)[n % 2] <= last and chain.degrees(kernel == "ntk")[n % 2] <= last:
            rest = arb(0)  # no further powers of this parity
        # m(j + 2)/m(j) <= 1 from here on
        falling = last * (dim - 1) >= 2 + (n - 2) * (n + dim) and last >= n
        first = last + 1 + (last + 1 - n) % 2
        largest = power_eigenvalue(first, n, dim).upper() if falling else arb(1)
        return total + Interval(arb(0), (rest * largest).upper())

    # ------------------------------------------------------------------------- Gram matrices

    def smallest(self, kernel: str) -> Interval:
        """Between a stated number, shown to lie below by a factorisation, and a Rayleigh quotient."""
        if not self.points or not self.evidence or kernel not in self.evidence:
            raise Refusal("lambda_min without points, a lower bound and a vector")
        lower, vector = self.evidence[kernel]
        if len(vector) != len(self.points) or not any(vector):
            raise Refusal(f"a vector of {len(self.points)} entries, not all 0, is required")
        matrix = self._grams[kernel == "ntk"]
        column = arb_mat(len(vector), 1, [ball(v) for v in vector])
        norm = (column.transpose() * column)[0, 0]
        upper = ((column.transpose() * matrix * column)[0, 0] / norm).upper()
        if lower > 0 and not _positive(matrix, ball(lower)):
            raise Refusal("the stated lower bound of the least eigenvalue is not seen to be one")
        return Interval(max(Interval.of(lower).low, arb(0)), max(upper, arb(0)))

    @cached_property
    def _grams(self) -> tuple[arb_mat, arb_mat]:
        return gram_matrices(self.recipe, self.points, self.order)


def power_eigenvalue(j: int, k: int, dim: int) -> arb:
    """Of ``rho^j`` on the harmonics of degree ``k`` of the sphere in ``R^dim``, ``j >= k``, ``j = k`` mod
    2."""
    half = arb(1) / 2
    logs = (arb(dim) * half).lgamma() + arb(j + 1).lgamma() + (arb(j - k + 1) * half).lgamma()
    logs -= arb(j - k + 1).lgamma() + (arb(j + k + dim) * half).lgamma() + arb.pi().log() * half
    return (logs - arb(2).log() * k).exp()


def power_series(chain: Chain, size: int) -> tuple[list[Interval], list[Interval]]:
    """The coefficients of NNGP and NTK in ``rho`` below ``size``; all are at least 0, and 0 where shown."""
    before, ctx.cap = ctx.cap, size
    try:
        line = arb_series([ball(chain.biases[0]), ball(chain.weights[0])], size)
        kernel = tangent = line
        for layer, w, b in zip(chain.layers, chain.weights[1:], chain.biases[1:], strict=True):
            ratio = kernel / arb_series([layer.q], size)
            start = Interval.of(ratio[0]).meet(Interval(arb(0), arb(1)))
            inner = ratio - arb_series([ratio[0]], size) if ratio[0] != 0 else ratio
            inner = arb_series([arb(0), *(inner[k] for k in range(1, size))], size)
            outer, slope = _taylor(layer, start, size)
            duals, slopes = (arb_series([v.ball() for v in row], size) for row in (outer, slope))
            weight = arb_series([ball(w)], size)
            kernel = weight * _compose(duals, inner, size) + arb_series([ball(b)], size)
            tangent = kernel + weight * _compose(slopes, inner, size) * tangent
        supports = chain.supports(size)
        rows = []
        for series, extra in ((kernel, False), (tangent, True)):
            may = [a or (extra and b) for a, b in zip(*supports, strict=True)]
            values = [Interval.of(series[k] if may[k] else 0) for k in range(size)]
            rows.append([Interval(max(v.low, arb(0)), max(v.high, arb(0))) for v in values])
        return rows[0], rows[1]
    finally:
        ctx.cap = before


def _taylor(layer: Layer, start: Interval, size: int) -> tuple[list[Interval], list[Interval]]:
    """The dual and the dual of the derivative about a correlation, derivatives over factorials."""
    if not start.is_zero:
        duals = [derivative_over(layer.dual, k, start) / factorial(k) for k in range(size)]
        return duals, [layer.slope_over(k, start) / factorial(k) for k in range(size)]
    squares = [layer.dual.coefficient(n).power(2) for n in range(size + 1)]
    if layer.slope is not None:
        return squares[:-1], [layer.slope.coefficient(n).power(2) for n in range(size)]
    return squares[:-1], [squares[n + 1] * (n + 1) / layer.q for n in range(size)]


def _compose(outer: arb_series, inner: arb_series, size: int) -> arb_series:
    if all(inner[k] == 0 for k in range(size)):
        return arb_series([outer[0]], size)
    return outer(inner)


# ------------------------------------------------------------------------------------- pairs of inputs


def gram_matrices(recipe: Recipe, points: tuple[Vector, ...], order: int) -> tuple[arb_mat, arb_mat]:
    """NNGP and NTK at the points; variances that are equal share their coefficients."""
    size, dim = len(points), len(points[0])
    if size > MAX_POINTS:
        raise Refusal(f"{size} points; at most {MAX_POINTS} are allowed")
    products = [
        [sum((a * b for a, b in zip(x, y, strict=True)), Fraction(0)) / dim for y in points] for x in points
    ]
    norms = sorted({products[i][i] for i in range(size)})
    if len(norms) * len(recipe.activations) > MAX_VARIANCES:
        raise Refusal("too many different norms for so many layers")
    place = [norms.index(products[i][i]) for i in range(size)]
    w, b = recipe.weights[0], recipe.biases[0]
    cross = [[ball(w * p + b) for p in row] for row in products]
    tangent = [list(row) for row in cross]
    variances = [ball(w * q + b) for q in norms]
    for expr, w, b in zip(recipe.activations, recipe.weights[1:], recipe.biases[1:], strict=True):
        layers = [layer_of(expr, q, order) for q in variances]
        variances = [ball(w) * layer.dual.total + ball(b) for layer in layers]
        for i in range(size):
            for j in range(i + 1):
                one, two = layers[place[i]], layers[place[j]]
                same = products[i][i] == products[j][j] == products[i][j]
                r = Interval.of(1) if same else Interval.of(cross[i][j] / (one.q * two.q).sqrt())
                r = r.meet(Interval(arb(-1), arb(1)))
                dual, slope = _crossed(one, two, r)
                value = ball(w) * dual + ball(b)
                cross[i][j] = cross[j][i] = value
                tangent[i][j] = tangent[j][i] = value + ball(w) * slope * tangent[i][j]
    return arb_mat(cross), arb_mat(tangent)


def _crossed(one: Layer, two: Layer, r: Interval) -> tuple[arb, arb]:
    """``E phi(u) phi(v)`` and ``E phi'(u) phi'(v)`` for two variances and a correlation."""
    if one is two:
        return derivative_over(one.dual, 0, r).ball(), one.slope_over(0, r).ball()
    if isinstance(one.dual, ArcCosine):  # homogeneous
        return derivative_over(one.dual, 0, r).ball() * (two.q / one.q).sqrt(), one.slope_over(0, r).ball()
    return _mehler(*_sequence(one.dual), *_sequence(two.dual), r), _mehler(*_slopes(one), *_slopes(two), r)


def _sequence(dual: Dual) -> tuple[list[arb], arb]:
    """Coefficients, and the mass of those beyond."""
    assert isinstance(dual, HermiteDual)
    return list(dual.values), sum_of((Interval.of(dual.rests[0][0]), Interval.of(dual.rests[0][1]))).high


def _slopes(layer: Layer) -> tuple[list[arb], arb]:
    if layer.slope is not None:
        return _sequence(layer.slope)
    assert isinstance(layer.dual, HermiteDual)
    values = [arb(n).sqrt() * a / layer.q.sqrt() for n, a in enumerate(layer.dual.values)][1:]
    return values, ((layer.dual.rests[1][0] + layer.dual.rests[1][1]) / layer.q).upper()


def _mehler(one: list[arb], rest: arb, two: list[arb], other: arb, r: Interval) -> arb:
    ratio, total = r.ball(), arb(0)
    for a, b in reversed(list(zip(one, two, strict=True))):
        total = total * ratio + a * b
    power = arb(ratio.abs_upper()) ** len(one) if r.low < 0 or r.high > 0 else arb(0)
    return total + arb(0, (power * (rest * other).sqrt()).abs_upper())


def _positive(matrix: arb_mat, shift: arb) -> bool:
    """Whether ``matrix - shift`` is seen to be positive definite: the pivots of its elimination are
    positive."""
    size = matrix.nrows()
    rows = [[matrix[i, j] - (shift if i == j else 0) for j in range(size)] for i in range(size)]
    for k in range(size):
        if not rows[k][k] > 0:
            return False
        for i in range(k + 1, size):
            factor = rows[i][k] / rows[k][k]
            for j in range(k + 1, size):
                rows[i][j] -= factor * rows[k][j]
    return True
