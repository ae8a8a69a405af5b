"""A module imports only from strictly lower floors; the table is here, and only here."""

from __future__ import annotations

import ast
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "analytic_ntk"

FLOORS: tuple[tuple[str, tuple[str, ...]], ...] = (
    # name of the floor; its modules, each line standing on the lines above it
    ("ground: errors and the names of things", (
        "display errors notation pair",
        "exact",
    )),
    ("arithmetic: precision, special functions, the one interpreter", (
        "arithmetic",
        "arithmetic.precision",
        "arithmetic.bivariate enclosure",
        "arithmetic.functions certify",
        "arithmetic.atoms arithmetic.programme",
        "arithmetic.interpret",
    )),
    ("gaussian: expectations of one function of a Gaussian, or of two", (
        "gaussian",
        "gaussian.pieces gaussian.operations gaussian.rates",
        "gaussian.terms gaussian.growth",
        "gaussian.envelope gaussian.moments",
        "gaussian.singularities gaussian.hermite gaussian.closed_form gaussian.identities gaussian.values",
        "gaussian.halves",
    )),
    ("gaussian.quadrature: the definition, with a proved error", (
        "gaussian.quadrature.scaled",
        "gaussian.quadrature.strip gaussian.quadrature.tails",
        "gaussian.quadrature.trapezoid gaussian.quadrature.segments gaussian.quadrature.fixed",
        "gaussian.quadrature.correlation gaussian.quadrature.coefficients",
        "gaussian.quadrature.panels gaussian.quadrature.windows",
        "gaussian.quadrature.sheared gaussian.quadrature.zone",
        "gaussian.quadrature.cells",
        "gaussian.quadrature.expectation",
        "gaussian.quadrature",
        "gaussian.unevaluated",
    )),
    ("hermite: coefficients of a function, formula, recurrence, table", (
        "hermite.sequences",
        "hermite.recurrence",
        "hermite.proof",
        "hermite.formula hermite.adaptive",
        "hermite.table",
        "hermite.conventions hermite.floating",
        "hermite.zeros",
        "hermite.decay.waves hermite.decay.jets hermite.decay.lines hermite.decay.parity",
        "hermite.decay.places",
        "hermite.decay.parity_law",
        "hermite.decay.jumps hermite.decay.poles hermite.decay.entire",
        "hermite.decay.law",
        "hermite.decay.compare",
        "hermite.decay",
        "hermite",
    )),
    ("gaussian.floating: arrays of pairs in float64", (
        "gaussian.floating.memo gaussian.floating.table",
        "gaussian.floating.mesh gaussian.floating.closed",
        "gaussian.floating.line",
        "gaussian.floating.grids",
        "gaussian.floating.angular gaussian.floating.plane gaussian.floating.series",
        "gaussian.floating.general",
        "gaussian.floating.fast gaussian.floating.partials",
        "gaussian.floating.expectations",
        "gaussian.floating.gradient",
        "gaussian.floating",
    )),
    ("activation: the datum", (
        "parser",
        "activation",
    )),
    ("systems: what E phi(u) phi(v) is in each number system", (
        "systems",
        "systems.protocol",
        "systems.exact systems.ball systems.float64 systems.support",
        "systems.tangent",
        "systems.ridges",
        "systems.series",
    )),
    ("meanfield: the limit of many layers", (
        "meanfield.interpolation",
        "meanfield.maps",
        "meanfield.fixed",
        "meanfield.limits",
        "meanfield.edge",
        "meanfield",
    )),
    ("activations: the catalogue", (
        "activations",
    )),
    ("layers: functions on what flows", (
        "layers.arrays",
        "layers.elementwise layers.units",
        "layers.protocol",
        "layers.dense layers.nonlinearity layers.layer_norm",
        "layers.residual",
        "layers.finite",
        "layers",
    )),
    ("network: layers composed, and the doors to its kernels", (
        "gram.inputs gram.kept gram.progress gram.compiled gram.array_tools",
        "gram.curve gram.surface gram.approximant gram.array_pairs",
        "gram.tiles gram.pairs gram.array_fits gram.array_levels gram.array_series",
        "gram.array_system",
        "gram.arrays",
        "gram.general",
        "formula gram series",
        "gram.gradient",
        "large.blocks large.progress",
        "large.lazy",
        "network",
    )),
    ("large: matrices beyond the memory", (
        "large.target large.operator large.cholesky large.sketch",
        "large.store large.ridge large.features",
        "large",
    )),
    ("scikit-learn: kernels and estimators", (
        "sklearn.settings",
        "sklearn.kernels sklearn.estimators",
        "sklearn",
    )),
    ("spectrum: eigenvalues on the sphere", (
        "spectrum.kinks",
        "spectrum.harmonics spectrum.structure spectrum.nodes spectrum.record",
        "spectrum.line spectrum.closed spectrum.powers",
        "spectrum.quadrature",
        "spectrum.laws spectrum.doors",
        "spectrum",
    )),
    ("learning curves, the inverse problem, bounds of the smallest eigenvalue", (
        "learning_curve.modes bounds.masses bounds.points inverse",
        "learning_curve.prediction learning_curve.simulation bounds.eigenvalue",
        "bounds.separation",
        "learning_curve bounds.network",
    )),
    ("positivity: strictly positive definite or not, decided", (
        "positivity.linear positivity.profile positivity.rounding positivity.rounded",
        "positivity.entries positivity.compiled",
        "positivity.correlation",
        "positivity.float_rows",
        "positivity.float_tables",
        "positivity.float_layers",
        "positivity.float_gram",
        "positivity.points positivity.monomials",
        "positivity.nullspace",
        "positivity.decide",
        "positivity.domain positivity.eigenvalue",
        "positivity characterisation bounds.compare near_polynomials",
        "bounds",
        "certificate.record",
        "certificate.expression certificate.evidence",
        "certificate.layers certificate.domain",
        "certificate",
    )),
    ("finite width: sampled networks against the limit", (
        "finite_width.inputs finite_width.moments finite_width.checkpoint",
        "finite_width.blocks finite_width.intervals finite_width.sanity",
        "finite_width.estimation finite_width.flow",
        "finite_width.expansion finite_width.training",
        "finite_width.paths finite_width.agreement",
        "finite_width",
    )),
    ("theory: what the papers compute", (
        "theory.jets theory.taylor.derivative",
        "theory.jet_layers theory.taylor.kernel",
        "theory.taylor.expand theory.taylor.series",
        "theory.taylor.features theory.taylor.eigenvalues",
        "theory.taylor.convergence",
        "theory.taylor",
        "theory.escape.antisymmetric",
        "theory.escape.targets theory.escape.directions theory.escape.learnable",
        "theory.escape.fit",
        "theory.escape.replica",
        "theory.escape.slopes",
        "theory.escape",
        "theory.banach.obstacles",
        "theory.banach.singular theory.banach.chain theory.banach.balls theory.banach.remainder",
        "theory.banach.neighbourhood theory.banach.kernel theory.banach.explicit theory.banach.certified",
        "theory.banach.pairing",
        "theory.banach.sequence",
        "theory.banach.bound",
        "theory.banach",
        "theory.memorization.setting theory.memorization.blocks theory.memorization.cells",
        "theory.memorization.ceilings theory.memorization.smallest theory.memorization.limit",
        "theory.memorization.report theory.memorization.scaling theory.memorization.fit",
        "theory.memorization.neighbours",
        "theory.memorization.phase",
        "theory.memorization",
        "theory.overparameterization.suprema",
        "theory.overparameterization.values",
        "theory.overparameterization.feedforward",
        "theory.overparameterization.lipschitz theory.overparameterization.adversary",
        "theory.overparameterization.certificate",
        "theory.overparameterization.sufficient theory.overparameterization.ratio",
        "theory.overparameterization.search theory.overparameterization.floor",
        "theory.overparameterization",
        "theory",
    )),
    ("strategies and laws: what kernels are tested on, and against", (
        "strategies.functions strategies.pairs strategies.data",
        "strategies.architectures",
        "strategies",
        "laws.cases laws.doors laws.subject",
        "laws.law laws.measure",
        "laws.of_activations laws.of_grams",
        "laws.of_systems",
        "laws.of_networks laws.of_pairings laws.of_samples laws.of_widths",
        "laws.catalogue laws.summary laws.reproduction",
        "laws.run",
        "laws.pytests",
        "laws laws.test_conformance pytest_plugin",
    )),
    ("report: data first, then renderings", (
        "report.files report.data report.curves",
        "report.sections report.plots report.formulas report.meanfield_plot",
        "report.escape_plot",
        "report.spectrum_plot report.finite_width_plot",
        "report.decay_plot report.learning_plot report.builder report.terminal",
        "report.html report.catalogue",
        "report",
        "atlas.witness atlas.references",
        "atlas.articles",
        "atlas.entry",
        "atlas",
    )),
    ("tables: many Hermite tables, written and read back", (
        "tables.decimals tables.numbers tables.columns tables.records",
        "tables.agreement tables.layout tables.question",
        "tables.compute tables.text",
        "tables.markup tables.parquet",
        "tables.shown",
        "tables.files",
        "tables.job",
        "tables.run",
        "tables",
    )),
    ("explorer: a page to play with", (
        "explorer.view",
        "explorer.panel",
        "explorer.code explorer.figures explorer.html explorer.limits explorer.style explorer.subject",
        "explorer.panels.kernels",
        "explorer.panels.activation explorer.panels.digits explorer.panels.formulas explorer.panels.hermite",
        "explorer.panels.limit explorer.panels.phase explorer.panels.positivity explorer.panels.series",
        "explorer.panels.spectrum explorer.panels.width",
        "explorer.panels",
        "explorer.export explorer.preload",
        "explorer.workers",
        "explorer.card",
        "explorer.page",
        "explorer.server",
        "explorer",
    )),
    ("command line, front door", (
        "cli.app cli.points",
        "cli.answers",
        "cli.hermite_formula",
        "cli.activations cli.decay cli.finite_width cli.gram cli.hermite cli.kernel cli.laws cli.meanfield",
        "cli.bounds cli.memorization cli.positive cli.replay cli.report cli.series cli.spectrum cli.width",
        "cli.escape cli.explore cli.taylor",
        "cli",
        "cli.__main__",
    )),
)  # fmt: skip

FRONT_DOOR = ""
"""The name of the package's own ``__init__``: above everything, since it loads everything on first use."""


def floor_of() -> dict[str, int]:
    lines = [line for _, lines in FLOORS for line in lines]
    return {module: floor for floor, line in enumerate(lines) for module in line.split()} | {
        FRONT_DOOR: len(lines)
    }


def modules(root: Path) -> dict[str, Path]:
    """Every module of the package below ``root``, by its name inside the package ("" is the front door)."""
    found = {}
    for path in sorted((root / PACKAGE).rglob("*.py")):
        parts = path.relative_to(root / PACKAGE).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imported(path: Path, name: str, known: set[str]) -> Iterator[tuple[int, str]]:
    """Line and target of every import in a file, those inside functions included."""
    is_package = path.name == "__init__.py"
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                here = name.split(".") if name else []
                up = node.level - 1 if is_package else node.level
                base = ".".join([PACKAGE, *here[: len(here) - up], *([base] if base else [])])
            for alias in node.names:
                if (base, alias.name) == (PACKAGE, "__version__"):
                    continue  # the one fact of the front door that is not a way up
                whole = f"{base}.{alias.name}"
                yield node.lineno, whole if whole.removeprefix(f"{PACKAGE}.") in known else base


def violations(root: Path) -> list[str]:
    floors, found = floor_of(), modules(root)
    problems = [f"{name or '(front door)'} is on no floor" for name in found if name not in floors]
    problems += [f"{name} is on a floor but not in the package" for name in floors if name not in found]
    for name, path in found.items():
        for line, target in imported(path, name, set(found)):
            top, _, inner = target.partition(".")
            where = f"{path.relative_to(root)}:{line}"
            if top == "proofs_check" and name != "cli" and not name.startswith("cli."):
                problems.append(f"{where} imports {target}")
            if top == PACKAGE and name in floors and floors.get(inner, -1) >= floors[name]:
                problems.append(
                    f"{where}: {name or 'front door'} imports {inner or 'the front door'}, not lower"
                )
    return list(dict.fromkeys(problems))


def test_imports_go_down() -> None:
    assert violations(ROOT) == []


def test_no_module_twice() -> None:
    every = [module for _, lines in FLOORS for line in lines for module in line.split()]
    assert len(every) == len(set(every))


@pytest.mark.parametrize(
    ("module", "fault"),
    [
        ("errors", "from analytic_ntk.network import Network"),
        ("errors", "def f():\n    import analytic_ntk.cli"),
        ("layers/dense", "from .nonlinearity import Nonlinearity"),
        ("layers/dense", "from analytic_ntk import cli"),
        ("gram", "from analytic_ntk import Activation"),
        ("network", "def f():\n    from proofs_check import claims"),
        ("a_new_module", ""),
    ],
)
def test_saboteur_planted_import_is_caught(module: str, fault: str, tmp_path: Path) -> None:
    shutil.copytree(ROOT / PACKAGE, tmp_path / PACKAGE, ignore=shutil.ignore_patterns("__pycache__"))
    path = tmp_path / PACKAGE / f"{module}.py"
    before = violations(tmp_path)
    path.write_text((path.read_text() if path.exists() else "") + "\n" + fault + "\n")
    assert len(violations(tmp_path)) == len(before) + 1
