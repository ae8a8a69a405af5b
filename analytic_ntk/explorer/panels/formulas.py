"""The closed forms, typeset, with programs to copy."""

from __future__ import annotations

import sympy as sp

from analytic_ntk.explorer.code import numpy_code, numpy_program, package_program, sympy_code
from analytic_ntk.explorer.panel import Download, Panel, Subject, Typeset
from analytic_ntk.explorer.subject import NETWORK, activation_of, network_line
from analytic_ntk.explorer.view import View
from analytic_ntk.notation import LATEX_NAMES, rho
from analytic_ntk.report.data import Formula
from analytic_ntk.report.formulas import formulas_of

SYMBOLS = {
    "dual": r"\mathbb{E}\,\varphi(u)\varphi(v)",
    "derivative dual": r"\mathbb{E}\,\varphi'(u)\varphi'(v)",
    "NNGP": r"\Sigma(\rho)",
    "NTK": r"\Theta(\rho)",
    "next q": "q'",
    "next S": "S'",
    "next T": "T'",
}


def compute(view: View) -> Panel:
    """Dual, derivative dual, and both kernels; or the step from layer to layer where they are long."""
    phi = activation_of(view.activation)
    found = formulas_of(phi, view.depth, view.weight_variance, view.bias_variance)
    reason = max((formula.reason for formula in found), key=len)  # the longest names what the others name
    program, said = "", f"{reason[:1].upper()}{reason[1:]}"
    if reason:
        headline = "No closed form is known"
    else:
        headline = "Closed form" if any(f.name == "NNGP" for f in found) else "Closed form, layer by layer"
        said = "Φ, Φ₂: normal distribution functions of one and of two variables"
        weight, bias = sp.Rational(view.weight_variance), sp.Rational(view.bias_variance)
        program = numpy_program(found, view.depth, weight, bias, network_line(view))
    program = program or package_program(*(view.texts()[name] for name in NETWORK))
    return Panel(
        ("exact",),
        headline,
        (f"{network_line(view)}.", f"{said}."),
        formulas=tuple(_typeset(formula) for formula in found),
        downloads=(Download("kernels.py", "text/x-python", program.encode(), "Program for numpy"),),
    )


def _typeset(formula: Formula) -> Typeset:
    latex = sp.latex(formula.expression, symbol_names=LATEX_NAMES)
    head = SYMBOLS.get(formula.name, formula.name)
    return Typeset(
        formula.name,
        formula.meaning,
        f"{head} = {latex}",
        sympy_code(formula.expression),
        numpy_code(formula.name.lower().replace(" ", "_"), formula.expression, rho),
    )


SUBJECT = Subject(
    "formulas",
    "Closed forms",
    "Exact formulas, to copy as LaTeX, sympy or numpy.",
    NETWORK,
    compute,
)
