"""``pytest --pyargs analytic_ntk.laws``: the laws as tests, on relu or what ``--laws-activation`` says."""

from __future__ import annotations

from typing import Any

from analytic_ntk import activations
from analytic_ntk.laws.catalogue import LAWS
from analytic_ntk.laws.law import Law
from analytic_ntk.laws.pytests import report
from analytic_ntk.laws.run import profile_of, run_law
from analytic_ntk.laws.subject import Subject

DEFAULT = ("relu",)


def pytest_generate_tests(metafunc: Any) -> None:
    """A test for each activation and law."""
    option = metafunc.config.getoption
    names = option("laws_activation", None) or DEFAULT
    cases = [(Subject.of(activations.resolve(name)), law) for name in names for law in LAWS]
    ids = [f"{subject.name}-{law.name}" for subject, law in cases]
    metafunc.parametrize(("subject", "law"), cases, ids=ids)


def test_law(subject: Subject, law: Law, pytestconfig: Any) -> None:
    profile = profile_of(pytestconfig.getoption("laws_profile", None) or "quick")
    seed = pytestconfig.getoption("laws_seed", None) or 0
    report(run_law(law, subject, profile, seed))
