"""Statements about neural kernels, checked: certificates are replayed without the code that made them."""

from __future__ import annotations

from proofs_check.replay.verify import Report, verify, verify_file

__all__ = ["Report", "verify", "verify_file"]
