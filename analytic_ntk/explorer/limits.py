"""What a panel may take, and what there is instead where it would take more; needs no extra."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import CancelledError
from concurrent.futures import TimeoutError as TimedOut
from contextlib import ExitStack

from analytic_ntk.errors import AnalyticNTKError
from analytic_ntk.explorer.panel import Panel, Subject
from analytic_ntk.explorer.view import View

MEMORY = 3 << 30
"""Bytes of address space for each process."""


class Failure(Exception):
    """Why there is no panel, in words for the reader; ``wrong``: the question was."""

    def __init__(self, message: str, wrong: bool = False) -> None:
        super().__init__(message)
        self.wrong = wrong


def failure_of(error: BaseException, subject: Subject) -> Failure:
    """What an error means to the reader."""
    if isinstance(error, Failure):
        return error
    if isinstance(error, AnalyticNTKError):
        return Failure(str(error), wrong=True)
    if isinstance(error, CancelledError):
        return Failure("Stopped.")
    if isinstance(error, (TimedOut, multiprocessing.TimeoutError)):
        return Failure(f"Stopped after {subject.seconds:g} seconds, the limit for this panel.")
    if isinstance(error, MemoryError):
        return Failure("Stopped: it needs more memory than a panel may take.")
    return Failure(f"A fault of this program: {type(error).__name__}. Please report it with the address.")


def bound(memory: int, patience: int = 0) -> None:
    """Called first in each process: no more address space than this, and no life after the parent's.

    ``patience``: by how much others go first. Ctrl-C is for the parent.
    """
    if hasattr(os, "nice"):
        os.nice(patience)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_follow_the_parent, daemon=True).start()
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


def _follow_the_parent() -> None:
    """A parent that is killed cannot end its children: each waits for that and ends itself."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def compute(subject: Subject, view: View) -> Panel:
    """The panel; a function of a module, so that it can be asked of another process."""
    return subject.of(view)


def one_by_one(
    subjects: Iterable[Subject], view: View, memory: int = MEMORY
) -> Iterator[tuple[Subject, Panel | Exception]]:
    """Each panel, or what was raised instead, computed in one process beside this one.

    A panel that takes longer than it may is ended with that process, and the next one begins in another.
    """
    with ExitStack() as pools:
        pool = None
        for subject in subjects:
            pool = pool or pools.enter_context(
                multiprocessing.get_context("spawn").Pool(1, initializer=bound, initargs=(memory,))
            )
            found: Panel | Exception
            try:
                found = pool.apply_async(compute, (subject, view)).get(subject.seconds)
            except Exception as error:  # whatever a panel raises is what there is to say of it
                found = error
                if isinstance(error, multiprocessing.TimeoutError):
                    pool.terminate()
                    pool = None
            yield subject, found
