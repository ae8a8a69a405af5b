"""Strict positivity on whole domains: a theorem with its hypotheses checked, or a finite counterexample."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum
from fractions import Fraction
from typing import TYPE_CHECKING

import sympy as sp

from analytic_ntk.display import Reasoned
from analytic_ntk.errors import DomainError, UndecidedError
from analytic_ntk.layers import Dense, Layer, LayerNorm, Nonlinearity, Residual
from analytic_ntk.network import Network, require_network
from analytic_ntk.positivity.decide import PAPER, GramDecision, Positivity, Step, decide_gram, grows_at_most
from analytic_ntk.positivity.linear import Vector
from analytic_ntk.positivity.nullspace import input_features, push
from analytic_ntk.positivity.profile import Profile, profile

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAX_DIM = 100_000
"""Nothing depends on the dimension from 3 on; counterexamples are written out in full."""


class Domain(Enum):
    """Where the points may lie; in ``R^dim``. To 0 every point is proportional."""

    DISTINCT = "pairwise distinct points of R^d"
    NON_PROPORTIONAL = "pairwise non-proportional points of R^d"
    SPHERE = "distinct points of the sphere S^(d-1)"


@dataclass(frozen=True)
class Decision(Reasoned):
    """Whether a kernel is strictly positive definite on a domain.

    ``counterexample``: for ``SINGULAR``, points of the domain with their exact null vectors. ``steps`` are
    the hypotheses checked, layer by layer.
    """

    verdict: Positivity
    kernel: str
    domain: Domain
    dim: int
    steps: tuple[Step, ...]
    counterexample: GramDecision | None = None
    missing: str = ""

    def plot(self, axes: Axes | None = None) -> Axes:
        """The counterexample, as :meth:`GramDecision.plot` draws it.

        Raises :class:`DomainError` where there is none.
        """
        if self.counterexample is None:
            raise DomainError(f"a kernel that is {self.verdict.value}", "a counterexample to draw")
        return self.counterexample.plot(axes)

    def __str__(self) -> str:
        head = f"{self.kernel} on {self.domain.value}, d = {self.dim}: {self.verdict.value}"
        lines = [head, *(f"  {s.layer}: {s.fact} [{s.reference}]" for s in self.steps)]
        if self.counterexample is not None:
            points = "; ".join("(" + ", ".join(map(str, x)) + ")" for x in self.counterexample.points)
            null = ", ".join(map(str, self.counterexample.null_vectors[0]))
            lines += [f"  points {points}", f"  null vector ({null})"]
        if self.missing:
            lines.append(f"  missing: {self.missing}")
        return "\n".join(lines)


def decide(network: Network, dim: int, domain: Domain = Domain.DISTINCT, kernel: str = "ntk") -> Decision:
    """Whether the limiting kernel is strictly positive definite on a domain of ``R^dim``.

    "Yes" names the theorem used at each layer with its hypotheses; "no" gives a finite set of points of the
    domain and an exact null vector. Raises :class:`DomainError` for a bad dimension (the sphere needs
    ``dim >= 2``) or kernel.

    >>> from analytic_ntk import Network, activations
    >>> decide(Network.mlp(activations.relu, 1, 2, 1), dim=2).verdict
    <Positivity.STRICTLY_POSITIVE: 'strictly positive'>
    >>> found = decide(Network.mlp(activations.tanh, 3, 1, 0), 2, Domain.SPHERE)
    >>> found.verdict, [[int(e) for e in x] for x in found.counterexample.points]
    (<Positivity.SINGULAR: 'singular'>, [[1, 0], [-1, 0]])
    """
    require_network(network)
    if isinstance(dim, bool) or not isinstance(dim, int) or not 1 <= dim <= MAX_DIM:
        raise DomainError(f"dim = {dim!r}"[:60], f"an integer from 1 to {MAX_DIM}")
    if not isinstance(domain, Domain):
        raise DomainError(f"domain = {domain!r}", f"one of {', '.join(str(d) for d in Domain)}")
    if domain is Domain.SPHERE and dim == 1:
        raise DomainError("the sphere S^0", "dim >= 2", "use decide_gram on the two points")
    for phi in network.activations:
        if grows_at_most(phi) is not sp.oo:
            raise DomainError(
                f"{phi}, whose kernel is infinite from the variance {grows_at_most(phi)} on",
                "an activation with a kernel at every variance",
                "decide_gram, for given points",
            )
    try:
        for phi in network.activations:
            profile(phi)
    except UndecidedError as error:  # then on no points either
        return Decision(Positivity.UNDECIDED, kernel, domain, dim, (), None, str(error))
    if dim == 1 and domain is Domain.NON_PROPORTIONAL:  # one point, and its multiples are like it
        one = decide_gram(network, [[1]], kernel)
        counterexample = one if one.verdict is Positivity.SINGULAR else None
        return Decision(one.verdict, kernel, domain, dim, one.steps, counterexample, one.missing)
    degrees = _degrees(network)
    few = _candidates(dim, domain) if degrees is None else _dependent(degrees, dim, domain)
    for points in few:
        found = decide_gram(network, points, kernel)
        if found.verdict is Positivity.SINGULAR:
            found = _smallest(network, found)
            return Decision(Positivity.SINGULAR, kernel, domain, dim, found.steps, found)
    state = _START[domain]
    steps: list[Step] = []
    missing = "a theorem that covers these layers, or a counterexample beyond those tried"
    if degrees is not None:
        degree = max(degrees, default=-1)
        missing = f"a counterexample in full: polynomials of degree {degree}, whose rank is finite"
    try:
        for layer in network.layers:
            state, step = _push(layer, state)
            steps.append(step)
        if state.independent:
            return Decision(Positivity.STRICTLY_POSITIVE, kernel, domain, dim, tuple(steps))
    except UndecidedError as error:
        missing = str(error)
    return Decision(Positivity.UNDECIDED, kernel, domain, dim, tuple(steps), None, missing)


# ------------------------------------------------------------------------------------ counterexamples

_MOST = 24
"""Candidates have at most about so many points on a line or circle."""
_LONGEST, _ROUND = 200, 32
"""Polynomial networks: so many points on a line, so high a degree on a circle."""


def _candidates(dim: int, domain: Domain) -> Iterator[list[Vector]]:
    """Finite sets of the domain on which null vectors show, small ones first."""
    if domain is Domain.DISTINCT:
        yield [_point(dim, 0)]
        for size in (1, 2, 4, 8):
            yield [_point(dim, sign * k) for k in range(1, size + 1) for sign in (1, -1)]
        yield [_point(dim, k) for k in range(_MOST)]
    if dim > 1 and domain is not Domain.NON_PROPORTIONAL:
        for size in (1, 3, 6, 12):
            yield _antipodal(dim, [_on_circle(Fraction(k, size)) for k in range(size)])
    if dim > 1 and domain is not Domain.SPHERE:
        for size in (4, 8, _MOST):
            yield [_point(dim, 1, k) for k in range(size)]


def _degrees(network: Network) -> frozenset[int] | None:
    """Of the monomials that a network of polynomials reaches; ``None`` for other networks."""
    features = input_features([(Fraction(1),)])
    try:
        for layer in network.layers:
            features = push(layer, features)
    except UndecidedError:
        return None
    return features.degrees


def _dependent(degrees: frozenset[int], dim: int, domain: Domain) -> Iterator[list[Vector]]:
    """Points at which all monomials of these degrees are dependent (sharpness: the rank is finite)."""
    even, odd = (max((k for k in degrees if k % 2 == parity), default=-1) for parity in (0, 1))
    if domain is Domain.DISTINCT:
        if 0 not in degrees:
            yield [_point(dim, 0)]
        if min(even, odd) < 0:
            yield [_point(dim, 1), _point(dim, -1)]
        if len(degrees) < _LONGEST:  # on a half-line each degree has a rank of 1
            yield [_point(dim, k) for k in range(1, len(degrees) + 2)]
    elif domain is Domain.NON_PROPORTIONAL:
        if max(even, odd) < _LONGEST:  # polynomials in k of the top degree
            yield [_point(dim, 1, k) for k in range(max(even, odd) + 2)]
    elif min(even, odd) <= _ROUND:  # antipodes part the parities, c + 1 of degree c are left
        size = min(even, odd) + 2
        yield _antipodal(dim, [_on_circle(Fraction(k, size)) for k in range(size)])


def _point(dim: int, *entries: Fraction | int) -> Vector:
    return tuple(map(Fraction, entries)) + (Fraction(0),) * (dim - len(entries))


def _antipodal(dim: int, points: list[tuple[Fraction, Fraction]]) -> list[Vector]:
    return [_point(dim, *(sign * entry for entry in x)) for x in points for sign in (1, -1)]


def _on_circle(t: Fraction) -> tuple[Fraction, Fraction]:
    return (1 - t * t) / (1 + t * t), 2 * t / (1 + t * t)


def _smallest(network: Network, found: GramDecision) -> GramDecision:
    """The same counterexample on the support of the null vector with the fewest entries."""
    null = min(found.null_vectors, key=lambda u: sum(1 for entry in u if entry))
    return decide_gram(
        network, [x for x, entry in zip(found.points, null, strict=True) if entry], found.kernel
    )


# ------------------------------------------------------------------------------------ theorems


class _Ratios(Enum):
    """Which ``c`` can occur in ``z_j = c z_i`` for different points."""

    NONE = "no two are proportional"
    OPPOSITE = "only opposite ones are proportional"
    ANY = "proportional ones may occur"


@dataclass(frozen=True)
class _State:
    """What is known of the vectors of any finite set of points: they are distinct, and ..."""

    ratios: _Ratios
    zero: bool = False
    independent: bool = False
    unknown: bool = False

    def words(self) -> str:
        if self.unknown:
            return "distinct points may have equal features"
        if self.independent:
            return "features linearly independent"
        return f"features distinct, {self.ratios.value}{', one may be 0' if self.zero else ', none is 0'}"


_UNKNOWN = _State(_Ratios.ANY, zero=True, unknown=True)
_START = {
    Domain.DISTINCT: _State(_Ratios.ANY, zero=True),
    Domain.NON_PROPORTIONAL: _State(_Ratios.NONE),
    Domain.SPHERE: _State(_Ratios.OPPOSITE),
}


def _push(layer: Layer, state: _State) -> tuple[_State, Step]:
    match layer:
        case Dense():
            state, why = _after_dense(layer, state)
        case Nonlinearity():
            state, why = _after_activation(profile(layer.activation), state)
        case Residual():
            branch = state
            for inner in layer.branch:
                branch, _ = _push(inner, branch)
            state, why = _after_sum(state, branch), "sum of positive semidefinite matrices"
        case LayerNorm():
            state, why = _after_norm(state), "congruence"
        case _:
            state, why = _UNKNOWN, "unknown layer"
    name = str(layer.activation) if isinstance(layer, Nonlinearity) else type(layer).__name__
    return state, Step(name, state.words(), why)


def _after_dense(layer: Dense, state: _State) -> tuple[_State, str]:
    if sp.sympify(layer.weight_variance).is_zero:
        return _UNKNOWN, "the weights are 0"
    if state.unknown or sp.sympify(layer.bias_variance).is_zero:
        return state, "no bias" if sp.sympify(layer.bias_variance).is_zero else ""
    if state.independent:
        return state, "sum of positive semidefinite matrices"
    return _State(_Ratios.NONE), "bias: (z, 1) and (z', 1) are proportional only if equal"


def _after_activation(s: Profile, state: _State) -> tuple[_State, str]:
    if state.unknown or s.constant:
        return _UNKNOWN, "constant activation" if s.constant else ""
    if state.independent:
        return state, f"{PAPER}, Proposition 1: s is not constant"
    zero = state.zero and s.at_zero == 0
    if s.polynomial is None and not zero:
        if state.ratios is _Ratios.NONE:
            return replace(state, independent=True), f"{PAPER}, Theorem 3: s is not a polynomial"
        if s.even is None and s.odd is None:
            why = "Theorem 3 on every line: neither s(t) + s(-t) nor s(t) - s(-t) is a polynomial on t > 0"
            return replace(state, independent=True), f"{PAPER}, {why}"
    ratios, why = _Ratios.NONE, "s(c t) = k s(t) for no c != 1"
    if state.ratios is not _Ratios.NONE:
        mirror = s.scales(sp.S.NegativeOne)
        scaled = s.scales(sp.Integer(2)) if state.ratios is _Ratios.ANY else None
        if mirror == 1 or scaled == 1:
            return _UNKNOWN, "s(c t) = s(t) for some c != 1"
        if scaled is not None:
            ratios, why = _Ratios.ANY, "s(c t) = k s(t)"
        elif mirror is not None:
            ratios, why = _Ratios.OPPOSITE, "s(-t) = -s(t)"
    return _State(ratios, zero), why


def _after_sum(one: _State, other: _State) -> _State:
    if one.unknown or other.unknown:
        return one if other.unknown else other
    if one.independent or other.independent:
        return replace(one, independent=True)
    order = [_Ratios.NONE, _Ratios.OPPOSITE, _Ratios.ANY]
    return _State(min(one.ratios, other.ratios, key=order.index), one.zero and other.zero)


def _after_norm(state: _State) -> _State:
    if state.independent or state.unknown:
        return state
    if state.zero or state.ratios is _Ratios.ANY:
        return _UNKNOWN
    return state
