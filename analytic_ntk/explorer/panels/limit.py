"""What infinitely many layers do at the current variances."""

from __future__ import annotations

from analytic_ntk.errors import DomainError, PrecisionError, UndecidedError
from analytic_ntk.explorer.panel import Captioned, Panel, Subject
from analytic_ntk.explorer.subject import activation_of, kind_of, shown
from analytic_ntk.explorer.view import View
from analytic_ntk.meanfield import DeepLimit, Phase, deep_limit
from analytic_ntk.report.sections import Table

DIGITS = 10


def compute(view: View) -> Panel:
    """Fixed point of the variance, phase, correlation and its length."""
    phi = activation_of(view.activation)
    where = f"{phi}, weight variance {view.weight_variance}, bias variance {view.bias_variance}."
    try:
        found = deep_limit(phi, view.weight_variance, view.bias_variance, digits=DIGITS)
    except (DomainError, PrecisionError, UndecidedError) as error:
        if isinstance(error, DomainError) and "infinite" in error.given:
            raise
        return Panel(
            ("undecided",), "No single limit", (where, f"{error.given}; required: {error.required}.")
        )
    undecided = found.phase is Phase.UNDECIDED
    rows = tuple(
        (name, shown(value, DIGITS), kind_of(value)) for name, value in quantities(found) if value is not None
    )
    return Panel(
        ("undecided",) if undecided else ("proved", "exact", "certified"),
        "The phase is not decided" if undecided else found.phase.value.capitalize(),
        (where,),
        tables=(
            Captioned(
                "After infinitely many layers", Table(("quantity", "value", "kind"), rows, numeric=False)
            ),
        ),
    )


def quantities(limit: DeepLimit) -> tuple[tuple[str, object], ...]:
    """Names and values of what is known of the limit; ``None`` where it is not defined."""
    return (
        ("variance q*", limit.variance),
        ("V′(q*)", limit.variance_slope),
        ("χ₁", limit.chi_1),
        ("correlation c*", limit.correlation),
        ("C′(c*)", limit.chi_c),
        ("correlation length, in layers", limit.correlation_length),
        ("variance length, in layers", limit.variance_length),
        ("NTK of two inputs", limit.ntk),
    )


SUBJECT = Subject(
    "limit",
    "Infinite depth",
    "The fixed point, the phase and the correlation length, with proof.",
    ("activation", "weight_variance", "bias_variance"),
    compute,
    seconds=120.0,
)
