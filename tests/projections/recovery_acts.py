"""What tests do to the recovery of the database, on 2 March 2026 and after, and how they look at the rows."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from opsledger.app import OpsLedger
from opsledger.app.recording import Receipt
from opsledger.domain import automation_run, integrity_check, recovery_drill, recovery_point, restore, service
from opsledger.testing import at

HEAD = "2026-07-01T00:00:00Z"
US = 1_000_000


def on(time: str) -> datetime:
    """Return a time of 2 March 2026, written 10:04; of another day of March, written 05T10:04; or any other, written whole."""
    if len(time) == 5:
        return at(f"2026-03-02T{time}:00Z")
    return at(f"2026-03-{time}:00Z") if len(time) == 8 else at(time)


def act(ledger: OpsLedger, time: str, decision: Any, id: str, by: str = "u-7", **given: Any) -> Receipt:
    return ledger.by(by, role="sre", at=on(time)).record(decision, id, **given)


def run(ledger: OpsLedger, time: str = "00:00", id: str = "database") -> None:
    act(ledger, time, service.register, id, name=id, kind=id, owner_id="t-1")


def take(ledger: OpsLedger, completed: str, recoverable: str, id: str, **given: Any) -> None:
    stream = recovery_point.stream_of("database", on(completed)).partition(":")[2]
    point: dict[str, Any] = {"service_id": "database", "point_id": id, "kind": "full", "recoverable_at": on(recoverable), **given}
    act(ledger, completed, recovery_point.take, stream, **point)


def fail(ledger: OpsLedger, failed: str, recovered: str, restored: str | None, id: str = "R-1", **given: Any) -> None:
    """Let the database fail, and be restored from five minutes later on."""
    asked: dict[str, Any] = {"service_id": "database", "failed_at": on(failed), "cause": "hardware", **given}
    act(ledger, failed, restore.start, id, **asked)
    if restored is not None:
        act(ledger, restored, restore.complete, id, recovered_to=on(recovered))


def drill(ledger: OpsLedger, failed: str, recovered: str | None, restored: str | None, id: str = "D-1", **given: Any) -> None:
    """Hold a drill that is over at noon of the day of the failure, unless `over` says when."""
    over = given.pop("over", f"{on(failed):%Y-%m-%d}T12:00:00Z")
    asked: dict[str, Any] = {"service_id": "database", "failed_at": on(failed), "scenario": "provider", **given}
    asked |= {"recovered_to": recovered and on(recovered), "restored_at": restored and on(restored)}
    act(ledger, over, recovery_drill.complete, id, **asked)


def check(ledger: OpsLedger, time: str, mismatches: int = 0, id: str = "IC-1", **given: Any) -> Receipt:
    asked: dict[str, Any] = {"service_id": "database", "scope": "invoices", "against": "checksums", "rows": 1000, **given}
    return act(ledger, time, integrity_check.complete, id, mismatches=mismatches, **asked)


def heal(ledger: OpsLedger, time: str, outcome: automation_run.Outcome, id: str, kind: automation_run.Kind = "self_healing") -> Receipt:
    stream = automation_run.stream_of("restart", on(time)).partition(":")[2]
    asked: dict[str, Any] = {"automation_id": "restart", "run_id": id, "started_at": on(time), "trigger": "alert", "kind": kind}
    return act(ledger, time, automation_run.end, stream, outcome=outcome, **asked)


def select(ledger: OpsLedger, table: str, **where: Any) -> list[dict[str, Any]]:
    return ledger.tables.select(table, at_least=ledger.store.head().position, **where)


def one(ledger: OpsLedger, table: str, **where: Any) -> dict[str, Any]:
    (found,) = select(ledger, table, **where)
    return found


def findings(ledger: OpsLedger, *controls: str) -> list[tuple[Any, ...]]:
    rows = select(ledger, "control_finding")
    return [(each["control"], each["found_at"], each["kept_at"]) for each in rows if not controls or each["control"] in controls]


def rebuilt_as_it_stood(ledger: OpsLedger) -> bool:
    ledger.catch_up()
    return [difference.table for difference in ledger.tables.rebuild() if difference.rows] == []
