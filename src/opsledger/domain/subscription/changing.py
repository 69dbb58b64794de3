"""Decisions on what is subscribed to: plan, quantity, discount; now or agreed for later, with the amounts of each change."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from opsledger.domain.billing import Discount, Proration, ProrationRule, Terms, prorate
from opsledger.domain.concept import Moment
from opsledger.domain.subscription import facts as f
from opsledger.domain.subscription.beginning import begun
from opsledger.domain.subscription.standing import Standing, priced
from opsledger.domain.subscription.state import Subscription, live, new, one_kind
from opsledger.errors import Refused


def schedule_plan_change(subscription: Subscription, now: Moment, /, *, terms: Terms, change_at: datetime) -> tuple[f.Fact, ...]:
    """Record that other terms are to hold from `change_at` on; `change_plan` records that they do. A newer agreement replaces it."""
    standing = live(subscription, now, "change of plan")
    _same_currency(standing, terms)
    if change_at <= now.at:
        raise Refused("subscription.change_past", f"{change_at.isoformat()} is no later time; change the plan at it instead.")
    if standing.scheduled_change == (change_at, terms):
        return ()
    direction = direction_of(standing.terms, terms)
    scheduled = f.PlanChangeScheduled(
        scheduled_at=now.at, customer_id=standing.customer_id, change_at=change_at, direction=direction, terms=terms
    )
    return (scheduled,)


def revoke_plan_change(subscription: Subscription, now: Moment, /) -> tuple[f.Fact, ...]:
    """Record that the change agreed for later will not take place. Adds nothing where none is."""
    standing = live(subscription, now, "change of plan")
    if standing.scheduled_change is None:
        return ()
    change_at = standing.scheduled_change.change_at
    return (f.PlanChangeRevoked(revoked_at=now.at, customer_id=standing.customer_id, change_at=change_at),)


def change_plan(
    subscription: Subscription,
    now: Moment,
    /,
    *,
    terms: Terms | None = None,
    proration: ProrationRule | None = None,
    invoice_id: str | None = None,
) -> tuple[f.Fact, ...]:
    """Record that other terms hold from now on: those given, or those agreed on for now. The fact keeps rule and amounts.

    `proration` is another rule than the one pinned at creation. Where the interval changes, a new period begins now.
    """
    standing = live(subscription, now, "change of plan")
    if terms is None:
        agreed = standing.scheduled_change
        if agreed is None or now.at < agreed.change_at:
            raise Refused("subscription.no_terms", f"No change of {now.id} is agreed on for {now.at.isoformat()}; give the terms.")
        terms = agreed.terms
    _same_currency(standing, terms)
    if terms == standing.terms:
        return ()
    anew = standing.billed and terms.length != standing.terms.length
    cycle, period = begun(now.at, standing.zone, terms) if anew else (None, None)
    discount = standing.discount_at(now.at)
    changed = f.PlanChanged(
        changed_at=now.at,
        customer_id=standing.customer_id,
        direction=direction_of(standing.terms, terms),
        was=standing.terms,
        terms=terms,
        discount=discount,
        proration=prorated(standing, now.at, priced(terms, discount), proration, anew=anew),
        cycle=cycle,
        period=period,
        invoice_id=invoice_id,
    )
    return (changed,)


def change_quantity(
    subscription: Subscription, now: Moment, /, *, quantity: int, proration: ProrationRule | None = None, invoice_id: str | None = None
) -> tuple[f.Fact, ...]:
    """Record that another number of units is subscribed to from now on, with the amounts of the running period."""
    standing = live(subscription, now, "change of quantity")
    if quantity < 0:
        raise Refused("subscription.quantity", f"{quantity} units cannot be subscribed to; give 0 or more.")
    if quantity == standing.terms.quantity:
        return ()
    terms, discount = replace(standing.terms, quantity=quantity), standing.discount_at(now.at)
    changed = f.QuantityChanged(
        changed_at=now.at,
        customer_id=standing.customer_id,
        was_quantity=standing.terms.quantity,
        quantity=quantity,
        terms=terms,
        discount=discount,
        proration=prorated(standing, now.at, priced(terms, discount), proration),
        invoice_id=invoice_id,
    )
    return (changed,)


def apply_discount(subscription: Subscription, now: Moment, /, *, discount: Discount) -> tuple[f.Fact, ...]:
    """Record that a discount holds from now on, up to its own end, in place of any before."""
    standing = live(subscription, now, "discount")
    one_kind(discount)
    if not discount.holds(now.at):
        raise Refused("subscription.discount_over", f"{discount.discount_id} is over by {now.at.isoformat()}; give a later end, or none.")
    if standing.discount == discount:
        return ()
    return (f.DiscountApplied(applied_at=now.at, customer_id=standing.customer_id, discount=discount, terms=standing.terms),)


def expire_discount(subscription: Subscription, now: Moment, /) -> tuple[f.Fact, ...]:
    """Record that the discount holds no longer: its time is over, or it is taken back. Adds nothing where none is held."""
    standing = live(subscription, now, "end of a discount")
    if standing.discount is None:
        return ()
    expired = f.DiscountExpired(
        expired_at=now.at, customer_id=standing.customer_id, discount_id=standing.discount.discount_id, terms=standing.terms
    )
    return new(subscription, expired)


def direction_of(was: Terms, terms: Terms) -> f.Direction:
    """Return whether other terms cost more in the long run, less, or the same; discounts are left out."""
    before, now = (each.amount_minor * each.length.in_a_month for each in (was, terms))
    return "lateral" if now == before else "upgrade" if now > before else "downgrade"


def given_back(standing: Standing, now: Moment) -> Proration | None:
    """Return what is given back of the running period at its end; None: nothing runs."""
    return prorated(standing, now.at, 0, None)


def prorated(standing: Standing, at: datetime, new_minor: int, rule: ProrationRule | None, *, anew: bool = False) -> Proration | None:
    """Return what a change from the present price to another comes to in the running period; with `anew` a whole new period is charged."""
    if not standing.billed or standing.cycle is None:
        return None
    terms, old_minor = standing.terms, standing.amount_minor(at)
    period = standing.cycle.containing(terms.length, at)
    return prorate(rule or standing.proration, period, terms.length, at, (old_minor, new_minor), terms.currency, anew=anew)


def _same_currency(standing: Standing, terms: Terms) -> None:
    if terms.currency != standing.terms.currency:
        raise Refused(
            "subscription.currency",
            f"It is billed in {standing.terms.currency}, not {terms.currency}; end it as migrated and begin another in {terms.currency}.",
        )
