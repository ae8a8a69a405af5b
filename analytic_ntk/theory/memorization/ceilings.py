"""What the kernel's rank cannot exceed, whatever the parameters: the reasons for an eigenvalue that is 0.

Everything here is exact: widths are integers, inputs are taken as the binary numbers they are, and parity,
homogeneity and degree of an activation are proved.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analytic_ntk.activation import Activation
from analytic_ntk.display import Shown
from analytic_ntk.errors import UndecidedError
from analytic_ntk.finite_width.inputs import matrix
from analytic_ntk.gaussian.identities import as_polynomial, canonical, vanishes
from analytic_ntk.layers.dense import FiniteDense
from analytic_ntk.layers.finite import FiniteNetwork
from analytic_ntk.layers.nonlinearity import FiniteNonlinearity
from analytic_ntk.notation import x
from analytic_ntk.positivity.linear import sparse
from analytic_ntk.positivity.monomials import monomial_dependencies
from analytic_ntk.positivity.points import lines_of
from analytic_ntk.theory.memorization.setting import widths_of

Array = NDArray[np.float64]
Degrees = frozenset[int]
_EXACT_RANK = 64
"""Points up to which the rank of their monomials is computed, not only the number of monomials."""
_MAX_DEGREE = 256
_FEW_ENTRIES = 50_000
_LEAST_SHARE = 1e-6


@dataclass(frozen=True)
class Ceiling(Shown):
    """``rank <= rank``, exactly, and why."""

    rank: int
    reason: str


@dataclass(frozen=True)
class Tie(Shown):
    """``f(x_second) = factor f(x_first)`` at every choice of the parameters, and so for all derivatives.

    ``factor = 0`` and ``first = second``: the network is 0 there, whatever its parameters.
    """

    first: int
    second: int
    factor: Fraction

    @property
    def said(self) -> str:
        """The relation in a line; a factor of many digits is shown rounded."""
        if self.factor == 0:
            return f"f(x_{self.second}) = 0"
        number = str(self.factor) if len(str(self.factor)) < 10 else f"{finite_float(self.factor):.6g}"
        shown = {Fraction(1): "", Fraction(-1): "-"}.get(self.factor, f"{number} ")
        return f"f(x_{self.second}) = {shown}f(x_{self.first})"


def finite_float(factor: Fraction) -> float:
    """The nearest float64, the largest one where the factor lies beyond it."""
    largest = Fraction(np.finfo(np.float64).max)
    return float(min(max(factor, -largest), largest))


@dataclass(frozen=True)
class Ceilings(Shown):
    """Of the whole kernel, smallest first, and of each block."""

    size: int
    whole: tuple[Ceiling, ...]
    blocks: tuple[Ceiling, ...]
    ties: tuple[Tie, ...]

    @property
    def best(self) -> Ceiling:
        return self.whole[0]

    @property
    def singular(self) -> bool:
        """Whether the smallest eigenvalue is 0 for a reason listed here; ``False`` says nothing."""
        return self.best.rank < self.size


def rank_ceilings(finite: FiniteNetwork, X: ArrayLike) -> Ceilings:
    """Upper bounds of the rank of ``K`` and of its blocks at the inputs ``X``, with their reasons.

    * the number of parameters; of block ``l``: ``n_{l-1} n_l`` (one more row with a bias, one less for each
      coordinate that is 0 in all inputs), and 0 before a piecewise constant activation;
    * that number less the rescalings of homogeneous units (:func:`rescalings`);
    * inputs tied to one another (:func:`ties`): equal, antipodal under odd or even activations without
      bias, on one ray under homogeneous ones, 0 where all activations vanish at 0;
    * polynomial activations: every derivative ``df/dtheta(x)`` is a polynomial in ``x`` whose degrees are
      known, so that the rank is at most that of the monomials of these degrees at ``X`` (linear activations
      without bias: at most ``d``).

    Raises :class:`DomainError` for bad inputs. Layers other than dense ones and activations leave the
    number of parameters and equal inputs.

    >>> import numpy as np
    >>> from analytic_ntk import activations
    >>> from analytic_ntk.theory.memorization import draw, rank_ceilings
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((4, 3))
    >>> found = rank_ceilings(draw(activations.tanh, 3, [8, 8], rng), np.concatenate([X, -X]))
    >>> found.best
    Ceiling(rank=4, reason='4 inputs are tied to others at all parameters: f(x_4) = -f(x_0), ...')
    """
    rows = matrix(X, "X")
    size = len(rows)
    found_ties = ties(finite, rows)
    blocks = _block_ceilings(finite, rows)
    whole = [Ceiling(min(size, finite.size), f"{finite.size} parameters")]
    idle = rescalings(finite)
    if idle:
        plural = "s of homogeneous units" if idle > 1 else " of a homogeneous unit"
        reason = f"{finite.size} parameters, less {idle} rescaling{plural}"
        whole.append(Ceiling(min(size, finite.size - idle), reason))
    if blocks:
        total = min(size, sum(block.rank for block in blocks))
        shown = " + ".join(str(block.rank) for block in blocks)
        whole.append(Ceiling(total, f"the ceilings of the blocks together, {shown}"))
    if found_ties:
        whole.append(Ceiling(size - len(found_ties), _tied(found_ties)))
    degrees = _degrees(finite)
    if degrees is not None:
        whole.append(
            _polynomial_ceiling(rows, frozenset[int]().union(*degrees), "the network is a polynomial")
        )
    whole.sort(key=lambda ceiling: ceiling.rank)
    return Ceilings(size, tuple(whole), blocks, found_ties)


def rescalings(finite: FiniteNetwork) -> int:
    """Directions in which the parameters can move and the network does not, at any input.

    Between two dense layers a unit with ``s(c t) = c^k s(t)``, ``c > 0``, allows its incoming weights (and
    bias) to grow by ``c`` while the outgoing ones fall by ``c^-k``: ``sum_in w df/dw = k sum_out w df/dw``,
    a linear relation of the columns of the Jacobian. Units whose incoming parameters are all 0 are not
    counted; the relations of the others are independent: seen from the first layer on, each has entries in
    a place where no later one has any.

    >>> import numpy as np
    >>> from analytic_ntk import activations
    >>> from analytic_ntk.theory.memorization import draw
    >>> rescalings(draw(activations.relu, 3, [8, 4], np.random.default_rng(0)))
    12
    """
    if widths_of(finite) is None:
        return 0
    found = 0
    dense: FiniteDense | None = None
    homogeneous = True
    for unit in finite.units:
        if isinstance(unit, FiniteDense):
            if dense is not None and homogeneous:
                found += _moving_units(dense)
            dense, homogeneous = unit, True
        elif isinstance(unit, FiniteNonlinearity):
            homogeneous = homogeneous and unit.activation.homogeneity is not None
    return found


def _moving_units(dense: FiniteDense) -> int:
    """Units of a layer with an incoming weight or bias that is not 0."""
    incoming = np.any([(np.asarray(p) != 0).any(axis=-2) for p in dense.parameters], axis=0)
    return int(incoming.reshape(-1, incoming.shape[-1]).all(axis=0).sum())


# ------------------------------------------------------------------------------------ ties


def ties(finite: FiniteNetwork, X: ArrayLike) -> tuple[Tie, ...]:
    """Pairs of inputs at which the outputs are proportional, whatever the parameters, decided exactly.

    From ``x_j = c x_i`` on, the factor goes through a layer without bias as it is, and through ``s`` where
    ``s(c t) = k s(t)`` for all ``t`` (homogeneous, even, odd); a bias lets only the factor 1 through. The
    derivatives in all parameters then have the factor of the output: ``J(x_j) = k_L J(x_i)``.
    """
    rows = matrix(X, "X")
    key = _class_of(finite)
    found: list[Tie] = []
    for members, ratios in _collinear(rows):
        first: dict[Fraction, int] = {}
        for k in members:
            if ratios[k] == 0 and _through(finite, Fraction(0)) == 0:
                found.append(Tie(k, k, Fraction(0)))
                continue
            known = first.setdefault(key(ratios[k]), k)
            if known != k:
                factor = _through(finite, ratios[k] / ratios[known] if ratios[k] else Fraction(1))
                assert factor is not None
                found.append(Tie(known, k, factor))
    return tuple(sorted(found, key=lambda tie: tie.second))


def _class_of(finite: FiniteNetwork) -> Callable[[Fraction], Fraction]:
    """What the ratios of two inputs on a line must share for a factor to get through: whether one does
    depends on the sign of the quotient and on whether it is 1 in size, no more."""
    if _through(finite, Fraction(-2)) is not None:
        return lambda ratio: Fraction(bool(ratio))
    if _through(finite, Fraction(2)) is not None:
        return lambda ratio: Fraction((ratio > 0) - (ratio < 0))
    if _through(finite, Fraction(-1)) is not None:
        return abs
    return lambda ratio: ratio


def _through(finite: FiniteNetwork, factor: Fraction) -> Fraction | None:
    """The factor of the output from that of the input, ``None`` where it gets lost."""
    if factor == 1:
        return factor
    if widths_of(finite) is None:
        return None
    current: Fraction | None = factor
    for unit in finite.units:
        assert current is not None
        if isinstance(unit, FiniteDense):
            if unit.omega_0 is not None and current != 1:
                return None
        elif isinstance(unit, FiniteNonlinearity):
            current = _after(unit.activation, current)
            if current is None:
                return None
    return current


def _after(phi: Activation, c: Fraction) -> Fraction | None:
    """``k`` with ``phi(c t) = k phi(t)`` for all ``t``, where it is known to exist."""
    if c == 1:
        return c
    if c == 0:
        return Fraction(0) if phi.is_continuous and vanishes(phi.expression.subs(x, 0)) else None
    sign = Fraction(1)
    if c < 0:
        parity = phi.parity
        if parity is None:
            return None
        sign = Fraction(1 if parity == "even" else -1)
    if abs(c) == 1:
        return sign
    degree = phi.homogeneity
    return None if degree is None else sign * abs(c) ** degree


def _collinear(rows: Array) -> list[tuple[list[int], dict[int, Fraction]]]:
    """Groups of two or more inputs on one line through 0, and each zero input, with their exact ratios."""
    zero = ~rows.any(axis=1)
    found: list[tuple[list[int], dict[int, Fraction]]] = []
    zeros = [int(k) for k in np.flatnonzero(zero)]
    if zeros:
        found.append((zeros, dict.fromkeys(zeros, Fraction(0))))
    rest = np.flatnonzero(~zero)
    for candidates in _candidates(rows[rest]):
        chosen = [int(rest[k]) for k in candidates]
        lines = lines_of([sparse(tuple(map(Fraction, rows[k].tolist()))) for k in chosen])
        for line in lines.members:
            if len(line) > 1:
                found.append(([chosen[m] for m in line], {chosen[m]: lines.ratios[m] for m in line}))
    return found


def _candidates(rows: Array) -> list[list[int]]:
    """Sets of inputs outside which no two are on one line: by the angle of two random projections."""
    count, dim = rows.shape
    if rows.size <= _FEW_ENTRIES or dim < 2:
        return [list(range(count))]
    scaled = rows / np.abs(rows).max(axis=1, keepdims=True)
    lengths = np.sqrt((scaled**2).sum(axis=1))
    rng = np.random.default_rng(0)
    for _ in range(20):
        one, other = rng.standard_normal((2, dim))
        a, b = scaled @ one, scaled @ other
        longest = max(float(np.linalg.norm(one)), float(np.linalg.norm(other)))
        if np.all(np.hypot(a, b) > _LEAST_SHARE * lengths * longest):
            break
    else:
        return [list(range(count))]
    angles = np.mod(np.arctan2(a, b), math.pi)
    # a rounding of the division, of the sums and of the angle, over the least share of the length
    reach = 16 * (dim + 8) * 2.0**-53 / _LEAST_SHARE
    order = np.argsort(angles)
    gaps = np.diff(angles[order]) > reach
    groups = [part.tolist() for part in np.split(order, np.flatnonzero(gaps) + 1)]
    if len(groups) > 1 and angles[order[0]] + math.pi - angles[order[-1]] <= reach:
        groups[0] += groups.pop()  # the angle is a point of a circle
    return [sorted(group) for group in groups if len(group) > 1]


def _tied(found: Sequence[Tie]) -> str:
    shown = ", ".join(tie.said for tie in found[:3]) + (", ..." if len(found) > 3 else "")
    count = f"{len(found)} input{'s are' if len(found) > 1 else ' is'} tied to others"
    return f"{count} at all parameters: {shown}"


# ------------------------------------------------------------------------------------ degrees


def _powers(phi: Activation) -> frozenset[int] | None:
    """The powers of a polynomial activation with a coefficient not 0; ``None`` for all others."""
    try:
        if phi.polynomial_degree is None:
            return None
        pieces = phi.pieces if len(phi.pieces.parts) == 1 else phi.pieces.map(canonical).merged()
        poly = as_polynomial(pieces.parts[0])
    except UndecidedError:
        return None
    return None if poly is None else frozenset(k for (k,), c in poly.terms() if not vanishes(c))


def _flat(phi: Activation) -> bool:
    """Whether ``phi' = 0`` away from jumps is shown."""
    return all(vanishes(part) for part in phi.derivative.parts)


def _sums(one: Degrees, other: Degrees) -> Degrees:
    return frozenset(a + b for a in one for b in other)


def _composed(powers: Degrees, inner: Degrees) -> Degrees:
    """The degrees that ``sum_j c_j g^j`` may have, ``g`` a polynomial with the degrees ``inner``."""
    found: Degrees = frozenset()
    power: Degrees = frozenset({0})
    for j in range(max(powers, default=-1) + 1):
        if j in powers:
            found |= power
        power = _sums(power, inner)
    return found


def _degrees(finite: FiniteNetwork) -> list[Degrees] | None:
    """For each block the degrees in ``x`` of its derivatives; ``None`` if an activation is no polynomial."""
    if widths_of(finite) is None:
        return None
    read: list[Degrees] = []
    slopes: list[Degrees | None] = []
    current: Degrees = frozenset({1})
    for unit in finite.units:
        read.append(current)
        slopes.append(None)
        if isinstance(unit, FiniteDense):
            current = current | ({0} if unit.omega_0 is not None else frozenset())
            read[-1] = current
        elif isinstance(unit, FiniteNonlinearity):
            powers = _powers(unit.activation)
            if powers is None or max(powers, default=0) * max(current, default=0) > _MAX_DEGREE:
                return None
            slopes[-1] = _composed(frozenset(k - 1 for k in powers if k), current)
            current = _composed(powers, current)
    back: Degrees = frozenset({0})
    found: list[Degrees] = []
    for features, slope in zip(reversed(read), reversed(slopes), strict=True):
        if slope is None:
            found.append(_sums(features, back))
        else:
            back = _sums(back, slope)
    return found[::-1]


def _polynomial_ceiling(rows: Array, degrees: Degrees, what: str) -> Ceiling:
    """The rank of all monomials of these degrees at the data, or their number."""
    size, dim = rows.shape
    count = sum(math.comb(dim + k - 1, k) for k in degrees)
    shown = ", ".join(map(str, sorted(degrees))) or "none"
    reason = f"{what} in x of degrees {shown}: {count} monomials"
    if size <= _EXACT_RANK and count:
        points = [tuple(map(Fraction, row)) for row in rows.tolist()]
        rank = size - len(monomial_dependencies(points, degrees))
        if rank < min(size, count):
            return Ceiling(rank, f"{reason}, of rank {rank} at these inputs")
    return Ceiling(min(size, count), reason)


def _block_ceilings(finite: FiniteNetwork, rows: Array) -> tuple[Ceiling, ...]:
    widths = widths_of(finite)
    if widths is None or finite.outputs != 1:
        return ()
    dense = [unit for unit in finite.units if isinstance(unit, FiniteDense)]
    acts = [unit.activation for unit in finite.units if isinstance(unit, FiniteNonlinearity)]
    if len(acts) != len(dense) - 1:
        return ()  # two dense layers in a row, or two activations: no more than the parameters is said
    degrees = _degrees(finite)
    found = []
    for place, unit in enumerate(dense):
        read = widths[place] + (unit.omega_0 is not None)
        if place == 0:
            read -= int((~rows.any(axis=0)).sum())
        # later activations of degree 1 leave B without x: one direction
        affine = all((_powers(phi) or frozenset({2})) <= {0, 1} for phi in acts[place:])
        back = 1 if affine else widths[place + 1]
        full = read * back == math.prod(unit.omega.shape[-2:]) + (unit.omega_0 is not None) * back
        best = Ceiling(
            min(len(rows), read * back), f"{read} x {back} {'parameters' if full else 'directions'}"
        )
        if any(_flat(phi) for phi in acts[place:]):
            best = Ceiling(0, "a later activation is piecewise constant: its derivative is 0")
        if degrees is not None:
            other = _polynomial_ceiling(rows, degrees[place], "its derivatives are polynomials")
            best = min(best, other, key=lambda ceiling: ceiling.rank)
        found.append(best)
    return tuple(found)
