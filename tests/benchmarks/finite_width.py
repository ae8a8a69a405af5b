"""Finite networks measured: ``python tests/benchmarks/finite_width.py agreement`` (or another of these).

``agreement``: 20 activations, depth 1 to 4, with and without bias, with and without skips, all entries of
all cases at failure probability 1e-9 together. ``law``: the bias of the NTK against the width. ``faults``:
draws until a planted fault is found. ``ntk``: memory and time of the empirical NTK against the Jacobian way.
``size``: 10^7 parameters and 1000 inputs. ``training``: distance from the limit's path against the width.
Options: ``--workers N``; for ``agreement`` also ``--part K --parts N`` and ``--save``, which writes what was
found into ``finite_width_agreement.json``, where the slow tests look it up.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import numpy as np

from analytic_ntk import Activation, Dense, Network, Nonlinearity, Residual, activations, finite_width

POINTS = np.array([[0.6, -0.3, 1.1], [0.2, 0.9, -0.4], [1.2, 0.1, 0.5]])
FAILURE = 1e-9
KURTOSIS = 60.0
"""Assumed of one draw."""
WIDTH, DRAWS, PILOT = 32, 12_000, 2000
FOUND = Path(__file__).with_name("finite_width_agreement.json")
NAMES = (
    "relu", "gelu", "silu", "elu", "selu", "tanh", "erf", "sigmoid", "probit", "sin", "cos", "gaussian",
    "abs", "hardtanh", "relu6", "softsign", "arctan", "mish", "hardswish", "softplus",
)  # fmt: skip
Value = TypeVar("Value")


def timed(call: Callable[[], Value]) -> tuple[float, Value]:
    start = time.perf_counter()
    value = call()
    return time.perf_counter() - start, value


def network_of(phi: Activation, depth: int, bias: str, skips: bool) -> Network:
    if not skips:
        return Network.mlp(phi, depth, 1, bias)
    hidden = [Residual(Nonlinearity(phi), Dense(1, bias)) for _ in range(depth - 1)]
    return Network(Dense(1, bias), *hidden, Nonlinearity(phi), Dense(1, bias))


def cases() -> Iterator[tuple[str, Network]]:
    """320 names and networks; a skip needs a layer before the last, so at depth 1 it goes around that."""
    every = activations.all_activations()
    for name, depth, bias, skips in itertools.product(NAMES, (1, 2, 3, 4), ("0", "1/10"), (False, True)):
        phi = every[name]
        if skips and depth == 1:
            network = Network(Dense(1, bias), Residual(Nonlinearity(phi), Dense(1, bias)))
        else:
            network = network_of(phi, depth, bias, skips)
        yield f"{name} depth {depth} bias {bias}{' skips' if skips else ''}", network


def width_for(seed: int, network: Network) -> int:
    """:data:`WIDTH`, doubled until a pilot sample has half the kurtosis assumed: few units have heavy tails.

    The pilot is of other draws than the intervals, which hold whatever it says.
    """
    width = WIDTH
    while True:
        pilot = finite_width.monte_carlo(network, POINTS, width, PILOT, 10_000 + seed)
        if max(pilot.nngp.kurtosis.max(), pilot.ntk.kurtosis.max()) < KURTOSIS / 2 or width >= 8 * WIDTH:
            return width
        width *= 2


def agrees(seed: int, network: Network, workers: int = 1) -> tuple[int, finite_width.Agreement]:
    """The width, and what was found at it and at twice it: one case of all, which share :data:`FAILURE`."""
    width, share = width_for(seed, network), FAILURE / 320
    return width, finite_width.agreement(network, POINTS, width, DRAWS, seed, share, KURTOSIS, None, workers)


def agreement(workers: int, part: int, parts: int, save: bool) -> None:
    worst: dict[int, list[tuple[float, float]]] = {}
    failed, start = [], time.perf_counter()
    kept: dict[str, dict[str, float]] = json.loads(FOUND.read_text()) if FOUND.exists() else {}
    chosen = list(enumerate(cases()))[part::parts]
    for seed, (name, network) in chosen:
        seconds, (width, found) = timed(
            lambda network=network, seed=seed: agrees(seed, network, workers)  # type: ignore[misc]
        )
        depth = int(name.split(" depth ")[1][0])
        worst.setdefault(depth, []).append((found.stated_error, found.distance))
        failed += [] if found.agrees and not found.suspect else [name]
        print(
            f"{name:36} {'agrees' if found.agrees else 'DISAGREES'} width {width:3} "
            f"distance {found.distance:.4f} stated error {found.stated_error:.4f} "
            f"draws {found.draws:7d} {seconds:5.1f} s{'  suspect' if found.suspect else ''}",
            flush=True,
        )
        kept[name] = {
            "width": width,
            "distance": round(found.distance, 4),
            "stated_error": round(found.stated_error, 4),
        }
        if save:
            ordered = {name: kept[name] for name, _ in cases() if name in kept}
            FOUND.write_text(json.dumps(ordered, indent=1) + "\n")
    seconds = time.perf_counter() - start
    print(f"\n{len(chosen)} cases in {seconds:.0f} s, failure probability {FAILURE:g}")
    for depth, pairs in worst.items():
        errors, distances = np.array(pairs).T
        print(
            f"depth {depth}: stated error median {np.median(errors):.4f}, largest {errors.max():.4f}; "
            f"distance median {np.median(distances):.4f}, largest {distances.max():.4f}"
        )
    print("disagree or suspect:", failed or "none")


def law(workers: int) -> None:
    point = np.ones((1, 1))
    phi = Activation.parse("x^2/sqrt(1+x^2)")
    for depth, weight, draws in ((2, "1/2", 400_000), (3, "1", 150_000)):
        network = Network.mlp(phi, depth, weight, 0)
        seconds, found = timed(
            lambda network=network, draws=draws: finite_width.width_law(  # type: ignore[misc]
                network, point, [12, 24, 48], [draws, 2 * draws, 4 * draws], 7, failure_probability=1e-2,
                kurtosis=100, workers=workers,
            )
        )  # fmt: skip
        limit = network.gram(point)
        exponents = finite_width.bias_exponents(found, limit)
        print(f"depth {depth}, weight variance {weight}: limit {limit[0, 0]:.6f}, {seconds:.0f} s")
        for estimate in found.estimates:
            ntk = estimate.ntk
            print(
                f"  width {estimate.width:3} draws {estimate.draws:8} "
                f"bias {ntk.mean[0, 0] - limit[0, 0]:.6f} "
                f"standard error {ntk.standard_error[0, 0]:.6f} radius {ntk.radius[0, 0]:.6f}"
            )
        p, low, high = (float(e[0, 0]) for e in (exponents.value, exponents.low, exponents.high))
        print(
            f"  exponent {p:.3f}, interval [{low:.3f}, {high:.3f}]; c_1 {found.ntk.coefficients[1, 0, 0]:.4f}"
        )


def without_bias_term(network: Network) -> np.ndarray:
    """The NTK of tanh with the bias left out of the last layer's parameters."""
    return network.gram(POINTS) - 0.1


def derivative_dual_halved(network: Network) -> np.ndarray:
    """``T_2 = S_2 + w kappa' T_1 / 2``."""
    nngp, ntk = network.gram(POINTS, kernel="both")
    return np.asarray((nngp + ntk) / 2)


def branch_once(phi: Activation) -> np.ndarray:
    """``f + branch(f)`` with the branch's NNGP in place of its tangent kernel."""
    first, inner = Network(Dense(1, "1/10")).gram(POINTS), Network.mlp(phi, 1, 1, 0).layers[1:]
    nngp = Network(Dense(1, "1/10"), *inner).gram(POINTS, kernel="nngp")
    return np.asarray(first + nngp)


def faults(workers: int) -> None:
    """Draws of width 16, doubled from 256, after which an interval excludes what is wrong."""
    tanh = Network.mlp(activations.tanh, 1, "3/2", "1/10")
    skip = Network(Dense(1, "1/10"), Residual(Nonlinearity(activations.relu), Dense(1, 0)))
    right = tanh.gram(POINTS)
    planted = (
        ("NTK without the bias term", tanh, without_bias_term(tanh), "ntk"),
        ("derivative dual with a factor 1/2", tanh, derivative_dual_halved(tanh), "ntk"),
        ("residual branch counted once", skip, branch_once(activations.relu), "ntk"),
        ("networks of the standard parametrisation", tanh, right, "standard"),
        ("1 % in the NTK", tanh, 1.01 * right, "ntk"),
        ("0.1 % in the NTK", tanh, 1.001 * right, "ntk"),
    )
    for name, network, wrong, parametrisation in planted:
        draws, start = 256, time.perf_counter()
        while draws <= 1 << 24:
            found = finite_width.monte_carlo(
                network, POINTS, 16, draws, 0, workers=workers, parametrisation=parametrisation
            )
            if found.ntk.misses(wrong).any():
                break
            draws *= 2
        kept = parametrisation == "standard" or not found.ntk.misses(network.gram(POINTS)).any()
        seconds = time.perf_counter() - start
        print(
            f"{name:40} found with {draws:8} draws, the right one kept: {kept}, {seconds:.0f} s", flush=True
        )


def ntk_cost() -> None:
    """n = 500, width 1000, depth 3: the identity, and Jacobian rows in blocks that fit (20 inputs)."""
    network = Network.mlp(activations.relu, 3, 2, "1/10")
    finite = network.sample(1000, np.random.default_rng(0), input_dim=100)
    X = np.random.default_rng(1).standard_normal((500, 100))
    few = X[:20]
    for name, call in (
        ("identity, n = 500", lambda: finite.kernels(X).ntk),
        ("identity, n = 20", lambda: finite.kernels(few).ntk),
        ("Jacobian, n = 20", lambda: (lambda j: j @ j.T)(finite.jacobian(few)[:, 0])),
    ):
        seconds, value = timed(call)
        tracemalloc.start()
        call()
        peak = tracemalloc.get_traced_memory()[1] / 2**20
        tracemalloc.stop()
        print(f"{name:20} {seconds:7.2f} s, peak {peak:8.0f} MiB, trace {np.trace(value):.6f}")
    gib = 8 * 500 * finite.size / 2**30
    print(f"the Jacobian of 500 inputs by {finite.size} parameters takes {gib:.1f} GiB")


def size() -> None:
    network = Network.mlp(activations.relu, 3, 2, "1/10")
    drawn, finite = timed(lambda: network.sample(2200, np.random.default_rng(0), input_dim=100))
    X = np.random.default_rng(1).standard_normal((1000, 100))
    seconds, _ = timed(lambda: finite.kernels(X))
    print(f"{finite.size} parameters drawn in {drawn:.1f} s; both kernels of 1000 inputs in {seconds:.1f} s")


def training() -> None:
    rng = np.random.default_rng(0)
    X, Y = rng.standard_normal((8, 4)), rng.standard_normal(8)
    network = Network.mlp(activations.erf, 2, "3/2", "1/10")
    seconds, found = timed(
        lambda: finite_width.convergence(
            network, X, Y, [32, 64, 128, 256, 512, 1024], 16, rng, rng.standard_normal((8, 4)), steps=200
        )
    )
    for width, row in zip(found.widths, found.distances, strict=True):
        print(f"width {width:5}: distance {np.exp(np.log(row).mean()):.4f}")
    print(f"exponent {found.exponent:.3f} [{found.low:.3f}, {found.high:.3f}], {seconds:.0f} s")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", choices=("agreement", "law", "faults", "ntk", "size", "training"))
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--part", type=int, default=0, help="of --parts: every so many cases")
    parser.add_argument("--parts", type=int, default=1)
    parser.add_argument("--save", action="store_true", help="write what agreement found")
    asked = parser.parse_args()
    if asked.what == "agreement":
        agreement(asked.workers, asked.part, asked.parts, asked.save)
    elif asked.what == "law":
        law(asked.workers)
    elif asked.what == "faults":
        faults(asked.workers)
    else:
        {"ntk": ntk_cost, "size": size, "training": training}[asked.what]()
