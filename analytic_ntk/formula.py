"""The kernels of a network as formulas."""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp

from analytic_ntk.errors import DomainError
from analytic_ntk.gaussian.pieces import Pieces
from analytic_ntk.gaussian.terms import terms_of
from analytic_ntk.gaussian.unevaluated import Dual
from analytic_ntk.notation import LATEX_NAMES, x


@dataclass(frozen=True)
class KernelFormula:
    """``nngp`` and ``ntk`` as exact sympy expressions in ``variables``.

    ``is_closed`` tells whether both are elementary (with the normal distribution functions ``Phi`` and
    ``Phi2``); otherwise they hold unevaluated expectations :class:`~analytic_ntk.gaussian.unevaluated.Dual`
    that still differentiate, print and evaluate to any precision. In a notebook the formulas show as LaTeX.
    """

    nngp: sp.Expr
    ntk: sp.Expr
    variables: tuple[sp.Symbol, ...]

    @property
    def is_closed(self) -> bool:
        return not (self.nngp.has(Dual) or self.ntk.has(Dual))

    @property
    def reason(self) -> str:
        """Why there is no closed form (empty where there is one)."""
        functions = {f(x) for kernel in (self.nngp, self.ntk) for f in _functions(kernel)}
        outside = sorted(str(f) for f in functions if terms_of(Pieces.of(f)) is None)
        long = sorted(str(f) for f in functions if terms_of(Pieces.of(f)) is not None)
        reasons = []
        if outside:
            reasons.append(f"outside the class x^k exp(a x^2 + b x) {{1, H(c x + d), Phi(c x + d)}}: {', '.join(outside)}")
        if long:
            reasons.append(f"closed form too long to write: {', '.join(long)}")
        return "; ".join(reasons)

    def latex(self, kernel: str = "ntk") -> str:
        """LaTeX of one kernel, ``"nngp"`` or ``"ntk"``."""
        if kernel not in ("nngp", "ntk"):
            raise DomainError(f"kernel = {kernel!r}", '"nngp" or "ntk"')
        return sp.latex(getattr(self, kernel), symbol_names=LATEX_NAMES)

    def _repr_latex_(self) -> str:
        return (
            rf"$\displaystyle \Sigma = {self.latex('nngp')}$<br>"
            rf"$\displaystyle \Theta = {self.latex('ntk')}$"
        )

    def __str__(self) -> str:
        return f"nngp: {self.nngp}\nntk:  {self.ntk}"


def _functions(expression: sp.Expr) -> set[sp.Lambda]:
    return {f for node in expression.atoms(Dual) for f in node.args[:2]}
