"""The question: a conjecture in text, about one network."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from analytic_ntk.activation import Activation
from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.errors import DomainError, PrecisionError, UndecidedError
from analytic_ntk.exact import ExactNumber
from analytic_ntk.network import Network
from proofs_check.conjectures import symbolic
from proofs_check.conjectures.alarm import alarm
from proofs_check.conjectures.answer import Answer, Box
from proofs_check.conjectures.certify import certificate_of
from proofs_check.conjectures.derived import BITS, ORDERS, Derived, Shape
from proofs_check.conjectures.question import (
    check_budget,
    check_depths,
    reach_of,
    read_network,
    read_points,
    read_statement,
)
from proofs_check.conjectures.search import (
    SPENT,
    Budget,
    Found,
    over_n,
    over_rho,
    refuting_point,
    why_stopped,
)
from proofs_check.replay.conjectures.defined import conditions
from proofs_check.replay.conjectures.rules import Judge
from proofs_check.replay.conjectures.statement import (
    Comparison,
    Statement,
)
from proofs_check.replay.conjectures.statement import Interval as Domain
from proofs_check.replay.conjectures.terms import Outside
from proofs_check.replay.expression import Refusal
from proofs_check.verdict import Verdict


def conjecture(
    text: str,
    activation: Activation | Network | str,
    depth: int = 1,
    weight_variance: ExactNumber = 1,
    bias_variance: ExactNumber = 0,
    X: Any = None,
    seconds: float = 60.0,
    boxes: int = 10_000,
    progress: bool = False,
) -> Answer:
    """Prove or refute a statement about the kernels of a network, for inputs with ``<x, x>/d = 1``.

    Terms: ``nngp(rho)``, ``ntk(rho)`` of the network, ``kappa(rho) = E phi(u) phi(v)`` at unit variances (of
    the activation alone), primes for derivatives, ``ntk[2]`` after two hidden layers; ``a(n)``, the
    normalised Hermite coefficients at unit variance; ``series(ntk, n)``, the coefficients in ``rho``;
    ``mu(ntk, n, dim)``, the eigenvalues on the sphere; ``lambda_min(ntk, X)``. The grammar:
    :mod:`proofs_check.replay.conjectures.statement`.

    ``activation``: an :class:`Activation`, a name or a formula in ``x``; or a fully connected
    :class:`Network`, which brings its depth and variances. ``X``: the points of ``lambda_min``, shape ``(N,
    d)``. The budget is ``seconds`` for everything (looked at between boxes only, outside the main thread and
    on systems without timers) and ``boxes`` (of ``rho``, or values of ``n``). ``progress`` shows them on
    stderr; an interrupt returns what is known by then.

    Proofs are by exact reasoning or by balls, refutations by a point with a certified sign; ``UNDECIDED``
    says what is left. Raises :class:`DomainError` for text that is no statement (it names the place), for
    bad arguments, and where a kernel is infinite.

    >>> from proofs_check import conjecture
    >>> conjecture("kappa(rho) >= rho^2 * kappa(1) for rho in [0, 1]", activation="relu").verdict
    <Verdict.PROVED: 'proved'>
    >>> answer = conjecture("kappa(rho) >= rho^2 * kappa(1) for rho in [-1, 1]", activation="relu")
    >>> print(answer.verdict.value, "|", answer.witness)
    refuted | rho = -1: left - right = -0.5...
    """
    began = time.monotonic()
    statement = read_statement(text)
    shape, shown = read_network(activation, depth, weight_variance, bias_variance)
    check_budget(seconds, boxes)
    check_depths(statement, len(shape.activations))
    asked = _Question(statement, shape, shown, read_points(statement, X), reach_of(statement))
    with _progress(progress) as tell:
        answer = asked.answer(Budget(float(seconds), boxes, tell))
    return replace(answer, seconds=time.monotonic() - began)


@dataclass(frozen=True)
class _Question:
    statement: Statement
    shape: Shape
    shown: str
    X: Any
    reach: dict[str, int]

    def answer(self, budget: Budget) -> Answer:
        try:
            with alarm(budget.seconds), working_precision(BITS):
                return self._answer(budget)
        except KeyboardInterrupt as stop:
            return self._undecided(Found(left=self._all, stopped=why_stopped(stop)), "balls", budget)
        except Outside as error:
            raise DomainError(str(error), "correlations as arguments of kernels") from error
        except Refusal as refusal:
            return self._undecided(self._nothing(str(refusal)), "balls", budget)
        except (PrecisionError, UndecidedError) as error:
            return self._undecided(self._nothing(error.given), "balls", budget)

    def _nothing(self, trouble: str) -> Found:
        return Found(left=self._all, stopped="equality", trouble=trouble)

    @property
    def _all(self) -> list[Box]:
        domain = self.statement.domain
        return [(domain.low, domain.high)] if isinstance(domain, Domain) else []

    def _answer(self, budget: Budget) -> Answer:
        world = self._world()
        judge = Judge(self.statement, world)
        by_algebra, open_ones, waiting = self._equalities(judge, world)
        if open_ones:
            with_points = Judge(self.statement, world)
            found = over_n(with_points, budget) if not self._over_rho else refuting_point(with_points)
            if found.witness is None:
                found.trouble = found.trouble or (
                    "an equality is neither shown by exact reasoning nor false where it was tried"
                )
                found.stopped = found.stopped or "equality"
        elif not waiting:
            found = Found()
        else:
            found = self._search(waiting, world, budget)
        if by_algebra and found.witness is None and not (found.left or found.stopped):
            self._defined(by_algebra, found, world, budget)
        method = "exact" if all(c.relation == "==" for c in waiting) and not open_ones else "balls"
        if found.witness is None and (found.left or found.stopped):
            return self._undecided(found, method, budget)
        return self._decided(found, method, bool(by_algebra), world, budget)

    def _search(self, comparisons: tuple[Comparison, ...], world: Derived, budget: Budget) -> Found:
        judge = Judge(Statement(self.statement.text, comparisons, self.statement.domain), world)
        return over_rho(judge, budget) if self._over_rho else over_n(judge, budget)

    def _defined(
        self, by_algebra: tuple[Comparison, ...], found: Found, world: Derived, budget: Budget
    ) -> None:
        """Whether what algebra showed to be equal is defined everywhere."""
        needed = tuple(
            dict.fromkeys(c for equality in by_algebra for c in conditions(equality, self.statement.domain))
        )
        seen = self._search(needed, world, budget) if needed else Found()
        found.left, found.stopped = seen.left, seen.stopped
        if seen.witness is not None:
            found.stopped, found.trouble = "equality", f"a term is not defined at {seen.witness.place}"
        elif seen.left or seen.stopped:
            found.trouble = "both sides have the same formula, but are not seen to be defined everywhere"

    @property
    def _over_rho(self) -> bool:
        return isinstance(self.statement.domain, Domain)

    def _world(self) -> Derived:
        most = max([self.reach.get(head, 0) for head in ("a", "series", "mu")])
        if not self._over_rho:
            wide = "mu" in self.reach or "ntk" in self.reach or "nngp" in self.reach or "series" in self.reach
            return Derived(self.shape, max(most, 256 if wide else 32), self.reach, self.X)
        for order in ORDERS:
            world = Derived(self.shape, max(order, most), self.reach, self.X)
            if world.is_enough:
                break
        return world

    def _equalities(
        self, judge: Judge, world: Derived
    ) -> tuple[tuple[Comparison, ...], tuple[Comparison, ...], tuple[Comparison, ...]]:
        """The equalities that algebra shows; those that are open; what else is to be shown."""
        by_algebra: list[Comparison] = []
        open_ones: list[Comparison] = []
        waiting: list[Comparison] = []
        for comparison in self.statement.comparisons:
            equality = comparison.relation == "=="
            weak = self._over_rho and comparison.relation in (">=", "<=") and not comparison.order
            if not (equality or weak):
                waiting.append(comparison)
                continue
            seen = self._seen_equal(judge, comparison, world)
            if seen and self._over_rho:
                waiting.append(comparison)  # the boxes show that both sides are defined
            elif seen is None and symbolic.equal(self.statement, comparison, world):
                by_algebra.append(comparison)
            elif not seen:
                (open_ones if equality else waiting).append(comparison)
        return tuple(by_algebra), tuple(open_ones), tuple(waiting)

    def _seen_equal(self, judge: Judge, comparison: Comparison, world: Derived) -> bool | None:
        """Whether the sides are equal by exact reasoning; ``None`` if balls do not tell them from each other
        either (where they do, algebra would be lost time)."""
        domain = self.statement.domain
        if isinstance(domain, Domain):
            if judge.holds_identically(comparison):
                return True
            step = (domain.high - domain.low) / 4
            near = all(judge.nearly_equal(comparison, domain.low + step * k) for k in (1, 2, 3))
            return None if near else False
        alone = Judge(Statement(self.statement.text, (comparison,), domain), world)
        answers = {alone.at(n)[0] for n in (domain or (None,))}
        return False if False in answers else None if None in answers else True

    # ------------------------------------------------------------------------- answers

    def _undecided(self, found: Found, method: str, budget: Budget) -> Answer:
        if found.left and not found.stopped:
            near = sorted({_near(box) for box in found.left})
            places = ", ".join(near[:3]) + (" .." if len(near) > 3 else "")
            reason = f"equality (or a term without bounds) at or near rho = {places} cannot be excluded"
        elif found.stopped == SPENT:
            reason = f"{found.stopped}: raise seconds or boxes"
        else:
            reason = found.stopped if found.stopped not in ("", "equality") else ""
        reason = "; ".join(part for part in (reason, found.trouble) if part) or "nothing was shown"
        return Answer(
            self.statement.text, self.shown, Verdict.UNDECIDED, reason, method, None, tuple(found.left),
            found.margin, None, "undecided", budget.used,
        )  # fmt: skip

    def _decided(self, found: Found, method: str, used: bool, world: Derived, budget: Budget) -> Answer:
        refuted = found.witness is not None
        if refuted:
            exact = found.witness is not None and found.witness.difference.radius == 0
            method = "exact" if exact else "balls"
        reason = _reason(self.statement, found, method, used)
        if used and not refuted:
            certificate, why = None, "the checker does not do the algebra that shows the two sides equal"
        else:
            budget.tell("the checker replays the certificate")
            certificate, why = certificate_of(self.statement, self.shape, world, found)
        return Answer(
            self.statement.text, self.shown, Verdict.REFUTED if refuted else Verdict.PROVED, reason, method,
            found.witness, (), None if refuted else found.margin, certificate, why, budget.used,
        )  # fmt: skip


def _near(box: tuple[Fraction, Fraction]) -> str:
    """The simplest number in or next to a small box."""
    middle = (box[0] + box[1]) / 2
    return (
        str(middle.limit_denominator(1_000))
        if box[1] - box[0] < Fraction(1, 2**20)
        else f"{float(middle):.4g}"
    )


def _reason(statement: Statement, found: Found, method: str, used: bool) -> str:
    if found.witness is not None:
        return "false at the witness, by " + (
            "exact reasoning" if method == "exact" else "balls that exclude equality"
        )
    if used:
        return "both sides are the same closed form, by exact algebra"
    if method == "exact":
        return "by exact reasoning: both sides are equal, whatever the digits"
    if isinstance(statement.domain, Domain):
        count = len(found.shown)
        return f"by balls on {count} box{'es' if count != 1 else ''} that cover the interval"
    count = len(statement.domain) if isinstance(statement.domain, range) else 1
    return f"by balls, for each of {count} values of n" if isinstance(statement.domain, range) else "by balls"


@contextmanager
def _progress(shown: bool) -> Iterator[Callable[[str], None]]:
    """What is being done, on stderr."""
    if not shown:
        yield lambda doing: None
        return
    from rich.console import Console

    with Console(stderr=True).status("the kernels are computed") as status:
        yield status.update
