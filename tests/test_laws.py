"""The shipped laws: they hold on what is right, and each catches the faults it says it catches."""

from __future__ import annotations

import dataclasses
import io
import json
import math
import os
import subprocess
import sys
from fractions import Fraction
from importlib.metadata import entry_points
from pathlib import Path
from typing import ClassVar
from xml.etree import ElementTree

import numpy as np
import pytest
import sympy as sp
from hypothesis import HealthCheck, given, settings
from scipy.stats import binom
from typer.testing import CliRunner

import analytic_ntk
from analytic_ntk import (
    Activation,
    Dense,
    Enclosure,
    LayerNorm,
    Network,
    Nonlinearity,
    Residual,
    activations,
    laws,
    strategies,
)
from analytic_ntk.activation import constant
from analytic_ntk.cli import app
from analytic_ntk.errors import DomainError, PrecisionError
from analytic_ntk.gaussian.pieces import Pieces
from analytic_ntk.laws import of_samples, run
from analytic_ntk.laws.measure import (
    above_margin,
    combination,
    overlap_margin,
    product,
    root_above,
    rounding,
)
from analytic_ntk.laws.subject import Subject, one_hidden_layer_parts
from analytic_ntk.layers.units import Unit
from analytic_ntk.pair import Pair
from analytic_ntk.systems.protocol import Arithmetic

DOZEN = laws.Profile("a dozen", 12, 60.0)
FEW = laws.Profile("few", 4, 60.0)
ONE = laws.Profile("one", 1, 60.0)
NAMES = [law.name for law in laws.LAWS]
STATISTICAL = "expect_empirical_eq_kernel"
EXTRAPOLATED = "richardson_empirical_eq_kernel"
SECONDS = (STATISTICAL, EXTRAPOLATED)
"""Laws of which a case takes seconds."""


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Failing cases are saved in the folder in force."""
    monkeypatch.chdir(tmp_path)


# ------------------------------------------------------------------------------------ saboteurs


def _planted() -> list[object]:
    return [
        pytest.param(law.name, i, marks=pytest.mark.slow if law.name == EXTRAPOLATED else ())
        for law in laws.LAWS
        for i in range(len(law.saboteurs))
    ]


@pytest.mark.parametrize(("name", "saboteur"), _planted())
def test_every_saboteur_is_caught_at_the_stated_size(name: str, saboteur: int) -> None:
    law = laws.find(name)
    subject = Subject.of(activations.resolve(law.reference))
    size = round(-math.log10(law.smallest_fault))
    assert run.finds(law, subject, DOZEN, 0, size, saboteur)


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow) if n in SECONDS else n for n in NAMES]
)
def test_the_stated_size_is_measured_not_boasted(name: str) -> None:
    """Honest doors pass in the same dozen of cases, and a fault a thousand times smaller does."""
    law = laws.find(name)
    budget = DOZEN
    subject = Subject.of(activations.resolve(law.reference))
    honest = run.run_law(law, subject, budget, 0)
    assert honest.verdict is laws.Verdict.HOLDS and honest.nontrivial >= 1
    assert honest.worst_margin <= 1
    assert not run.finds(law, subject, budget, 0, round(-math.log10(law.smallest_fault)) + 3)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_smallest_fault_is_within_a_decade_of_the_stated(name: str) -> None:
    law = laws.find(name)
    measured = laws.smallest_fault(law, activations.resolve(law.reference), DOZEN)
    assert law.smallest_fault / 1000 < measured <= law.smallest_fault


# ------------------------------------------------------------------------------------ the laws hold

RIGHT = {
    "step": activations.step,
    "cubic": Activation.parse("x^3"),
    "constant": Activation.parse("3"),
    "zero": Activation.parse("0"),
    "restricted": Activation.parse("exp(x^2/5)"),
    "exp": activations.exp,
    "jump and slope": Activation.parse("Piecewise((x, x < 1), (x^2 + 3, True))"),
    "linear network": Network(Dense(1, "1/3")),
    "layer norm": LayerNorm(),
    "dense": Dense(2, 1),
    "residual": Residual(Nonlinearity(activations.relu), Dense(1, "1/10")),
}
QUICKEST = laws.Profile("quickest", 4, 0.05)


IN_MINUTES = ("constant", "cubic", "exp", "jump and slope", "dense")


@pytest.mark.parametrize(
    "kind", [pytest.param(k, marks=pytest.mark.slow) if k in IN_MINUTES else k for k in RIGHT]
)
def test_laws_hold_or_say_why_they_do_not_apply(kind: str) -> None:
    summary = laws.check(RIGHT[kind], QUICKEST)
    assert summary.passed, str(summary)
    for result in summary.results:
        skipped = result.verdict is laws.Verdict.SKIPPED
        assert bool(result.reason) == skipped and (result.cases == 0) == skipped


@pytest.mark.slow
@pytest.mark.parametrize("name", activations.names())
def test_laws_hold_over_the_catalogue(name: str) -> None:
    summary = laws.check(activations.entry(name).representative(), "quick")
    assert summary.passed, str(summary)


@pytest.mark.slow
@given(strategies.activations())
@settings(max_examples=8, suppress_health_check=list(HealthCheck))
def test_laws_hold_for_random_activations(phi: Activation) -> None:
    """Without the laws that need a formula or a series: to derive one can take minutes."""
    chosen = [name for name in NAMES if name not in ("formula_eq_certified", "series_eq_certified")]
    summary = laws.check(phi, laws.Profile("random", 4, 0.2), laws=chosen)
    assert summary.passed, str(summary)


@pytest.mark.slow
@pytest.mark.parametrize("text", ["relu", "x*erf(x)", "tanh"])
def test_quick_is_quick(text: str) -> None:
    assert laws.check(activations.resolve(text), "quick").seconds < 30


# ------------------------------------------------------------------------------------ a user's own layer


@dataclasses.dataclass(frozen=True)
class Doubled:
    """``f -> 2 f``, its tangent kernel times ``factor``: right for ``factor = 4``."""

    factor: int = 4
    takes_gaussian: ClassVar[bool] = True
    gives_gaussian: ClassVar[bool] = True

    def push(self, pair: Pair, arithmetic: Arithmetic) -> Pair:
        four, factor = (arithmetic.number(sp.Integer(k)) for k in (4, self.factor))
        gap = None if pair.gap is None else four * pair.gap
        q11 = four * pair.q11
        q22 = q11 if pair.equal_norms else four * pair.q22
        return Pair(q11, q22, q11 if pair.same_input else four * pair.q12, factor * pair.ntk, gap)

    def sample(self, draw: object, fan_in: int) -> tuple[Unit, int]:
        raise NotImplementedError("some users have no finite networks in mind")


@dataclasses.dataclass(frozen=True)
class FiniteDoubled:
    parameters: ClassVar[tuple[np.ndarray, ...]] = ()

    def with_parameters(self, fresh: object) -> FiniteDoubled:
        return self

    def forward(self, features: np.ndarray) -> tuple[np.ndarray, None]:
        return 2 * features, None

    def backward(self, tape: None, rows: np.ndarray, visit: object) -> np.ndarray:
        return 2 * rows


@dataclasses.dataclass(frozen=True)
class Drawn(Doubled):
    """With the finite layer that belongs to it."""

    def sample(self, draw: object, fan_in: int) -> tuple[Unit, int]:
        return FiniteDoubled(), fan_in


@dataclasses.dataclass(frozen=True)
class Undrawable(Doubled):
    def sample(self, draw: object, fan_in: int) -> tuple[Unit, int]:
        raise ZeroDivisionError("a bug in it")


class Unhashable(Doubled):
    """As a layer made without ``frozen=True``."""

    __hash__ = None  # type: ignore[assignment]


@dataclasses.dataclass(frozen=True)
class Broken(Doubled):
    def push(self, pair: Pair, arithmetic: Arithmetic) -> Pair:
        raise RuntimeError("not written yet")


@dataclasses.dataclass(frozen=True)
class Lopsided(Doubled):
    """Adds a share of the first input's variance: not symmetric, not positive semidefinite."""

    def push(self, pair: Pair, arithmetic: Arithmetic) -> Pair:
        right = super().push(pair, arithmetic)
        return right if pair.same_input else dataclasses.replace(right, ntk=right.ntk + pair.q11)


@pytest.mark.parametrize("layer", [Doubled(), Unhashable()])
def test_a_right_layer_of_a_users_own_passes(layer: Doubled) -> None:
    summary = laws.check(layer, FEW)
    assert summary.passed, str(summary)
    reasons = {result.law: result.reason for result in summary.results}
    assert type(layer).__name__ in reasons["kernel_succ_eq_push_kernel"]


def test_a_layer_is_held_against_the_finite_one_it_draws() -> None:
    """A factor 12 for the tangent kernel where 4 is right: no law of kernels alone can tell."""

    def found(layer: Doubled) -> laws.LawResult:
        return run.run_law(laws.find(EXTRAPOLATED), Subject.of(layer), ONE, 0, shrink=False)

    right, wrong, bug = found(Drawn(4)), found(Drawn(12)), found(Undrawable())
    assert right.verdict is laws.Verdict.HOLDS and right.nontrivial
    assert wrong.verdict is laws.Verdict.FAILS and wrong.worst_margin > 3
    assert bug.verdict is laws.Verdict.FAILS and "ZeroDivisionError" in bug.reason
    others = [name for name in NAMES if name not in SECONDS]
    assert laws.check(Drawn(12), laws.Profile("quickest", 1, 0.01), laws=others).passed


def test_laws_of_finite_networks_say_where_they_do_not_apply() -> None:
    for subject, words in (
        (Activation.parse("x^4"), "tails too heavy"),
        (Activation.parse("exp(x^2/5)"), "one hidden layer only"),
        (Network(Dense(1, 0), Nonlinearity(activations.relu), Dense(1, 0)), "expect_empirical_eq_kernel"),
        (Doubled(), "draws no finite one"),
        (LINEAR, "expect_empirical_eq_kernel"),
    ):
        (result,) = laws.check(subject, ONE, laws=[EXTRAPOLATED]).results
        assert result.verdict is laws.Verdict.SKIPPED and words in result.reason


@pytest.mark.parametrize("text", ["sign(x)", "Heaviside(x)*(x + 1)", "sign(x) + x"])
def test_both_kernels_have_one_null_space_with_jumps_too(text: str) -> None:
    (result,) = laws.check(Activation.parse(text), DOZEN, laws=["ker_ntk_eq_ker_nngp"]).results
    assert result.verdict is laws.Verdict.HOLDS and result.nontrivial


def test_wrong_layers_fail() -> None:
    failed = {r.law for r in laws.check(Lopsided(), FEW).failures}
    assert {"kernel_symm", "gram_posSemidef"} <= failed
    broken = laws.check(Broken(), FEW, laws=["formula_eq_certified", "series_eq_certified"])
    assert not broken.passed


def test_a_wrong_network_is_shrunk_to_a_line_of_python(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Price's law against a derivative dual planted behind the package's own door."""
    law = laws.find("deriv_dual_eq_derivative_dual")
    faulty = law.saboteurs[0].plant(laws.HONEST, Fraction(1, 1000))
    subject = Subject.of(activations.tanh)
    result = run.run_law(law, subject, DOZEN, 0, faulty, folder=tmp_path)
    assert result.verdict is laws.Verdict.FAILS and result.worst_margin > 1
    assert result.example.endswith("laws.AtCovariance(Activation.parse('tanh(x)'), '1', '1/2', '1')))")
    (saved,) = tmp_path.iterdir()
    assert str(saved) == result.saved
    honest = laws.replay(saved)
    assert honest.holds and not honest.trivial  # the package is right: only the planted door was not
    name, case = laws.load(saved)
    assert not laws.examine(name, case, faulty).holds
    printed: list[object] = []
    exec(result.example, {"print": printed.append})
    assert printed == [honest]


class Steeper(Activation):
    """relu with the derivative of 2 relu."""

    @property
    def derivative(self) -> Pieces:  # type: ignore[override]
        return Activation.parse("2*Max(x, 0)").derivative


def test_a_wrong_activation_of_a_users_own_is_shown_as_it_is(tmp_path: Path) -> None:
    """The line of Python makes one of the user's class, not the package's, so that it fails again."""
    wrong = Steeper(activations.relu.expression)
    summary = laws.check(
        wrong, FEW, laws=["deriv_dual_eq_derivative_dual", "gram_eq_certified"], folder=tmp_path
    )
    assert [r.verdict for r in summary.results] == [laws.Verdict.FAILS] * 2
    for result in summary.results:
        printed: list[laws.Outcome] = []
        exec(result.example, {"print": printed.append, "Steeper": Steeper})
        assert not printed[0].holds
        with pytest.raises(DomainError, match="Steeper"):  # the file cannot hold it
            laws.replay(result.saved)


def test_a_failure_of_a_statistical_law_replays(tmp_path: Path) -> None:
    law = laws.find(STATISTICAL)
    faulty = law.saboteurs[0].plant(laws.HONEST, Fraction(1))
    result = run.run_law(law, Subject.of(activations.relu), FEW, 0, faulty, folder=tmp_path, shrink=False)
    assert result.verdict is laws.Verdict.FAILS
    name, case = laws.load(result.saved)
    assert not laws.examine(name, case, faulty).holds and laws.replay(result.saved).holds


# ------------------------------------------------------------------------------------ cases as text

CASES = [
    laws.AtCovariance(activations.relu, 1, "1/2", 2),
    laws.AtCovariance(Activation.parse("Piecewise((x*Phi(x), x > 1), (sign(x)*softplus(x), True))"), 1, 0, 1),
    laws.OnData(
        Network(Dense("1/3", sp.sqrt(2)), LayerNorm(), Residual(Nonlinearity(activations.gelu), Dense(1, 0))),
        ((0.1, 1 + 2**-50), (-1e300, 5e-324)),
        seed=2**63 - 1,
    ),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_cases_survive_json_and_python(case: laws.Case) -> None:
    from analytic_ntk.laws.cases import IMPORTS, code, from_json, python, to_json

    assert from_json(json.loads(json.dumps(to_json(case)))) == case
    namespace: dict[str, object] = {"constant": constant}
    exec(f"{IMPORTS}; again = {code(case.target)}", namespace)
    assert ("import constant" in python("kernel_symm", case)) == ("sqrt" in code(case.target))
    assert namespace["again"] == case.target


@given(strategies.activations())
@settings(max_examples=10, suppress_health_check=list(HealthCheck))
def test_every_activation_survives_text(phi: Activation) -> None:
    assert Activation.parse(str(phi.expression)) == phi


def test_other_files_are_refused(tmp_path: Path) -> None:
    good = {"format": "analytic_ntk law failure", "version": 1, "law": "kernel_symm"}
    wrong = [
        "", "[]", "{}", json.dumps(good), json.dumps(good | {"version": 2}), json.dumps(good | {"law": 3}),
        json.dumps(good | {"case": {"target": {"layers": [{"own": "Mine()"}]}, "X": [[1]], "seed": 0}}),
        json.dumps(good | {"case": {"target": {"layers": [{"dense": [1]}]}, "X": [[1]], "seed": 0}}),
        json.dumps(good | {"case": {"target": {"activation": "x"}, "X": [[1]], "seed": 0}}),
        json.dumps(good | {"case": {"target": {"activation": "x"}, "xx": "1", "xy": "2", "yy": "1"}}),
        json.dumps(good | {"case": {"target": {"activation": "open('x')"}, "xx": "1", "xy": "0", "yy": "1"}}),
    ]  # fmt: skip
    for text in wrong:
        path = tmp_path / "wrong.json"
        path.write_text(text)
        with pytest.raises(DomainError):
            laws.replay(path)
    with pytest.raises(DomainError):
        laws.replay(tmp_path / "missing.json")


# ------------------------------------------------------------------------------------ bad input

W = sp.Symbol("w", positive=True)
LINEAR = Network(Dense(1, 0))
REFUSED = {
    "text": (lambda: laws.check("relu"), "Activation.parse"),
    "nothing": (lambda: laws.check(None), "layer or a Network"),
    "a function": (lambda: laws.check(np.tanh), "layer or a Network"),
    "a sympy expression": (lambda: laws.check(sp.Symbol("x")), "Activation"),
    "a parameter": (lambda: laws.check(Activation.parse("tanh(a*x)")), "with_parameters"),
    "a symbolic variance": (lambda: laws.check(Network.mlp(activations.relu, 1, W, 0)), "the variance w"),
    "infinite kernels": (
        lambda: laws.check(Network.mlp(Activation.parse("exp(x^2/5)"), 1, 1, 2)), "at every variance"),
    "profile": (lambda: laws.check(activations.relu, "fast"), "quick, ci, deep"),
    "no profile": (lambda: laws.check(activations.relu, None), "quick, ci, deep"),
    "seed": (lambda: laws.check(activations.relu, seed=-1), "seed"),
    "true seed": (lambda: laws.check(activations.relu, seed=True), "seed"),
    "no law": (lambda: laws.check(activations.relu, laws=[]), "one law at least"),
    "unknown law": (lambda: laws.check(activations.relu, laws=["gram_posSemiDef"]), "gram_posSemidef"),
    "no cases": (lambda: laws.Profile("none", 0, 1.0), "cases = 0"),
    "true cases": (lambda: laws.Profile("none", True, 1.0), "cases = True"),
    "no time": (lambda: laws.Profile("none", 1, 0), "seconds = 0"),
    "NaN time": (lambda: laws.Profile("none", 1, float("nan")), "seconds = nan"),
    "no covariance": (lambda: laws.AtCovariance(activations.relu, 1, 2, 1), "xy"),
    "a float": (lambda: laws.AtCovariance(activations.relu, 1.0, 0, 1), "float"),
    "ragged data": (lambda: laws.OnData(Network(Dense(1, 0)), ((1.0,), (1.0, 2.0))), "one length"),
    "points, not a covariance": (
        lambda: laws.examine("gram_posSemidef", laws.AtCovariance(activations.relu, 1, 0, 1)), "laws.OnData"),
    "an activation, not a network": (
        lambda: laws.examine("series_eq_certified", laws.AtCovariance(activations.relu, 1, 0, 1)), "network"),
    "a network, not an activation": (
        lambda: laws.examine("dual_eq_mehler_sum", laws.AtCovariance(LINEAR, 1, 0, 1)), "activation"),
    "no hidden layer": (
        lambda: laws.examine(STATISTICAL, laws.OnData(LINEAR, ((1.0,),))), "Nonlinearity"),
    "a law that does not apply": (
        lambda: laws.smallest_fault("dual_neg_eq_of_parity", activations.relu), "even nor odd"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_refusals(case: str) -> None:
    call, words = REFUSED[case]
    with pytest.raises(DomainError, match=words):
        call()


# ------------------------------------------------------------------------------------ verdicts


def _law(check, skip=lambda subject: "") -> laws.Law:  # type: ignore[no-untyped-def]
    return dataclasses.replace(laws.find("dual_eq_mehler_sum"), check=check, skip=skip)


def test_a_law_that_saw_nothing_fails() -> None:
    summary = laws.check(
        activations.relu, FEW, laws=[_law(lambda case, doors: laws.Outcome(0.0, trivial=True))]
    )
    (result,) = summary.results
    assert result.verdict is laws.Verdict.VACUOUS and not summary.passed and summary.exit_code == 1
    assert result.nontrivial == 0 < result.cases


def test_nothing_but_skipped_laws_is_no_pass() -> None:
    summary = laws.check(activations.relu, FEW, laws=["dual_neg_eq_of_parity"])
    assert not summary.passed and summary.failures == () and "1 skipped" in summary.headline


def test_nan_and_exceptions_are_failures() -> None:
    def raising(case: laws.Case, doors: laws.Doors) -> laws.Outcome:
        raise ZeroDivisionError("a user's bug")

    for check in (lambda case, doors: laws.Outcome(math.nan), raising):
        (result,) = laws.check(activations.relu, FEW, laws=[_law(check)]).results
        assert result.verdict is laws.Verdict.FAILS and result.example
    assert "ZeroDivisionError" in result.reason


def test_refusals_are_counted_and_not_passed() -> None:
    def refusing(case: laws.Case, doors: laws.Doors) -> laws.Outcome:
        raise PrecisionError("3 digits", "20 digits")

    (result,) = laws.check(activations.relu, FEW, laws=[_law(refusing)]).results
    assert result.verdict is laws.Verdict.VACUOUS and result.cases == 0 < result.refused
    assert "3 digits" in result.reason


def test_an_interrupted_run_keeps_what_was_done() -> None:
    def stop(case: laws.Case, doors: laws.Doors) -> laws.Outcome:
        raise KeyboardInterrupt

    chosen = ["dual_smul_eq_pow_mul_dual", _law(stop), "gram_posSemidef"]
    summary = laws.check(activations.relu, FEW, laws=chosen)
    assert summary.interrupted and not summary.passed and summary.exit_code == 130
    assert [r.law for r in summary.results] == ["dual_smul_eq_pow_mul_dual"] and len(summary.left) == 2
    assert "interrupted, 2 not run" in str(summary)
    assert 'skipped="2"' in summary.junit()


def test_the_same_seed_draws_the_same_cases() -> None:
    def cases(seed: int) -> list[laws.Case]:
        found: list[laws.Case] = []
        law = _law(lambda case, doors: found.append(case) or laws.Outcome(0.5))
        laws.check(activations.tanh, DOZEN, seed, [law])
        return found

    assert cases(3) == cases(3) != cases(4)


# ------------------------------------------------------------------------------------ looks


def _failing_summary() -> laws.Summary:
    law = _law(lambda case, doors: laws.Outcome(math.inf, detail="a < b & \x00"))
    return laws.check(Activation.parse("Max(x, 0)"), FEW, laws=[law, "dual_neg_eq_of_parity"])


def test_a_summary_reads_well_everywhere() -> None:
    summary = _failing_summary()
    text = str(summary)
    assert "FAILS" in text and "skipped" in text and "inf" in text and "from analytic_ntk import" in text
    assert "neither even nor odd" in text and "1 fail, 1 skipped" in text
    page = summary._repr_html_()
    assert "<table>" in page and "a &lt; b &amp;" in page
    data = json.loads(json.dumps(summary.to_json(), allow_nan=False))
    assert data["passed"] is False and data["results"][0]["worst_margin"] == "inf"
    root = ElementTree.fromstring(summary.junit())
    suite = root[0]
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("2", "1", "1")
    assert suite[0].find("failure") is not None and suite[1].find("skipped") is not None


def test_lines_fit_80_columns() -> None:
    from rich.console import Console

    console = Console(width=80, record=True, file=io.StringIO())
    long = laws.LawResult(
        max(NAMES, key=len), "statistical", laws.Verdict.VACUOUS, 500, 480, 12, 0.0012, 59.4, 0.0
    )
    console.print(laws.Summary("relu", "deep", 0, (long,), 60.0))
    (row,) = [line for line in console.export_text().splitlines() if long.law[:20] in line]
    assert long.law in row and "VACUOUS" in row


# ------------------------------------------------------------------------------------ measuring


def test_margins() -> None:
    one, other = Enclosure(Fraction(1), Fraction(1, 10)), Enclosure(Fraction(2), Fraction(1, 10))
    assert overlap_margin(one, other) == 5 and overlap_margin(one, one) == 0
    assert above_margin(one, other) == 0 and above_margin(other, one) == 5
    exact = Enclosure(Fraction(1), Fraction(0))
    assert overlap_margin(exact, Enclosure(Fraction(2), Fraction(0))) == math.inf
    total = combination([(2, one), (Fraction(-1, 2), other)])
    assert (total.lower, total.upper) == (
        Fraction(2) * one.lower - other.upper / 2,
        2 * one.upper - other.lower / 2,
    )
    signed = product(Enclosure(Fraction(0), Fraction(1)), other)
    assert (signed.lower, signed.upper) == (-other.upper, other.upper)
    for value in (Fraction(0), Fraction(2), Fraction(1, 10**40), Fraction(10**41, 7)):
        root = root_above(value)
        assert value <= root * root <= value * (1 + Fraction(1, 2**48))


def test_rounding_grows_with_the_condition_of_the_recursion() -> None:
    """A chaotic network amplifies what is rounded; the bound of its NNGP follows."""
    X = ((1.0, 0.0), (0.5, 0.5))
    bounds = [
        rounding(Network.mlp(activations.tanh, depth, weight, "1/10"), X)[0].max()
        for depth, weight in ((2, 1), (10, 1), (10, 50))
    ]
    assert bounds[0] < bounds[1] < bounds[2] / 100


def test_the_number_of_draws_is_the_binomial_tail() -> None:
    k = of_samples.draws_needed()
    share = laws.find(STATISTICAL).failure_probability / (2 * 2 * 3)
    tail = lambda n: sum(binom.pmf(j, n, 0.1) for j in range((n + 1) // 2, n + 1))  # noqa: E731
    assert k % 2 == 1 and tail(k) <= share * (1 + 1e-6) < tail(k - 2)


def test_the_noise_of_finite_networks_is_bounded_as_stated() -> None:
    """The empirical variance of the entries over 60 networks is below the bound, and not far below."""
    network, X = Network.mlp(activations.relu, 1, 2, "1/10"), ((1.0, 0.5), (0.5, -1.0))
    bounds = of_samples._variances(network, X)
    assert bounds is not None
    rng = np.random.default_rng(0)
    found = np.array([laws.HONEST.empirical(network, X, of_samples.WIDTH, rng) for _ in range(60)])
    for kernel, bound in enumerate(bounds):
        ratio = found[:, kernel].var(axis=0, ddof=1) / bound
        assert (ratio < 1).all() and ratio.max() > 0.1


def test_parts_with_one_hidden_layer() -> None:
    phi, dense = Nonlinearity(activations.relu), Dense(1, 0)
    assert one_hidden_layer_parts(Network(Dense(2, 0), phi, dense, phi, Dense(3, 1))) == [
        Network(Dense(2, 0), phi, dense), Network(dense, phi, Dense(3, 1)),
    ]  # fmt: skip
    assert one_hidden_layer_parts(Network(Dense(2, 0), Residual(phi, dense))) == [
        Network(Dense(2, 0), phi, dense)
    ]
    assert one_hidden_layer_parts(Network(dense, LayerNorm(), phi, dense)) == []


# ------------------------------------------------------------------------------------ pytest and the command

test_a_users_activation = laws.as_tests(
    Activation.parse("x*Max(x, 0)"), QUICKEST, laws=["gram_posSemidef", "dual_neg_eq_of_parity"]
)


def test_tests_of_a_wrong_layer_fail_and_say_how() -> None:
    test = laws.as_tests(Lopsided(), FEW, laws=["kernel_symm"])
    with pytest.raises(pytest.fail.Exception, match="examine"):
        test(laws.find("kernel_symm"))


def test_pytest_pyargs(tmp_path: Path) -> None:
    """In a process of its own, as a user runs it, the plugin loaded by name as an installation would."""
    words = [
        "--pyargs",
        "analytic_ntk.laws",
        "--laws-activation",
        "abs",
        "-k",
        "dual_neg or posSemidef",
        "-q",
    ]
    installed = any(entry.name == "analytic_ntk" for entry in entry_points(group="pytest11"))
    plugin = () if installed else ("-p", "analytic_ntk.pytest_plugin")
    command = [sys.executable, "-m", "pytest", *plugin, "-p", "no:cacheprovider", *words]
    paths = {"PYTHONPATH": str(Path(analytic_ntk.__file__).parent.parent)}
    done = subprocess.run(command, cwd=tmp_path, env=os.environ | paths, capture_output=True, text=True)
    assert done.returncode == 0 and "2 passed" in done.stdout, done.stdout + done.stderr


def _run(*arguments: str):  # type: ignore[no-untyped-def]
    return CliRunner().invoke(app, ["laws", *arguments], env={"COLUMNS": "80"})


def test_command(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    result = _run(
        "relu", "--activation", "x^2", "--law", "dual_smul_eq_pow_mul_dual", "--report", str(report)
    )
    assert result.exit_code == 0, result.output
    assert "2 of 2 activations pass" in result.output
    assert [summary["subject"] for summary in json.loads(report.read_text())] == ["relu", "x**2"]
    xml = tmp_path / "report.xml"
    assert _run("relu", "--law", "gram_posSemidef", "--report", str(xml)).exit_code == 0
    assert ElementTree.parse(xml).getroot().tag == "testsuites"


def test_command_lists_the_laws() -> None:
    result = _run("--list")
    assert result.exit_code == 0 and all(name in result.output for name in NAMES)


def test_command_exit_codes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert _run("tanh(a*x)").exit_code == 2
    assert _run("relu", "--law", "nothing").exit_code == 2
    assert _run("relu", "--report", "report.txt").exit_code == 2
    assert _run("relu", "--profile", "hasty").exit_code == 2
    law = laws.find("dual_eq_mehler_sum")
    faulty = law.saboteurs[0].plant(laws.HONEST, Fraction(1, 100))
    monkeypatch.setattr(run.run_law, "__defaults__", (faulty, *run.run_law.__defaults__[1:]))
    result = _run("erf", "--law", law.name, "--failures", str(tmp_path / "kept"))
    assert result.exit_code == 1 and "FAILS" in result.output
    assert len(list((tmp_path / "kept").iterdir())) == 1


def test_command_interrupted_prints_what_was_done(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    law = laws.find("gram_posSemidef")

    def stop(case: laws.Case, doors: laws.Doors) -> laws.Outcome:
        raise KeyboardInterrupt

    monkeypatch.setattr(
        "analytic_ntk.laws.LAWS",
        (laws.find("dual_smul_eq_pow_mul_dual"), dataclasses.replace(law, check=stop)),
    )
    report = tmp_path / "report.json"
    result = _run("relu", "tanh", "--report", str(report))
    assert result.exit_code == 130
    assert "dual_smul_eq_pow_mul_dual" in result.output and "not begun: 1" in result.output
    assert json.loads(report.read_text())[0]["interrupted"] is True
