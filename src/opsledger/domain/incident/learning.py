"""Decisions after an incident, and on its record: review, action items, corrections with two people."""

from __future__ import annotations

from datetime import datetime

from opsledger.domain.concept import Moment, another
from opsledger.domain.incident import facts as f
from opsledger.domain.incident.state import Incident, Item, after_resolution, says
from opsledger.domain.recorded import Recorded
from opsledger.errors import Refused


def hold_review(
    incident: Incident,
    now: Moment,
    /,
    *,
    participants: tuple[str, ...] = (),
    document_id: str | None = None,
    findings: str | None = None,
) -> tuple[f.Fact, ...]:
    """Record that those concerned met to learn from it. It must be resolved."""
    if incident.review_held_at == now.at:
        return ()
    after_resolution(incident, now, "post-incident review")
    held = f.ReviewHeld(held_at=now.at, participants=participants, document_id=document_id, subject_id=now.stream, findings=findings)
    return (held,)


def open_action_item(
    incident: Incident, now: Moment, /, *, item_id: str, description: str, owner_id: str | None = None, due_at: datetime | None = None
) -> tuple[f.Fact, ...]:
    """Record what shall be done about it, by whom and by when."""
    known = incident.items.get(item_id)
    if known == Item(now.at, owner_id, due_at):
        return ()
    if known is not None:
        raise Refused("incident.item_exists", f"Action item {item_id} is open already; choose another id.")
    opened = f.ActionItemOpened(
        opened_at=now.at, item_id=item_id, owner_id=owner_id, due_at=due_at, subject_id=now.stream, description=description
    )
    return (opened,)


def complete_action_item(incident: Incident, now: Moment, /, *, item_id: str) -> tuple[f.Fact, ...]:
    """Record that an action item was done."""
    if says(incident.ends.get(item_id), now, "completed"):
        return ()
    _still_open(incident, now, item_id)
    return (f.ActionItemCompleted(completed_at=now.at, item_id=item_id),)


def drop_action_item(incident: Incident, now: Moment, /, *, item_id: str, reason: str | None = None) -> tuple[f.Fact, ...]:
    """Record that an action item will not be done."""
    if says(incident.ends.get(item_id), now, "dropped"):
        return ()
    _still_open(incident, now, item_id)
    return (f.ActionItemDropped(dropped_at=now.at, item_id=item_id, subject_id=now.stream, reason=reason),)


def correct_milestone(
    incident: Incident,
    now: Moment,
    /,
    *,
    corrects: int,
    milestone: str,
    was: datetime,
    to: datetime,
    reason: str,
    requested_by: str,
    approved_by: str,
) -> tuple[f.Fact, ...]:
    """Record that a milestone, which the fact at position `corrects` says was passed at `was`, was passed at `to`.

    The milestone is the last word of that fact's topic for its own time ("resolved"), or one of its fields: "detected",
    "impact_started". Needs another person's approval.
    """
    another(approved_by, requested_by, "this correction")
    held = _held(now, now.recorded(corrects), milestone)
    if held != was:
        raise Refused("correction.was", f"Position {corrects} does not say {was.isoformat()}; look at it again with its history.")
    if to > now.at:
        raise Refused("correction.future", f"{to.isoformat()} has not come yet; a milestone has been passed when it is recorded.")
    if to == held:
        return ()
    corrected = f.MilestoneCorrected(
        corrected_at=now.at,
        corrects=corrects,
        milestone=milestone,
        was=was,
        now=to,
        requested_by=requested_by,
        approved_by=approved_by,
        subject_id=now.stream,
        reason=reason,
    )
    return (corrected,)


def _held(now: Moment, recorded: Recorded, milestone: str) -> datetime:
    """Return the time that a fact of the stream says for a milestone, as corrected last."""
    event: f.Fact = recorded.fact
    if isinstance(event, f.MilestoneCorrected):
        raise Refused(
            "correction.of_correction", f"Position {recorded.position} is a correction itself; correct position {event.corrects}."
        )
    stated = {name: at for name, field in f.milestones_of(event).items() if (at := getattr(event, field)) is not None}
    if milestone not in stated:
        known = " and ".join(stated)
        raise Refused("correction.milestone", f"Position {recorded.position} states no milestone '{milestone}'; it states {known}.")
    held: datetime = stated[milestone]
    for later in now.history:
        if isinstance(later.fact, f.MilestoneCorrected) and (later.fact.corrects, later.fact.milestone) == (recorded.position, milestone):
            held = later.fact.now
    return held


def _still_open(incident: Incident, now: Moment, item_id: str) -> None:
    if item_id not in incident.items:
        raise Refused("incident.no_item", f"This incident has no action item {item_id}; open it first.")
    end = incident.ends.get(item_id)
    if end is not None and now.at >= end.at:
        raise Refused(f"incident.item_{end.value}", f"Action item {item_id} was {end.value}; open another one.")
