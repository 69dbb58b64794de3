"""Promises of a history: every one is derived again from the rules it names, and what moved since is told apart."""

from __future__ import annotations

import random
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from verified import check_of, only, register, stored_state, verified

from opsledger.app import OpsLedger, Taken
from opsledger.domain import calendar, policy, ticket
from opsledger.errors import Refused
from opsledger.policies import documents
from opsledger.policies.instants import at, moment
from opsledger.policies.operating_model import default_calendars, default_model
from opsledger.policies.support import Priority
from opsledger.testing.plugin import Clock
from tampering import attack


def test_an_edited_promise_inside_the_stored_bytes_is_named_with_its_field(history: OpsLedger) -> None:
    edited = stored_state(history, 5).replace('"resolve_by":"2026-03-02T17:00:00Z"', '"resolve_by":"2026-03-02T18:00:00Z"')
    attack(history, f"UPDATE ledger_event SET state = CAST('{edited}' AS BLOB) WHERE position = 5")
    report = verified(history, "continuity", "fold", "promises", strict=True)
    assert [check.verdict for check in report.checks] == ["clean", "clean", "findings"]
    finding = only(report, "promises")
    assert (finding.position, finding.stream, finding.column) == (5, "ticket:T-1", "state.resolve_by")
    assert (finding.expected, finding.found) == ("2026-03-02T17:00:00.000000Z", "2026-03-02T18:00:00.000000Z")


def test_a_promise_that_was_taken_out_is_named(history: OpsLedger) -> None:
    edited = stored_state(history, 5).replace('"respond_by":"2026-03-02T10:00:00Z"', '"respond_by":null')
    attack(history, f"UPDATE ledger_event SET state = CAST('{edited}' AS BLOB) WHERE position = 5")
    finding = only(verified(history, "promises"), "promises")
    assert (finding.column, finding.expected, finding.found) == ("state.respond_by", "2026-03-02T10:00:00.000000Z", "none")


def test_a_promise_by_a_model_that_was_never_published_cannot_be_derived(history: OpsLedger) -> None:
    edited = stored_state(history, 6).replace("operating-model@1:", "operating-model@2:")
    attack(history, f"UPDATE ledger_event SET state = CAST('{edited}' AS BLOB) WHERE position = 6")
    finding = only(verified(history, "promises"), "promises")
    assert (finding.position, finding.stream) == (6, "ticket:T-2")
    assert "cannot be derived" in finding.sentence


def test_a_due_time_moved_by_a_holiday_published_later_is_restated_and_no_finding(history: OpsLedger, opsledger_clock: Clock) -> None:
    with_holiday = default_calendars()["business"].model_copy(update={"holidays": (at("2026-03-04").date(),)})
    people = {"proposed_by": "u-1", "approved_by": "u-2"}
    history.by("u-2").record(calendar.publish, "business", definition=documents.canonical(with_holiday), **people)
    report = verified(history, "promises")
    assert report.code == 0
    check = check_of(report, "promises")
    assert check.moved == len(check.restated) == 1
    restated = check.restated[0]
    assert (restated.position, restated.stream, restated.column) == (6, "ticket:T-2", "state.resolve_by")
    assert (restated.found, restated.expected) == ("2026-03-06T22:00:00.000000Z", "2026-03-09T21:00:00.000000Z")
    assert "    restated: ticket:T-2 was promised resolve_by" in "\n".join(report.lines())


def test_a_pause_typed_in_late_restates_what_was_promised_before_it_was_known(history: OpsLedger, opsledger_clock: Clock) -> None:
    register(history, "T-3")
    opsledger_clock.forward(minutes=40)
    history.by("u-7", at=at("2026-03-02T10:30:00Z")).record(ticket.pause, "T-3", reason="awaiting_vendor")
    history.by("u-7", at=at("2026-03-02T10:45:00Z")).record(ticket.resume, "T-3")
    history.by("u-7", at=at("2026-03-02T10:25:00Z")).record(ticket.pause, "T-3", reason="awaiting_vendor")
    check = check_of(verified(history, "promises"), "promises")
    assert check.verdict == "clean"
    moved = {(each.column, each.found, each.expected) for each in check.restated}
    assert ("state.resolve_by", "2026-03-02T18:35:00.000000Z", "2026-03-02T18:40:00.000000Z") in moved


@pytest.mark.parametrize("seed", range(4))
def test_whatever_is_recorded_in_whatever_order_its_promises_verify(history: OpsLedger, opsledger_clock: Clock, seed: int) -> None:
    dice = random.Random(seed)
    acts: list[tuple[Any, dict[str, Any]]] = [
        (ticket.respond, {}),
        (ticket.update_customer, {}),
        (ticket.hear_from_customer, {}),
        (ticket.pause, {"reason": "awaiting_customer"}),
        (ticket.resume, {}),
        (ticket.prioritize, {"priority": Priority.CRITICAL}),
        (ticket.prioritize, {"priority": Priority.MEDIUM}),
        (ticket.resolve, {}),
        (ticket.reopen, {}),
        (ticket.escalate, {"level": "l2"}),
    ]
    recorded = 0
    for number in range(12):
        register(history, f"R-{number}", dice.choice(list(Priority)))
        for _ in range(20):
            opsledger_clock.forward(minutes=dice.randint(1, 300))
            late = opsledger_clock.now - timedelta(minutes=dice.choice([0, 0, 0, 45, 600]))
            decision, arguments = dice.choice(acts)
            with suppress(Refused):
                recorded += len(history.by("u-7", at=late).record(decision, f"R-{number}", **arguments).facts)
            if dice.random() < 0.1:
                _retime(history, f"R-{number}", dice)
        history.tick()
    assert recorded > 60
    report = verified(history, "continuity", "fold", "promises", strict=True)
    assert report.code == 0, list(report.lines())


def _retime(ledger: OpsLedger, id: str, dice: random.Random) -> None:
    """Correct the time of some fact of a ticket that is neither its first nor a correction."""
    held = [each for each in ledger.history(f"ticket:{id}")[1:] if not isinstance(each.fact, ticket.TimeCorrected)]
    if held:
        one = dice.choice(held)
        to = moment(one.occurred_at) - timedelta(minutes=dice.randint(-30, 90))
        people = {"requested_by": "u-7", "approved_by": "u-8", "reason": "It was another time"}
        with suppress(Refused):
            ledger.by("u-8").record(ticket.correct_time, id, corrects=one.position, was=moment(one.occurred_at), to=to, **people)


def test_promises_after_a_corrected_time_are_derived_with_the_correction(history: OpsLedger, opsledger_clock: Clock) -> None:
    held = history.history("ticket:T-1")[1]
    opsledger_clock.forward(minutes=30)
    history.by("u-8").record(
        ticket.correct_time,
        "T-1",
        corrects=held.position,
        was=at("2026-03-02T09:10:00Z"),
        to=at("2026-03-02T10:15:00Z"),
        reason="The answer went out later",
        requested_by="u-7",
        approved_by="u-8",
    )
    opsledger_clock.forward(minutes=1)
    history.by("u-7", at=at("2026-03-02T10:12:00Z")).record(ticket.respond, "T-1")
    opsledger_clock.forward(minutes=1)
    history.by("u-7").record(ticket.prioritize, "T-1", priority=Priority.CRITICAL)
    report = verified(history)
    assert check_of(report, "promises").verdict == "clean", check_of(report, "promises").findings


def test_promises_of_imported_facts_are_not_ours_to_check(history: OpsLedger, opsledger_clock: Clock) -> None:
    model = history.known.models()[-1].ref
    registered = ticket.Registered(
        registered_at=opsledger_clock.now,
        customer_id="C-9",
        requester_id="p-9",
        channel="email",
        priority=Priority.HIGH,
        summary=None,
        policy=model,
        respond_by=at("2030-01-01T00:00:00Z"),
    )
    history.by("importer").observe([Taken("1", (("ticket:X-1", registered),))], source="elsewhere")
    assert verified(history, "promises").code == 0


def test_promises_hold_across_a_change_of_the_operating_model(history: OpsLedger, opsledger_clock: Clock) -> None:
    document = documents.canonical(default_model()).replace('"within":"1 h"', '"within":"45 min"')
    history.by("u-2").record(policy.publish, policy.NAME, document=document, proposed_by="u-1", approved_by="u-2")
    opsledger_clock.forward(minutes=1)
    register(history, "T-4")
    check = check_of(verified(history, "promises"), "promises")
    assert (check.verdict, check.moved) == ("clean", 0)
