"""A small history that is tampered with, and what its verification found."""

from __future__ import annotations

from typing import Any

from opsledger.app import OpsLedger
from opsledger.audit.findings import Checked, Finding
from opsledger.domain import ticket
from opsledger.policies.support import Priority
from opsledger.replay.verify import Report


def register(ledger: OpsLedger, id: str, priority: Priority = Priority.HIGH) -> None:
    person = {"customer_id": "C-1", "requester_id": "p-1", "channel": "email"}
    ledger.by("u-7", role="support").record(ticket.register, id, priority=priority, summary="It is broken", **person)


def verified(ledger: OpsLedger, *checks: str, strict: bool = False) -> Report:
    return ledger.verify(*checks, strict=strict)


def check_of(report: Report, name: str) -> Checked:
    return next(check for check in report.checks if check.name == name)


def places(report: Report, name: str) -> list[tuple[Any, ...]]:
    return [(each.position, each.stream, each.column) for each in check_of(report, name).findings]


def only(report: Report, name: str) -> Finding:
    check = check_of(report, name)
    assert check.found == len(check.findings) == 1, check.findings
    return check.findings[0]


def stored_state(ledger: OpsLedger, position: int) -> str:
    return ledger.store.page(position - 1, 1)[0].state.decode().replace("'", "''")


def not_clean(report: Report) -> dict[str, str]:
    """Return the verdicts of the checks that are not clean."""
    return {check.name: check.verdict for check in report.checks if check.verdict != "clean"}
