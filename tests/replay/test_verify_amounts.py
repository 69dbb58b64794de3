"""Amounts of changes in a history of subscriptions: each is computed again from its rule and what was known before it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from verified import check_of, only, stored_state, verified

from opsledger.app import OpsLedger
from opsledger.domain import subscription as s
from opsledger.domain.billing import Discount, ProrationRule, Terms
from opsledger.policies.instants import at
from opsledger.testing.plugin import Clock
from tampering import attack

TERMS = Terms(plan_id="pro", plan_version=1, interval="month", quantity=10, unit_amount_minor=1000, currency="EUR")
BIG = replace(TERMS, plan_id="big", unit_amount_minor=2000)
YEAR = replace(BIG, plan_id="year", interval="year", unit_amount_minor=20_000)
CHANGED = 7
"""Position of the change of plan: 100.00 to 200.00 on 16 March at 18:00 UTC, by the second."""


def act(ledger: OpsLedger, when: str | datetime, decision: Any, **arguments: Any) -> None:
    ledger.by("u-7", at=at(when) if isinstance(when, str) else when).record(decision, "S-1", **arguments)


@pytest.fixture
def ledger(opsledger_sqlite: OpsLedger, opsledger_clock: Clock) -> OpsLedger:
    opsledger_clock.set("2026-07-20T12:00:00Z")
    act(opsledger_sqlite, "2026-03-01T00:00:00Z", s.create, customer_id="C-1", terms=TERMS)
    act(opsledger_sqlite, "2026-03-01T00:00:00Z", s.activate)
    act(opsledger_sqlite, "2026-03-16T18:00:00Z", s.change_plan, terms=BIG)
    return opsledger_sqlite


def doctor(ledger: OpsLedger, *edits: tuple[str, str]) -> None:
    state = stored_state(ledger, CHANGED)
    for was, now in edits:
        assert was in state
        state = state.replace(was, now)
    attack(ledger, f"UPDATE ledger_event SET state = CAST('{state}' AS BLOB) WHERE position = {CHANGED}")


def test_amounts_that_were_recorded_verify_whatever_changed_before_and_was_typed_in_late(ledger: OpsLedger) -> None:
    act(ledger, "2026-03-20T00:00:00Z", s.change_quantity, quantity=12, proration=ProrationRule(unit="day", change_day="old"))
    act(ledger, "2026-03-10T00:00:00Z", s.apply_discount, discount=Discount(discount_id="D-1", off_bp=2500))
    act(ledger, "2026-04-03T00:00:00Z", s.change_plan, terms=YEAR)
    act(ledger, "2026-03-12T00:00:00Z", s.change_quantity, quantity=5)
    act(ledger, "2026-06-01T00:00:00Z", s.end, give_back=True)
    check = check_of(verified(ledger, "amounts"), "amounts")
    assert (check.verdict, check.looked_at) == ("clean", {"subscriptions": 1, "amounts": 5})


@pytest.mark.parametrize(
    ("field", "was", "now"),
    [("credit_minor", "-4919", "-4918"), ("charge_minor", "9839", "9939"), ("net_minor", "4920", "4910"), ("part", "1317600", "1317601")],
)
def test_a_doctored_amount_is_named(ledger: OpsLedger, field: str, was: str, now: str) -> None:
    doctor(ledger, (f'"{field}":{was}', f'"{field}":{now}'))
    finding = only(verified(ledger, "amounts"), "amounts")
    assert (finding.position, finding.stream, finding.column) == (CHANGED, "subscription:S-1", f"state.proration.{field}")
    assert (finding.expected, finding.found) == (was, now)


def test_a_price_that_was_never_paid_is_named_though_the_amounts_follow_from_it(ledger: OpsLedger) -> None:
    doctor(
        ledger,
        ('"old_minor":10000', '"old_minor":20000'),
        ('"credit_minor":-4919', '"credit_minor":-9839'),
        ('"net_minor":4920', '"net_minor":0'),
    )
    finding = only(verified(ledger, "amounts"), "amounts")
    assert (finding.column, finding.expected, finding.found) == ("state.proration.old_minor", "10000", "20000")


def test_amounts_that_were_taken_out_are_missed(ledger: OpsLedger) -> None:
    state = json.loads(ledger.store.page(CHANGED - 1, 1)[0].state)
    edited = json.dumps({**state, "proration": None})
    attack(ledger, f"UPDATE ledger_event SET state = CAST('{edited}' AS BLOB) WHERE position = {CHANGED}")
    assert only(verified(ledger, "amounts"), "amounts").column == "state.proration"


def test_days_of_another_tz_database_cannot_be_decided(ledger: OpsLedger) -> None:
    doctor(ledger, ('"tzdata":"', '"tzdata":"1999a-'), ('"part":1317600', '"part":1317601'))
    check = check_of(verified(ledger, "amounts"), "amounts")
    assert check.verdict == "undecided"
    assert "1999a" in check.undecided[0]
