"""The kernels of a network as formulas."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import sympy as sp
from flint import acb, arb

from analytic_ntk.arithmetic.interpret import compile_ball, exact_ball
from analytic_ntk.certify import certify
from analytic_ntk.display import typeset_rows
from analytic_ntk.enclosure import Enclosure
from analytic_ntk.errors import DomainError
from analytic_ntk.exact import ExactNumber, exact_number
from analytic_ntk.gaussian.pieces import Pieces
from analytic_ntk.gaussian.terms import terms_of
from analytic_ntk.gaussian.unevaluated import Dual
from analytic_ntk.notation import LATEX_NAMES, x
from analytic_ntk.pair import Pair

LONG = 600
"""Operations beyond which a layer's covariances get names of their own instead of being written out."""

Definition = tuple[sp.Symbol, sp.Expr]


@dataclass(frozen=True)
class KernelFormula:
    """``nngp`` and ``ntk`` as exact sympy expressions in ``variables``.

    Long formulas are written layer by layer: ``where`` lists the definitions, in order, of the symbols
    (``q12_1``, ``ntk_1``, ...) that stand for the covariances and the tangent kernel after a layer; it is
    empty for short ones. ``is_closed`` tells whether everything is elementary (with the normal
    distribution functions ``Phi`` and ``Phi2``); otherwise unevaluated expectations
    :class:`~analytic_ntk.gaussian.unevaluated.Dual` remain, which differentiate, print and evaluate to
    any precision. In a notebook the formulas show as LaTeX.
    """

    nngp: sp.Expr
    ntk: sp.Expr
    variables: tuple[sp.Symbol, ...]
    where: tuple[Definition, ...] = ()

    @property
    def is_closed(self) -> bool:
        return not any(expression.has(Dual) for expression in self._expressions())

    @property
    def reason(self) -> str:
        """Why there is no closed form (empty where there is one)."""
        duals = {node for expression in self._expressions() for node in expression.atoms(Dual)}
        functions = {f(x) for node in duals for f in node.args[:2]}
        canonical = {f for f in functions if terms_of(Pieces.of(f)) is not None}
        outside, long = sorted(map(str, functions - canonical)), sorted(map(str, canonical))
        reasons = []
        if outside:
            canonical_class = "x^k exp(a x^2 + b x) {1, H(c x + d), Phi(c x + d)}"
            reasons.append(f"outside the class {canonical_class}: {', '.join(outside)}")
        if long:
            reasons.append(f"closed form too long to write: {', '.join(long)}")
        return "; ".join(reasons)

    def evaluate(self, kernel: str, point: Mapping[sp.Symbol, ExactNumber], digits: int = 30) -> Enclosure:
        """The formula at exact values of its symbols, as an enclosure with ``digits`` certain digits.

        Raises :class:`DomainError` for a missing value, a float or a formula that is not closed, and
        :class:`PrecisionError` where the digits cannot be had (a removable 0/0, say).
        """
        target = self._kernel(kernel)
        if not self.is_closed:
            raise DomainError(
                f"a formula with unevaluated expectations ({self.reason})", "a closed form", "use Network.at"
            )
        values = {symbol: exact_number(value, str(symbol)) for symbol, value in point.items()}
        free = set().union(*(e.free_symbols for e in self._expressions())) - {name for name, _ in self.where}
        missing = sorted(str(symbol) for symbol in free - set(values))
        if missing:
            raise DomainError(
                f"no value for {', '.join(missing)}", "a number for every symbol of the formula"
            )

        def compute() -> tuple[tuple[arb, ...], arb]:
            known = {symbol: exact_ball(value) for symbol, value in values.items()}
            for name, expression in self.where:
                known[name] = _at(expression, known)
            value = _at(target, known)
            return (value,), abs(value) + 1

        return certify(compute, digits, kernel)[0]

    def latex(self, kernel: str = "ntk") -> str:
        """LaTeX of one kernel, ``"nngp"`` or ``"ntk"`` (symbols of :attr:`where` are not written out)."""
        return sp.latex(self._kernel(kernel), symbol_names=LATEX_NAMES)

    def _kernel(self, kernel: str) -> sp.Expr:
        if kernel not in ("nngp", "ntk"):
            raise DomainError(f"kernel = {kernel!r}", '"nngp" or "ntk"')
        return self.nngp if kernel == "nngp" else self.ntk

    def _expressions(self) -> Iterator[sp.Expr]:
        yield self.nngp
        yield self.ntk
        for _, expression in self.where:
            yield expression

    def _repr_latex_(self) -> str | None:
        rows = [(sp.latex(name), sp.latex(e, symbol_names=LATEX_NAMES)) for name, e in self.where]
        return typeset_rows([*rows, (r"\Sigma", self.latex("nngp")), (r"\Theta", self.latex("ntk"))])

    def __str__(self) -> str:
        lines = [f"{name} = {expression}" for name, expression in self.where]
        return "\n".join([*lines, f"nngp: {self.nngp}", f"ntk:  {self.ntk}"])


def _at(expression: sp.Expr, known: Mapping[sp.Symbol, arb]) -> arb:
    symbols = tuple(sorted(expression.free_symbols, key=str))
    value = compile_ball(expression, symbols)(*(known[symbol] for symbol in symbols))
    return value.real if isinstance(value, acb) else value


def named(pair: Pair, layer: int) -> tuple[Pair, tuple[Definition, ...]]:
    """The pair with symbols for its entries, and their definitions, if they have grown long."""
    if max(sp.count_ops(entry) for entry in (pair.q11, pair.q22, pair.q12, pair.ntk)) <= LONG:
        return pair, ()
    definitions: list[Definition] = []

    def name(entry: sp.Expr, label: str, positive: bool = False) -> sp.Expr:
        if entry.is_Atom:
            return entry
        symbol = (
            sp.Symbol(f"{label}_{layer}", positive=True)
            if positive
            else sp.Symbol(f"{label}_{layer}", real=True)
        )
        definitions.append((symbol, entry))
        return symbol

    first = name(pair.q11, "q11", positive=True)
    second = first if pair.equal_norms else name(pair.q22, "q22", positive=True)
    cross = first if pair.same_input else name(pair.q12, "q12")
    return replace(pair, q11=first, q22=second, q12=cross, ntk=name(pair.ntk, "ntk")), tuple(definitions)
