"""Data that comes in: matrices of finite float64 numbers, or a refusal that says where not."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analytic_ntk.errors import DomainError

Array = NDArray[np.float64]


def matrix(value: ArrayLike, name: str) -> Array:
    """A matrix ``(n, d)``, ``n, d >= 1``. Raises :class:`DomainError` for anything else."""
    try:
        found = np.asarray(value)
    except ValueError:
        raise DomainError(f"{name} with rows of different lengths", "a matrix (n, d)") from None
    if found.dtype.kind not in "iuf":
        raise DomainError(f"{name} of dtype {found.dtype}", "real numbers", "convert to float64")
    if found.ndim != 2 or 0 in found.shape:
        raise DomainError(f"{name} of shape {found.shape}", "a matrix (n, d) with n, d >= 1")
    found = np.ascontiguousarray(found, dtype=np.float64)
    if not np.isfinite(found).all():
        row, column = np.argwhere(~np.isfinite(found))[0]
        raise DomainError(
            f"{name}[{row}, {column}] = {found[row, column]}", "finite numbers", "clean the data"
        )
    return found


def require_number(value: float, name: str, low: float, high: float, said: str = "") -> None:
    """Raise :class:`DomainError` unless ``low < value < high``; ``said`` is what ``high`` stands for."""
    number = isinstance(value, (int, float, np.floating, np.integer)) and not isinstance(value, bool)
    if not number or not low < value < high:
        top = f"{said} = {high:.6g}" if said else f"{high:g}"
        raise DomainError(f"{name} = {value!r}"[:100], f"a number between {low:g} and {top}")
