"""The five errors of the package, each with typed fields: what was given, what is required, what to do."""

from __future__ import annotations

from typing import Any


class AnalyticNTKError(Exception):
    """Common root, so that ``except AnalyticNTKError`` catches all five.

    Every error carries ``given`` (what was received), ``required`` (what is allowed) and ``remedy``
    (what to do about it); the message is made of the three.
    """

    def __init__(self, given: str, required: str, remedy: str = "") -> None:
        self.given = given
        self.required = required
        self.remedy = remedy
        parts = [given, f"required: {required}"]
        if remedy:
            parts.append(f"what to do: {remedy}")
        super().__init__("; ".join(parts))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.given, self.required, self.remedy)


class DomainError(AnalyticNTKError, ValueError):
    """An argument lies outside the domain of the question (wrong type, sign, shape, growth, ...)."""


class NoClosedFormError(AnalyticNTKError):
    """An exact expression was asked for and none is known for this activation."""


class PrecisionError(AnalyticNTKError, ArithmeticError):
    """The digits asked for could not be delivered; ``reached`` says how many decimal digits were."""

    def __init__(self, given: str, required: str, remedy: str = "", reached: int = 0) -> None:
        super().__init__(given, required, remedy)
        self.reached = reached

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.given, self.required, self.remedy, self.reached)


class UndecidedError(AnalyticNTKError):
    """A question with a definite answer could not be decided by the methods at hand."""


class RefutedError(AnalyticNTKError):
    """A statement that was asserted is false; the message holds the witness."""
