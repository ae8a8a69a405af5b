"""``View``: what one looks at, as plain values; read from the query of an address, and written to it.

Every value is short text or a small integer, so that a view can be checked at once, in bounded time, whatever
was typed. What only a computation can tell (is this text an activation?) is asked of the panels.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from fractions import Fraction
from typing import Any
from urllib.parse import urlencode

from analytic_ntk.errors import DomainError

MAX_TEXT = 300
MAX_DEPTH = 12
MAX_DIGITS = 200
MAX_WIDTH = 1024
MAX_DIM = 64
DOMAINS = {
    "sphere": "distinct points of a sphere",
    "distinct": "distinct points",
    "non-proportional": "points, no two proportional",
}
PANELS = (
    "activation", "kernels", "formulas", "hermite", "series", "spectrum", "phase", "limit", "digits",
    "conjecture", "positivity", "width",
)  # fmt: skip
"""The names of the panels, in the order in which they stand."""

_NUMBER = re.compile(r"[+-]?(?:\d{1,9}(?:\.\d{0,12})?|\.\d{1,12}|\d{1,9}/\d{1,9})", re.ASCII)
_INTEGER = re.compile(r"\d{1,6}", re.ASCII)


# ------------------------------------------------------------------------------------ one value each


def _text(text: str) -> str:
    found = text.strip()
    if not found:
        raise DomainError("nothing", "a formula in x, or a name", "for example gelu, or x*erf(x)")
    if len(found) > MAX_TEXT:
        raise DomainError(f"{len(found)} characters", f"at most {MAX_TEXT}")
    if not found.isprintable():
        raise DomainError("a control character", "printable text")
    return found


def _statement(text: str) -> str:
    return _text(text) if text.strip() else ""


def _rational(text: str) -> str:
    """An exact number in its shortest form: ``2``, ``3/2``."""
    found = text.strip()
    if not _NUMBER.fullmatch(found) or found.endswith("/0") or re.fullmatch(r".*/0+", found):
        raise DomainError(
            repr(found[:40]), "a rational number of at most 9 digits", "for example 2, 3/2 or 0.25"
        )
    return str(Fraction(found))


def _variance(low: int) -> Callable[[str], str]:
    def read_variance(text: str) -> str:
        number = Fraction(_rational(text))
        if number < 0 or number > 100 or (low and number == 0):
            raise DomainError(str(number)[:40], f"a number {'above' if low else 'from'} 0, up to 100")
        return str(number)

    return read_variance


def _correlation(text: str) -> str:
    number = Fraction(_rational(text))
    if abs(number) > 1:
        raise DomainError(str(number)[:40], "a number from -1 to 1")
    return str(number)


def _integer(low: int, high: int) -> Callable[[str], int]:
    def read_integer(text: str) -> int:
        found = text.strip()
        if not _INTEGER.fullmatch(found) or not low <= int(found) <= high:
            raise DomainError(repr(found[:40]), f"an integer from {low} to {high}")
        return int(found)

    return read_integer


def _domain(text: str) -> str:
    if text not in DOMAINS:
        raise DomainError(repr(text[:40]), f"one of {', '.join(DOMAINS)}")
    return text


def _panels(text: str) -> tuple[str, ...]:
    names = tuple(name for name in text.split(",") if name)
    wrong = [name for name in names if name not in PANELS]
    if wrong or len(text) > MAX_TEXT:
        raise DomainError(repr(",".join(wrong)[:40]), f"names among {', '.join(PANELS)}")
    return tuple(name for name in PANELS if name in names)


_READERS: dict[str, Callable[[str], Any]] = {
    "activation": _text,
    "depth": _integer(1, MAX_DEPTH),
    "weight_variance": _variance(1),
    "bias_variance": _variance(0),
    "rho": _correlation,
    "dim": _integer(2, MAX_DIM),
    "domain": _domain,
    "digits": _integer(1, MAX_DIGITS),
    "width": _integer(2, MAX_WIDTH),
    "conjecture": _statement,
    "panels": _panels,
}


# ------------------------------------------------------------------------------------ all of them


@dataclass(frozen=True)
class View:
    """What one looks at. Numbers are exact, as text; ``panels``: the panels that are open.

    A value outside its range raises :class:`DomainError`; every spelling of a number becomes one.

    >>> View(weight_variance="0.5", depth=2).query()[:60]
    'activation=gelu&depth=2&weight_variance=1%2F2&bias_variance='
    >>> View(depth=0)
    Traceback (most recent call last):
        ...
    analytic_ntk.errors.DomainError: depth: '0'; required: an integer from 1 to 12
    """

    activation: str = "gelu"
    depth: int = 3
    weight_variance: str = "2"
    bias_variance: str = "1/10"
    rho: str = "1/2"
    dim: int = 3
    domain: str = "sphere"
    digits: int = 30
    width: int = 64
    conjecture: str = "ntk(rho) >= nngp(rho) for rho in [0, 1]"
    panels: tuple[str, ...] = PANELS

    def __post_init__(self) -> None:
        for name, reader in _READERS.items():
            given = getattr(self, name)
            if type(given) is not type(getattr(View, name)):
                raise DomainError(f"{name} = {given!r}"[:100], f"a {type(getattr(View, name)).__name__}")
            try:
                object.__setattr__(self, name, reader(_shown(given)))
            except DomainError as error:
                raise DomainError(f"{name}: {error.given}", error.required, error.remedy) from None

    def query(self) -> str:
        """The view as the query of an address; :func:`read` gives it back."""
        return urlencode({f.name: _shown(getattr(self, f.name)) for f in fields(self)})

    def only(self, names: tuple[str, ...]) -> View:
        """The view with every other value at its default: what two views have in common as far as ``names``
        go."""
        return replace(View(), **{name: getattr(self, name) for name in names})

    def texts(self) -> dict[str, str]:
        """Every value as it would be typed."""
        return {f.name: _shown(getattr(self, f.name)) for f in fields(self)}


@dataclass(frozen=True)
class Reading:
    """A view, and what was wrong with the values that it does not have, by name."""

    view: View
    errors: Mapping[str, str]


def read(query: Mapping[str, str], before: View | None = None) -> Reading:
    """A view from texts by name. A missing or wrong one is that of ``before`` (or the default); each wrong
    one has its message. Unknown names are ignored.

    >>> found = read({"depth": "2", "rho": "3/2"})
    >>> found.view.depth, found.view.rho, found.errors
    (2, '1/2', {'rho': '3/2; required: a number from -1 to 1'})
    """
    good: dict[str, Any] = {}
    errors: dict[str, str] = {}
    for name, reader in _READERS.items():
        if name in query:
            try:
                good[name] = reader(query[name])
            except DomainError as error:
                errors[name] = str(error)
    return Reading(replace(before or View(), **good), errors)


def _shown(value: object) -> str:
    return ",".join(value) if isinstance(value, tuple) else str(value)
