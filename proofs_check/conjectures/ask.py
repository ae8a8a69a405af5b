"""The question: a conjecture in text, about one network."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from analytic_ntk.activation import Activation
from analytic_ntk.activations import resolve
from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.errors import DomainError, PrecisionError, UndecidedError
from analytic_ntk.exact import ExactNumber
from analytic_ntk.network import Network
from analytic_ntk.positivity.points import exact_points
from proofs_check.conjectures import symbolic
from proofs_check.conjectures.answer import Answer
from proofs_check.conjectures.certify import certificate_of
from proofs_check.conjectures.derived import BITS, ORDERS, Derived, Shape
from proofs_check.conjectures.search import Budget, Found, over_n, over_rho, refuting_point
from proofs_check.replay.conjectures.rules import Judge
from proofs_check.replay.conjectures.statement import (
    KERNELS,
    MAX_EXPONENT,
    Comparison,
    Malformed,
    Statement,
    exact_value,
    parse,
)
from proofs_check.replay.conjectures.statement import Interval as Domain
from proofs_check.replay.conjectures.terms import MAX_DEGREE, Outside, index
from proofs_check.replay.expression import Refusal
from proofs_check.verdict import Verdict

MAX_REACH = {"a": 1_000, "series": 400, "mu": MAX_DEGREE}


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
    the activation alone), primes for derivatives; ``a(n)``, the normalised Hermite coefficients at unit
    variance; ``series(ntk, n)``, the coefficients in ``rho``; ``mu(ntk, n, dim)``, the eigenvalues on the
    sphere; ``lambda_min(ntk, X)``. The grammar: :mod:`proofs_check.replay.conjectures.statement`.

    ``activation``: an :class:`Activation`, a name or a formula in ``x``; or a fully connected
    :class:`Network`, which brings its depth and variances. ``X``: the points of ``lambda_min``, shape ``(N,
    d)``. The budget is ``seconds`` and ``boxes`` (of ``rho``, or values of ``n``). ``progress`` shows them
    on stderr; an interrupt returns what is known by then.

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
    statement = _statement(text)
    shape, shown = _network(activation, depth, weight_variance, bias_variance)
    _check_budget(seconds, boxes)
    asked = _Question(statement, shape, shown, _points(statement, X), _reach(statement))
    with _ticking(progress) as tick:
        answer = asked.answer(Budget(float(seconds), boxes, tick))
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
            with working_precision(BITS):
                return self._answer(budget)
        except KeyboardInterrupt:
            return self._undecided(Found(stopped="stopped by the user"), "balls", budget)
        except Outside as error:
            raise DomainError(str(error), "correlations as arguments of kernels") from error
        except Refusal as refusal:
            return self._undecided(Found(trouble=str(refusal)), "balls", budget)
        except (PrecisionError, UndecidedError) as error:
            return self._undecided(Found(trouble=error.given), "balls", budget)

    def _answer(self, budget: Budget) -> Answer:
        world = self._world()
        judge = Judge(self.statement, world)
        exact, open_ones, waiting = self._equalities(judge, world)
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
            rest = Judge(Statement(self.statement.text, waiting, self.statement.domain), world)
            found = over_rho(rest, budget) if self._over_rho else over_n(rest, budget)
        method = "exact" if all(c.relation == "==" for c in waiting) and not open_ones else "balls"
        if found.witness is None and (found.left or found.stopped):
            return self._undecided(found, method, budget)
        return self._decided(found, method, exact, world, budget)

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
    ) -> tuple[bool, tuple[Comparison, ...], tuple[Comparison, ...]]:
        """Whether symbolic algebra was needed; the equalities that are open; what else is to be shown."""
        used, open_ones, waiting = False, [], []
        for comparison in self.statement.comparisons:
            if comparison.relation != "==":
                waiting.append(comparison)
            elif self._over_rho and judge.holds_identically(comparison):
                waiting.append(comparison)  # the boxes show that both sides are defined
            elif not self._over_rho and self._holds_for_all(comparison, world):
                continue
            elif symbolic.equal(self.statement, comparison, world):
                used = True
            else:
                open_ones.append(comparison)
        return used, tuple(open_ones), tuple(waiting)

    def _holds_for_all(self, comparison: Comparison, world: Derived) -> bool:
        judge = Judge(Statement(self.statement.text, (comparison,), self.statement.domain), world)
        indices = self.statement.domain if isinstance(self.statement.domain, range) else (None,)
        return all(judge.at(n)[0] is True for n in indices)

    # ------------------------------------------------------------------------- answers

    def _undecided(self, found: Found, method: str, budget: Budget) -> Answer:
        if found.left and not found.stopped:
            near = sorted({_near(box) for box in found.left})
            places = ", ".join(near[:3]) + (" .." if len(near) > 3 else "")
            reason = f"equality (or a term without bounds) at or near rho = {places} cannot be excluded"
        elif found.stopped == "the budget is spent":
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


# ------------------------------------------------------------------------------------ reading the question


def _statement(text: str) -> Statement:
    if not isinstance(text, str):
        raise DomainError(f"{text!r}"[:100], "a statement in text")
    try:
        statement = parse(text)
        _check_arithmetic(statement)
        return statement
    except Malformed as error:
        raise DomainError(f"{error.found} in the statement {error.shown}", error.required) from error
    except Refusal as error:
        raise DomainError(str(error), "arithmetic that is defined, with numbers of modest size") from error


def _check_arithmetic(statement: Statement) -> None:
    """No division by 0, no exponent that is no number: what no box could settle."""
    for node in statement.nodes():
        if node.head == "/" and exact_value(node.arguments[1]) == 0:
            raise Refusal("a division by 0")
        if node.head == "^" and node.arguments[0].head != "e":
            power = exact_value(node.arguments[1])
            leaves = {part.head for part in node.arguments[1].walk() if not part.arguments}
            if power is None and not leaves <= {"number", "n"}:
                raise DomainError("an exponent that is no rational number", "numbers and n, or e^(..)")
            if power is not None and abs(power) > MAX_EXPONENT:
                raise DomainError(f"the exponent {power}", f"one from -{MAX_EXPONENT} to {MAX_EXPONENT}")


def _network(
    activation: Activation | Network | str, depth: int, weight: ExactNumber, bias: ExactNumber
) -> tuple[Shape, str]:
    if isinstance(activation, Network):
        if (depth, weight, bias) != (1, 1, 0):
            raise DomainError(
                "a network with depth or variances besides", "a network alone, or an activation with them"
            )
        shape = Shape.of(activation)
    else:
        phi = resolve(activation) if isinstance(activation, str) else activation
        if not isinstance(phi, Activation):
            raise DomainError(
                f"activation = {activation!r}"[:100], "an Activation, its name or formula, or a Network"
            )
        shape = Shape.of(Network.mlp(phi, depth, weight, bias))
    names = list(dict.fromkeys(map(str, shape.activations)))
    variances = [", ".join(map(str, v if len(set(v)) > 1 else v[:1])) for v in (shape.weights, shape.biases)]
    count = len(shape.activations)
    return (
        shape,
        f"{', '.join(names)}, depth {count}, weight variance {variances[0]}, bias variance {variances[1]}",
    )


def _check_budget(seconds: float, boxes: int) -> None:
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not seconds > 0:
        raise DomainError(f"seconds = {seconds!r}", "a number > 0")
    if isinstance(boxes, bool) or not isinstance(boxes, int) or boxes < 1:
        raise DomainError(f"boxes = {boxes!r}", "an integer >= 1")


def _points(statement: Statement, X: Any) -> Any:
    named = any(node.head == "lambda_min" for node in statement.nodes())
    if named and X is None:
        raise DomainError("lambda_min without points", "X, a list of points", "give X=[[1, 0], [0, 1]]")
    if not named and X is not None:
        raise DomainError("points X for a statement without lambda_min", "lambda_min(ntk, X) in it, or no X")
    return exact_points(X) if named else None


def _reach(statement: Statement) -> dict[str, int]:
    """The highest order of each kind of coefficient, and which kernels are named for what."""
    found: dict[str, int] = {}
    indices = list(statement.domain) if isinstance(statement.domain, range) else [None]
    for node in statement.nodes():
        if node.head in MAX_REACH:
            try:
                orders = [
                    index(node.arguments[0], n, f"an order in {node.head}", 0, MAX_REACH[node.head])
                    for n in indices
                ]
                if node.head == "mu":
                    for n in indices:
                        index(node.arguments[1], n, "the dimension in mu", 2, 10_000)
            except Refusal as error:
                raise DomainError(str(error), "orders in range for every n") from error
            found[node.head] = max(found.get(node.head, 0), *orders)
        if node.head in ("kappa", "a") or node.kernel == "kappa":
            found["kappa"] = 0
        elif node.head in KERNELS or node.kernel:
            found["chain"] = 0
        if node.head == "lambda_min":
            found[node.kernel] = 0
    return found


@contextmanager
def _ticking(progress: bool) -> Iterator[Callable[[int, int], None]]:
    """Show what is done and what waits, on stderr."""
    if not progress:
        yield lambda done, waiting: None
        return
    from rich.console import Console

    with Console(stderr=True).status("starting") as status:
        yield lambda done, waiting: status.update(f"{done} done, {waiting} waiting")
