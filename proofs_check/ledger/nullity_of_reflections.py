"""The reflection table: the nullity at antipodal pairs, for every class of activations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import sympy as sp

from analytic_ntk import Network, activations, certificate
from analytic_ntk.arithmetic import functions
from analytic_ntk.notation import x as argument
from analytic_ntk.positivity import decide_gram
from proofs_check import verify
from proofs_check.claim import Case, Claim, Fault, Hypothesis, Method, Part
from proofs_check.ledger._balls import all_of, is_positive_definite, null_space_is
from proofs_check.ledger._cells import SIDED, dependencies
from proofs_check.ledger._exact import Vector, null_space, rank, same_span
from proofs_check.ledger._points import Points, mirrored, points
from proofs_check.ledger._polynomials import POLYNOMIALS, kernels
from proofs_check.ledger._sources import OWN
from proofs_check.ledger.ntk_posDef_of_nonproportional import hexagon

HALVES: dict[str, Points] = {
    "2 pairs in the plane": points([1, 0], [0, 1]),
    "3 pairs in the plane": points([1, 0], [0, 1], [1, 1]),
    "4 pairs in the plane": points([1, 0], [0, 1], [1, 1], ["1/2", "-1"]),
    "4 pairs in R^3": points([1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1]),
    "1 pair": points([1, 2]),
}


@dataclass(frozen=True)
class Row:
    """A line of the table: an identity, its weights at depth 1 and deeper, and activations by text.

    ``sign``: the identity is about ``s(t) - sign * s(-t)``. ``degree``: that is ``c t^degree``, or 0 for
    ``None``.
    """

    identity: str
    sign: int
    degree: int | None
    texts: tuple[str, ...]

    def null_vectors(self, half: Points, depth: int) -> list[Vector]:
        """``(u, -sign u)`` with ``sum u z = 0`` (degree 1), ``sum u = 0`` (degree 0) or any ``u``."""
        if not self.sign or (depth > 1 and self.degree is not None):
            return []
        size = len(half)
        rows: list[list[Fraction]] = []
        if self.degree == 1:
            rows = [[z[k] for z in half] for k in range(len(half[0]))]
        elif self.degree == 0:
            rows = [[Fraction(1)] * size]
        return [(*u, *(-self.sign * e for e in u)) for u in null_space(rows, size)]


ROWS = (
    Row("s(t) - s(-t) = c t", 1, 1, (
        "relu", "leaky_relu(1/10)", "softplus(1)", "gelu", "silu",
        "log(1 + exp(x))", "x/(1 + exp(-x))", "Max(x, 0) + Max(-x, 0)/10", "x + exp(-x^2)",
    )),
    Row("s(t) + s(-t) = c", -1, 0, ("sigmoid", "probit", "tanh(x) + 1", "2 - erf(x)")),
    Row("s(t) + s(-t) = 0", -1, None, ("tanh", "erf", "sin", "sin(x) + x/3", "x*Abs(x)")),
    Row("s(t) - s(-t) = 0", 1, None, ("cos", "gaussian", "abs", "x^2 + cos(x)")),
    Row("none", 0, None, ("elu(1)", "sin(x) + cos(x)", "relu6", "cos(x) + sin(2*x)")),
)  # fmt: skip
NO_CLOSED_FORM = (
    "softplus(1)", "silu", "log(1 + exp(x))", "x/(1 + exp(-x))", "sigmoid", "tanh(x) + 1", "tanh",
)  # fmt: skip
AS_EXPRESSIONS = (
    "log(1 + exp(x))", "x/(1 + exp(-x))", "Max(x, 0) + Max(-x, 0)/10", "sin(x) + x/3", "tanh(x) + 1",
)  # fmt: skip


def identities(wrong: sp.Expr = sp.S.Zero) -> Iterator[Case]:
    """The identity of each activation, by sympy, for all ``t > 0``."""
    t = sp.Symbol("t", positive=True)
    for row in ROWS:
        for name in row.texts if row.sign else ():
            s = _elementary(activations.resolve(name).expression + wrong)
            rest = s.subs(argument, t) - row.sign * s.subs(argument, -t)
            rest = sp.simplify(sp.logcombine(sp.expand(rest), force=True))
            ratio = sp.simplify(rest / t ** (row.degree or 0))
            constant = ratio.is_number and (ratio == 0) is (row.degree is None)
            yield Case(f"{name}: {row.identity}", bool(constant))


def _elementary(expression: sp.Expr) -> sp.Expr:
    """In functions that sympy itself knows."""
    for known, meaning in (
        (functions.Phi, lambda z: (1 + sp.erf(z / sp.sqrt(2))) / 2),
        (functions.sigmoid, lambda z: 1 / (1 + sp.exp(-z))),
        (functions.softplus, lambda z: sp.log(1 + sp.exp(z))),
    ):
        expression = expression.replace(known, meaning)
    return expression


def table(
    names: tuple[str, ...], halves: dict[str, Points], depths: tuple[int, ...], extra: int = 0
) -> Iterator[Case]:
    """The null space of the table (as if ``extra`` layers were there): decided, and all that balls leave."""
    for row in ROWS:
        for name in (text for text in row.texts if text in names):
            for depth in depths:
                network = Network.mlp(activations.resolve(name), depth, 1, 0)
                for where, half in halves.items():
                    X, null = mirrored(half), row.null_vectors(half, depth + extra)
                    for kernel in ("nngp", "ntk"):
                        found = decide_gram(network, X, kernel).null_vectors
                        agree = all_of((same_span(found, null), null_space_is(network, X, found, kernel)))
                        yield Case(f"{name}, depth {depth}, {kernel}, {where}: nullity {len(found)}", agree)


def without_a_theorem() -> Iterator[Case]:
    """Depth 1 in the plane: the equations of all sectors."""
    for row in ROWS:
        for name in (text for text in row.texts if text in SIDED):
            for where, half in PLANE.items():
                found = dependencies(SIDED[name], mirrored(half))
                yield Case(
                    f"{name}, {where}: nullity {len(found)}", same_span(found, row.null_vectors(half, 1))
                )


def certificates(extra: int = 0) -> Iterator[Case]:
    """Each entry of the table as a certificate of the nullity, replayed without the code that made it."""
    for row in ROWS:
        for name in row.texts:
            for depth in (1, 2, 3):
                for where, half in FEW.items():
                    expected = len(row.null_vectors(half, depth + extra))
                    made = certificate.of_gram(
                        Network.mlp(activations.resolve(name), depth, 1, 0), mirrored(half)
                    )
                    report = verify(made.json())
                    nullity = int(made.body.get("nullity", 0)) if report.accepted else None
                    what = f"{name}, depth {depth}, {where}: nullity {nullity}"
                    yield Case(what if report.accepted else f"{what}: {report}", nullity == expected)


def normal_cdf() -> Iterator[Case]:
    """``Phi(w_1) + Phi(-w_1) - Phi(w_2) - Phi(-w_2) = 0`` at ``+-e_1, +-e_2``."""
    w = sp.symbols("w1 w2", real=True)
    s = _elementary(functions.Phi(argument))
    X = points([1, 0], [0, 1], [-1, 0], [0, -1])
    total = sum(
        u * s.subs(argument, sum(sp.Rational(e) * v for e, v in zip(x, w, strict=True)))
        for u, x in zip((1, -1, 1, -1), X, strict=True)
    )
    yield Case("sum of u_i Phi(x_i . w), u = (1, -1, 1, -1) at e1, e2, -e1, -e2", sp.simplify(total) == 0)
    null = decide_gram(Network.mlp(activations.probit, 1, 1, 0), X).null_vectors
    yield Case("the same null vector decided", same_span(null, [tuple(map(Fraction, (1, -1, 1, -1)))]))


# ------------------------------------------------------------------------------------ hypotheses dropped


def further_collinear() -> Iterator[Case]:
    """ReLU, 3 pairs and twice a point: one more null vector."""
    X = [*mirrored(HALVES["3 pairs in the plane"]), *points([2, 0])]
    found = len(dependencies(SIDED["relu"], X))
    yield Case(f"ReLU, 3 pairs and (2, 0): nullity {found}, the table says 1", found == 2)


def polynomial() -> Iterator[Case]:
    """``t^3`` is odd; 5 pairs in the plane have nullity more than 5 at depth 1."""
    X = mirrored(points([1, 0], [0, 1], [1, 1], [1, 2], [1, 3]))
    found = len(X) - rank(kernels([POLYNOMIALS["t^3"]], X)[1])
    yield Case(f"t^3 is odd, 5 pairs: nullity {found}, the table says 5", found > 5)


def with_bias() -> Iterator[Case]:
    for name in ("relu", "erf", "cos"):
        network = Network.mlp(activations.resolve(name), 1, 1, "1/10")
        answer = is_positive_definite(network, mirrored(HALVES["3 pairs in the plane"]))
        yield Case(f"{name}, 3 pairs, bias variance 1/10: nullity 0", answer)


OTHERS = tuple(name for row in ROWS for name in row.texts if name not in NO_CLOSED_FORM)
PLANE = {where: half for where, half in HALVES.items() if len(half[0]) == 2}
FEW = {where: HALVES[where] for where in ("3 pairs in the plane",)}
MORE = {where: HALVES[where] for where in ("4 pairs in the plane", "4 pairs in R^3")}

CLAIM = Claim(
    name="nullity_of_reflections",
    title="the reflection table: nullities at p antipodal pairs",
    statement=r"X = \{\pm z_1, \dots, \pm z_p\},\ b = 0:\quad \dim\ker = "
    r"\begin{array}{l|c|c} s & L = 2 & L \ge 3 \\ \hline s(t) - s(-t) = ct,\ c \ne 0 & p - "
    r"\operatorname{rank}(z_1, \dots, z_p) & 0 \\ s(t) + s(-t) = c,\ c \ne 0 & p - 1 & 0 \\ "
    r"s \text{ odd or even} & p & p \\ \text{neither } s(t) \pm s(-t) \text{ a polynomial for } t > 0 "
    r"& 0 & 0 \end{array}",
    hypotheses=(
        Hypothesis(
            "no other collinearity",
            "z_i is no multiple of z_j",
            Part("a further collinear point", Method.EXACT, "ReLU", further_collinear),
        ),
        Hypothesis(
            "not a polynomial",
            "s is not a polynomial",
            Part("an odd polynomial", Method.EXACT, "t^3, 5 pairs of the plane", polynomial),
        ),
        Hypothesis(
            "no bias",
            "b = 0",
            Part(
                "with a bias: strictly positive definite",
                Method.ENCLOSED,
                "ReLU, erf, cos, 3 pairs",
                with_bias,
            ),
        ),
    ),
    parts=(
        Part(
            "the identities",
            Method.SYMBOLIC,
            f"all t > 0, {sum(len(row.texts) for row in ROWS if row.sign)} activations; 'none' for the last "
            "row rests on the decision procedure",
            identities,
        ),
        Part(
            "depth 1 without a theorem: the equations of all sectors",
            Method.EXACT,
            f"{', '.join(n for row in ROWS for n in row.texts if n in SIDED)}; {', '.join(PLANE)}",
            without_a_theorem,
        ),
        Part(
            "the null space of the table is the one decided, and all that balls leave room for",
            Method.ENCLOSED,
            f"{len(OTHERS)} activations with closed forms ({', '.join(OTHERS)}), NNGP and NTK, depths "
            f"1, 2, 3; {', '.join(HALVES)}",
            lambda: table(OTHERS, HALVES, (1, 2, 3)),
        ),
        Part(
            "the same for activations without a closed form",
            Method.ENCLOSED,
            f"{', '.join(NO_CLOSED_FORM)}; depths 1 and 2; {', '.join(FEW)}",
            lambda: table(NO_CLOSED_FORM, FEW, (1, 2)),
        ),
        Part(
            "the same, on more pairs and deeper",
            Method.ENCLOSED,
            f"{', '.join(NO_CLOSED_FORM)}; depths 1, 2, 3; {', '.join(MORE)}",
            lambda: table(NO_CLOSED_FORM, MORE, (1, 2, 3)),
            needed=False,
            slow=True,
        ),
        Part(
            "a certificate of each entry, accepted by the independent replay",
            Method.ENCLOSED,
            f"all {sum(len(row.texts) for row in ROWS)} activations ({', '.join(AS_EXPRESSIONS)} among "
            f"them); depths 1, 2, 3; {', '.join(FEW)}",
            certificates,
        ),
        Part(
            "the eigenvalues of the hexagon: 8/3 + 2 sqrt 3/pi, 3, 3, 5/3 - sqrt 3/pi twice, 0",
            Method.SYMBOLIC,
            "ReLU sqrt 2, S_1 = <x, y>, unit hexagon",
            hexagon,
        ),
        Part("the normal distribution function at +-e1, +-e2", Method.SYMBOLIC, "all w", normal_cdf),
    ),
    faults=(
        Fault("the nullities of L >= 3 taken for those of L = 2", lambda: table(OTHERS, FEW, (1,), 1)),
        Fault("certificates for another depth", lambda: certificates(1)),
        Fault("an identity that is off by a small cube", lambda: identities(argument**3 / 10**6)),
    ),
    references=(OWN,),
    cited="null_iff_line_polynomials at depth 1, posDef_iff_of_deep at depth 2 and more",
)
