"""The articles of an entry: each a question about an activation with its answer, for people and as data.

Every number is exact or certified; what could not be had says why. An article's key is its permanent
address.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import sympy as sp

from analytic_ntk import meanfield
from analytic_ntk.activation import Activation
from analytic_ntk.atlas.references import Reference, of_activation, of_articles
from analytic_ntk.atlas.witness import Witness, witness
from analytic_ntk.display import Shown
from analytic_ntk.enclosure import Enclosure
from analytic_ntk.errors import AnalyticNTKError, DomainError, NoClosedFormError
from analytic_ntk.gaussian.pieces import Pieces
from analytic_ntk.hermite.zeros import zero_pattern
from analytic_ntk.network import Network
from analytic_ntk.notation import LATEX_NAMES
from analytic_ntk.positivity import Domain, decide
from analytic_ntk.report import html
from analytic_ntk.report.builder import certified_row, properties_of
from analytic_ntk.report.data import CertifiedRow, Formula, as_json, hermite_json, lower_bound, upper_bound
from analytic_ntk.report.formulas import formula_of, formulas_of
from analytic_ntk.report.sections import Section, Table, hermite_section, number, properties_table
from analytic_ntk.spectrum import decay, sphere

DIGITS = 20
ORDER = 12
DEPTHS = (1, 2, 3, 5)
RHOS = ("-1/2", "0", "1/2", "1")
DEEP = (1, "1/10")
"""Weight and bias variance of the deep networks."""
NETWORKS = ((1, "1/10"), (2, "1/10"))
"""Weight and bias variances whose deep limit is told."""
LIMIT_DIGITS = 10
DIMS = (3, 10)


@dataclass(frozen=True)
class Article(Shown):
    """One answer: ``key`` its address in the entry, ``section`` for people, ``data`` in JSON types.

    ``latex`` is a formula of its own, ``text`` the same in plain text.
    """

    key: str
    section: Section
    data: dict[str, Any]
    latex: str = ""
    text: str = ""

    def _repr_html_(self) -> str:
        return html.section_html(self.section)


def formula_article(key: str, formula: Formula, f: Pieces) -> Article:
    """A dual with what is known of its proof."""
    found = witness(formula.expression, f) if formula.closed else None
    section = Section(formula.name.capitalize(), (status(formula, found),), formulas=(formula,))
    return Article(key, section, as_json(formula) | {"witness": as_json(found)})


def status(formula: Formula, found: Witness | None) -> str:
    """How far a formula is proved, in a sentence."""
    if found is None:
        return "No closed form is known; values come from the integral, certified."
    where = ", ".join(f"({', '.join(map(str, c))})" for c in found.covariances)
    return (
        "Derived symbolically. Against the integral of the definition, computed with a proved error at "
        f"(q11, q22, q12) = {where}: the two differ by at most {upper_bound(found.distance)}."
    )


def dual(phi: Activation) -> Article:
    """``E phi(u) phi(v)``."""
    return formula_article("dual", formulas_of(phi, 1, 1, 0)[0], phi.pieces)


def derivative_dual(phi: Activation) -> Article:
    """``E phi'(u) phi'(v)``."""
    return formula_article("derivative-dual", formulas_of(phi, 1, 1, 0)[1], phi.derivative)


def properties(phi: Activation) -> Article:
    """What is read off the expression."""
    found = properties_of(phi)
    shown = (sp.latex(e, symbol_names=LATEX_NAMES) for e in (found.expression, found.derivative))
    latex = "\\varphi(x) = {}, \\qquad \\varphi'(x) = {}".format(*shown)
    text = f"{found.expression}, {found.derivative}"
    section = Section("Properties", table=properties_table(found))
    return Article("properties", section, as_json(found), latex, text)


def kernels(phi: Activation) -> Article:
    """NNGP and NTK of one hidden layer as formulas."""
    formula = Network.mlp(phi, 1, 1, 0).formula(on="sphere")
    found = (
        formula_of("NNGP", "for <x,x>/d = <y,y>/d = 1, <x,y>/d = rho", formula.nngp),
        formula_of("NTK", "the same inputs", formula.ntk),
    )
    note = "one hidden layer, weight variance 1, no bias"
    return Article("kernels", Section("Kernels", (note,), formulas=found), {"formulas": as_json(found)})


def hermite(phi: Activation) -> Article:
    """The coefficients: in ``n``, and a table."""
    table = phi.hermite_table(ORDER, DIGITS)
    section, data = hermite_section(table), hermite_json(table)
    notes = (*section.notes, str(zero_pattern(table)))
    try:
        formula = phi.hermite_formula()
    except NoClosedFormError:
        section = replace(section, notes=("no formula in n is known", *notes))
        return Article("hermite", section, data | {"formula": None})
    text = str(formula).replace("\n", "; ")
    section = replace(section, notes=(f"formula in n, proved by its recurrence: {text}", *notes))
    return Article("hermite", section, data | {"formula": str(formula)}, formula.latex(), text)


def hermite_decay(phi: Activation) -> Article:
    """How fast they fall."""
    law = phi.hermite_decay()
    section = Section(
        "Decay of the Hermite coefficients", ("predicted: the leading order for large n", str(law))
    )
    return Article("decay", section, {"kind": "predicted", "law": str(law)}, law.latex())


def series(phi: Activation) -> Article:
    """Coefficients of ``rho^k`` in both kernels."""
    found = Network.mlp(phi, 1, 1, 0).series(ORDER)
    rows = tuple(
        (str(k), number(a, DIGITS), number(b, DIGITS))
        for k, (a, b) in enumerate(zip(found.nngp, found.ntk, strict=True))
    )
    tails = {kernel: upper_bound(found.tail(kernel)) for kernel in ("nngp", "ntk")}
    note = (
        "one hidden layer, weight variance 1, no bias; coefficients of rho^k; for |rho| <= 1 the rest is at "
        f"most {tails['nngp']} (NNGP), {tails['ntk']} (NTK)"
    )
    data = {"nngp": as_json(found.nngp), "ntk": as_json(found.ntk), "tail": tails}
    return Article("series", Section("Power series", (note,), table=Table(("k", "NNGP", "NTK"), rows)), data)


def spectrum(phi: Activation) -> Article:
    """Eigenvalues of the NTK on spheres."""
    network = Network.mlp(phi, 1, 1, 0)
    tables = [sphere(network, dim, 8, digits=10) for dim in DIMS]
    laws = [f"decay, {decay(network, dim)}" for dim in DIMS]
    rows = tuple(
        (str(k), *(cell for t in tables for cell in (str(t.multiplicities[k]), number(t.eigenvalues[k], 10))))
        for k in range(9)
    )
    columns = (
        "degree",
        *(name for dim in DIMS for name in (f"multiplicity on S^{dim - 1}", f"eigenvalue on S^{dim - 1}")),
    )
    note = "NTK of one hidden layer, weight variance 1, no bias; uniform probability measure"
    data = {
        f"S^{dim - 1}": {
            "eigenvalues": as_json(t.eigenvalues),
            "multiplicities": [str(m) for m in t.multiplicities],
        }
        for dim, t in zip(DIMS, tables, strict=True)
    }
    section = Section("Spectrum on the sphere", (note, *laws), table=Table(columns, rows))
    return Article("spectrum", section, data)


def edge(phi: Activation) -> Article:
    """The variances on the edge of chaos at ``q* = 1``."""
    title = "Edge of chaos"
    try:
        w, b = meanfield.tune(phi, digits=DIGITS)
    except AnalyticNTKError as error:
        return Article("edge", Section(title, (str(error),)), {"reason": str(error)})
    rows = (("weight variance", number(w, DIGITS), _kind(w)), ("bias variance", number(b, DIGITS), _kind(b)))
    section = Section(
        title,
        ("where q* = 1 is a fixed point of the variance and chi_1 = 1",),
        table=Table(("quantity", "value", "kind"), rows, numeric=False),
    )
    return Article("edge", section, {"weight_variance": as_json(w), "bias_variance": as_json(b)})


def deep_limit(phi: Activation) -> Article:
    """Fixed points and phases."""
    columns = ("w", "b", "fixed variances", "phase", "q*", "chi_1", "c*", "NTK")
    rows: list[tuple[str, ...]] = []
    data: list[dict[str, Any]] = []
    for w, b in NETWORKS:
        known: dict[str, Any] = {"weight_variance": str(w), "bias_variance": str(b)}
        shown = [str(w), str(b)]
        try:
            points = meanfield.fixed_points(phi, w, b, digits=LIMIT_DIGITS + 20)
            shown.append(_fixed(points))
            known |= {
                "fixed_points": [as_json(p) | {"stable": p.stable} for p in points.points],
                "every_variance_is_fixed": points.every,
                "undecided": as_json(points.undecided),
                "searched_up_to": str(points.largest),
            }
            found = meanfield.deep_limit(phi, w, b, digits=LIMIT_DIGITS)
        except AnalyticNTKError as error:
            several = len(shown) > 2 and isinstance(error, DomainError)  # the fixed points say why
            shown.append("none" if several else _without_remedy(error))
            rows.append((*shown, *[""] * (len(columns) - len(shown))))
            data.append(known | {"reason": str(error)})
            continue
        values = (found.variance, found.chi_1, found.correlation, found.ntk)
        cells = ("none" if v is None else number(v, LIMIT_DIGITS) for v in values)
        rows.append((*shown, found.phase.value, *cells))
        data.append(
            known
            | {"phase": found.phase.value}
            | {name: as_json(getattr(found, name)) for name in ("variance", "chi_1", "correlation", "ntk")}
        )
    notes = (
        "after infinitely many layers of weight variance w and bias variance b: all fixed variances (in "
        "[0, 100] unless all are known), the one q* that attracts, the slope chi_1 of the correlation map "
        "at 1, the correlation c* that attracts, the tangent kernel of two different inputs; no phase where "
        "no variance attracts, or several",
    )
    section = Section("Deep limits", notes, table=Table(columns, tuple(rows), numeric=False))
    return Article("deep-limit", section, {"networks": data})


def _fixed(points: meanfield.FixedPoints) -> str:
    if points.every:
        return "all"
    kinds = {True: "attracts", False: "repels", None: "not decided"}
    shown = [f"{number(p.value, LIMIT_DIGITS)} ({kinds[p.stable]})" for p in points.points]
    shown += [f"not decided in [{lower_bound(a)}, {upper_bound(b)}]" for a, b in points.undecided]
    return ", ".join(shown) or "none"


def depth(phi: Activation) -> Article:
    """Both kernels by depth."""
    rows, data = [], []
    for layers in DEPTHS:
        network = Network.mlp(phi, layers, *DEEP)
        for rho in RHOS:
            found = _row(network, rho)
            values = (number(v, DIGITS) if v is not None else found.reason for v in (found.nngp, found.ntk))
            rows.append((str(layers), rho, *values))
            data.append({"depth": layers} | as_json(found))
    note = (
        f"certified; {DEEP[0]} and {DEEP[1]} the variances of weights and biases; <x,x>/d = <y,y>/d = 1, "
        "<x,y>/d = rho"
    )
    table = Table(("depth", "rho", "NNGP", "NTK"), tuple(rows))
    return Article("depth", Section("Kernels by depth", (note,), table=table), {"values": data})


def positivity(phi: Activation) -> Article:
    """Verdicts on whole domains."""
    rows, data = [], []
    for layers in (1, 2):
        for bias in ("0", "1/10"):
            for where in Domain:
                found = decide(Network.mlp(phi, layers, 1, bias), 3, where)
                reason = found.steps[-1 if found.missing else 1].reference if found.steps else ""
                if found.counterexample is not None:
                    count = len(found.counterexample.points)
                    reason = f"{count} point{'s' if count > 1 else ''} with a null vector"
                rows.append((str(layers), bias, where.value, found.verdict.value, found.missing or reason))
                data.append(
                    {"depth": layers, "bias_variance": bias, "domain": where.value, "dim": 3}
                    | {"verdict": found.verdict.value, "proof": str(found)}
                )
    columns = ("depth", "bias", "domain, d = 3", "the NTK is", "because")
    section = Section("Strict positivity", table=Table(columns, tuple(rows), numeric=False))
    return Article("positivity", section, {"verdicts": data})


def references(phi: Activation) -> Article:
    """Where the activation comes from, and what the articles stand on."""
    cited: dict[Reference, tuple[str, ...]] = dict.fromkeys(of_activation(phi), ("the activation",))
    for reference, keys in of_articles().items():
        cited[reference] = (*cited.get(reference, ()), *keys)
    rows = tuple((str(reference), ", ".join(uses)) for reference, uses in cited.items())
    section = Section("References", table=Table(("publication", "for"), rows, numeric=False))
    data = {"references": [as_json(reference) | {"for": list(uses)} for reference, uses in cited.items()]}
    return Article("references", section, data)


def _row(network: Network, rho: str) -> CertifiedRow:
    try:
        return certified_row(network, 1, rho, 1, DIGITS)
    except DomainError as error:  # a variance that outgrows the activation
        return CertifiedRow(sp.S.One, sp.Rational(rho), sp.S.One, None, None, _without_remedy(error))


def _without_remedy(error: AnalyticNTKError) -> str:
    return str(getattr(error, "given", error))


def _kind(value: sp.Expr | Enclosure) -> str:
    return "certified" if isinstance(value, Enclosure) and value.radius else "exact"


ARTICLES: dict[str, Callable[[Activation], Article]] = {
    "properties": properties,
    "dual": dual,
    "derivative-dual": derivative_dual,
    "kernels": kernels,
    "hermite": hermite,
    "decay": hermite_decay,
    "series": series,
    "spectrum": spectrum,
    "depth": depth,
    "edge": edge,
    "deep-limit": deep_limit,
    "positivity": positivity,
    "references": references,
}
"""The articles of an entry by their keys, in reading order."""
