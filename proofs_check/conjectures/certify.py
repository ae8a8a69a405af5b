"""The certificate of an answer, handed out only if the checker accepts it."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np

from analytic_ntk.certificate import expression_json
from analytic_ntk.errors import AnalyticNTKError
from analytic_ntk.positivity.eigenvalue import gram_balls
from proofs_check.conjectures.derived import Derived, Shape
from proofs_check.conjectures.search import Found, why_stopped
from proofs_check.replay.conjecture import MAX_BOXES
from proofs_check.replay.conjectures.statement import Interval as Domain
from proofs_check.replay.conjectures.statement import Statement
from proofs_check.replay.verify import FORMAT, VERSION, seal, verify

Json = dict[str, Any]


def certificate_of(
    statement: Statement, shape: Shape, world: Derived, found: Found
) -> tuple[Json | None, str]:
    """A sealed certificate that the checker accepts; or ``None`` and why there is none."""
    if len(found.shown) > MAX_BOXES:
        return None, f"{len(found.shown)} boxes; the checker takes {MAX_BOXES}"
    if any(value.radius == 0 and value.midpoint == 0 for value in world.known_eigenvalues):
        return None, "the checker encloses lambda_min between two numbers, which never shows that it is 0"
    try:
        return _replayed(_body(statement, shape, world, found))
    except AnalyticNTKError as error:
        return None, str(error)
    except KeyboardInterrupt as stop:
        return None, f"{why_stopped(stop)} while the checker replayed it"


def _replayed(body: Json) -> tuple[Json | None, str]:
    content = {"format": FORMAT, "version": VERSION, "kind": "conjecture", **body}
    certificate = {**content, "sha256": seal(content)}
    report = verify(certificate)
    if report.accepted:
        return certificate, ""
    return None, f"the checker's own computation does not reach it ({report.text})"


def _body(statement: Statement, shape: Shape, world: Derived, found: Found) -> Json:
    body: Json = {
        "statement": statement.text,
        "verdict": "refuted" if found.witness else "proved",
        "activations": [expression_json(phi.expression) for phi in shape.activations],
        "weight_variances": list(map(str, shape.weights)),
        "bias_variances": list(map(str, shape.biases)),
        "order": str(world.order),
    }
    if found.witness is not None:
        if found.witness.at is not None:
            body["point" if found.witness.variable == "rho" else "index"] = str(found.witness.at)
    elif isinstance(statement.domain, Domain):
        boxes = sorted(found.shown) or [(statement.domain.low, statement.domain.high)]
        body["boxes"] = [[str(low), str(high)] for low, high in boxes]
    kernels = sorted({node.kernel for node in statement.nodes() if node.head == "lambda_min"})
    if kernels:
        body["points"] = [[str(c) for c in point] for point in world.X]
        body["smallest"] = {kernel: _evidence(world, kernel) for kernel in kernels}
    return body


def _evidence(world: Derived, kernel: str) -> Json:
    """A short lower bound just below the least eigenvalue, and an approximate eigenvector."""
    lower = world.eigenvalues[kernel].lower
    matrix = gram_balls(world.shape.network, world.X, kernel)
    size = range(matrix.nrows())
    vector = np.linalg.eigh(np.array([[float(matrix[i, j]) for j in size] for i in size]))[1][:, 0]
    rounded = [Fraction(round(float(v) * 2**20), 2**20) for v in vector]
    return {"lower": str(_below(lower)), "vector": list(map(str, rounded))}


def _below(value: Fraction) -> Fraction:
    """A number of 20 bits a little below."""
    if value <= 0:
        return Fraction(0)
    size = Fraction(2) ** (value.numerator.bit_length() - value.denominator.bit_length() - 20)
    return max(0, math.floor(value / size) - 1) * size
