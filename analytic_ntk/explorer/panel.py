"""``Panel``: an answer as data; ``Subject``: which question it answers, and at what price."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from analytic_ntk.explorer.view import View
from analytic_ntk.report.sections import Table

KINDS = {
    "proved": "a proof was found; it is shown or can be downloaded",
    "refuted": "false, with a point where it is false",
    "undecided": "no answer with the methods at hand",
    "exact": "no rounding anywhere",
    "certified": "every digit shown is right",
    "float64": "computed in double precision, as tested: about 12 digits or more",
    "predicted": "a law for large n, with no bound of its error",
    "sampled": "random networks; another seed gives other numbers",
}
"""The kinds of answers, and what each means."""


@dataclass(frozen=True)
class Figure:
    """A picture as SVG whose colours are variables of the page, and what it shows in words."""

    svg: str
    alt: str


@dataclass(frozen=True)
class Typeset:
    """A formula to look at and to copy: LaTeX, and programs in sympy and numpy (empty: none)."""

    name: str
    meaning: str
    latex: str
    sympy: str = ""
    numpy: str = ""


@dataclass(frozen=True)
class Download:
    """A file to save."""

    name: str
    media_type: str
    content: bytes
    label: str


@dataclass(frozen=True)
class Captioned:
    """A table and its caption."""

    caption: str
    table: Table


@dataclass(frozen=True)
class Panel:
    """An answer: ``kinds`` are names of :data:`KINDS`; ``headline`` is the answer in one line, if it has one.

    ``notes`` say what the numbers are and what is missing. Everything is plain data that can be sent between
    processes; nothing in it is markup except the pictures.
    """

    kinds: tuple[str, ...]
    headline: str = ""
    notes: tuple[str, ...] = ()
    figures: tuple[Figure, ...] = ()
    formulas: tuple[Typeset, ...] = ()
    tables: tuple[Captioned, ...] = ()
    downloads: tuple[Download, ...] = ()


@dataclass(frozen=True)
class Subject:
    """A panel before it is computed.

    ``reads`` are the values of the view that :attr:`compute` may look at: it is given a view that has the
    defaults everywhere else. ``waits``: computed when asked for, by a button with this text, and not at once.
    ``seconds`` is the time limit.
    """

    name: str
    title: str
    about: str
    reads: tuple[str, ...]
    compute: Callable[[View], Panel]
    waits: str = ""
    seconds: float = 60.0

    def of(self, view: View) -> Panel:
        """The panel for a view. Raises what the computation raises."""
        return self.compute(self.seen(view))

    def seen(self, view: View) -> View:
        """The part of a view on which the answer depends."""
        return view.only(self.reads)
