"""Processor time of the panels of the explorer, medians: ``python tests/benchmarks/explorer.py``.

In ratio to a product ``X @ Y.T`` (1000 rows, 64 columns) of the same run; ``--names``: other activations.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial

import numpy as np
from threadpoolctl import threadpool_limits

from analytic_ntk.cli.explore import subjects
from analytic_ntk.explorer.view import View

DEPTHS = range(1, 6)
"""Another one in each run, so that nothing is kept from the one before."""


def seconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--names", nargs="*", default=["relu", "gelu", "erf", "x*erf(x)", "sin(x)", "tanh"])
    names = asked.parse_args().names
    X = np.random.default_rng(0).standard_normal((1000, 64))
    with threadpool_limits(1):
        unit = statistics.median(seconds(lambda: X @ X.T) for _ in range(101))
        print(f"one product {unit * 1e3:.2f} ms; medians of depths 1 to 5, seconds (ratio)")
        for subject in subjects():
            if subject.name == "conjecture":
                continue
            subject.of(View(activation="relu", depth=1))
            for name in names:
                found = [seconds(partial(subject.of, View(activation=name, depth=d))) for d in DEPTHS]
                middle = statistics.median(found)
                print(f"{subject.name:12} {name:10} {middle:.2f} ({middle / unit:.0f})")


if __name__ == "__main__":
    main()
