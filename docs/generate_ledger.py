"""Run the ledger and write ``docs/ledger.md``.

Run ``python docs/generate_ledger.py`` from the root (a few minutes: the slow parts are run too); names as
arguments restrict it to some claims and print instead of writing. Nothing on the page is a time or a date, so
that it changes only where a check does.
"""

from __future__ import annotations

import re
import sys
import textwrap
import time
from collections.abc import Iterable
from pathlib import Path

from proofs_check.claim import Claim, Finding, Method, Outcome, Part, detects, run_claim
from proofs_check.ledger import claims
from proofs_check.verdict import Verdict

PAGE = Path(__file__).with_name("ledger.md")
WIDTH = 118
LONGEST = 160

INTRODUCTION = """Statements about neural kernels, each checked in parts. A part says what is checked, how,
and over what; its verdict is that of all its cases. **The verdict of a claim is about the cases checked.**
Where the statement in general rests on a proof that is cited, not made here, the last column says so."""

NOTATION = r"""Notation: $S_1 = w \langle x, y\rangle/d + b$, $S_{l+1} = w\,\mathbb{E}[s(u)s(v)] + b$,
$T_1 = S_1$, $T_{l+1} = S_{l+1} + w\,\mathbb{E}[s'(u)s'(v)]\,T_l$ with $(u, v) \sim N(0, S_l)$; $S_L(X)$,
$T_L(X)$ are the Gram matrices of inputs $X$ (NNGP and NTK). Depth $L - 1$ means $L - 1$ nonlinearities."""

KINDS = (
    ("symbolic identity", "for all values of the parameters that the scope names", Method.SYMBOLIC),
    ("exact arithmetic", "integers and rationals, on every case of the family", Method.EXACT),
    ("certified enclosures", "balls that contain the truth, on every case of the family", Method.ENCLOSED),
    ("numeric support", "numbers with estimated errors: evidence, not proof", Method.NUMERIC),
)

RULES = """Only *proved* and *enclosed* count as established. *Supported*, *undecided* (something could not be
told) and *refuted* (an explicit witness) do not. Every claim has planted faults, which its checks refute.
Every hypothesis has a counterexample without it, computed, or a remark why there is none."""

RUN = """`proofs-check run` makes the same checks (a minute or two; `--slow` for the parts marked slow),
`proofs-check show NAME` shows a claim: [the command line](cli.md#the-ledger)."""


def page(outcomes: Iterable[Outcome]) -> str:
    """The whole page."""
    found = list(outcomes)
    kinds = ["| how | what it means | verdict at best |", "|---|---|---|"]
    kinds += [f"| {how} | {meaning} | {method.best.value} |" for how, meaning, method in KINDS]
    table = ["| claim | statement in words | checked here | in general |", "|---|---|---|---|"]
    table += [row(outcome) for outcome in found]
    parts = ["# The ledger", wrapped(INTRODUCTION), wrapped(NOTATION), "\n".join(kinds), wrapped(RULES)]
    parts += [wrapped(RUN), "\n".join(table), *(section(outcome) for outcome in found)]
    return "\n\n".join(parts) + "\n"


def row(outcome: Outcome) -> str:
    claim = outcome.claim
    general = "cited" if claim.cited else "the same"
    anchor = claim.name.lower()
    return f"| [{claim.name}](#{anchor}) | {plain(claim.title)} | {outcome.verdict.value} | {general} |"


def section(outcome: Outcome) -> str:
    """A claim: statement, hypotheses, parts, faults, references."""
    claim = outcome.claim
    found = {id(f.part): f for f in (*outcome.findings, *outcome.counterexamples)}
    blocks = [f"## {claim.name}", wrapped(f"{sentence(claim.title)} **{sentence(outcome.words)}**")]
    blocks.append(f"$$\n{displayed(claim.statement)}\n$$")
    blocks.append(
        wrapped(f"In general: {plain(claim.cited)}." if claim.cited else "The parts cover it whole.")
    )
    blocks.append(
        "\n".join(
            [
                "Hypotheses:",
                "",
                *(hypothesis(h.name, h.text, h.dropped, h.remark, found) for h in claim.hypotheses),
            ]
        )
    )
    blocks.append("\n".join(["Parts:", "", *(item(part, found) for part in claim.parts)]))
    faults = "; ".join(plain(fault.what) for fault in claim.faults)
    blocks.append(wrapped(f"Planted faults, refuted: {faults}."))
    blocks.append(wrapped(f"References: {'; '.join(map(plain, claim.references))}."))
    return "\n\n".join(blocks)


def hypothesis(name: str, text: str, dropped: Part | None, remark: str, found: dict[int, Finding]) -> str:
    head = f"*{plain(name)}*: {plain(text)}."
    if dropped is None:
        return listed(f"{head} No counterexample: {plain(remark)}.")
    return listed(
        f"{head} Without it: {plain(dropped.what)} ({plain(dropped.scope)}). {result(dropped, found)}"
    )


def item(part: Part, found: dict[int, Finding]) -> str:
    marks = [] if part.needed else ["not needed for the verdict"]
    marks += ["slow"] if part.slow else []
    note = f" ({', '.join(marks)})" if marks else ""
    return listed(f"{sentence(part.what)}{note} Over: {plain(part.scope)}. {result(part, found)}")


def result(part: Part, found: dict[int, Finding]) -> str:
    finding = found.get(id(part))
    if finding is None:
        return f"{capital(part.method.value)}: not run."
    cases = "1 case" if finding.cases == 1 else f"{finding.cases} cases"
    witness = finding.witness.replace("`", "'")
    witness = witness if len(witness) <= LONGEST else witness[: LONGEST - 3] + "..."
    return f"{capital(part.method.value)}: **{finding.verdict.value}**, {cases}, the last `{witness}`."


def displayed(latex: str) -> str:
    """A long formula broken before its outermost arrows and after its outermost colon."""
    if len(latex) < 90 or "array" in latex:
        return latex
    lines, depth, current = [], 0, ""
    for token in re.findall(r"\\[a-zA-Z]+|\\.|.", latex):
        depth += {"{": 1, "}": -1}.get(token, 0)
        if depth == 0 and token in (r"\implies", r"\iff", r"\quad"):
            lines.append(current.strip())
            current = "" if token == r"\quad" else token
        else:
            current += token
    lines.append(current.strip())
    if len(lines) == 1:
        return latex
    return "\\begin{gathered}\n" + " \\\\\n".join(lines) + "\n\\end{gathered}"


def plain(text: str) -> str:
    """Text that Markdown leaves as it is, with the names of claims as links."""

    def linked(found: re.Match[str]) -> str:
        if found[0] in claims():
            return f"[{found[0]}](#{found[0].lower()})"
        return re.sub(r"([\\*_|<>\[\]`$~^])", r"\\\1", found[0])

    return re.sub(r"\w+|\W", linked, text)


def capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def sentence(text: str) -> str:
    return f"{plain(capital(text))}."


def listed(text: str) -> str:
    return _filled(text, "- ", "  ")


def wrapped(text: str) -> str:
    return _filled(" ".join(text.split()))


def _filled(text: str, first: str = "", rest: str = "") -> str:
    return textwrap.fill(
        text,
        WIDTH,
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )


def outcomes(names: Iterable[str], slow: bool = True) -> Iterable[Outcome]:
    """Run the claims of these names, with progress on stderr."""
    for name in names:
        start = time.perf_counter()
        claim: Claim = claims()[name]
        outcome = run_claim(claim, slow)
        print(f"{name}: {outcome.words}, {time.perf_counter() - start:.1f} s", file=sys.stderr, flush=True)
        if not outcome.as_documented:
            bad = [f for f in (*outcome.findings, *outcome.counterexamples) if not f.as_documented]
            raise SystemExit("\n".join(f"{name}: {f.part.what}: {f.verdict.value}: {f.witness}" for f in bad))
        for fault in claim.faults:
            if detects(claim, fault).verdict is not Verdict.REFUTED:
                raise SystemExit(f"{name}: the fault {fault.what!r} is not refuted")
        yield outcome


if __name__ == "__main__":
    if sys.argv[1:]:
        print(page(outcomes(sys.argv[1:])))
    else:
        PAGE.write_text(page(outcomes(claims())), encoding="utf-8")
