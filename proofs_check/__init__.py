"""Statements about neural kernels: asked, proved or refuted; certificates replayed without what made them.

What is imported is loaded on first use: replaying a certificate loads neither sympy nor ``analytic_ntk``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from proofs_check.conjectures.answer import Answer
    from proofs_check.conjectures.ask import conjecture
    from proofs_check.replay.verify import Report, verify, verify_file

_HOMES = {
    "Answer": "proofs_check.conjectures.answer",
    "Report": "proofs_check.replay.verify",
    "conjecture": "proofs_check.conjectures.ask",
    "verify": "proofs_check.replay.verify",
    "verify_file": "proofs_check.replay.verify",
}

__all__ = ["Answer", "Report", "conjecture", "verify", "verify_file"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
