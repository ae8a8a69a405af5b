"""Reading a question: statement, network, points, budget; what is wrong is refused at once."""

from __future__ import annotations

from typing import Any

from analytic_ntk.activation import Activation
from analytic_ntk.activations import resolve
from analytic_ntk.errors import DomainError
from analytic_ntk.exact import ExactNumber
from analytic_ntk.network import Network
from analytic_ntk.positivity.points import exact_points
from proofs_check.conjectures.derived import Shape
from proofs_check.replay.conjectures.statement import (
    KERNELS,
    MAX_EXPONENT,
    Malformed,
    Statement,
    exact_value,
    parse,
)
from proofs_check.replay.conjectures.terms import MAX_DEGREE, index
from proofs_check.replay.expression import Refusal

MAX_REACH = {"a": 1_000, "series": 400, "mu": MAX_DEGREE}


def read_statement(text: str) -> Statement:
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


def read_network(
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


def check_budget(seconds: float, boxes: int) -> None:
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not seconds > 0:
        raise DomainError(f"seconds = {seconds!r}", "a number > 0")
    if isinstance(boxes, bool) or not isinstance(boxes, int) or boxes < 1:
        raise DomainError(f"boxes = {boxes!r}", "an integer >= 1")


def check_depths(statement: Statement, depth: int) -> None:
    deepest = max(node.depth for node in statement.nodes())
    if deepest > depth:
        raise DomainError(
            f"a kernel of {deepest} hidden layers in a network of {depth}", f"at most {depth}", "raise depth"
        )


def read_points(statement: Statement, X: Any) -> Any:
    named = any(node.head == "lambda_min" for node in statement.nodes())
    if named and X is None:
        raise DomainError("lambda_min without points", "X, a list of points", "give X=[[1, 0], [0, 1]]")
    if not named and X is not None:
        raise DomainError("points X for a statement without lambda_min", "lambda_min(ntk, X) in it, or no X")
    return exact_points(X) if named else None


def reach_of(statement: Statement) -> dict[str, int]:
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
