"""Zendesk's export: what its tables say of tickets, against a second reading that shares no code with the importer."""

from __future__ import annotations

import csv
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from conftest import shared_data
from opsledger.app import OpsLedger
from opsledger.errors import BadInput, Refused
from opsledger.importers.event_log_mapping import shipped
from opsledger.importers.zendesk import check_zendesk, import_zendesk
from opsledger.policies.instants import at

TICKET = "id,created_at,updated_at,status,priority,organization_id,requester_id,via_channel,assignee_id,group_id,subject"
CHANGE = "field_name,ticket_id,updated,user_id,value"
COMMENT = "id,ticket_id,created,user_id,public,body"
DAY = "2026-02-02"
WORDS = {"normal": "medium", "urgent": "critical"}


@pytest.fixture
def ledger(opsledger_sqlite: OpsLedger) -> OpsLedger:
    return opsledger_sqlite


def export(folder: Path, *, tickets: str, changes: str = "", comments: str = "", users: str = "") -> Path:
    """Write the tables of an export; lines of times have the day put before them."""
    for name, header, lines in (
        ("ticket", TICKET, tickets),
        ("ticket_field_history", CHANGE, changes),
        ("ticket_comment", COMMENT, comments),
        ("user", "id,role", users),
    ):
        text = "\n".join(line.strip().replace("@", DAY) for line in lines.strip().splitlines())
        (folder / f"{name}.csv").write_text(f"{header}\n{text}\n")
    return folder


def row(ledger: OpsLedger, id: str = "1") -> dict[str, Any]:
    (found,) = ledger.tables.select("ticket", ticket_id=id, at_least=ledger.store.head().position)
    return found


def topics(ledger: OpsLedger, id: str = "1") -> list[str]:
    return [recorded.topic.partition(".")[2] for recorded in ledger.history(f"ticket:{id}")]


def test_a_ticket_is_told_from_its_opening_to_its_end(ledger: OpsLedger, tmp_path: Path) -> None:
    export(
        tmp_path,
        tickets="1,@ 09:00:00,@ 16:00:00,solved,urgent,acme,p-1,email,u-2,g-1,It broke",
        changes="""status,1,@ 09:05:00,u-1,open
                   assignee_id,1,@ 09:05:00,u-1,u-1
                   priority,1,@ 09:06:00,u-1,high
                   status,1,@ 10:00:00,u-1,pending
                   status,1,@ 12:00:00,p-1,open
                   priority,1,@ 12:30:00,u-1,urgent
                   assignee_id,1,@ 12:30:00,u-1,u-2
                   group_id,1,@ 12:30:00,u-1,g-1
                   status,1,@ 16:00:00,u-2,solved""",
        comments="""7,1,@ 09:00:00,p-1,true,"It broke,
                    on all machines"
                    8,1,@ 09:30:00,u-1,false,a note
                    9,1,@T09:45:00Z,u-1,TRUE,We look into it
                    10,1,@ 12:00:00,p-1,true,Still broken""",
        users="u-1,agent\nu-2,admin\np-1,end-user",
    )
    result = import_zendesk(ledger, tmp_path)
    assert (result.rows, result.new, result.quarantined) == (15, 15, 0)
    assert {kind: each.count for kind, each in result.dirt.items()} == {}
    found = row(ledger)
    assert (found["customer_id"], found["requester_id"], found["channel"]) == ("acme", "p-1", "email")
    assert (found["status"], found["priority"], found["assignee_id"], found["assignee_group"]) == ("resolved", "critical", "u-2", "g-1")
    assert (found["registered_at"], found["first_response_at"]) == (at(f"{DAY}T09:00:00Z"), at(f"{DAY}T09:45:00Z"))
    assert found["resolved_at"] == at(f"{DAY}T16:00:00Z")
    assert Counter(topics(ledger)) == {
        "registered": 1,
        "priority_changed": 2,
        "assigned": 3,
        "responded": 1,
        "paused": 1,
        "resumed": 1,
        "resolved": 1,
        "source_stated": 7,
    }


def test_what_stands_in_a_ticket_now_says_nothing_of_the_time_before(ledger: OpsLedger, tmp_path: Path) -> None:
    export(tmp_path, tickets="1,@ 09:00:00,@ 16:00:00,open,urgent,acme,p-1,email,u-2,g-1,It broke")
    import_zendesk(ledger, tmp_path)
    first, *_ = ledger.history("ticket:1")
    assert first.fact.priority == "medium"
    (changed,) = [each for each in ledger.history("ticket:1") if each.topic == "ticket.priority_changed"]
    assert changed.fact.changed_at == at(f"{DAY}T16:00:00Z")


def test_what_is_deleted_is_cancelled(ledger: OpsLedger, tmp_path: Path) -> None:
    export(tmp_path, tickets="1,@ 09:00:00,@ 09:01:00,deleted,,acme,p-1,web,,,x")
    import_zendesk(ledger, tmp_path)
    assert row(ledger)["status"] == "cancelled"


def test_an_agent_who_opens_a_ticket_has_not_answered_it(ledger: OpsLedger, tmp_path: Path) -> None:
    export(
        tmp_path,
        tickets="1,@ 09:00:00,@ 09:00:00,open,,acme,p-1,web,,,x",
        comments="7,1,@ 09:00:00,u-1,true,They called",
        users="u-1,agent",
    )
    import_zendesk(ledger, tmp_path)
    assert row(ledger)["first_response_at"] is None


def test_the_same_export_adds_nothing_and_a_later_one_its_new_rows(ledger: OpsLedger, tmp_path: Path) -> None:
    first, second = tmp_path / "one", tmp_path / "two"
    first.mkdir()
    second.mkdir()
    change = "status,1,@ 09:05:00,u-1,open"
    export(first, tickets="1,@ 09:00:00,@ 09:05:00,open,,acme,p-1,web,,,x", changes=change)
    import_zendesk(ledger, first)
    again = import_zendesk(ledger, first)
    assert (again.new, again.known, again.facts) == (0, 3, 0)
    changes = f"{change}\nstatus,1,@ 11:00:00,u-1,solved"
    export(second, tickets="1,@ 09:00:00,@ 11:00:00,solved,,acme,p-1,web,,,x", changes=changes)
    more = import_zendesk(ledger, second)
    assert (more.new, more.known, more.changed, more.quarantined) == (2, 2, 0, 0)
    assert row(ledger)["status"] == "resolved"


def test_what_cannot_be_taken_in_is_listed_by_table(ledger: OpsLedger, tmp_path: Path) -> None:
    export(
        tmp_path,
        tickets="""1,@ 09:00:00,@ 09:00:00,open,,acme,p-1,web,,,x
                   2,soon,@ 09:00:00,open,,acme,p-1,web,,,x
                   3,2040-01-01 00:00:00,2040-01-01 00:00:00,open,,acme,p-1,web,,,x
                   4,@ 09:00:00""",
        changes="""status,9,@ 09:05:00,u-1,open
                   status,2,@ 09:05:00,u-1,open
                   status,1,yesterday,u-1,open
                   status,1,@ 09:05:00,u-1,thawed""",
    )
    result = import_zendesk(ledger, tmp_path)
    assert (result.rows, result.new, result.quarantined) == (11, 3, 8)
    assert {kind: each.count for kind, each in result.dirt.items()} == {"unknown_word": 1}
    aside = ledger.tables.select("import_quarantine", at_least=ledger.store.head().position)
    assert {(each["reason"], each["source_id"], each["unreadable_column"]) for each in aside} == {
        ("malformed", "2/opened", "ticket:3 at"),
        ("orphaned", "2/as of 2026-02-02 09:00:00.000000", "ticket:3"),
        ("orphaned", "2/status at 2026-02-02 09:05:00.000000", "ticket_field_history:3"),
        ("future", "3/opened", "at"),
        ("future", "3/as of 2040-01-01 00:00:00.000000", "at"),
        ("malformed", None, "ticket:5"),
        ("orphaned", "9/status at 2026-02-02 09:05:00.000000", "ticket_field_history:2"),
        ("malformed", "1/status at yesterday", "ticket_field_history:4 at"),
    }


@pytest.mark.parametrize(
    ("table", "text", "sentence"),
    [
        ("ticket", "id,status\n", "has 'created_at' not at all"),
        ("ticket_comment", "id,id,ticket_id,created,user_id,public\n", "has 'id' twice"),
        ("user", 'id,role\n"u-1', "cannot be read to its end"),
        ("ticket.csv.gz", "", "leave one of them"),
    ],
)
def test_a_folder_that_is_no_such_export_is_refused_and_nothing_is_recorded(
    ledger: OpsLedger, tmp_path: Path, table: str, text: str, sentence: str
) -> None:
    export(tmp_path, tickets="1,@ 09:00:00,@ 09:00:00,open,,acme,p-1,web,,,x")
    (tmp_path / (table if "." in table else f"{table}.csv")).write_text(text)
    before = ledger.store.head().position
    with pytest.raises(BadInput, match=sentence):
        import_zendesk(ledger, tmp_path)
    assert ledger.store.head().position == before


def test_a_folder_without_tickets_and_an_approver_who_proposes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="holds no ticket"):
        check_zendesk(tmp_path)
    export(tmp_path, tickets="")
    with pytest.raises(Refused):
        check_zendesk(tmp_path, proposer="u-1", approver="u-1")


def test_another_mapping_says_what_other_states_mean(ledger: OpsLedger, tmp_path: Path) -> None:
    export(tmp_path, tickets="1,@ 09:00:00,@ 09:05:00,thawed,,acme,p-1,web,,,x")
    ours = shipped("zendesk")
    mapping = ours.model_copy(update={"words": {**ours.words, "thawed": ("awaiting_vendor",)}})
    import_zendesk(ledger, tmp_path, mapping)
    assert row(ledger)["pause_reason"] == "awaiting_vendor"
    wrong = ours.model_copy(update={"columns": ours.columns.model_copy(update={"category": "topic"})})
    with pytest.raises(BadInput, match="no column topic"):
        import_zendesk(ledger, tmp_path, wrong)


def test_the_published_tables_reconcile_with_a_second_reading(ledger: OpsLedger) -> None:
    folder = shared_data() / "zendesk"

    def table(name: str) -> list[dict[str, str]]:
        with (folder / f"{name}_data.csv").open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    tickets, history, comments = table("ticket"), table("ticket_field_history"), table("ticket_comment")
    ids = {each["id"] for each in tickets}
    ours = [each for each in history if each["ticket_id"] in ids]
    replies = [each for each in comments if each["ticket_id"] in ids]
    orphans = len(history) + len(comments) - len(ours) - len(replies)
    result = import_zendesk(ledger, folder)
    assert (result.rows, result.new, result.quarantined) == (
        2 * len(tickets) + len(history) + len(comments),
        2 * len(tickets) + len(ours),
        orphans,
    )
    assert (len(tickets), len(ours), len(replies), orphans) == (10, 19, 0, 39)
    aside = ledger.tables.select("import_quarantine", at_least=ledger.store.head().position)
    assert Counter(each["unreadable_column"].partition(":")[0] for each in aside) == {"ticket_comment": 20, "ticket_field_history": 19}
    assert {each["reason"] for each in aside} == {"orphaned"}
    said = {"solved": "resolved", "closed": "closed", "deleted": "cancelled", "open": "open"}
    assert {each["ticket_id"]: each["status"] for each in ledger.tables.select("ticket")} == {
        each["id"]: said[each["status"]] for each in tickets
    }
    opened = {each["ticket_id"]: each["registered_at"] for each in ledger.tables.select("ticket")}
    assert opened == {each["id"]: at(each["created_at"].replace(" ", "T") + "Z") for each in tickets}
    # The one ticket with a history: each change of state once, those from before it was opened when it was.
    ours.sort(key=lambda each: each["updated"])
    states = [each["value"] for each in ours if each["field_name"] == "status"]
    stream = next(each["ticket_id"] for each in ours)
    made = Counter(topics(ledger, stream))
    waits = {"pending", "on-hold"}
    assert made["paused"] == sum(new in waits and new != old for old, new in pairwise(["new", *states]))
    assert made["resumed"] == sum(new == "open" and old in waits for old, new in pairwise(["new", *states]))
    priorities = ["medium", *(WORDS.get(each["value"], each["value"]) for each in ours if each["field_name"] == "priority")]
    assert made["priority_changed"] == sum(old != new for old, new in pairwise(priorities))
    before = sum(each["updated"] < next(one["created_at"] for one in tickets if one["id"] == stream) for each in ours)
    assert result.dirt["before_opening"].count == before == 4
    again = import_zendesk(ledger, folder)
    assert (again.new, again.known, again.facts, again.quarantined) == (0, 2 * len(tickets) + len(ours), 0, orphans)
