"""The ledger's facts about itself. One stream, `ledger:self`.

created ──> day closed ──> ...      (clock regressed, key introduced, restored at any time)
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import assert_never

from opsledger.domain.concept import SYSTEM, Moment, another, concept, starts
from opsledger.domain.fact import At, fact
from opsledger.errors import Refused
from opsledger.policies.instants import micros, moment

__all__ = [
    "ClockRegressed",
    "Created",
    "DayClosed",
    "KeyIntroduced",
    "Ledger",
    "Restored",
    "close_day",
    "create",
    "evolve",
    "introduce_key",
    "notice_clock",
    "restore",
]


@fact("ledger.created", at="created_at")
class Created:
    """The ledger began. A simulated one takes its `recorded_at` from a given clock and says so here for good."""

    created_at: At
    ledger_id: str
    simulated: bool
    program: str  # name and version of the program that created it


@fact("ledger.clock_regressed", at="noticed_at")
class ClockRegressed:
    """The database's clock fell behind the last fact; `recorded_at` stands still until it has caught up."""

    noticed_at: At  # what the last fact says
    clock_at: At  # what the clock said


@fact("ledger.day_closed", at="closed_at")
class DayClosed:
    """A UTC day is over: what is counted per day may count it."""

    closed_at: At
    day: date


@fact("ledger.key_introduced", at="introduced_at")
class KeyIntroduced:
    """From here on checkpoints are signed with this key, until the next one is introduced."""

    introduced_at: At
    key: str  # its public half, written name+id+key
    replaces: str | None  # the key before, written so
    endorsement: str | None  # base64: what the key before signed to say so; null: there is none, or it was lost or stolen
    reason: str
    proposed_by: str
    approved_by: str


@fact("ledger.restored", at="restored_at")
class Restored:
    """The database was put back from a backup: what had been recorded after it is lost, and this begins another incarnation."""

    restored_at: At
    incarnation: int  # the log as it was created is the first
    lost_from: int  # first position that is lost, which the next fact takes again
    lost_to: int  # last position that is known to have been there, from a checkpoint or a copy kept elsewhere
    checkpoint: str  # the newest checkpoint that is known of what is lost; empty: none was kept
    reason: str
    requested_by: str
    approved_by: str


Fact = Created | ClockRegressed | DayClosed | KeyIntroduced | Restored


@dataclass(frozen=True, slots=True)
class Ledger:
    """What the decisions below need to know."""

    simulated: bool = False
    last_closed: date | None = None
    regressed_at: At | None = None
    key: str | None = None  # public half of the signing key
    incarnation: int = 1


@concept("ledger")
def evolve(ledger: Ledger | None, event: Fact) -> Ledger:
    """Return the ledger after `event`."""
    ledger = ledger or Ledger()
    match event:
        case Created():
            return replace(ledger, simulated=event.simulated)
        case ClockRegressed():
            return replace(ledger, regressed_at=event.noticed_at)
        case DayClosed():
            return replace(ledger, last_closed=event.day)
        case KeyIntroduced():
            return replace(ledger, key=event.key)
        case Restored():
            return replace(ledger, incarnation=event.incarnation)
        case _:
            assert_never(event)


@starts
def create(ledger: Ledger | None, now: Moment, /, *, ledger_id: str, simulated: bool, program: str) -> tuple[Fact, ...]:
    """Record that the ledger begins."""
    if ledger is not None:
        raise Refused("ledger.exists", "This ledger was created already; open it instead.")
    return (Created(created_at=now.at, ledger_id=ledger_id, simulated=simulated, program=program),)


def notice_clock(ledger: Ledger, now: Moment, /, *, last_at: At) -> tuple[Fact, ...]:
    """Record once per standstill that the clock, at `now.at`, lies behind the newest fact, at `last_at`."""
    if ledger.regressed_at == last_at:
        return ()
    return (ClockRegressed(noticed_at=last_at, clock_at=now.at),)


def close_day(ledger: Ledger, now: Moment, /) -> tuple[Fact, ...]:
    """Record that the UTC day before `now.at` is over; days skipped since need no fact of their own."""
    yesterday = moment(micros(now.at) - 86_400_000_000).date()
    if ledger.last_closed is not None and ledger.last_closed >= yesterday:
        return ()
    return (DayClosed(closed_at=now.at, day=yesterday),)


def introduce_key(
    ledger: Ledger,
    now: Moment,
    /,
    *,
    key: str,
    proposed_by: str,
    approved_by: str,
    replaces: str | None = None,
    endorsement: str | None = None,
    reason: str = "",
) -> tuple[Fact, ...]:
    """Record the public half of the key by which checkpoints are signed from here on.

    Refuses one that follows another key than the one in use, and one that nobody endorsed without a reason: the old key
    endorses the new one, unless it was lost or stolen.
    """
    if key == ledger.key:
        return ()
    if not (ledger.key is None and proposed_by == approved_by == SYSTEM):
        another(approved_by, proposed_by, "this key")
    if replaces != ledger.key:
        raise Refused("ledger.key_order", f"The key in use is {ledger.key or 'none'}; say that the new one replaces it.")
    if replaces is not None and endorsement is None and not reason:
        raise Refused("ledger.key_unendorsed", "The key in use does not endorse the new one; let it, or say why it cannot with a reason.")
    introduced = KeyIntroduced(
        introduced_at=now.at,
        key=key,
        replaces=replaces,
        endorsement=endorsement,
        reason=reason,
        proposed_by=proposed_by,
        approved_by=approved_by,
    )
    return (introduced,)


def restore(
    ledger: Ledger, now: Moment, /, *, lost_from: int, lost_to: int, reason: str, requested_by: str, approved_by: str, checkpoint: str = ""
) -> tuple[Fact, ...]:
    """Record that the database was put back from a backup, and which positions are lost by it."""
    another(approved_by, requested_by, "this restore")
    if not reason:
        raise Refused("ledger.no_reason", "A restore loses facts and needs a reason.")
    if lost_to < lost_from:
        raise Refused(
            "ledger.nothing_lost", f"Positions {lost_from} to {lost_to} are none; nothing was lost, so there is nothing to record."
        )
    restored = Restored(
        restored_at=now.at,
        incarnation=ledger.incarnation + 1,
        lost_from=lost_from,
        lost_to=lost_to,
        checkpoint=checkpoint,
        reason=reason,
        requested_by=requested_by,
        approved_by=approved_by,
    )
    return (restored,)
