"""Plans: what can be subscribed to, at which price, by which rule of proration; every version of it is kept.

    published, version 1 ──> published, version 2 ──> ... ──> retired

Subscriptions carry the terms that they were sold on, so that a new version changes nothing for those who have an older one.
Source: Operating Model, "Billing Operations": plan upgrades and downgrades.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, assert_never

from pydantic import Field

from opsledger.domain.billing import Currency, Pricing, ProrationRule, Terms
from opsledger.domain.concept import Moment, another, concept, starts
from opsledger.domain.fact import At, fact, part
from opsledger.errors import Refused, Unknown
from opsledger.policies.billing_periods import Unit, offsets

__all__ = ["Fact", "Plan", "Price", "Published", "Retired", "evolve", "publish", "retire"]

# Facts. Stored for good: grow by an optional field or by a new fact.


@part
class Price:
    """What one interval costs in a currency, without tax: one unit of it, or all where the price is flat."""

    currency: Currency
    unit_amount_minor: Annotated[int, Field(ge=0)]


@fact("plan.published", at="published_at")
class Published:
    """A version of a plan was made known, to be sold from a time on."""

    published_at: At
    version: Annotated[int, Field(ge=1)]
    name: str
    interval: Unit
    interval_count: Annotated[int, Field(ge=1)]
    pricing: Pricing
    prices: Annotated[tuple[Price, ...], Field(min_length=1)]
    trial_days: Annotated[int, Field(ge=0)] = 0
    proration: ProrationRule
    sold_from: At
    proposed_by: str
    approved_by: str


@fact("plan.retired", at="retired_at")
class Retired:
    """The plan is sold no longer; those who have it keep it."""

    retired_at: At


Fact = Published | Retired

# State.


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan's versions in the order of their numbers, and when it was retired."""

    versions: tuple[Published, ...] = ()
    retired_at: datetime | None = None

    def sold(self, at: datetime) -> Published:
        """Return the version that is sold at an instant. Raises Unknown where none is."""
        on_sale = [each for each in self.versions if each.sold_from <= at]
        if not on_sale or (self.retired_at is not None and at >= self.retired_at):
            raise Unknown("plan.not_sold", f"No version of this plan is sold at {at.isoformat()}; publish one, or name another plan.")
        return max(on_sale, key=lambda each: (each.sold_from, each.version))

    def terms(self, plan_id: str, currency: str, *, at: datetime, quantity: int = 1) -> Terms:
        """Return the terms on which it is sold at an instant, for `subscription.create` and `change_plan`."""
        version = self.sold(at)
        price = next((each for each in version.prices if each.currency == currency), None)
        if price is None:
            had = ", ".join(each.currency for each in version.prices)
            raise Unknown("plan.no_price", f"Version {version.version} of {plan_id} has no price in {currency}, but in {had}.")
        return Terms(
            plan_id=plan_id,
            plan_version=version.version,
            interval=version.interval,
            interval_count=version.interval_count,
            pricing=version.pricing,
            quantity=quantity,
            unit_amount_minor=price.unit_amount_minor,
            currency=currency,
        )


@concept("plan")
def evolve(plan: Plan | None, event: Fact) -> Plan:
    """Return the plan after `event`."""
    plan = plan or Plan()
    match event:
        case Published():
            return replace(plan, versions=(*plan.versions, event))
        case Retired():
            return replace(plan, retired_at=min(event.retired_at, plan.retired_at or event.retired_at))
        case _:
            assert_never(event)


# Decisions. Return the facts to record; `()` when there is nothing to add.


@starts
def publish(
    plan: Plan | None,
    now: Moment,
    /,
    *,
    name: str,
    interval: Unit,
    prices: tuple[Price, ...],
    proposed_by: str,
    approved_by: str,
    interval_count: int = 1,
    pricing: Pricing = "per_unit",
    trial_days: int = 0,
    proration: ProrationRule | None = None,
    sold_from: datetime | None = None,
) -> tuple[Fact, ...]:
    """Record the next version of a plan, sold from `sold_from` (default: now). Needs another person's approval.

    The same content as the newest version adds nothing.
    """
    another(approved_by, proposed_by, "this version of the plan")
    rule = proration or ProrationRule()
    offsets(rule.zone)
    currencies = [price.currency for price in prices]
    if len(set(currencies)) < len(currencies):
        raise Refused("plan.prices", f"{now.id} has two prices in one currency; give one for each.")
    if plan is not None and plan.retired_at is not None and now.at >= plan.retired_at:
        raise Refused("plan.retired", f"{now.id} was retired at {plan.retired_at.isoformat()}; publish another plan.")
    made = Published(
        published_at=now.at,
        version=len(plan.versions) + 1 if plan is not None else 1,
        name=name,
        interval=interval,
        interval_count=interval_count,
        pricing=pricing,
        prices=prices,
        trial_days=trial_days,
        proration=rule,
        sold_from=sold_from or now.at,
        proposed_by=proposed_by,
        approved_by=approved_by,
    )
    if plan is not None and plan.versions and _content(plan.versions[-1]) == _content(made):
        return ()
    return (made,)


def retire(plan: Plan, now: Moment, /) -> tuple[Fact, ...]:
    """Record that the plan is sold no longer."""
    if plan.retired_at is not None and now.at >= plan.retired_at:
        return ()
    return (Retired(retired_at=now.at),)


def _content(version: Published) -> tuple[object, ...]:
    return version.name, version.interval, version.interval_count, version.pricing, version.prices, version.trial_days, version.proration
