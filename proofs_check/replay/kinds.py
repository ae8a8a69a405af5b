"""The kinds of certificate, by their name in the file.

Each is a statement about given functions and points. Its check recomputes what the evidence says from the
functions themselves and raises :class:`~proofs_check.replay.expression.Refusal` at the first disagreement.
The theorems that turn evidence into the statement are named in each docstring.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from proofs_check.replay.conjecture import conjecture
from proofs_check.replay.domain import strictly_positive_domain
from proofs_check.replay.independence import independence, not_a_polynomial, polynomial_dependency
from proofs_check.replay.positive import singular, strictly_positive

KINDS: dict[str, Callable[[dict[str, Any]], str]] = {
    "independence": independence,
    "polynomial-dependency": polynomial_dependency,
    "not-a-polynomial": not_a_polynomial,
    "strictly-positive": strictly_positive,
    "strictly-positive-domain": strictly_positive_domain,
    "singular": singular,
    "conjecture": conjecture,
}
"""What can be checked, by the name in the file."""
