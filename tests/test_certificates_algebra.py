"""The checker's own algebra: normal forms, pieces and bounds against plain evaluation in balls."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
import sympy as sp
from flint import arb
from hypothesis import given, settings
from hypothesis import strategies as st

from analytic_ntk import activations
from analytic_ntk.certificate.expression import expression_json
from analytic_ntk.positivity import profile
from proofs_check.replay.algebra import Algebra, Form, constant, line, plus, powers_of_t, scaled
from proofs_check.replay.budget import Budget
from proofs_check.replay.expression import FUNCTIONS, Refusal, ball, evaluate
from proofs_check.replay.gram.activation import Activation
from proofs_check.replay.gram.growth import size_on
from proofs_check.replay.gram.relations import Linear
from proofs_check.replay.pieces import Piece, pieces
from proofs_check.replay.reading import precision

SMOOTH = [head for head in FUNCTIONS if head not in ("abs", "sign", "step", "log")]
POINTS = [
    Fraction(p, q) for p, q in ((-40, 3), (-7, 2), (-1, 1), (-1, 5), (1, 7), (1, 2), (2, 1), (9, 2), (31, 2))
]


def at(form: Form, t: Fraction) -> arb:
    """The form at ``t``, from what its atoms mean."""
    total = arb(0)
    for monomial, c in form.items():
        term = ball(c)
        for atom, e in monomial:
            if atom.kind == "t":
                base = ball(t)
            elif atom.kind == "pi":
                base = arb.pi()
            else:
                inner = at(atom.inner, t)
                base = inner if atom.kind in ("prime", "sum") else getattr(inner, atom.kind)()
            whole = e.denominator == 1 and abs(e) < 100
            term *= base ** int(e) if whole and e >= 0 else 1 / base ** int(-e) if whole else base ** ball(e)
        total += term
    return total


def expressions(*switches: str) -> st.SearchStrategy[Any]:
    leaves = st.sampled_from(["x", "x", "1", "-2", "1/3", "pi", "e", "7/2"])

    def more(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        unary = st.tuples(st.sampled_from([*SMOOTH, *switches]), inner).map(list)
        several = st.tuples(st.sampled_from(["+", "*"]), inner, inner).map(list)
        power = st.tuples(st.just("^"), inner, st.sampled_from(["2", "3", "-1", "0"])).map(list)
        positive = inner.map(lambda f: ["+", "1", ["exp", f]])
        root = st.tuples(st.just("^"), positive, st.sampled_from(["1/2", "-1/3", "5/2"])).map(list)
        return st.one_of(unary, several, power, root, positive.map(lambda f: ["log", f]))

    return st.recursive(leaves, more, max_leaves=6)


def _agree(node: Any, form: Form, slope: Fraction) -> bool:
    """Whether form and expression may be equal at some points (balls overlap); none, if undefined there."""
    with precision(400):
        for t in (Fraction(1, 3), Fraction(1), Fraction(7, 4)):
            one, other = evaluate(node, ball(slope * t)), at(form, t)
            if one.is_finite() and other.is_finite() and not one.overlaps(other):
                return False
    return True


@settings(max_examples=150, deadline=None, derandomize=True)
@given(expressions(), st.sampled_from([Fraction(1), Fraction(-1), Fraction(2), Fraction(-3, 2)]))
def test_a_normal_form_is_the_function(node: Any, slope: Fraction) -> None:
    try:
        form = Algebra(Budget()).evaluate(node, line(slope))
    except Refusal:
        return
    assert _agree(node, form, slope)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(expressions("abs", "sign", "step"), st.sampled_from([(1, -1), (-1, -1), (-2, 2), (-4, 2), (-1, 3)]))
def test_what_is_seen_to_be_a_polynomial_is_one(node: Any, other: tuple[int, int]) -> None:
    """``s(t) + u s(c t) = p(t)`` at points of both signs, wherever the checker says so."""
    terms = [(Fraction(1), Fraction(1)), (Fraction(other[0]), Fraction(other[1]))]
    try:
        powers = Activation(node, Budget()).on_line(terms)
    except Refusal:
        return
    with precision(400):
        for t in POINTS:
            try:
                total = sum((ball(u) * evaluate(node, ball(c * t)) for u, c in terms), arb(0))
            except Refusal:  # a switch at just this point
                continue
            right = sum((at(form, Fraction(1)) * ball(t) ** k for k, form in powers.items()), arb(0))
            assert not total.is_finite() or not right.is_finite() or total.overlaps(right)


def test_saboteur_a_wrong_rule_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """cos odd, sin^2 + cos^2 = 2, a sign lost in erf, softplus(-t) = softplus(t): each caught by values."""
    plain = Algebra.reflected

    def odd_cosine(self: Algebra, kind: str, form: Form) -> Form:
        return plain(self, "sin" if kind == "cos" else kind, form)

    def even_erf(self: Algebra, kind: str, form: Form) -> Form:
        found = plain(self, kind, form)
        return {m: abs(c) for m, c in found.items()} if kind == "erf" else found

    for broken, node in ((odd_cosine, ["cos", "x"]), (even_erf, ["Phi", "x"])):
        monkeypatch.setattr(Algebra, "reflected", broken)
        assert not _agree(node, Algebra(Budget()).evaluate(node, line(Fraction(-1))), Fraction(-1))
    monkeypatch.undo()
    right = Algebra(Budget()).evaluate(["softplus", "x"], line(Fraction(1)))
    assert _agree(["softplus", "x"], right, Fraction(1)) and not _agree(
        ["softplus", "x"], right, Fraction(-1)
    )


HARDSWISH = [
    "cases", ["0", ["<", "x", "-3"]], ["x", ["<", "3", "x"]], [["*", "1/6", "x", ["+", "x", "3"]], ["else"]]
]  # fmt: skip
IDENTITIES = [
    (["softplus", "x"], "-", {1: 1}), (["sigmoid", "x"], "+", {0: 1}), (["Phi", "x"], "+", {0: 1}),
    (["tanh", "x"], "+", {}), (["erfc", "x"], "+", {0: 2}), (["cosh", ["*", "3", "x"]], "-", {}),
    (["atan", ["^", "x", "3"]], "+", {}), (["*", "x", ["sigmoid", ["*", "17/10", "x"]]], "-", {1: 1}),
    (["log", ["+", "1", ["exp", "x"]]], "-", {1: 1}),
    (["*", "x", ["^", ["+", "1", ["exp", ["*", "-1", "x"]]], "-1"]], "-", {1: 1}),
    (["log", ["+", ["exp", "x"], ["exp", ["*", "-1", "x"]]]], "-", {}),
    (["*", "x", ["^", ["+", "1", ["^", "x", "2"]], "-1/2"]], "+", {}),
    (["^", ["+", "1", ["exp", ["*", "-1", "x"]], ["exp", "x"]], "-1"], "-", {}),
    (["max", "x", "0"], "-", {1: 1}), (["abs", ["+", ["^", "x", "2"], "-1"]], "-", {}),
    (["sign", "x"], "+", {}), (HARDSWISH, "-", {1: 1}),
    (["sinh", "x"], "-", None), (["exp", "x"], "+", None), (["softplus", "x"], "+", None),
    (["tanh", ["+", "x", "1"]], "+", None),
    (["+", ["tanh", "x"], ["*", "1/1000000000", ["cos", "x"]]], "+", None),
]  # fmt: skip


@pytest.mark.parametrize(("node", "sign", "expected"), IDENTITIES, ids=lambda v: str(v)[:50])
def test_reflections(node: Any, sign: str, expected: dict[int, int] | None) -> None:
    """``s(t) + s(-t)`` or ``s(t) - s(-t)`` as a polynomial in ``t``, or refused where it is none."""
    s = Activation(node, Budget())
    terms = [(Fraction(1), Fraction(1)), (Fraction(1 if sign == "+" else -1), Fraction(-1))]
    if expected is None:
        with pytest.raises(Refusal):
            s.on_line(terms)
    else:
        assert s.on_line(terms) == {k: constant(c) for k, c in expected.items()}


@pytest.mark.parametrize("name", sorted(activations.all_activations()))
def test_every_catalogue_activation(name: str) -> None:
    """The checker sees the polynomials, the reflections and the continuity that the package derives."""
    phi = activations.all_activations()[name]
    s, known = Activation(expression_json(phi.expression), Budget()), profile(phi)
    assert s.has_moments and s.is_continuous == phi.is_continuous
    powers = None if s.polynomial is None else frozenset(s.polynomial)
    assert powers == known.polynomial
    for sign, part, parity in ((1, known.even, 0), (-1, known.odd, 1)):
        expected = part is not None and all(k % 2 == parity for k in part)
        terms = [(Fraction(1), Fraction(1)), (Fraction(sign), Fraction(-1))]
        try:
            s.on_line(terms)
            assert expected
        except Refusal:
            assert not expected


SWITCHED = [
    ["max", "x", "0", ["+", "2", ["*", "-1", "x"]]], ["min", ["^", "x", "2"], ["abs", "x"]],
    ["*", ["sign", ["+", "x", "-1/2"]], ["exp", "x"]], ["step", ["+", ["^", "x", "3"], ["*", "-4", "x"]]],
    [
        "cases", ["1", ["and", ["<", "-1", "x"], ["<=", "x", "1"]]],
        [["sin", "x"], ["or", ["<", "x", "-9"], ["<", "9", "x"]]], ["x", ["else"]],
    ],
    ["abs", ["max", ["+", "x", "1"], ["*", "-2", "x"]]],
    ["max", "0", ["*", ["+", "x", "1/3"], ["+", "x", "-2"], ["+", ["^", "x", "2"], "1"]]],
    ["step", ["+", ["^", ["+", "x", "5"], "20"], "-1"]], ["sign", ["+", ["^", "x", "2"], "-9/4"]],
]  # fmt: skip


@pytest.mark.parametrize("node", SWITCHED, ids=lambda v: str(v)[:40])
def test_pieces_are_the_function(node: Any) -> None:
    found = pieces(node).cut_at_0()
    assert found[0].low is None and found[-1].high is None
    assert all(a.high == b.low for a, b in pairwise(found))
    for point in (place + Fraction(1, 97) for place in POINTS):
        (piece,) = [p for p in found if p.holds(point)]
        assert evaluate(piece.expression, ball(point)).overlaps(evaluate(node, ball(point)))


@pytest.mark.parametrize(
    "node",
    [
        ["max", "0", ["+", ["^", "x", "2"], "-2"]], ["abs", ["sin", "x"]],
        ["step", ["+", "x", ["*", "-1", "pi"]]], ["+", *[["abs", ["+", "x", str(k)]] for k in range(99)]],
    ],
)  # fmt: skip
def test_what_cannot_be_cut_is_refused(node: Any) -> None:
    with pytest.raises(Refusal):
        pieces(node)


def test_what_has_no_value_at_0_is_refused() -> None:
    with pytest.raises(Refusal, match="without an answer"):
        assert Activation(["cases", ["1", ["<", "x", "0"]], ["2", ["<", "0", "x"]]], Budget()).at_zero


@settings(max_examples=120, deadline=None, derandomize=True)
@given(expressions("abs", "sign", "step"))
def test_bounds_hold(node: Any) -> None:
    """Constant bounds at points; far out, tame functions below a fixed exponential, positive ones above."""
    for piece in (Piece(None, Fraction(0), node), Piece(Fraction(0), None, node)):
        try:
            size = size_on(piece)
        except Refusal:
            continue
        places = [p for p in POINTS if piece.holds(p)]
        far = [100 * p for p in places if abs(p) > 10]
        with precision(256):
            for point in places + far:
                try:
                    found = evaluate(node, ball(point))
                except Refusal:  # too large a number
                    continue
                if not found.is_finite():
                    continue
                assert size.lo is None or not found < ball(size.lo)
                assert size.hi is None or not found > ball(size.hi)
                rate = 60 * (1 + abs(ball(point)))
                assert not size.tame or not abs(found) > (10 * rate).exp()
                assert not size.positive or not found < (-10 * rate).exp()
                assert not size.above or not found > 10**6 * rate


@pytest.mark.parametrize(
    ("node", "tame"),
    [
        (["exp", ["*", "-1", ["^", "x", "2"]]], True), (["exp", ["abs", "x"]], True),
        (["log", ["+", "1", ["^", "x", "2"]]], True), (["exp", ["softplus", "x"]], True),
        (["*", "x", ["^", ["+", "1", ["abs", "x"]], "-1"]], True), (["cosh", ["abs", "x"]], True),
        (["exp", ["^", "x", "2"]], False), (["exp", ["*", "x", ["tanh", "x"], "x"]], False),
        (["exp", ["min", "x", ["*", "-1", ["^", "x", "2"]]]], True), (["exp", ["exp", "x"]], False),
        (["log", ["sigmoid", "x"]], True), (["exp", ["*", "-1", ["exp", "x"]]], True),
    ],
)  # fmt: skip
def test_growth(node: Any, tame: bool) -> None:
    assert Activation(node, Budget()).has_moments == tame


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(st.lists(st.integers(-2, 2), min_size=3, max_size=3), min_size=1, max_size=6))
def test_relations_and_coordinates(rows: list[list[int]]) -> None:
    """Against sympy's null spaces; coordinates have the same relations."""
    vectors = [tuple(map(Fraction, row)) for row in rows]
    linear = Linear(Budget())
    found = linear.relations(vectors)
    expected = sp.Matrix(rows).T.nullspace()
    assert len(found) == len(expected)
    stacked = sp.Matrix(
        [[sp.Rational(e.numerator, e.denominator) for e in u] for u in found] or [[0] * len(rows)]
    )
    assert (stacked * sp.Matrix(rows)).is_zero_matrix
    coordinates, free = linear.coordinates(found, len(rows))
    assert len(free) == len(rows) - len(found) and linear.relations([coordinates[i] for i in free]) == []
    assert all(sum(a * z[0] for a, z in zip(u, coordinates, strict=True)) == 0 for u in found)


def test_powers_of_t() -> None:
    algebra = Algebra(Budget())
    cube = algebra.evaluate(["^", ["+", "x", ["^", "2", "1/2"]], "3"], line(Fraction(1)))
    found = powers_of_t(cube)
    assert found is not None and sorted(found) == [0, 1, 2, 3] and found[1] == constant(6)
    assert powers_of_t(algebra.evaluate(["exp", "x"], line(Fraction(1)))) is None
    assert plus(cube, scaled(cube, -1)) == {}
