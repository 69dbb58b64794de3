"""Decisions from the first word to the first paid period: create, trial, first payment, activation; and coming back."""

from __future__ import annotations

from datetime import datetime

from opsledger.domain.billing import Cycle, Discount, Period, ProrationRule, Terms, cycle_from
from opsledger.domain.concept import Moment, starts
from opsledger.domain.subscription import facts as f
from opsledger.domain.subscription.state import Subscription, new, one_kind, standing_in
from opsledger.errors import Refused


@starts
def create(
    subscription: Subscription | None,
    now: Moment,
    /,
    *,
    customer_id: str,
    terms: Terms,
    discount: Discount | None = None,
    proration: ProrationRule | None = None,
    zone: str = "UTC",
    starts_at: datetime | None = None,
    contract_signed_at: datetime | None = None,
) -> tuple[f.Fact, ...]:
    """Record that a customer subscribed. `plan.Plan.terms` gives the terms, `.sold` the rule of proration."""
    _unknown(subscription, now)
    cycle_from(now.at, zone)  # refuses a zone that there is not, before periods need it
    created = f.Created(
        created_at=now.at,
        customer_id=customer_id,
        terms=terms,
        discount=one_kind(discount),
        proration=proration or ProrationRule(),
        zone=zone,
        starts_at=starts_at,
        contract_signed_at=contract_signed_at,
    )
    return (created,)


@starts
def reactivate(
    subscription: Subscription | None,
    now: Moment,
    /,
    *,
    previous: Subscription,
    previous_subscription_id: str,
    terms: Terms | None = None,
    discount: Discount | None = None,
    invoice_id: str | None = None,
) -> tuple[f.Fact, ...]:
    """Record that a customer came back, by a new subscription that follows `previous`, on its terms unless others are given.

    Give the state of the previous one and guard its stream by `expect`. It must have ended; it is not changed.
    """
    _unknown(subscription, now)
    ended = previous.at(now.at)
    if ended.ended_at is None:
        raise Refused(
            "subscription.not_ended", f"{previous_subscription_id} had not ended by {now.at.isoformat()}; resume it or revoke its end."
        )
    held = terms or ended.terms
    cycle, period = begun(now.at, ended.zone, held)
    reactivated = f.Reactivated(
        reactivated_at=now.at,
        customer_id=ended.customer_id,
        previous_subscription_id=previous_subscription_id,
        previous_ended_at=ended.ended_at,
        terms=held,
        discount=one_kind(discount),
        proration=ended.proration,
        cycle=cycle,
        period=period,
        invoice_id=invoice_id,
    )
    return (reactivated,)


def start_trial(subscription: Subscription, now: Moment, /, *, trial_ends_at: datetime) -> tuple[f.Fact, ...]:
    """Record that the customer tries it for nothing, up to `trial_ends_at`. While the trial runs, it may be given another end."""
    standing = standing_in(subscription, now, "a trial", "pending", "trialing")
    if trial_ends_at <= now.at:
        raise Refused("subscription.trial_over", f"A trial that ends at {trial_ends_at.isoformat()} is over already; give a later end.")
    if standing.state == "trialing" and standing.trial_ends_at == trial_ends_at:
        return ()
    return (f.TrialStarted(started_at=now.at, customer_id=standing.customer_id, trial_ends_at=trial_ends_at),)


def remind_trial_ending(subscription: Subscription, now: Moment, /, *, channel: str) -> tuple[f.Fact, ...]:
    """Record that the customer was told of the trial's end."""
    standing = standing_in(subscription, now, "a reminder of a trial's end", "trialing")
    assert standing.trial_ends_at is not None
    reminded = f.TrialEndingReminderSent(
        sent_at=now.at, customer_id=standing.customer_id, trial_ends_at=standing.trial_ends_at, channel=channel
    )
    return new(subscription, reminded)


def convert_trial(
    subscription: Subscription,
    now: Moment,
    /,
    *,
    terms: Terms | None = None,
    discount: Discount | None = None,
    invoice_id: str | None = None,
) -> tuple[f.Fact, ...]:
    """Record that the trial became a paid subscription, on the terms agreed at its creation unless others are given."""
    if _active_since(subscription, now):
        return ()
    standing = standing_in(subscription, now, "a conversion", "trialing")
    held = terms or standing.terms
    cycle, period = begun(now.at, standing.zone, held)
    converted = f.TrialConverted(
        converted_at=now.at,
        customer_id=standing.customer_id,
        terms=held,
        discount=one_kind(discount) or standing.discount_at(now.at),
        cycle=cycle,
        period=period,
        invoice_id=invoice_id,
    )
    return (converted,)


def expire_trial(subscription: Subscription, now: Moment, /, *, end: bool = True) -> tuple[f.Fact, ...]:
    """Record that the trial ended without becoming a paid subscription: it ends with it, or rests until it is activated."""
    standing = standing_in(subscription, now, "the expiry of a trial", "trialing")
    assert standing.trial_ends_at is not None
    if now.at < standing.trial_ends_at:
        raise Refused(
            "subscription.trial_running",
            f"The trial runs until {standing.trial_ends_at.isoformat()}; cancel it by ending the subscription, or wait.",
        )
    expired = f.TrialExpired(expired_at=now.at, customer_id=standing.customer_id)
    if not end:
        return (expired,)
    return expired, f.Ended(ended_at=now.at, customer_id=standing.customer_id, end_reason="expired", terms=standing.terms)


def mark_incomplete(subscription: Subscription, now: Moment, /, *, invoice_id: str | None = None) -> tuple[f.Fact, ...]:
    """Record that the first payment has still to be made before it begins."""
    standing = standing_in(subscription, now, "a first payment that is missing", "pending", "incomplete")
    if standing.state == "incomplete":
        return ()
    return (f.MarkedIncomplete(marked_at=now.at, customer_id=standing.customer_id, invoice_id=invoice_id),)


def activate(
    subscription: Subscription, now: Moment, /, *, anchor_at: datetime | None = None, invoice_id: str | None = None
) -> tuple[f.Fact, ...]:
    """Record that it began to run and to be paid for; periods are counted from `anchor_at` (default: now).

    With an earlier or later anchor the first period is the one that now lies in. A trial is converted instead.
    """
    if _active_since(subscription, now):
        return ()
    standing = standing_in(subscription, now, "its activation", "pending", "incomplete", "paused")
    if standing.activated_at is not None:
        raise Refused("subscription.activated", f"{now.id} was activated at {standing.activated_at.isoformat()}; resume it instead.")
    cycle = cycle_from(anchor_at or now.at, standing.zone)
    activated = f.Activated(
        activated_at=now.at,
        customer_id=standing.customer_id,
        terms=standing.terms,
        discount=standing.discount_at(now.at),
        cycle=cycle,
        period=cycle.containing(standing.terms.length, now.at),
        invoice_id=invoice_id,
    )
    return (activated,)


def begun(at: datetime, zone: str, terms: Terms) -> tuple[Cycle, Period]:
    """Return a cycle that begins at an instant, and its first period."""
    cycle = cycle_from(at, zone)
    return cycle, cycle.period(terms.length, 0)


def _unknown(subscription: Subscription | None, now: Moment) -> None:
    if subscription is not None:
        raise Refused("subscription.exists", f"{now.id} is a subscription already; record on it, or choose another id.")


def _active_since(subscription: Subscription, now: Moment) -> bool:
    """Return whether it is known to have become active at this very moment."""
    standing = subscription.at(now.at)
    return standing.state == "active" and standing.activated_at == now.at
