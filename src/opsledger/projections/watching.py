"""What a control watches: an act that violated it, or an instant by which it asks for something that may still come."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from opsledger.policies.known import Known
from opsledger.policies.operating_model import OperatingModel

__all__ = ["Severity", "Watch", "asked", "model_at", "seen"]

Severity = Literal["high", "medium", "low"]


class Watch(NamedTuple):
    """A row of control_watch without its subject, in the order of the columns. Times in microseconds."""

    control: str
    found_at: int
    awaited: bool
    kept_at: int | None
    rule: str
    severity: Severity
    evidence: str  # positions, with a comma between
    last_position: int


def seen(
    control: str,
    at: int,
    rule: str,
    severity: Severity,
    *,
    evidence: Sequence[int | None],
    last_position: int,
    kept_at: int | None = None,
) -> Watch:
    """Return what an act violated, whenever one looks; `kept_at` is when that ended, where it has an end."""
    return Watch(control, at, False, kept_at, rule, severity, _shown(evidence), last_position)


def asked(
    control: str,
    due_at: int,
    kept_at: int | None,
    rule: str,
    severity: Severity,
    *,
    evidence: Sequence[int | None],
    last_position: int,
) -> list[Watch]:
    """Return the watch for what is asked for by a due time: none where it came in time, and exactly then is in time."""
    if kept_at is not None and kept_at <= due_at:
        return []
    return [Watch(control, due_at, True, kept_at, rule, severity, _shown(evidence), last_position)]


def model_at(known: Known, instant: int) -> OperatingModel:
    """Return the operating model in force at an instant; for one before the first, the first."""
    models = known.models()
    return max((each for each in models if each.effective_from <= instant), key=lambda each: each.effective_from, default=models[0]).model


def _shown(evidence: Sequence[int | None]) -> str:
    return ",".join(str(position) for position in evidence if position is not None)
