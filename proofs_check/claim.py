"""Claims: statements checked part by part, with a verdict that says no more than was done."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum

from analytic_ntk.display import Reasoned, Shown, Typeset, markdown_table, plain, typeset
from analytic_ntk.errors import PrecisionError, UndecidedError
from proofs_check.verdict import Verdict


class Method(Enum):
    """How a part is checked, and so what it can establish at most.

    >>> Method.NUMERIC.best
    <Verdict.SUPPORTED: 'supported'>
    """

    SYMBOLIC = "symbolic identity"
    """For all values of the parameters named in the scope."""
    EXACT = "exact arithmetic"
    """Integers and rationals, on every case of the family named in the scope."""
    ENCLOSED = "certified enclosures"
    """Balls that contain the truth, on every case of the family, or over the domain, named in the scope."""
    NUMERIC = "numeric support"
    """Numbers whose errors are estimated: evidence, not proof."""

    @property
    def best(self) -> Verdict:
        """The verdict where every case holds."""
        if self is Method.NUMERIC:
            return Verdict.SUPPORTED
        return Verdict.ENCLOSED if self is Method.ENCLOSED else Verdict.PROVED


@dataclass(frozen=True)
class Case(Shown):
    """One instance of a part: it holds, it fails, or (``None``) cannot be told.

    ``trivial``: it could not have failed, and is not counted.
    """

    what: str
    holds: bool | None
    trivial: bool = False


Check = Callable[[], Iterable[Case]]


@dataclass(frozen=True)
class Part(Shown):
    """Something checked: what, how, over what (``scope``), and the function that does it.

    ``needed``: the claim is no better than this part. A ``slow`` part is run on demand only, so it cannot
    be needed.
    """

    what: str
    method: Method
    scope: str
    check: Check
    needed: bool = True
    slow: bool = False

    def __post_init__(self) -> None:
        if self.slow and self.needed:
            raise ValueError(f"{self.what}: a slow part cannot be needed")


@dataclass(frozen=True)
class Hypothesis(Shown):
    """A hypothesis, and what happens without it: a counterexample that is computed, or a remark."""

    name: str
    text: str
    dropped: Part | None = None
    remark: str = ""

    def __post_init__(self) -> None:
        if (self.dropped is None) != bool(self.remark):
            raise ValueError(f"{self.name}: either a counterexample or a remark is required")


@dataclass(frozen=True)
class Fault(Shown):
    """A planted fault that the check of a part must refute."""

    what: str
    check: Check


@dataclass(frozen=True)
class Claim(Typeset):
    """A statement, its hypotheses, and the parts of it that are checked.

    ``title`` is the statement in a few words, ``statement`` in LaTeX. ``cited``: what the statement in
    general rests on where the parts are cases of it only; empty where they cover it whole.
    """

    name: str
    title: str
    statement: str
    hypotheses: tuple[Hypothesis, ...]
    parts: tuple[Part, ...]
    faults: tuple[Fault, ...]
    references: tuple[str, ...]
    cited: str = ""

    def __post_init__(self) -> None:
        if not self.name.isidentifier():
            raise ValueError(f"{self.name!r} is no name")
        if not any(part.needed for part in self.parts) or not self.faults or not self.references:
            raise ValueError(f"{self.name}: a part that is needed, a fault and a reference are required")

    def latex(self) -> str:
        """The statement."""
        return self.statement

    def _repr_markdown_(self) -> str:
        title = f"**{plain(self.title)}**\n\n{typeset(self.statement)}"
        rows = [("documented", verdict_words(self.documented, self.cited))]
        rows += [("in general", self.cited)] if self.cited else []
        rows += [(h.name, h.text) for h in self.hypotheses]
        rows += [("checked", f"{p.what}: {p.method.value}, over {p.scope}") for p in self.parts]
        rows += [("source", reference) for reference in self.references]
        return markdown_table(title, [(plain(name), plain(text)) for name, text in rows])

    @property
    def documented(self) -> Verdict:
        """The verdict if every part holds."""
        return weakest(part.method.best for part in self.parts if part.needed)

    @property
    def counterexamples(self) -> tuple[Part, ...]:
        """One for each hypothesis that can be shown necessary."""
        return tuple(h.dropped for h in self.hypotheses if h.dropped is not None)


@dataclass(frozen=True)
class Finding(Shown):
    """What came of a part: the verdict, how many cases could have failed, the case that decided."""

    part: Part
    verdict: Verdict
    cases: int
    witness: str
    seconds: float

    @property
    def as_documented(self) -> bool:
        return self.verdict is self.part.method.best


@dataclass(frozen=True)
class Outcome(Reasoned):
    """What came of a claim. ``skipped``: slow parts that were not run."""

    claim: Claim
    findings: tuple[Finding, ...]
    counterexamples: tuple[Finding, ...]
    skipped: tuple[Part, ...]

    @property
    def verdict(self) -> Verdict:
        """That of the weakest part the statement needs; a refuted part refutes, needed or not."""
        needed = [f.verdict for f in self.findings if f.part.needed]
        return weakest([*needed, *(f.verdict for f in self.findings if f.verdict is Verdict.REFUTED)])

    @property
    def as_documented(self) -> bool:
        """Whether every part and every counterexample came out as it should."""
        return all(f.as_documented for f in (*self.findings, *self.counterexamples))

    @property
    def words(self) -> str:
        return verdict_words(self.verdict, self.claim.cited)

    def __str__(self) -> str:
        lines = [f"{self.claim.title}: {self.words}"]
        lines += [_in_words(finding) for finding in self.findings]
        lines += [f"without a hypothesis, {_in_words(finding)}" for finding in self.counterexamples]
        lines += [f"not run, being slow: {part.what}" for part in self.skipped]
        lines += [f"in general: {self.claim.cited}"] if self.claim.cited else []
        return "\n".join([*lines, *(f"source: {reference}" for reference in self.claim.references)])


def _in_words(finding: Finding) -> str:
    part, count = finding.part, f"{finding.cases} case" + "s" * (finding.cases != 1)
    last = "" if finding.as_documented else f"; {finding.witness}"
    return f"{finding.verdict.value}: {part.what} ({part.method.value}, {count}, over {part.scope}){last}"


def verdict_words(verdict: Verdict, cited: str) -> str:
    """The verdict, not larger than it is.

    >>> verdict_words(Verdict.PROVED, ""), verdict_words(Verdict.PROVED, "Theorem 1")
    ('proved', 'proved on the cases checked; in general cited')
    """
    if verdict.holds and cited:
        return f"{verdict.value} on the cases checked; in general cited"
    return verdict.value


def weakest(verdicts: Iterable[Verdict]) -> Verdict:
    """The last in the order proved, enclosed, supported, undecided, refuted."""
    return max(verdicts, key=list(Verdict).index)


def run_part(part: Part, seen: Callable[[Case], None] = lambda case: None) -> Finding:
    """Run a part to its end, or to the first case that fails; ``seen`` is told each case.

    A part without a case that could have failed is undecided. So is one where a case cannot be told, or
    where precision or a decision procedure gives up.
    """
    start = time.perf_counter()
    verdict, count, witness, last = part.method.best, 0, "", ""
    try:
        for case in part.check():
            seen(case)
            count += not case.trivial
            last = case.what
            if case.holds is None:
                verdict, witness = Verdict.UNDECIDED, witness or f"cannot be told: {case.what}"
            elif not case.holds:
                verdict, witness = Verdict.REFUTED, f"fails: {case.what}"
                break
    except (UndecidedError, PrecisionError) as error:
        verdict, witness = Verdict.UNDECIDED, f"after {last or 'the start'}: {error}"
    if count == 0 and verdict is part.method.best:
        verdict, witness = Verdict.UNDECIDED, "no case that could have failed"
    return Finding(part, verdict, count, witness or last, time.perf_counter() - start)


def run_claim(
    claim: Claim, slow: bool = False, seen: Callable[[Part, Case], None] = lambda part, case: None
) -> Outcome:
    """Run the parts and the counterexamples of a claim; slow parts only if asked."""

    def run(part: Part) -> Finding:
        return run_part(part, lambda case: seen(part, case))

    return Outcome(
        claim,
        tuple(run(part) for part in claim.parts if slow or not part.slow),
        tuple(run(part) for part in claim.counterexamples if slow or not part.slow),
        tuple(part for part in (*claim.parts, *claim.counterexamples) if part.slow and not slow),
    )


def detects(claim: Claim, fault: Fault) -> Finding:
    """What the check says of a planted fault; anything but refuted means that it is blind."""
    return run_part(Part(fault.what, claim.parts[0].method, "a planted fault", fault.check))
