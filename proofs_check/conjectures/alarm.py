"""An alarm that ends a computation from outside, as Ctrl-C does."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

LONGEST = 1e7


class TimeIsUp(KeyboardInterrupt):
    """Handled like Ctrl-C: what is known by then is the answer."""


@contextmanager
def alarm(seconds: float) -> Iterator[None]:
    """Raise :class:`TimeIsUp` after so many seconds, inside any computation.

    Nothing is done outside the main thread, on systems without timers, and where a timer runs already: the
    budget is then looked at between boxes only.
    """
    if not _is_free():
        yield
        return

    def ring(number: int, frame: FrameType | None) -> None:
        raise TimeIsUp("the budget is spent")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, min(seconds, LONGEST))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _is_free() -> bool:
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        return False
    return signal.getitimer(signal.ITIMER_REAL)[0] == 0 and signal.getsignal(signal.SIGALRM) is not None
