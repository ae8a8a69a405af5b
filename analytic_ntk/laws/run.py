"""Running laws: cases drawn by hypothesis stratum by stratum, the first failing one shrunk."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import hypothesis
from hypothesis import HealthCheck, Phase
from hypothesis.strategies import SearchStrategy

from analytic_ntk.errors import AnalyticNTKError, DomainError
from analytic_ntk.laws.cases import Case, python
from analytic_ntk.laws.catalogue import LAWS, find
from analytic_ntk.laws.doors import HONEST, Doors
from analytic_ntk.laws.law import Law, Outcome
from analytic_ntk.laws.reproduction import save
from analytic_ntk.laws.subject import Subject
from analytic_ntk.laws.summary import LawResult, Summary, Verdict

MOST_CASES = 1_000_000
_PATIENCE = 20
"""A law without a case that shows anything goes on for so many times its time, and 10 seconds at least."""
_SHRINKING = 10
"""Shrinking may take so many times the time of the law, and 5 seconds at least."""


@dataclass(frozen=True)
class Profile:
    """How hard to try: ``cases`` for each law, and the ``seconds`` after which no new case is begun."""

    name: str
    cases: int
    seconds: float

    def __post_init__(self) -> None:
        if (
            isinstance(self.cases, bool)
            or not isinstance(self.cases, int)
            or not 1 <= self.cases <= MOST_CASES
        ):
            raise DomainError(f"cases = {self.cases!r}", f"an integer from 1 to {MOST_CASES}")
        if (
            isinstance(self.seconds, bool)
            or not isinstance(self.seconds, (int, float))
            or not self.seconds > 0
        ):
            raise DomainError(f"seconds = {self.seconds!r}", "a number > 0")


PROFILES = {
    "quick": Profile("quick", 12, 0.4),
    "ci": Profile("ci", 60, 5.0),
    "deep": Profile("deep", 500, 60.0),
}


def profile_of(profile: str | Profile) -> Profile:
    if isinstance(profile, Profile):
        return profile
    if profile not in PROFILES:
        raise DomainError(f"profile = {profile!r}", f"one of {', '.join(PROFILES)}, or a laws.Profile")
    return PROFILES[profile]


def check(
    subject: object,
    profile: str | Profile = "quick",
    seed: int = 0,
    laws: Sequence[Law | str] = LAWS,
    folder: str | Path | None = ".laws",
    progress: Callable[[int, int, str], None] = lambda done, total, name: None,
) -> Summary:
    """Run laws on an activation, a layer or a network.

    ``subject``: an :class:`~analytic_ntk.Activation` is tested in random networks around it, a layer between
    two dense ones, a :class:`~analytic_ntk.Network` as it is. ``profile``: ``"quick"`` (seconds), ``"ci"``
    (about a minute), ``"deep"`` (up to a quarter of an hour), or a :class:`Profile`. The same seed draws the
    same cases; how many of them are run depends on the time they take. ``laws``: some of
    :data:`LAWS`, or their names. ``folder``: where a failing case is saved for
    :func:`replay` (made when needed; ``None``: nowhere). Ctrl-C ends the run; what was done is in the
    summary, which says so.

    A law fails if a case refutes it, and also if no case could have refuted it. One that does not apply is
    skipped, with the reason. Certified laws hold or fail whatever the rounding; those in float64 rest on
    the promise of :meth:`~analytic_ntk.network.Network.gram`; the statistical ones refute a right
    implementation with the probability stated in the summary, the deeper of them under assumptions on tails
    and bias (:mod:`analytic_ntk.laws.of_widths`).

    Raises :class:`DomainError` for anything that is not an activation, layer or network, for free
    parameters, kernels that are infinite everywhere, and unknown laws and profiles.

    >>> from analytic_ntk import activations, laws
    >>> summary = laws.check(activations.relu, laws=["gram_posSemidef", "dual_smul_eq_pow_mul_dual"])
    >>> summary.passed, [result.verdict.value for result in summary.results]
    (True, ['holds', 'holds'])
    """
    tested = Subject.of(subject)
    budget = profile_of(profile)
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise DomainError(f"seed = {seed!r}", "an integer >= 0")
    chosen = [find(law) if isinstance(law, str) else law for law in laws]
    if not chosen:
        raise DomainError("no law", "one law at least", "see laws.LAWS")
    try:
        restriction = tested.restriction
    except AnalyticNTKError:
        raise
    except Exception as error:  # the layer of a user's: the laws will say so
        restriction = _raised(error)
    begun = time.monotonic()
    results: list[LawResult] = []
    interrupted = False
    for done, law in enumerate(chosen):
        progress(done, len(chosen), law.name)
        try:
            results.append(run_law(law, tested, budget, seed, folder=folder))
        except KeyboardInterrupt:
            interrupted = True
            break
    left = tuple(law.name for law in chosen[len(results) :])
    return Summary(
        tested.name,
        budget.name,
        seed,
        tuple(results),
        time.monotonic() - begun,
        restriction,
        interrupted,
        left,
    )


def examine(law: str | Law, case: Case, doors: Doors = HONEST) -> Outcome:
    """One law on one case.

    >>> from analytic_ntk import activations, laws
    >>> laws.examine("dual_neg_eq_of_parity", laws.AtCovariance(activations.erf, 1, "1/2", 1)).holds
    True
    """
    found = find(law) if isinstance(law, str) else law
    try:
        return found.check(case, doors)
    except AnalyticNTKError:
        raise
    except Exception as error:  # a user's layer or activation may raise anything: the law fails, not the run
        return Outcome(math.inf, detail=_raised(error))


def _raised(error: Exception) -> str:
    return f"raised {type(error).__name__}: {error}"[:300]


# ------------------------------------------------------------------------------------ one law


class _RefutedCaseError(Exception):
    """A case whose margin is above 1."""


@dataclass
class _Count:
    """What has happened so far."""

    begun: float = field(default_factory=time.monotonic)
    seen: set[str] = field(default_factory=set)
    cases: int = 0
    nontrivial: int = 0
    refused: int = 0
    worst: float = 0.0
    refusal: str = ""
    failing: tuple[Case, Outcome] | None = None
    failed_at: float = 0.0


def run_law(
    law: Law,
    subject: Subject,
    profile: Profile,
    seed: int,
    doors: Doors = HONEST,
    folder: str | Path | None = None,
    shrink: bool = True,
) -> LawResult:
    """One law, all strata; ``doors`` may be faulty."""
    begun = time.monotonic()
    strata: tuple[SearchStrategy[Case], ...] = ()
    reason, raised = "", False
    try:
        reason = law.skip(subject)
        strata = () if reason else law.strata(subject)
    except AnalyticNTKError:
        raise
    except Exception as error:  # in the layer of a user's
        reason, raised = _raised(error), True
    count = _Count()
    if strata:
        share = max(2, -(-profile.cases // len(strata)))
        for number, stratum in enumerate(strata, 1):
            until = count.begun + profile.seconds * number / len(strata)
            body = _body(law, doors, until, profile.seconds, count)
            _draw(stratum, body, min(share, profile.cases), seed, shrink, count)
            if count.failing:
                break
    seconds = time.monotonic() - begun
    verdict = Verdict.HOLDS
    example = saved = ""
    if reason:
        verdict = Verdict.FAILS if raised else Verdict.SKIPPED
    elif count.failing:
        case, outcome = count.failing
        verdict, reason, example = Verdict.FAILS, outcome.detail, python(law.name, case)
        count.worst = outcome.margin
        if folder is not None:
            saved = save(Path(folder), law.name, case, outcome, subject.name, profile.name, seed)
    elif not count.nontrivial:
        verdict = Verdict.VACUOUS
        reason = count.refusal or "no case drawn could have shown a fault"
    return LawResult(
        law=law.name,
        kind=law.kind.value,
        verdict=verdict,
        cases=count.cases,
        nontrivial=count.nontrivial,
        refused=count.refused,
        worst_margin=count.worst,
        seconds=seconds,
        failure_probability=law.failure_probability * count.cases,
        reason=reason,
        example=example,
        saved=saved,
    )


def _body(law: Law, doors: Doors, until: float, seconds: float, count: _Count) -> Callable[[Case], None]:
    """What is done with a case: count it, and raise if it refutes the law. Cases after ``until`` are left."""
    patience = count.begun + max(10.0, _PATIENCE * seconds)

    def body(case: Case) -> None:
        now = time.monotonic()
        if count.failing:
            if now > count.failed_at + max(5.0, _SHRINKING * seconds):
                if case == count.failing[0]:
                    raise _RefutedCaseError  # the last one found, once more
                return
        else:
            line, end = python(law.name, case), until if count.nontrivial else patience
            if line in count.seen or now > end:
                return
            count.seen.add(line)
        try:
            outcome = examine(law, case, doors)
        except AnalyticNTKError as error:
            if not count.failing:
                count.refused += 1
                count.refusal = str(error)[:300]
            return
        if not count.failing:
            count.cases += 1
            count.nontrivial += not outcome.trivial
            count.worst = max(count.worst, outcome.margin)
        if not outcome.holds:
            if not count.failing:
                count.failed_at = now
            count.failing = case, outcome
            raise _RefutedCaseError

    return body


def _draw(
    stratum: SearchStrategy[Case],
    body: Callable[[Case], None],
    share: int,
    seed: int,
    shrink: bool,
    count: _Count,
) -> None:
    """Draw ``share`` cases; hypothesis shrinks one that fails."""
    run = hypothesis.given(stratum)(body)
    run = hypothesis.settings(
        max_examples=share,
        database=None,
        deadline=None,
        derandomize=False,
        report_multiple_bugs=False,
        print_blob=False,
        phases=(Phase.generate, Phase.shrink) if shrink else (Phase.generate,),
        suppress_health_check=list(HealthCheck),
        verbosity=hypothesis.Verbosity.quiet,
    )(run)
    run = hypothesis.seed(seed)(run)
    try:
        run()
    except _RefutedCaseError:
        pass
    except hypothesis.errors.Flaky:
        if not count.failing:
            raise


# ------------------------------------------------------------------------------------ how small a fault

_FINEST = 40


def finds(law: Law, subject: Subject, profile: Profile, seed: int, fault: int, saboteur: int = 0) -> bool:
    """Whether the law fails with a saboteur's fault of size ``10^-fault`` planted."""
    faulty = law.saboteurs[saboteur].plant(HONEST, Fraction(1, 10**fault))
    return run_law(law, subject, profile, seed, faulty, shrink=False).verdict is Verdict.FAILS


def smallest_fault(law: Law | str, subject: object, profile: str | Profile = "quick", seed: int = 0) -> float:
    """The smallest relative fault, a power of 10, that a law's first saboteur cannot hide.

    Raises :class:`DomainError` if the law does not apply, or misses even a fault of size 1.

    >>> from analytic_ntk import activations, laws
    >>> laws.smallest_fault("gram_eq_certified", activations.relu) <= 1e-11
    True
    """
    chosen = find(law) if isinstance(law, str) else law
    tested, budget = Subject.of(subject), profile_of(profile)
    reason = chosen.skip(tested)
    if reason:
        raise DomainError(f"{chosen.name} for {tested.name}", "a law that applies", reason)
    seen, unseen = 0, _FINEST
    if not finds(chosen, tested, budget, seed, 0):
        raise DomainError(f"{chosen.name}, which misses a fault of size 1", "a law that sees faults")
    while unseen - seen > 1:
        middle = (seen + unseen) // 2
        if finds(chosen, tested, budget, seed, middle):
            seen = middle
        else:
            unseen = middle
    return 10.0**-seen
