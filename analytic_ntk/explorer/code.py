"""Formulas as programs to copy: sympy text that runs, and numpy functions of ``rho``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import sympy as sp
from sympy.printing.numpy import SciPyPrinter
from sympy.printing.str import StrPrinter

from analytic_ntk.arithmetic import atoms
from analytic_ntk.arithmetic import functions as fn
from analytic_ntk.gaussian.unevaluated import Dual
from analytic_ntk.notation import rho
from analytic_ntk.report.data import Formula

PHI2 = '''
def Phi2(h, k, r):
    """P(Z1 <= h, Z2 <= k) at correlation r: Plackett's integral by 64 Gauss-Legendre nodes."""
    t, w = numpy.polynomial.legendre.leggauss(64)
    top = numpy.asarray(numpy.arcsin(r))[..., None]
    a = top*(1 + t)/2
    h, k = numpy.asarray(h)[..., None], numpy.asarray(k)[..., None]
    e = numpy.exp(-(h**2 - 2*h*k*numpy.sin(a) + k**2)/(2*numpy.cos(a)**2))
    Phi = lambda z: scipy.special.erfc(-z/2**0.5)/2
    return (Phi(h)*Phi(k))[..., 0] + (w*e*top/2).sum(-1)/(2*numpy.pi)
'''

_PLAIN: dict[Any, Any] = {
    atoms.ConditionalPhi: lambda h, k, r: fn.Phi((k - r * h) / sp.sqrt(1 - r**2)),
    atoms.Ridge: lambda h, k, r: sp.exp(-(h**2 - 2 * r * h * k + k**2) / (2 * (1 - r**2))),
    atoms.Angle: lambda a, b, c: sp.acos(c / sp.sqrt(a * b)),
    atoms.RealPart: lambda z: sp.Function("re")(z),
    fn.Phi: lambda z: sp.erfc(-z / sp.sqrt(2)) / 2,
    fn.sigmoid: lambda z: 1 / (1 + sp.exp(-z)),
    fn.softplus: lambda z: sp.log(1 + sp.exp(z)),
}


class _Sympy(StrPrinter):
    """No quotient of two plain integers, which Python makes a float; nor ``S(1)``: a kernel is called S."""

    def _print_Rational(self, expr: sp.Rational) -> str:
        return f"Rational({expr.p}, {expr.q})"

    _print_Half = _print_Rational


class _Numpy(SciPyPrinter):
    """Integers beyond 2^53 as floats: numpy has no functions of larger integers."""

    def _print_Integer(self, expr: sp.Integer) -> str:
        return str(expr) if abs(expr) < 2**53 else repr(float(expr))

    def _print_Rational(self, expr: sp.Rational) -> str:
        return f"{expr.p}/{expr.q}" if max(abs(expr.p), expr.q) < 2**53 else repr(float(expr))


@lru_cache(maxsize=64)  # asked for by each program
def plain(expression: sp.Expr) -> sp.Expr:
    """With functions that sympy itself knows, save ``Phi2`` (and ``re``, left as it stands).

    At ``rho = +-1`` the plain form may be ``0/0`` where the package's own functions know the limit.

    >>> from analytic_ntk.arithmetic.functions import Phi
    >>> plain(Phi(rho))
    1 - erfc(sqrt(2)*rho/2)/2
    """
    for ours, theirs in _PLAIN.items():
        expression = expression.replace(ours, theirs)
    return expression


def sympy_code(expression: sp.Expr) -> str:
    """A program whose last line is the expression; empty where expectations are left unevaluated.

    >>> print(sympy_code(sp.acos(rho) + sp.Rational(1, 3)))
    from sympy import *
    rho = Symbol("rho", real=True)
    acos(rho) + Rational(1, 3)
    """
    if expression.has(Dual):
        return ""
    shown = plain(expression)
    lines = ["from sympy import *"]
    if shown.has(atoms.Phi2):
        lines.append("from analytic_ntk.arithmetic.atoms import Phi2")
    for symbol in sorted(shown.free_symbols, key=str):
        sign = "positive" if symbol.is_positive else "real"
        lines.append(f'{symbol} = Symbol("{symbol}", {sign}=True)')
    return "\n".join([*lines, _Sympy().doprint(shown)])


@lru_cache(maxsize=64)
def numpy_expression(expression: sp.Expr) -> str:
    """The expression for numpy arrays, with full names.

    Empty where expectations are left unevaluated, and for ``Phi2`` of complex arguments: there the quadrature
    of :data:`PHI2` may be wrong altogether.
    """
    if expression.has(Dual) or (expression.has(atoms.RealPart) and expression.has(atoms.Phi2)):
        return ""
    known = {"allow_unknown_functions": True, "user_functions": {"Phi2": "Phi2", "re": "numpy.real"}}
    try:
        return str(_Numpy(known).doprint(plain(expression)))
    except OverflowError:  # a number that no float64 can hold
        return ""


def numpy_code(name: str, expression: sp.Expr, of: sp.Symbol) -> str:
    """A program that defines the expression as a function of its symbols, a constant as one of ``of``.

    Empty where :func:`numpy_expression` is.

    >>> print(numpy_code("third", rho / 3, rho))
    def third(rho):
        return (1/3)*rho
    <BLANKLINE>
    """
    body = numpy_expression(expression)
    if not body:
        return ""
    arguments = sorted(map(str, expression.free_symbols))
    constant = "" if arguments else f" + 0*{of}"
    return _with_tools(f"def {name}({', '.join(arguments or [str(of)])}):\n    return {body}{constant}\n")


def numpy_program(formulas: Sequence[Formula], depth: int, weight: sp.Expr, bias: sp.Expr, about: str) -> str:
    """A function ``kernels(rho)`` that gives NNGP and NTK; empty where a formula has no numpy expression.

    ``formulas``: those of :func:`analytic_ntk.report.formulas.formulas_of`.
    """
    if not all(numpy_expression(formula.expression) for formula in formulas):
        return ""
    named = {formula.name: formula.expression for formula in formulas}
    heading = (
        f'    """NNGP and NTK for <x,x>/d = <y,y>/d = 1, <x,y>/d = rho, -1 < rho < 1.\n\n    {about}\n    """'
    )
    lines = ["def kernels(rho):", heading]
    if "NNGP" in named:
        used = [f for f in formulas if f.name not in ("dual", "derivative dual", "NNGP", "NTK")]
        steps = [f"    {f.name} = {numpy_expression(f.expression)}" for f in used]
        lines += [*steps, f"    nngp = 0*rho + {numpy_expression(named['NNGP'])}"]
        lines += [f"    ntk = 0*rho + {numpy_expression(named['NTK'])}", "    return nngp, ntk"]
    else:
        start = numpy_expression(weight * rho + bias)
        lines += [
            f"    q = {numpy_expression(weight + bias)}",
            f"    S = T = {start}",
            f"    for _ in range({depth}):",
            f"        q, S, T = ({numpy_expression(named['next q'])},",
            f"                   {numpy_expression(named['next S'])},",
            f"                   {numpy_expression(named['next T'])})",
            "    return S, T",
        ]
    return _with_tools("\n".join(lines) + "\n")


def _with_tools(body: str) -> str:
    """With what it imports, and ``Phi2`` if it needs it."""
    tools = PHI2 if "Phi2(" in body else ""
    modules = sorted(set(re.findall(r"\bnumpy(?=\.)|\bscipy\.[a-z]+(?=\.)", body + tools)))
    imports = "".join(f"import {module}\n" for module in modules)
    return f"{imports}{tools}\n\n{body}" if imports else body


def package_program(activation: str, depth: str, weight: str, bias: str) -> str:
    """A program that asks this package: for every network and all inputs."""
    return f"""import numpy
from analytic_ntk import Network, activations

network = Network.mlp(activations.resolve({activation!r}), {depth}, {weight!r}, {bias!r})
X = numpy.eye(3)  # your data, a row for each input
print(network.gram(X, kernel="ntk"))
"""
