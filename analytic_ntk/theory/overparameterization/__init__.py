"""Shallow networks, all layers trained: does gradient descent converge, and how wide must the network be?

After Song, Ramezani-Kebrya, Pethick, Eftekhari, Cevher 2021 (arXiv 2111.01875). The paper's constants are not
known to us; every number here is our own, certified or statistical, and says which.
"""

from __future__ import annotations

from analytic_ntk.theory.overparameterization.adversary import Steepest, steepest
from analytic_ntk.theory.overparameterization.certificate import Certificate, Verdict, certify
from analytic_ntk.theory.overparameterization.feedforward import FeedForward
from analytic_ntk.theory.overparameterization.floor import HermiteFloor, hermite_floor
from analytic_ntk.theory.overparameterization.lipschitz import Sizes, lipschitz
from analytic_ntk.theory.overparameterization.ratio import (
    RatioExperiment,
    Task,
    digits_task,
    ratio_experiment,
    teacher_task,
)
from analytic_ntk.theory.overparameterization.search import (
    MinimalWidth,
    WidthGrowth,
    minimal_width,
    width_growth,
)
from analytic_ntk.theory.overparameterization.sufficient import Width, width
from analytic_ntk.theory.overparameterization.suprema import DerivativeBounds, bound_of, derivative_bounds

__all__ = [
    "Certificate",
    "DerivativeBounds",
    "FeedForward",
    "HermiteFloor",
    "MinimalWidth",
    "RatioExperiment",
    "Sizes",
    "Steepest",
    "Task",
    "Verdict",
    "Width",
    "WidthGrowth",
    "bound_of",
    "certify",
    "derivative_bounds",
    "digits_task",
    "hermite_floor",
    "lipschitz",
    "minimal_width",
    "ratio_experiment",
    "steepest",
    "teacher_task",
    "width",
    "width_growth",
]
