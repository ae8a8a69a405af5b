"""The Taylor expansion of networks in their weights: kernels in the limit, and finite networks term by term.

    f(x; theta + step) = f_0(x) + f_L(x; step) + f_Q(x; step) + ..

:func:`kernel` is the kernel of the features of one order in the limit of infinite width (order 1: the NTK,
order 2: the QuadNTK), with its closed form, certified values, Gram matrices, :func:`power_series` and
eigenvalues on the :func:`sphere`. :func:`expand` computes the terms of a finite network of any depth.
"""

from __future__ import annotations

from analytic_ntk.theory.taylor.convergence import Rate, convergence
from analytic_ntk.theory.taylor.derivative import derivative
from analytic_ntk.theory.taylor.eigenvalues import sphere
from analytic_ntk.theory.taylor.expand import Expansion, expand
from analytic_ntk.theory.taylor.features import HessianKernel, feature_kernel, hessian_kernel
from analytic_ntk.theory.taylor.kernel import OffDiagonalKernel, TaylorKernel, kernel, off_diagonal
from analytic_ntk.theory.taylor.series import TaylorSeries, power_series

__all__ = [
    "Expansion",
    "HessianKernel",
    "OffDiagonalKernel",
    "Rate",
    "TaylorKernel",
    "TaylorSeries",
    "convergence",
    "derivative",
    "expand",
    "feature_kernel",
    "hessian_kernel",
    "kernel",
    "off_diagonal",
    "power_series",
    "sphere",
]
