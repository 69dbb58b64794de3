"""Reviewing: what somebody independent concluded of a range of the ledger, with who took part in it and what it was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from opsledger.app.recording import Receipt
from opsledger.audit.ranges import fitting_checkpoint, root_between, told_root
from opsledger.domain import audit_trail
from opsledger.errors import BadInput
from opsledger.ledger.store import Store, pages
from opsledger.replay.checks.seals import introduced_keys

if TYPE_CHECKING:
    from opsledger.app.ledger import OpsLedger

__all__ = ["review_audit_trail"]

_NAMING: Final = ("proposed_by", "requested_by", "approved_by")
_REVIEWS: Final = "audit_trail:"


def review_audit_trail(
    host: OpsLedger,
    reviewer: str,
    *,
    findings: int,
    conclusion: str,
    first: int | None = None,
    last: int | None = None,
    checkpoint: str | bytes | None = None,
) -> Receipt:
    """Record a review of the positions `first` (default: after the last review) to `last` (default: the head).

    `checkpoint` is a note that the reviewer holds: it must be signed by the ledger, and the ledger must begin with it as it stands.
    """
    head = host.store.head().position
    last = head if last is None else last
    if first is None:
        first = 1 + (_reviewed_to(host) if host.store.heads([f"{_REVIEWS}self"]) else 0)
    if not 0 < first <= last <= head:
        raise BadInput("review.range", f"The ledger has positions 1 to {head}; {first} to {last} is no range of them.")
    seen = None
    if checkpoint is not None:
        fits = fitting_checkpoint(host.store, checkpoint, introduced_keys(host.store))
        seen = audit_trail.CheckpointSeen(origin=fits.origin, size=fits.size, root=told_root(fits.root))
    return host.by(reviewer, role="auditor").record(
        audit_trail.review,
        "self",
        first=first,
        last=last,
        root=told_root(root_between(host.store, first, last)),
        took_part=_took_part(host.store, first, last),
        findings=findings,
        conclusion=conclusion,
        checkpoint=seen,
    )


def _reviewed_to(host: OpsLedger) -> int:
    trail: audit_trail.AuditTrail = host.state(audit_trail.AuditTrail, "self")
    return trail.reviewed_to


def _took_part(store: Store, first: int, last: int) -> dict[str, int]:
    """Return who recorded, asked for or approved anything in a range, each with the first position. Reviews are not counted."""
    found: dict[str, int] = {}
    for rows in pages(store, first - 1, last):
        for row in rows:
            if row.stream.startswith(_REVIEWS):
                continue
            found.setdefault(row.recorded_by, row.position)
            if b"_by" in row.state:
                held = msgspec.json.decode(row.state)
                for name in _NAMING:
                    if isinstance(actor := held.get(name), str):
                        found.setdefault(actor, row.position)
    return found
