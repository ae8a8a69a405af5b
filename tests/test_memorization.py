"""Memorisation by narrow networks: blocks, eigenvalues, ceilings, neighbours; each against the definition."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from analytic_ntk import Activation, Dense, Network, Nonlinearity, Residual, activations
from analytic_ntk.errors import DomainError
from analytic_ntk.theory import memorization
from analytic_ntk.theory.memorization import (
    block_series,
    blocks,
    draw,
    hypotheses,
    karhadkar,
    montanari_zhong,
    nguyen,
    paper_network,
    prediction,
    rank_ceilings,
    report,
    smallest_eigenvalue,
    staircase,
    ties,
)
from proofs_check.ledger._exact import is_positive_semidefinite

RNG = np.random.default_rng


def sample(act: str, dim: int, widths: list[int], bias: str = "0", seed: int = 0, outputs: int = 1):  # type: ignore[no-untyped-def]
    network = Network.mlp(activations.resolve(act), len(widths), 2, bias)
    return network.sample([*widths, outputs], RNG(seed), dim)


# ------------------------------------------------------------------------------------ the identity


@pytest.mark.parametrize("act", ["tanh", "relu", "gelu"])
@pytest.mark.parametrize("bias", ["0", "1/3"])
def test_blocks_are_those_of_the_jacobian(act: str, bias: str) -> None:
    finite, X = sample(act, 4, [7, 5, 3], bias), RNG(1).standard_normal((9, 4))
    J, start = finite.jacobian(X)[:, 0, :], 0
    for part in blocks(finite, X):
        own = J[:, start : start + part.columns]
        start += part.columns
        assert part.matrix() == pytest.approx(own @ own.T, rel=1e-12, abs=1e-13)
        assert np.array_equal(part.matrix(), part.matrix().T)
        assert part.diagonal == pytest.approx((own**2).sum(axis=1), rel=1e-12)
        v = RNG(2).standard_normal((9, 2))
        assert part.times(v) == pytest.approx(part.matrix() @ v, rel=1e-10, abs=1e-12)
        wrong = own.copy()
        wrong[:, 0] *= 1.001  # a saboteur in one derivative
        assert not np.allclose(part.matrix(), wrong @ wrong.T, rtol=1e-12, atol=1e-13) or not own[:, 0].any()
    assert start == finite.size


def test_the_papers_parametrisation_by_hand() -> None:
    """``W_l ~ N(0, 1/n_{l-1})``, the last layer ``N(0, 1)``, and derivatives in the weights themselves."""
    rng = RNG(0)
    finite = draw(activations.tanh, 40, [50, 60], rng)
    W = [p for unit in finite.units for p in unit.parameters]
    assert [w.shape for w in W] == [(40, 50), (50, 60), (60, 1)]
    assert [float(w.std()) for w in W] == pytest.approx([40**-0.5, 50**-0.5, 1.0], rel=0.2)
    X = rng.standard_normal((3, 40))
    h1 = np.tanh(X @ W[0])
    h2 = np.tanh(h1 @ W[1])
    B2 = (1 - h2**2) * W[2].T
    B1 = (1 - h1**2) * (B2 @ W[1].T)
    K = h2 @ h2.T + (h1 @ h1.T) * (B2 @ B2.T) + (X @ X.T) * (B1 @ B1.T)
    assert sum(p.matrix() for p in blocks(finite, X)) == pytest.approx(K, rel=1e-12)
    assert finite(X) == pytest.approx(h2 @ W[2], rel=1e-12)


def _exact_kernel(parts) -> list[list[Fraction]]:  # type: ignore[no-untyped-def]
    """The sum of the blocks of these floats, in rationals."""
    size = len(parts[0].features)
    total = [[Fraction(0)] * size for _ in range(size)]
    for part in parts:
        F = [[Fraction(v) for v in row] for row in part.features.tolist()]
        B = [[Fraction(v) for v in row] for row in part.rows.tolist()]
        for i in range(size):
            for j in range(size):
                left = sum(a * b for a, b in zip(F[i], F[j], strict=True))
                total[i][j] += left * sum(a * b for a, b in zip(B[i], B[j], strict=True))
    return total


@pytest.mark.parametrize("act", ["sigmoid", "tanh", "relu"])
def test_bounds_hold_for_the_exact_sum(act: str) -> None:
    parts = blocks(sample(act, 3, [5, 4], seed=3), RNG(4).standard_normal((8, 3)))
    exact, found = _exact_kernel(parts), smallest_eigenvalue(parts)
    assert found.kind == "certified"

    def above(shift: float) -> bool:
        return is_positive_semidefinite(
            [[e - (Fraction(shift) if i == j else 0) for j, e in enumerate(r)] for i, r in enumerate(exact)]
        )

    assert above(found.lower) and not above(found.upper * (1 + 1e-9) + 1e-300)
    assert found.upper - found.lower <= 1e-9 * float(max(exact[i][i] for i in range(8)))
    rounded = sum(p.matrix() for p in parts)
    off = max(abs(Fraction(float(rounded[i, j])) - exact[i][j]) for i in range(8) for j in range(8))
    assert off <= sum(p.entry_error for p in parts) * 1.01


def test_matrix_free_agrees_and_says_how_far_off() -> None:
    parts = blocks(draw(activations.tanh, 30, [30, 30], RNG(0)), RNG(1).standard_normal((60, 30)))
    dense, free = smallest_eigenvalue(parts, "dense"), smallest_eigenvalue(parts, "matrix-free")
    assert free.kind == "residual" and free.upper >= dense.lower - 1e-9
    assert abs(free.value - dense.value) <= free.residual + 1e-9 * dense.value + dense.residual
    K = sum(p.matrix() for p in parts)
    assert np.linalg.eigvalsh(K)[0] == pytest.approx(dense.value, rel=1e-6)
    coarse = smallest_eigenvalue(parts, "matrix-free", tolerance=0.1)
    assert np.abs(np.linalg.eigvalsh(K) - coarse.upper).min() <= coarse.residual + 1e-9


@pytest.mark.parametrize("size", [1e-165, 1e-155, 1e-310, 1e60])
def test_underflow_does_not_break_the_bounds(size: float) -> None:
    X = size * RNG(4).standard_normal((4, 2))
    parts = blocks(sample("relu", 2, [3, 3], seed=3), X)
    exact, found = _exact_kernel(parts), smallest_eigenvalue(parts)
    for shift, below in ((found.lower, True), (found.upper * (1 + 1e-9), False)):
        moved = [
            [e - (Fraction(shift) if i == j else 0) for j, e in enumerate(row)] for i, row in enumerate(exact)
        ]
        assert is_positive_semidefinite(moved) == below
    assert smallest_eigenvalue(parts, "matrix-free").upper >= 0


# ------------------------------------------------------------------------------------ ceilings


def rank_of(finite, X) -> int:  # type: ignore[no-untyped-def]
    J = finite.jacobian(X)[:, 0, :]
    sizes = np.linalg.norm(J, axis=1, keepdims=True)
    return int(np.linalg.matrix_rank(J / np.where(sizes > 0, sizes, 1), tol=1e-9))


def test_ceilings_are_attained_for_the_reasons_named() -> None:
    half = RNG(0).standard_normal((5, 3))
    both, rays = np.concatenate([half, -half]), np.concatenate([half, 2 * half[:2], -4 * half[:1]])
    zeros = np.concatenate([half, 0 * half])
    cases = [
        ("tanh", "0", both, 5), ("cos(x)", "0", both, 5), ("relu", "0", both, 10), ("tanh", "1/2", both, 10),
        ("relu", "0", rays, 6), ("abs(x)", "0", rays, 5), ("tanh", "0", rays, 8), ("relu", "1/2", rays, 8),
        ("sigmoid", "0", zeros, 6), ("tanh", "0", zeros, 5), ("x", "0", both, 3), ("x", "1", both, 4),
        ("tanh", "0", np.concatenate([half, half[:1]]), 5),
    ]  # fmt: skip
    for act, bias, X, expected in cases:
        finite = sample(act, 3, [12, 12], bias)
        found = rank_ceilings(finite, X)
        assert found.best.rank == expected == rank_of(finite, X), (act, bias, found.best)
        assert found.singular == (expected < len(X))


def test_an_even_first_layer_lets_biases_follow() -> None:
    """``cos`` after a layer without bias makes ``f(-x) = f(x)``, whatever comes after."""
    phi = activations.resolve
    network = Network(
        Dense(1, 0), Nonlinearity(phi("cos(x)")), Dense(1, 1), Nonlinearity(phi("gelu")), Dense(1, 1)
    )
    half = RNG(0).standard_normal((4, 3))
    X = np.concatenate([half, -half])
    finite = network.sample([20, 20, 1], RNG(1), 3)
    assert rank_ceilings(finite, X).best.rank == 4 == rank_of(finite, X)
    other = Network(Dense(1, 1), *network.layers[1:]).sample([20, 20, 1], RNG(1), 3)
    assert ties(other, X) == () and rank_of(other, X) == 8


def test_polynomials_and_parameters() -> None:
    X = RNG(0).standard_normal((30, 2))
    for act, widths, bias in (
        ("x^2", [9], "0"),
        ("x+x^2", [9], "0"),
        ("x^3", [9, 9], "0"),
        ("x^2", [9], "1"),
    ):
        finite = sample(act, 2, widths, bias)
        found = rank_ceilings(finite, X)
        assert rank_of(finite, X) <= found.best.rank < 30
        for part, ceiling in zip(blocks(finite, X), found.blocks, strict=True):
            J = part.features[:, :, None] * part.rows[:, None, :]
            J = J.reshape(30, -1) / np.linalg.norm(J, axis=(1, 2))[:, None]
            assert np.linalg.matrix_rank(J, tol=1e-10) <= ceiling.rank
    assert rank_ceilings(sample("x+x^2", 2, [9]), X).best.rank == 5  # x, y, x^2, xy, y^2
    few = rank_ceilings(sample("tanh", 2, [3]), X).best
    assert (few.rank, few.reason) == (9, "9 parameters")
    on_circle = X / np.linalg.norm(X, axis=1, keepdims=True)
    assert rank_ceilings(sample("tanh", 2, [30]), on_circle).singular is False


@pytest.mark.parametrize(
    "act", ["relu", "abs(x)", "x^2", "x^3", "Max(x, 0)^2", "Piecewise((x, x > 0), (x/9, True))"]
)
@pytest.mark.parametrize("bias", ["0", "1/2"])
def test_homogeneous_units_can_be_rescaled(act: str, bias: str) -> None:
    """The relation ``sum_in w df/dw = k sum_out w df/dw``, unit by unit, and the rank it leaves."""
    widths, X = [3, 2], RNG(8).standard_normal((40, 4))
    finite = sample(act, 4, widths, bias, seed=8)
    J, degree = finite.jacobian(X)[:, 0, :], activations.resolve(act).homogeneity
    layers, start = [], 0
    for unit in finite.units:
        if unit.parameters:
            sizes = [p.size for p in unit.parameters]
            ends = start + np.cumsum([0, *sizes])
            layers.append(
                [
                    np.arange(e, e + p.size).reshape(p.shape)
                    for e, p in zip(ends, unit.parameters, strict=False)
                ]
            )
            start += sum(sizes)
    theta, relations = finite.parameters, []
    for one, other in pairwise(layers):
        for k in range(one[0].shape[1]):
            relation = np.zeros(len(theta))
            for incoming in one:
                relation[incoming[:, k]] = theta[incoming[:, k]]
            relation[other[0][k]] = -degree * theta[other[0][k]]
            relations.append(relation)
    assert np.abs(J @ np.array(relations).T).max() < 1e-11 * np.abs(J).max()
    assert np.linalg.matrix_rank(np.array(relations)) == len(relations) == 5
    ceiling = [c for c in rank_ceilings(finite, X).whole if "rescaling" in c.reason]
    assert ceiling[0].rank == finite.size - 5 and rank_of(finite, X) <= ceiling[0].rank
    assert memorization.rescalings(sample("tanh", 4, widths, bias)) == 0
    assert memorization.rescalings(sample("x + x^2", 4, widths, bias)) == 0


def test_no_more_than_the_rescalings_is_lost() -> None:
    """Every unit has its kink among the inputs: the ceiling is the rank."""
    finite, X = sample("Piecewise((x, x > 0), (x/9, True))", 3, [5], seed=1), RNG(5).standard_normal((18, 3))
    found = rank_ceilings(finite, X).best
    assert finite.size == 20 and found.rank == 15 == rank_of(finite, X)
    assert "less 5 rescalings" in found.reason and report(finite, X).total.kind == "exact"
    theta = finite.parameters.reshape(4, 5).copy()
    theta[:3, 2] = 0  # a unit without incoming weights does not count
    assert memorization.rescalings(finite.with_parameters(theta.reshape(-1))) == 4


def test_piecewise_constant_activations_pass_nothing_back() -> None:
    X = RNG(0).standard_normal((9, 3))
    for act in ("step", "sign(x)"):
        found = report(sample(act, 3, [8, 5]), X)
        assert [part.smallest.kind for part in found.blocks] == ["exact"] * 3
        assert found.ceilings.best.rank == 5 >= rank_of(sample(act, 3, [8, 5]), X)
        assert "together, 0 + 0 + 5" in (found.reason or "")
    network = Network(Dense(1, 0), Nonlinearity(activations.resolve("step")), Dense(1, 0),
                      Nonlinearity(activations.tanh), Dense(1, 0))  # fmt: skip
    finite = network.sample([6, 7, 1], RNG(1), 3)
    assert [c.rank for c in rank_ceilings(finite, RNG(0).standard_normal((99, 3))).blocks] == [0, 42, 7]


def test_inputs_without_a_coordinate() -> None:
    X = RNG(0).standard_normal((20, 5))
    X[:, [1, 3]] = 0
    finite = sample("tanh", 5, [4])
    found = rank_ceilings(finite, X)
    assert found.blocks[0].rank == 12 and found.best.rank == 16 == rank_of(finite, X)
    assert rank_ceilings(sample("tanh", 5, [4], "1"), X).blocks[0].rank == 16


def test_dead_units_are_the_reason() -> None:
    rng = RNG(1)
    finite, X = draw(activations.relu, 3, [4, 3], rng), rng.standard_normal((6, 3))
    found = report(finite, X)
    assert not found.ceilings.singular and "dead units" in (found.reason or "")
    assert (found.total.kind, found.total.upper) == ("certified", 0.0) and found.dead is not None
    assert rank_of(finite, X) <= found.dead.rank < 6
    assert report(draw(activations.tanh, 3, [8, 8], RNG(0)), X).dead is None
    kernel = sum(part.matrix() for part in blocks(finite, X))
    assert (kernel.diagonal() == 0).any()


def test_lambda_min_of_the_true_network_at_sixty_digits() -> None:
    """The Jacobian from the definition, forward and backward in mpmath: what float64 rounded on its way to
    the features is far below the distance of the bounds here, and no block was forgotten."""
    from mpmath import mp

    curves = {
        "tanh": (mp.tanh, lambda t: 1 - mp.tanh(t) ** 2),
        "softplus": (lambda t: mp.log(1 + mp.exp(t)), lambda t: 1 / (1 + mp.exp(-t))),
        "sin(x)": (mp.sin, mp.cos),
        "Piecewise((x^2, x > 0), (x/3, True))": (
            lambda t: t * t if t > 0 else t / 3,
            lambda t: 2 * t if t > 0 else mp.mpf(1) / 3,
        ),
    }
    with mp.workdps(60):
        for act, (s, slope) in curves.items():
            for dim, widths, count in ((3, [4, 5], 6), (3, [2, 6, 2, 3], 5), (1, [5], 3)):
                finite, X = sample(act, dim, widths, seed=7), RNG(7).standard_normal((count, dim))
                dense = [unit for unit in finite.units if unit.parameters]
                scales = [unit.weight_scale for unit in dense]
                W = [
                    mp.mpf(c) * mp.matrix(unit.omega.tolist()) for c, unit in zip(scales, dense, strict=True)
                ]
                J = mp.matrix([_gradient(W, scales, mp.matrix([row.tolist()]), s, slope) for row in X])
                true = mp.eigsy(J * J.T, eigvals_only=True)[0]
                found = report(finite, X).total
                slack = 1e-13 * float(max((J * J.T)[i, i] for i in range(count)))
                assert found.lower - slack <= true <= found.upper + slack
                assert found.upper - found.lower < 100 * slack


def _gradient(W, scales, row, s, slope):  # type: ignore[no-untyped-def]
    """``df/dtheta`` at one input, layer by layer, for parameters that carry the scales of their layers."""
    from mpmath import mp

    read, sums = [row], []
    for w in W[:-1]:
        sums.append(read[-1] * w)
        read.append(sums[-1].apply(s))
    back, found = mp.matrix([[1]]), []
    for layer in reversed(range(len(W))):
        outer = read[layer].T * back * scales[layer]
        found = [outer[i, j] for i in range(outer.rows) for j in range(outer.cols)] + found
        if layer:
            pulled = back * W[layer].T
            back = mp.matrix([[pulled[0, j] * slope(sums[layer - 1][0, j]) for j in range(pulled.cols)]])
    return found


def test_lines_are_found_among_many_points() -> None:
    """The fast path: multiples planted among 300 x 200 floats, by powers of 2 and so exactly collinear."""
    X = RNG(0).standard_normal((300, 200))
    X[17], X[200], X[299] = -2 * X[3], 0.25 * X[3], -X[100]
    X[50] = X[60] * (1 + 2**-40)  # collinear up to rounding, and so not
    found = ties(draw(activations.tanh, 200, [2, 2], RNG(0)), X)
    assert [(t.first, t.second, t.factor) for t in found] == [(100, 299, -1)]
    rays = ties(draw(activations.relu, 200, [2, 2], RNG(0)), X)
    assert [(t.first, t.second, t.factor) for t in rays] == [(3, 200, Fraction(1, 4))]
    flat = ties(draw(activations.resolve("abs(x)"), 200, [2, 2], RNG(0)), X)
    assert [(t.first, t.second, t.factor) for t in flat] == [
        (3, 17, 2),
        (3, 200, Fraction(1, 4)),
        (100, 299, 1),
    ]


def test_the_report_gives_the_reason_and_weyl() -> None:
    found = report(draw(activations.tanh, 6, [6, 6], RNG(0)), RNG(1).standard_normal((30, 6)))
    assert found.reason is None and found.total.lower > 0 and found.leading == 36
    assert sum(p.smallest.lower for p in found.blocks) * 0.999 < found.by_weyl <= found.total.upper
    X = RNG(1).standard_normal((3, 6))
    pairs = report(draw(activations.tanh, 6, [6, 6], RNG(0)), np.concatenate([X, -X]))
    assert (
        pairs.total.kind == "exact" and pairs.total.upper == 0 and "f(x_3) = -f(x_0)" in (pairs.reason or "")
    )
    assert all(part.smallest.kind == "exact" for part in pairs.blocks)
    single = report(draw(activations.tanh, 6, [6, 6], RNG(0)), X[:1])
    assert single.total.value == pytest.approx(float(sum(p.matrix() for p in blocks(
        draw(activations.tanh, 6, [6, 6], RNG(0)), X[:1])).item()))  # fmt: skip


def test_layers_that_do_not_alternate() -> None:
    network = Network(Dense(1, 0), Dense(1, 1), Nonlinearity(activations.resolve("x^2")), Dense(1, 0))
    finite, X = network.sample([2, 6, 1], RNG(0), 4), RNG(1).standard_normal((20, 4))
    found = report(finite, X)
    assert found.ceilings.best.rank == 15 and rank_of(finite, X) <= 15 and found.total.kind == "exact"
    linear = Network(Dense(1, 0), Dense(1, 0)).sample([3, 1], RNG(0), 4)
    assert report(linear, X).ceilings.best.rank == 4 == rank_of(linear, X)


def test_residual_networks_have_blocks_but_only_plain_ceilings() -> None:
    network = Network(Dense(1, 0), Residual(Nonlinearity(activations.tanh), Dense(1, 0)), Dense(1, 0))
    finite, X = network.sample([8, 8, 1], RNG(0), 4), RNG(1).standard_normal((6, 4))
    found = report(finite, np.concatenate([X, X[:1]]))
    assert found.ceilings.best.rank == 6 and found.leading is None
    J = finite.jacobian(X)[:, 0, :]
    assert sum(p.matrix() for p in blocks(finite, X)) == pytest.approx(J @ J.T, rel=1e-12)


def test_hypotheses_say_what_is_not_met() -> None:
    X = RNG(0).standard_normal((20, 8))
    found = {h.name: h.met for h in hypotheses(sample("relu", 8, [4, 9], "1"), X)}
    assert found["a pyramid"] is False and found["no biases"] is False
    assert (
        found["differentiable activations"] is False and found["Lipschitz concentration of the data"] is None
    )
    for act, expected in (
        ("relu", True), ("x^2", False), ("Max(x, 0)^2", False), ("step", False), ("tanh", None),
        ("Max(Min(x^3, 1), -1)", True), ("x + tanh(x)", None),
    ):  # fmt: skip
        seen = {h.name: h.met for h in hypotheses(sample(act, 8, [4, 4]), X)}
        assert seen["Lipschitz activations"] is expected
    good = {h.name: h.met for h in hypotheses(draw(activations.tanh, 40, [40, 40], RNG(0)),
                                              RNG(0).standard_normal((50, 40)))}  # fmt: skip
    assert False not in good.values()


# ------------------------------------------------------------------------------------ the limit


@pytest.mark.parametrize("act", ["sigmoid", "relu", "tanh"])
def test_block_series_add_up_to_the_ntk(act: str) -> None:
    phi = activations.resolve(act)
    found = block_series(phi, 2, order=6)
    whole = Network.mlp(phi, 2, 1, 0).series(6, digits=12).enclosures("ntk")
    for k in range(7):
        total = sum(float(part.coefficients[k]) for part in found)
        assert total == pytest.approx(float(whole[k]), rel=1e-9, abs=1e-12)
    shares = [float(part.total) for part in found]
    finite, X = draw(phi, 600, [600, 600], RNG(0)), RNG(1).standard_normal((4, 600))
    X *= np.sqrt(600) / np.linalg.norm(X, axis=1, keepdims=True)
    units = (600**2, 600**2, 600)
    seen = [float(p.diagonal.mean()) / n for p, n in zip(blocks(finite, X), units, strict=True)]
    assert seen == pytest.approx(shares, rel=0.2)  # the last weights alone make a spread of sqrt(2/600)


def test_the_plateau_of_the_first_layer_is_the_staircase() -> None:
    for name in ("relu", "tanh", "gelu"):
        phi = activations.resolve(name)
        first = block_series(phi, 1, order=6)[0]
        for level in range(4):
            assert first.plateau(level) == pytest.approx(float(staircase(phi, level)), rel=1e-8)
    assert first.plateau(0) > first.plateau(1) > 0
    z, w = np.polynomial.hermite_e.hermegauss(120)
    w = w / w.sum()
    slope = 1 - np.tanh(z) ** 2
    seen = (w * slope**2).sum() - (w * slope).sum() ** 2 - (w * slope * z).sum() ** 2
    assert float(staircase(activations.tanh, 2)) == pytest.approx(seen, rel=1e-6)
    assert not float(staircase(activations.tanh, 2)) == pytest.approx((w * slope**2).sum(), rel=1e-2)


def test_the_heuristic_is_near_simulation() -> None:
    for name in ("tanh", "relu", "sigmoid"):
        phi = activations.resolve(name)
        seen = memorization.scaling(phi, 2, [80], [120], 2).mean(120, 80)[0]
        assert 1 < prediction(phi, 2, 120, 80) / seen < 3


def test_neighbours_check_their_hypotheses() -> None:
    X = RNG(0).standard_normal((200, 30))
    unit = X / np.linalg.norm(X, axis=1, keepdims=True)
    assert montanari_zhong(activations.relu, unit, 100).applies
    assert not montanari_zhong(activations.relu, X, 100).applies  # not one sphere
    assert not montanari_zhong(activations.relu, unit, 3).applies  # N d < n
    assert montanari_zhong(activations.relu, unit, 100).leading == 0.25
    assert nguyen(X).leading == pytest.approx(30 / (4 * np.pi))
    cosines = np.abs(unit @ unit.T) - np.eye(len(unit))
    for r in (2, 4, 8):
        assert nguyen(X, r).applies == ((cosines**r).sum(axis=1).max() < 1) == (r > 4)
    assert not nguyen(X, 3).applies and not nguyen(100 * X, 8).applies
    assert not nguyen(X, 8, activations.tanh).applies
    delta = min(
        min(np.linalg.norm(a - b), np.linalg.norm(a + b)) for i, a in enumerate(unit) for b in unit[:i]
    )
    found = karhadkar(unit)
    assert found.applies and found.leading == pytest.approx(delta**2 / 30**3, rel=1e-9)
    assert not karhadkar(np.concatenate([unit, -unit[:1]])).applies
    assert karhadkar(np.concatenate([unit, unit[:1]])).leading == 0
    enough = np.linalg.norm(unit, 2) ** 2 * 30**3 / delta**2
    assert karhadkar(unit, int(enough) + 1).applies and not karhadkar(unit, int(enough) - 1).applies
    assert not karhadkar(X).applies and not karhadkar(np.concatenate([unit, 0 * unit[:1]])).applies


def test_antipodes_do_not_bound_lambda_min_above() -> None:
    """Shallow ReLU at ``x`` and ``-x``: the two share no unit. ``delta = 0``, and no upper bound comes of it;
    two inputs that nearly agree do make ``lambda_min`` small."""
    finite = draw(activations.relu, 3, [2000], RNG(0))
    antipodes, near = [[1.0, 0, 0], [-1.0, 0, 0]], [[1.0, 0, 0], [1.0, 1e-4, 0]]
    assert karhadkar(antipodes).leading == 0 and "min |x_i - x_j|" in karhadkar(antipodes).says
    assert (
        report(finite, antipodes).total.lower > 0.3 * 2000 and report(finite, near).total.upper < 2000 * 1e-3
    )


def test_the_level_of_the_staircase_is_exact() -> None:
    for count, dim, level in (
        (1, 3, 0),
        (2, 3, 0),
        (3, 3, 1),
        (8, 2, 3),
        (124, 5, 2),
        (125, 5, 3),
        (999, 10, 2),
    ):
        X = RNG(0).standard_normal((count, dim))
        found = montanari_zhong(activations.relu, X, 10)
        assert found.hypotheses[1].name == f"d^{level} << n << d^{level + 1}"
        assert found.leading == float(staircase(activations.relu, level))


# ------------------------------------------------------------------------------------ refusals

X5 = RNG(0).standard_normal((5, 3))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: blocks(sample("tanh", 3, [4]), X5[0]), "shape"),
        (lambda: blocks(sample("tanh", 3, [4]), np.where(X5 > 1, np.nan, X5)), "finite"),
        (lambda: blocks(sample("tanh", 3, [4]), X5[:, :2]), "3"),
        (lambda: blocks(sample("tanh", 3, [4], outputs=2), X5), "readout"),
        (lambda: blocks(Network.mlp(activations.tanh, 1, 1, 0), X5), "FiniteNetwork"),  # type: ignore[arg-type]
        (lambda: smallest_eigenvalue([]), "block"),
        (lambda: nguyen(X5, 2, "tanh"), "Activation"),  # type: ignore[arg-type]
        (lambda: block_series(activations.resolve("exp(x)"), 3, order=2)[0].plateau(1), "float64"),
        (lambda: smallest_eigenvalue(blocks(sample("tanh", 3, [4]), X5), "power"), "method"),
        (lambda: paper_network(activations.tanh, []), "width"),
        (lambda: paper_network(activations.tanh, [True]), "integer"),
        (lambda: paper_network(activations.tanh, "12"), "list"),
        (lambda: staircase(activations.tanh, -1), "level"),
        (lambda: staircase("tanh", 1), "Activation"),  # type: ignore[arg-type]
        (lambda: block_series(activations.tanh, 0), "depth"),
        (lambda: block_series(activations.tanh, 1, order=100_000), "at most"),
        (lambda: block_series(activations.tanh, 1, order=2)[0].plateau(9), "level"),
        (lambda: karhadkar(X5[:1]), "one point"),
        (lambda: karhadkar(X5, 0), "neurons"),
        (lambda: montanari_zhong(activations.relu, X5[:, :1], 4), "dimension"),
        (lambda: draw(Activation.parse("alpha*x + tanh(x)"), 3, [4], RNG(0)), "parameter"),
    ],
)
def test_refusals(call, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(DomainError, match=message):
        call()
