"""Any order of decisions on subscriptions, late ones and corrections included, leaves live rows equal to rebuilt rows, amounts exact."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from opsledger.app import OpsLedger, metering
from opsledger.domain import subscription as s
from opsledger.domain.billing import Discount, ProrationRule, Terms, again
from opsledger.domain.concept import concepts
from opsledger.domain.recorded import in_business_order
from opsledger.errors import Refused
from opsledger.projections.revenue import subscriptions
from opsledger.testing.plugin import Clock

IDS = ("S-1", "S-2")
TERMS = Terms(plan_id="pro", plan_version=1, interval="month", quantity=10, unit_amount_minor=1000, currency="EUR")
PLANS = st.sampled_from(
    [
        replace(TERMS, plan_id="big", unit_amount_minor=2000, quantity=7),
        replace(TERMS, plan_id="yearly", interval="year", unit_amount_minor=9999),
        replace(TERMS, plan_id="weekly", interval="week", interval_count=2, pricing="flat"),
        TERMS,
    ]
)
RULES = st.builds(ProrationRule, unit=st.sampled_from(["second", "day", "fixed30", "none"]), change_day=st.sampled_from(["new", "old"]))
DISCOUNTS = st.sampled_from([Discount(discount_id="D-1", off_bp=2500), Discount(discount_id="D-2", off_minor=999)])
DELAYS = st.sampled_from([0, 0, 0, 1, 9, 40])  # days between the act and its recording
NOTHING: dict[str, st.SearchStrategy[Any]] = {}
Step = tuple[Callable[..., Any], dict[str, Any]]

STEPS: list[tuple[Callable[..., Any], dict[str, st.SearchStrategy[Any]]]] = [
    (s.activate, NOTHING),
    (s.activate, NOTHING),
    (s.convert_trial, NOTHING),
    (s.expire_trial, {"end": st.booleans()}),
    (s.mark_incomplete, NOTHING),
    (s.change_plan, {"terms": PLANS, "proration": RULES}),
    (s.change_quantity, {"quantity": st.integers(0, 30), "proration": RULES}),
    (s.revoke_plan_change, NOTHING),
    (s.apply_discount, {"discount": DISCOUNTS}),
    (s.expire_discount, NOTHING),
    (s.mark_past_due, NOTHING),
    (s.recover, NOTHING),
    (s.mark_unpaid, NOTHING),
    (s.pause, {"entitled": st.booleans()}),
    (s.resume, {"new_period": st.booleans()}),
    (s.block, {"cause": st.just("abuse")}),
    (s.unblock, {"cause": st.just("paid")}),
    (s.renew, NOTHING),
    (s.renew, NOTHING),
    (s.remind_renewal, {"channel": st.just("email")}),
    (s.request_cancellation, {"reason": st.sampled_from(["price", "quality"])}),
    (s.make_offer, {"offer_id": st.just("O-1"), "kind": st.just("discount"), "discount": DISCOUNTS}),
    (s.accept_offer, {"offer_id": st.just("O-1")}),
    (s.decline_offer, {"offer_id": st.just("O-1")}),
    (s.schedule_cancellation, NOTHING),
    (s.revoke_cancellation, NOTHING),
    (s.end, {"give_back": st.booleans()}),
]


def steps() -> st.SearchStrategy[Step]:
    return st.sampled_from(STEPS).flatmap(lambda step: st.tuples(st.just(step[0]), st.fixed_dictionaries(step[1])))


class Subscriptions(RuleBasedStateMachine):
    """Two subscriptions of one ledger. Refusals are part of the game; anything else that is raised ends it."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.clock = Clock("2026-01-31T10:00:00Z")
        self.ledger = OpsLedger.create(f"sqlite:///{self.folder.name}/ops.db", simulated=True, clock=self.clock, ledger_id="0" * 32)
        self.versions = dict.fromkeys(IDS, 0)
        self.events = 0

    @initialize(trial=st.booleans(), zone=st.sampled_from(["UTC", "America/New_York"]), rule=RULES)
    def create(self, trial: bool, zone: str, rule: ProrationRule) -> None:
        for id in IDS:
            self.act(id, 0, s.create, {"customer_id": "C-1", "terms": TERMS, "zone": zone, "proration": rule})
            if trial:
                self.act(id, 0, s.start_trial, {"trial_ends_at": self.clock.now + timedelta(days=10)})

    @rule(id=st.sampled_from(IDS), days=st.integers(0, 40), delay=DELAYS, steps=st.lists(steps(), min_size=1, max_size=3))
    def decide(self, id: str, days: int, delay: int, steps: list[Step]) -> None:
        self.clock.forward(days=days)
        for step in steps:
            self.act(id, delay, *step)

    @rule(id=st.sampled_from(IDS), terms=PLANS, days=st.integers(1, 60))
    def agree_for_later(self, id: str, terms: Terms, days: int) -> None:
        self.act(id, 0, s.schedule_plan_change, {"terms": terms, "change_at": self.clock.now + timedelta(days=days)})
        self.act(id, 0, s.pause, {"pause_until": self.clock.now + timedelta(days=days)})

    @rule(data=st.data(), id=st.sampled_from(IDS), days=st.integers(0, 90))
    def correct(self, data: st.DataObject, id: str, days: int) -> None:
        told = self.ledger.state(s.Subscription, id).told
        held = data.draw(st.sampled_from(told))
        position = self.ledger.history(f"subscription:{id}")[held.version - 1].position
        people = {"requested_by": "u-7", "approved_by": "u-8", "reason": "The contract says so"}
        if data.draw(st.booleans()):
            self.act(id, 0, s.retract, {"retracts": position, **people})
        else:
            to = self.clock.now - timedelta(days=days)
            self.act(id, 0, s.correct_time, {"corrects": position, "was": held.at, "to": to, **people})

    @rule(id=st.sampled_from(IDS), days=st.integers(0, 60), quantity=st.integers(0, 9), fresh=st.booleans())
    def use(self, id: str, days: int, quantity: int, fresh: bool) -> None:
        self.events += fresh
        event = metering.Event(f"e-{self.events}", "C-1", id, "calls", Decimal(quantity), self.clock.now - timedelta(days=days))
        metering.meter(self.ledger, "svc", [event], source="gate")

    @rule()
    def catch_up(self) -> None:
        self.ledger.catch_up()

    @invariant()
    @precondition(lambda self: self.versions["S-2"] > 0)
    def versions_have_no_gaps(self) -> None:
        for id, version in self.versions.items():
            assert [recorded.version for recorded in self.ledger.history(f"subscription:{id}")] == list(range(1, version + 1))

    def teardown(self) -> None:
        try:
            if self.versions["S-2"]:
                self.check_the_rows()
        finally:
            self.ledger.close()
            self.folder.cleanup()

    def check_the_rows(self) -> None:
        self.ledger.catch_up()
        assert [(each.table, each.keys) for each in self.ledger.tables.rebuild() if each.rows] == []
        for id in IDS:
            history = self.ledger.history(f"subscription:{id}")
            state = self.ledger.state(s.Subscription, id)
            assert state == concepts()["subscription"].fold(history)
            told = subscriptions.start(id)
            for recorded in in_business_order(history):
                told = subscriptions.fold(told, recorded)
            assert [step.after for step in subscriptions.course(told)][-1] == state.standing, "decisions and tables see the same"
            (row,) = self.rows("subscription", id)
            assert (row["state"], row["quantity"], row["last_position"]) == (
                state.standing.state,
                state.standing.terms.quantity,
                history[-1].position,
            )
            states = self.rows("subscription_history", id)
            assert [each["valid_to_at"] for each in states] == [each["valid_from_at"] for each in states[1:]] + [None]
            assert [each["state_from"] for each in states] == [None] + [each["state_to"] for each in states[:-1]]
            self.check_the_amounts(id)

    def check_the_amounts(self, id: str) -> None:
        """An auditor comes to every amount again, and to a bill in the same currency."""
        for recorded in self.ledger.history(f"subscription:{id}"):
            event = recorded.fact
            if (proration := getattr(event, "proration", None)) is not None and not isinstance(event, s.Created):
                length = (event.was if isinstance(event, s.PlanChanged) else event.terms).length
                at = getattr(event, "changed_at", None) or event.ended_at
                assert again(proration, length, at) == proration
                assert proration.net_minor == proration.credit_minor + proration.charge_minor
                assert proration.period.starts_at <= at < proration.period.ends_at

    def act(self, id: str, delay: int, decision: Callable[..., Any], arguments: dict[str, Any]) -> None:
        when = self.clock.now - timedelta(days=delay)
        try:
            receipt = self.ledger.by("u-7", at=when).record(decision, id, **arguments)
        except Refused:
            return
        assert receipt.version == self.versions[id] + len(receipt.facts)
        self.versions[id] = receipt.version
        if decision in REPEATABLE:
            assert self.ledger.by("u-7", at=when).record(decision, id, **arguments).facts == ()

    def rows(self, table: str, id: str) -> list[dict[str, Any]]:
        return self.ledger.tables.select(table, at_least=self.ledger.store.head().position, subscription_id=id)


REPEATABLE = {s.change_plan, s.change_quantity, s.apply_discount, s.pause, s.resume, s.renew, s.mark_past_due, s.recover, s.end}
TestSubscriptions = Subscriptions.TestCase
TestSubscriptions.settings = settings(max_examples=10, stateful_step_count=30, deadline=None)
