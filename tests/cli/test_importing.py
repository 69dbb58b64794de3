"""import servicenow: the real log is taken in by tests/importers; here is what the command makes of a small one."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from opsledger.importers.servicenow_rows import COLUMNS

ROW = dict.fromkeys(COLUMNS, "?") | {
    "number": "INC0000045",
    "incident_state": "New",
    "active": "true",
    "reassignment_count": "0",
    "reopen_count": "0",
    "made_sla": "true",
    "caller_id": "Caller 2403",
    "opened_by": "Opened by  8",
    "opened_at": "29/2/2016 01:16",
    "priority": "3 - Moderate",
}
UPDATES = [
    {"sys_mod_count": "0", "sys_updated_at": "29/2/2016 01:23"},
    {"sys_mod_count": "1", "sys_updated_at": "29/2/2016 08:53", "incident_state": "Resolved", "resolved_at": "29/2/2016 08:53"},
    {"sys_mod_count": "2", "sys_updated_at": "5/3/2016 12:00", "incident_state": "Closed", "closed_at": "5/3/2016 12:00"},
]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "incidents.csv"
    _write(path, [ROW | update for update in UPDATES])
    return path


def _write(path: Path, rows: list[dict[str, str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)


def _import(run: Any, log: Path, *more: str) -> Any:
    url = f"sqlite:///{log.parent}/uci.db"
    return run("import", "servicenow", str(log), "--zone", "America/Sao_Paulo", "--format", "json", "--ledger", url, *more)


def _counts(done: Any) -> dict[str, int]:
    assert done.exit_code == 0, done.stderr
    return {row["what"]: row["count"] for row in json.loads(done.stdout)}


def test_a_log_is_taken_in_by_a_ledger_created_for_it_and_verified(log: Path, run: Any) -> None:
    done = _import(run, log)
    counts = _counts(done)
    assert (counts["rows"], counts["new"], counts["quarantined"]) == (3, 3, 0)
    url = ("--ledger", f"sqlite:///{log.parent}/uci.db")
    assert done.stderr.startswith(f"Created the ledger {url[1]}.\n")
    assert run("catch-up", *url).exit_code == 0
    rows = json.loads(run("select", "ticket", "--format", "json", *url).stdout)
    assert [(row["status"], row["priority"], row["resolved_at"]) for row in rows] == [
        ("closed", "medium", "2016-02-29T11:53:00.000000Z"),
    ]
    assert run("verify", "--strict", *url).exit_code == 0
    assert "2016-02" in run("report", "sla", *url).stdout


def test_the_same_log_again_adds_nothing(log: Path, run: Any) -> None:
    _import(run, log)
    done = _import(run, log)
    counts = _counts(done)
    assert (counts["new"], counts["known"], counts["facts"], "Created" in done.stderr) == (0, 3, 0, False)


def test_changed_rows_are_set_aside_and_listed(log: Path, run: Any) -> None:
    _import(run, log)
    _write(log, [ROW | update for update in UPDATES[:2]] + [ROW | UPDATES[2] | {"priority": "1 - Critical"}])
    done = _import(run, log)
    assert (_counts(done)["changed"], _counts(done)["quarantined"]) == (1, 1)
    assert "1 row set aside; `opsledger select import_quarantine import_id=" in done.stderr


def test_who_answers_for_the_policy_can_be_named(log: Path, run: Any) -> None:
    done = _import(run, log, "--proposer", "u-1", "--approver", "u-1")
    assert (done.exit_code, "cannot approve" in done.stderr) == (2, True)
    assert _counts(_import(run, log, "--proposer", "u-1", "--approver", "u-2"))["new"] == 3
    url = ("--ledger", f"sqlite:///{log.parent}/uci.db")
    run("catch-up", *url)
    people = [(row["proposed_by"], row["approved_by"]) for row in json.loads(run("select", "policy", "--format", "json", *url).stdout)]
    assert ("u-1", "u-2") in people


def test_an_imports_past_is_asked_for_by_effective_at(log: Path, tmp_path: Path, run: Any) -> None:
    _import(run, log)
    url = ("--ledger", f"sqlite:///{log.parent}/uci.db")
    nothing = run("replay", "--known-at", "2016-03-01", "--into", f"sqlite:///{tmp_path}/a.db", *url)
    assert (nothing.exit_code, "--effective-at" in nothing.stderr) == (2, True)
    assert run("replay", "--effective-at", "2016-03-01", "--into", f"sqlite:///{tmp_path}/b.db", *url).exit_code == 0
    from opsledger.cli.opening import tables_into

    with tables_into(f"sqlite:///{tmp_path}/b.db") as tables:
        assert tables.select("ticket")[0]["status"] == "resolved"


def test_an_unknown_zone_and_a_file_that_is_no_log_are_one_sentence(log: Path, run: Any) -> None:
    url = ("--ledger", f"sqlite:///{log.parent}/uci.db")
    done = run("import", "servicenow", str(log), "--zone", "Mars/Olympus", *url)
    assert (done.exit_code, "has no zone 'Mars/Olympus'" in done.stderr) == (2, True)
    log.write_text("a,b\n1,2\n")
    done = _import(run, log)
    assert (done.exit_code, done.stdout, "Traceback" in done.stderr) == (2, "", False)
    assert list(log.parent.glob("uci.*")) == [], "and no ledger was made for nothing"


def test_one_who_approves_what_they_proposed_is_refused_before_a_ledger_is_made(log: Path, run: Any) -> None:
    done = _import(run, log, "--proposer", "u-1", "--approver", "u-1")
    assert (done.exit_code, "[approval.same_person]" in done.stderr) == (2, True)
    assert list(log.parent.glob("uci.*")) == []
