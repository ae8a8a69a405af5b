"""Gram matrices on the device of torch or jax.

``python tests/benchmarks/arrays.py torch [activation ...] [--rows 1000 4096]``

Seconds (medians of five runs after a first one) of the tangent kernel at depth 3 of Gaussian rows in 64
dimensions, without and with gradients in the inputs, beside the product ``X @ X.T``.
"""

from __future__ import annotations

import argparse
import operator
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from analytic_ntk import Network, activations

RUNS = 5


def taken(call: Callable[[], Any], wait: Callable[[Any], None]) -> float:
    wait(call())
    found = []
    for _ in range(RUNS):
        start = time.perf_counter()
        wait(call())
        found.append(time.perf_counter() - start)
    return statistics.median(found)


def of_torch(data: np.ndarray) -> tuple[Any, str, Callable[[Any], None], Callable[..., Any]]:
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"

    def wait(_: Any) -> None:
        if device == "cuda":
            torch.cuda.synchronize()

    def gradient(network: Network, X: Any) -> Any:
        leaf = X.clone().requires_grad_(True)
        network.gram(leaf).sum().backward()
        return leaf.grad

    name = torch.cuda.get_device_name() if device == "cuda" else device
    return torch.as_tensor(data, device=device), name, wait, gradient


def of_jax(data: np.ndarray) -> tuple[Any, str, Callable[[Any], None], Callable[..., Any]]:
    import jax

    jax.config.update("jax_enable_x64", True)

    def gradient(network: Network, X: Any) -> Any:
        return jax.grad(lambda rows: network.gram(rows).sum())(X)

    return jax.numpy.asarray(data), jax.devices()[0].device_kind, jax.block_until_ready, gradient


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("library", choices=("torch", "jax"))
    parser.add_argument("--rows", type=int, nargs="+", default=[1000, 4096])
    parser.add_argument("activations", nargs="*", default=["relu", "gelu", "tanh"])
    given = parser.parse_args()
    read = {"torch": of_torch, "jax": of_jax}[given.library]
    for rows in given.rows:
        for dtype in (np.float64, np.float32):
            data = np.random.default_rng(0).standard_normal((rows, 64)).astype(dtype)
            X, device, wait, gradient = read(data)
            unit = taken(partial(operator.matmul, X, X.T), wait)
            print(f"{given.library} on {device}, n = {rows}, {dtype.__name__}: X @ X.T {unit:.4f} s")
            for name in given.activations:
                network = Network.mlp(activations.resolve(name), 3, 1, "1/10")
                plain = taken(partial(network.gram, X), wait)
                both = taken(partial(gradient, network, X), wait)
                print(f"  {name}: {plain:.3f} s, with gradients {both:.3f} s")


if __name__ == "__main__":
    main()
