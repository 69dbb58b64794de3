"""Decisions on when: schedule, with conflicts and freezes looked at each time, and tell who is concerned."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from opsledger.domain.change import facts as f
from opsledger.domain.change.state import Change, not_started, under_way
from opsledger.domain.concept import Moment
from opsledger.errors import Refused
from opsledger.policies.change_control import Booking, FreezeWindow, conflicts
from opsledger.policies.instants import micros
from opsledger.policies.intervals import Interval


def schedule(
    change: Change,
    now: Moment,
    /,
    *,
    starts_at: datetime,
    ends_at: datetime,
    others: Sequence[Booking],
    freezes: Sequence[FreezeWindow],
    maintenance: Sequence[Interval] | None = None,
    assignee_id: str | None = None,
    reason: str | None = None,
) -> tuple[f.Fact, ...]:
    """Record the window [starts_at, ends_at) in which it is planned, for the first time or anew, and what that collides with.

    `others` and `freezes` are what the host knows of other changes and of freezes, `maintenance` the windows to which work on these
    items is bound (None: to none); guard their streams by `expect`, or ask `opsledger.app.changes.schedule_change`, which does. Conflicts
    are recorded and refuse nothing; a freeze refuses, but for the categories that the operating model lets through.
    """
    if not starts_at < ends_at:
        raise Refused("change.window", f"A window from {starts_at.isoformat()} to {ends_at.isoformat()} has no length; end it later.")
    if change.window == (starts_at, ends_at, assignee_id):
        return ()
    not_started(change, now, "schedule")
    planned = Booking(now.id, micros(starts_at), micros(ends_at), change.ci_ids, assignee_id or "")
    found = conflicts(planned, others, maintenance, freezes)
    frozen = [each.other_id for each in found if each.kind == "in_freeze"]
    if frozen and change.category not in now.policies.of(change.policy).changes.freeze_exempt:
        raise Refused(
            "change.frozen",
            f"The window lies in the freeze {frozen[0]}, which a {change.category} change waits for; plan it before or after.",
        )
    scheduled = f.Scheduled(
        scheduled_at=now.at,
        starts_at=starts_at,
        ends_at=ends_at,
        assignee_id=assignee_id,
        bound_to_maintenance=maintenance is not None,
        conflicts=tuple(f.Conflict(kind=each.kind, other_id=each.other_id) for each in found),
        was_starts_at=change.window[0] if change.window else None,
        was_ends_at=change.window[1] if change.window else None,
        subject_id=now.stream,
        reason=reason,
    )
    return (scheduled,)


def communicate(change: Change, now: Moment, /, *, audience: f.Audience, channel: str | None = None) -> tuple[f.Fact, ...]:
    """Record that an audience was told of it."""
    if (now.at, audience) in change.communicated:
        return ()
    under_way(change, now, "announcement")
    return (f.Communicated(communicated_at=now.at, audience=audience, channel=channel),)
