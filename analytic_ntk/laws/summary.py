"""What a run of laws found: on a terminal, in a notebook, as JSON, as JUnit."""

from __future__ import annotations

import html
import io
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any
from xml.etree import ElementTree

from rich.console import Console, ConsoleOptions, JustifyMethod, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from analytic_ntk.display import Shown, html_table


class Verdict(str, Enum):
    """What became of a law."""

    HOLDS = "holds"
    FAILS = "FAILS"
    VACUOUS = "VACUOUS"
    SKIPPED = "skipped"

    @property
    def passed(self) -> bool:
        """Whether this is no failure; a skipped law is none, and is not counted as passed either."""
        return self in (Verdict.HOLDS, Verdict.SKIPPED)


_STYLES = {
    Verdict.HOLDS: "green",
    Verdict.FAILS: "bold red",
    Verdict.VACUOUS: "red",
    Verdict.SKIPPED: "dim",
}


@dataclass(frozen=True)
class LawResult(Shown):
    """One law: ``cases`` were run, ``nontrivial`` of them could have shown a fault; ``refused`` more were
    drawn for which the package gave an error instead of kernels (never an answer).

    ``worst_margin`` is the largest discrepancy over what is allowed (1: the limit). ``reason`` says why a
    law was skipped or saw nothing, and what was raised; ``example`` is a line of Python that fails.
    """

    law: str
    kind: str
    verdict: Verdict
    cases: int
    nontrivial: int
    refused: int
    worst_margin: float
    seconds: float
    failure_probability: float
    reason: str = ""
    example: str = ""
    saved: str = ""


@dataclass(frozen=True)
class Summary:
    """All laws of one run. ``bool(summary)`` is :attr:`passed`."""

    subject: str
    profile: str
    seed: int
    results: tuple[LawResult, ...]
    seconds: float
    restriction: str = ""
    interrupted: bool = False
    left: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether the run was finished, no law failed, and one at least holds."""
        return (
            not self.interrupted
            and all(result.verdict.passed for result in self.results)
            and any(result.verdict is Verdict.HOLDS for result in self.results)
        )

    def __bool__(self) -> bool:
        return self.passed

    @property
    def failures(self) -> tuple[LawResult, ...]:
        """The laws that fail, those that saw nothing included."""
        return tuple(result for result in self.results if not result.verdict.passed)

    @property
    def failure_probability(self) -> float:
        """A right implementation fails this run with at most this probability (laws and cases summed)."""
        return sum(result.failure_probability for result in self.results)

    @property
    def exit_code(self) -> int:
        """0 passed, 1 failed, 130 interrupted."""
        return 130 if self.interrupted else 0 if self.passed else 1

    def count(self, verdict: Verdict) -> int:
        return sum(result.verdict is verdict for result in self.results)

    @property
    def headline(self) -> str:
        words = [f"{self.count(v)} {w}" for v, w in _WORDS.items() if self.count(v)]
        if self.interrupted:
            words.append(f"interrupted, {len(self.left)} not run")
        return f"{', '.join(words) or 'nothing run'} ({self.seconds:.1f} s)"

    # ------------------------------------------------------------------------------- looks

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Text(f"Laws: {self.subject}", style="bold")
        notes = [
            f"profile {self.profile}, seed {self.seed}; seen: cases that could show a fault; "
            "margin: worst discrepancy, in units of what is allowed"
        ]
        notes += [self.restriction] if self.restriction else []
        for note in notes:
            yield Padding(Text(note, style="dim"), (0, 0, 0, 2))
        table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
        for heading, side in zip(_HEADINGS, _SIDES, strict=True):
            table.add_column(heading, justify=side, overflow="fold")
        for result in self.results:
            cells = [Text(cell) for cell in _cells(result)]
            cells[-1].stylize(_STYLES[result.verdict])
            table.add_row(*cells)
        yield Padding(table, (0, 0, 0, 2), expand=False)
        for result in self.results:
            if result.reason:
                yield Padding(Text(f"{result.law}: {result.reason}", style="dim"), (0, 0, 0, 2))
        for result in self.failures:
            if result.example:
                yield Text(f"{result.law} fails; to see it again:", style="bold")
                yield Padding(Text(result.example, overflow="fold"), (0, 0, 0, 2))
            if result.saved:
                yield Padding(Text(result.saved, overflow="fold"), (0, 0, 0, 2))
        yield Text(self.headline)
        if self.failure_probability:
            yield Text(
                f"a right implementation fails with probability at most {self.failure_probability:.0e}"
                ", under what the statistical laws assume"
            )

    def __str__(self) -> str:
        with io.StringIO() as file:
            Console(file=file, width=100).print(self)
            return "\n".join(line.rstrip() for line in file.getvalue().splitlines())

    def _repr_html_(self) -> str:
        table = html_table(_HEADINGS, [_cells(result) for result in self.results], numeric=False)
        notes = "".join(
            f"<p>{html.escape(f'{r.law}: {r.reason} {r.example}')}</p>"
            for r in self.results
            if r.reason or r.example
        )
        return f"<p><b>Laws: {html.escape(self.subject)}</b>: {html.escape(self.headline)}</p>{table}{notes}"

    # ------------------------------------------------------------------------------- files

    def to_json(self) -> dict[str, Any]:
        """Plain data; an infinite margin is the text ``"inf"``."""
        data = asdict(self)
        data["results"] = [
            asdict(r) | {"verdict": r.verdict.value, "worst_margin": _number(r.worst_margin)}
            for r in self.results
        ]
        return data | {
            "passed": self.passed,
            "failure_probability": self.failure_probability,
            "left": list(self.left),
        }

    def junit(self) -> str:
        """A JUnit XML document: a test case for each law, laws that were not run as skipped."""
        return junit([self])


_WORDS = {
    Verdict.HOLDS: "hold",
    Verdict.FAILS: "fail",
    Verdict.VACUOUS: "vacuous",
    Verdict.SKIPPED: "skipped",
}
_HEADINGS = ("law", "kind", "cases", "seen", "margin", "time", "verdict")
_SIDES: tuple[JustifyMethod, ...] = ("left", "left", "right", "right", "right", "right", "left")


def _cells(result: LawResult) -> tuple[str, ...]:
    if result.verdict is Verdict.SKIPPED:
        return (result.law, result.kind, "", "", "", "", result.verdict.value)
    cases = f"{result.cases}" + (f"+{result.refused}" if result.refused else "")
    return (
        result.law,
        result.kind,
        cases,
        str(result.nontrivial),
        f"{result.worst_margin:.1e}" if 0 < result.worst_margin < 1e-2 else f"{result.worst_margin:.2g}",
        f"{result.seconds:.1f} s",
        result.verdict.value,
    )


def _number(value: float) -> float | str:
    return value if abs(value) < float("inf") else repr(value)


def junit(summaries: list[Summary]) -> str:
    """A JUnit XML document with a suite for each summary."""
    root = ElementTree.Element("testsuites")
    for summary in summaries:
        suite = ElementTree.SubElement(
            root,
            "testsuite",
            name=f"laws: {_printable(summary.subject)}",
            tests=str(len(summary.results) + len(summary.left)),
            failures=str(len(summary.failures)),
            errors="0",
            skipped=str(summary.count(Verdict.SKIPPED) + len(summary.left)),
            time=f"{summary.seconds:.3f}",
        )
        for result in summary.results:
            case = ElementTree.SubElement(
                suite,
                "testcase",
                classname="analytic_ntk.laws",
                name=f"{result.law}[{_printable(summary.subject)}]",
                time=f"{result.seconds:.3f}",
            )
            text = _printable("\n".join(t for t in (result.reason, result.example, result.saved) if t))
            if result.verdict is Verdict.SKIPPED:
                ElementTree.SubElement(case, "skipped", message=text)
            elif not result.verdict.passed:
                message = f"{result.verdict.value}, margin {result.worst_margin:.3g}"
                ElementTree.SubElement(case, "failure", message=message).text = text
        for name in summary.left:
            case = ElementTree.SubElement(
                suite,
                "testcase",
                classname="analytic_ntk.laws",
                name=f"{name}[{_printable(summary.subject)}]",
            )
            ElementTree.SubElement(case, "skipped", message="interrupted before it was run")
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _printable(text: str) -> str:
    """Without the characters that XML cannot hold."""
    return "".join(c if c.isprintable() or c in "\n\t" else "?" for c in text)
