"""Panels computed in processes of their own: bounded in time and memory, and ended at a word.

The processes are forked from one server process in which everything slow to load has been loaded already, so
that ending one (the only sure way to stop a computation) costs next to nothing.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import OrderedDict
from concurrent.futures import Future
from multiprocessing import forkserver
from types import TracebackType

from pebble import ProcessExpired, ProcessPool

from analytic_ntk.errors import AnalyticNTKError
from analytic_ntk.explorer import limits
from analytic_ntk.explorer.limits import MEMORY, Failure, bound, compute
from analytic_ntk.explorer.panel import Panel, Subject
from analytic_ntk.explorer.preload import WARM
from analytic_ntk.explorer.view import View

KEPT = 400
"""Panels kept, those looked at last."""
QUICK = 60.0
"""Seconds."""
PRELOAD = ("analytic_ntk.cli", "analytic_ntk.explorer.preload")
"""What the server process loads before it forks."""


class Workers:
    """Computes panels and keeps them; a context manager.

    Two pools of ``count`` processes, each with ``memory`` bytes of address space (where the system can hold
    it to that): one for what may take more than ``QUICK`` seconds, so that nothing quick waits behind it.
    """

    def __init__(self, count: int | None = None, memory: int = MEMORY) -> None:
        self.count = count or max(2, min(4, os.cpu_count() or 2))
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read by the processes when they start
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        os.environ[WARM] = str(os.getpid())
        context = _context()
        # the page goes before every answer, a quick answer before a slow one
        self._quick, self._patient = (
            ProcessPool(max_workers=self.count, initializer=bound, initargs=(memory, nice), context=context)
            for nice in (5, 19)
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
        future: Future[Panel] = pool.schedule(compute, args=(subject, view), timeout=subject.seconds)
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
    if isinstance(error, ProcessExpired):
        return Failure("Stopped: its process ended by itself, most likely for want of memory.")
    return limits.failure_of(error, subject)


def _context() -> multiprocessing.context.BaseContext:
    """A server that forks, with everything loaded; where there is none, fresh processes."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(PRELOAD))
    if threading.current_thread() is threading.main_thread():
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # inherited: Ctrl-C is for this process
        forkserver.ensure_running()
        signal.signal(signal.SIGINT, before)
    return context
