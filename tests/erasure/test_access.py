"""What is held on a person is exported for them to read, and whose words are due to go is listed."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from people import WORDS, Office

from opsledger.app.holdings import naming, retention_due
from opsledger.cli.output import written
from opsledger.domain import subject as s
from opsledger.domain import subscription, ticket
from opsledger.domain.billing import Terms
from opsledger.errors import KeysError, Unknown
from opsledger.ledger.keys import LocalKeys
from opsledger.ledger.personal import Erased
from opsledger.policies.instants import at


def test_a_person_gets_all_of_every_thing_that_names_them_opened(office: Office) -> None:
    keys = office.ledger.keys
    assert isinstance(keys, LocalKeys)
    keys.name("p-1", "Ayşe Özdemir")
    office.ledger.by("u-7").record(ticket.pause, "T-1", reason="awaiting_customer")
    given = office.ledger.subject_access("p-1", name="case-1.json", given_by="u-8")
    document = json.loads(written(given.document))
    assert (document["subject"], document["name"], document["export"]) == ("p-1", "Ayşe Özdemir", "case-1.json")
    told = [(fact["about"], fact["what"]) for fact in document["facts"]]
    assert told == [
        ("ticket:T-1", "ticket.registered"),
        ("ticket:T-2", "ticket.registered"),
        ("ticket:T-1", "ticket.responded"),
        ("ticket:T-1", "ticket.paused"),
    ]
    assert [fact["said"].get("summary", fact["said"].get("message")) for fact in document["facts"][:3]] == [
        WORDS["T-1"],
        WORDS["T-2"],
        "Dear Ms Özdemir",
    ]
    (recorded,) = given.receipt.facts
    assert recorded == s.AccessGiven(given_at=office.clock.now, number=None, name="case-1.json", facts=4, opened=3, given_by="u-8")


def test_words_of_others_in_the_same_things_stay_sealed(office: Office) -> None:
    """p-2 recorded the note: they are named by it, and its words are p-1's."""
    office.ledger.by("p-2").record(ticket.note, "T-1", text="Ms Özdemir called")
    document = office.ledger.subject_access("p-2", name="x").document
    notes = [fact for fact in document["facts"] if fact["what"] == "ticket.noted"]
    assert [(fact["recorded_by"], fact["said"]["note"]) for fact in notes] == [("p-2", "(sealed: words of somebody else)")]
    mine = [fact["said"]["summary"] for fact in document["facts"] if fact["about"] == "ticket:T-3"]
    assert mine == [WORDS["T-3"]]


def test_what_was_requested_before_is_part_of_what_is_held(office: Office) -> None:
    office.ask()
    document = office.ledger.subject_access("p-1", name="x").document
    assert [fact["what"] for fact in document["facts"]][-1] == "subject.erasure_requested"


def test_an_export_answers_the_request_for_it(office: Office) -> None:
    office.ledger.by("u-7").record(s.request_access, "p-1", jurisdiction="pipeda", handled_by="u-7")
    office.ledger.subject_access("p-1", name="case-1.json", given_by="u-8")
    request = office.ledger.state(s.Subject, "p-1").requests[1]
    assert (request.state, request.decided_by) == ("given", "u-8")
    (row,) = office.ledger.tables.select("subject_access", at_least=office.ledger.store.head().position)
    assert (row["state"], row["export"], row["answered_in_time"]) == ("given", "case-1.json", True)


def test_after_erasure_an_export_shows_what_is_left(office: Office) -> None:
    office.erase()
    document = office.ledger.subject_access("p-1", name="x").document
    assert {fact["said"]["summary"] for fact in document["facts"] if fact["what"] == "ticket.registered"} == {"(erased)"}
    assert "Özdemir" not in written(document)
    assert document["name"] is None


def test_restricted_words_are_given_to_the_person_themselves(office: Office) -> None:
    office.ask()
    office.ledger.erase("p-1", decided_by="u-9", outcome="restricted", basis="contested")
    document = office.ledger.subject_access("p-1", name="x").document
    assert document["facts"][0]["said"]["summary"] == WORDS["T-1"]


def test_nothing_is_exported_on_somebody_who_is_not_named_or_whose_key_is_lost(office: Office) -> None:
    with pytest.raises(Unknown, match="Nothing in the ledger names subject p-3"):
        office.ledger.subject_access("p-3", name="x")
    office.keys("UPDATE subject_key SET wrapped = NULL WHERE subject = 'p-1'")
    with pytest.raises(KeysError, match=r"keys\.lost"):
        office.ledger.subject_access("p-1", name="x")
    assert office.topics() == [], "what was not given is not recorded"


def test_an_id_within_another_is_not_the_person(office: Office) -> None:
    office.ledger.by("u-p-1").record(ticket.note, "T-3", text="x")
    head = office.ledger.store.head().position
    assert {recorded.stream for recorded in naming(office.ledger.store, "p-1", head)} == {"ticket:T-1", "ticket:T-2"}


# Retention.


def test_words_are_due_to_go_24_months_after_the_newest(office: Office) -> None:
    newest = office.ledger.history("ticket:T-1")[-1].occurred_at
    due = at("2028-03-02T09:00:00Z")
    assert newest == int(at("2026-03-02T09:00:00Z").timestamp()) * 1_000_000
    assert retention_due(office.ledger, due - timedelta(seconds=1)) == []
    rows = retention_due(office.ledger, due)
    assert [(row["category"], row["subject"], row["facts"], row["due_at"]) for row in rows] == [
        ("correspondence", "p-1", 3, due),
        ("correspondence", "p-2", 1, due),
    ]


def test_who_is_erased_is_no_longer_due_and_a_new_word_puts_it_off(office: Office) -> None:
    office.erase("p-1")
    office.clock.forward(days=10)
    office.ledger.by("u-7").record(ticket.respond, "T-3", message="Dear Mr Smith")
    assert retention_due(office.ledger, at("2028-03-05")) == []
    assert [row["subject"] for row in retention_due(office.ledger, at("2028-03-13"))] == ["p-2"]


def test_the_words_of_a_contract_are_due_as_those_of_people_are_and_go_as_they_do(office: Office) -> None:
    terms = Terms(plan_id="team", plan_version=1, interval="month", unit_amount_minor=4900, currency="USD")
    office.ledger.by("u-7").record(subscription.create, "S-1", customer_id="C-1", terms=terms)
    office.ledger.by("u-7").record(subscription.activate, "S-1")
    office.ledger.by("u-7").record(subscription.request_cancellation, "S-1", reason="price", feedback="Mr Smith finds it dear")
    due = {row["subject"]: row["category"] for row in retention_due(office.ledger, at("2028-03-05"))}
    assert due["subscription:S-1"] == "customer_relations"
    office.erase("subscription:S-1")
    assert "subscription:S-1" not in {row["subject"] for row in retention_due(office.ledger, at("2028-03-05"))}
    (asked,) = [each for each in office.ledger.history("subscription:S-1") if each.topic == "subscription.cancellation_requested"]
    assert isinstance(office.ledger.reveal(asked)["feedback"], Erased)


def test_what_no_category_names_is_never_due(office: Office) -> None:
    office.incident()
    assert {row["subject"] for row in retention_due(office.ledger, at("2036-01-01"))} == {"p-1", "p-2"}
