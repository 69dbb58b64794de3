"""What the tests of measurement do: windows of a series' requests, and the objective that counts them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

from opsledger.app import OpsLedger, TakenIn
from opsledger.app.measuring import taken
from opsledger.domain import slo
from opsledger.domain.measurement import Buckets, Edge, WindowRecorded
from opsledger.policies.buckets import MICROSECOND, SCALE, index_of, packed
from opsledger.testing import at

SERIES = "api-requests"
PEOPLE = {"proposed_by": "u-1", "approved_by": "u-2"}
EDGES = (149_999, 499_999)


def window(
    start: str,
    times: Sequence[int] = (),
    *,
    errors: int = 0,
    rejected: int = 0,
    source: str = "host-1",
    revision: int = 0,
    minutes: int = 1,
    edges: Sequence[int] = EDGES,
    fine: bool = True,
    **given: Any,
) -> WindowRecorded:
    """A window in which requests took so many microseconds, and as many as were rejected had no answer."""
    counts: dict[int, int] = {}
    for us in times:
        if us:
            counts[index_of(us)] = counts.get(index_of(us), 0) + 1
    steps, held = packed(counts)
    named = {"series_id": SERIES, "service_id": "api", "kind": "api", **given}
    return WindowRecorded(
        started_at=at(start),
        ended_at=at(start) + timedelta(minutes=minutes),
        source=source,
        revision=revision,
        total=len(times) + rejected,
        errors=errors,
        rejected=rejected,
        timed=len(times),
        sum_us=sum(times),
        min_us=min(times, default=None),
        max_us=max(times, default=None),
        edges=tuple(Edge(at_most_us=edge, count=sum(us <= edge for us in times)) for edge in edges),
        buckets=Buckets(scale=SCALE, unit_ns=MICROSECOND, zero=list(times).count(0), steps=steps, counts=held) if fine else None,
        **named,
    )


def observe(ledger: OpsLedger, *windows: WindowRecorded) -> TakenIn:
    """Record windows, each under its source."""
    total = TakenIn()
    for each in windows:
        total.add(ledger.by(each.source, role="host").observe([taken(each)], source=each.source))
    return total


def promise(ledger: OpsLedger, id: str = "api-requests", since: str = "2026-03-01T00:00:00Z", **terms: Any) -> None:
    """Publish an objective that counts the API's requests, effective from a time that may lie in the past."""
    given: dict[str, Any] = {"objective": "requests", "series_id": SERIES, "target_pct": Decimal("99.9"), **terms}
    given |= {"effective_from": at(since), "reason": "As the contract says", **PEOPLE}
    ledger.by("u-1").record(slo.publish, id, service_id="api", **given)


def told(ledger: OpsLedger, table: str, **where: Any) -> list[dict[str, Any]]:
    """The rows of a table or view, up to the newest fact."""
    return ledger.tables.select(table, at_least=ledger.store.head().position, **where)


def live_is_rebuilt(ledger: OpsLedger) -> None:
    assert {each.table: each.rows for each in ledger.tables.rebuild() if each.rows} == {}
