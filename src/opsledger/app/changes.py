"""Planning a change with what the ledger knows of other changes and of freezes, guarded against what is planned meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from opsledger.app.recording import Receipt
from opsledger.domain import change
from opsledger.errors import Conflict
from opsledger.policies.change_control import Booking, FreezeWindow
from opsledger.policies.instants import micros
from opsledger.policies.intervals import Interval

if TYPE_CHECKING:
    from opsledger.app.ledger import OpsLedger

__all__ = ["schedule_change"]

_ATTEMPTS: Final = 5
_FREE: Final = ("cancelled", "rejected")


def schedule_change(
    host: OpsLedger,
    change_id: str,
    *,
    by: str,
    role: str = "",
    starts_at: datetime,
    ends_at: datetime,
    maintenance: Sequence[Interval] | None = None,
    assignee_id: str | None = None,
    reason: str | None = None,
    at: datetime | None = None,
) -> Receipt:
    """Plan a change, for the first time or anew; see `change.schedule`. Others and freezes are those that the ledger knows.

    Decides again, a bounded number of times, where one of the streams that it looked at moved meanwhile. A change that is planned
    at the same moment and was not looked at shows in the table change_conflict.
    """
    for attempt in range(1, _ATTEMPTS + 1):
        others, freezes, expect = _known(host, change_id, starts_at, ends_at)
        given: dict[str, Any] = {"starts_at": starts_at, "ends_at": ends_at, "assignee_id": assignee_id, "reason": reason}
        given |= {"others": others, "freezes": freezes, "maintenance": maintenance}
        try:
            return host.by(by, role=role, at=at, expect=expect).record(change.schedule, change_id, **given)
        except Conflict:
            if attempt == _ATTEMPTS:
                raise
    raise AssertionError("the last attempt returns or raises")


def _known(
    host: OpsLedger, change_id: str, starts_at: datetime, ends_at: datetime
) -> tuple[list[Booking], list[FreezeWindow], dict[str, int]]:
    """Return the planned changes and the freezes that meet a window, and the versions at which their streams were looked at."""
    tables, head = host.tables, host.store.head().position
    bookings: list[Booking] = []
    freezes: list[FreezeWindow] = []
    expect: dict[str, int] = {}
    for row in tables.select("change", at_least=head):
        begins, ends = row["planned_start_at"], row["planned_end_at"]
        if row["change_id"] == change_id or row["status"] in _FREE or begins is None or not (begins < ends_at and starts_at < ends):
            continue
        items = tuple(each["ci_id"] for each in tables.select("change_ci", change_id=row["change_id"]))
        bookings.append(Booking(row["change_id"], micros(begins), micros(ends), items, row["assignee_id"] or ""))
        expect |= _looked_at(host, f"change:{row['change_id']}", row)
    for row in tables.select("freeze_period", at_least=head):
        if row["starts_at"] < ends_at and starts_at < row["over_at"]:
            items = tuple(each["ci_id"] for each in tables.select("freeze_ci", freeze_id=row["freeze_id"]))
            freezes.append(FreezeWindow(row["freeze_id"], micros(row["starts_at"]), micros(row["over_at"]), items))
            expect |= _looked_at(host, f"freeze:{row['freeze_id']}", row)
    return bookings, freezes, expect


def _looked_at(host: OpsLedger, stream: str, row: dict[str, Any]) -> dict[str, int]:
    """Return the version of a stream of which a row tells."""
    return {stream: max(recorded.version for recorded in host.history(stream) if recorded.position <= row["last_position"])}
