"""Ticking: what time alone asks for. Deadlines seen to have passed, days closed, calendars extended.

Candidates come from the `sla_deadline` table, brought up first; the decision is taken on the reloaded stream, so that a stale
candidate does nothing. Each escalation starts the next level's clock, so it repeats until nothing is due.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from opsledger.domain import calendar, ledger
from opsledger.domain.concept import SYSTEM, observer_of
from opsledger.errors import OpsledgerError
from opsledger.policies.instants import SECOND, moment

if TYPE_CHECKING:
    from opsledger.app.ledger import OpsLedger

__all__ = ["Ticked", "tick"]

_ROUNDS: Final = 50


@dataclass(slots=True)
class Ticked:
    """What a tick recorded."""

    deadlines: int = 0  # facts about deadlines, escalations included
    days_closed: int = 0
    calendars_extended: int = 0
    failed: int = 0  # streams that could not be decided on; the next tick tries again


def tick(host: OpsLedger, now: datetime) -> Ticked:
    """Record what the time `now` asks for."""
    result = Ticked()
    system = host.by(SYSTEM, role="system", at=now)
    result.days_closed = len(system.record(ledger.close_day, "self").facts)
    model = host.known.in_force(round(now.timestamp()) * SECOND).model.calendars
    for name in host.known.calendars():
        if moment(host.known.calendar(name).end) - now < timedelta(days=model.extend_below_months * 365 / 12):
            result.calendars_extended += len(system.record(calendar.extend, name).facts)
    given_up: set[str] = set()
    for _ in range(_ROUNDS):
        due = [stream for stream in _candidates(host, now) if stream not in given_up]
        for stream in due:
            concept, _, id = stream.partition(":")
            try:
                added = len(system.record(observer_of(concept), id).facts)
            except OpsledgerError:
                result.failed, added = result.failed + 1, 0
            result.deadlines += added
            if not added:
                given_up.add(stream)
        if not due:
            break
    return result


def _candidates(host: OpsLedger, now: datetime) -> list[str]:
    """Return the streams with a deadline that passed unseen, or that was seen and has moved."""
    host.catch_up()
    row = host.tables.tables.schema.tables["sla_deadline"].c
    unseen = sa.and_(row.state == "open", row.passes_at <= now, row.observed_at.is_(None))
    moved = sa.and_(row.observed_at.is_not(None), sa.or_(row.passes_at.is_(None), row.passes_at != row.observed_due_at))
    found = host.tables.query(sa.select(row.stream).where(sa.or_(unseen, moved)).distinct().order_by(row.stream))
    return [each["stream"] for each in found]
