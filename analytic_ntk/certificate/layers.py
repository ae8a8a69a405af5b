"""A network as JSON, each activation with the evidence for what it does to the null space."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from flint import fmpq, fmpq_mat

from analytic_ntk.activation import Activation
from analytic_ntk.certificate.evidence import independent, no_polynomial_of_degree, not_proportional
from analytic_ntk.certificate.expression import activation_json, dense_json, unknown_layer
from analytic_ntk.certificate.record import Json, texts
from analytic_ntk.errors import UndecidedError
from analytic_ntk.layers import Dense, Layer, LayerNorm, Nonlinearity, Residual
from analytic_ntk.positivity.linear import Vector, sparse
from analytic_ntk.positivity.nullspace import Features, input_features, push
from analytic_ntk.positivity.points import lines_of
from analytic_ntk.positivity.profile import profile


@dataclass(frozen=True)
class Known:
    """The vectors of a layer, and how much of them the evidence so far shows.

    ``exact``: the whole null space; else null vectors, maybe not all. ``apart``: no two are proportional.
    """

    features: Features
    exact: bool = True
    apart: bool = False

    @property
    def independent(self) -> bool:
        """Whether the evidence shows that there is no null vector."""
        return self.exact and self.features.nullity == 0

    @property
    def vectors(self) -> tuple[Vector, ...]:
        """Vectors with these null vectors and no others."""
        size = self.features.size
        rows, pivots = _echelon(self.features.null_vectors(), size)
        free = [k for k in range(size) if k not in pivots]
        found = []
        for k in range(size):
            row = rows[pivots.index(k)] if k in pivots else None
            found.append(tuple(-row[j] if row else Fraction(int(j == k)) for j in free))
        return tuple(found)


def described(layers: Sequence[Layer], points: Sequence[Vector], positive: bool) -> tuple[list[Json], Known]:
    """The layers with their evidence, and what is known after the last.

    ``positive``: strict positivity is what is to be shown, so that no layer may stay without evidence.
    """
    return _described(layers, Known(input_features(points)), positive)


def _described(layers: Sequence[Layer], known: Known, positive: bool) -> tuple[list[Json], Known]:
    found: list[Json] = []
    for layer in layers:
        features = push(layer, known.features)
        match layer:
            case Dense():
                found.append(dense_json(layer))
                known = Known(features, known.exact, known.apart)
            case Nonlinearity():
                entry, known = _activation(layer.activation, known, features, positive)
                found.append(entry)
            case Residual():
                branch, other = _described(layer.branch, known, False)
                found.append({"layer": "residual", "branch": branch})
                exact = known.independent or other.independent or (known.exact and other.exact)
                known = Known(features, exact, known.apart or other.apart)
            case LayerNorm():
                found.append({"layer": "layer-norm"})
                known = _normalised(known, features, positive)
            case _:
                raise unknown_layer(layer)
    return found, known


def _normalised(known: Known, features: Features, positive: bool) -> Known:
    lines = lines_of([sparse(z) for z in known.vectors])
    rank = features.size - known.features.nullity
    if known.exact and rank == len(lines.members):
        return Known(features)
    if positive and (known.apart or (known.exact and all(len(line) == 1 for line in lines.members))):
        return Known(features, exact=False, apart=True)
    raise UndecidedError(
        "a certificate with LayerNorm after dependent vectors of different directions",
        "independent vectors, or a strictly positive matrix of vectors no two of which are proportional",
    )


def _activation(
    activation: Activation, known: Known, features: Features, positive: bool
) -> tuple[Json, Known]:
    """An activation with the best evidence found, and what is known after it."""
    entry = activation_json(activation)
    if profile(activation).polynomial is not None:
        return entry, Known(features, known.exact, known.apart)
    size = features.size
    if known.apart and not known.exact:
        return entry | no_polynomial_of_degree(activation, max(0, size - 2)), Known(features)
    null = features.null_vectors()
    stated: Json = {"null_vectors": list(map(texts, null))} if null else {}
    if not known.exact:
        return entry | stated, Known(features, exact=False)
    vectors = known.vectors
    pivots = _echelon(null, size)[1]
    rest = [z for k, z in enumerate(vectors) if k not in pivots]
    try:
        return entry | stated | independent(activation, rest), Known(features)
    except UndecidedError:
        if not positive:
            return entry | stated, Known(features, exact=False)
        return entry | not_proportional(activation, vectors), Known(features, exact=False, apart=True)


def _echelon(null: Sequence[Vector], size: int) -> tuple[list[Vector], list[int]]:
    """The reduced echelon form and its pivots; the checker too drops the pivots and keeps the rest."""
    if not null:
        return [], []
    form, rank = fmpq_mat(len(null), size, [fmpq(e.numerator, e.denominator) for u in null for e in u]).rref()
    rows = [tuple(Fraction(int(form[i, j].p), int(form[i, j].q)) for j in range(size)) for i in range(rank)]
    return rows, [next(j for j, entry in enumerate(row) if entry) for row in rows]
