"""The library an array belongs to: numpy, or any other that follows the array API standard.

Finite networks are written once against that standard (torch, jax and cupy follow it) and run on the device
their arrays live on. ``erf`` and its like are not in the standard: they come from the library's own special
functions, where it has them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from analytic_ntk.errors import DomainError

Array = Any
"""An array of any library that follows the array API standard."""

_SPECIAL = {"numpy": "scipy.special", "jax": "jax.scipy.special", "cupy": "cupyx.scipy.special"}


def namespace(array: Array) -> Any:
    """The functions of the array's library. Raises :class:`DomainError` for what is no such array.

    >>> import numpy as np
    >>> namespace(np.ones(2)) is np
    True
    """
    if hasattr(array, "__array_namespace__"):
        return array.__array_namespace__()
    if type(array).__module__.partition(".")[0] == "torch":  # its functions are those of the standard
        return sys.modules["torch"]
    raise DomainError(
        f"an array of type {type(array).__name__}",
        "an array of a library that follows the array API standard",
    )


def special(xp: Any, name: str) -> Callable[[Array], Array]:
    """``erf`` or ``erfc`` of a library. Raises :class:`DomainError` where it has none."""
    library = xp.__name__.partition(".")[0]
    try:
        place = import_module(_SPECIAL.get(library, f"{library}.special"))
        function: Callable[[Array], Array] = getattr(place, name)
    except (ImportError, AttributeError):
        raise DomainError(
            f"{name} on arrays of {library}", "a library that has it", "numpy, torch, jax and cupy do"
        ) from None
    return function


def as_real_matrix(value: Any, like: Array, columns: int) -> Array:
    """Rows ``(n, columns)`` in the library, on the device and of the type of ``like``.

    numpy arrays and lists are converted; arrays of another library are taken as they are or refused. Raises
    :class:`DomainError` for another shape, for what is not real and for what is not finite.
    """
    xp = namespace(like)
    foreign = hasattr(value, "__array_namespace__") or type(value).__module__.partition(".")[0] == "torch"
    if not foreign or isinstance(value, np.ndarray):
        try:
            found = np.asarray(value)
        except ValueError:
            raise DomainError("X with rows of different lengths", f"shape (n, {columns})") from None
        if found.dtype.kind not in "iuf":
            raise DomainError(f"X of dtype {found.dtype}", "real numbers")
        if xp is np:
            value = found.astype(like.dtype)
        else:
            value = xp.asarray(found.astype(np.float64), dtype=like.dtype, device=like.device)
    elif namespace(value) is not xp or value.dtype != like.dtype:
        raise DomainError(
            f"X of {type(value).__module__} and {value.dtype}",
            f"the library and dtype of the parameters, {xp.__name__} and {like.dtype}",
            "convert X, or the network with finite.with_arrays(convert)",
        )
    if value.ndim != 2 or value.shape[1] != columns or not value.shape[0]:
        raise DomainError(f"X of shape {tuple(value.shape)}", f"shape (n, {columns}) with n >= 1")
    require_finite(value, "a NaN or infinity in X", "clean the data")
    return value


def require_finite(values: Array, what: str, remedy: str) -> None:
    xp = namespace(values)
    if not bool(xp.all(xp.isfinite(values))):
        raise DomainError(what, "finite values", remedy)
