"""The change of a finite network is a pairing of features, whatever their scaling."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from numpy.typing import NDArray

from analytic_ntk.errors import UndecidedError
from analytic_ntk.laws.cases import Case, OnData
from analytic_ntk.laws.doors import Doors, Points, Sides
from analytic_ntk.laws.law import Kind, Law, Outcome, Saboteur
from analytic_ntk.laws.measure import Plant, matrix_margin
from analytic_ntk.laws.of_grams import on_data
from analytic_ntk.laws.subject import Subject
from analytic_ntk.layers import Dense, Nonlinearity
from analytic_ntk.network import Network
from analytic_ntk.strategies import Shape, data_sets

Array = NDArray[np.float64]
POINTS = 2
_ROUNDING = 1e-14
"""Of a sum of products of features, relative to the sum of their absolute values."""


def _invariant(case: Case, doors: Doors) -> Outcome:
    """``sum_g <c_g Phi_g, Psi_g/c_g>`` against the pairing found without writing features down."""
    network, X, seed = on_data(case)
    sides = doors.sides(network, X, seed)
    total, largest = np.zeros_like(sides.pairing), np.zeros_like(sides.pairing)
    for phi, psi in zip(sides.phi, sides.psi, strict=True):
        total += phi @ psi
        largest += np.abs(phi) @ np.abs(psi)
    margin = matrix_margin(total - sides.pairing, _ROUNDING * largest)
    return Outcome(margin, trivial=not sides.pairing.any())


def _is_chain(network: Network) -> bool:
    layers = network.layers
    return (
        len(layers) in (3, 5)
        and all(isinstance(layer, Dense) for layer in layers[::2])
        and all(isinstance(layer, Nonlinearity) for layer in layers[1::2])
    )


def _strata(subject: Subject) -> tuple[SearchStrategy[Case], ...]:
    bound = min(subject.max_input_variance, Fraction(16))
    rows = data_sets((Shape.GAUSSIAN, Shape.HEXAGON, Shape.CLOSE), POINTS, max_variance=bound)
    return (st.builds(OnData, subject.networks(2).filter(_is_chain), rows, st.integers(0, 2**63 - 1)),)


def _skip(subject: Subject) -> str:
    from analytic_ntk.theory import banach

    if isinstance(subject.what, Network) and not _is_chain(subject.what):
        return "no chain of Dense and Nonlinearity with one or two hidden layers"
    try:
        for phi in subject.activations:
            banach.Domain(phi).radius(0.0)
    except UndecidedError as error:
        return f"no radius of convergence: {error.given}"
    return ""


# ------------------------------------------------------------------------------------ faults


def _faulty(change: Callable[[Sides, float], Sides]) -> Plant:
    def plant(doors: Doors, fault: Fraction) -> Doors:
        def sides(network: Network, X: Points, seed: int) -> Sides:
            return change(doors.sides(network, X, seed), float(fault))

        return replace(doors, sides=sides)

    return plant


def _first_degree(sides: Sides, fault: float) -> Sides:
    return replace(sides, psi=(sides.psi[0] * (1 + fault), *sides.psi[1:]))


def _both_multiplied(sides: Sides, fault: float) -> Sides:
    scaled = zip(sides.psi, sides.scaling, strict=True)
    return replace(sides, psi=tuple(psi * c**2 for psi, c in scaled))


def _lost_factorial(sides: Sides, fault: float) -> Sides:
    return replace(sides, phi=(sides.phi[0], 2 * sides.phi[1], *sides.phi[2:]))


INVARIANT = Law(
    name="pairing_smul_eq_pairing",
    statement="the change of a finite network is a pairing of features that does not depend on their scaling",
    latex=r"\sum_g\langle c_g\Phi_g(x),c_g^{-1}\Psi_g(\Delta)\rangle=\langle\Phi(x),\Psi(\Delta)\rangle",
    kind=Kind.FLOAT64,
    strata=_strata,
    check=_invariant,
    saboteurs=(
        Saboteur("features of the step too large in the first degree", _faulty(_first_degree)),
        Saboteur("both sides multiplied by the scaling", _faulty(_both_multiplied)),
        Saboteur("a factorial lost in the second degree", _faulty(_lost_factorial)),
    ),
    smallest_fault=1e-12,
    skip=_skip,
)

LAWS = (INVARIANT,)
