"""A progress bar with the time that is left, on standard error, where one is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def bar(total: float | None, label: str, shown: bool) -> Iterator[Callable[[float], None]]:
    """A function to call with the amount done since the last call; ``total = None``: no end is known."""
    with labelled(total, label, shown) as step:
        yield lambda amount: step(amount, label)


@contextmanager
def labelled(total: float | None, label: str, shown: bool) -> Iterator[Callable[[float, str], None]]:
    """The same, with a label that changes."""
    if not shown:
        yield lambda amount, text: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(label, total=total)
        yield lambda amount, text: progress.update(task, advance=amount, description=text)
