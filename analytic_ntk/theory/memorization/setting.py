"""The networks and data of the theorem, and what a given network and data set meet of its hypotheses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analytic_ntk.activation import Activation
from analytic_ntk.display import Shown
from analytic_ntk.errors import DomainError, UndecidedError
from analytic_ntk.finite_width.inputs import matrix
from analytic_ntk.gaussian.identities import as_polynomial
from analytic_ntk.layers.dense import Dense, FiniteDense
from analytic_ntk.layers.finite import FiniteNetwork
from analytic_ntk.layers.nonlinearity import FiniteNonlinearity, Nonlinearity
from analytic_ntk.layers.units import require_count
from analytic_ntk.network import Network

Array = NDArray[np.float64]


def paper_network(activation: Activation, widths: Sequence[int]) -> Network:
    """The network of Bombari, Amani, Mondelli 2022 with hidden widths ``n_1 .. n_{L-1}``, all ``beta_l = 1``.

    No biases; ``(W_l)_ij ~ N(0, 1/n_{l-1})`` but ``(W_L)_i ~ N(0, 1)``, and derivatives in the ``W_l``
    themselves: sample it with ``parametrisation="standard"``, as :func:`draw` does. The infinite network has
    the last weight variance ``n_{L-1}``.

    >>> from analytic_ntk import activations
    >>> paper_network(activations.tanh, [8, 4]).layers[-1]
    Dense(weight_variance=4, bias_variance=0)
    """
    if isinstance(widths, (str, bytes)) or not hasattr(widths, "__len__") or not len(widths):
        raise DomainError(f"widths = {widths!r}"[:100], "a list of at least one hidden width")
    for i, width in enumerate(widths):
        require_count(width, f"widths[{i}]", 1)
    layers: list[Dense | Nonlinearity] = [Dense(1, 0)]
    for _ in widths[:-1]:
        layers += [Nonlinearity(activation), Dense(1, 0)]
    return Network(*layers, Nonlinearity(activation), Dense(int(widths[-1]), 0))


def draw(activation: Activation, dim: int, widths: Sequence[int], rng: np.random.Generator) -> FiniteNetwork:
    """A draw of :func:`paper_network` with input dimension ``dim`` and one output.

    >>> import numpy as np
    >>> from analytic_ntk import activations
    >>> draw(activations.tanh, 5, [8, 4], np.random.default_rng(0)).size
    76
    """
    network = paper_network(activation, widths)
    return network.sample([*widths, 1], rng, dim, parametrisation="standard")


@dataclass(frozen=True)
class Hypothesis(Shown):
    """A hypothesis of a theorem, seen on given data: ``met`` is ``None`` where data alone cannot tell."""

    name: str
    met: bool | None
    detail: str


def widths_of(finite: FiniteNetwork) -> tuple[int, ...] | None:
    """``(d, n_1, .., outputs)`` of a chain of dense layers; ``None`` for another architecture."""
    if not all(isinstance(unit, (FiniteDense, FiniteNonlinearity)) for unit in finite.units):
        return None
    dense = [unit for unit in finite.units if isinstance(unit, FiniteDense)]
    return (finite.input_dim, *(unit.omega.shape[-1] for unit in dense))


def hypotheses(finite: FiniteNetwork, X: ArrayLike) -> tuple[Hypothesis, ...]:
    """What Theorem 3.1 of Bombari, Amani, Mondelli 2022 asks, seen on one network and its inputs.

    The theorem is asymptotic: "up to constants" is read as "with constant 1", which the numbers in ``detail``
    let the reader change. A hypothesis that is not met forbids nothing; it is only not covered.
    """
    rows = matrix(X, "X")
    widths = widths_of(finite)
    if widths is None:
        return (Hypothesis("fully connected", False, "another architecture"),)
    dense = [unit for unit in finite.units if isinstance(unit, FiniteDense)]
    acts = [unit.activation for unit in finite.units if isinstance(unit, FiniteNonlinearity)]
    hidden = widths[:-1]
    found = [Hypothesis("fully connected", True, " - ".join(map(str, widths)))]
    if len(hidden) < 3:
        found.append(Hypothesis("at least two hidden layers", False, f"{len(hidden) - 1}"))
    falls = all(n <= before for before, n in pairwise(hidden))
    found.append(Hypothesis("a pyramid", falls, " >= ".join(map(str, hidden)) + ("" if falls else " fails")))
    found.append(Hypothesis("no biases", all(unit.omega_0 is None for unit in dense), ""))
    smooth = all(act.is_continuous and not act.kinks for act in acts)
    found.append(Hypothesis("differentiable activations", smooth, ", ".join(dict.fromkeys(map(str, acts)))))
    found.append(Hypothesis("Lipschitz activations", _lipschitz(acts), ""))
    found.append(Hypothesis("non-linear activations", _curved(acts), ""))
    if len(hidden) >= 3:
        product = hidden[-1] * hidden[-2]
        detail = f"N = {len(rows)}, n_(L-1) n_(L-2) = {product}, ratio {len(rows) / product:.3g}"
        found.append(Hypothesis("N below n_(L-1) n_(L-2)", len(rows) < product, detail))
    norms = np.linalg.norm(rows, axis=1) / np.sqrt(rows.shape[1])
    detail = f"|x|/sqrt(d) from {norms.min():.3g} to {norms.max():.3g}"
    found.append(Hypothesis("norms of order sqrt(d)", bool(norms.min() > 0.5 and norms.max() < 2), detail))
    found.append(Hypothesis("Lipschitz concentration of the data", None, "a property of their law"))
    return tuple(found)


def _curved(acts: Sequence[Activation]) -> bool | None:
    """Whether no activation is affine."""
    try:
        return all(act.polynomial_degree is None or act.polynomial_degree > 1 for act in acts)
    except UndecidedError:
        return None


def _lipschitz(acts: Sequence[Activation]) -> bool | None:
    """Decided where all pieces are polynomials, and where one that reaches to infinity is a steep one."""
    decided: bool | None = True
    for act in acts:
        polys = [as_polynomial(part) for part in act.pieces.parts]
        if not act.is_continuous or any(p is not None and p.degree() > 1 for p in (polys[0], polys[-1])):
            return False
        if None in polys:
            decided = None
    return decided
