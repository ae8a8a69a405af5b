"""Kernel matrices of torch, jax, cupy and other arrays, on their device and inside their autograd.

The recursion is that of :class:`~analytic_ntk.layers.protocol.Layer`; the expectations are polynomials
(:mod:`.approximant`), found on the host and evaluated where the arrays live. Every step is a formula that
autograd differentiates, with no division by a vanishing angle. What autograd would keep of a block of pairs
is computed again when it is needed, so that memory stays at a few times the result.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from typing import Any

import numpy as np
import sympy as sp

from analytic_ntk.errors import DomainError
from analytic_ntk.gram.approximant import served
from analytic_ntk.gram.array_levels import served_at_one_norm
from analytic_ntk.gram.array_pairs import Rows, input_pair, read
from analytic_ntk.gram.array_system import Fit, OnArrays, Survey, Variances
from analytic_ntk.gram.array_tools import (
    device_of,
    has_double,
    is_foreign,
    known,
    library_of,
    with_dtype,
)
from analytic_ntk.layers import Dense, Layer, Residual
from analytic_ntk.layers.arrays import Array, namespace
from analytic_ntk.layers.protocol import activations_of
from analytic_ntk.pair import Pair

__all__ = ["gram_on_arrays", "is_foreign"]

PAIRS = 1 << 15
"""Pairs handled at once."""


def gram_on_arrays(
    layers: Sequence[Layer],
    X: Array,
    Y: Array | None,
    kernel: str,
    values: Mapping[str, Any] | None = None,
    largest_variance: float | None = None,
) -> Any:
    """NNGP and NTK matrices in the library, on the device and of the dtype (float32, float64) of ``X``.

    ``X`` is ``(n, d)``, ``Y`` is ``(m, d)`` or absent; ``kernel`` is ``"nngp"``, ``"ntk"`` or ``"both"``.
    ``values``: numbers or 0-d arrays of the library for the variances that are symbols, by name. Gradients in
    ``X``, ``Y`` and ``values`` are those of the library's autograd. Where two inputs coincide the NTK of an
    activation with a kink has a cone (and the NNGP of one with a jump); the slope there is 0, the middle of
    its subgradient. The same holds at a zero row.

    The variances that reach an activation which is not homogeneous are bounded by reading two numbers a layer
    from the device. Where numbers cannot be read (``jax.jit``) ``largest_variance`` bounds them all, and
    whatever exceeds it (rounded up to a power of 4) becomes nan, since traced code cannot raise.

    Kind of answer: float, relative to ``sqrt(K(x,x) K(y,y))`` about 1e-13 (float32: 1e-6) per layer; steps in
    float32 are computed in float64 where the device has it. Raises :class:`DomainError` for other shapes, for
    arrays of two libraries, devices or dtypes, for values that are not finite, for a symbol without value,
    for a value without symbol and for activations that are not served: those with a jump, but for steps
    at 0. Activations with a breakpoint off 0 are served where the variances that reach them are one number
    (rows of one norm) that can be read, with first derivatives; else they are refused.

    >>> import numpy as np, sympy as sp
    >>> from analytic_ntk import Network, activations
    >>> network = Network.mlp(activations.relu, 1, sp.Symbol("w"), sp.Symbol("b"))
    >>> gram_on_arrays(network.layers, np.eye(2), None, "nngp", {"w": 2.0, "b": 0.5}).diagonal()
    array([2., 2.])
    """
    if kernel not in ("nngp", "ntk", "both"):
        raise DomainError(f"kernel = {kernel!r}", '"nngp", "ntk" or "both"')
    if largest_variance is not None and not (
        isinstance(largest_variance, (int, float)) and 0 < largest_variance < np.inf
    ):
        raise DomainError(f"largest_variance = {largest_variance!r}", "a positive number")
    layers = tuple(layers)
    for phi in activations_of(layers):
        phi.require_numeric()
        if not (served(phi) or phi.homogeneity == 0 or served_at_one_norm(phi)):
            raise DomainError(
                f"{phi} on arrays of {library_of(X)}",
                "continuous activations, and step functions at 0",
                "give numpy arrays",
            )
    first = read(X, "X", X)
    second = first if Y is None else read(Y, "Y", X)
    if first.data.shape[1] != second.data.shape[1]:
        raise DomainError(
            f"X with {first.data.shape[1]} and Y with {second.data.shape[1]} columns", "equal dimensions"
        )
    xp = namespace(X)
    unknown = set(values or {}) - _symbols(layers)
    if unknown:
        raise DomainError(
            f"a value for {', '.join(sorted(map(str, unknown)))}", "names of symbols that are variances here"
        )
    variances = Variances.read(first.data[0, 0], values or {})
    if (
        X.dtype == xp.float32
        and any(phi.homogeneity == 0 for phi in activations_of(layers))
        and has_double(X)
    ):
        # a step takes the root of an angle, rounding included
        rows = with_dtype(X, xp.float64)
        others = None if Y is None else with_dtype(Y, xp.float64)
        double = {name: with_dtype(value, xp.float64) for name, value in variances.values.items()}
        found = gram_on_arrays(layers, rows, others, kernel, double, largest_variance)
        if kernel == "both":
            return tuple(with_dtype(matrix, xp.float32) for matrix in found)
        return with_dtype(found, xp.float32)
    chosen = {"nngp": (0,), "ntk": (1,), "both": (0, 1)}[kernel]
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows is refused below
        fits = _survey(layers, xp.concat([first.q, second.q], axis=0), variances, largest_variance)
        matrices = _matrices(layers, first, second, variances, fits, chosen)
    for matrix in matrices:
        if known(partial(_is_not_finite, matrix)):
            raise DomainError(
                f"a kernel value too large for {matrix.dtype}",
                "finite kernels",
                "rescale the inputs or the variances",
            )
    return (matrices[0], matrices[1]) if kernel == "both" else matrices[0]


def _symbols(layers: Sequence[Layer]) -> set[str]:
    found: set[str] = set()
    for layer in layers:
        if isinstance(layer, Dense):
            for value in (layer.weight_variance, layer.bias_variance):
                found |= {symbol.name for symbol in sp.sympify(value).free_symbols}
        elif isinstance(layer, Residual):
            found |= _symbols(layer.branch)
    return found


def _survey(
    layers: Sequence[Layer], q: Array, variances: Variances, largest: float | None
) -> tuple[Fit, ...]:
    """What each activation needs, from the norms alone."""
    xp = namespace(q)
    system = Survey(xp, variances, None if largest is None else float(largest), [])
    pair = Pair(q, q, q, xp.zeros_like(q), xp.zeros_like(q))
    for layer in layers:
        pair = layer.push(pair, system)
    return tuple(system.fits)


# ---------------------------------------------------------------------------------- blocks


def _block(
    layers: Sequence[Layer],
    one: Rows,
    two: Rows,
    variances: Variances,
    fits: Sequence[Fit],
    chosen: Sequence[int],
) -> tuple[Array, ...]:
    xp = namespace(one.data)
    pair, system = input_pair(one, two), OnArrays(xp, variances, iter(fits))
    for layer in layers:
        pair = layer.push(pair, system)
    shape = one.data.shape[0], two.data.shape[0]
    return tuple(xp.broadcast_to((pair.q12, pair.ntk)[k], shape) for k in chosen)


def _matrices(
    layers: Sequence[Layer],
    one: Rows,
    two: Rows,
    variances: Variances,
    fits: tuple[Fit, ...],
    chosen: Sequence[int],
) -> list[Array]:
    """In blocks of rows; of a matrix that is symmetric only what is on and above its diagonal."""
    xp, same = namespace(one.data), two is one
    n, m = one.data.shape[0], two.data.shape[0]
    if library_of(one.data) == "jax":
        matrices = list(_in_jax(layers, one, two, variances, fits, tuple(chosen)))
    else:
        once = _recomputed([one.data, two.data, *variances.values.values()])
        blocks: list[list[Array]] = [[] for _ in chosen]
        start = 0
        while start < n:
            left = start if same else 0
            stop = min(n, start + max(1, PAIRS // (m - left)))
            found = once(
                partial(_block, layers, one.rows(start, stop), two.rows(left, m), variances, fits, chosen)
            )
            for part, block in zip(blocks, found, strict=True):
                before = xp.zeros_like(block[:, :1]) + xp.zeros_like(one.q[:left])[None, :]
                part.append(xp.concat([before, block], axis=1) if left else block)
            start = stop
        matrices = [part[0] if len(part) == 1 else xp.concat(part, axis=0) for part in blocks]
    if same:
        index = xp.arange(n, device=device_of(one.data))
        upper = index[:, None] <= index[None, :]
        matrices = [xp.where(upper, matrix, matrix.mT) for matrix in matrices]
    return matrices


def _recomputed(inputs: Sequence[Array]) -> Callable[[Callable[[], tuple[Array, ...]]], tuple[Array, ...]]:
    """How a block is computed so that autograd keeps its inputs only."""
    if library_of(inputs[0]) != "torch" or not any(array.requires_grad for array in inputs):
        return lambda block: block()
    import torch
    from torch.autograd.graph import saved_tensors_hooks
    from torch.utils.checkpoint import checkpoint

    if not torch.is_grad_enabled():
        return lambda block: block()
    try:
        with saved_tensors_hooks(lambda saved: saved, lambda saved: saved):
            pass
    except RuntimeError:  # the transformations of torch.func do not go through it
        return lambda block: block()
    return lambda block: checkpoint(block, use_reentrant=False, preserve_rng_state=False)


def _in_jax(
    layers: Sequence[Layer],
    one: Rows,
    two: Rows,
    variances: Variances,
    fits: tuple[Fit, ...],
    chosen: tuple[int, ...],
) -> tuple[Array, ...]:
    """One compiled loop over blocks of equally many rows."""
    n, m = one.data.shape[0], two.data.shape[0]
    rows = min(n, max(1, PAIRS // m))
    run = _compiled(tuple(layers), tuple(fit.shape for fit in fits), chosen, rows)
    found = run(one.parts, two.parts, variances.like, dict(variances.values), [fit.tables for fit in fits])
    return tuple(matrix[:n, :] for matrix in found)


@lru_cache(maxsize=64)
def _compiled(
    layers: tuple[Layer, ...], shapes: tuple[Any, ...], chosen: tuple[int, ...], rows: int
) -> Callable[..., tuple[Array, ...]]:
    import jax

    def run(
        first: tuple[Array, ...], second: tuple[Array, ...], like: Array, values: Any, tables: Any
    ) -> tuple[Array, ...]:
        fits = [Fit(shape, table) for shape, table in zip(shapes, tables, strict=True)]
        two, variances = Rows(*second), Variances(like, values)

        @jax.checkpoint
        def block(parts: tuple[Array, ...]) -> tuple[Array, ...]:
            return _block(layers, Rows(*parts), two, variances, fits, chosen)

        short = -first[0].shape[0] % rows
        padded = tuple(
            jax.numpy.pad(part, [(0, short), *[(0, 0)] * (part.ndim - 1)]).reshape(-1, rows, *part.shape[1:])
            for part in first
        )
        found = jax.lax.map(block, padded)
        return tuple(matrix.reshape(-1, second[0].shape[0]) for matrix in found)

    return jax.jit(run)


def _is_not_finite(matrix: Array) -> bool:
    xp = namespace(matrix)
    return not bool(xp.all(xp.isfinite(matrix)))
