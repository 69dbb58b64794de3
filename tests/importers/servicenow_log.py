"""Tiny ServiceNow logs, written by the tests that read them, and what a ledger made of one."""

from __future__ import annotations

import csv
from pathlib import Path

from opsledger.app import OpsLedger
from opsledger.importers.servicenow import ImportResult, import_servicenow
from opsledger.importers.servicenow_rows import COLUMNS

ZONE = "America/Sao_Paulo"  # three hours behind UTC in March 2016

# One update of an incident that nothing is wrong with: opened on Tuesday, 1 March 2016, at 09:00.
_UPDATE = {
    **dict.fromkeys(COLUMNS, "?"),
    "number": "INC1",
    "incident_state": "New",
    "active": "true",
    "reassignment_count": "0",
    "reopen_count": "0",
    "sys_mod_count": "0",
    "made_sla": "true",
    "caller_id": "Caller 1",
    "opened_at": "1/3/2016 09:00",
    "sys_updated_by": "Updated by 1",
    "sys_updated_at": "1/3/2016 09:00",
    "contact_type": "Phone",
    "priority": "3 - Moderate",
}


def update(at: str = "", **columns: str) -> dict[str, str]:
    """Return a row, `at` as `1/3/2016 09:30`; what is not given is as in an incident that has just been opened."""
    return {**_UPDATE, **({"sys_updated_at": at} if at else {}), **columns}


def write(path: Path, *rows: dict[str, str], columns: tuple[str, ...] = COLUMNS) -> Path:
    """Write rows as a log and return its path."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return path


def life(number: str = "INC1", caller: str = "Caller 1") -> list[dict[str, str]]:
    """Return the rows of an incident that was opened, worked on, held, resolved, reopened, resolved and closed.

    As in the vendor's export, the outcome columns stand on every row from the first on.
    """
    outcome = {"closed_code": "code 6", "resolved_by": "Resolved by 9", "resolved_at": "2/3/2016 15:00", "closed_at": "7/3/2016 15:00"}
    same = {"number": number, "caller_id": caller, "assignment_group": "Group 1", **outcome}
    worked = {**same, "assigned_to": "Resolver 4"}
    return [
        update("1/3/2016 09:05", **same, sys_mod_count="0", incident_state="New"),
        update("1/3/2016 10:00", **worked, sys_mod_count="1", incident_state="Active"),
        update("1/3/2016 11:00", **worked, sys_mod_count="2", incident_state="Awaiting User Info"),
        update("1/3/2016 15:00", **worked, sys_mod_count="3", incident_state="Active", priority="2 - High"),
        update("1/3/2016 17:00", **worked, sys_mod_count="4", incident_state="Resolved", priority="2 - High"),
        update("2/3/2016 09:00", **worked, sys_mod_count="5", incident_state="Active", priority="2 - High", reopen_count="1"),
        update("2/3/2016 15:00", **worked, sys_mod_count="6", incident_state="Resolved", priority="2 - High", reopen_count="1"),
        update(
            "7/3/2016 15:00",
            **worked,
            sys_mod_count="7",
            incident_state="Closed",
            priority="2 - High",
            reopen_count="1",
            made_sla="false",
        ),
    ]


def take(ledger: OpsLedger, path: Path) -> ImportResult:
    return import_servicenow(ledger, path, ZONE)


def facts(ledger: OpsLedger, stream: str = "ticket:INC1") -> list[object]:
    """Return the facts of a ticket without the vendor's own answers."""
    return [recorded.fact for recorded in ledger.history(stream) if recorded.topic != "ticket.source_stated"]


def quarantine(ledger: OpsLedger) -> list[tuple[int, str, str | None, str | None]]:
    """Return row, reason, id and unreadable column of what the newest run set aside."""
    ledger.catch_up()
    newest = ledger.tables.select("import_run")[-1]["import_id"]
    rows = ledger.tables.select("import_quarantine", import_id=newest)
    return [(row["row_number"], row["reason"], row["source_id"], row["unreadable_column"]) for row in rows]
