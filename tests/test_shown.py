"""Every result shows itself: found by walking what the public functions return, not by a list."""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from html.parser import HTMLParser
from importlib import import_module
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
import sympy as sp

from analytic_ntk import Activation, Network, activations, bounds, finite_width, hermite, meanfield, spectrum
from analytic_ntk.display import Explanation, Shown
from analytic_ntk.errors import DomainError, NoClosedFormError
from analytic_ntk.learning_curve import Modes, learning_curve
from analytic_ntk.notation import x
from analytic_ntk.positivity import Domain, decide, decide_gram, eigenvalue_bounds
from analytic_ntk.theory import banach, memorization, overparameterization
from analytic_ntk.theory.memorization.phase import PhaseCell
from analytic_ntk.theory.memorization.scaling import Draw
from proofs_check import conjecture
from proofs_check.claim import run_claim
from proofs_check.ledger import claims
from tests.test_reference import PAGE, documented, names

PACKAGES = ("analytic_ntk", "proofs_check")
FORMATS = ("_repr_html_", "_repr_markdown_", "_repr_latex_")

EXCEPTIONS = {
    "number systems: arguments, and their repr is how to write them": (
        "systems.exact.Exact systems.ball.Ball systems.float64.Float64 systems.series.Series"
    ),
    "layers: the same, and Network shows them in its table": (
        "layers.dense.Dense layers.nonlinearity.Nonlinearity layers.layer_norm.LayerNorm "
        "layers.residual.Residual"
    ),
    "kernels of scikit-learn: the same, as scikit-learn has it": (
        "sklearn.kernels.NNGPKernel sklearn.kernels.NTKKernel"
    ),
    "parts of a sampled network, which shows itself": (
        "layers.dense.FiniteDense layers.nonlinearity.FiniteNonlinearity layers.layer_norm.FiniteLayerNorm "
        "layers.residual.FiniteResidual"
    ),
    "what flows through the layers, in any number system": "pair.Pair pair.Expectations",
    "what cases of laws are made of": (
        "laws.cases.AtCovariance laws.cases.OnData laws.doors.Doors laws.doors.Duals laws.doors.Sides "
        "laws.run.Profile strategies.pairs.Covariance"
    ),
    "inner parts, told by what holds them": (
        "gaussian.pieces.Pieces gaussian.floating.expectations.FloatExpectations hermite.decay.waves.Wave "
        "gram.curve.Curve"
    ),
    "laid out by the page or the article they stand in": "report.sections.Section report.sections.Table",
}

CHECKER = "proofs_check.replay."
"""It may import nothing of the package; what it answers is ``Report``, which has a display of its own."""


# ------------------------------------------------------------------------------------ the walk


def returned(function: Any) -> Iterator[type]:
    """The classes in what a function is annotated to return."""
    try:
        inner = inspect.unwrap(function)
    except ValueError:
        return
    yield from classes_in(hints(inner).get("return"))


class _Anything(type):
    def __getattr__(cls, name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        return cls


class _Unknown(metaclass=_Anything):
    """A name that only a type checker imports."""


def hints(thing: Any) -> dict[str, Any]:
    """Annotations resolved, as far as their names are there at run time."""
    known: dict[str, Any] = {}
    while True:
        try:
            return typing.get_type_hints(thing, localns=known)
        except NameError as error:
            known[str(error.name)] = _Unknown
        except TypeError:  # an annotation that is no type at run time, or no function
            return {}


def classes_in(annotation: Any) -> Iterator[type]:
    if isinstance(annotation, type):
        yield annotation
    for inner in typing.get_args(annotation):
        yield from classes_in(inner)


def results(roots: Iterable[Any], packages: tuple[str, ...] = PACKAGES) -> set[type]:
    """Classes among the roots, and those their functions, methods, properties and fields give, and so on."""
    found: set[type] = set()
    waiting: list[Any] = list(roots)
    while waiting:
        thing = waiting.pop()
        if not isinstance(thing, type):
            waiting += returned(thing) if callable(thing) else []
        elif thing not in found and thing.__module__.startswith(packages) and is_record(thing):
            found.add(thing)
            waiting += (c for annotation in hints(thing).values() for c in classes_in(annotation))
            waiting += [method for name, method in methods(thing) if name[0] != "_"]
    return found


def is_record(cls: type) -> bool:
    """Not an enumeration, an error, a sympy function (sympy shows it), a protocol, or the display."""
    if cls.__module__ == "analytic_ntk.display":
        return False
    return not issubclass(cls, (Enum, BaseException, sp.Basic)) and not getattr(cls, "_is_protocol", False)


def methods(cls: type) -> Iterator[tuple[str, Any]]:
    for name, value in vars(cls).items():
        inner = getattr(value, "fget", None) or getattr(value, "func", None)
        yield name, inner or getattr(value, "__func__", value)


def public() -> Iterator[Any]:
    listed = set(names()) | documented(PAGE.read_text(encoding="utf-8"))
    for module, name in sorted(pair for pair in listed if pair[0].startswith(PACKAGES)):
        yield getattr(import_module(module), name)


def bare(found: Iterable[type]) -> set[str]:
    """Names of the classes that a notebook shows by their repr alone."""
    names = {path(cls) for cls in found if not any(hasattr(cls, name) for name in FORMATS)}
    return {name for name in names if not name.startswith(CHECKER)} | (names & {f"{CHECKER}verify.Report"})


def path(cls: type) -> str:
    return f"{cls.__module__}.{cls.__name__}".removeprefix("analytic_ntk.")


RESULTS = results(public())


def test_every_result_shows_itself() -> None:
    excepted = {name for line in EXCEPTIONS.values() for name in line.split()}
    assert len(RESULTS) > 100
    assert bare(RESULTS) - excepted == set()
    assert excepted - bare(RESULTS) == set()  # an exception that is none any more


@dataclass(frozen=True)
class _Bare:
    value: int


@dataclass(frozen=True)
class _Holder(Shown):
    parts: tuple[_Bare, ...]


def test_saboteur_a_result_without_display_is_found() -> None:
    def make() -> list[_Holder]:
        return []

    make.__annotations__["return"] = list[_Holder]
    assert bare(results([make], (__name__,))) == {f"{__name__}._Bare"}


# ------------------------------------------------------------------------------------ what is shown

HOSTILE = "<script>alert(1)</script>|`*_$[a](b)"


class _Balanced(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.seen.add(tag)
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


RELU, TANH = Network.mlp(activations.relu, 1, 2, 0), Network.mlp(activations.tanh, 1, 1, "1/10")
HEXAGON = [[2, 0], [1, 1], [-1, 1], [-2, 0], [-1, -1], [1, -1]]


def hostile() -> Activation:
    return Activation(sp.erf(x), name=HOSTILE)


def of_hostile() -> Iterator[Any]:
    """Results that hold the name of an activation, or text that was given."""
    phi = hostile()
    network = Network.mlp(phi, 1, 1, 0)
    yield from (phi, network, network.series(2), network.at(1, 0, 1, 10), network.formula("sphere"))
    yield from (phi.hermite_table(3), phi.hermite_decay(), phi.hermite_formula(), phi.information_exponent())
    yield from (decide(network, 2), decide_gram(network, HEXAGON), meanfield.deep_limit(phi, 2, "1/10"))
    yield from (spectrum.sphere(network, 3, 2), spectrum.decay(network, 3), meanfield.fixed_points(phi, 2, 0))
    yield bounds.compare([phi], counts=(4,))
    yield import_module("proofs_check").verify({"format": HOSTILE})
    yield memorization.Scaling(HOSTILE, 1, (Draw(2, 2, 0, 0.5, 1.0, 0.0),))


def test_hostile_text_is_text_everywhere() -> None:
    seen = 0
    for found in of_hostile():
        for name in FORMATS:
            if hasattr(found, name):
                text = getattr(found, name)()
                assert "<script" not in text, (type(found), name)
                if name == "_repr_markdown_":
                    assert "`" not in text and "*_" not in text and "[a]" not in text
                seen += "script" in text
                if name == "_repr_html_":
                    assert _Balanced(text).seen <= set("table caption thead tbody tr th td p b ul li".split())
    assert seen >= 5


MACROS = set(
    # what is used, each defined by MathJax itself (TeX and AMS)
    """Big Bigl Bigr Gamma Omega Phi Psi Rightarrow Sigma Theta alpha approx arg begin beta bigcup bigl
    bigr binom cdot cdots circ cos cup Delta dim displaystyle dot dots end equiv eta forall frac
    gamma ge gt hat hline iff implies in kappa ker lVert lambda langle ldots le left log lt mapsto
    mathbb mathcal mathrm mathsf max min nabla ne operatorname otimes partial pi pm preceq prod quad
    rVert rangle rho right sigma sim sin sqrt succ succeq sum tanh tbinom text tfrac theta
    varepsilon varphi vert""".split()
)


def undefined(latex: str) -> set[str]:
    return set(re.findall(r"\\\\|\\([A-Za-z]+)", latex)) - MACROS - {""}


def formulas() -> Iterator[tuple[str, str]]:
    for name, phi in activations.all_activations().items():
        yield name, phi._repr_latex_() or ""
        yield f"decay of {name}", phi.hermite_decay()._repr_latex_() or ""
        for asked in (phi.hermite_formula, phi.hermite_recurrence):
            try:
                yield f"{asked.__name__} of {name}", asked()._repr_latex_() or ""
            except NoClosedFormError:
                continue
    for claim in claims().values():
        yield claim.name, claim._repr_latex_() or ""
    for law in import_module("analytic_ntk.laws").LAWS:
        yield law.name, law._repr_latex_() or ""
    for network in (RELU, TANH, Network.mlp(activations.gelu, 2, 2, 0)):
        yield str(network), network.formula(on="sphere")._repr_latex_() or ""


def test_formulas_are_whole_and_their_macros_known() -> None:
    from latex2mathml.converter import convert

    count = 0
    for name, latex in formulas():
        assert latex.startswith("$") and latex.endswith("$") and latex.count("$") == 2, name
        assert undefined(latex) == set(), name
        assert latex.count("{") - latex.count(r"\{") == latex.count("}") - latex.count(r"\}"), name
        assert latex.count(r"\left") >= latex.count(r"\right") and "<math" in convert(latex.strip("$")), name
        count += 1
    assert count > 150


def test_saboteur_a_macro_that_nobody_knows_is_seen() -> None:
    assert undefined(r"\frac{1}{2} \erfi(x) \lt 1") == {"erfi"}


# ------------------------------------------------------------------------------------ pictures


def pictures() -> Iterator[Any]:
    """One of each class that draws itself."""
    table = activations.relu.hermite_table(60, 15)
    yield from (activations.relu, RELU, RELU.series(4), table, spectrum.sphere(RELU, 3, 4))
    yield hermite.decay.compare(activations.relu.hermite_decay(), table)
    yield from (meanfield.deep_limit(activations.relu, 1, 1), decide_gram(RELU, HEXAGON))
    yield decide(RELU, 2, Domain.SPHERE)
    yield finite_width.agreement(TANH, np.eye(2), 8, 200, 0)
    yield finite_width.width_law(TANH, np.eye(2), [8, 16], 200, 0)
    yield finite_width.gradient_flow(TANH, np.eye(2), [1.0, -1.0])
    rng = np.random.default_rng(0)
    yield finite_width.train(TANH.sample(8, rng, 2), np.eye(2), [1.0, -1.0], 0.1, 5)
    yield finite_width.convergence(TANH, np.eye(2), [1.0, -1.0], [8, 16], 2, rng, steps=4)
    yield learning_curve(Modes([0.5, 0.1], [1, 3], 0.01), [0, 1], np.arange(1, 9), 0.1, 1e-3)
    yield memorization.Scaling("relu", 1, tuple(Draw(4, d, 0, d, d + 1, 0.0) for d in (2, 3, 4)))
    cells = tuple(PhaseCell(n, d, 8 - n, 8, 0.0) for n in (2, 6) for d in (2, 3))
    yield memorization.Phase("relu", 3, 1e-3, 9, 9, (2, 3), (1.0, 2.0), cells)
    widths = np.array([[10], [20], [40]])
    yield overparameterization.WidthGrowth((4, 8, 16), (2, 4, 8), widths, 1.0, 0.9, 1.1, 2.5)
    errors = np.array([[0.5, 0.4], [0.3, 0.2]])
    yield overparameterization.RatioExperiment("a task", (0.1, 10.0), 1.0, errors, errors, errors.astype(int))


def draw(found: Any, axes: Any = None) -> Any:
    return found.plot([0.0, 1.0], axes) if type(found).__name__ == "Flow" else found.plot(axes=axes)


@pytest.fixture
def _close() -> Iterator[None]:
    plt.switch_backend("agg")
    yield
    plt.close("all")


@pytest.mark.usefixtures("_close")
def test_every_picture_is_drawn_on_the_axes_given_and_says_what_it_shows() -> None:
    drawn = set()
    for found in pictures():
        axes = plt.subplots()[1]
        assert draw(found, axes) is axes
        assert axes.get_xlabel() and (axes.get_ylabel() or axes.get_legend()), type(found)
        assert axes.has_data()
        assert draw(found) is not axes
        plt.close("all")
        drawn.add(type(found))
    assert drawn == {cls for cls in RESULTS if hasattr(cls, "plot")}


@pytest.mark.usefixtures("_close")
def test_pictures_of_verdicts_hold_their_numbers() -> None:
    singular = decide_gram(RELU, HEXAGON)
    (points,) = singular.plot().collections
    assert np.asarray(points.get_offsets()).tolist() == HEXAGON
    assert np.asarray(points.get_array()).tolist() == [float(v) for v in singular.null_vectors[0]]
    limit = meanfield.deep_limit(activations.tanh, 3, "1/10", digits=12)
    assert limit.correlation is not None
    fixed = float(limit.correlation)
    _, curve, _, star = limit.plot().get_lines()
    assert np.asarray(star.get_xdata())[0] == pytest.approx(fixed, abs=1e-12)
    c, moved = (np.array(values) for values in curve.get_data())
    assert moved[-1] == 1 and (np.diff(moved) > 0).all()
    assert ((moved > c) == (c < fixed))[:-1].all()  # it attracts from both sides


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: decide_gram(TANH, HEXAGON).plot(), "null vector"),
        (lambda: decide(TANH, 3).plot(), "counterexample"),
        (lambda: meanfield.deep_limit(activations.tanh, "1/2", 0).plot(), "fixed point 0"),
        (lambda: meanfield.deep_limit(activations.relu, 1, 1).correlation_map([-1.0]), "above -1"),
        (lambda: meanfield.deep_limit(activations.relu, 1, 1).correlation_map([float("nan")]), "above -1"),
        (lambda: memorization.Phase("relu", 1, 0.1, 1, 1, (), (), ()).plot(), "cells"),
    ],
)
def test_no_picture_of_nothing(call: Callable[[], Any], words: str) -> None:
    with pytest.raises(DomainError, match=words):
        call()


def test_the_correlation_map_is_that_of_the_network() -> None:
    limit = meanfield.deep_limit(activations.tanh, 3, "1/10", digits=20)
    q = float(limit.variance)
    for c in (-0.9, 0.0, 0.5):
        X = np.sqrt(2 * q_before(q)) * np.array([[1.0, 0.0], [c, np.sqrt(1 - c * c)]])
        after = Network.mlp(activations.tanh, 1, 3, "1/10").gram(X, kernel="nngp")
        before = 3 * q_before(q) * c + 0.1
        assert limit.correlation_map([before / q])[0] == pytest.approx(after[0, 1] / q, abs=1e-9)


def q_before(q: float) -> float:
    """The input variance that the first layer, ``3 <x, x>/d + 1/10``, takes to ``q``."""
    return (q - 0.1) / 3


# ------------------------------------------------------------------------------------ reasons


def explained() -> Iterator[Any]:
    """One of each class that explains itself."""
    yield from (decide(TANH, 3), decide_gram(RELU, HEXAGON), meanfield.deep_limit(activations.relu, 2, 0))
    yield bounds.lower_bound(RELU, [[1, 0], [3, 4]])
    yield eigenvalue_bounds(np.eye(2))
    yield overparameterization.HermiteFloor(0.1, 1, (0.0, 0.1), eigenvalue_bounds(np.eye(2)))
    yield finite_width.agreement(TANH, np.eye(2), 8, 200, 0)
    yield conjecture("ntk(rho) >= 0 for rho in [-1, 1]", "relu")
    network, rng = overparameterization.FeedForward(activations.tanh), np.random.default_rng(0)
    params = network.draw(rng, 3, (50,))
    yield overparameterization.certify(network, params, np.eye(3), [1.0, 0.0, -1.0])
    yield overparameterization.Width(9, 8, 0.1, 0.5, ("a step", "width d = 9 suffices"))
    yield run_claim(claims()["abs_ridge_dependency_on_line"])
    yield banach.UniformBound(0.5, 0.2, 0.1, 0.9, 1.0, None, 1.5, 0.3, 1e-9, 0.05, 1.0)


def test_every_verdict_explains_itself_in_lines() -> None:
    asked = set()
    for found in explained():
        text = found.explain()
        assert isinstance(text, Explanation) and text == str(found)
        assert len(text.splitlines()) > 1, type(found)
        shown = found._repr_html_()
        assert _Balanced(shown).seen
        asked.add(type(found))
    assert asked == {cls for cls in RESULTS if hasattr(cls, "explain")}


def test_a_notebook_wraps_explanations_and_hides_nothing() -> None:
    formatter = pytest.importorskip("IPython.core.formatters").DisplayFormatter()
    long = Explanation(f"verdict\n  {'reason ' * 60}")
    shown = formatter.format(long)[0]["text/plain"]
    assert max(map(len, shown.splitlines())) < 100 and shown.split() == long.split()


def test_the_outcome_of_a_claim_names_parts_and_sources() -> None:
    outcome = run_claim(claims()["abs_ridge_dependency_on_line"])
    first, *reasons = outcome.explain().splitlines()
    assert outcome.words in first and outcome.claim.title in first
    assert any(reason.startswith("source: ") for reason in reasons)
    assert sum(finding.part.what in "\n".join(reasons) for finding in outcome.findings) == len(
        outcome.findings
    )
    shown = outcome.claim._repr_markdown_()
    assert shown.startswith("**") and "| source |" in shown


def test_a_lower_bound_is_never_shown_larger_than_it_is() -> None:
    for value in (Fraction(2, 3), 0.1 + 0.2, 1e-300, Fraction(10**40 + 1, 3), 5e-324):
        found = bounds.LowerBound(value, "gershgorin", 1, "certified")
        assert Fraction(str(found).split()[2]) <= Fraction(value)
    drawn = Draw(1, 1, 0, 1 / 3, 2 / 3, 0.0)
    rows = dict(drawn._fields_shown())
    assert Fraction(rows["lower"]) <= Fraction(drawn.lower) and Fraction(rows["upper"]) >= Fraction(
        drawn.upper
    )
    shown = str(eigenvalue_bounds(np.diag([1 / 3, 2 / 3])))
    low, high = (Fraction(part) for part in (shown.split()[0], shown.split()[4]))
    assert low <= Fraction(1 / 3) <= high
