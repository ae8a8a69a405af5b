"""Spectra on the sphere: eigenvalues of NNGP, NTK and any zonal kernel, exact or certified."""

from __future__ import annotations

from analytic_ntk.spectrum.doors import sphere, zonal
from analytic_ntk.spectrum.harmonics import multiplicity, power_eigenvalue
from analytic_ntk.spectrum.laws import DecayLaw, ParityDecay, decay
from analytic_ntk.spectrum.line import DiskKernel
from analytic_ntk.spectrum.powers import PowerKernel
from analytic_ntk.spectrum.record import SphereSpectrum

__all__ = [
    "DecayLaw",
    "DiskKernel",
    "ParityDecay",
    "PowerKernel",
    "SphereSpectrum",
    "decay",
    "multiplicity",
    "power_eigenvalue",
    "sphere",
    "zonal",
]
