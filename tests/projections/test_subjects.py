"""What people asked for, holds, and what falls due: rows of the tables about personal data."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from opsledger.app import OpsLedger, erasing
from opsledger.domain import subject as s
from opsledger.domain import ticket
from opsledger.policies.instants import at
from opsledger.policies.support import Priority
from opsledger.testing.plugin import Clock


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger(request: pytest.FixtureRequest) -> OpsLedger:
    """A ledger in which p-1 has said something, on 2 March 2026 at nine."""
    made: OpsLedger = request.getfixturevalue("opsledger_sqlite" if request.param == "sqlite" else "opsledger_pg")
    person = {"customer_id": "C-1", "requester_id": "p-1", "channel": "email", "summary": "It is broken"}
    made.by("u-7").record(ticket.register, "T-1", priority=Priority.LOW, **person)
    return made


def rows(ledger: OpsLedger, table: str) -> list[dict[str, Any]]:
    return ledger.tables.select(table, at_least=ledger.store.head().position)


def deadlines(ledger: OpsLedger) -> list[tuple[Any, ...]]:
    return [(row["kind"], row["item"], row["due_at"], row["days_left"], row["overdue"]) for row in rows(ledger, "personal_data_deadline")]


def test_an_erasure_is_one_row_from_the_request_to_the_purge(ledger: OpsLedger, opsledger_clock: Clock) -> None:
    received = at("2026-03-01T08:00Z")
    ledger.erase("p-1", jurisdiction="gdpr", handled_by="u-7", received_at=received)
    (row,) = rows(ledger, "subject_erasure")
    assert (row["subject_id"], row["number"], row["state"], row["requested_at"]) == ("p-1", 1, "requested", received)
    assert (row["jurisdiction"], row["answer_by"], row["handled_by"]) == ("gdpr", at("2026-04-01T22:00Z"), "u-7")
    assert (row["outcome"], row["answered_in_time"], row["keys"], row["parts_tried"]) == (None, None, 0, None)
    opsledger_clock.forward(days=2)
    ledger.erase("p-1", decided_by="u-9", basis="Art. 17(1)(b)")
    (row,) = rows(ledger, "subject_erasure")
    assert (row["state"], row["outcome"], row["decided_by"], row["basis"]) == ("completed", "granted", "u-9", "Art. 17(1)(b)")
    assert (row["answered_in_time"], row["keys"], row["parts_tried"], row["exports"]) == (True, 1, 1, 0)
    assert row["keys_destroyed_at"] == row["completed_at"] == row["derived_purged_at"] == opsledger_clock.now
    assert row["purge_from"] == opsledger_clock.now + timedelta(days=30)
    opsledger_clock.forward(days=30)
    erasing.purge(ledger)
    (row,) = rows(ledger, "subject_erasure")
    assert (row["state"], row["parts_purged"], row["parts_purged_at"]) == ("purged", 1, opsledger_clock.now)
    assert row["last_position"] == ledger.store.head().position


def test_an_answer_on_the_last_instant_is_late(ledger: OpsLedger, opsledger_clock: Clock) -> None:
    ledger.erase("p-1", jurisdiction="gdpr", handled_by="u-7")
    for now, in_time in (("2026-04-02T21:59:59.999999Z", True), ("2026-04-02T22:00:00Z", True)):
        opsledger_clock.set(now)
        ledger.erase("p-1", decided_by="u-9", basis="b", outcome="restricted" if now.startswith("2026-04-02T21") else "refused")
        assert rows(ledger, "subject_erasure")[0]["answered_in_time"] is in_time, "the first decision is the answer"
    opsledger_clock.set("2026-04-02T22:00:00Z")
    ledger.erase("p-1", jurisdiction="gdpr", handled_by="u-7")
    opsledger_clock.set("2026-05-02T22:00:00Z")
    ledger.erase("p-1", decided_by="u-9", basis="b", outcome="refused")
    second = rows(ledger, "subject_erasure")[1]
    assert (second["number"], second["answer_by"], second["answered_in_time"]) == (2, at("2026-05-03T22:00Z"), True)
    ledger.erase("p-1", jurisdiction="gdpr", handled_by="u-7")
    opsledger_clock.set("2026-06-03T22:00:00Z")
    ledger.erase("p-1", decided_by="u-9", basis="b", outcome="refused")
    assert rows(ledger, "subject_erasure")[2]["answered_in_time"] is False, "exactly at the end of the last day is too late"


def test_what_is_due_is_listed_with_the_days_that_are_left(ledger: OpsLedger, opsledger_clock: Clock) -> None:
    actor = ledger.by("u-7")
    actor.record(s.request_access, "p-1", jurisdiction="pipeda", handled_by="u-7")
    ledger.erase("p-1", jurisdiction="gdpr", handled_by="u-7")
    review = at("2026-06-01T09:00Z")
    actor.record(s.place_hold, "p-1", hold_id="case-3", reason="a claim", review_by=review, placed_by="u-8")
    assert deadlines(ledger) == [
        ("access", "1", at("2026-04-02T04:00Z"), 30, False),
        ("erasure", "2", at("2026-04-02T22:00Z"), 31, False),
        ("hold review", "case-3", review, 91, False),
    ]
    opsledger_clock.set("2026-04-02T04:00Z")
    actor.record(s.extend_answer, "p-1", number=2, reason="many", handled_by="u-7")
    assert deadlines(ledger)[0] == ("access", "1", at("2026-04-02T04:00Z"), 0, True), "on the line it is past"
    assert deadlines(ledger)[1] == ("erasure", "2", at("2026-06-02T22:00Z"), 61, False)
    ledger.subject_access("p-1", name="case-1.json", given_by="u-8")
    actor.record(s.release_hold, "p-1", hold_id="case-3", reason="settled", requested_by="u-7", approved_by="u-9")
    ledger.erase("p-1", decided_by="u-9", basis="b")
    assert deadlines(ledger) == [("purge", "2", at("2026-05-02T04:00Z"), 30, False)]
    opsledger_clock.set("2026-05-10T04:00Z")
    erasing.purge(ledger)
    assert deadlines(ledger) == []


def test_a_request_for_access_and_an_export_that_nobody_asked_for_are_rows(ledger: OpsLedger, opsledger_clock: Clock) -> None:
    ledger.subject_access("p-1", name="spring.json", given_by="u-8")
    ledger.by("u-7").record(s.request_access, "p-1", jurisdiction="pipeda", handled_by="u-7")
    opsledger_clock.forward(days=1)
    ledger.by("u-9").record(s.refuse_access, "p-1", number=1, basis="S. 9(3)(a)", decided_by="u-9")
    export, request = rows(ledger, "subject_access")
    assert (export["number"], export["state"], export["export"], export["requested_at"]) == (None, "given", "spring.json", None)
    assert (request["number"], request["state"], request["basis"], request["keep_until"]) == (
        1,
        "refused",
        "S. 9(3)(a)",
        at("2026-09-04T04:00Z"),
    )
    assert (request["answered_by"], request["answered_in_time"], request["answered_at"]) == ("u-9", True, opsledger_clock.now)


def test_a_hold_is_one_row_from_placing_to_release(ledger: OpsLedger, opsledger_clock: Clock) -> None:
    actor = ledger.by("u-8")
    placed = opsledger_clock.now
    actor.record(s.place_hold, "p-1", hold_id="case-3", reason="a claim", review_by=at("2026-06-01"), placed_by="u-8")
    opsledger_clock.forward(days=60)
    actor.record(s.review_hold, "p-1", hold_id="case-3", reason="goes on", review_by=at("2026-09-01"), reviewed_by="u-9")
    (row,) = rows(ledger, "legal_hold")
    assert (row["placed_at"], row["review_by"], row["reviews"], row["reviewed_by"], row["released_at"]) == (
        placed,
        at("2026-09-01"),
        1,
        "u-9",
        None,
    )
    actor.record(s.release_hold, "p-1", hold_id="case-3", reason="settled", requested_by="u-7", approved_by="u-9")
    (row,) = rows(ledger, "legal_hold")
    assert (row["released_at"], row["released_by"], row["release_reason"]) == (opsledger_clock.now, "u-9", "settled")


def test_a_row_is_explained_by_its_facts(ledger: OpsLedger) -> None:
    from opsledger.replay.explain import explain

    ledger.erase("p-1", jurisdiction="gdpr", handled_by="u-7", decided_by="u-9", basis="b")
    ledger.catch_up()
    found = explain(ledger.store, ledger.tables.tables, "subject_erasure", ["p-1", "1"])
    assert [told.topic for told in found.facts][:2] == ["subject.erasure_requested", "subject.erasure_decided"]
    assert [told.topic for told in found.named] == ["policy.published"]
