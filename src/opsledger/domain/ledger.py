"""The ledger's facts about itself: created, clock regressed, day closed. One stream, `ledger:self`.

created ──> day closed ──> ...      (clock regressed at any time)
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import assert_never

from opsledger.domain.concept import Moment, concept, starts
from opsledger.domain.fact import At, fact
from opsledger.errors import Refused
from opsledger.policies.instants import micros, moment

__all__ = ["ClockRegressed", "Created", "DayClosed", "Ledger", "close_day", "create", "evolve", "notice_clock"]


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


Fact = Created | ClockRegressed | DayClosed


@dataclass(frozen=True, slots=True)
class Ledger:
    """What the decisions below need to know."""

    simulated: bool = False
    last_closed: date | None = None
    regressed_at: At | None = None


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
