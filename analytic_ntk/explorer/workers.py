"""Panels computed in processes of their own: bounded in time and memory, and ended at a word.

The processes are forked from one server process in which everything slow to load has been loaded already, so
that ending one (the only sure way to stop a computation) costs next to nothing.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections import OrderedDict
from concurrent.futures import CancelledError, Future, TimeoutError
from types import TracebackType

from pebble import ProcessExpired, ProcessPool

from analytic_ntk.errors import AnalyticNTKError
from analytic_ntk.explorer.panel import Panel, Subject
from analytic_ntk.explorer.preload import WARM
from analytic_ntk.explorer.view import View

MEMORY = 3 << 30
"""Bytes of address space for each process."""
KEPT = 400
"""Panels kept, those looked at last."""
QUICK = 60.0
"""Seconds."""
PRELOAD = ("analytic_ntk.explorer.preload", "analytic_ntk.cli")
"""What the server process loads before it forks."""


class Failure(Exception):
    """Why there is no panel, in words for the reader; ``wrong``: the question was."""

    def __init__(self, message: str, wrong: bool = False) -> None:
        super().__init__(message)
        self.wrong = wrong


class Workers:
    """Computes panels and keeps them; a context manager.

    Two pools of ``count`` processes, each with ``memory`` bytes of address space (where the system can hold
    it to that): one for what may take more than ``QUICK`` seconds, so that nothing quick waits behind it.
    """

    def __init__(self, count: int | None = None, memory: int = MEMORY) -> None:
        self.count = count or max(2, min(4, os.cpu_count() or 2))
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read by the processes when they start
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        os.environ[WARM] = "1"
        context = _context()
        self._quick, self._patient = (
            ProcessPool(max_workers=self.count, initializer=_bound, initargs=(memory,), context=context)
            for _ in range(2)
        )
        self._kept: OrderedDict[tuple[str, View], Panel | Failure] = OrderedDict()
        self._lock = threading.Lock()

    def __enter__(self) -> Workers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for pool in (self._quick, self._patient):
            pool.stop()
            pool.join()

    def warm(self) -> None:
        """Start the processes now and not at the first question."""
        for pool in (self._quick, self._patient):
            pool.schedule(os.getpid)

    def start(self, subject: Subject, view: View) -> Future[Panel]:
        """Begin with a panel. To cancel the future ends the process that is at work on it."""
        key = (subject.name, subject.seen(view))
        known = self.known(subject, view)
        if known is not None:
            done: Future[Panel] = Future()
            if isinstance(known, Failure):
                done.set_exception(known)
            else:
                done.set_result(known)
            return done
        pool = self._patient if subject.seconds > QUICK else self._quick
        future: Future[Panel] = pool.schedule(_compute, args=(subject, view), timeout=subject.seconds)
        future.add_done_callback(lambda done: self._keep(key, done))
        return future

    def known(self, subject: Subject, view: View) -> Panel | Failure | None:
        """What was found before, without computing."""
        key = (subject.name, subject.seen(view))
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def _keep(self, key: tuple[str, View], future: Future[Panel]) -> None:
        """Keep what will be the same next time: panels, and refusals of the question itself."""
        if future.cancelled():
            return
        error = future.exception()
        if error is not None and not isinstance(error, AnalyticNTKError):
            return
        found = future.result() if error is None else Failure(str(error), wrong=True)
        with self._lock:
            self._kept[key] = found
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)


def failure_of(error: BaseException, subject: Subject) -> Failure:
    """What an error means to the reader."""
    if isinstance(error, Failure):
        return error
    if isinstance(error, AnalyticNTKError):
        return Failure(str(error), wrong=True)
    if isinstance(error, CancelledError):
        return Failure("Stopped.")
    if isinstance(error, TimeoutError):
        return Failure(f"Stopped after {subject.seconds:.0f} seconds, the limit for this panel.")
    if isinstance(error, MemoryError):
        return Failure("Stopped: it needs more memory than a panel may take.")
    if isinstance(error, ProcessExpired):
        return Failure("Stopped: its process ended by itself, most likely for want of memory.")
    return Failure(f"A fault of this program: {type(error).__name__}. Please report it with the address.")


def _compute(subject: Subject, view: View) -> Panel:
    return subject.of(view)


def _context() -> multiprocessing.context.BaseContext:
    """A server that forks, with everything loaded; where there is none, fresh processes."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(PRELOAD))
    return context


def _bound(memory: int) -> None:
    """Called first in each process: no more address space than this; Ctrl-C is for the parent."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        import resource
    except ImportError:  # no such limit on Windows
        return
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    if hard != resource.RLIM_INFINITY:
        memory = min(memory, hard)
    try:
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    except (ValueError, OSError):  # macOS may refuse
        return
