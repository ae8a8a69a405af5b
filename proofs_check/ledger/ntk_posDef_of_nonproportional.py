"""Theorem 2: without bias, and with no two inputs proportional, the NTK is strictly positive definite."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import sympy as sp

from analytic_ntk import Network, activations, certificate
from analytic_ntk.positivity import Domain, Positivity, decide
from proofs_check import verify
from proofs_check.claim import Case, Claim, Fault, Hypothesis, Method, Part
from proofs_check.ledger._balls import is_positive_definite
from proofs_check.ledger._cells import SIDED, dependencies
from proofs_check.ledger._exact import rank
from proofs_check.ledger._points import NON_PROPORTIONAL, Points, fan, points
from proofs_check.ledger._polynomials import POLYNOMIALS, kernels
from proofs_check.ledger._sources import CARVALHO, CHO

CLOSED = ("relu", "leaky_relu(1/10)", "abs", "gelu", "erf", "sin", "cos", "Max(x, 0)^2", "elu(1)", "gaussian")
QUADRATURE = ("tanh", "sigmoid", "log(1 + exp(x))")
FEW = {where: NON_PROPORTIONAL[where] for where in ("a narrow fan", "unit vectors and sums in R^4")}
PLANE = {where: X for where, X in NON_PROPORTIONAL.items() if len(X[0]) == 2}


def exact(sets: Mapping[str, Points]) -> Iterator[Case]:
    """One hidden layer: no ``u`` solves the equations of all sectors of the plane."""
    for name, s in SIDED.items():
        if name in ("step", "sign", "sign(x) + x"):
            continue
        for where, X in sets.items():
            yield Case(f"{name}, {where}", dependencies(s, X) == [], trivial=len(X) < 2)


def enclosed(names: tuple[str, ...], depths: tuple[int, ...], sets: Mapping[str, Points]) -> Iterator[Case]:
    for name in names:
        for depth in depths:
            network = Network.mlp(activations.resolve(name), depth, 1, 0)
            for where, X in sets.items():
                yield Case(f"{name}, depth {depth}, {where}", is_positive_definite(network, X), len(X) < 2)


def decisions() -> Iterator[Case]:
    for name in CLOSED + QUADRATURE:
        for depth in (1, 2, 3):
            for dim in (2, 3):
                network = Network.mlp(activations.resolve(name), depth, 1, 0)
                found = decide(network, dim, Domain.NON_PROPORTIONAL)
                yield Case(f"{name}, depth {depth}, d = {dim}", found.verdict is Positivity.STRICTLY_POSITIVE)


def certificates() -> Iterator[Case]:
    for name in ("relu", "Max(x, 0) + Max(-x, 0)/10", "tanh(x) + 1", "log(1 + exp(x))"):
        for depth in (1, 3):
            for where, X in NON_PROPORTIONAL.items():
                network = Network.mlp(activations.resolve(name), depth, 1, 0)
                report = verify(certificate.of_gram(network, X).json())
                what = f"{name}, depth {depth}, {where}"
                yield Case(what if report.accepted else f"{what}: {report}", report.accepted)


# ------------------------------------------------------------------------------------ hypotheses dropped


def hexagon(wrong: sp.Expr = sp.S.Zero) -> Iterator[Case]:
    """The NTK of ReLU sqrt 2 on the unit hexagon is circulant: its eigenvalues, exactly.

    ``T(theta) = (sin + (pi - theta) cos)/pi + cos (pi - theta)/pi`` for inputs at the angle ``theta``.
    """
    angles = [sp.pi * min(k, 6 - k) / 3 for k in range(6)]
    kernel = [(sp.sin(t) + 2 * (sp.pi - t) * sp.cos(t)) / sp.pi for t in angles]
    product = Network.mlp(activations.relu, 1, 2, 0).formula()
    for t, value in zip(angles, kernel, strict=True):
        inner = (sp.S.Half, sp.S.Half, sp.cos(t) / 2)
        derived = product.ntk.subs(dict(zip(product.variables, inner, strict=True)))
        yield Case(f"T at the angle {t} as derived by the package", sp.simplify(derived - value) == 0, t == 0)
    found = [sp.simplify(sum(v * sp.cos(sp.pi * j * k / 3) for k, v in enumerate(kernel))) for j in range(6)]
    root = 2 * sp.sqrt(3) / sp.pi
    expected = [sp.Rational(8, 3) + root + wrong, 3, sp.Rational(5, 3) - root / 2, 0]
    expected += expected[2:0:-1]
    for j, (value, other) in enumerate(zip(found, expected, strict=True)):
        yield Case(
            f"ReLU sqrt 2 on the unit hexagon, eigenvalue {j}: {value}", sp.simplify(value - other) == 0
        )


def proportional() -> Iterator[Case]:
    X = points([1, 1], [2, 2])
    for name in ("relu", "abs", "leaky_relu(1/10)"):
        null = dependencies(SIDED[name], X)
        yield Case(f"{name}, (1, 1) and (2, 2)", len(null) == 1 and null[0][0] == -2 * null[0][1])


def opposite() -> Iterator[Case]:
    """Odd and even activations at ``x`` and ``-x``: ``T(x, -x) = -+ T(x, x)`` in closed form."""
    for name, sign in (("erf", -1), ("sin", -1), ("cos", 1), ("gaussian", 1), ("abs", 1)):
        formula = Network.mlp(activations.resolve(name), 1, 1, 0).formula()
        q = sp.Symbol("q", positive=True)
        same, mirror = (
            formula.ntk.subs(dict(zip(formula.variables, (q, q, e * q), strict=True))) for e in (1, -1)
        )
        yield Case(f"{name}: T(x, -x) = {sign:+d} T(x, x)", sp.simplify(mirror - sign * same) == 0)


def polynomial() -> Iterator[Case]:
    for name in ("t^2", "t + t^2", "t^3"):
        X = fan(7)
        _, ntk = kernels([POLYNOMIALS[name]], X)
        found = rank(ntk)
        yield Case(f"{name}, 7 points, no two proportional: rank {found}", found < len(X))


CLAIM = Claim(
    name="ntk_posDef_of_nonproportional",
    title="without bias, and no two inputs proportional, the NTK is strictly positive definite",
    statement=r"s \text{ continuous, a.e. differentiable, not a polynomial},\ b = 0,\ "
    r"x_i \ne c\,x_j \text{ for } i \ne j,\ c \in \mathbb{R} \implies \bigl(T_L(x_i, x_j)\bigr)_{ij} "
    r"\succ 0 \text{ for every } L \ge 2",
    hypotheses=(
        Hypothesis(
            "no two proportional: not even on one ray",
            "x_i is no multiple of x_j",
            Part("points on one ray", Method.EXACT, "3 positively homogeneous activations", proportional),
        ),
        Hypothesis(
            "no two proportional: not even opposite",
            "x_i is no negative multiple of x_j",
            Part("x and -x", Method.SYMBOLIC, "5 odd or even activations, every x", opposite),
        ),
        Hypothesis(
            "no two proportional: not even for ReLU",
            "the same for an activation that is neither odd nor even",
            Part("three antipodal pairs: a zero eigenvalue", Method.SYMBOLIC, "ReLU, unit hexagon", hexagon),
        ),
        Hypothesis(
            "not a polynomial",
            "s is not a polynomial",
            Part("more points than monomials", Method.EXACT, "3 polynomials", polynomial),
        ),
        Hypothesis(
            "continuous and differentiable almost everywhere",
            "as in Theorem 1",
            remark="as there, see ntk_posDef_of_bias",
        ),
    ),
    parts=(
        Part(
            "no dependency: the equations of all sectors of the plane have no solution but 0",
            Method.EXACT,
            f"depth 1 in the plane, {len(SIDED) - 3} activations that are polynomials on each side of 0, "
            f"{len(PLANE)} point sets: {', '.join(PLANE)}",
            lambda: exact(PLANE),
        ),
        Part(
            "certainly positive pivots of the certified NTK Gram matrix",
            Method.ENCLOSED,
            f"{len(CLOSED)} activations with closed forms, depths 1, 2, 3; {len(NON_PROPORTIONAL)} point "
            f"sets: {', '.join(NON_PROPORTIONAL)}",
            lambda: enclosed(CLOSED, (1, 2, 3), NON_PROPORTIONAL),
        ),
        Part(
            "the same for activations without a closed form",
            Method.ENCLOSED,
            f"{', '.join(QUADRATURE)}; depths 1, 2; {', '.join(FEW)}",
            lambda: enclosed(QUADRATURE, (1, 2), FEW),
        ),
        Part(
            "the same, on all the point sets and deeper",
            Method.ENCLOSED,
            f"{', '.join(QUADRATURE)}; depths 1, 2, 3; all {len(NON_PROPORTIONAL)} point sets",
            lambda: enclosed(QUADRATURE, (1, 2, 3), NON_PROPORTIONAL),
            needed=False,
            slow=True,
        ),
        Part(
            "certificates of strict positivity accepted by the independent replay",
            Method.ENCLOSED,
            f"4 activations, 3 of them given as expressions, depths 1 and 3, {len(NON_PROPORTIONAL)} sets",
            certificates,
        ),
        Part(
            "the decision procedure says yes on all non-proportional points",
            Method.EXACT,
            "no evidence for the theorem, on which it rests: its hypotheses checked for "
            f"{len(CLOSED + QUADRATURE)} activations, depths 1, 2, 3, d = 2, 3",
            decisions,
            needed=False,
        ),
    ),
    faults=(
        Fault("points on one ray", lambda: exact({"a ray": points([1, 1], [2, 2])})),
        Fault(
            "an odd activation at x and -x", lambda: enclosed(("tanh",), (2,), {"": points([1, 1], [-1, -1])})
        ),
        Fault("an eigenvalue of the hexagon off by 1e-9", lambda: hexagon(sp.Rational(1, 10**9))),
    ),
    references=(f"{CARVALHO}, Theorem 2", f"{CHO} (the dual of ReLU)"),
    cited="Theorem 2",
)
