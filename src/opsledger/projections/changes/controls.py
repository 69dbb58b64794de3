"""What controls watch of a change: authority before the work, duties apart, freezes kept, reviews in time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from opsledger.policies.change_control import Booking, frozen_by
from opsledger.policies.known import Known
from opsledger.projections.availability.watching import Severity, Watch, asked, seen
from opsledger.projections.changes.changes import ChangeState, same_hands
from opsledger.projections.changes.freezes import FreezeState

__all__ = ["change_watches"]


def change_watches(change: ChangeState, states: Mapping[str, Any], known: Known) -> Iterator[Watch]:
    """Yield what is, or would be, a finding about a change. `states` hold the freezes beside it."""
    yield from _authority(change)
    yield from _duties(change)
    yield from _freezes(change, [state for state in states.values() if isinstance(state, FreezeState)], known)
    row = change.row
    if row.get("review_due_at") is not None:
        rule = "A change whose review is asked for is reviewed within the time that the operating model gives."
        yield from _asked(
            change, "change_review_late", row["review_due_at"], row.get("reviewed_at"), rule, "medium", "completed", "backed_out"
        )
    planned, began = row.get("planned_start_at"), row.get("started_at")
    if planned is not None and began is not None and not planned <= began < row["planned_end_at"]:
        rule = "Work on a planned change begins within its window."
        yield _seen(change, "outside_planned_window", began, rule, "low", "scheduled", "started")


def _authority(change: ChangeState) -> Iterator[Watch]:
    row = change.row
    if row.get("approval_before_start") is False:
        if row["approval_due_at"] is None:
            rule = "Work begins only on a change that has the approvals and sign-offs that it needs."
            yield _seen(change, "unauthorised_change", row["started_at"], rule, "high", "requested", "started", "rejected")
        else:
            rule = "A change that was begun without approval is approved within the time that the operating model gives."
            due, kept = row["approval_due_at"], row["authorised_at"]
            yield from _asked(change, "retroactive_approval_late", due, kept, rule, "high", "started", "approved", "rejected")
    if change.assessed_first and not change.assessed_before_approval:
        rule = "Impact and risk are assessed before a change is approved."
        at = next(at for at, _, word, _, _ in change.words if word == "approved")
        yield _seen(change, "unassessed_approval", at, rule, "medium", "approved", "assessed")


def _duties(change: ChangeState) -> Iterator[Watch]:
    row, together = change.row, same_hands(change)
    for control in together:
        match control:
            case "self_approval":
                at = next(at for at, _, word, by, _ in change.words if word == "approved" and by == row["requested_by"])
                rule = "Who asks for a change does not approve it."
                yield _seen(change, control, at, rule, "high", "requested", "approved")
            case "approver_implemented":
                approved = min(at for at, _, word, by, _ in change.words if word == "approved" and by == row["implementer_id"])
                rule = "Who approves a change does not carry it out."
                yield _seen(change, control, max(approved, row["started_at"]), rule, "medium", "approved", "started")
            case _:
                rule = "Who carries a change out does not verify it."
                yield _seen(change, control, row["verified_at"], rule, "low", "started", "verified")


def _freezes(change: ChangeState, states: list[FreezeState], known: Known) -> Iterator[Watch]:
    """Yield the work begun in a freeze that the change's category waits for, as people knew it then."""
    row = change.row
    began = row.get("started_at")
    if began is None or row["category"] in known.model(row["policy_ref"]).changes.freeze_exempt:
        return
    work = Booking(change.change_id, began, began + 1, change.ci_ids)
    windows = [window for state in states if (window := state.known_at(began)) is not None]
    found = frozen_by(work, windows)
    if found:
        newest = max(state.last_position for state in states if state.freeze_id in found)
        positions = (change.positions["started"], newest)
        rule = "In a freeze, no work begins on what it holds still."
        last = max(change.last_position, newest)
        yield seen("started_in_freeze", began, rule, "high", evidence=positions, last_position=last)


def _asked(change: ChangeState, control: str, due_at: int, kept_at: int | None, rule: str, severity: Severity, *topics: str) -> list[Watch]:
    """Return what was asked for by a due time, with the newest facts of these topics as evidence."""
    shown = _evidence(change, topics)
    return asked(control, due_at, kept_at, rule, severity, evidence=shown, last_position=change.last_position)


def _seen(change: ChangeState, control: str, at: int, rule: str, severity: Severity, *topics: str) -> Watch:
    """Return what was seen, with the newest facts of these topics as evidence."""
    return seen(control, at, rule, severity, evidence=_evidence(change, topics), last_position=change.last_position)


def _evidence(change: ChangeState, topics: tuple[str, ...]) -> tuple[int, ...]:
    return tuple(sorted(change.positions[topic] for topic in topics if topic in change.positions))
