"""Laws of the composition of layers: the recursion in depth, and the common null space of both kernels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction

import sympy as sp
from flint import arb
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from analytic_ntk.activation import Activation
from analytic_ntk.arithmetic.interpret import exact_ball
from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.enclosure import Enclosure
from analytic_ntk.errors import AnalyticNTKError
from analytic_ntk.gaussian import quadrature
from analytic_ntk.laws.cases import AtCovariance, Case, OnData
from analytic_ntk.laws.doors import Doors, remembered
from analytic_ntk.laws.law import Kind, Law, Outcome, Saboteur, Strata
from analytic_ntk.laws.measure import Plant, combination, faulty_at, overlap_margin, scaled
from analytic_ntk.laws.of_grams import on_data, on_data_sets
from analytic_ntk.laws.of_systems import is_zero, of_network
from analytic_ntk.laws.subject import Subject
from analytic_ntk.layers import Dense, Layer, LayerNorm, Nonlinearity, Residual
from analytic_ntk.network import KernelValues, Network
from analytic_ntk.positivity import Positivity, decide_gram
from analytic_ntk.strategies import Covariance, Shape, Stratum, covariances

DIGITS = 15
_SPARE_DIGITS = 20
_GOAL_BITS = 64
_BITS = 160


# ------------------------------------------------------------------------------------ the recursion


@dataclass(frozen=True)
class State:
    """Covariances and tangent kernel of one pair of inputs, in balls."""

    q11: arb
    q22: arb
    q12: arb
    ntk: arb


def push_by_definition(layer: Layer, s: State) -> State:
    """One layer from its definition: the expectations by rigorous quadrature, nothing else of the package.

    Raises :class:`TypeError` for a layer that is not the package's.
    """
    match layer:
        case Dense():
            w, b = (exact_ball(sp.sympify(v)).real for v in (layer.weight_variance, layer.bias_variance))
            q12 = w * s.q12 + b
            return State(w * s.q11 + b, w * s.q22 + b, q12, q12 + w * s.ntk)
        case Nonlinearity():
            phi, slope = layer.activation.pieces, layer.activation.derivative
            q11, q22 = (quadrature.single(phi, phi, q, arb(1), _GOAL_BITS) for q in (s.q11, s.q22))
            q12, change = quadrature.double_many(
                [(phi, phi), (slope, slope)], s.q11, s.q22, s.q12, _GOAL_BITS
            )
            return State(q11, q22, q12, s.ntk * change)
        case Residual():
            other = s
            for inner in layer.branch:
                other = push_by_definition(inner, other)
            return State(s.q11 + other.q11, s.q22 + other.q22, s.q12 + other.q12, s.ntk + other.ntk)
        case LayerNorm():
            norm = (s.q11 * s.q22).sqrt()
            return State(arb(1), arb(1), s.q12 / norm, s.ntk / norm)
    raise TypeError(f"no recursion is written here for {type(layer).__name__}")


def _last_step(network: Network) -> tuple[Network | None, tuple[Layer, ...]]:
    """The network before the last layers, and these: one, or a nonlinearity with the dense layer after it."""
    layers = network.layers
    cut = len(layers) - (2 if len(layers) > 1 and isinstance(layers[-2], Nonlinearity) else 1)
    return (Network(*layers[:cut]) if cut else None), layers[cut:]


def _recursion(case: Case, doors: Doors) -> Outcome:
    """The last layers by definition on the certified kernels of what comes before, against the network."""
    network, xx, xy, yy = of_network(case)
    if xy * xy == xx * yy:
        return Outcome(0.0, trivial=True)  # not off the line rho = +-1, where the definition has a density
    before, last = _last_step(network)
    pairs = ((xx, xx, xx), (yy, yy, yy), (xx, xy, yy))
    if before is None:
        start = [Enclosure(v, Fraction(0)) for v in (xx, yy, xy, Fraction(0))]
    else:
        deep = [doors.at(before, *pair, DIGITS + _SPARE_DIGITS) for pair in pairs]
        start = [deep[0].nngp, deep[1].nngp, deep[2].nngp, deep[2].ntk]
    with working_precision(_BITS):
        state = State(*(value.ball() for value in start))
        for layer in last:
            state = push_by_definition(layer, state)
        by_hand = KernelValues(Enclosure.of(state.q12), Enclosure.of(state.ntk))
    found = doors.at(network, xx, xy, yy, DIGITS)
    margins = overlap_margin(found.nngp, by_hand.nngp), overlap_margin(found.ntk, by_hand.ntk)
    return Outcome(max(margins), is_zero(found.nngp, found.ntk))


def _prefixes(network: Network) -> list[Network]:
    """The network, then its beginnings that are networks too."""
    cuts = [k for k in range(1, len(network.layers) + 1) if network.layers[k - 1].gives_gaussian]
    return [Network(*network.layers[:k]) for k in reversed(cuts)]


def _networks_at_covariances(*groups: tuple[Stratum, ...]) -> Strata:
    def build(target: Network, c: Covariance) -> AtCovariance:
        return AtCovariance(target, c.xx, c.xy, c.yy)

    def strata(subject: Subject) -> tuple[SearchStrategy[Case], ...]:
        cut = subject.networks().flatmap(lambda network: st.sampled_from(_prefixes(network)))
        bound = subject.max_input_variance
        return tuple(st.builds(build, cut, covariances(group, bound)) for group in groups)

    return strata


def _skip_recursion(subject: Subject) -> str:
    known = (Dense, Nonlinearity, Residual, LayerNorm)
    if isinstance(subject.what, Network):
        todo = list(subject.what.layers)
        while todo:
            layer = todo.pop()
            if not isinstance(layer, known):
                return f"the recursion of {type(layer).__name__} is not known here"
            todo += list(getattr(layer, "branch", ()))
    return ""


def _without_biases(layer: Layer) -> Layer:
    if isinstance(layer, Dense):
        return Dense(layer.weight_variance, 0)
    return Residual(*map(_without_biases, layer.branch)) if isinstance(layer, Residual) else layer


def _in_place_of(change: Callable[[Layer], tuple[Layer, ...]]) -> Plant:
    """The certified kernels of another network than was asked about: its last layer has the fault."""

    def plant(doors: Doors, fault: Fraction) -> Doors:
        def at(network: Network, xx: Fraction, xy: Fraction, yy: Fraction, digits: int) -> KernelValues:
            if digits > DIGITS:  # the layers before the last ones are left as they are
                return doors.at(network, xx, xy, yy, digits)
            return doors.at(Network(*network.layers[:-1], *change(network.layers[-1])), xx, xy, yy, digits)

        return replace(doors, at=at)

    return plant


def _counted_once(layer: Layer) -> tuple[Layer, ...]:
    return layer.branch if isinstance(layer, Residual) else (layer,)


def _no_own_share(doors: Doors, fault: Fraction) -> Doors:
    """The NTK without its first summand, the NNGP."""

    def at(network: Network, xx: Fraction, xy: Fraction, yy: Fraction, digits: int) -> KernelValues:
        found = doors.at(network, xx, xy, yy, digits)
        if digits > DIGITS:
            return found
        return KernelValues(found.nngp, combination([(1, found.ntk), (-1, found.nngp)]))

    return replace(doors, at=at)


RECURSION = Law(
    name="kernel_succ_eq_push_kernel",
    statement="one layer deeper the kernels are the recursion on those before, by its definition",
    latex=r"\Sigma_{l+1}=w\,\mathbb{E}\varphi(u)\varphi(v)+b,\quad "
    r"\Theta_{l+1}=\Sigma_{l+1}+w\,\mathbb{E}\varphi'(u)\varphi'(v)\,\Theta_l",
    kind=Kind.CERTIFIED,
    strata=_networks_at_covariances(
        (Stratum.GENERIC, Stratum.EQUAL_NORMS), (Stratum.ORTHOGONAL,), (Stratum.GENERIC, Stratum.TINY)
    ),
    check=_recursion,
    saboteurs=(
        Saboteur("NTK too large", faulty_at(False, True, lambda xx, xy, yy: True)),
        Saboteur("NNGP too large", faulty_at(True, False, lambda xx, xy, yy: True)),
        Saboteur("bias left out", _in_place_of(lambda layer: (_without_biases(layer),))),
        Saboteur("residual branch without its skip", _in_place_of(_counted_once)),
        Saboteur("NTK without the share of the last layer", _no_own_share),
    ),
    smallest_fault=1e-26,
    skip=_skip_recursion,
)


# ------------------------------------------------------------------------------------ null spaces


@remembered(256)
def _null_vectors(network: Network, X: tuple[tuple[float, ...], ...]) -> tuple[tuple[Fraction, ...], ...]:
    decision = decide_gram(network, [[Fraction(e) for e in row] for row in X], "nngp")
    return () if decision.verdict is Positivity.UNDECIDED else decision.null_vectors


MOST_VECTORS = 2


def _null_space(case: Case, doors: Doors) -> Outcome:
    """``u^T K u`` in certified digits for exact null vectors ``u`` of the NNGP: 0 for the NTK too.

    The other inclusion is :data:`~analytic_ntk.laws.of_grams.SCHUR`.
    """
    network, X, _ = on_data(case)
    vectors = _null_vectors(network, X)[:MOST_VECTORS]
    rows = [[Fraction(e) for e in row] for row in X]
    worst = 0.0
    for u in vectors:
        support = [i for i, c in enumerate(u) if c != 0]
        terms: list[tuple[Fraction, KernelValues]] = []
        for i in support:
            for j in support:
                if j > i:
                    continue
                inner = [
                    sum((a * b for a, b in zip(rows[k], rows[m], strict=True)), Fraction(0)) / len(rows[k])
                    for k, m in ((i, i), (i, j), (j, j))
                ]
                if inner[0] > inner[2]:
                    inner.reverse()
                found = doors.at(network, inner[0], inner[1], inner[2], DIGITS)
                terms.append((u[i] * u[j] * (1 if i == j else 2), found))
        for kernel in ("nngp", "ntk"):
            total = combination((c, getattr(found, kernel)) for c, found in terms)
            worst = max(worst, overlap_margin(total, Enclosure(Fraction(0), Fraction(0))))
    distinct = any(len({X[i] for i, c in enumerate(u) if c}) > 1 for u in vectors)
    return Outcome(worst, trivial=not distinct)


_RING = ((2, 0), (1, 1), (-1, 1), (-2, 0), (-1, -1), (1, -1))
_RAYS = tuple((c * a, c * b) for c in (1, 2, -1, -2) for a, b in ((2, 0), (1, 1)))
"""Points that are dependent if any are: three antipodal pairs, and two lines of four points each."""


def _dependent(subject: Subject) -> list[tuple[tuple[float, ...], ...]]:
    """Of the ring and the rays, small enough for the subject, those with an exact null vector."""
    network = subject.what
    if isinstance(network, Activation):
        network = Network.mlp(network, 1, "1", 0)
    scale = 1.0
    while scale * scale * 4 >= subject.max_input_variance:
        scale /= 2
    sets = [tuple((scale * a, scale * b) for a, b in rows) for rows in (_RING, _RAYS)]
    return [rows for rows in sets if _null_vectors(network, rows)]


def _dependent_data(subject: Subject) -> tuple[SearchStrategy[Case], ...]:
    """The dependent points without biases, in one hidden layer and in more; and random ones."""
    found = _dependent(subject)
    seeds = st.just(0)
    fixed = [
        st.builds(OnData, subject.networks(depth, ("0",)), st.sampled_from(found), seeds) for depth in (1, 2)
    ]
    return (*fixed, *on_data_sets((Shape.HEXAGON, Shape.CLOSE, Shape.GRID))(subject))


def _skip_null_space(subject: Subject) -> str:
    try:
        if _dependent(subject):
            return ""
    except AnalyticNTKError as error:
        return f"no null vectors known: {error.given}"
    return "no null vectors to test: the NNGP is strictly positive even on antipodal and collinear points"


def _bent(doors: Doors, fault: Fraction) -> Doors:
    def at(network: Network, xx: Fraction, xy: Fraction, yy: Fraction, digits: int) -> KernelValues:
        found = doors.at(network, xx, xy, yy, digits)
        return found if xx == xy == yy else KernelValues(found.nngp, scaled(found.ntk, 1 + fault))

    return replace(doors, at=at)


NULL_SPACE = Law(
    name="ker_ntk_eq_ker_nngp",
    statement="the NTK has the null space of the NNGP: exact null vectors of one are null vectors of both",
    latex=r"\ker\Theta(X)=\ker\Sigma(X)",
    kind=Kind.CERTIFIED,
    strata=_dependent_data,
    check=_null_space,
    saboteurs=(Saboteur("NTK too large off the diagonal", _bent),),
    smallest_fault=1e-24,
    reference="x*erf(x)",
    skip=_skip_null_space,
)

LAWS = (RECURSION, NULL_SPACE)
