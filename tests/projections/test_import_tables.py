"""What analysts read about imports: runs, what was set aside, and how far the source and we agree."""

from __future__ import annotations

from typing import Any

import pytest

from opsledger.app import OpsLedger, Taken
from opsledger.domain import imports
from opsledger.domain import ticket as t
from opsledger.policies.instants import at
from opsledger.policies.support import Priority
from opsledger.testing.plugin import Clock

FILE = {"source": "servicenow", "file_name": "log.csv", "sha256": "0" * 64, "zone": "America/Sao_Paulo"}
NINE = at("2026-03-02T09:00:00Z")
TEN = at("2026-03-02T10:00:00Z")


def register(ledger: OpsLedger, priority: Priority = Priority.MEDIUM) -> None:
    ledger.by("u-7").record(t.register, "T-1", customer_id="C-1", requester_id="p-1", channel="email", priority=priority, summary="Help")


def reconciled(ledger: OpsLedger, **said: Any) -> dict[str, Any]:
    """Return the row of the ticket once its source has said something."""
    receipt = ledger.by("import").record(t.state_source, "T-1", **said)
    (row,) = ledger.tables.select("import_reconciliation", at_least=receipt.position)
    return row


def observe(ledger: OpsLedger, *facts: Any) -> None:
    ledger.by("import").observe([Taken("end", tuple(("import:servicenow/1", fact) for fact in facts))], source="servicenow")


def test_a_run_that_was_cut_off_has_no_end(opsledger_sqlite: OpsLedger) -> None:
    opsledger_sqlite.by("import").record(imports.start, "servicenow/1", **FILE, rows=3)
    opsledger_sqlite.catch_up()
    (row,) = opsledger_sqlite.tables.select("import_run")
    assert (row["started_at"], row["finished_at"], row["total_rows"], row["new_rows"]) == (NINE, None, 3, None)
    assert (row["source"], row["file_name"], row["zone"]) == ("servicenow", "log.csv", "America/Sao_Paulo")


def test_a_finished_run_says_what_it_came_to(opsledger_sqlite: OpsLedger, opsledger_clock: Clock) -> None:
    opsledger_sqlite.by("import").record(imports.start, "servicenow/1", **FILE, rows=9)
    opsledger_clock.set(TEN)
    observe(
        opsledger_sqlite,
        imports.RowQuarantined(quarantined_at=TEN, row=4, source_id="INC1/2", reason="changed"),
        imports.RowQuarantined(quarantined_at=TEN, row=7, reason="malformed", column="opened_at"),
        imports.DirtCounted(counted_at=TEN, kind="same_minute", count=21, first_rows=(3, 5)),
        imports.Finished(finished_at=TEN, rows=9, new=3, known=4, changed=1, quarantined=2, facts=8),
    )
    opsledger_sqlite.catch_up()
    (run,) = opsledger_sqlite.tables.select("import_run")
    counts = ("total_rows", "new_rows", "known_rows", "changed_rows", "quarantined_rows", "facts")
    assert [run[name] for name in counts] == [9, 3, 4, 1, 2, 8]
    assert run["finished_at"] == TEN
    (dirt,) = opsledger_sqlite.tables.select("import_dirt")
    assert (dirt["import_id"], dirt["kind"], dirt["count"], dirt["first_rows"]) == ("servicenow/1", "same_minute", 21, "3, 5")
    changed, malformed = opsledger_sqlite.tables.select("import_quarantine")
    assert (changed["row_number"], changed["source_id"], changed["reason"], changed["unreadable_column"]) == (4, "INC1/2", "changed", None)
    assert (malformed["row_number"], malformed["source_id"], malformed["unreadable_column"]) == (7, None, "opened_at")
    assert changed["quarantined_at"] == TEN
    assert [each for each in opsledger_sqlite.tables.rebuild() if each.rows] == []


def test_a_ticket_of_which_no_source_has_said_anything_is_not_reconciled(opsledger_sqlite: OpsLedger) -> None:
    register(opsledger_sqlite)
    opsledger_sqlite.catch_up()
    assert opsledger_sqlite.tables.select("ticket_source") == []
    assert opsledger_sqlite.tables.select("import_reconciliation") == []


def test_the_newest_statement_counts(opsledger_sqlite: OpsLedger, opsledger_clock: Clock) -> None:
    register(opsledger_sqlite)
    opsledger_clock.set(TEN)
    opsledger_sqlite.by("import").record(t.state_source, "T-1", status="Active", reopen_count=2)
    late = opsledger_sqlite.by("import", at=NINE).record(t.state_source, "T-1", status="New", reopen_count=1)
    (row,) = opsledger_sqlite.tables.select("ticket_source", at_least=late.position)
    assert (row["status"], row["reopen_count"], row["stated_at"], row["statements"]) == ("Active", 2, TEN, 2)


@pytest.mark.parametrize(("status", "agrees"), [("New", True), ("Active", False), ("Resolved", False), ("Closed", False), ("-100", None)])
def test_states_agree_where_they_mean_the_same(opsledger_sqlite: OpsLedger, status: str, agrees: bool | None) -> None:
    register(opsledger_sqlite)
    row = reconciled(opsledger_sqlite, status=status)
    assert (row["status"], row["source_status"], row["status_agrees"]) == ("new", status, agrees)


def test_a_ticket_that_a_group_has_may_still_be_new_there(opsledger_sqlite: OpsLedger) -> None:
    register(opsledger_sqlite)
    opsledger_sqlite.by("u-7").record(t.assign, "T-1", group="Group 1")
    assert reconciled(opsledger_sqlite, status="New")["status_agrees"] is True
    assert reconciled(opsledger_sqlite, status="Active")["status_agrees"] is True


@pytest.mark.parametrize(("status", "agrees"), [("Awaiting Vendor", True), ("Awaiting Problem", False), ("Active", False)])
def test_a_wait_agrees_where_it_is_for_the_same(opsledger_sqlite: OpsLedger, status: str, agrees: bool) -> None:
    register(opsledger_sqlite)
    opsledger_sqlite.by("u-7").record(t.pause, "T-1", reason="awaiting_vendor")
    assert reconciled(opsledger_sqlite, status=status)["status_agrees"] is agrees


@pytest.mark.parametrize(("said", "agrees"), [("3 - Moderate", True), ("2 - High", False), ("9 - Whatever", None), (None, None)])
def test_priorities_agree_where_they_mean_the_same(opsledger_sqlite: OpsLedger, said: str | None, agrees: bool | None) -> None:
    register(opsledger_sqlite)
    row = reconciled(opsledger_sqlite, status="New", priority=said)
    assert (row["source_priority"], row["priority"], row["priority_agrees"]) == (said, "medium", agrees)


@pytest.mark.parametrize(("said", "agrees"), [(0, True), (1, False), (None, None)])
def test_counts_agree_where_they_are_equal(opsledger_sqlite: OpsLedger, said: int | None, agrees: bool | None) -> None:
    register(opsledger_sqlite)
    row = reconciled(opsledger_sqlite, status="New", reopen_count=said, reassignment_count=said)
    assert (row["reopen_count_agrees"], row["reassignment_count_agrees"]) == (agrees, agrees)


@pytest.mark.parametrize(
    ("resolved", "outcome", "said", "agrees"),
    [
        ("2026-03-03T09:00:00Z", "met", True, True),  # exactly on the 24 hours of a medium ticket
        ("2026-03-03T09:00:00Z", "met", False, False),
        ("2026-03-03T09:00:01Z", "breached", False, True),
        ("2026-03-03T09:00:01Z", "breached", None, None),
        (None, "running", True, None),
    ],
)
def test_verdicts_agree_where_both_have_judged(
    opsledger_sqlite: OpsLedger, opsledger_clock: Clock, resolved: str | None, outcome: str, said: bool | None, agrees: bool | None
) -> None:
    register(opsledger_sqlite)
    if resolved is not None:
        opsledger_clock.set(resolved)
        opsledger_sqlite.by("u-7").record(t.resolve, "T-1")
    row = reconciled(opsledger_sqlite, status="New", sla_met=said)
    assert (row["resolution_outcome"], row["source_sla_met"], row["sla_agrees"]) == (outcome, said, agrees)
