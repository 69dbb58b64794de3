"""Health overrides: somebody knows better than the score, says why and until when. One stream per customer, `health_override:C-7`.

    set ──> (set anew) ──> cleared, or expired by itself

The computed score stays beside it. Source: Operating Model, "Customer Health Monitoring".
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, assert_never

from pydantic import Field

from opsledger.domain.concept import Moment, concept, starts
from opsledger.domain.fact import At, Personal, Subject, fact
from opsledger.errors import Refused

__all__ = ["Cleared", "Fact", "Override", "Set", "clear", "evolve", "override"]


@fact("health_override.set", at="set_at")
class Set:
    """Somebody put another score in the place of the computed one, until it expires."""

    set_at: At
    customer_id: str
    score_x10: Annotated[int, Field(ge=0, le=1000)]  # tenths of a point
    expires_at: At  # from then on the computed score counts again
    set_by: str  # opaque id
    subject_id: Subject
    reason: Personal[str]


@fact("health_override.cleared", at="cleared_at")
class Cleared:
    """The computed score counts again."""

    cleared_at: At
    customer_id: str
    cleared_by: str


Fact = Set | Cleared


@dataclass(frozen=True, slots=True)
class Override:
    """What was set last, and since when that is cleared. What is typed in late changes nothing that a later fact says."""

    customer_id: str
    last: Set | None = None
    cleared_at: datetime | None = None

    def holds(self, at: datetime) -> bool:
        """Return whether the last one stands at an instant."""
        if self.last is None or not self.last.set_at <= at < self.last.expires_at:
            return False
        return self.cleared_at is None or not self.last.set_at <= self.cleared_at <= at


@concept("health_override")
def evolve(override: Override | None, event: Fact) -> Override:
    """Return the override after `event`, for every history ever recorded."""
    known = override or Override(event.customer_id)
    match event:
        case Set():
            return replace(known, last=event) if known.last is None or event.set_at >= known.last.set_at else known
        case Cleared():
            return replace(known, cleared_at=max(event.cleared_at, known.cleared_at or event.cleared_at))
        case _:
            assert_never(event)


@starts
def override(
    standing: Override | None, now: Moment, /, *, score_x10: int, expires_at: datetime, reason: str, set_by: str | None = None
) -> tuple[Fact, ...]:
    """Record another score for the customer that the id names, in tenths of a point, by the actor or by `set_by`."""
    if not 0 <= score_x10 <= 1000:
        raise Refused("health_override.score", f"{score_x10} tenths of a point are no score; give 0 to 1000.")
    if expires_at <= now.at:
        raise Refused("health_override.expired", f"What is set at {now.at.isoformat()} cannot expire at {expires_at.isoformat()}.")
    if not reason.strip():
        raise Refused("health_override.reason", "A score is overridden for a reason; say which.")
    author = set_by or now.actor
    for each in now.history:
        said = each.fact
        if isinstance(said, Set) and (said.set_at, said.score_x10, said.expires_at, said.set_by) == (now.at, score_x10, expires_at, author):
            return ()
    made = Set(
        set_at=now.at,
        customer_id=now.id,
        score_x10=score_x10,
        expires_at=expires_at,
        set_by=author,
        subject_id=now.stream,
        reason=reason,
    )
    return (made,)


def clear(standing: Override, now: Moment, /, *, cleared_by: str | None = None) -> tuple[Fact, ...]:
    """Record that the computed score counts again. Adds nothing where it does."""
    if not now.then(standing).holds(now.at):
        return ()
    return (Cleared(cleared_at=now.at, customer_id=standing.customer_id, cleared_by=cleared_by or now.actor),)
