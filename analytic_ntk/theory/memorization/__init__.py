"""Memorisation by narrow networks: the smallest eigenvalue of the tangent kernel of finite networks.

After S. Bombari, M. H. Amani, M. Mondelli, Memorization and Optimization in Deep Neural Networks with Minimum
Over-parameterization, NeurIPS 2022 (arXiv:2205.10217).
"""

from analytic_ntk.theory.memorization.blocks import Block, blocks
from analytic_ntk.theory.memorization.ceilings import (
    Ceiling,
    Ceilings,
    Tie,
    rank_ceilings,
    rescalings,
    ties,
)
from analytic_ntk.theory.memorization.fit import Fit, fit
from analytic_ntk.theory.memorization.limit import BlockSeries, block_series, prediction
from analytic_ntk.theory.memorization.neighbours import (
    Neighbour,
    karhadkar,
    montanari_zhong,
    nguyen,
    staircase,
)
from analytic_ntk.theory.memorization.phase import Phase, PhaseCell, phase
from analytic_ntk.theory.memorization.report import BlockReport, KernelReport, report
from analytic_ntk.theory.memorization.scaling import Draw, Scaling, Slope, log_slope, scaling
from analytic_ntk.theory.memorization.setting import Hypothesis, draw, hypotheses, paper_network
from analytic_ntk.theory.memorization.smallest import Smallest, smallest_eigenvalue

__all__ = [
    "Block",
    "BlockReport",
    "BlockSeries",
    "Ceiling",
    "Ceilings",
    "Draw",
    "Fit",
    "Hypothesis",
    "KernelReport",
    "Neighbour",
    "Phase",
    "PhaseCell",
    "Scaling",
    "Slope",
    "Smallest",
    "Tie",
    "block_series",
    "blocks",
    "draw",
    "fit",
    "hypotheses",
    "karhadkar",
    "log_slope",
    "montanari_zhong",
    "nguyen",
    "paper_network",
    "phase",
    "prediction",
    "rank_ceilings",
    "report",
    "rescalings",
    "scaling",
    "smallest_eigenvalue",
    "staircase",
    "ties",
]
