"""A person is erased: what is recorded, what can no longer be read, what stands against it, and what goes on as before."""

from __future__ import annotations

from datetime import timedelta

import pytest
from people import STEPS, WORDS, Office

from opsledger.app import OpsLedger, erasing
from opsledger.domain import subject as s
from opsledger.domain import ticket
from opsledger.errors import BadInput, KeysError, Refused, Unknown
from opsledger.ledger.application import open_store
from opsledger.ledger.keys import LocalKeys
from opsledger.ledger.personal import Erased, Restricted
from opsledger.replay.digest import digests


def refused(code: str) -> pytest.RaisesExc[Refused]:
    return pytest.raises(Refused, match=rf"\[subject\.{code}\]")


def test_an_erasure_goes_through_all_its_steps(office: Office) -> None:
    asked = office.ask()
    assert (asked.request.state, asked.recorded) == ("requested", ("subject.erasure_requested",))
    assert office.summary("T-1") == WORDS["T-1"], "to ask is not to be erased"
    done = office.grant()
    assert done.request.state == "completed"
    assert office.topics() == STEPS
    office.is_erased()
    office.clean()


def test_each_step_says_who_when_and_what(office: Office) -> None:
    ledger = office.ledger
    key = ledger.keys.held("p-1")[0]
    office.erase()
    _, decided, destroyed, derived, completed = ledger.history("subject:p-1")
    named = (s.KeyNamed(key_id=key.key_id, commitment=key.commitment),)
    assert (decided.fact.keys, decided.fact.decided_by, decided.recorded_by) == (named, "u-9", "u-9")
    assert [(each.concept, each.facts) for each in decided.fact.held] == [("ticket", 3)]
    assert (destroyed.fact.keys, destroyed.fact.receipt[:6], destroyed.recorded_by) == (named, "local:", "system:default")
    assert "subject_erasure" in derived.fact.tables
    assert (completed.fact.parts, completed.fact.missing) == (3, 0)
    assert completed.fact.purge_from == office.clock.now + timedelta(days=30)
    assert [(mark.key_id, mark.act, mark.position) for mark in ledger.store.marks()] == [(key.key_id, "destroyed", decided.position)]


def test_asked_and_granted_in_one_go(office: Office) -> None:
    done = office.ledger.erase("p-1", jurisdiction="gdpr", handled_by="u-7", decided_by="u-9", basis="Art. 17(1)(b)")
    assert [topic.removeprefix("subject.") for topic in done.recorded] == STEPS


def test_once_erased_to_erase_again_changes_nothing(office: Office) -> None:
    office.erase()
    for again in (lambda: office.ask(), lambda: office.grant(), lambda: office.ledger.erase("p-1")):
        assert again().recorded == ()
    assert erasing.again(office.ledger) == []


def test_the_name_goes_with_the_key(office: Office) -> None:
    keys = office.ledger.keys
    assert isinstance(keys, LocalKeys)
    keys.name("p-1", "Ayşe Özdemir")
    keys.name("p-2", "Bo Smith")
    office.erase()
    assert keys.names() == {"p-2": "Bo Smith"}


def test_words_of_the_erased_are_refused_and_facts_without_words_go_on(office: Office) -> None:
    office.erase()
    actor = office.ledger.by("u-7", role="support")
    with pytest.raises(KeysError, match=r"give the person another id.*\[keys\.destroyed\]"):
        actor.record(ticket.respond, "T-2", message="Dear Ms Özdemir")
    assert actor.record(ticket.respond, "T-2").position is not None
    assert actor.record(ticket.resolve, "T-2").position is not None
    office.clean()


def test_another_process_that_still_holds_the_key_cannot_use_it(office: Office) -> None:
    """Its memory is not ours to clear; the database refuses what it sealed."""
    ledger = office.ledger
    with OpsLedger(ledger.url, open_store(ledger.url), None, office.clock) as other:
        actor = other.by("u-8", role="support")
        actor.record(ticket.respond, "T-2", message="I hold the key now")
        office.erase()
        assert other.sealer._fresh, "and it is not asked for again so soon"
        with pytest.raises(KeysError, match=r"nothing was written.*\[keys\.destroyed\]"):
            actor.record(ticket.note, "T-2", text="Written after the erasure")
    office.is_erased()
    office.clean()


def test_the_words_of_an_incident_are_those_of_the_incident_and_are_kept_for_24_months(office: Office) -> None:
    office.incident()
    office.ask("incident:INC-1")
    with refused("retained"):
        office.grant("incident:INC-1")
    office.erase("p-1")
    assert office.ledger.reveal(office.ledger.history("incident:INC-1")[0])["title"] == "It is down"


# What stands against it.


def hold(office: Office) -> None:
    review = office.clock.now + timedelta(days=90)
    office.ledger.by("u-8").record(s.place_hold, "p-1", hold_id="case-3", reason="a claim", review_by=review, placed_by="u-8")


def test_a_hold_keeps_everything_until_it_is_released(office: Office) -> None:
    hold(office)
    office.ask()
    with refused("held"):
        office.grant()
    assert office.summary("T-1") == WORDS["T-1"]
    office.ledger.by("u-9").record(s.release_hold, "p-1", hold_id="case-3", reason="settled", requested_by="u-7", approved_by="u-9")
    office.grant()
    office.is_erased()


def test_restricted_content_is_kept_and_not_opened_but_for_who_says_that_they_may(office: Office) -> None:
    hold(office)
    office.ask()
    restricted = office.ledger.erase("p-1", decided_by="u-9", outcome="restricted", basis="Art. 17(3)(e)")
    assert restricted.request.state == "restricted"
    assert [office.summary(id) for id in WORDS] == [Restricted(), Restricted(), WORDS["T-3"]]
    assert office.ledger.reveal(office.first("T-1"), restricted=True)["summary"] == WORDS["T-1"]
    position = office.ledger.by("u-7").record(ticket.respond, "T-2", message="We are held to answer you").position
    assert position, "what the person is answered is kept, and restricted like the rest"
    assert office.ledger.reveal(office.ledger.history("ticket:T-2")[-1])["message"] == Restricted()
    office.clean()


def test_a_restriction_ends_when_the_request_is_refused_or_granted(office: Office) -> None:
    office.ask()
    office.ledger.erase("p-1", decided_by="u-9", outcome="restricted", basis="accuracy is contested")
    office.ledger.erase("p-1", decided_by="u-9", outcome="refused", basis="Art. 17(3)(b)")
    assert office.summary("T-1") == WORDS["T-1"]
    office.clean()
    office.ask()
    office.ledger.erase("p-1", decided_by="u-9", outcome="restricted", basis="accuracy is contested")
    office.grant()
    office.is_erased()
    assert office.topics()[-4:] == STEPS[1:]


def test_open_access_is_answered_first_and_its_export_is_named(office: Office) -> None:
    office.ledger.by("u-7").record(s.request_access, "p-1", jurisdiction="pipeda", handled_by="u-7")
    office.ask()
    with refused("access_open"):
        office.grant()
    given = office.ledger.subject_access("p-1", name="case-1.json", given_by="u-8").receipt
    office.grant()
    derived = next(r.fact for r in office.ledger.history("subject:p-1") if isinstance(r.fact, s.DerivedPurged))
    assert derived.exports == (s.Export(name="case-1.json", position=given.position or 0),)


def test_who_took_it_in_does_not_decide(office: Office) -> None:
    office.ask()
    with pytest.raises(Refused, match=r"approval\.same_person"):
        office.ledger.erase("p-1", decided_by="u-7", basis="b")


def test_what_is_not_there_is_not_erased(office: Office) -> None:
    with pytest.raises(Unknown, match="Look at the id"):
        office.ask("p-3")
    with pytest.raises(BadInput, match="under which jurisdiction"):
        office.ledger.erase("p-1", handled_by="u-7")
    with refused("no_request"):
        office.ledger.erase("p-1")
    assert office.topics() == []


def test_an_id_that_could_not_be_erased_is_not_taken_in(office: Office) -> None:
    person = {"customer_id": "C-1", "channel": "email", "priority": "high", "summary": "x"}
    for id in ("e\u0301", " p-1", "p\x00", ""):
        with pytest.raises(BadInput):
            office.ledger.by("u-7").record(ticket.register, "T-9", requester_id=id, **person)


# Derived data.


def test_stores_of_the_host_s_are_cleared_and_named(office: Office) -> None:
    index = {"p-1": ["T-1"], "p-2": ["T-3"]}
    office.ask()
    office.grant(others={"search index": lambda subject: f"{len(index.pop(subject, []))} documents removed"})
    derived = next(r.fact for r in office.ledger.history("subject:p-1") if isinstance(r.fact, s.DerivedPurged))
    assert derived.others == (s.Purged(name="search index", done="1 documents removed"),)
    assert index == {"p-2": ["T-3"]}


def test_no_table_changes_but_those_about_erasure_itself(office: Office) -> None:
    office.ledger.catch_up()
    before = digests(office.ledger.tables.tables)
    office.erase()
    office.clock.forward(days=31)
    erasing.purge(office.ledger)
    office.ledger.catch_up()
    after = digests(office.ledger.tables.tables)
    assert {name for name in after if after[name] != before[name]} == {"subject_erasure", "audit_trail"}


# Purging.


def test_sealed_parts_go_when_it_is_time_and_verify_says_by_whose_word(office: Office) -> None:
    office.erase()
    office.clock.set(office.clock.now + timedelta(days=30) - timedelta(seconds=1))
    assert erasing.purge(office.ledger) == []
    office.clock.forward(seconds=1)
    (done,) = erasing.purge(office.ledger)
    assert done.request.state == "purged"
    assert office.topics() == [*STEPS, "purge_decided", "parts_purged"]
    office.is_erased()
    office.clean()
    decided = office.ledger.history("subject:p-1")[-2]
    parts = next(check for check in office.ledger.verify("parts").checks)
    assert parts.noted == [f"3 sealed parts were purged, authorised by position {decided.position} (subject:p-1)."]
    assert erasing.purge(office.ledger) == []


def test_before_it_is_time_a_person_says_why(office: Office) -> None:
    office.erase()
    with refused("purge_early"):
        erasing.purge(office.ledger, ["p-1"])
    (done,) = erasing.purge(office.ledger, ["p-1"], decided_by="u-9", reason="The person insists")
    assert done.request.state == "purged"
    office.clean()


def test_of_who_is_not_erased_nothing_is_purged(office: Office) -> None:
    with pytest.raises(Unknown):
        erasing.purge(office.ledger, ["p-1"], decided_by="u-9", reason="x")
    office.ask()
    with refused("not_granted"):
        erasing.purge(office.ledger, ["p-1"], decided_by="u-9", reason="x")
    assert office.summary("T-1") == WORDS["T-1"]


def test_several_are_purged_together(office: Office) -> None:
    office.erase("p-1")
    office.erase("p-2")
    office.clock.forward(days=31)
    assert [done.subject for done in erasing.purge(office.ledger)] == ["p-1", "p-2"]
    assert office.ledger.store.part_keys() == {}
    assert [office.summary(id) for id in WORDS] == [Erased()] * 3
    office.clean()
