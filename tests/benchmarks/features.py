"""The error of random features against their number: ``python tests/benchmarks/features.py``.

Prints the table of docs/large.md: NTK, 200 inputs on the sphere of 16 dimensions, means of three draws of
``|z z^T - K|_F / |K|_F`` with the largest standard error of a row.
"""

from __future__ import annotations

import numpy as np

from analytic_ntk import Network, activations
from analytic_ntk.large import feature_errors

NETWORKS = (("relu", 1), ("relu", 3), ("gelu", 2), ("tanh", 3))
SERIES = (250, 1000, 4000)
WIDTHS = (256, 1024, 4096)
"""Two features each."""


def main() -> None:
    X = np.random.default_rng(0).standard_normal((200, 16))
    X *= 4 / np.linalg.norm(X, axis=1, keepdims=True)
    heads = [f"{count} series" for count in SERIES] + [f"{2 * width} layers" for width in WIDTHS]
    print("| network | " + " | ".join(heads) + " | standard error |")
    print("|---|" + "---|" * (len(heads) + 1))
    for name, depth in NETWORKS:
        network = Network.mlp(activations.resolve(name), depth, 2, 0)
        found = [
            *feature_errors(network, X, SERIES, "series", draws=3),
            *feature_errors(network, X, WIDTHS, "layers", draws=3),
        ]
        cells = [f"{one.relative:.3f}" for one in found] + [f"{max(one.standard_error for one in found):.3f}"]
        print(f"| {name}, depth {depth} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
