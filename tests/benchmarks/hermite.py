"""Hermite coefficients beside public tools: ``python tests/benchmarks/hermite.py [activation] [variance]``.

``a_0 .. a_200`` of tanh (default) with 60 correct digits: this package, ``mpmath.quad`` per coefficient, and
Gauss-Hermite rules of numpy and scipy over their node counts, at the best each can do. The truth is a table
with 80 certified digits, and ``mpmath.quad`` at 75 digits is compared with it. Times are processor seconds
of one run; our first table includes the analysis of the activation.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

import mpmath
import numpy as np
import sympy as sp
from numpy.typing import NDArray
from scipy import special

from analytic_ntk import Activation, activations
from analytic_ntk.arithmetic.functions import Phi, sigmoid, softplus
from analytic_ntk.hermite import hermite_floats
from analytic_ntk.notation import x

ORDER, DIGITS = 200, 60
SAMPLES = (1, 31, 101, 199)
"""Orders at which mpmath.quad is timed; its total is 201 times their mean: an extrapolation, and said so."""
RANGES = ((0, 20), (21, 50), (51, 100), (101, 200))
COUNTS = (50, 100, 200, 300, 350, 500, 1000, 2000)

Value = TypeVar("Value")


def seconds(call: Callable[[], Value]) -> tuple[float, Value]:
    start = time.process_time()
    value = call()
    return time.process_time() - start, value


def for_mpmath(phi: Activation) -> Callable[[mpmath.mpf], mpmath.mpf]:
    expr = phi.expression.replace(softplus, lambda z: sp.log(1 + sp.exp(z)))
    expr = expr.replace(sigmoid, lambda z: 1 / (1 + sp.exp(-z)))
    expr = expr.replace(Phi, lambda z: (1 + sp.erf(z / sp.sqrt(2))) / 2)
    return sp.lambdify(x, expr, "mpmath")


def by_mpmath(phi: Activation, q: sp.Expr, n: int, digits: int) -> mpmath.mpf:
    """One coefficient by ``mpmath.quad`` on panels of width 4, without certificate."""
    function = for_mpmath(phi)
    with mpmath.workdps(digits + 15):
        root = mpmath.sqrt(mpmath.mpf(int(q.p)) / int(q.q))
        steps = [(mpmath.sqrt(k), 1 / mpmath.sqrt(k + 1)) for k in range(n)]

        def integrand(z: mpmath.mpf) -> mpmath.mpf:
            before, now = mpmath.mpf(0), mpmath.mpf(1)
            for back, scale in steps:
                before, now = now, (z * now - back * before) * scale
            return function(root * z) * now * mpmath.npdf(z)

        reach = int(2 * mpmath.sqrt((digits + 5) * mpmath.log(10))) + 2
        reach += -reach % 4
        return mpmath.quad(integrand, list(range(-reach, reach + 1, 4)))


def gauss(rule: str, count: int, phi: Activation, q: sp.Expr) -> NDArray[np.float64]:
    """All coefficients by one Gauss-Hermite rule in float64, ``h_n`` by the normalised recurrence."""
    roots = np.polynomial.hermite_e.hermegauss if rule == "numpy" else special.roots_hermitenorm
    found = []
    with np.errstate(all="ignore"):
        nodes, weights = roots(count)
        if not np.all(np.isfinite(nodes)):
            return np.full(ORDER + 1, np.nan)
        values = weights / np.sqrt(2 * np.pi) * phi(float(q) ** 0.5 * nodes)
        before, now = np.zeros_like(nodes), np.ones_like(nodes)
        for k in range(ORDER + 1):
            found.append(float(np.sum(values * now)))
            before, now = now, (nodes * now - np.sqrt(k) * before) / np.sqrt(k + 1)
    return np.array(found)


def digits_reached(
    found: Sequence[mpmath.mpf] | NDArray[np.float64], truth: Sequence[mpmath.mpf], low: int, high: int
) -> str:
    """The fewest correct relative digits among the coefficients of a range that are not 0."""
    worst = mpmath.inf
    for n in range(low, high + 1):
        if truth[n] == 0:
            continue
        error = abs(mpmath.mpf(found[n]) - truth[n])
        if not mpmath.isfinite(error):
            return "nan"
        worst = min(worst, mpmath.inf if error == 0 else -mpmath.log10(error / abs(truth[n])))
    return "all" if worst == mpmath.inf else str(max(0, int(mpmath.floor(worst))))


def line(label: str, shown: Sequence[str], taken: float, ratio: float) -> None:
    print(f"{label:44s}" + "".join(f"{s:>9s}" for s in shown) + f"{taken:11.3f}{ratio:10.1f}", flush=True)


def main(name: str, variance: str) -> None:
    phi, q = activations.resolve(name), sp.Rational(variance)
    ours, table = seconds(lambda: phi.hermite_table(ORDER, DIGITS, q))
    again, _ = seconds(lambda: phi.hermite_table(ORDER, DIGITS, q))
    mpmath.mp.dps = 100
    truth = [mpmath.mpf(0 if row.value.digits == 0 else row.value.decimal(80))
             for row in phi.hermite_table(ORDER, 80, q).rows]  # fmt: skip
    print(f"{phi}, variance {q}: a_0 .. a_{ORDER}; correct relative digits, the worst in each range of n")
    print(f"{'':44s}" + "".join(f"{f'{a}-{b}':>9s}" for a, b in RANGES) + f"{'seconds':>11s}{'x ours':>10s}")
    certified = [mpmath.mpf(0 if row.value.digits == 0 else row.value.decimal()) for row in table.rows]
    line(
        f"analytic_ntk, {DIGITS} digits, certified",
        [digits_reached(certified, truth, a, b) for a, b in RANGES],
        ours,
        1,
    )
    print(f"    (the same once more: {again:.3f} s)")
    floats, found = seconds(lambda: hermite_floats(phi.pieces, ORDER, q, phi.parity))
    shown = [digits_reached(found.values, truth, a, b) for a, b in RANGES]
    line("analytic_ntk, float64, proved errors", shown, floats, floats / ours)
    total, worst = 0.0, mpmath.inf
    samples = [n if truth[n] != 0 else n + 1 for n in SAMPLES]
    for n in samples:
        taken, value = seconds(partial(by_mpmath, phi, q, n, DIGITS))
        total += taken
        worst = min(worst, -mpmath.log10(abs(value - truth[n]) / abs(truth[n]) + mpmath.mpf(10) ** -99))
    taken = total / len(samples) * (ORDER + 1)
    print(f"mpmath.quad at n = {samples}: {int(worst)} correct digits, {total:.1f} s;")
    line(f"    extrapolated to {ORDER + 1} coefficients", ["" for _ in RANGES], taken, taken / ours)
    best: dict[str, tuple[list[str], float, int]] = {}
    for rule in ("numpy", "scipy"):
        for count in COUNTS:
            taken, values = seconds(partial(gauss, rule, count, phi, q))
            shown = [digits_reached(values, truth, a, b) for a, b in RANGES]
            line(f"Gauss-Hermite, {rule}, {count} nodes", shown, taken, taken / ours)
            score = sum(int(s) for s in shown if s.isdigit())
            if rule not in best or score > sum(int(s) for s in best[rule][0] if s.isdigit()):
                best[rule] = (shown, taken, count)
    for rule, (shown, taken, count) in best.items():
        line(f"best of {rule}: {count} nodes", shown, taken, taken / ours)


if __name__ == "__main__":
    main(*(sys.argv[1:3] + ["tanh", "1"][len(sys.argv) - 1 :]))
