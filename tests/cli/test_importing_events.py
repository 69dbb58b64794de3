"""import csv, helpdesk, volvo, zendesk: real logs are taken in by tests/importers; here is what the commands make of small ones."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

DESK = """\
source: desk
columns: {ticket: Number, at: Time, event: Status}
time: {format: "%Y-%m-%d %H:%M", zone: Europe/Berlin}
words: {New: [], Done: [resolve]}
"""
ROWS = "Number,Time,Status\n1,2026-02-02 09:00,New\n1,2026-02-02 10:00,Done\n"
HELPDESK = (
    "Case ID,Activity,Resource,Complete Timestamp,customer,product,service_type,workgroup\n"
    "Case 1,Take in charge ticket,Value 1,2012/10/09 14:51:01.000,Value 1,Value 1,Value 1,Value 1\n"
)
VOLVO = (
    "SR Number,Change Date+Time,Sub Status,Involved ST,ST Level,SR Latest Impact,Product\n"
    "1-364285768,2010-03-31T15:59:42+01:00,In Progress,V30,L1,Medium,PROD582\n"
)


ZENDESK = (
    "id,created_at,updated_at,status,priority,organization_id,requester_id,via_channel,assignee_id,group_id\n"
    "7,2026-02-02 09:00:00,2026-02-02 10:00:00,thawed,high,901,5501,email,,\n"
)


def _counts(done: Any) -> dict[str, int]:
    assert done.exit_code == 0, done.stderr
    return {row["what"]: row["count"] for row in json.loads(done.stdout)}


def test_a_hosts_log_is_taken_in_by_its_mapping_and_again_adds_nothing(tmp_path: Path, run: Any) -> None:
    log, mapping = tmp_path / "log.csv", tmp_path / "desk.yaml"
    log.write_text(ROWS, encoding="utf-8")
    mapping.write_text(DESK, encoding="utf-8")
    command = ("import", "csv", str(log), "--mapping", str(mapping), "--format", "json", "--ledger", f"sqlite:///{tmp_path}/desk.db")
    first, again = _counts(run(*command)), _counts(run(*command))
    assert (first["rows"], first["new"], first["quarantined"]) == (2, 2, 0)
    assert (again["new"], again["known"], again["facts"]) == (0, 2, 0)


@pytest.mark.parametrize(("name", "text"), [("helpdesk", HELPDESK), ("volvo", VOLVO)])
def test_a_log_that_we_have_a_mapping_for_needs_none(name: str, text: str, tmp_path: Path, run: Any) -> None:
    log = tmp_path / "log.csv"
    log.write_text(text, encoding="utf-8")
    done = run("import", name, str(log), "--format", "json", "--ledger", f"sqlite:///{tmp_path}/{name}.db")
    assert _counts(done)["new"] == 1


def test_a_folder_of_zendesk_is_taken_in_also_by_a_mapping_of_ones_own(tmp_path: Path, run: Any) -> None:
    folder, mapping, url = tmp_path / "export", tmp_path / "desk.yaml", f"sqlite:///{tmp_path}/desk.db"
    folder.mkdir()
    none = run("import", "zendesk", str(folder), "--ledger", url)
    assert none.exit_code != 0
    assert "holds no ticket.csv" in none.stderr
    (folder / "ticket.csv").write_text(ZENDESK, encoding="utf-8")
    assert not (tmp_path / "desk.db").exists()
    counts = _counts(run("import", "zendesk", str(folder), "--format", "json", "--ledger", url))
    assert (counts["rows"], counts["new"], counts["dirt: unknown_word"]) == (2, 2, 1)
    shipped = (files("opsledger.importers") / "mappings" / "zendesk.yaml").read_text(encoding="utf-8")
    mapping.write_text(
        shipped.replace("source: zendesk", "source: ours").replace("  closed: [close]\n", "  closed: [close]\n  thawed: [open]\n")
    )
    other = run("import", "zendesk", str(folder), "--mapping", str(mapping), "--format", "json", "--ledger", f"{url}.2")
    assert _counts(other).get("dirt: unknown_word") is None


def test_a_wrong_mapping_and_a_wrong_file_make_no_ledger(tmp_path: Path, run: Any) -> None:
    log, mapping = tmp_path / "log.csv", tmp_path / "desk.yaml"
    log.write_text(ROWS, encoding="utf-8")
    mapping.write_text(DESK.replace("[resolve]", "[solve]"), encoding="utf-8")
    url = f"sqlite:///{tmp_path}/desk.db"
    wrong = run("import", "csv", str(log), "--mapping", str(mapping), "--ledger", url)
    assert wrong.exit_code != 0
    assert "words.Done" in wrong.stderr
    other = run("import", "volvo", str(log), "--ledger", url)
    assert other.exit_code != 0
    assert "SR Number" in other.stderr
    assert not (tmp_path / "desk.db").exists()
