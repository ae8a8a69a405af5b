"""Gram matrices of inputs of different norms: polynomials in two norms and the correlation."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from analytic_ntk import Dense, LayerNorm, Network, Nonlinearity, Residual, activations
from analytic_ntk.errors import DomainError
from analytic_ntk.exact import exactly
from analytic_ntk.gram import curve, general, kept, pairs, surface, tiles
from analytic_ntk.gram.inputs import Inputs
from analytic_ntk.gram.pairs import fill_by_pairs
from analytic_ntk.gram.surface import APART, BETWEEN, cells, surfaces

COMPILED = pytest.param(
    True, marks=pytest.mark.skipif(not tiles.COMPILED, reason="without numba"), id="compiled"
)


def network(text: str, depth: int = 2) -> Network:
    return Network.mlp(activations.resolve(text), depth, 2, "1/10")


def cloud(count: int, d: int, seed: int = 0, grouped: bool = False) -> np.ndarray:
    """Points of many norms: duplicates, antipodes, proportional and near ones, a zero; perhaps in groups."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((count, d)) * rng.uniform(0.9, 1.1, (count, 1))
    if grouped:
        X = 0.25 * X + np.repeat(rng.standard_normal((count // 20, d)), 20, axis=0)
    X[1], X[2], X[3], X[4] = X[0], -X[0], 1.1 * X[0], 0
    for k, size in enumerate((1e-3, 1e-5, 1e-8)):
        X[5 + k] = X[0] + size * X[10 + k]
    return X


def by_pairs(net: Network, X: np.ndarray, Y: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    one = Inputs(X)
    return fill_by_pairs(net.layers, one, one if Y is None else Inputs(Y), lambda count: None)


def deviation(found: np.ndarray, truth: np.ndarray, first: np.ndarray, second: np.ndarray) -> float:
    """The largest, relative to ``sqrt(K(x,x) K(y,y))``."""
    return float(np.max(np.abs(found - truth) / np.sqrt(np.outer(first, second))))


@pytest.mark.parametrize("text", ["relu", "tanh", "hardtanh", "sign", "sin"])
def test_surfaces_meet_certified_values(text: str) -> None:
    net = network(text)
    grid = cells(np.array([0.3, 1.1]))
    assert grid is not None and len(grid) == 1
    zones = ((APART, (0.9375, 0.34375)), (BETWEEN, (0.25, 0.109375)))
    for zone, ws in zones[:1] if text == "hardtanh" else zones:  # to make the nearer ones takes long
        known = surfaces(net.layers, grid, zone)
        assert known is not None
        for w in ws:
            for q11, q22, sign in ((0.5, 1.0, 1), (0.5, 0.75, -1)):
                q12 = sign * (1 - w * w) * np.sqrt(q11 * q22)
                places = [grid[0].place(np.array([q])) for q in (q11, q22)]
                exact = net.at(exactly(q11), exactly(q12), exactly(q22), 20)
                tops = [net.at(exactly(q), exactly(q), exactly(q), 20) for q in (q11, q22)]
                for k, name in enumerate(("nngp", "ntk")):
                    at = known[grid[0], grid[0]][k].at(
                        places[0], places[1], np.array([w]), np.array([sign < 0])
                    )
                    value, *ends = (float(getattr(found, name).midpoint) for found in (exact, *tops))
                    scale = np.sqrt(ends[0] * ends[1])
                    assert abs(at[0] * scale - value) < 1e-12 * scale
        assert max(kernel.error for both in known.values() for kernel in both) < 2e-13


@pytest.mark.parametrize("text", ["relu", "tanh", "hardtanh", "sign"])
@pytest.mark.parametrize("compiled", [COMPILED, False])
def test_blocks_meet_pairs(text: str, compiled: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(general, "COMPILED", compiled)
    net, X = network(text), cloud(300, 30)
    both = net.gram(X, kernel="both")
    for fast, slow in zip(both, by_pairs(net, X), strict=True):
        top = np.diag(slow)
        assert np.array_equal(fast, fast.T)
        assert 0 < deviation(fast, slow, top, top) < 3e-13  # 0: the polynomials were not used
        assert np.abs(np.diag(fast) / top - 1).max() < 1e-14
        assert np.array_equal(fast[0, 100:], fast[1, 100:]) and fast[0, 0] == fast[0, 1] == fast[1, 1]
        assert np.abs(fast[4] - slow[4]).max() < 1e-14 * top.max()  # the zero input
        defects = [(m[0, 0] - m[0, 5:8]) for m in (fast, slow)]  # digits of the differences
        assert np.abs(defects[0] - defects[1]).max() < 4e-15 * top[0]
    assert np.array_equal(net.gram(X), both[1])


def test_several_cells_and_two_clouds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(general, "WORTH", 1 << 10)
    net, X, Y = network("tanh", 1), cloud(260, 9), cloud(300, 9, 1)
    X *= np.geomspace(0.05, 3, 260)[:, None]
    Y *= np.geomspace(4, 0.5, 300)[:, None]
    Y[17], Y[18] = X[200], 0
    slow, tops = by_pairs(net, X, Y), [by_pairs(net, Z) for Z in (X, Y)]
    grid = cells(np.concatenate([Inputs(Z).q[Inputs(Z).q > 0] for Z in (X, Y)]))
    assert grid is not None and len(grid) > 3
    for k, fast in enumerate(net.gram(X, Y, kernel="both")):
        assert 0 < deviation(fast, slow[k], np.diag(tops[0][k]), np.diag(tops[1][k])) < 3e-13
        assert fast[200, 17] == pytest.approx(np.diag(tops[0][k])[200], rel=1e-14)


@pytest.mark.parametrize("text", ["relu", "gelu"])
def test_groups_have_polynomials_of_their_own(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    net, X = network(text), cloud(600, 30, grouped=True)
    slow = by_pairs(net, X)[1]
    done = []
    monkeypatch.setattr(general, "WORTH", 1 << 11)
    monkeypatch.setattr(
        general, "of_pairs", lambda *given: done.append(len(given[3])) or pairs.of_pairs(*given)
    )
    fast = net.gram(X)
    rho = np.abs(np.corrcoef(X[20:]))
    assert 0 < deviation(fast, slow, np.diag(slow), np.diag(slow)) < 3e-13
    assert sum(done) < (rho > 0.8).sum() / 4  # the recursion has served only the nearest


@pytest.mark.parametrize("factor", [1 + 1e-9, 1 - 1e-11])
def test_wrong_polynomials_are_not_kept(factor: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Saboteur: coefficients that are a little off pass no check; the pairs are computed one by one then."""
    net, X = network("relu", 1), cloud(300, 40)
    right = surface.dct
    monkeypatch.setattr(surface, "dct", lambda values, **how: right(values, **how) * factor)
    surface._surfaces.cache_clear()
    assert np.array_equal(net.gram(X), by_pairs(net, X)[1])
    monkeypatch.undo()
    surface._surfaces.cache_clear()
    assert not np.array_equal(net.gram(X), by_pairs(net, X)[1])


@pytest.mark.parametrize("count", [2, 80])
@pytest.mark.parametrize("name", ["step", "sign"])
def test_jumps_see_differences_that_the_norms_have_lost(name: str, count: int) -> None:
    """Proportional and near rows: behind jumps a square root of the distance is a square root once more."""
    net = Network.mlp(activations.get(name), 3, 1, "1/10")
    rng = np.random.default_rng(0)
    X = rng.standard_normal((count, 4)) * np.exp(rng.uniform(-3, 3, (count, 1)))
    sizes = [1e-4, 1e-8, 1e-12, 1e-14]
    near = {
        k: X[k] * (1 + sizes[k % 4]) + (k // 4 % 2) * sizes[k % 4] * X[k][::-1] for k in range(min(8, count))
    }
    X = np.concatenate([X, *(row[None] for row in near.values())])
    nngp, ntk = net.gram(X, kernel="both")
    for place, k in enumerate(near, start=count):
        exact = net.certified(*([Fraction(v) for v in X[i]] for i in (k, place)), digits=20)
        assert (
            abs(nngp[k, place] - float(exact.nngp)) < 1e-14 and abs(ntk[k, place] - float(exact.ntk)) < 1e-14
        )


def test_single_precision() -> None:
    net, X = network("gelu"), cloud(300, 40).astype(np.float32)
    single = net.gram(X)
    truth = by_pairs(net, X.astype(float))[1]
    assert single.dtype == np.float32
    assert deviation(single, truth, np.diag(truth), np.diag(truth)) < 2e-6


@pytest.mark.skipif(not tiles.COMPILED, reason="without numba")
def test_threads_change_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    net, X = network("tanh"), cloud(400, 30)
    many = net.gram(X)
    monkeypatch.setattr(general, "on_threads", lambda work, tasks: map(work, tasks))
    assert np.array_equal(net.gram(X), many)


def test_other_layers() -> None:
    X = cloud(300, 30)[8:]
    gelu = activations.resolve("gelu")
    net = Network(
        Dense(2, "1/10"),
        LayerNorm(),
        Nonlinearity(gelu),
        Dense(1, "1/3"),
        Residual(Nonlinearity(gelu), Dense(1, 1)),
    )
    slow = by_pairs(net, X)[1]
    assert deviation(net.gram(X), slow, np.diag(slow), np.diag(slow)) < 3e-13


def test_what_no_polynomial_follows_and_what_overflows(monkeypatch: pytest.MonkeyPatch) -> None:
    X = cloud(300, 40)
    monkeypatch.setattr(general, "APART", APART._replace(degrees=(4,)))
    assert np.array_equal(network("relu").gram(X), by_pairs(network("relu"), X)[1])
    monkeypatch.undo()
    with pytest.raises(DomainError, match="too large"):
        network("relu").gram((X * 1e19).astype(np.float32))
    with pytest.raises(DomainError):
        Network.mlp(activations.exp, 2, 2, 0).gram(20 * X)
    zeros = np.zeros((300, 3))
    assert np.array_equal(network("relu").gram(zeros), by_pairs(network("relu"), zeros)[1])


@pytest.mark.parametrize("equal", [True, False])
def test_polynomials_are_kept_on_disk(equal: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forget() -> None:
        surface._surfaces.cache_clear()
        curve._curves.cache_clear()

    monkeypatch.setenv(kept.FOLDER, str(tmp_path / "new"))
    net, X = network("relu"), cloud(300, 30)[8:]
    X = X * np.sqrt(30 / np.sum(X * X, axis=1, keepdims=True)) if equal else X
    forget()
    first = net.gram(X)
    (file,) = (tmp_path / "new").iterdir()
    forget()
    monkeypatch.setattr(surface, "_made", None)  # nothing is made anew
    monkeypatch.setattr(curve, "fit", None)
    assert np.array_equal(net.gram(X), first)
    monkeypatch.undo()
    monkeypatch.setenv(kept.FOLDER, str(tmp_path / "new"))
    file.write_bytes(file.read_bytes()[:1000])  # damaged: made anew
    forget()
    assert np.array_equal(net.gram(X), first)
    forget()
    network("gelu").gram(X)
    assert len(list((tmp_path / "new").iterdir())) == 2
    forget()
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(kept.FOLDER, str(tmp_path / "file"))
    with pytest.raises(DomainError, match="folder that can be written"):
        net.gram(X)
    forget()


def test_strips_are_parts_of_the_whole() -> None:
    grid = cells(np.array([0.3, 1.1]))
    assert grid is not None
    known = surfaces(network("relu").layers, grid, APART)
    assert known is not None
    rng = np.random.default_rng(0)
    for kernel in known[grid[0], grid[0]]:
        for low, high in ((-1.0, 1.0), (0.2, 0.25), (0.5, 0.5)):
            strip = kernel.strip(low, high, surface.SMALL)
            assert sum(strip.sizes) < sum(kernel.whole.sizes) / 2 or high - low == 2
            first, second = rng.uniform(-1, 1, 200), rng.uniform(low, high, 200)
            w, negative = rng.uniform(APART.low, APART.high, 200), rng.random(200) < 0.5
            t, rows = (
                surface.variable(w, APART),
                np.polynomial.chebyshev.chebvander(first, len(strip.coefficients) - 1),
            )
            blocks = np.split(rows @ strip.coefficients, np.cumsum(np.repeat(strip.sizes, 2))[:-1], axis=1)
            found = sum(
                strip.basis(second)[b]
                * np.where(
                    negative,
                    *(
                        (part * t[:, None] ** np.arange(part.shape[1])).sum(axis=1)
                        for part in blocks[2 * b : 2 * b + 2][::-1]
                    ),
                )
                for b in range(len(strip.sizes))
            )
            assert np.abs(found - kernel.at(first, second, w, negative)).max() < 3e-13
