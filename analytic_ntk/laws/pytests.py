"""Laws as tests of pytest."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from analytic_ntk.laws.catalogue import LAWS, find
from analytic_ntk.laws.law import Law
from analytic_ntk.laws.run import Profile, profile_of, run_law
from analytic_ntk.laws.subject import Subject
from analytic_ntk.laws.summary import LawResult, Verdict


def as_tests(
    subject: object,
    profile: str | Profile = "quick",
    seed: int = 0,
    laws: Sequence[Law | str] = LAWS,
) -> Callable[..., None]:
    """A test for each law, for pytest to collect; a law that does not apply is a skipped test.

    In a file of tests::

        from analytic_ntk import Activation, laws

        test_my_activation = laws.as_tests(Activation.parse("x*tanh(x)"))

    Raises :class:`DomainError` as :func:`~analytic_ntk.laws.check` does, when the file is collected.
    """
    import pytest

    tested, budget = Subject.of(subject), profile_of(profile)
    chosen = [find(law) if isinstance(law, str) else law for law in laws]

    @pytest.mark.parametrize("law", chosen, ids=[law.name for law in chosen])
    def test(law: Law) -> None:
        report(run_law(law, tested, budget, seed))

    return test


def report(result: LawResult) -> None:
    """Skip or fail the running test as the law did."""
    import pytest

    if result.verdict is Verdict.SKIPPED:
        pytest.skip(result.reason)
    if not result.verdict.passed:
        parts = (f"{result.law}: {result.verdict.value}, margin {result.worst_margin:.3g}", result.reason,
                 result.example)  # fmt: skip
        pytest.fail("\n".join(part for part in parts if part), pytrace=False)
