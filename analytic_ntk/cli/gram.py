"""Kernel matrices of data files, written to disk."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from analytic_ntk.cli.app import ACT, BIAS, DEPTH, JSON, WEIGHT, activation, answering, app, print_json
from analytic_ntk.errors import DomainError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@app.command()
def gram(
    act: ACT,
    inputs: Annotated[Path, typer.Argument(metavar="DATA", help="Inputs: .npy of shape (n, d), or .csv.")],
    output: Annotated[Path, typer.Option(help="The matrix: a name that ends with .npy or .zarr.")],
    against: Annotated[
        Path | None, typer.Option(help="Inputs of the columns; else those of the rows.")
    ] = None,
    depth: DEPTH = 1,
    weight_variance: WEIGHT = "1",
    bias_variance: BIAS = "0",
    kernel: Annotated[str, typer.Option(help="ntk or nngp.")] = "ntk",
    chunks: Annotated[int, typer.Option(help="Rows and columns of a block.")] = 4096,
    as_json: JSON = False,
) -> None:
    """The kernel matrix of many inputs, in float64, written to a file.

    A run that was stopped goes on where it was when it is asked the same again.
    """
    with answering():
        from analytic_ntk.large import write_gram
        from analytic_ntk.network import Network

        network = Network.mlp(activation(act), depth, weight_variance, bias_variance)
        rows = _read(inputs)
        columns = None if against is None else _read(against)
        matrix = write_gram(network, rows, output, columns, kernel, chunks, progress=sys.stderr.isatty())
        n, m = matrix.shape
        if as_json:
            print_json(
                {"file": str(output), "kernel": kernel, "shape": [n, m], "dtype": str(matrix.dtype)}
                | {"manifest": f"{output}.json"}
            )
        else:
            print(f"{output}: {kernel} matrix, {n} x {m}, {matrix.dtype}")


def _read(path: Path) -> NDArray[np.generic]:
    import numpy as np

    required = "numbers in a .npy array of shape (n, d), or in lines with commas between them in a .csv"
    if path.suffix not in (".npy", ".csv"):
        raise DomainError(f"the file {path.name!r}", required)
    try:
        if path.suffix == ".npy":
            found = np.load(path, mmap_mode="r", allow_pickle=False)
        else:
            lines = [line for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
            if not lines:
                raise DomainError(f"{path} without numbers", required)
            found = np.loadtxt(lines, delimiter=",", ndmin=2, comments="#")
    except OSError as error:
        raise DomainError(f"{path}: {error.strerror or error}", "a file with inputs") from error
    except DomainError:
        raise
    except Exception as error:  # numpy lets through whatever its readers stumble on
        raise DomainError(f"{path}: {error}"[:200], required) from error
    if not isinstance(found, np.ndarray):
        raise DomainError(f"{path} with several arrays", required)
    return found
