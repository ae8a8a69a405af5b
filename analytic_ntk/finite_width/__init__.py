"""Networks of finite width against the limit of infinite width.

:meth:`analytic_ntk.Network.sample` draws a finite network; the functions here ask how far such networks are
from the limit.
"""

from analytic_ntk.finite_width.agreement import Agreement, agreement
from analytic_ntk.finite_width.estimation import MeanEstimate, MonteCarlo, is_unbiased, monte_carlo
from analytic_ntk.finite_width.expansion import Expansion, Exponents, WidthLaw, bias_exponents, width_law
from analytic_ntk.finite_width.flow import Flow, Prediction, gradient_flow, max_learning_rate
from analytic_ntk.finite_width.paths import Convergence, convergence
from analytic_ntk.finite_width.sanity import KernelEstimate, SanityCheck, sample, sanity_check
from analytic_ntk.finite_width.training import Training, train
from analytic_ntk.layers.finite import EmpiricalKernels, FiniteNetwork, LayerKernels
from analytic_ntk.layers.units import require_count

__all__ = [
    "Agreement",
    "Convergence",
    "EmpiricalKernels",
    "Expansion",
    "Exponents",
    "FiniteNetwork",
    "Flow",
    "KernelEstimate",
    "LayerKernels",
    "MeanEstimate",
    "MonteCarlo",
    "Prediction",
    "SanityCheck",
    "Training",
    "WidthLaw",
    "agreement",
    "bias_exponents",
    "convergence",
    "gradient_flow",
    "is_unbiased",
    "max_learning_rate",
    "monte_carlo",
    "require_count",
    "sample",
    "sanity_check",
    "train",
    "width_law",
]
