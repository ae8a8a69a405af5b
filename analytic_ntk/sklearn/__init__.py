"""Kernels and estimators for scikit-learn: ``pip install "analytic-ntk[sklearn]"``.

Imported on request only; nothing else of the package needs scikit-learn.
"""

from __future__ import annotations

from importlib.util import find_spec

if find_spec("sklearn") is None:
    raise ImportError(
        "analytic_ntk.sklearn needs scikit-learn; what to do: "
        'run python -m pip install "analytic-ntk[sklearn]"'
    )

from analytic_ntk.sklearn.estimators import InfiniteWidthClassifier, InfiniteWidthRegressor
from analytic_ntk.sklearn.kernels import NNGPKernel, NTKKernel

__all__ = ["InfiniteWidthClassifier", "InfiniteWidthRegressor", "NNGPKernel", "NTKKernel"]
