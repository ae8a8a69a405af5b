"""The experiment of the paper on a smaller scale: errors over strengths, models and sample sizes, by seeds.

Each run is written down as it ends, one line of JSON; runs found in the file are not repeated.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from scipy.stats import t as student

from analytic_ntk.activation import Activation
from analytic_ntk.display import Shown
from analytic_ntk.errors import DomainError
from analytic_ntk.layers.units import require_count
from analytic_ntk.theory.escape.antisymmetric import draw
from analytic_ntk.theory.escape.fit import Convert, fit
from analytic_ntk.theory.escape.targets import linear_plus_square

Told = Callable[["Run"], None]


@dataclass(frozen=True)
class Question(Shown):
    """Everything the numbers of a run depend on."""

    activation: str
    dim: int
    width: int
    samples: int
    model: str
    strength: float
    seed: int
    steps_allowed: int
    goal: float


@dataclass(frozen=True)
class Run(Shown):
    """One training: what was asked, and what came out (see :class:`~analytic_ntk.theory.escape.fit.Fit`)."""

    question: Question
    train_error: float
    test_error: float
    test_standard_error: float
    dense: float
    sparse: float
    regulariser: float
    steps: int


@dataclass(frozen=True)
class Summary(Shown):
    """Over the seeds of one question: means, and half widths of 95 % intervals (Student, over seeds)."""

    samples: int
    model: str
    strength: float
    seeds: int
    train_error: float
    test_error: float
    test_half_width: float
    dense: float
    dense_half_width: float
    sparse: float
    sparse_half_width: float


def nothing(run: Run) -> None:
    """No progress."""


def replica(
    activation: Activation,
    dim: int,
    width: int,
    samples: Sequence[int],
    choices: Sequence[tuple[str, float]],
    seeds: int,
    steps: int = 500,
    goal: float = 1e-5,
    path: str | Path | None = None,
    progress: Told = nothing,
    convert: Convert | None = None,
    first_seed: int = 0,
) -> tuple[Run, ...]:
    """Train for each number of samples, each ``(model, strength)`` and each of ``seeds`` seeds.

    The data and the network of a seed are the same for all choices. ``progress`` is told each run as it ends.

    >>> from analytic_ntk import Activation
    >>> phi = Activation.parse("sigmoid(x - 1)")
    >>> runs = replica(phi, 4, 20, [30], [("joint", 0.0), ("joint", 1.0)], seeds=1, steps=5)
    >>> [run.question.strength for run in runs]
    [0.0, 1.0]
    """
    require_count(seeds, "seeds", 1)
    require_count(first_seed, "first_seed", 0)
    if not samples or not choices:
        raise DomainError("no sample size or no choice of model and strength", "at least one of each")
    if not all(isinstance(c, tuple) and len(c) == 2 for c in choices):
        raise DomainError(f"choices = {choices!r}"[:100], "pairs (model, strength)")
    known = {}
    if path is not None:
        known = {run.question: run for run in read(path)}
        _drop_unfinished_line(Path(path))
    runs = []
    for n in samples:
        for seed in range(first_seed, first_seed + seeds):
            for model, strength in choices:
                asked = Question(
                    str(activation.expression),
                    dim,
                    width,
                    n,
                    model,
                    float(strength),
                    seed,
                    steps,
                    float(goal),
                )
                run = known.get(asked)
                if run is None:
                    run = _one(activation, asked, convert)
                    if path is not None:
                        with Path(path).open("a", encoding="utf-8") as file:
                            file.write(json.dumps(asdict(run)) + "\n")
                progress(run)
                runs.append(run)
    return tuple(runs)


def _one(activation: Activation, asked: Question, convert: Convert | None) -> Run:
    rng = np.random.default_rng(asked.seed)
    network = draw(activation, asked.dim, asked.width, rng)
    aim = linear_plus_square(asked.dim, rng)
    found = fit(
        network,
        aim,
        asked.samples,
        asked.strength,
        rng,
        model=asked.model,
        steps=asked.steps_allowed,
        goal=asked.goal,
        convert=convert,
    )
    return Run(
        asked,
        train_error=found.train_error,
        test_error=found.test_error,
        test_standard_error=found.test_standard_error,
        dense=found.error.dense,
        sparse=found.error.sparse,
        regulariser=found.regulariser,
        steps=found.steps,
    )


def _drop_unfinished_line(file: Path) -> None:
    """So that the next line does not continue it."""
    if file.exists() and (text := file.read_bytes()) and not text.endswith(b"\n"):
        file.write_bytes(text[: text.rfind(b"\n") + 1])


def read(path: str | Path) -> tuple[Run, ...]:
    """The runs of a file (none if it does not exist); a last line cut short by an interruption is dropped.

    Raises :class:`DomainError` for a line that is no run.
    """
    file = Path(path)
    if not file.exists():
        return ()
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    runs = []
    for number, line in enumerate(lines, 1):
        try:
            fields = json.loads(line)
            runs.append(Run(**{**fields, "question": Question(**fields["question"])}))
        except (ValueError, TypeError, KeyError):
            if number == len(lines) and not line.endswith("\n"):
                break
            raise DomainError(f"line {number} of {file.name}", "a run written by escape.replica") from None
    return tuple(runs)


def summarise(runs: Iterable[Run]) -> tuple[Summary, ...]:
    """Means over seeds, in the order in which the questions appear. Half widths are infinite for one seed."""
    groups: dict[tuple[int, str, float], list[Run]] = {}
    for run in runs:
        q = run.question
        groups.setdefault((q.samples, q.model, q.strength), []).append(run)
    found = []
    for (samples, model, strength), group in groups.items():
        train, _ = _interval([r.train_error for r in group])
        test, dense, sparse = (
            _interval([getattr(r, n) for r in group]) for n in ("test_error", "dense", "sparse")
        )
        found.append(Summary(samples, model, strength, len(group), train, *test, *dense, *sparse))
    return tuple(found)


def _interval(values: list[float]) -> tuple[float, float]:
    count = len(values)
    mean = float(np.mean(values))
    if count < 2:
        return mean, float("inf")
    return mean, float(student.ppf(0.975, count - 1) * np.std(values, ddof=1) / np.sqrt(count))


def paired_difference(
    runs: Iterable[Run], one: tuple[str, float], other: tuple[str, float]
) -> tuple[float, float]:
    """Mean of ``test_error(one) - test_error(other)`` over common seeds and sizes, 95 % half width."""
    table = {
        ((r.question.samples, r.question.seed), (r.question.model, r.question.strength)): r.test_error
        for r in runs
    }
    places = [place for place, choice in table if choice == one and (place, other) in table]
    if not places:
        raise DomainError(f"{one} and {other}", "two choices that were run on common seeds")
    return _interval([table[place, one] - table[place, other] for place in places])
