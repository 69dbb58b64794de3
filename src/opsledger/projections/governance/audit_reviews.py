"""audit_trail_review: who looked at which part of the ledger, with which checkpoint in hand, and what did they conclude?

Grain: one row per review.
"""

from __future__ import annotations

from opsledger.domain.audit_trail import Reviewed
from opsledger.domain.recorded import Recorded
from opsledger.projections.kinds import Entry, Rows
from opsledger.projections.table import Table, instant, integer, text

__all__ = ["AUDIT_TRAIL_REVIEW", "PROJECTIONS"]

AUDIT_TRAIL_REVIEW = Table(
    "audit_trail_review",
    "One row per review of a range of the ledger by somebody who took no part in it.",
    key=("position",),
    columns=(
        integer("position", "Position of the fact."),
        instant("reviewed_at", "When the review was concluded."),
        text("reviewed_by", "Opaque id of the reviewer."),
        integer("first_position", "First position of the range."),
        integer("last_position", "Last position of the range, which belongs to it."),
        integer("findings", "How many findings the reviewer has."),
        text("conclusion", "What the reviewer concluded."),
        text("root", "Merkle root, RFC 6962, over the leaves of the range, in base64."),
        integer("checkpoint_size", "How many facts the reviewer's checkpoint covers; null: there was none."),
        text("checkpoint_root", "Its root, in base64."),
    ),
)


def _rows(recorded: Recorded) -> Rows:
    event = recorded.fact
    if not isinstance(event, Reviewed):
        return {}
    seen = (None, None) if event.checkpoint is None else (event.checkpoint.size, event.checkpoint.root)
    what = (event.first, event.last, event.findings, event.conclusion, event.root)
    return {"audit_trail_review": [(recorded.position, recorded.occurred_at, event.reviewed_by, *what, *seen)]}


PROJECTIONS = (Entry("audit_trail_review", 1, (AUDIT_TRAIL_REVIEW,), _rows),)
