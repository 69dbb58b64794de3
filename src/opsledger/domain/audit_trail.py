"""Reviews of the audit trail: somebody who took no part looked at a range of the ledger, and said what they found.

    reviewed ──> reviewed ──> ...        one stream, `audit_trail:self`

Source: Operating Model, "Audit preparation and response", "Annual operational audits".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from opsledger.domain.concept import Moment, concept, starts
from opsledger.domain.fact import At, fact, part
from opsledger.errors import Refused

__all__ = ["AuditTrail", "CheckpointSeen", "Reviewed", "evolve", "review"]


@part
class CheckpointSeen:
    """The checkpoint that a reviewer held: what the log was when it was signed."""

    origin: str
    size: int  # how many facts it covers
    root: str  # base64


@fact("audit_trail.reviewed", at="reviewed_at")
class Reviewed:
    """Somebody independent looked at the facts of a range of positions, and concluded something."""

    reviewed_at: At
    first: int  # position, as `last`, which belongs to the range
    last: int
    root: str  # base64: the Merkle root, RFC 6962, over the leaves of the range
    checkpoint: CheckpointSeen | None  # null: the reviewer had none
    findings: Annotated[int, Field(ge=0)]
    conclusion: str
    reviewed_by: str


Fact = Reviewed


@dataclass(frozen=True, slots=True)
class AuditTrail:
    """Up to which position the ledger has been reviewed."""

    reviewed_to: int


@concept("audit_trail")
def evolve(trail: AuditTrail | None, event: Fact) -> AuditTrail:
    """Return the audit trail after `event`."""
    return AuditTrail(event.last if trail is None else max(event.last, trail.reviewed_to))


@starts
def review(
    trail: AuditTrail | None,
    now: Moment,
    /,
    *,
    first: int,
    last: int,
    root: str,
    took_part: Mapping[str, int],
    findings: int,
    conclusion: str,
    checkpoint: CheckpointSeen | None = None,
) -> tuple[Fact, ...]:
    """Record what the acting person concluded of the positions `first` to `last`. `OpsLedger.review_audit_trail` gives the rest.

    `took_part` are those who recorded, asked for or approved something in the range, each with the first position. Refuses a reviewer
    who is one of them, and a checkpoint that does not cover the range.
    """
    if not 0 < first <= last:
        raise Refused("audit_trail.range", f"Positions {first} to {last} are no range; begin at 1 or later, and end no earlier.")
    if now.actor in took_part:
        raise Refused(
            "audit_trail.not_independent",
            f"{now.actor} took part at position {took_part[now.actor]} and cannot review positions {first} to {last}; "
            "ask somebody who recorded and approved nothing there.",
        )
    if checkpoint is not None and checkpoint.size < last:
        raise Refused(
            "audit_trail.not_covered", f"The checkpoint covers {checkpoint.size} facts, and the range ends at {last}; take a later one."
        )
    if not conclusion.strip():
        raise Refused("audit_trail.no_conclusion", "A review without a conclusion tells nobody anything; say what was concluded.")
    reviewed = Reviewed(
        reviewed_at=now.at,
        first=first,
        last=last,
        root=root,
        checkpoint=checkpoint,
        findings=findings,
        conclusion=conclusion,
        reviewed_by=now.actor,
    )
    return (reviewed,)
