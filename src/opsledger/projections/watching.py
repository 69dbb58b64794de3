"""What a control watches: an act that violated it, or an instant by which it asks for something that may still come."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

__all__ = ["Severity", "Watch", "asked", "seen"]

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


def seen(control: str, at: int, rule: str, severity: Severity, *, evidence: Sequence[int | None], last_position: int) -> Watch:
    """Return what an act violated, whenever one looks."""
    return Watch(control, at, False, None, rule, severity, _shown(evidence), last_position)


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


def _shown(evidence: Sequence[int | None]) -> str:
    return ",".join(str(position) for position in evidence if position is not None)
