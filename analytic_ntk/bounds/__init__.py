"""Lower bounds of the smallest eigenvalue of kernel matrices, what they are made of, and how good they are.

For a kernel ``sum c_k rho^k`` with ``c_k >= 0`` (any NNGP or NTK on a sphere) and the correlations ``G`` of
``n`` points, ``sum_k c_k G^{o k}`` is a sum of positive semidefinite matrices (Schur). So for every ``K``
and ``r``, and with ``mu = max |rho_ij|``,

    lambda_min >= min_i [ sum_{k>=K} c_k - sum_{j != i} |sum_{k>=K} c_k rho_ij^k| ],
    lambda_min >= c_r lambda_min(G^{o r}),
    lambda_min >= sum_{k>=K} c_k (1 - (n - 1) mu^k),

the first and the last by Gershgorin on the tail; ``G^{o r}`` is the Gram matrix of the Khatri-Rao powers of
the points (the second with ``c_r = a_r^2``: Oymak, Soltanolkotabi 2019; Nguyen, Mondelli, Montufar 2021). The
first is positive for some ``K`` whenever points are distinct and not antipodal and infinitely many ``c_k``
are positive. Lists of exact numbers give certified answers, numpy arrays float64 ones; :func:`lower_bound`
takes a network and points as they are, :func:`compare` puts bounds beside the truth.
"""

from __future__ import annotations

from analytic_ntk.bounds.compare import Comparison, Comparisons, compare, sphere_points
from analytic_ntk.bounds.eigenvalue import (
    LowerBound,
    Zonal,
    gershgorin_bound,
    hadamard_bound,
    khatri_rao_bound,
    lambda_min_lower_bound,
)
from analytic_ntk.bounds.masses import derivative_tail_mass, mu, tail_mass
from analytic_ntk.bounds.network import lower_bound
from analytic_ntk.bounds.points import khatri_rao, khatri_rao_gram, mutual_coherence
from analytic_ntk.bounds.separation import separation, separation_bound

__all__ = [
    "Comparison",
    "Comparisons",
    "LowerBound",
    "Zonal",
    "compare",
    "derivative_tail_mass",
    "gershgorin_bound",
    "hadamard_bound",
    "khatri_rao",
    "khatri_rao_bound",
    "khatri_rao_gram",
    "lambda_min_lower_bound",
    "lower_bound",
    "mu",
    "mutual_coherence",
    "separation",
    "separation_bound",
    "sphere_points",
    "tail_mass",
]
