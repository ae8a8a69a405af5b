"""Learning curves of kernel ridge regression on the sphere, from the spectrum: predictions, and simulations.

The predictor ``f(x) = k(x, X) (K + ridge I)^-1 y`` with ``n`` labels ``y = target + noise`` at uniform
points. With eigenvalues ``lambda_k`` of multiplicity ``N_k`` (degree ``k``), trace ``tail`` in the degrees
beyond, and the target's power ``P_k`` in degree ``k``, the prediction is

    n = sum N_k L_k + (ridge + tail)/kappa,      L_k = lambda_k/(lambda_k + kappa)        (learnability)
    E0 = n/(n - sum N_k L_k^2),                  error = E0 (sum (1 - L_k)^2 P_k + noise)

It is the deterministic equivalent for large ``n`` (Bordelon, Canatar, Pehlevan 2020; Canatar, Bordelon,
Pehlevan 2021; Jacot, Simsek, Spadaro, Hongler, Gabriel 2020; Simon, Dickens, Karkada, DeWeese 2021):
**predicted**, not a theorem at finite ``n``. :func:`simulate` measures the same quantity with real kernel
matrices.
"""

from __future__ import annotations

from analytic_ntk.learning_curve.modes import Modes, Spectrum, effective_dimension
from analytic_ntk.learning_curve.prediction import LearningCurve, learning_curve
from analytic_ntk.learning_curve.simulation import Simulation, random_harmonic, simulate, uniform_points

__all__ = [
    "LearningCurve",
    "Modes",
    "Simulation",
    "Spectrum",
    "effective_dimension",
    "learning_curve",
    "random_harmonic",
    "simulate",
    "uniform_points",
]
