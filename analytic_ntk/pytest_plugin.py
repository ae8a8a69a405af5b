"""Options of pytest for ``pytest --pyargs analytic_ntk.laws``. Loads nothing else of the package."""

from __future__ import annotations

from typing import Any


def pytest_addoption(parser: Any) -> None:
    """``--laws-activation``, ``--laws-profile`` and ``--laws-seed``."""
    group = parser.getgroup("laws", "laws of neural kernels (pytest --pyargs analytic_ntk.laws)")
    group.addoption(
        "--laws-activation",
        action="append",
        metavar="ACT",
        help="a name of the catalogue or a formula in x; may be repeated; default relu",
    )
    group.addoption("--laws-profile", choices=("quick", "ci", "deep"), help="default quick")
    group.addoption("--laws-seed", type=int, help="of the cases drawn; default 0")
