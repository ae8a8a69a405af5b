"""The linear recurrence in ``n`` of the Hermite coefficients of a canonical function.

Every canonical function has a finite-dimensional state: the sequences of :mod:`.sequences`, and for a
half-space under an exponential the moments themselves, driven by Stein's identity

    (1 - 2 a q) c_{n+1} = sqrt(q) b c_n + 2 a q n c_{n-1} + sqrt(q) E exp(a u^2 + b u) psi'(u) He_n.

Each ``c_{n+j}`` is a row over that state with entries rational in ``n``; the first dependence among
``c_n, c_{n+1}, ..`` is the recurrence.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import sympy as sp
from flint import acb
from sympy.polys.matrices import DomainMatrix

from analytic_ntk.arithmetic.interpret import exact_ball
from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.display import Typeset
from analytic_ntk.errors import DomainError, NoClosedFormError, UndecidedError
from analytic_ntk.gaussian.hermite import hermite_exact
from analytic_ntk.gaussian.terms import Term, Terms
from analytic_ntk.hermite.sequences import Combination, combination, edge, n

MAX_ORDER = 100
"""Up to this order the recurrence is run exactly."""
MAX_ROOT = 100_000
"""Integer roots of a leading coefficient are looked for up to here."""
MAX_WORK = 45
"""State times (one plus the number of irrational constants): beyond it elimination takes minutes."""
MAX_STATE = 20
"""Up to so many sequences (ten breakpoints) are eliminated; the work grows fourfold with every two."""


@dataclass(frozen=True)
class HermiteRecurrence(Typeset):
    """``sum_j coefficients[j](n) c_{n+j} = 0`` for ``n >= start``, ``c_n = sqrt(n!) a_n``.

    ``coefficients`` are polynomials in :data:`~analytic_ntk.hermite.sequences.n` without common factor, the
    last one without root at any ``n >= start``; ``initial`` are the exact ``c_0 .. c_{start+order-1}``.
    """

    coefficients: tuple[sp.Expr, ...]
    start: int
    initial: tuple[sp.Expr, ...]

    @property
    def order(self) -> int:
        """How many steps back the recurrence reaches."""
        return len(self.coefficients) - 1

    def equation(self) -> sp.Eq:
        """The recurrence as an equation in the function ``c``."""
        c = sp.Function("c")
        return sp.Eq(sp.Add(*(p * c(n + j) for j, p in enumerate(self.coefficients))), 0)

    def latex(self) -> str:
        """The equation, and from where it holds."""
        terms = []
        for j, p in reversed(list(enumerate(self.coefficients))):
            if p != 0:
                c = f"c_{{n+{j}}}" if j else "c_{n}"
                factor = sp.latex(p) if not p.is_Add else rf"\left({sp.latex(p)}\right)"
                terms.append({"1": c, "-1": f"- {c}"}.get(factor, rf"{factor} {c}"))
        left = " + ".join(terms).replace("+ -", "-")
        return rf"{left} = 0, \quad n \ge {self.start}, \quad a_n = c_n / \sqrt{{n!}}"

    def exact(self, last: int) -> list[sp.Expr]:
        """``a_0 .. a_last`` run exactly from the initial values (``last`` at most 100)."""
        if isinstance(last, bool) or not isinstance(last, int) or not 0 <= last <= MAX_ORDER:
            raise DomainError(f"last = {last!r}", f"an integer from 0 to {MAX_ORDER}")
        values = list(self.initial)
        while len(values) <= last:
            place = len(values) - self.order
            rest = sum((p.subs(n, place) * values[place + j] for j, p in enumerate(self.coefficients[:-1])))
            lead = self.coefficients[-1].subs(n, place)
            values.append(sp.expand(-rest) / lead if lead.is_Rational else -rest / lead)
        return [value / sp.sqrt(sp.factorial(k)) for k, value in enumerate(values[: last + 1])]


def hermite_recurrence(terms: Terms, q: sp.Expr) -> HermiteRecurrence:
    """The recurrence of a canonical function at an exact variance.

    Raises :class:`NoClosedFormError` where elimination would take minutes (more than ten breakpoints, many
    irrational constants), :class:`UndecidedError` where the leading coefficient cannot be told from 0.

    >>> from analytic_ntk.gaussian.pieces import Pieces
    >>> from analytic_ntk.notation import x
    >>> from analytic_ntk.gaussian.terms import terms_of
    >>> found = hermite_recurrence(terms_of(Pieces.of(sp.Max(x, 0))), sp.Integer(1))
    >>> found.coefficients, found.start
    ((n - 1, 0, 1), 2)
    """
    driven = [t for t in terms if t.psi is not None and (t.a != 0 or t.b != 0)]
    static = combination(tuple(t for t in terms if t not in driven), q)
    rows, offset, numbers = _rows(*_scaled(*_system(static, driven, q)))
    found = (p.subs(n, n - offset) for p in _first_dependence(rows, numbers))
    coefficients = _primitive([sp.expand(p) for p in found])
    start = max(offset, static.start)
    start = _past_roots(coefficients[-1], start)
    known = start + len(coefficients) - 1
    values = hermite_exact(terms, known - 1, q) if known else []
    initial = tuple(sp.expand(a * sp.sqrt(sp.factorial(k))) for k, a in enumerate(values))
    return HermiteRecurrence(coefficients, start, initial)


def _past_roots(polynomial: sp.Expr, start: int) -> int:
    """The least ``n >= start`` from which on the polynomial is certainly not 0 at integers.

    With free parameters: for generic values of them.
    """
    if not polynomial.has(n):
        return start
    coefficients = sp.Poly(polynomial, n).all_coeffs()
    if all(c.is_Rational for c in coefficients):
        roots = sp.Poly(polynomial, n).ground_roots()
    elif polynomial.free_symbols - {n}:
        roots = sp.roots(sp.Poly(polynomial, n), filter="Z")
    else:
        return _past_enclosed_roots(coefficients, start)
    return max([start, *(int(root) + 1 for root in roots if root.is_Integer)])


def _past_enclosed_roots(coefficients: list[sp.Expr], start: int) -> int:
    """The same for irrational coefficients, in balls: where 0 is not excluded counts as a root."""
    with working_precision(256):
        balls = [exact_ball(c) for c in coefficients]
        if balls[0].contains(0):
            raise UndecidedError(f"whether {coefficients[0]} is 0"[:200], "a decision")
        sizes = (float((abs(b) / abs(balls[0])).abs_upper()) ** (1 / i) for i, b in enumerate(balls) if i)
        largest = 2 * max(sizes, default=0.0)  # none beyond (Fujiwara 1916)
        if largest > MAX_ROOT:
            raise UndecidedError("the integer roots of the leading coefficient", f"roots below {MAX_ROOT}")
        for place in range(int(largest) + 2, start - 1, -1):
            value = acb(0)
            for ball in balls:
                value = value * place + ball
            if value.contains(0):
                return place + 1
    return start


def _primitive(polynomials: list[sp.Expr]) -> tuple[sp.Expr, ...]:
    """The same equation without irrational or rational factors common to all."""
    scale = sp.Poly(polynomials[-1], n).LC()
    polynomials = [sp.Poly(sp.expand(sp.radsimp(p / scale)), n) for p in polynomials]
    rational = [c for p in polynomials for c in p.coeffs() if c.is_Rational and c != 0]
    content = sp.gcd_list(rational)  # the leading coefficient gives at least a 1
    return tuple(sp.factor((p.as_expr() / content).expand()) for p in polynomials)


# ------------------------------------------------------------------------------------ rows over the state

Row = list[Any]


@dataclass(frozen=True)
class _Block:
    """A sequence of the state: ``s_{i+1} = now s_i + before i s_{i-1} + drive (another sequence)_i``."""

    now: sp.Expr
    before: sp.Expr
    drive: sp.Expr = sp.S.Zero
    driver: int = 0

    @property
    def width(self) -> int:
        return 1 if self.before == 0 else 2


@dataclass(frozen=True)
class _Output:
    """``factor(n)`` times a sequence, ``shift`` orders back, multiplied by ``u / sqrt q`` ``power`` times."""

    block: int
    shift: int
    power: int
    factor: sp.Expr


def _system(static: Combination, driven: list[Term], q: sp.Expr) -> tuple[list[_Block], list[_Output]]:
    """The state of a function, and ``c_n`` as a sum over it."""
    keys: list[Any] = list(dict.fromkeys((t.a, t.b, t.psi) for t in driven))
    edges = [edge(a, b, half, q) for a, b, half in keys]
    bases = list(dict.fromkeys([*(part.base for part in static.parts), *(base for _, base in edges)]))
    blocks = [_Block(base.beta, base.gamma) for base in bases]
    for (a, b, _), (factor, base) in zip(keys, edges, strict=True):
        shrink = 1 / (1 - 2 * a * q)
        now, before = sp.sqrt(q) * b * shrink, sp.cancel(2 * a * q * shrink)
        blocks.append(_Block(now, before, factor * shrink, bases.index(base)))
    outputs = [_Output(bases.index(part.base), part.shift, 0, part.factor) for part in static.parts]
    for term in driven:
        block = len(bases) + keys.index((term.a, term.b, term.psi))
        outputs.append(_Output(block, 0, term.power, sp.sqrt(q) ** term.power * term.coefficient))
    return blocks, outputs


def _scaled(blocks: list[_Block], outputs: list[_Output]) -> tuple[list[_Block], list[_Output]]:
    """The same with each sequence in the unit of its first use: most irrational constants are gone then."""
    blocks, outputs = list(blocks), list(outputs)
    for i in reversed(range(len(blocks))):  # what drives stands before what is driven
        uses = [o.factor for o in outputs if o.block == i]
        uses += [block.drive for block in blocks if block.drive != 0 and block.driver == i]
        unit = uses[0].as_independent(n)[0].as_coeff_Mul()[1]
        outputs = [replace(o, factor=o.factor / unit) if o.block == i else o for o in outputs]
        blocks = [
            replace(block, drive=block.drive * unit) if k == i
            else replace(block, drive=block.drive / unit) if block.driver == i
            else block
            for k, block in enumerate(blocks)
        ]  # fmt: skip
    return blocks, outputs


def _rows(blocks: list[_Block], outputs: list[_Output]) -> tuple[list[Row], int, _Numbers]:
    """Rows of ``c_{N+offset}, c_{N+offset+1}, ..``, one more than the state has entries."""
    offset = max((max(o.shift, o.power) for o in outputs), default=0)
    size = sum(block.width for block in blocks)
    if size > MAX_STATE:
        raise NoClosedFormError(
            f"the recurrence of a function with a state of {size} sequences",
            f"at most {MAX_STATE} (two for each breakpoint)",
            "use hermite_table",
        )
    constants = [e for block in blocks for e in (block.now, block.before, block.drive)]
    numbers = _Numbers([*constants, *(o.factor for o in outputs)])
    if size * (numbers.count + 1) > MAX_WORK:
        raise NoClosedFormError(
            f"the recurrence of a function with {size} sequences and {numbers.count} irrational constants",
            f"their product at most {MAX_WORK}",
            "use hermite_table",
        )
    sequences = _sequences(blocks, size, 2 * offset + size + 1, numbers)
    places = range(offset, offset + size + 1)
    rows = {i: [numbers.zero] * size for i in places}
    for output in outputs:
        sequence = sequences[output.block]
        for _ in range(output.power):  # u He_n = sqrt(q) (He_{n+1} + n He_{n-1})
            sequence = {
                i: _sum((numbers.one, sequence[i + 1]), (numbers.place(i), sequence[i - 1]))
                for i in sequence
                if i + 1 in sequence and i - 1 in sequence
            }
        for i in places:
            rows[i] = _sum(
                (numbers.one, rows[i]), (numbers.lift(output.factor, i), sequence[i - output.shift])
            )
    return list(rows.values()), offset, numbers


def _sequences(blocks: list[_Block], size: int, length: int, numbers: _Numbers) -> list[dict[int, Row]]:
    """Rows of ``s_N, s_{N+1}, ..`` of every block over the state ``(s_N, s_{N-1})`` of all of them."""
    found: list[dict[int, Row]] = []
    column = 0
    for block in blocks:
        unit = [[numbers.one if k == column + w else numbers.zero for k in range(size)] for w in range(2)]
        rows = {-1: unit[1] if block.width == 2 else [numbers.zero] * size, 0: unit[0]}
        now, before, drive = (numbers.lift(e) for e in (block.now, block.before, block.drive))
        for i in range(length):
            parts = [(now, rows[i]), (before * numbers.place(i), rows[i - 1])]
            if block.drive != 0:
                parts.append((drive, found[block.driver][i]))
            rows[i + 1] = _sum(*parts)
        found.append(rows)
        column += block.width
    return found


def _sum(*parts: tuple[Any, Row]) -> Row:
    return [
        sum(terms[1:], terms[0]) for terms in zip(*([c * e for e in row] for c, row in parts), strict=True)
    ]


class _Numbers:
    """The field of rational functions in ``n`` and in the irrational constants, these as free symbols.

    What is found holds whatever the constants are, so also for these.
    """

    def __init__(self, expressions: list[sp.Expr]) -> None:
        self._names: dict[sp.Expr, sp.Symbol] = {}
        for expr in expressions:
            self._replaced(expr)
        self.field = sp.QQ.frac_field(n, *self._names.values())
        self.zero, self.one = self.field.zero, self.field.one

    @property
    def count(self) -> int:
        """How many irrational constants stand in the way."""
        return len(self._names)

    def place(self, i: int) -> Any:
        return self.lift(n + i)

    def lift(self, expr: sp.Expr, shift: int = 0) -> Any:
        return self.field.from_sympy(self._replaced(expr).subs(n, n + shift))

    def back(self, polynomial: Any) -> sp.Expr:
        return polynomial.as_expr().xreplace({name: core for core, name in self._names.items()})

    def _replaced(self, expr: sp.Expr) -> sp.Expr:
        parts = []
        for side in sp.fraction(sp.together(expr)):
            total = sp.S.Zero
            for (power,), c in sp.Poly(sp.expand(side), n).terms():
                rational, core = c.as_coeff_Mul()
                if core != 1:
                    core = self._names.setdefault(core, sp.Symbol(f"c{len(self._names)}"))
                total += rational * core * n**power
            parts.append(total)
        return parts[0] / parts[1]


def _first_dependence(rows: list[Row], numbers: _Numbers) -> list[sp.Expr]:
    """Polynomials ``p_j(n)`` with ``sum_j p_j rows[j] = 0``, of the least length."""
    size = len(rows) - 1
    if size == 0:
        return [sp.S.One]
    matrix = DomainMatrix(
        [list(column) for column in zip(*rows, strict=True)], (size, size + 1), numbers.field
    )
    reduced, pivots = matrix.rref()
    length = next(k for k in range(size + 1) if k not in pivots)
    weights = [-reduced[j, length].element for j in range(length)] + [numbers.one]
    ring = numbers.field.field.ring
    common = ring.one
    for weight in weights:
        common = common.lcm(weight.denom)
    cleared = [weight.numer * common.exquo(weight.denom) for weight in weights]
    content = ring.zero
    for polynomial in cleared:
        content = content.gcd(polynomial)
    return [numbers.back(polynomial.exquo(content)) for polynomial in cleared]
