"""Closed periods: what a table said of a month or a day, frozen as it was reported.

    closed ──> restated ──> ...        one stream per table and period, `period:sla_compliance/2026-03`

A fact that comes late changes what the tables say of a month that was reported already. A close keeps what was reported, with
the position as of which it was computed: `opsledger verify closes` computes it again. Who reports other numbers later restates,
and says why.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Final, assert_never

from opsledger.domain.concept import Moment, another, concept, starts
from opsledger.domain.fact import At, fact, part
from opsledger.errors import Refused

__all__ = ["Closed", "Frozen", "Period", "Restated", "close", "digest", "evolve", "restate"]

_MOST_ROWS: Final = 5000


@part
class Frozen:
    """The rows of a table for a period, and by what they were computed."""

    columns: tuple[str, ...]
    rows: tuple[str, ...]  # each a JSON list in the order of the columns; in the order of the table's key
    definition: str  # SHA-256 of how the table was defined: its SQL, and the versions of the projections under it
    program: str  # name and version of the program


@fact("period.closed", at="closed_at")
class Closed:
    """What a table said of a period was frozen: this is what was reported."""

    closed_at: At
    table: str
    period: str
    position: int  # of the newest fact that was known
    effective_at: At  # as of when the rows speak
    digest: str  # SHA-256 of columns and rows
    frozen: Frozen
    proposed_by: str
    approved_by: str


@fact("period.restated", at="restated_at")
class Restated:
    """What had been reported of a period was replaced by what is known later. The earlier close stays known."""

    restated_at: At
    restates: int  # position of the close that it replaces
    reason: str
    table: str
    period: str
    position: int
    effective_at: At
    digest: str
    frozen: Frozen
    proposed_by: str
    approved_by: str


Fact = Closed | Restated


@dataclass(frozen=True, slots=True)
class Period:
    """The newest close: as of which position, and of which rows."""

    position: int
    digest: str


@concept("period")
def evolve(period: Period | None, event: Fact) -> Period:
    """Return the period after `event`."""
    match event:
        case Closed() | Restated():
            return Period(event.position, event.digest)
        case _:
            assert_never(event)


@starts
def close(
    period: Period | None,
    now: Moment,
    /,
    *,
    table: str,
    month_or_day: str,
    ends_at: datetime,
    position: int,
    effective_at: datetime,
    frozen: Frozen,
    proposed_by: str,
    approved_by: str,
) -> tuple[Fact, ...]:
    """Record what a table says of a period that has ended at `ends_at`. `OpsLedger.close_period` computes what is frozen."""
    if period is not None:
        raise Refused("period.closed", f"{now.id} was closed at position {now.history[-1].position}; give a reason to restate it.")
    _check(now, table, month_or_day, ends_at, frozen)
    another(approved_by, proposed_by, "this close")
    closed = Closed(
        closed_at=now.at,
        table=table,
        period=month_or_day,
        position=position,
        effective_at=effective_at,
        digest=digest(frozen),
        frozen=frozen,
        proposed_by=proposed_by,
        approved_by=approved_by,
    )
    return (closed,)


def restate(
    period: Period,
    now: Moment,
    /,
    *,
    table: str,
    month_or_day: str,
    ends_at: datetime,
    position: int,
    effective_at: datetime,
    frozen: Frozen,
    reason: str,
    proposed_by: str,
    approved_by: str,
) -> tuple[Fact, ...]:
    """Record what a table says of a closed period by what is known later. Adds nothing where it says the same."""
    _check(now, table, month_or_day, ends_at, frozen)
    another(approved_by, proposed_by, "this restatement")
    if not reason.strip():
        raise Refused("period.no_reason", f"{now.id} was reported already; say why it is reported otherwise now.")
    if position <= period.position:
        raise Refused("period.earlier", f"{now.id} was closed as known at position {period.position}; restate it as known later.")
    if digest(frozen) == period.digest:
        return ()
    restated = Restated(
        restated_at=now.at,
        restates=now.history[-1].position,
        reason=reason,
        table=table,
        period=month_or_day,
        position=position,
        effective_at=effective_at,
        digest=digest(frozen),
        frozen=frozen,
        proposed_by=proposed_by,
        approved_by=approved_by,
    )
    return (restated,)


def digest(frozen: Frozen) -> str:
    """Return the SHA-256 of what is frozen, in hexadecimal: the columns as a JSON list and then each row, a line each."""
    columns = json.dumps(frozen.columns, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256("".join(f"{line}\n" for line in (columns, *frozen.rows)).encode()).hexdigest()


def _check(now: Moment, table: str, period: str, ends_at: datetime, frozen: Frozen) -> None:
    if now.id != f"{table}/{period}":
        raise Refused("period.id", f"The close of {table} for {period} has the id {table}/{period}, not {now.id}.")
    if now.at < ends_at:
        raise Refused("period.not_over", f"{period} ends at {ends_at.isoformat()}; close it when it is over.")
    if len(frozen.rows) > _MOST_ROWS:
        raise Refused(
            "period.too_many",
            f"{table} has {len(frozen.rows)} rows for {period}; a close keeps at most {_MOST_ROWS}: close a summary of it.",
        )
