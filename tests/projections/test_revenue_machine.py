"""Movements add up to what the subscriptions bring, by customer and in total, whatever happens, comes late, is corrected or retracted;
plans and segments add up to the whole, and what was known on another date is told again.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from opsledger.app import OpsLedger
from opsledger.domain import customer, fx, policy
from opsledger.domain import subscription as s
from opsledger.domain.billing import Discount, Terms
from opsledger.errors import Refused
from opsledger.policies import documents
from opsledger.policies.mrr import Revenue
from opsledger.policies.operating_model import default_model
from opsledger.replay.asof import as_of, replay
from opsledger.replay.scratch import scratch_tables
from opsledger.testing.plugin import Clock

OWNERS = {"S-1": "C-1", "S-2": "C-1", "S-3": "C-2", "S-4": "C-2"}  # the last in dollars
TERMS = Terms(plan_id="pro", plan_version=1, interval="month", quantity=10, unit_amount_minor=1000, currency="EUR")
PLANS = [TERMS, replace(TERMS, interval="year", unit_amount_minor=9999), replace(TERMS, interval="week", interval_count=2, quantity=3)]
PLANS += [replace(TERMS, plan_id="dollars", currency="USD"), replace(TERMS, plan_id="free", unit_amount_minor=0)]
DAYS = st.integers(0, 40)
RULES = st.builds(
    Revenue,
    churn_at=st.sampled_from(["end", "cancellation"]),
    discounts=st.sampled_from(["all", "lasting", "none"]),
    past_due=st.sampled_from(["counted", "excluded"]),
    paused=st.sampled_from(["zero", "full"]),
    free=st.sampled_from(["active", "inactive"]),
    same_month=st.sampled_from(["both", "neither"]),
    reactivation_within_days=st.sampled_from([None, 0, 30]),
    reporting_currency=st.sampled_from([None, "USD"]),
)
UP = ("new", "reactivation", "expansion", "fx_impact", "moved")
SUMMED = ("mrr_start", *UP, "contraction", "churn", "mrr_end", "past_due", "paused", "arr")
Act = tuple[Callable[..., Any], dict[str, Any]]
ACTS: list[Act] = [
    (s.activate, {}),
    (s.mark_past_due, {}),
    (s.mark_unpaid, {}),
    (s.recover, {}),
    (s.pause, {}),
    (s.resume, {}),
    (s.renew, {}),
    (s.expire_discount, {}),
    (s.schedule_cancellation, {}),
    (s.revoke_cancellation, {}),
    (s.end, {}),
    *((s.change_plan, {"terms": terms}) for terms in PLANS),
    *((s.change_quantity, {"quantity": quantity}) for quantity in (1, 25)),
]


class Revenues(RuleBasedStateMachine):
    """Four subscriptions of two customers. Refusals are part of the game; anything else that is raised ends it."""

    @initialize(rule=RULES)
    def create(self, rule: Revenue) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.clock = Clock("2026-01-31T10:00:00Z")
        self.known: dict[int, list[dict[str, Any]]] = {}
        self.ledger = OpsLedger.create(f"sqlite:///{self.folder.name}/ops.db", simulated=True, clock=self.clock, ledger_id="0" * 32)
        self.choose(rule)
        for id, owner in OWNERS.items():
            self.act(id, 0, s.create, customer_id=owner, terms=PLANS[3] if id == "S-4" else TERMS)
            self.act(id, 0, s.activate)

    @rule(id=st.sampled_from([*OWNERS]), days=DAYS, late=st.sampled_from([0, 0, 9, 40]), acts=st.lists(st.sampled_from(ACTS), max_size=3))
    def decide(self, id: str, days: int, late: int, acts: list[Act]) -> None:
        self.clock.forward(days=days)
        for decision, said in acts:
            self.act(id, late, decision, **said)

    @rule(id=st.sampled_from([*OWNERS]), bp=st.sampled_from([3333, 10_000]), days=st.integers(1, 70), lasts=st.booleans())
    def discount(self, id: str, bp: int, days: int, lasts: bool) -> None:
        ends_at = None if lasts else self.clock.now + timedelta(days=days)
        self.act(id, 0, s.apply_discount, discount=Discount(discount_id="D-1", off_bp=bp, ends_at=ends_at))

    @rule(id=st.sampled_from(["C-1", "C-2"]), segment=st.sampled_from(["small", "large"]), late=st.sampled_from([0, 40]))
    def count_to(self, id: str, segment: str, late: int) -> None:
        self.act(id, late, customer.register, segment=segment)
        self.act(id, 0, customer.change_segment, segment=segment)

    @rule(data=st.data(), id=st.sampled_from([*OWNERS]), days=st.integers(0, 60), retract=st.booleans())
    def correct(self, data: st.DataObject, id: str, days: int, retract: bool) -> None:
        held = data.draw(st.sampled_from(self.ledger.state(s.Subscription, id).told))
        position = self.ledger.history(f"subscription:{id}")[held.version - 1].position
        people = {"requested_by": "u-7", "approved_by": "u-8", "reason": "The contract says so"}
        if retract:
            self.act(id, 0, s.retract, retracts=position, **people)
        else:
            self.act(id, 0, s.correct_time, corrects=position, was=held.at, to=self.clock.now - timedelta(days=days), **people)

    @rule(days=st.integers(0, 90), cents=st.integers(80, 130))
    def publish_rate(self, days: int, cents: int) -> None:
        since = self.clock.now - timedelta(days=days)
        try:
            said = {"rate": Decimal(cents) / 100, "provider": "bank", "holds_from": since}
            self.ledger.by("u-7").record(fx.publish_rate, "EUR/USD", **said)  # type: ignore[arg-type]  # one mapping for all
        except Refused:
            pass

    @rule(rule=RULES)
    def choose(self, rule: Revenue) -> None:
        document = documents.canonical(default_model().model_copy(update={"revenue": rule}))
        said = {"document": document, "proposed_by": "u-7", "approved_by": "u-8"}
        self.ledger.by("u-7").record(policy.publish, "operating-model", **said)

    @rule()
    def movements_add_up(self) -> None:
        self.ledger.catch_up()
        sums: dict[tuple[str, str], list[int]] = {}
        for row in self.ledger.tables.select("mrr_movements"):
            held = sums.setdefault((row["customer_id"], row["currency"]), [0, 0, 0])
            assert (row["mrr_before_minor"], row["mrr_before_reporting_minor"]) == (held[0], held[1])
            held[0] += row["amount_minor"]
            held[1] += row["amount_reporting_minor"]
            held[2] += row["customer_change"]
            assert (row["mrr_after_minor"], row["mrr_after_reporting_minor"]) == (held[0], held[1])
        brought: dict[tuple[str, str], int] = {}
        for row in self.ledger.tables.select("subscription_mrr"):
            if row["valid_to_at"] is None:
                key = row["customer_id"], row["currency"]
                brought[key] = brought.get(key, 0) + row["mrr_minor"]
        moved = {key: amount for key, (amount, _, _) in sums.items() if amount}
        assert moved == {key: amount for key, amount in brought.items() if amount}
        for owner in {key[0] for key in sums}:
            assert sum(held[2] for key, held in sums.items() if key[0] == owner) in (0, 1)
        self.months_are_what_was_held_at_their_ends()
        if (position := self.ledger.store.head().position) not in self.known:
            self.known[position] = self.ledger.tables.select("mrr_monthly")
        for row in self.ledger.tables.select("mrr_monthly"):
            up, down = (sum(row[f"{name}_minor"] for name in names) for names in (UP, ("contraction", "churn")))
            assert row["mrr_end_minor"] == row["mrr_start_minor"] + up - down

    def months_are_what_was_held_at_their_ends(self) -> None:
        totals: dict[tuple[str, str], int] = {}
        for row in self.ledger.tables.select("customer_month"):
            key = row["month"], row["currency"]
            totals[key] = totals.get(key, 0) + row["mrr_end_minor"]
        rows = self.ledger.tables.select("mrr_monthly")
        whole = {(row["month"], row["currency"]): row for row in rows if row["plan_id"] == row["segment"] == "*"}
        # One begins with the customer, the other with a subscription in the currency: only one may say that there was nothing.
        ends = {key: row["mrr_end_minor"] for key, row in whole.items()}
        assert {key: amount for key, amount in totals.items() if amount} == {key: amount for key, amount in ends.items() if amount}
        for name in (f"{each}_minor" for each in SUMMED):
            for split in ({"plan_id"}, {"segment"}, {"plan_id", "segment"}):
                sums = dict.fromkeys(whole, 0)
                for row in rows:
                    if {part for part in ("plan_id", "segment") if row[part] != "*"} == split:
                        sums[row["month"], row["currency"]] += row[name]
                assert sums == {key: row[name] for key, row in whole.items()}, (name, split)

    def teardown(self) -> None:
        if not hasattr(self, "ledger"):
            return
        self.movements_add_up()
        assert [each.table for each in self.ledger.tables.rebuild() if each.rows] == []
        self.what_was_known_at_some_time_is_told_again()
        self.ledger.close()
        self.folder.cleanup()

    def what_was_known_at_some_time_is_told_again(self) -> None:
        position, rows = min(self.known.items())
        with scratch_tables() as tables:
            replay(self.ledger.store, tables, as_of(self.ledger.store, position=position))
            assert tables.select("mrr_monthly") == rows

    def act(self, id: str, late: int, decision: Callable[..., Any], **said: Any) -> None:
        with suppress(Refused):
            self.ledger.by("u-7", at=self.clock.now - timedelta(days=late)).record(decision, id, **said)


TestRevenue = Revenues.TestCase
TestRevenue.settings = settings(max_examples=8, stateful_step_count=12, deadline=None)
