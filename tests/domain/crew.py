"""A change of the API, asked for on Monday 2 March 2026 at nine, and what may have happened to it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from opsledger.domain import change
from opsledger.testing import Spec, at

spec = Spec("change:CHG-1")
SELF: dict[str, Any] = {"subject_id": "change:CHG-1"}


def on(wall: str, day: str = "02") -> datetime:
    """Return a time of March 2026, by default of Monday the second."""
    return at(f"2026-03-{day}T{wall}:00Z")


def requested(category: change.Category = "standard", **given: Any) -> change.Requested:
    """Return the request of u-1, by the rules of the default operating model unless others are given."""
    rules: dict[str, dict[str, Any]] = {
        "standard": {"itil_type": "normal", "approvals": 1, "assessed_first": True},
        "normal": {"itil_type": "standard", "approvals": 0},
        "emergency": {"itil_type": "emergency", "approvals": 1, "approver_roles": ("cto",)},
    }
    asked: dict[str, Any] = {"requested_at": on("09:00"), "requested_by": "u-1", "policy": spec.policy, "title": "Move the API", **SELF}
    return change.Requested(category=category, **{**asked, **rules[category], **given})


STANDARD, NORMAL, EMERGENCY = (requested(category, ci_ids=("api",)) for category in ("standard", "normal", "emergency"))
ASSESSED = change.Assessed(assessed_at=on("09:10"), assessed_by="u-2", impact="low", risk="moderate", backout_planned=True, **SELF)


def approved(wall: str, by: str = "u-2", role: str = "manager") -> change.Approved:
    return change.Approved(approved_at=on(wall), approved_by=by, role=role, **SELF)


def rejected(wall: str, by: str = "u-3") -> change.Rejected:
    return change.Rejected(rejected_at=on(wall), rejected_by=by, role="manager", reason="Not now", **SELF)


APPROVED = approved("09:20")
READY = (STANDARD, ASSESSED, APPROVED)


def started(wall: str = "10:00", **given: Any) -> change.Started:
    return change.Started(**{"started_at": on(wall), "implementer_id": "u-7", "authorised": True, **SELF, **given})


def completed(wall: str = "11:00", outcome: change.Outcome = "successful", review_by: datetime | None = None) -> change.Completed:
    return change.Completed(completed_at=on(wall), outcome=outcome, review_by=review_by, **SELF)


def planned(start: str, end: str, day: str = "03", **given: Any) -> change.Scheduled:
    return change.Scheduled(**{"scheduled_at": on("09:30"), "starts_at": on(start, day), "ends_at": on(end, day), **SELF, **given})
