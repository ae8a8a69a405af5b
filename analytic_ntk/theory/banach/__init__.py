"""Gradient descent as sequential learning in a reproducing kernel Banach space.

In a neighbourhood of its parameters the change of a finite network is, exactly, a pairing of features of the
input with features of the step,

    f(x; theta + Delta) - f(x; theta) = <Phi(x), Psi(Delta)>,

obtained by putting the Taylor series of the activation into every unit (Shilton, Gupta, Rana, Venkatesh, ICML
2023, arXiv:2302.00205; all constants here are derived, see the page on this theory).

:func:`features` gives the pairing, its neighbourhood, its certified truncation error, the data kernel and the
norms of steps; :func:`replay` runs gradient descent beside the sequential problem; :func:`uniform_bound`
bounds the gap between training and test loss by what the run has cost.
"""

from __future__ import annotations

from analytic_ntk.theory.banach.bound import UniformBound, uniform_bound
from analytic_ntk.theory.banach.certified import CertifiedChange
from analytic_ntk.theory.banach.neighbourhood import Domain, Place
from analytic_ntk.theory.banach.pairing import Features, features
from analytic_ntk.theory.banach.sequence import Replay, replay

__all__ = [
    "CertifiedChange",
    "Domain",
    "Features",
    "Place",
    "Replay",
    "UniformBound",
    "features",
    "replay",
    "uniform_bound",
]
