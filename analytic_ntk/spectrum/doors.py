"""The doors: the spectrum of a network's kernel, and of any zonal kernel."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import sympy as sp
from flint import arb

from analytic_ntk.arithmetic.interpret import exact_ball
from analytic_ntk.arithmetic.precision import bits_for, working_precision
from analytic_ntk.certify import MAX_DIGITS, certify
from analytic_ntk.enclosure import Enclosure
from analytic_ntk.errors import DomainError, NoClosedFormError, PrecisionError
from analytic_ntk.network import Network
from analytic_ntk.series import MAX_EXACT_DEGREE, MAX_ORDER
from analytic_ntk.spectrum.closed import homogeneous_eigenvalues, polynomial_eigenvalues
from analytic_ntk.spectrum.harmonics import (
    first_decreasing,
    multiplicity,
    require_degree,
    require_dim,
)
from analytic_ntk.spectrum.kinks import plan
from analytic_ntk.spectrum.line import DiskKernel, NetworkKernel
from analytic_ntk.spectrum.powers import PowerKernel, eigenvalue_balls, network_series_digits
from analytic_ntk.spectrum.quadrature import MAX_NODES, integrate, to_digits
from analytic_ntk.spectrum.record import SphereSpectrum
from analytic_ntk.spectrum.structure import Structure, kernel_structure
from analytic_ntk.systems.ball import canonical

METHODS = ("exact", "series", "quadrature")
_EXACT_DIM = 100
"""Dimension up to which exact numbers are preferred (their digits grow with it; ``method="exact"`` gives
them in every dimension)."""
_QUICK_ORDER = 1_000
_SLOW_NODES = 300
"""Most nodes tried by itself where each is a double integral; ``method="quadrature"`` has no such limit."""
_SERIES_DIM, _SERIES_DEGREE = 50, 40
"""From this dimension or degree on the powers of an analytic kernel are tried before the quadrature."""
_PLANNED_BITS = 60
_TRIES = 6


def sphere(
    network: Network,
    dim: int,
    degree: int,
    kernel: str = "ntk",
    digits: int = 20,
    method: str | None = None,
) -> SphereSpectrum:
    """Eigenvalues of the NNGP or NTK on ``S^(dim-1)``, for inputs with ``<x, x>/d = 1``.

        lambda_k = E[kappa(t) P_k(t)],   t = <x, y>/dim of a uniform y

    Exact for polynomial kernels and for one hidden layer of a homogeneous activation without input bias;
    else enclosures with ``digits`` certain digits each. Eigenvalues proved to vanish (by parity or degree)
    are exactly 0. ``method`` forces a route: ``"exact"``, ``"series"`` (powers of ``rho`` and a tail bound)
    or ``"quadrature"`` (trapezoidal rule with a proved error); ``None`` lets the package choose.

    ``dim`` from 2 to 10000, ``degree`` from 0 to 200. Raises :class:`DomainError` for other arguments and
    for activations that are not square integrable, :class:`NoClosedFormError` where ``"exact"`` is forced
    and there is none, :class:`PrecisionError` (with what was reached) where the digits cannot be had.

    >>> from analytic_ntk import Network, activations, spectrum
    >>> relu = Network.mlp(activations.relu, depth=1, weight_variance=2, bias_variance=0)
    >>> spectrum.sphere(relu, dim=3, degree=4).eigenvalues
    (1, 2/3, 5/32, 0, 1/96)
    >>> tanh = Network.mlp(activations.tanh, depth=2, weight_variance=1, bias_variance=0)
    >>> print(spectrum.sphere(tanh, dim=3, degree=1, kernel="nngp").eigenvalues[1].decimal(12))
    0.0754728955205...
    """
    if not isinstance(network, Network):
        raise DomainError(f"network = {network!r}"[:100], "a Network", "for other kernels: spectrum.zonal")
    _check(dim, degree, digits)
    if kernel not in ("ntk", "nngp"):
        raise DomainError(f"kernel = {kernel!r}", '"ntk" or "nngp"')
    if method is not None and method not in METHODS:
        raise DomainError(f"method = {method!r}", "None, " + ", ".join(repr(m) for m in METHODS))
    for phi in network.activations:
        phi.require_numeric()
    structure = kernel_structure(network.layers, kernel)
    trace = _diagonal(network, kernel, digits)
    if structure.whole.degree <= 0 and method is None:  # a constant kernel
        rest = [sp.S.Zero] * degree
        first = sp.S.Zero if structure.vanishes(0) else trace
        return _record(dim, kernel, "series", digits, [first, *rest], trace)
    if method == "exact" or (method is None and dim <= _EXACT_DIM) or structure.whole.degree < math.inf:
        found = _exact(network, kernel, structure, dim, degree) if method in (None, "exact") else None
        if found is not None:
            return _record(dim, kernel, "exact", digits, found, trace)
        if method == "exact":
            raise NoClosedFormError(
                f"the {kernel} of {', '.join(map(str, network.activations))} on S^{dim - 1}",
                "a polynomial kernel, or one hidden layer of a homogeneous activation without input bias",
                "leave method=None for enclosures",
            )
    chosen, balls = _balls(network, kernel, structure, dim, degree, digits, method)
    values = [sp.S.Zero if structure.vanishes(k) else Enclosure.of(ball) for k, ball in enumerate(balls)]
    return _record(dim, kernel, chosen, digits, values, trace)


def zonal(kernel: PowerKernel | DiskKernel, dim: int, degree: int, digits: int = 20) -> SphereSpectrum:
    """Eigenvalues of any zonal kernel ``kernel(rho)``, ``rho`` the cosine of the angle, on ``S^(dim-1)``.

    ``PowerKernel(coefficients, tail)``: exact where it is an exact polynomial, else enclosures as good as
    coefficients and tail allow (their width is the caller's: ``digits`` is then not demanded).
    ``DiskKernel(value, largest)``: enclosures with ``digits`` certain digits each, or, where an eigenvalue
    cannot be told from 0, a radius of ``10^-digits largest``. Raises as :func:`sphere`.

    >>> from analytic_ntk import spectrum
    >>> spectrum.zonal(spectrum.PowerKernel([0, 0, 1]), dim=3, degree=2).eigenvalues
    (1/3, 0, 2/15)
    """
    _check(dim, degree, digits)
    if isinstance(kernel, PowerKernel):
        return _zonal_powers(kernel, dim, degree, digits)
    if isinstance(kernel, DiskKernel):
        return _zonal_disk(kernel, dim, degree, digits)
    raise DomainError(
        f"kernel = {kernel!r}"[:100], "a PowerKernel or a DiskKernel", "for networks: spectrum.sphere"
    )


# ------------------------------------------------------------------------------------ checks and records


def _check(dim: int, degree: int, digits: int) -> None:
    require_dim(dim)
    require_degree(degree)
    if isinstance(digits, bool) or not isinstance(digits, int) or not 1 <= digits <= MAX_DIGITS:
        raise DomainError(f"digits = {digits!r}", f"an integer from 1 to {MAX_DIGITS}")


def _record(
    dim: int,
    kernel: str,
    method: str,
    digits: int,
    values: Sequence[sp.Expr | Enclosure],
    trace: sp.Expr | Enclosure,
) -> SphereSpectrum:
    eigenvalues = tuple(values)
    counts = tuple(multiplicity(dim, k) for k in range(len(eigenvalues)))
    return SphereSpectrum(dim, kernel, method, digits, eigenvalues, counts, trace)


def _diagonal(network: Network, kernel: str, digits: int) -> Enclosure:
    value: Enclosure = getattr(network.at(1, 1, 1, digits), kernel)
    return value


# ------------------------------------------------------------------------------------ networks


def _exact(
    network: Network, kernel: str, structure: Structure, dim: int, degree: int
) -> tuple[sp.Expr, ...] | None:
    found = homogeneous_eigenvalues(network.layers, kernel, dim, degree)
    if found is not None:
        return found
    order = structure.whole.degree
    if order > MAX_EXACT_DEGREE:
        return None
    series = network.series(max(0, int(order)))
    coefficients = series.nngp if kernel == "nngp" else series.ntk
    exact = tuple(c for c in coefficients if isinstance(c, sp.Expr))
    return polynomial_eigenvalues(exact, dim, degree) if len(exact) == len(coefficients) else None


def _balls(
    network: Network,
    kernel: str,
    structure: Structure,
    dim: int,
    degree: int,
    digits: int,
    method: str | None,
) -> tuple[str, list[arb]]:
    """The route taken, and the eigenvalues it gives."""
    if method == "quadrature":
        return method, _by_quadrature(network, kernel, structure, dim, degree, digits)
    if method == "series":
        return method, _by_series(network, kernel, structure, dim, degree, digits, MAX_ORDER)
    order, most = _order_worth_trying(network, structure, dim, degree), most_nodes(network)
    attempts: list[tuple[str, Callable[[], list[arb]]]] = [
        ("quadrature", lambda: _by_quadrature(network, kernel, structure, dim, degree, digits, most))
    ]
    if order:
        smooth = structure.whole.degree == structure.whole.exponent == math.inf
        low = dim < _SERIES_DIM and degree < _SERIES_DEGREE
        place = 1 if smooth and low and all(_is_quick(network)) else 0
        attempts.insert(
            place, ("series", lambda: _by_series(network, kernel, structure, dim, degree, digits, order))
        )
    failures = []
    for name, attempt in attempts:
        try:
            return name, attempt()
        except PrecisionError as error:
            failures.append(error)
        except DomainError as error:
            if name == "quadrature":
                raise
            # a series that would need too many Hermite coefficients
            failures.append(PrecisionError(error.given, error.required, error.remedy))
    raise max(failures, key=lambda error: error.reached)


def _order_worth_trying(network: Network, structure: Structure, dim: int, degree: int) -> int:
    """How far the power series is followed before the quadrature takes over (0: not at all)."""
    if structure.whole.degree < math.inf or not all(_is_quick(network)):
        return MAX_ORDER
    if structure.whole.exponent == math.inf:
        return _QUICK_ORDER
    # algebraic coefficients: only the fall of m(j, k) with j helps, as dim^(j/2) does in high dimension
    needed = 4 * max(degree, 16) + 2 * first_decreasing(degree, dim)
    return needed if needed <= _QUICK_ORDER and dim >= 10 * max(degree, 10) else 0


def _is_quick(network: Network) -> list[bool]:
    """Per activation: whether a kernel value costs milliseconds (a closed form, or a short sum)."""
    return [
        (canonical(phi.pieces) is not None and canonical(phi.derivative) is not None)
        or len(phi.pieces.parts) == 1
        or plan(phi.pieces, arb(1), arb(1), _PLANNED_BITS) is not None
        for phi in network.activations
    ]


def most_nodes(network: Network) -> int:
    """How many quadrature nodes are worth trying for the kernels of a network."""
    return MAX_NODES if all(_is_quick(network)) else _SLOW_NODES


def _by_series(
    network: Network, kernel: str, structure: Structure, dim: int, degree: int, digits: int, order: int
) -> list[arb]:
    return network_series_digits(network, kernel, structure, dim, degree, digits, order)


def _by_quadrature(
    network: Network,
    kernel: str,
    structure: Structure,
    dim: int,
    degree: int,
    digits: int,
    most_nodes: int = MAX_NODES,
) -> list[arb]:
    """Both kernels get the goal of the NNGP, so that they share their nodes."""
    nngp = kernel_structure(network.layers, "nngp").whole.exponent
    power = 2 * nngp + 1 if nngp < math.inf else 8
    guess = math.log10(multiplicity(dim, degree)) + power * math.log10(degree + 1) + 1
    zeros = [structure.vanishes(k) for k in range(degree + 1)]
    line = NetworkKernel(network.layers, kernel, structure, dim)
    return to_digits(line, zeros, dim, degree, digits, guess, most_nodes)


# ------------------------------------------------------------------------------------ any zonal kernel


def _zonal_powers(kernel: PowerKernel, dim: int, degree: int, digits: int) -> SphereSpectrum:
    if kernel.is_exact:
        exact = tuple(c for c in kernel.coefficients if isinstance(c, sp.Expr))
        values = polynomial_eigenvalues(exact, dim, degree)
        return _record(dim, "zonal", "exact", digits, values, sp.expand(sp.Add(*exact)))
    with working_precision(bits_for(digits) + 128):
        balls = [c.ball() if isinstance(c, Enclosure) else exact_ball(c).real for c in kernel.coefficients]
        rest = arb(0, exact_ball(kernel.tail).real.abs_upper())
        found = [Enclosure.of(v) for v in eigenvalue_balls(balls, rest, dim, degree)]
        trace = Enclosure.of(sum(balls, rest))
    return _record(dim, "zonal", "series", digits, found, trace)


def _zonal_disk(kernel: DiskKernel, dim: int, degree: int, digits: int) -> SphereSpectrum:
    (trace,) = certify(lambda: ((kernel.ends()[0],), kernel.bound()), digits, "kernel(1)")
    goal = digits
    for _ in range(_TRIES):
        found = [Enclosure.of(ball) for ball in integrate(kernel, dim, degree, goal)]
        missing = max((digits - e.digits for e in found if 0 not in e), default=0)
        if missing <= 0:
            return _record(dim, "zonal", "quadrature", digits, found, trace)
        goal += missing + 1
    raise PrecisionError(
        f"{digits - missing} digits", f"{digits} digits", "ask for fewer", reached=digits - missing
    )
