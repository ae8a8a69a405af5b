"""Gram matrices of inputs of one norm: polynomials of the correlation against certified values."""

from __future__ import annotations

import numpy as np
import pytest

from analytic_ntk import Dense, Network, Nonlinearity, Residual, activations
from analytic_ntk.errors import DomainError
from analytic_ntk.exact import exactly
from analytic_ntk.gram import curve as curve_module
from analytic_ntk.gram import tiles
from analytic_ntk.gram.curve import Curve, curves, rounded, tables
from analytic_ntk.gram.inputs import Inputs
from analytic_ntk.gram.pairs import fill_by_pairs

DEPTH_3 = ("relu", "tanh", "gelu", "hardtanh", "softsign", "elu(1)", "erf", "abs", "sin", "sign")


def sphere(count: int, d: int, seed: int = 0) -> np.ndarray:
    """Points of norm ``sqrt(d)``: some antipodal, some equal, some close."""
    X = np.random.default_rng(seed).standard_normal((count, d))
    X[1], X[2] = -X[0], X[0]
    for k, size in enumerate((1e-2, 1e-5, 1e-8, 1e-11)):
        X[3 + k] = X[0] + size * X[10 + k]
    return X * np.sqrt(d / np.sum(X * X, axis=1))[:, None]


def network(text: str, depth: int = 3, bias: str = "1/10") -> Network:
    return Network.mlp(activations.resolve(text), depth, 2 if text in ("relu", "abs") else 1, bias)


def by_pairs(net: Network, X: np.ndarray, Y: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    one = Inputs(X)
    return fill_by_pairs(net.layers, one, one if Y is None else Inputs(Y), lambda count: None)


@pytest.mark.parametrize("text", DEPTH_3)
def test_polynomials_meet_certified_values(text: str) -> None:
    """Strata of ``w = sqrt(1 - |rho|)``; the exact binary ``rho`` goes to both sides."""
    net = network(text)
    found = curves(net.layers, 1.0, 1.0)
    assert found is not None
    for w in (0.9, 0.45, 2.0**-7, 2.0**-20):
        for sign in (1, -1):
            rho = sign * (1 - exactly(w) ** 2)
            exact = net.at(1, rho, 1, 20)
            top = net.at(1, 1, 1, 20)
            for k, name in enumerate(("nngp", "ntk")):
                value = found[k].at(np.array([w]), np.array([sign < 0]))[0]
                scale = float(getattr(top, name).midpoint)
                assert abs(value - float(getattr(exact, name).midpoint)) < 1e-13 * scale
    assert max(c.error for c in found) < 1e-13


def test_a_wrong_polynomial_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Saboteur: coefficients that are a little off pass no check; the pairs are computed one by one then."""
    net = network("relu", 1)
    wrong = curve_module.dct
    monkeypatch.setattr(curve_module, "dct", lambda values, **how: wrong(values, **how) * (1 + 1e-11))
    curve_module._curves.cache_clear()
    assert curves(net.layers, 1.0, 1.0) is None
    monkeypatch.undo()
    curve_module._curves.cache_clear()
    assert curves(net.layers, 1.0, 1.0) is not None


@pytest.mark.parametrize("text", ["relu", "tanh", "hardtanh", "step"])
@pytest.mark.parametrize("compiled", [True, False])
def test_tiles_meet_pairs(text: str, compiled: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if compiled and not tiles.COMPILED:
        pytest.skip("without numba")
    monkeypatch.setattr(tiles, "COMPILED", compiled)
    net = network(text, 2)
    X, Y = sphere(150, 5), sphere(70, 5, 1)
    nngp, ntk = net.gram(X, kernel="both")
    slow = by_pairs(net, X)
    for fast, expected in zip((nngp, ntk), slow, strict=True):
        top = expected[0, 0]
        assert np.array_equal(fast, fast.T)
        assert np.abs(fast - expected).max() < 2e-13 * top
        assert np.array_equal(fast[0], fast[2]) and fast[0, 0] == fast[0, 2] == fast[2, 2]
        defects = [(m[0, 0] - m[0, 3:7]) for m in (fast, expected)]  # digits of the differences
        assert np.abs(defects[0] - defects[1]).max() < 1e-15 * top * 4
    assert np.array_equal(net.gram(X), ntk)
    cross = net.gram(X, Y)
    assert np.abs(cross - by_pairs(net, X, Y)[1]).max() < 2e-13 * slow[1][0, 0]


@pytest.mark.skipif(not tiles.COMPILED, reason="without numba")
def test_threads_and_neighbours_change_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    net, X = network("gelu", 2), sphere(300, 7)
    many = net.gram(X)
    monkeypatch.setattr(tiles, "on_threads", lambda work, starts: map(work, starts))
    assert np.array_equal(net.gram(X), many)


def test_float32() -> None:
    net, X = network("gelu", 3), sphere(150, 6)
    single = net.gram(X.astype(np.float32))
    assert single.dtype == np.float32
    truth = by_pairs(net, X.astype(np.float32).astype(float))[1]
    assert np.abs(single - truth).max() < 1e-5 * truth.max()
    assert net.gram(X.astype(np.float32), X).dtype == np.float64


def test_homogeneous_kernels_take_any_norms() -> None:
    net = Network.mlp(activations.relu, 3, 2, 0)
    X = np.random.default_rng(3).standard_normal((100, 4)) * 10.0 ** np.linspace(-3, 3, 100)[:, None]
    X[5] = 3 * X[4]
    nngp, ntk = net.gram(X, kernel="both")
    for fast, slow in zip((nngp, ntk), by_pairs(net, X), strict=True):
        root = np.sqrt(np.diag(slow))
        assert np.abs((fast - slow) / np.outer(root, root)).max() < 2e-13
    residual = Network(Dense(1, 0), Residual(Nonlinearity(activations.resolve("abs")), Dense(1, 0)))
    assert np.abs(residual.gram(X) / by_pairs(residual, X)[1] - 1).max() < 1e-10


def test_two_norms() -> None:
    net = network("tanh", 2)
    X, Y = sphere(80, 5), 2.5 * sphere(80, 5, 1)
    Y[0] = 2.5 * X[0]
    slow = by_pairs(net, X, Y)[1]
    assert np.abs(net.gram(X, Y) - slow).max() < 2e-13 * slow.max()


def test_where_no_polynomial_is_found_pairs_are_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(curve_module, "ORDERS", (32,))
    monkeypatch.setattr(curve_module, "ROOTS", (0,))
    chaotic = Network.mlp(activations.sin, 3, 300, 0)  # each layer stretches angles more than tenfold
    assert curves(chaotic.layers, 1.0, 1.0) is None
    X = sphere(70, 3)
    assert np.array_equal(chaotic.gram(X), by_pairs(chaotic, X)[1])


def test_monomials_are_exact_and_unstable_ones_refused() -> None:
    c = np.zeros((2, 6))
    c[0, 5] = 1.0  # T_5 = 16 t^5 - 20 t^3 + 5 t
    found = Curve(c, 0, (0.0, 0.0), 0.0).monomials
    assert found is None  # 41 > 20
    c[:, 0] = 3.0
    found = Curve(c, 0, (0.0, 0.0), 0.0).monomials
    assert found is not None and found[0].tolist() == [3, 5, 0, -20, 0, 16]


def test_overflow_and_bad_data() -> None:
    net = Network.mlp(activations.relu, 1, 2, 0)
    X = sphere(80, 3)
    with pytest.raises(DomainError, match="too large"):
        net.gram((X * 1e19).astype(np.float32))
    assert np.isfinite(net.gram(X * 1e19)).all()
    with pytest.raises(DomainError, match="finite"):
        net.gram(np.where(X > 1, np.nan, X))
    zero = X.copy()
    zero[3] = 0
    assert np.array_equal(net.gram(zero)[3], np.zeros(80))


def test_a_warning_says_what_would_be_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiles, "COMPILED", False)
    monkeypatch.setattr("analytic_ntk.gram.COMPILED", False)
    monkeypatch.setattr("analytic_ntk.gram.MANY", 6000)
    with pytest.warns(UserWarning, match="fast"):
        network("relu", 1).gram(sphere(80, 3))


def test_progress_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    network("relu", 1).gram(sphere(80, 3), progress=True)
    assert capsys.readouterr().out == ""


@pytest.mark.skipif(not tiles.COMPILED, reason="without numba")
def test_calls_in_several_threads_leave_the_pools_as_they_were() -> None:
    """The second call begins within the first and ends after it."""
    from threadpoolctl import threadpool_info

    def threads() -> list[int]:
        return [pool["num_threads"] for pool in threadpool_info()]

    before = threads()
    first, second = tiles.one_thread_each(), tiles.one_thread_each()
    first.__enter__()
    second.__enter__()
    assert set(threads()) == {1}
    first.__exit__(None, None, None)
    assert set(threads()) == {1}
    second.__exit__(None, None, None)
    assert threads() == before


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("text", ["relu", "hardtanh", "step"])
def test_pieces_meet_the_curve(text: str, dtype: type) -> None:
    """The tables of compiled code, by Horner's rule in each piece."""
    pair = tuple(rounded(c, np.dtype(dtype)) for c in curves(network(text).layers, 1.0, 1.0) or ())
    found = tables(pair, np.dtype(dtype))
    assert found is not None
    pieces = found.shape[1] // 2
    v = np.random.default_rng(0).random(500)
    place = np.minimum((pieces * v).astype(int), pieces - 1)
    y = 2 * (pieces * v - place) - 1
    for k, known in enumerate(pair):
        for side in (0, 1):
            value = np.array(
                [np.polyval(found[k, side * pieces + p, ::-1], t) for p, t in zip(place, y, strict=True)]
            )
            expected = known.at(v ** (2**known.roots), np.full(500, bool(side)))
            assert np.abs(value - expected).max() < 8 * np.finfo(dtype).eps * np.abs(known.ends).max()


def test_curves_that_no_table_holds_are_taken_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    net, X = network("hardtanh"), sphere(80, 4)
    with_tables = net.gram(X)
    monkeypatch.setattr(curve_module, "SHAPES", ((2, 4),))
    tables.cache_clear()
    whole = net.gram(X)
    tables.cache_clear()
    assert 0 < np.abs(whole - with_tables).max() < 1e-13 * whole.max()


@pytest.mark.parametrize(("count", "d"), [(333, 17), (700, 5)])
@pytest.mark.parametrize(
    ("text", "bias", "equal"), [("relu", "0", False), ("tanh", "1/10", True), ("relu", "1/10", False)]
)
def test_equal_rows_wherever_they_stand(text: str, bias: str, equal: bool, count: int, d: int) -> None:
    """No sizes are multiples of a block, in which BLAS would sum in another order."""
    rng = np.random.default_rng(count)
    X = rng.standard_normal((count, d))
    X *= np.sqrt(d / np.sum(X * X, axis=1, keepdims=True)) if equal else 1.0
    X[-40:] = X[rng.integers(0, count - 40, 40)]
    kinds, first, which = np.unique(X, axis=0, return_index=True, return_inverse=True)
    assert len(kinds) < count
    net = network(text, 2, bias)
    for found in (net.gram(X), net.gram(X, X[rng.permutation(count)][1:])):
        assert np.array_equal(found, found[first][which.ravel()])
