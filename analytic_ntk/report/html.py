"""A report as one HTML page: formulas as MathML, plots embedded, nothing loaded from elsewhere."""

from __future__ import annotations

import base64
from html import escape

import sympy as sp

from analytic_ntk.display import html_table
from analytic_ntk.hermite.table import HermiteTable
from analytic_ntk.notation import LATEX_NAMES
from analytic_ntk.report.curves import Curves
from analytic_ntk.report.data import Formula, Report
from analytic_ntk.report.plots import lines, stems
from analytic_ntk.report.sections import Section, network_line, sections

LONG = 6_000
"""LaTeX with more characters is shown as plain text instead of as a formula."""

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1, h2 { font-weight: 600; line-height: 1.2; }
h2 { margin-top: 2.2rem; border-bottom: 1px solid #ddd; }
.note { color: #555; }
.formula { overflow-x: auto; padding: .3rem 0 .6rem; }
table { border-collapse: collapse; font-size: .92rem; }
th, td { padding: .15rem .8rem .15rem 0; text-align: left; vertical-align: top; overflow-wrap: anywhere; }
th { border-bottom: 1px solid #999; }
td { font-variant-numeric: tabular-nums; }
figure { margin: 1rem 0; } figure img { max-width: 100%; height: auto; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; }
"""


def page(report: Report, curves: Curves) -> str:
    """The page. Every text that comes from the user is escaped.

    >>> from analytic_ntk import activations
    >>> from analytic_ntk.report import build
    >>> from analytic_ntk.report.curves import curves_of
    >>> report = build(activations.relu, digits=5, order=4, width=8, draws=2)
    >>> page(report, curves_of(activations.relu, 1, 1, 0))[:15]
    '<!DOCTYPE html>'
    """
    title = escape(report.title)
    plots = _plots(report, curves)
    body = "\n".join(section_html(section, plots.get(section.title, "")) for section in sections(report))
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}: kernels of infinitely wide networks</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>{title}</h1>
<p>{escape(network_line(report))}; analytic_ntk {escape(report.version)}</p>
{body}
</body>
</html>
"""


def _plots(report: Report, curves: Curves) -> dict[str, str]:
    """Figures by the title of the section they follow."""
    found = {"Properties": _figure(lines([curves.phi], "x", "phi(x)"), "the activation")}
    if isinstance(report.hermite, HermiteTable):
        svg = stems(report.hermite.floats().tolist(), "n", "|a_n|")
        found["Hermite coefficients"] = _figure(svg, "size of the Hermite coefficients")
    if curves.nngp:
        found["Certified values"] = "".join(
            _figure(lines(drawn, "rho", f"{name}(rho) / {name}(1)"), f"{name} over rho by depth")
            for name, drawn in (("NNGP", curves.nngp), ("NTK", curves.ntk))
        )
    found["Certified values"] = found.get("Certified values", "") + "".join(
        f'<p class="note">not drawn: {escape(reason)}</p>' for reason in curves.missing
    )
    return found


def _figure(svg: str, caption: str) -> str:
    data = base64.b64encode(svg.encode()).decode()
    source = f"data:image/svg+xml;base64,{data}"
    text = escape(caption)
    return f'<figure><img src="{source}" alt="{text}"><figcaption>{text}</figcaption></figure>'


def section_html(section: Section, plots: str = "") -> str:
    """A heading with what stands under it; every text is escaped."""
    parts = [f"<section><h2>{escape(section.title)}</h2>"]
    parts += [f'<p class="note">{escape(note)}</p>' for note in section.notes]
    parts += [_formula(formula) for formula in section.formulas]
    if section.table is not None:
        parts.append(html_table(section.table.columns, section.table.rows, numeric=section.table.numeric))
    if section.last:
        parts.append(f"<p>{escape(section.last)}</p>")
    return "\n".join([*parts, plots, "</section>"])


def _formula(formula: Formula) -> str:
    reason = f'<p class="note">{escape(formula.reason)}</p>' if formula.reason else ""
    heading = f"<p><b>{escape(formula.name)}</b>: {escape(formula.meaning)}</p>"
    return f'{heading}{reason}<div class="formula">{mathml(formula.expression)}</div>'


def mathml(expression: sp.Expr) -> str:
    """An expression as MathML, which browsers lay out by themselves; as text where it is too long.

    >>> mathml(sp.Symbol("rho") ** 2)[:5], mathml(sp.Symbol("<script>"))[:200].count("<script>")
    ('<math', 0)
    """
    from latex2mathml.converter import convert

    latex = sp.latex(expression, symbol_names=LATEX_NAMES)
    if len(latex) > LONG:
        return f"<pre>{escape(str(expression))}</pre>"
    return str(convert(latex, display="block"))
