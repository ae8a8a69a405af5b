"""How fast the eigenvalues fall: predicted from where the activation stops being smooth.

A singular term ``(1 - rho)^nu`` of the kernel makes ``lambda_k`` fall like ``k^(1 - dim - 2 nu)``; one at
``rho = -1`` comes with the sign ``(-1)^k``, which is why even and odd degrees may differ. For ReLU-like
kinks ``nu = 1/2`` in the NTK and ``3/2`` in the NNGP at every depth: ``k^(-dim)`` and ``k^(-dim - 2)``
(Bietti, Mairal 2019; Bietti, Bach 2021). An analytic activation whose nearest complex singularity is at
distance ``y`` has ``a_n^2`` of size ``exp(-2 y sqrt(n/q))``; with the powers' ``m(j, k)`` of size
``exp(-k^2/(2 j))`` this gives ``exp(-3/2 (C k)^(2/3))``, ``C`` the least of ``2 y/sqrt(dS/drho)`` over
the layers, ``S`` the covariance there at ``rho = 1`` (own derivation). Entire activations fall at least
geometrically.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction

import sympy as sp

from analytic_ntk.activation import Activation
from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.display import Shown
from analytic_ntk.errors import DomainError
from analytic_ntk.network import Network, require_network
from analytic_ntk.pair import Expectations, Pair
from analytic_ntk.spectrum.harmonics import require_dim
from analytic_ntk.spectrum.record import SphereSpectrum
from analytic_ntk.spectrum.structure import Part, kernel_structure
from analytic_ntk.systems.ball import Ball

FEWEST_DEGREES = 12


@dataclass(frozen=True)
class ParityDecay(Shown):
    """What is predicted for the even, or for the odd, degrees.

    ``kind``: ``"finite"`` (eigenvalues are 0 beyond degree ``rate``: proved), ``"algebraic"``
    (``k^(-rate)``), ``"stretched"`` (``exp(-rate k^(2/3))``), ``"geometric"`` (at least ``exp(-c k)`` for
    some ``c > 0``, no rate), ``"smooth"`` (faster than every power, no rate known).
    """

    kind: str
    rate: Fraction | float | None

    def __str__(self) -> str:
        return {
            "finite": "zero" if self.rate == -1 else f"0 beyond degree {self.rate}",
            "algebraic": f"k^-({self.rate})",
            "stretched": f"exp(-{float(self.rate or 0):.4g} k^(2/3))",
            "geometric": "geometric or faster",
            "smooth": "faster than every power",
        }[self.kind]

    def steepness(self, low: int, high: int, drop: float) -> float:
        """The rate that a fall by ``exp(-drop)`` from degree ``low`` to ``high`` would mean."""
        if self.kind == "algebraic":
            return drop / math.log(high / low)
        if self.kind == "stretched":
            return drop / (high ** (2 / 3) - low ** (2 / 3))
        return drop / (high - low)


@dataclass(frozen=True)
class DecayLaw(Shown):
    """The predicted decay of a spectrum on ``S^(dim-1)``: a **prediction**, not a bound."""

    dim: int
    kernel: str
    even: ParityDecay
    odd: ParityDecay

    def measured(self, spectrum: SphereSpectrum) -> tuple[float | None, float | None]:
        """The rates, even and odd, that a certified table shows between its middle and its end.

        In the unit of the prediction (exponent, factor of ``k^(2/3)``, or of ``k``); ``None`` where the
        prediction is ``"finite"``. Raises :class:`DomainError` for another sphere or kernel, and for
        tables too short to say anything.
        """
        if (spectrum.dim, spectrum.kernel) != (self.dim, self.kernel):
            raise DomainError(
                f"the {spectrum.kernel} on S^{spectrum.dim - 1}", f"the {self.kernel} on S^{self.dim - 1}"
            )
        if spectrum.degree < FEWEST_DEGREES:
            raise DomainError(f"degrees up to {spectrum.degree}", f"at least {FEWEST_DEGREES}")
        logs = spectrum.log10()
        rates: list[float | None] = []
        for parity, law in enumerate((self.even, self.odd)):
            high = spectrum.degree - (spectrum.degree - parity) % 2
            low = high // 2 + (high // 2 - parity) % 2
            if law.kind == "finite":
                rates.append(None)
            else:
                rates.append(law.steepness(low, high, float(logs[low] - logs[high]) * math.log(10)))
        return rates[0], rates[1]

    def __str__(self) -> str:
        return f"predicted for the {self.kernel} on S^{self.dim - 1}: even {self.even}; odd {self.odd}"


def decay(network: Network, dim: int, kernel: str = "ntk") -> DecayLaw:
    """The decay of the eigenvalues that the singularities of the activations predict.

    >>> from analytic_ntk import Network, activations, spectrum
    >>> relu = Network.mlp(activations.relu, depth=1, weight_variance=2, bias_variance=0)
    >>> print(spectrum.decay(relu, dim=3))
    predicted for the ntk on S^2: even k^-(3); odd 0 beyond degree 1
    >>> print(spectrum.decay(Network.mlp(activations.relu, 3, 2, 0), dim=3, kernel="nngp"))
    predicted for the nngp on S^2: even k^-(5); odd k^-(5)
    """
    require_network(network)
    require_dim(dim)
    if kernel not in ("ntk", "nngp"):
        raise DomainError(f"kernel = {kernel!r}", '"ntk" or "nngp"')
    network.at(1, 1, 1, digits=10)  # refuses what has no kernel
    structure = kernel_structure(network.layers, kernel)
    return DecayLaw(dim, kernel, *(_parity(network, part, dim) for part in (structure.even, structure.odd)))


def _parity(network: Network, part: Part, dim: int) -> ParityDecay:
    if part.degree < math.inf:
        return ParityDecay("finite", Fraction(int(part.degree)))
    if part.exponent < math.inf:
        return ParityDecay("algebraic", dim - 1 + 2 * Fraction(part.exponent))
    if any(len(phi.pieces.parts) > 1 for phi in network.activations):
        return ParityDecay("smooth", None)
    slopes = _Slopes()
    zero = _Jet(0.0, 0.0)
    with working_precision(64):
        network.push(Pair(_Jet(1.0, 0.0), _Jet(1.0, 0.0), _Jet(1.0, 1.0), zero), slopes)
    if None in slopes.found:
        return ParityDecay("smooth", None)
    least = min((rate for rate in slopes.found if rate is not None), default=math.inf)
    return ParityDecay("geometric", None) if least == math.inf else ParityDecay("stretched", _rate(least))


def _rate(least: float) -> float:
    return 1.5 * least ** (2 / 3)


@dataclass(frozen=True)
class _Jet:
    """Value and derivative by ``rho`` at ``rho = 1``, in floats: enough for a prediction."""

    value: float
    slope: float

    def __add__(self, other: _Jet) -> _Jet:
        return _Jet(self.value + other.value, self.slope + other.slope)

    def __mul__(self, other: _Jet) -> _Jet:
        return _Jet(self.value * other.value, self.value * other.slope + self.slope * other.value)


@dataclass(frozen=True)
class _Slopes:
    """The number system of such jets; per activation ``found`` gets ``2 y/sqrt(dS/drho)``."""

    found: list[float | None] = field(default_factory=list)

    def number(self, value: sp.Expr) -> _Jet:
        return _Jet(float(value), 0.0)

    def inverse_sqrt(self, value: _Jet) -> _Jet:
        return _Jet(1 / math.sqrt(value.value), 0.0)

    def gap_after_affine(self, pair: Pair, scale: _Jet, shift: _Jet, shift_is_zero: bool) -> None:
        return None

    def gap_after_sum(self, pair: Pair, other: Pair) -> None:
        return None

    def expectations(self, activation: Activation, pair: Pair) -> Expectations:
        q = Ball().number(sp.Rational(Fraction(pair.q11.value)))
        second = float(Ball().second_moment(activation.pieces, q))
        speed = float(Ball().second_moment(activation.derivative, q))
        distance = activation.singularity_distance
        slope = pair.q12.slope
        if distance is None:
            self.found.append(None)
        elif distance is sp.oo or slope == 0:
            self.found.append(math.inf)
        else:
            self.found.append(2 * float(distance) / math.sqrt(slope))
        variance = _Jet(second, 0.0)
        return Expectations(variance, variance, _Jet(second, speed * slope), _Jet(speed, 0.0))
