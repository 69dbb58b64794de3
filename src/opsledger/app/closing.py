"""Closing: what a table said of a period is computed as known at a position, and frozen in a fact that two people stand for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opsledger.app.recording import Receipt, checked_id
from opsledger.domain import period as periods
from opsledger.errors import BadInput
from opsledger.policies.instants import iso, micros, moment
from opsledger.replay.build import Progress
from opsledger.replay.evidence.closes import ends_at, frozen, period_column, replayed
from opsledger.replay.executor import executor
from opsledger.replay.tables import AsOf

if TYPE_CHECKING:
    from opsledger.app.ledger import OpsLedger

__all__ = ["close_period"]


def close_period(
    host: OpsLedger,
    table: str,
    period: str,
    *,
    proposed_by: str,
    approved_by: str,
    position: int | None = None,
    reason: str = "",
    progress: Progress | None = None,
    workers: int = 1,
) -> Receipt:
    """Freeze the rows of a table or view for a month or a day, as known at a position (default: the head).

    A period that was closed before is restated, which needs a `reason`; where it says the same, nothing is added. So many `workers` fold.
    """
    head = host.store.head().position
    known = head if position is None else position
    if not 0 < known <= head:
        raise BadInput("period.position", f"The ledger has positions 1 to {head}; {known} is none of them.")
    described = host.tables.tables.describe(table)
    column = period_column(described)
    checked_id(period)
    with replayed(host.store, [table], executor(workers)) as tables:
        recorded_at = tables.to(known, progress)
        end = micros(ends_at(tables.tables, column, period))
        _check_known(host, period, known, end)
        effective_at = max(recorded_at, end)
        tables.show(AsOf(known, recorded_at, effective_at))
        kept = frozen(tables.tables, table, period)
    given: dict[str, Any] = {"table": table, "month_or_day": period, "ends_at": moment(end), "position": known, "frozen": kept}
    given |= {"effective_at": moment(effective_at), "proposed_by": proposed_by, "approved_by": approved_by}
    approver = host.by(approved_by, role="approver")
    if reason:
        return approver.record(periods.restate, f"{table}/{period}", reason=reason, **given)
    return approver.record(periods.close, f"{table}/{period}", **given)


def _check_known(host: OpsLedger, period: str, known: int, end: int) -> None:
    """Refuse a position after which the ledger learnt more before the period was over."""
    after = host.store.page(known, 1)
    if after and after[0].recorded_at < end:
        last = host.store.position_at(end - 1)
        raise BadInput(
            "period.known_early",
            f"{period} lasts until {iso(end)}, and the ledger knew more of it by then than at position {known}; "
            f"close it as known at position {last} or later.",
        )
