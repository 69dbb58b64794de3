"""Two real help desks, against a second reading of their logs that shares no code with the importer."""

from __future__ import annotations

import csv
import lzma
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from conftest import shared_data
from opsledger.app import OpsLedger
from opsledger.importers.event_log import import_event_log
from opsledger.importers.event_log_mapping import shipped
from opsledger.importers.run import ImportResult
from opsledger.ledger.engine import engine
from opsledger.ledger.store import pages
from opsledger.ledger.url import parse_url
from opsledger.policies.instants import at, micros
from opsledger.replay.asof import as_of, replay
from opsledger.replay.tables import Tables

Import = tuple[OpsLedger, ImportResult, Path]
Cases = dict[str, list[dict[str, str]]]

HELPDESK_OPEN = ("Assign seriousness", "Take in charge ticket", "Resolve SW anomaly")
HELPDESK_WAITS = {
    "Wait": "on_hold",
    "Require upgrade": "on_hold",
    "Schedule intervention": "on_hold",
    "Create SW anomaly": "awaiting_problem",
}
VOLVO_OPEN = ("Awaiting Assignment", "Assigned", "In Progress")
VOLVO_WAITS = {
    "Wait": "on_hold",
    "Wait - User": "awaiting_customer",
    "Wait - Customer": "awaiting_customer",
    "Wait - Vendor": "awaiting_vendor",
    "Wait - Implementation": "on_hold",
}
VOLVO_LEVELS = {"L1": "l1", "L2": "l2", "L2/L3": "l2", "L3": "engineering"}
IMPACTS = {"Major": "critical", "High": "high", "Medium": "medium", "Low": "low"}


def taken(name: str, path: Path, folder: Path) -> Iterator[Import]:
    with OpsLedger.create(f"sqlite:///{folder}/ops.db") as ledger:
        result = import_event_log(ledger, path, shipped(name))
        ledger.catch_up()
        yield ledger, result, path


@pytest.fixture(scope="module")
def helpdesk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Import]:
    yield from taken("helpdesk", shared_data() / "helpdesk" / "helpdesk_full.csv.xz", tmp_path_factory.mktemp("helpdesk"))


@pytest.fixture(scope="module")
def volvo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Import]:
    yield from taken("volvo", shared_data() / "volvo" / "vinst_incidents.csv.xz", tmp_path_factory.mktemp("volvo"))


def cases(path: Path, ticket: str) -> Cases:
    """Return a log's rows by ticket, each once, in the file's order, which is that of time in both logs."""
    found: dict[str, dict[tuple[str, ...], dict[str, str]]] = defaultdict(dict)
    with lzma.open(path, "rt", encoding="utf-8-sig") as file:
        for row in csv.DictReader(file):
            found[row[ticket]].setdefault(tuple(row.values()), row)
    return {number: list(rows.values()) for number, rows in found.items()}


def topics(ledger: OpsLedger) -> Counter[str]:
    heads = (row for page in pages(ledger.store, 0, ledger.store.head().position) for row in page)
    return Counter(row.topic for row in heads if row.stream.startswith("ticket:"))


def told(words: list[str], opens: tuple[str, ...], waits: dict[str, str], ends: dict[str, str]) -> tuple[str, str | None, Counter[str]]:
    """Return the status that a ticket's words lead to, whom it waits for, and how often it came to what on the way."""
    state, reason, counts = "open", None, Counter[str]()
    for word in words:
        if word in ends:
            if state == "open" and ends[word] != "cancelled":
                counts["resolved" if "resolved" in ends[word] else "closed"] += 1
                counts["closed"] += ends[word] == "resolved, closed"
                state, reason = ends[word].rpartition(", ")[2], None
            elif state == "resolved" and ends[word] == "closed":
                counts["closed"] += 1
                state = "closed"
            elif state == "open":
                counts["cancelled"] += 1
                state, reason = "cancelled", None
        elif word in opens or word in waits:
            counts["reopened"] += state != "open"
            if word in waits:
                counts["paused"] += reason != waits[word]
            elif reason is not None:
                counts["resumed"] += 1
            state, reason = "open", waits.get(word)
    return state, reason, counts


def test_every_row_of_the_help_desk_is_taken_in_once(helpdesk: Import) -> None:
    ledger, result, path = helpdesk
    read = cases(path, "Case ID")
    assert len(read) == 4580
    assert sum(map(len, read.values())) == 21348 - 127
    assert (result.rows, result.new, result.known, result.changed, result.quarantined) == (21348, 21221, 127, 0, 0)
    assert {kind: each.count for kind, each in result.dirt.items()} == {"customer_changes": 14, "same_event_twice": 127}
    again = import_event_log(ledger, path, shipped("helpdesk"))
    assert (again.new, again.known, again.facts, again.quarantined) == (0, 21348, 0, 0)


def test_each_ticket_of_the_help_desk_ends_as_its_words_say(helpdesk: Import) -> None:
    ledger, _, path = helpdesk
    read, total = cases(path, "Case ID"), Counter[str]()
    ours = {row["ticket_id"]: row for row in ledger.tables.select("ticket")}
    assert ours.keys() == read.keys()
    for number, rows in read.items():
        row, words = ours[number], [each["Activity"] for each in rows]
        state, reason, counts = told(words, HELPDESK_OPEN, HELPDESK_WAITS, {"Resolve ticket": "resolved", "Closed": "closed"})
        total += counts
        expected = "pending" if reason else state
        assert row["status"] in (expected, "new" if words == ["Insert ticket"] else expected), number
        assert (row["pause_reason"], row["reopen_count"], row["source_status"]) == (reason, counts["reopened"], words[-1]), number
        assert row["customer_id"] == rows[0]["customer"], number
        began = datetime.strptime(rows[0]["Complete Timestamp"], "%Y/%m/%d %H:%M:%S.%f").replace(tzinfo=ZoneInfo("Europe/Rome"))
        assert row["registered_at"] == began, number
        takes = [each for each in rows if each["Activity"] == "Take in charge ticket"]
        assert row["assignee_id"] == (takes[-1]["Resource"] if takes else None), number
    made = topics(ledger)
    assert made["ticket.registered"] == 4580
    assert {each: made[f"ticket.{each}"] for each in total} == total


def test_every_status_change_of_volvo_is_taken_in(volvo: Import) -> None:
    ledger, result, path = volvo
    read = cases(path, "SR Number")
    assert (len(read), sum(map(len, read.values()))) == (7554, 65533)
    assert (result.rows, result.new, result.known, result.changed, result.quarantined) == (65533, 65533, 0, 0, 0)
    assert result.dirt == {}
    again = import_event_log(ledger, path, shipped("volvo"))
    assert (again.new, again.known, again.facts, again.quarantined) == (0, 65533, 0, 0)


def test_each_case_of_volvo_ends_as_its_words_say(volvo: Import) -> None:
    ledger, _, path = volvo
    read, total = cases(path, "SR Number"), Counter[str]()
    ours = {row["ticket_id"]: row for row in ledger.tables.select("ticket")}
    assert ours.keys() == read.keys()
    ends = {"In Call": "resolved, closed", "Resolved": "resolved", "Closed": "closed", "Cancelled": "cancelled"}
    ended = 0
    for number, rows in read.items():
        row, words = ours[number], [each["Sub Status"] for each in rows]
        state, reason, counts = told(words, VOLVO_OPEN, VOLVO_WAITS, ends)
        total += counts
        ended += state != "open"
        assert row["status"] == ("pending" if reason else state), number
        assert (row["pause_reason"], row["reopen_count"], row["source_status"]) == (reason, counts["reopened"], words[-1]), number
        assert row["registered_at"] == datetime.fromisoformat(rows[0]["Change Date+Time"]), number
        assert row["initial_priority"] == "medium", number
        assert row["priority"] == (IMPACTS[rows[0]["SR Latest Impact"]] if set(words) & set(ends) else "medium"), number
    made = topics(ledger)
    assert made["ticket.registered"] == 7554
    assert {each: made[f"ticket.{each}"] for each in total} == total


def test_the_support_lines_of_volvo_are_where_the_work_was(volvo: Import) -> None:
    ledger, _, path = volvo
    ours = {row["ticket_id"]: row for row in ledger.tables.select("ticket")}
    moves = 0
    for number, rows in cases(path, "SR Number").items():
        level, raised = "l1", 0
        for i, row in enumerate(rows):
            before = [each["Sub Status"] for each in rows[:i] if each["Sub Status"] != "Unmatched"]
            over = bool(before) and before[-1] in ("In Call", "Resolved", "Closed", "Cancelled")
            stays = row["Sub Status"] in ("In Call", "Resolved", "Closed", "Cancelled", "Unmatched")
            if not (over and stays):
                was, level = level, VOLVO_LEVELS[row["ST Level"]]
                moves += was != level
                raised += (was, level) in (("l1", "l2"), ("l1", "engineering"), ("l2", "engineering"))
        assert (ours[number]["level"], ours[number]["escalation_count"]) == (level, raised), number
    assert topics(ledger)["ticket.escalated"] == moves


def test_as_of_a_day_in_the_middle_the_words_are_those_of_that_day(volvo: Import, tmp_path: Path) -> None:
    ledger, _, path = volvo
    noon = at("2012-05-01T11:00:00Z")
    tables = Tables(engine(parse_url(f"sqlite:///{tmp_path}/then.db"), "itself"))
    replay(ledger.store, tables, as_of(ledger.store, effective_at=micros(noon)))
    then = {row["ticket_id"]: (row["source_status"], row["priority"]) for row in tables.select("ticket")}
    tables.close()
    over = ("In Call", "Resolved", "Closed", "Cancelled")
    expected = {}
    for number, rows in cases(path, "SR Number").items():
        past = [row for row in rows if datetime.fromisoformat(row["Change Date+Time"]) <= noon]
        if past:
            known = any(row["Sub Status"] in over for row in past)
            expected[number] = (past[-1]["Sub Status"], IMPACTS[past[-1]["SR Latest Impact"]] if known else "medium")
    assert 0 < len(expected) < 7554
    assert then == expected
