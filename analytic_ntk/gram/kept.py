"""Polynomials of a network kept on disk: in the folder named by the environment, one file of arrays each."""

from __future__ import annotations

import hashlib
import io
import os
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from analytic_ntk.activation import Activation
from analytic_ntk.errors import DomainError
from analytic_ntk.layers import Dense, Layer, LayerNorm, Nonlinearity, Residual

FOLDER = "ANALYTIC_NTK_CACHE"
"""The variable of the environment; without it nothing is written."""
FORMAT = "2"
"""Changed whenever the polynomials, or what is written of them, change."""
Arrays = dict[str, NDArray[np.float64]]


def kept(layers: Sequence[Layer], question: str, make: Callable[[], Arrays | None]) -> Arrays | None:
    """What ``make`` finds for a network, read from the folder if it was found before.

    A file that is damaged counts as absent. Raises :class:`DomainError` where the folder cannot be written.
    """
    folder, texts = os.environ.get(FOLDER), [_text(layer) for layer in layers]
    if not folder or None in texts:
        return make()
    name = hashlib.sha256("\n".join([FORMAT, question, *map(str, texts)]).encode()).hexdigest()
    path = Path(folder) / f"{name}.npz"
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
            return {key: file[key] for key in file.files} or None
    except (OSError, ValueError, zipfile.BadZipFile):
        pass
    found = make()
    _write(path, found or {})
    return found


def _write(path: Path, arrays: Arrays) -> None:
    """Whole or not at all: written beside, then renamed."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            try:
                np.savez(file, allow_pickle=False, **arrays)
                file.close()
                os.replace(file.name, path)
            except BaseException:
                os.unlink(file.name)
                raise
    except OSError as error:
        raise DomainError(
            f"{FOLDER}={path.parent}: {error.strerror}",
            "a folder that can be written",
            "unset it, or make room",
        ) from error


def _text(layer: Layer) -> str | None:
    """All that a layer is; ``None`` for a layer that is not ours."""
    if type(layer) is Dense:
        return f"Dense({sp.srepr(layer.weight_variance)}, {sp.srepr(layer.bias_variance)})"
    if type(layer) is Nonlinearity and type(layer.activation) is Activation:
        return f"Nonlinearity({sp.srepr(layer.activation.expression)})"
    if type(layer) is LayerNorm:
        return "LayerNorm()"
    if type(layer) is Residual:
        inner = [_text(part) for part in layer.branch]
        return None if None in inner else f"Residual({', '.join(map(str, inner))})"
    return None
