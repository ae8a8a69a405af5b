"""What is known of the Gaussian ``g`` of a layer, and what each layer makes of it."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import comb

from proofs_check.replay.algebra import Form, plus, scaled
from proofs_check.replay.budget import Budget
from proofs_check.replay.expression import Refusal, rational
from proofs_check.replay.gram.activation import Activation
from proofs_check.replay.gram.relations import (
    MAX_BITS,
    Linear,
    bits,
    gram_matrix,
    lines,
    orthogonal,
)
from proofs_check.replay.independence import check_determinant, check_difference, check_samples
from proofs_check.replay.reading import (
    MAX_POINTS,
    Json,
    Vector,
    allow_only,
    read_field,
    read_variances,
    read_vectors,
)

ZERO, ONE = Fraction(0), Fraction(1)
DETERMINANT = ("samples", "radius", "determinant")
DIFFERENCE = ("points", "radius", "difference")


@dataclass(frozen=True)
class State:
    """``g_1 .. g_N``, centred and Gaussian, the pre-activations of the N inputs.

    ``vectors``: whatever holds of them linearly (``sum u_i z_i = 0``) holds of ``g`` almost surely.
    ``exact``: and nothing else does. ``apart``: no two of ``g_1 .. g_N`` are proportional, none is 0.
    """

    vectors: tuple[Vector, ...]
    exact: bool
    apart: bool = False

    @property
    def size(self) -> int:
        return len(self.vectors)

    @cached_property
    def gram(self) -> list[Vector]:
        return gram_matrix(self.vectors)

    def is_independent(self, places: tuple[int, ...], budget: Budget) -> bool:
        """Whether those are independent."""
        return self.exact and not Linear(budget).relations([self.vectors[i] for i in places])

    @property
    def everyone(self) -> tuple[int, ...]:
        return tuple(range(self.size))

    def is_apart(self, places: tuple[int, ...], zero: bool = False) -> bool:
        """No two proportional and none 0 (``zero``: or one)."""
        if self.apart:
            return True
        found, zeros = lines([self.vectors[i] for i in places])
        return self.exact and all(len(line) == 1 for line in found) and len(zeros) <= int(zero)


def unknown(size: int, apart: bool = False) -> State:
    """No relation known."""
    return State(Linear(Budget()).coordinates((), size)[0], exact=False, apart=apart)


# ------------------------------------------------------------------------------------ layers


def after_dense(layer: Json, state: State) -> State:
    """``weight_variance S + bias_variance``: a bias adds a coordinate 1, and so does no harm to the rest."""
    weight, bias = read_variances(layer)
    last = (ONE,) if bias else ()
    if not weight:
        return State(tuple(last or (ZERO,) for _ in state.vectors), exact=True)
    return State(tuple((*z, *last) for z in state.vectors), state.exact, state.apart)


def after_sum(one: State, other: State, budget: Budget) -> State:
    """A sum of independent Gaussians: what holds of it holds of both summands."""
    for state in (one, other):
        if state.is_independent(state.everyone, budget):
            return state
    apart = one.is_apart(one.everyone) or other.is_apart(other.everyone)
    vectors = tuple((*y, *z) for y, z in zip(one.vectors, other.vectors, strict=True))
    return State(Linear(budget).reduced(vectors), one.exact and other.exact, apart)


def after_norm(state: State, budget: Budget) -> State:
    """Each ``g_i`` divided by its standard deviation, which must not be 0."""
    if state.is_independent(state.everyone, budget):
        return state
    if state.is_apart(state.everyone):
        return unknown(state.size, apart=True)
    if not state.exact:
        raise Refusal("layer-norm: no variance may be 0, which is not shown here")
    found, zeros = lines(state.vectors)
    if zeros:
        raise Refusal("layer-norm: the variance of an input is 0")
    signs = {i: (k, 1 if ratio > 0 else -1) for k, line in enumerate(found) for i, ratio in line}
    vectors = tuple(
        tuple(Fraction(signs[i][1] * (k == signs[i][0])) for k in range(len(found))) for i in state.everyone
    )
    return State(vectors, exact=Linear(budget).rank(state.vectors) == len(found))


# ------------------------------------------------------------------------------------ activations


def after_activation(layer: Json, s: Activation, state: State, budget: Budget) -> State:
    """The Gram matrix ``E s(g_i) s(g_j)``, as far as the evidence goes."""
    if s.polynomial is not None:
        allow_only(layer, ("layer", "activation"))
        return _after_polynomial(sorted(s.polynomial), state, budget)
    null = read_vectors(layer, "null_vectors") if "null_vectors" in layer else ()
    for u in null:
        if len(u) != state.size:
            raise Refusal(f"null_vectors: {state.size} entries each are required")
        check_null_vector(s, state, u)
    vectors, free = Linear(budget).coordinates(null, state.size)
    basis = ("layer", "activation", "null_vectors")
    if "ratios" in layer:
        allow_only(layer, ("layer", "activation", *DIFFERENCE, "ratios"))
        _check_apart(layer, s, state, budget)
        return unknown(state.size, apart=True)
    if "samples" in layer:
        allow_only(layer, (*basis, *DETERMINANT))
        _check_samples(layer, s, state, free, budget)
        return State(vectors, exact=True)
    if "points" in layer:
        allow_only(layer, (*basis, *DIFFERENCE))
        _check_difference(layer, s, state, free, budget)
        return State(vectors, exact=True)
    allow_only(layer, basis)
    return State(vectors, exact=not free)


def _after_polynomial(powers: list[int], state: State, budget: Budget) -> State:
    """``sum u_i s(z_i . w) = 0`` exactly if ``sum u_i z_i^(tensor k) = 0`` for every power ``k`` of ``s``.

    The Gram matrix of those tensors is the ``k``-th entrywise power of that of the ``z_i``."""
    if not powers:
        return State(((ZERO,),) * state.size, exact=True)
    if max(powers) * sum(bits(row) for row in state.gram) > MAX_BITS:
        raise Refusal("rational numbers that grow too long")
    vectors = tuple(tuple(entry**k for k in powers for entry in row) for row in state.gram)
    dim = len(state.vectors[0])
    rank_at_most = sum(comb(dim + k - 1, k) for k in powers)
    return State(Linear(budget).reduced(vectors, rank_at_most), state.exact, state.apart and any(powers))


def check_null_vector(s: Activation, state: State, u: Vector) -> None:
    """``sum_i u_i s(z_i . w) = 0`` for almost every ``w``: on every line through 0 a polynomial
    ``sum_k p_k t^k``, and over the lines ``sum p_k z^(tensor k) = 0`` for each ``k``.

    Where relations may be missing an input may be 0 almost surely, which ``w`` does not know of: then ``s``
    must be continuous.
    """
    if not (state.exact or s.is_continuous):
        raise Refusal("null_vectors: s is not seen to be continuous")
    places = [i for i, entry in enumerate(u) if entry]
    found, zeros = lines([state.vectors[i] for i in places])
    at_zero: Form = scaled(s.at_zero, sum((u[places[i]] for i in zeros), ZERO)) if zeros else {}
    answers = [s.on_line([(u[places[i]], ratio) for i, ratio in line]) for line in found]
    heads = [places[line[0][0]] for line in found]
    for k in sorted({0}.union(*answers)):
        for probe in heads if k else heads[:1]:
            total = at_zero if k == 0 else {}
            for powers, head in zip(answers, heads, strict=True):
                total = plus(total, scaled(powers.get(k, {}), state.gram[head][probe] ** k))
            if total:
                raise Refusal("null_vectors: one that is not seen to be null")
    if not heads and at_zero:
        raise Refusal("null_vectors: one that is not seen to be null")


def _check_samples(layer: Json, s: Activation, state: State, free: tuple[int, ...], budget: Budget) -> None:
    """Points of the support of ``g`` with ``det [s(g_i)] != 0`` near them: the other functions are
    independent."""
    if not state.exact:
        raise Refusal("samples: the relations before this activation are not known exactly")
    samples = read_vectors(layer, "samples")
    chosen = [state.vectors[i] for i in free]
    if len(samples) != len(free) or len(samples[0]) != len(free):
        raise Refusal(f"samples: {len(free)} points of {len(free)} entries are required")
    for u in Linear(budget).relations(chosen):
        if not orthogonal(u, [*zip(*samples, strict=True)]):
            raise Refusal("samples: a point outside the support")
    check_samples(s.expression, samples, layer, budget)


def _check_difference(
    layer: Json, s: Activation, state: State, free: tuple[int, ...], budget: Budget
) -> None:
    """``s`` is not a polynomial of low degree: independent of what is independent or apart already."""
    count = check_difference(s.expression, layer, budget)
    if state.is_independent(free, budget) and count >= 2:
        return
    if count < max(2, len(free)):
        raise Refusal(f"points: {max(2, len(free))} are required, for the degrees up to {len(free) - 2}")
    if state.is_apart(free):
        return
    if not state.is_apart(free, zero=True):
        raise Refusal("points: two inputs of this activation may be proportional")
    if not s.is_nonzero_at_0:
        raise Refusal("s(0) is not seen to be nonzero")


def _check_apart(layer: Json, s: Activation, state: State, budget: Budget) -> None:
    """No two of ``s(g_i)`` are proportional: of ``g_i, g_j`` that are not, since ``s`` is not constant; of
    ``g_j = c g_i``, by a determinant for the ratio ``c``."""
    if check_difference(s.expression, layer, budget) != 2:
        raise Refusal("points: two that show s not constant are required")
    ratios = read_field(layer, "ratios", list)
    if len(ratios) > MAX_POINTS**2:
        raise Refusal("ratios: too many")
    shown: set[Fraction] = set()
    for entry in ratios:
        if not isinstance(entry, dict):
            raise Refusal("ratios: no object")
        allow_only(entry, ("ratio", "directions", "radius", "determinant"))
        ratio = rational(entry.get("ratio"), "ratio")
        check_determinant(s.expression, ((ONE,), (ratio,)), entry, budget)
        shown |= {ratio, 1 / ratio} if ratio else set()
    if state.apart:
        return
    if not state.exact:
        raise Refusal("ratios: the relations before this activation are not known exactly")
    found, zeros = lines(state.vectors)
    if len(zeros) > 1:
        raise Refusal("two inputs are 0")
    if zeros and not s.is_nonzero_at_0:
        raise Refusal("s(0) is not seen to be nonzero")
    for line in found:
        for j, (_, b) in enumerate(line):
            for _, a in line[:j]:
                if b / a not in shown:
                    raise Refusal(f"ratios: {str(b / a)[:40]} is missing")
