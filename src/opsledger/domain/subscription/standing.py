"""How a subscription stands after facts, taken in the order in which they happened: one pure fold for decisions and for tables.

One state of the life cycle, and beside it what is independent of it: the end and the change that are agreed for later, the wish to
leave, the discount, whether the service may be used. Tables of revenue fold the same `begin` and `after`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Literal, NamedTuple, assert_never

from opsledger.domain.billing import Cycle, Discount, Period, ProrationRule, Terms
from opsledger.domain.subscription import facts as f
from opsledger.errors import Refused

State = Literal["pending", "trialing", "incomplete", "active", "past_due", "paused", "unpaid", "ended"]
BILLED: Final[tuple[State, ...]] = ("active", "past_due")
"""States in which periods run and are charged."""
_USABLE: Final[tuple[State, ...]] = ("trialing", "active", "past_due")


class Wish(NamedTuple):
    """A customer's wish to leave that stands: since when, and why."""

    at: datetime
    reason: f.CancellationReason


class ScheduledChange(NamedTuple):
    """Other terms that were agreed to hold from a later time on."""

    change_at: datetime
    terms: Terms


class Offer(NamedTuple):
    """An offer to stay, and its answer; None: not answered."""

    offer_id: str
    kind: f.OfferKind
    discount: Discount | None
    accepted: bool | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """A subscription at some time. `activated_at` is when it was first paid for; None: never, so that it has earned nothing."""

    customer_id: str
    terms: Terms
    discount: Discount | None
    proration: ProrationRule
    zone: str
    state: State = "pending"
    since: datetime | None = None  # of the state
    activated_at: datetime | None = None
    trial_ends_at: datetime | None = None
    cycle: Cycle | None = None
    period: Period | None = None  # the newest that was begun or agreed on
    scheduled_change: ScheduledChange | None = None
    pause_until: datetime | None = None
    usable_in_pause: bool = False
    blocked: bool = False
    wish: Wish | None = None
    cancel_at: datetime | None = None
    cancel_reason: f.EndReason | None = None  # with which it is to end then
    offers: tuple[Offer, ...] = ()
    ended_at: datetime | None = None
    end_reason: f.EndReason | None = None
    previous_subscription_id: str | None = None

    @property
    def entitled(self) -> bool:
        """Whether the service may be used."""
        return not self.blocked and (self.state in _USABLE or (self.state == "paused" and self.usable_in_pause))

    @property
    def billed(self) -> bool:
        """Whether periods run and are charged."""
        return self.state in BILLED

    def discount_at(self, at: datetime) -> Discount | None:
        """Return the discount that holds at an instant; one whose time is over holds no longer, whether anybody said so or not."""
        return self.discount if self.discount is not None and self.discount.holds(at) else None

    def amount_minor(self, at: datetime) -> int:
        """Return what one interval costs at an instant, in minor units, after the discount that holds then."""
        return priced(self.terms, self.discount_at(at))


def priced(terms: Terms, discount: Discount | None) -> int:
    """Return what one interval costs in minor units, after a discount."""
    return terms.amount_minor - (discount.taken_off(terms.amount_minor) if discount is not None else 0)


def begin(at: datetime, event: f.Fact) -> Standing:
    """Return how a subscription stands after its first fact."""
    match event:
        case f.Created():
            return Standing(event.customer_id, event.terms, event.discount, event.proration, event.zone, since=at)
        case f.Reactivated():
            fresh = Standing(event.customer_id, event.terms, event.discount, event.proration, event.cycle.zone)
            running = replace(fresh, cycle=event.cycle, period=event.period, previous_subscription_id=event.previous_subscription_id)
            return replace(running, state="active", since=at, activated_at=at)
        case _:
            kind = type(event).__name__
            raise Refused("subscription.unknown_beginning", f"A subscription begins with being created or reactivated, not with {kind}.")


def after(standing: Standing, at: datetime, event: f.Fact) -> Standing:
    """Return how it stands after a fact that happened at `at`. Nothing moves what has ended; corrections are applied before."""
    if standing.state == "ended":
        return standing
    match event:
        case f.Created() | f.Reactivated() | f.TimeCorrected() | f.Retracted():
            return standing
        case f.TrialEndingReminderSent() | f.RenewalReminderSent():
            return standing
        case f.TrialStarted():
            return _moved(replace(standing, trial_ends_at=event.trial_ends_at), at, "trialing")
        case f.TrialExpired():
            return _moved(standing, at, "paused")
        case f.MarkedIncomplete():
            return _moved(standing, at, "incomplete")
        case f.TrialConverted() | f.Activated():
            running = replace(standing, terms=event.terms, discount=event.discount, cycle=event.cycle, period=event.period)
            return _moved(replace(running, activated_at=standing.activated_at or at, pause_until=None), at, "active")
        case f.MarkedPastDue():
            return _moved(standing, at, "past_due")
        case f.MarkedUnpaid():
            return _moved(standing, at, "unpaid")
        case f.Recovered():
            return _moved(standing, at, "active") if standing.state in ("past_due", "unpaid") else standing
        case f.Paused():
            return _moved(replace(standing, pause_until=event.pause_until, usable_in_pause=event.entitled), at, "paused")
        case f.Resumed():
            return _resumed(standing, at, event) if standing.state == "paused" else standing
        case f.EntitlementChanged():
            return replace(standing, blocked=event.blocked)
        case f.Ended():
            over = replace(standing, ended_at=at, end_reason=event.end_reason, cancel_at=None, cancel_reason=None, scheduled_change=None)
            return _moved(replace(over, pause_until=None), at, "ended")
        case _:
            return _agreed(standing, at, event)


def _agreed(standing: Standing, at: datetime, event: f.Agreement) -> Standing:
    """Return how it stands after a fact that leaves the state of the life cycle as it is."""
    match event:
        case f.PlanChangeScheduled():
            return replace(standing, scheduled_change=ScheduledChange(event.change_at, event.terms))
        case f.PlanChangeRevoked():
            return replace(standing, scheduled_change=None)
        case f.PlanChanged():
            due = standing.scheduled_change is not None and at >= standing.scheduled_change.change_at
            changed = replace(standing, terms=_merged(standing.terms, event.was, event.terms))
            changed = replace(changed, scheduled_change=None if due else standing.scheduled_change)
            return changed if event.cycle is None else replace(changed, cycle=event.cycle, period=event.period)
        case f.QuantityChanged():
            return replace(standing, terms=replace(standing.terms, quantity=event.quantity))
        case f.DiscountApplied():
            return replace(standing, discount=event.discount)
        case f.DiscountExpired():
            held = standing.discount
            return replace(standing, discount=None) if held is not None and held.discount_id == event.discount_id else standing
        case f.CancellationRequested():
            return replace(standing, wish=Wish(at, event.reason))
        case f.RetentionOfferMade():
            return replace(standing, offers=(*standing.offers, Offer(event.offer_id, event.kind, event.discount)))
        case f.RetentionOfferAccepted():
            return replace(standing, wish=None, offers=_answered(standing.offers, event.offer_id, accepted=True))
        case f.RetentionOfferDeclined():
            return replace(standing, offers=_answered(standing.offers, event.offer_id, accepted=False))
        case f.CancellationScheduled():
            return replace(standing, cancel_at=event.cancel_at, cancel_reason=event.end_reason)
        case f.CancellationRevoked():
            return replace(standing, cancel_at=None, cancel_reason=None, wish=None)
        case f.Renewed():
            return replace(standing, terms=_merged(standing.terms, event.was, event.terms), period=event.period)
        case _:
            assert_never(event)


def _moved(standing: Standing, at: datetime, state: State) -> Standing:
    return standing if standing.state == state else replace(standing, state=state, since=at)


def _resumed(standing: Standing, at: datetime, event: f.Resumed) -> Standing:
    running = _moved(replace(standing, pause_until=None, usable_in_pause=False), at, "active")
    return running if event.cycle is None else replace(running, cycle=event.cycle, period=event.period)


def _merged(held: Terms, was: Terms, now: Terms) -> Terms:
    """Return the terms held, with what a fact changed: the plan with its price as one, the quantity by itself.

    A fact that happened before and was typed in late may have changed the other of the two, which stays.
    """
    quantity = held.quantity if was.quantity == now.quantity else now.quantity
    same_plan = replace(was, quantity=0) == replace(now, quantity=0)
    return replace(held if same_plan else now, quantity=quantity)


def _answered(offers: tuple[Offer, ...], offer_id: str, *, accepted: bool) -> tuple[Offer, ...]:
    return tuple(offer._replace(accepted=accepted) if offer.offer_id == offer_id else offer for offer in offers)
