"""A year of contracts: plans and exchange rates, trials, renewals, growth, rests, debts, wishes to leave, ends and returns."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any, Final

from opsledger.app import Receipt
from opsledger.domain import customer as c
from opsledger.domain import fx, plan
from opsledger.domain import subscription as s
from opsledger.domain.billing import Discount, Terms
from opsledger.example.hazard import Customer, converts, pays_late
from opsledger.example.simulation import Desk, Life
from opsledger.policies.instants import at

__all__ = ["FEATURES", "SALES", "Contracts", "entitle"]

SALES: Final = "u-vic"
CLERK, HEAD = "u-tom", "u-uma"
BILLING: Final = ("billing", "system")
FEATURES: Final = ("automation", "cases", "reports")
PLANS: Final = {"basic": ("month", 2900, 2700), "team": ("month", 4900, 4500), "company": ("year", 58_800, 54_000)}
TRIAL_DAYS: Final = 14
NOTICE: Final = timedelta(days=30)
KEPT: Final = 0.2  # of those who are offered something to stay
REASONS: Final[tuple[s.CancellationReason, ...]] = ("price", "not_used", "missing_feature", "competitor", "quality", "support")


class Contracts:
    """What is sold on which terms, and what becomes of each contract."""

    def __init__(self, desk: Desk, random: Random) -> None:
        self._desk, self._random = desk, random
        self._plans: dict[str, plan.Plan] = {}

    def begin(self) -> None:
        """Publish the plans and the first exchange rate; in July new customers of one plan begin to pay more."""
        for id, (interval, dollars, euros) in PLANS.items():
            self._publish(id, interval, dollars, euros)
        self._desk.begin(self._desk.now, self._rates())
        self._desk.schedule(at("2025-07-01T00:00:00Z"), lambda: self._publish("team", "month", 5400, 4900))

    def sign(self, who: Customer, *, trial: bool) -> Life:
        """Let a customer subscribe, at once or after a trial that may come to nothing."""
        desk, id = self._desk, f"S-{who.id[2:]}"
        terms = self._terms(who)
        rule = self._plans[who.plan_id].sold(desk.now).proration
        signed_at = None if trial else desk.now
        desk.record(SALES, "sales", s.create, id, customer_id=who.id, terms=terms, proration=rule, contract_signed_at=signed_at)
        who.subscription_id = id
        if trial:
            who.stage = "trying"
            ends_at = desk.now + timedelta(days=TRIAL_DAYS)
            desk.record(*BILLING, s.start_trial, id, trial_ends_at=ends_at)
            yield (TRIAL_DAYS - 3) * 86_400
            desk.record(*BILLING, s.remind_trial_ending, id, channel="email")
            yield (ends_at - desk.now).total_seconds()
            if self._random.random() >= converts(who.mood):
                desk.record(*BILLING, s.expire_trial, id)
                who.stage = "gone"
                return
            self._begun(who, desk.record(*BILLING, s.convert_trial, id, discount=self._welcome(id)))
        else:
            self._begun(who, desk.record(*BILLING, s.activate, id))

    def run(self, who: Customer) -> Life:
        """Renew a contract at the end of each period, for as long as it is the customer's; payments may come late."""
        desk, id = self._desk, who.subscription_id
        while who.subscription_id == id and who.renews_at is not None:
            left = (who.renews_at - desk.now).total_seconds()
            if left > 31 * 86_400:
                yield left - 30 * 86_400
                desk.record(*BILLING, s.remind_renewal, id, channel="email")
                continue
            yield max(86_400.0 if left <= 0 else 1.0, left)
            if who.subscription_id != id or who.stage == "gone":
                return
            receipt = desk.record(*BILLING, s.renew, id)
            self._note(who, receipt)
            if receipt.facts and not who.unsettled and self._random.random() < pays_late(who.mood):
                who.unsettled = True
                desk.begin(desk.now + timedelta(days=2), self._owe(who))

    def grow(self, who: Customer) -> Life:
        """Let a customer have more people use it, or go on to a larger plan from next month on."""
        desk, id = self._desk, who.subscription_id
        if who.plan_id == "basic" and who.renews_at is not None and self._random.random() < 0.4:
            who.plan_id = "team"
            desk.record(SALES, "sales", s.schedule_plan_change, id, terms=self._terms(who), change_at=who.renews_at)
            yield (who.renews_at - desk.now).total_seconds()
            desk.record(*BILLING, s.change_plan, id)
        else:
            who.seats += max(1, who.seats // 6)
            desk.record(SALES, "sales", s.change_quantity, id, quantity=who.seats)
            entitle(desk, who)
            yield 0

    def rest(self, who: Customer, length: timedelta) -> Life:
        """Let a contract rest for some time."""
        desk, id = self._desk, who.subscription_id
        desk.record(*BILLING, s.pause, id, pause_until=desk.now + length, reason="The office is being moved.")
        who.stage = "resting"
        yield length.total_seconds()
        if who.subscription_id == id and who.stage == "resting":
            desk.record(*BILLING, s.resume, id)
            who.stage = "paying"

    def leave(self, who: Customer) -> Life:
        """Let a customer ask to leave: something is offered, and taken or not; then the notice runs, and it ends."""
        desk, random, id = self._desk, self._random, who.subscription_id
        reason = random.choice(REASONS)
        wish = "It does less for us than we thought." if reason != "price" else "It has become too expensive for us."
        desk.record(SALES, "sales", s.request_cancellation, id, reason=reason, feedback=wish, requested_by=f"p-{who.id[2:]}-0")
        yield random.uniform(0.5, 3) * 86_400
        kind: s.OfferKind = random.choice(("discount", "discount", "pause"))
        off = Discount(discount_id=f"{id}-stay", off_bp=2000, ends_at=desk.now + timedelta(days=100)) if kind == "discount" else None
        desk.record(
            SALES, "sales", s.make_offer, id, offer_id=f"{id}-O1", kind=kind, discount=off, details="Three months, and somebody to ask."
        )
        yield random.uniform(0.5, 4) * 86_400
        if random.random() < KEPT:
            yield from self._stay(who, id, kind)
            return
        desk.record(SALES, "sales", s.decline_offer, id, offer_id=f"{id}-O1")
        ends_at = min(desk.now + NOTICE, max(who.renews_at or desk.now, desk.now + timedelta(days=1)))
        desk.record(SALES, "sales", s.schedule_cancellation, id, cancel_at=ends_at)
        yield (ends_at - desk.now).total_seconds()
        self._end(who, id, "cancelled_voluntary")
        if random.random() < 0.2:
            yield random.uniform(30, 80) * 86_400
            yield from self._return(who, id)

    def _stay(self, who: Customer, id: str, kind: s.OfferKind) -> Life:
        """A customer who takes an offer is looked after from then on, and likes it."""
        self._desk.record(SALES, "sales", s.accept_offer, id, offer_id=f"{id}-O1")
        self._desk.record(SALES, "sales", s.revoke_cancellation, id)
        who.level = min(0.9, who.level + 0.25)
        who.unsettled = False
        if kind == "pause":
            yield from self.rest(who, timedelta(days=28))

    def _owe(self, who: Customer) -> Life:
        """A payment is late: most come, the others are given up after a month and a half."""
        desk, id = self._desk, who.subscription_id
        desk.record(*BILLING, s.mark_past_due, id)
        if self._random.random() < 0.5 + 0.48 * who.mood:
            yield self._random.uniform(3, 25) * 86_400
            desk.record(*BILLING, s.recover, id)
            who.unsettled = False
            return
        yield 30 * 86_400
        desk.record(*BILLING, s.mark_unpaid, id)
        yield 15 * 86_400
        self._end(who, id, "cancelled_involuntary")

    def _end(self, who: Customer, id: str, reason: s.EndReason) -> None:
        self._desk.record(*BILLING, s.end, id, end_reason=reason, give_back=who.plan_id == "company" and reason == "cancelled_voluntary")
        who.stage, who.renews_at = "gone", None

    def _return(self, who: Customer, id: str) -> Life:
        """A customer who left comes back by a contract that follows the first."""
        history = self._desk.history(f"subscription:{id}")
        previous: s.Subscription | None = None
        for recorded in history:
            previous = s.evolve(previous, recorded.fact)
        assert previous is not None
        who.level, who.mood = 0.75, 0.72
        again = f"{id}-2"
        receipt = self._desk.record(SALES, "sales", s.reactivate, again, previous=previous, previous_subscription_id=id)
        who.subscription_id = again
        who.unsettled = False
        self._begun(who, receipt)
        yield from self.run(who)

    def _begun(self, who: Customer, receipt: Receipt) -> None:
        who.stage = "paying"
        self._note(who, receipt)

    def _note(self, who: Customer, receipt: Receipt) -> None:
        """Keep until when the newest period runs."""
        for fact in receipt.facts:
            if (period := getattr(fact, "period", None)) is not None:
                who.renews_at = period.ends_at

    def _welcome(self, id: str) -> Discount | None:
        """Every other new customer pays less for three months."""
        if self._random.random() < 0.5:
            return None
        return Discount(discount_id=f"{id}-welcome", off_bp=1000, ends_at=self._desk.now + timedelta(days=90))

    def _terms(self, who: Customer) -> Terms:
        return self._plans[who.plan_id].terms(who.plan_id, who.currency, at=self._desk.now, quantity=who.seats)

    def _publish(self, id: str, interval: Any, dollars: int, euros: int) -> None:
        prices = (plan.Price(currency="USD", unit_amount_minor=dollars), plan.Price(currency="EUR", unit_amount_minor=euros))
        receipt = self._desk.record(
            CLERK, "finance", plan.publish, id, name=id.title(), interval=interval, prices=prices, proposed_by=CLERK, approved_by=HEAD
        )
        for fact in receipt.facts:
            self._plans[id] = plan.evolve(self._plans.get(id), fact)

    def _rates(self) -> Life:
        """Publish a rate each month; the one of May is typed in wrong, and put right by two people."""
        desk, worth = self._desk, 1.04
        while True:
            worth *= 1 + self._random.gauss(0.004, 0.01)
            rate = Decimal(f"{worth:.4f}")
            wrong = rate + Decimal("0.1") if desk.now.month == 5 else rate
            desk.record(CLERK, "finance", fx.publish_rate, "EUR/USD", rate=wrong, provider="central bank")
            if wrong != rate:
                yield 9 * 86_400
                self._put_right(wrong, rate)
            yield (_next_month(desk.now) - desk.now).total_seconds()

    def _put_right(self, was: Decimal, to: Decimal) -> None:
        desk = self._desk
        desk.commit()
        published = desk.history("fx:EUR/USD")[-1].position
        people = {"requested_by": CLERK, "approved_by": HEAD}
        desk.record(CLERK, "finance", fx.correct_rate, "EUR/USD", corrects=published, was=was, to=to, reason="A slip of the key.", **people)


def entitle(desk: Desk, who: Customer) -> None:
    """Record what a customer may use."""
    desk.record(
        SALES,
        "sales",
        c.entitle,
        who.id,
        seats=who.seats,
        api=who.api,
        community=who.community,
        features=FEATURES,
        cases_per_28_days=who.cases if who.segment != "small" else None,
    )


def _next_month(now: datetime) -> datetime:
    return datetime(now.year + now.month // 12, now.month % 12 + 1, 1, tzinfo=UTC)
