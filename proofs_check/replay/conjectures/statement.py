"""Statements about kernels, read from text: a small grammar, a tokenizer, recursive descent; never ``eval``.

    statement  = claims [ "for" range ]
    claims     = claim { "and" claim }
    claim      = sum relation sum { relation sum }
               | sum "is" property [ "in" "rho" ] [ "on" interval ]
    relation   = ">" | ">=" | "<" | "<=" | "==" | "!="
    property   = "convex" | "concave" | "increasing" | "decreasing" | "nonnegative" | "positive"
               | "nonpositive" | "negative" | "even" | "odd"
    range      = "rho" "in" interval | "n" "in" sum ".." sum [ "step" sum ]
    interval   = ( "[" | "(" ) sum "," sum ( "]" | ")" )
    sum        = [ "-" | "+" ] product { ( "+" | "-" ) product }
    product    = factor { ( "*" | "/" ) factor }
    factor     = atom [ ( "^" | "**" ) factor ] | "-" factor
    atom       = number | "pi" | "e" | "rho" | "n" | "(" sum ")" | "|" sum "|" | function "(" sum ")"
               | kernel [ "[" sum "]" ] { "'" } "(" sum ")" | "a" "(" sum ")"
               | "series" "(" kernel "," sum ")" | "mu" "(" kernel "," sum "," sum ")"
               | "lambda_min" "(" kernel "," "X" ")"
    kernel     = "nngp" | "ntk" | "kappa"
    function   = "sqrt" | "exp" | "log" | "sin" | "cos" | "asin" | "acos" | "abs"

A prime after a kernel is a derivative in its argument; ``ntk[2]`` is the kernel after two hidden layers.
Where a property is claimed, ``nngp`` alone stands for ``nngp(rho)``. "increasing" and "decreasing" are not
strict.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction

from proofs_check.replay.expression import Refusal

MAX_TEXT, MAX_TOKENS, MAX_NESTING, MAX_NUMBER, MAX_PRIMES = 2_000, 400, 40, 60, 4
MAX_INDEX, MAX_EXPONENT, MAX_BITS, MAX_DEPTH = 2_000, 1_000, 10_000, 32
KERNELS = ("nngp", "ntk", "kappa")
FUNCTIONS = ("sqrt", "exp", "log", "sin", "cos", "asin", "acos", "abs")
RELATIONS = (">", ">=", "<", "<=", "==", "!=")
PROPERTIES = {
    "nonnegative": (0, ">="), "positive": (0, ">"), "increasing": (1, ">="), "decreasing": (1, "<="),
    "convex": (2, ">="), "concave": (2, "<="), "nonpositive": (0, "<="), "negative": (0, "<"),
}  # fmt: skip
PARITIES = ("even", "odd")
WHOLE = -1
TERMS = "nngp, ntk, kappa, a, series, mu, lambda_min, " + ", ".join(FUNCTIONS) + ", pi, e, rho, n, numbers"
_TOKEN = re.compile(r"[0-9]+(?:\.[0-9]+)?|[A-Za-z_][A-Za-z_0-9]*|\*\*|>=|<=|==|!=|\.\.|[-+*/^()\[\],|'<>]")
_SPELLED = {
    "≥": ">=", "≤": "<=", "≠": "!=", "ρ": "rho", "κ": "kappa", "π": "pi", "λ": "lambda", "μ": "mu",
    "−": "-", "·": "*", "²": "^2", "³": "^3", "′": "'", "’": "'", "…": "..",
}  # fmt: skip


class Malformed(Refusal):
    """Text that is no statement: where, what stands there, what is allowed."""

    def __init__(self, text: str, place: int, found: str, required: str) -> None:
        self.place, self.found, self.required = place, found, required
        shown = text[max(0, place - 30) : place + 30].replace("\n", " ")
        self.shown = f"{shown!r}, at character {place + 1}"
        super().__init__(f"{found} ({self.shown}); allowed: {required}")


@dataclass(frozen=True)
class Node:
    """A term: its head, its arguments, and what the head needs besides: value, kernel, derivatives, hidden
    layers (``WHOLE``: all)."""

    head: str
    arguments: tuple[Node, ...] = ()
    value: Fraction = Fraction(0)
    kernel: str = ""
    order: int = 0
    depth: int = WHOLE

    def walk(self) -> Iterator[Node]:
        yield self
        for argument in self.arguments:
            yield from argument.walk()

    def mirrored(self) -> Node:
        """With ``-rho`` for ``rho``."""
        if self.head == "rho":
            return Node("neg", (self,))
        return replace(self, arguments=tuple(argument.mirrored() for argument in self.arguments))


@dataclass(frozen=True)
class Comparison:
    """``left relation right``; with ``order > 0`` the derivative of ``left - right`` in ``rho``, inside the
    interval, of a function continuous on all of it. ``text``: as it was written."""

    left: Node
    relation: str
    right: Node
    order: int = 0
    text: str = field(default="", compare=False)


@dataclass(frozen=True)
class Interval:
    """The ``rho`` of a statement; an end counts unless it is open."""

    low: Fraction
    high: Fraction
    low_open: bool = False
    high_open: bool = False

    def __contains__(self, point: Fraction) -> bool:
        above = self.low < point or (self.low == point and not self.low_open)
        return above and (point < self.high or (point == self.high and not self.high_open))


@dataclass(frozen=True)
class Statement:
    """Comparisons that are all claimed: for every ``rho`` of an interval, every ``n`` of a range, or once."""

    text: str
    comparisons: tuple[Comparison, ...]
    domain: Interval | range | None

    def nodes(self) -> Iterator[Node]:
        for comparison in self.comparisons:
            yield from comparison.left.walk()
            yield from comparison.right.walk()


def parse(text: str) -> Statement:
    """Read a statement. Raises :class:`Malformed`, which points at the place.

    >>> parse("ntk(rho) > 0 for rho in (-1, 1)").domain
    Interval(low=Fraction(-1, 1), high=Fraction(1, 1), low_open=True, high_open=True)
    """
    if len(text) > MAX_TEXT:
        raise Malformed("", 0, f"a text of {len(text)} characters", f"at most {MAX_TEXT}")
    for sign, word in _SPELLED.items():
        text = text.replace(sign, word)
    return _Reader(text).statement()


def exact_value(node: Node, n: int | None = None) -> Fraction | None:
    """The value of a term if it is arithmetic of rationals and ``n`` alone; ``None`` otherwise.

    Raises :class:`Refusal` for a division by 0 and for huge numbers.
    """
    value = _exact(node, n)
    if value is not None and max(abs(value.numerator), value.denominator).bit_length() > MAX_BITS:
        raise Refusal(f"a number of more than {MAX_BITS} bits")
    return value


def _exact(node: Node, n: int | None) -> Fraction | None:
    if node.head == "number":
        return node.value
    if node.head == "n":
        return None if n is None else Fraction(n)
    if node.head not in ("+", "-", "*", "/", "^", "neg", "abs"):
        return None
    values = [exact_value(argument, n) for argument in node.arguments]
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return None
    if node.head in ("neg", "abs"):
        return -known[0] if node.head == "neg" else abs(known[0])
    one, two = known
    if node.head in "+-*":
        return one + two if node.head == "+" else one - two if node.head == "-" else one * two
    if (node.head == "/" and two == 0) or (node.head == "^" and one == 0 and two < 0):
        raise Refusal("a division by 0")
    if node.head == "/":
        return one / two
    if two.denominator != 1:
        return None
    if abs(two) > MAX_EXPONENT:
        raise Refusal(f"a power beyond the exponent {MAX_EXPONENT}")
    size = max(abs(one.numerator), one.denominator).bit_length()
    if (size - 1) * abs(two) > MAX_BITS:
        raise Refusal(f"a number of more than {MAX_BITS} bits")
    return one ** int(two)


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[tuple[str, int]] = []
        place = 0
        while place < len(text):
            if text[place].isspace():
                place += 1
                continue
            found = _TOKEN.match(text, place)
            if not found:
                hint = "== for equality" if text[place] == "=" else "letters, digits, operators, brackets"
                raise Malformed(text, place, f"the character {text[place]!r}", hint)
            if len(found[0]) > MAX_NUMBER:
                raise Malformed(text, place, f"{len(found[0])} characters in one", f"at most {MAX_NUMBER}")
            self.tokens.append((found[0], place))
            place = found.end()
            if len(self.tokens) > MAX_TOKENS:
                raise Malformed(text, place, "a long statement", f"at most {MAX_TOKENS} words and signs")
        self.at = self.nesting = 0
        self.variable = ""
        self.bare = False

    # ----------------------------------------------------------------------------- words

    @property
    def word(self) -> str:
        return self.tokens[self.at][0] if self.at < len(self.tokens) else ""

    @property
    def place(self) -> int:
        return self.tokens[self.at][1] if self.at < len(self.tokens) else len(self.text)

    def fail(self, required: str, found: str = "") -> Malformed:
        here = f"{self.word!r}" if self.word else "the end"
        return Malformed(self.text, self.place, found or here, required)

    def take(self, *words: str) -> str:
        word = self.word
        if word not in words or not word:
            return ""
        self.at += 1
        return word

    def need(self, *words: str) -> str:
        return self.take(*words) or self._missing(words)

    def _missing(self, words: tuple[str, ...]) -> str:
        raise self.fail(" or ".join(words))

    # ----------------------------------------------------------------------------- statement

    def statement(self) -> Statement:
        comparisons: list[Comparison] = []
        domain: Interval | range | None = None
        self.bare = "is" in (word for word, _ in self.tokens)
        while True:
            more, found = self.claim()
            comparisons += more
            if found is not None and domain is not None and found != domain:
                raise self.fail("one interval for the whole statement")
            domain = domain or found
            if not self.take("and"):
                break
        if self.take("for"):
            if domain is not None:
                raise self.fail("the interval once")
            domain = self.range()
        if self.word:
            raise self.fail(f"{', '.join(RELATIONS)}, and, for, or the end")
        return self.checked(Statement(self.text, tuple(comparisons), domain))

    def claim(self) -> tuple[list[Comparison], Interval | None]:
        start, left = self.at, self.sum()
        if self.take("is"):
            return self.property(left, start)
        if self.word not in RELATIONS:
            raise self.fail(f"one of {', '.join(RELATIONS)}, or: is {', '.join((*PROPERTIES, *PARITIES))}")
        found = []
        while relation := self.take(*RELATIONS):
            middle, right = self.at, self.sum()
            found.append(Comparison(left, relation, right, 0, self.since(start)))
            start, left = middle, right
        return found, None

    def property(self, left: Node, start: int) -> tuple[list[Comparison], Interval | None]:
        name = self.need(*PROPERTIES, *PARITIES)
        text = self.since(start)
        if self.take("in"):
            self.need("rho")
        self.variable = "rho"
        interval = self.interval() if self.take("on") else None
        if name in PARITIES:
            other = left.mirrored()
            return [
                Comparison(left, "==", other if name == "even" else Node("neg", (other,)), 0, text)
            ], interval
        order, relation = PROPERTIES[name]
        return [Comparison(left, relation, Node("number"), order, text)], interval

    def since(self, start: int) -> str:
        """The text from a token to the last one read."""
        word, place = self.tokens[self.at - 1]
        return self.text[self.tokens[start][1] : place + len(word)]

    def range(self) -> Interval | range:
        variable = self.need("rho", "n")
        self.need("in")
        if variable == "rho":
            return self.interval()
        place = self.place
        start = self.integer()
        self.need("..")
        stop = self.integer()
        step = self.integer() if self.take("step") else 1
        if not (0 <= start <= stop <= MAX_INDEX and step >= 1):
            raise Malformed(
                self.text, place, f"n in {start}..{stop} step {step}",
                f"0 <= first <= last <= {MAX_INDEX}, step >= 1",
            )  # fmt: skip
        return range(start, stop + 1, step)

    def integer(self) -> int:
        place, value = self.place, exact_value(self.sum())
        if value is None or value.denominator != 1:
            raise Malformed(self.text, place, "no integer", "an integer")
        return int(value)

    def interval(self) -> Interval:
        place = self.place
        opening = self.need("[", "(")
        low = self.rational()
        self.need(",")
        high = self.rational()
        closing = self.need("]", ")")
        found = Interval(low, high, opening == "(", closing == ")")
        shown = f"the interval {opening}{low}, {high}{closing}"
        if low > high or (low == high and (found.low_open or found.high_open)):
            raise Malformed(self.text, place, f"{shown} is empty", "two ends in order")
        if low < -1 or high > 1:
            raise Malformed(self.text, place, shown, "an interval inside [-1, 1]: rho is a correlation")
        return found

    def rational(self) -> Fraction:
        place, value = self.place, exact_value(self.sum())
        if value is None:
            raise Malformed(self.text, place, "no rational number", "a rational end such as -1/2")
        return value

    def checked(self, statement: Statement) -> Statement:
        used = {node.head for node in statement.nodes()} & {"rho", "n"}
        given = {Interval: "rho", range: "n"}.get(type(statement.domain), "")
        for name, example in (("rho", "for rho in [-1, 1]"), ("n", "for n in 0..20")):
            if name in used and given != name:
                raise Malformed(self.text, len(self.text), f"{name} without its range", example)
        if self.variable == "rho" and given != "rho":
            raise Malformed(self.text, len(self.text), "a property without an interval", "on [-1, 1]")
        return statement

    # ----------------------------------------------------------------------------- terms

    def sum(self) -> Node:
        self.nesting += 1
        if self.nesting > MAX_NESTING:
            raise self.fail(f"at most {MAX_NESTING} brackets inside each other", "deep nesting")
        sign = self.take("-", "+")
        value = self.product()
        if sign == "-":
            value = Node("neg", (value,))
        while operator := self.take("+", "-"):
            value = Node(operator, (value, self.product()))
        self.nesting -= 1
        return value

    def product(self) -> Node:
        value = self.factor()
        while operator := self.take("*", "/"):
            value = Node(operator, (value, self.factor()))
        return value

    def factor(self) -> Node:
        self.nesting += 1
        if self.nesting > MAX_NESTING:
            raise self.fail(f"at most {MAX_NESTING} powers or signs inside each other", "deep nesting")
        if self.take("-"):
            value = Node("neg", (self.factor(),))
        else:
            value = self.atom()
            if self.take("^", "**"):
                value = Node("^", (value, self.factor()))
        self.nesting -= 1
        return value

    def atom(self) -> Node:
        word = self.word
        if word[:1].isdigit():
            self.at += 1
            return Node("number", value=Fraction(word))
        if word in ("pi", "e", "rho", "n"):
            self.at += 1
            return Node(word)
        if self.take("("):
            value = self.sum()
            self.need(")")
            return value
        if self.take("|"):
            value = self.sum()
            self.need("|")
            return Node("abs", (value,))
        if word in KERNELS:
            return self.kernel_value()
        if word in FUNCTIONS or word == "a":
            self.at += 1
            return Node(word, self.arguments(1))
        if word in ("series", "mu", "lambda_min"):
            self.at += 1
            return self.of_kernel(word)
        raise self.fail(TERMS, f"the unknown term {word!r}" if word[:1].isalpha() else "")

    def kernel_value(self) -> Node:
        name, order, depth = self.need(*KERNELS), 0, WHOLE
        if name != "kappa" and self.take("["):
            place, depth = self.place, self.integer()
            if not 0 <= depth <= MAX_DEPTH:
                raise Malformed(self.text, place, f"{depth} hidden layers", f"0 to {MAX_DEPTH}")
            self.need("]")
        while self.take("'"):
            order += 1
        if order > MAX_PRIMES:
            raise self.fail(f"at most {MAX_PRIMES} primes", f"{order} primes")
        if self.bare and self.word != "(":
            return Node(name, (Node("rho"),), order=order, depth=depth)
        return Node(name, self.arguments(1), order=order, depth=depth)

    def of_kernel(self, head: str) -> Node:
        self.need("(")
        kernel = self.need(*(KERNELS if head != "lambda_min" else KERNELS[:2]))
        self.need(",")
        if head == "lambda_min":
            self.need("X")
            self.need(")")
            return Node(head, kernel=kernel)
        values = [self.sum()]
        if head == "mu":
            self.need(",")
            values.append(self.sum())
        self.need(")")
        return Node(head, tuple(values), kernel=kernel)

    def arguments(self, count: int) -> tuple[Node, ...]:
        self.need("(")
        values = [self.sum()]
        for _ in range(count - 1):
            self.need(",")
            values.append(self.sum())
        self.need(")")
        return tuple(values)
