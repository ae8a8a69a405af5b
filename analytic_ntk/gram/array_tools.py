"""Where arrays of torch, jax and others differ, beyond the array API standard."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from analytic_ntk.errors import DomainError
from analytic_ntk.layers.arrays import Array, namespace


def is_foreign(value: Any) -> bool:
    """Whether an array belongs to a library other than numpy (dask, which is lazy, left aside)."""
    library = type(value).__module__.partition(".")[0]
    if library in ("numpy", "dask"):
        return False
    return library == "torch" or hasattr(value, "__array_namespace__")


def library_of(value: Any) -> str:
    """``numpy``, ``torch``, ``jax`` ... (traced arrays and others alike)."""
    known = isinstance(value, np.ndarray | np.generic) or is_foreign(value)
    return (namespace(value).__name__ if known else type(value).__module__).partition(".")[0]


def device_of(value: Any) -> Any:
    """Where an array lives; ``None`` for traced ones, which live nowhere yet."""
    return getattr(value, "device", None)


def moved(value: Any, like: Any) -> bool:
    """Whether two arrays live at different places, as far as that is known."""
    places = device_of(value), device_of(like)
    return None not in places and places[0] != places[1]


def has_double(value: Any) -> bool:
    """Whether float64 is at hand where an array lives."""
    if library_of(value) == "torch":
        return value.device.type != "mps"
    if library_of(value) == "jax":
        from jax import config

        return bool(config.jax_enable_x64)
    return True


def with_dtype(value: Array, dtype: Any) -> Array:
    return value.to(dtype) if library_of(value) == "torch" else namespace(value).astype(value, dtype)


def known(question: Callable[[], Any]) -> Any:
    """The answer; ``None`` in traced code (``jax.jit``, ``torch.func.vmap``): numbers cannot be read."""
    try:
        return question()
    except DomainError:
        raise
    except (TypeError, RuntimeError):
        return None


def constant(value: Array) -> Array:
    """What autograd takes for a constant."""
    library = library_of(value)
    if library == "torch":
        return value.detach()
    if library == "jax":
        from jax.lax import stop_gradient

        return stop_gradient(value)
    return value


def product(one: Array, two: Array) -> Array:
    """The matrix product at the full precision of the dtype (jax takes less by default, on some devices)."""
    if library_of(one) == "jax":
        return namespace(one).matmul(one, two, precision="highest")
    return one @ two


def root(xp: Any, q: Array, least: float = 0.0) -> Array:
    """``sqrt(q)``, with slope 0 where ``q`` is not above ``least``."""
    positive = q > least
    found = xp.sqrt(xp.where(positive, q, xp.ones_like(q)))
    if least == 0.0:
        return xp.where(positive, found, xp.zeros_like(q))
    below = constant(q)
    return xp.where(positive, found, xp.sqrt(xp.where(below > 0, below, xp.zeros_like(below))))


def size(xp: Any, value: Array) -> Array:
    return xp.where(value < 0, -value, value)


def halves(value: Array) -> tuple[Array, Array]:
    """``value = high + low``, exactly, each with half of the digits (Veltkamp 1968)."""
    xp = namespace(value)
    digits = 1 - round(float(np.log2(float(xp.finfo(value.dtype).eps))))  # 53 or 24
    if library_of(value) == "jax":  # compiled code may simplify the other way
        from jax.lax import reduce_precision

        high = reduce_precision(value, 11 if digits == 53 else 8, digits // 2 - 1)
    else:
        scaled = (2.0 ** (digits - digits // 2) + 1.0) * value
        high = scaled - (scaled - value)
    return high, value - high
