"""Answering a question: every unit once, in memory or into a file that survives a kill."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import sympy as sp

from analytic_ntk.activation import Activation
from analytic_ntk.errors import AnalyticNTKError, DomainError
from analytic_ntk.exact import ExactNumber
from analytic_ntk.report.files import path_of
from analytic_ntk.tables import parquet
from analytic_ntk.tables.columns import DEFAULT
from analytic_ntk.tables.compute import table_of
from analytic_ntk.tables.files import READABLE, format_of, read, rendered
from analytic_ntk.tables.job import Job
from analytic_ntk.tables.question import Question
from analytic_ntk.tables.records import HermiteTables, Missing, Table, software

Progress = Callable[[int, int, str], None]
"""Called with the number of tables done, of all tables, and the name of the one at work."""


def silent(done: int, total: int, name: str) -> None:
    """No progress is shown."""


def compute(
    activations: Activation | Iterable[Activation],
    variances: ExactNumber | Iterable[ExactNumber] = 1,
    order: int = 20,
    first: int = 0,
    digits: int = 30,
    columns: Iterable[str] = DEFAULT,
    progress: Progress = silent,
) -> HermiteTables:
    """Tables of ``a_first .. a_order`` of each activation at each variance.

    Columns: see :data:`analytic_ntk.tables.COLUMNS`. A table whose digits cannot be had is listed under
    ``missing`` with the reason; the error itself is raised where no table is left. Raises
    :class:`DomainError` for a bad question.

    >>> from analytic_ntk import activations, tables
    >>> found = tables.compute(activations.tanh, ["1", "1/2"], 3, columns=["value", "share"])
    >>> [(table.label, str(table.variance), table.rows[3].share.decimal(6)) for table in found]
    [('tanh', '1', '0.986351'), ('tanh', '1/2', '0.995903')]
    """
    return answer(Question.of(activations, variances, order, first, digits, columns), progress)


def compute_into(
    path: str | Path,
    activations: Activation | Iterable[Activation],
    variances: ExactNumber | Iterable[ExactNumber] = 1,
    order: int = 20,
    first: int = 0,
    digits: int = 30,
    columns: Iterable[str] = DEFAULT,
    format: str | None = None,
    progress: Progress = silent,
) -> HermiteTables:
    """The same into a file (formats: :func:`analytic_ntk.tables.write`), in a run that may be killed.

    Each finished table is kept in the folder ``FILE.unfinished`` until the file is whole: called again with
    the same arguments, nothing is computed twice, and the file has the same bytes as after a single run. A
    JSON, CSV or Parquet file that answers the same question is left as it is. Raises what :func:`compute`
    raises; :class:`DomainError` where the folder holds tables for another question or another run is at
    work; :class:`OSError` where the file cannot be written.
    """
    question = Question.of(activations, variances, order, first, digits, columns)
    return answer_into(path_of(path), question, format, progress)


def answer(question: Question, progress: Progress = silent, job: Job | None = None) -> HermiteTables:
    """Every unit of a question, in order; ``job`` keeps what is finished and knows what was."""
    tables: list[Table] = []
    missing: list[Missing] = []
    failure: AnalyticNTKError | None = None
    for index, (activation, variance) in enumerate(question.units):
        progress(index, len(question.units), f"{activation} at variance {variance}")
        table = _kept(job, question, index) if job else None
        if table is None:
            try:
                table = table_of(question, activation, variance)
            except DomainError:
                raise
            except AnalyticNTKError as error:
                failure = failure or error
                missing.append(Missing(activation, variance, str(error)))
                continue
            if job:
                job.keep(index, _gathered(question, [table]))
        tables.append(table)
    progress(len(question.units), len(question.units), "writing")
    if failure and not tables:
        raise failure
    return _gathered(question, tables, missing)


def answer_into(path: Path, question: Question, format: str | None, progress: Progress) -> HermiteTables:
    """See :func:`compute_into`."""
    chosen = format_of(path, format)
    if chosen == "parquet":
        parquet.require()
    with Job(path, question) as job:
        found = _already(path, question) if chosen in READABLE else None
        if found is not None:
            job.clear()
            return found
        found = answer(question, progress, job)
        job.finish(rendered(found, chosen))
        return found


def _kept(job: Job, question: Question, index: int) -> Table | None:
    found = job.finished(index)
    if found is None:
        return None
    if not _answers(found, question, question.units[index : index + 1]):
        raise DomainError(f"unit {index} in {job.folder} for another question", "the tables of this run")
    return found[0]


def _already(path: Path, question: Question) -> HermiteTables | None:
    """What the file says, if it is a whole answer to the question."""
    try:
        found = read(path)
    except (DomainError, FileNotFoundError):
        return None
    return found if _answers(found, question, question.units) else None


def _answers(found: HermiteTables, question: Question, units: tuple[tuple[Activation, sp.Expr], ...]) -> bool:
    """Whether tables are those of these units, asked in this way, by these versions."""
    units_found = [(table.label, table.activation, table.variance) for table in found.tables]
    return (
        units_found == [(str(activation), activation, variance) for activation, variance in units]
        and (found.first, found.order, found.digits) == (question.first, question.order, question.digits)
        and (found.columns, found.software) == (question.columns, software())
    )


def _gathered(question: Question, tables: Sequence[Table], missing: Sequence[Missing] = ()) -> HermiteTables:
    return HermiteTables(
        question.first,
        question.order,
        question.digits,
        question.columns,
        software(),
        tuple(tables),
        tuple(missing),
    )
