"""Reports: one activation and its kernels, as data, on the terminal and as a page."""

from analytic_ntk.report.builder import build
from analytic_ntk.report.data import Report

__all__ = ["Report", "build"]
