"""The working precision of ball arithmetic, scoped and locked.

python-flint keeps one precision for the whole process (not one per thread). Every ball computation of
the package therefore runs inside :func:`working_precision`, which holds a re-entrant lock and restores
what it found.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from flint import ctx

_LOCK = threading.RLock()

BITS_PER_DIGIT = math.log2(10)


@contextmanager
def working_precision(bits: int) -> Iterator[None]:
    """Run a block at ``bits`` bits of ball precision, alone in the process."""
    with _LOCK:
        before = ctx.prec
        ctx.prec = int(bits)
        try:
            yield
        finally:
            ctx.prec = before


def bits_for(digits: int) -> int:
    """Bits that hold ``digits`` decimal digits (rounded up)."""
    return math.ceil(digits * BITS_PER_DIGIT) + 1
