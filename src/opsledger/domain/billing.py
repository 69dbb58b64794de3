"""Value objects of billing that facts of plans, subscriptions and usage carry: terms, discount, periods, proration with its amounts.

Money is integer minor units of the currency, for example cents. What is written here is what was agreed and computed then: the plan may
be edited afterwards, and a tz database too, and neither changes what a fact says.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from fractions import Fraction
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from opsledger.domain.fact import At, part
from opsledger.policies import billing_periods as periods
from opsledger.policies import proration as rules
from opsledger.policies.instants import micros, moment
from opsledger.policies.money import EXPONENTS, half_up
from opsledger.policies.zones import VERSION

__all__ = ["Currency", "Cycle", "Discount", "Period", "Pricing", "Proration", "ProrationRule", "Terms", "again", "cycle_from", "prorate"]

Pricing = Literal["per_unit", "flat"]


def _known(code: str) -> str:
    if code not in EXPONENTS:
        raise ValueError(f"'{code}' is no currency of ISO 4217; write its code in capitals, like USD")
    return code


Currency = Annotated[str, AfterValidator(_known)]
"""A currency by its ISO 4217 code."""


@part
class Terms:
    """What is subscribed to, and for how much in each interval, before any discount and without tax."""

    plan_id: str
    plan_version: Annotated[int, Field(ge=1)]
    interval: periods.Unit
    interval_count: Annotated[int, Field(ge=1)] = 1
    pricing: Pricing = "per_unit"
    quantity: Annotated[int, Field(ge=0)] = 1  # seats, or whatever the plan counts
    unit_amount_minor: Annotated[int, Field(ge=0)]  # of one unit in one interval; where the price is flat, of all
    currency: Currency

    @property
    def amount_minor(self) -> int:
        """What one interval costs, in minor units, before any discount."""
        return self.unit_amount_minor * (self.quantity if self.pricing == "per_unit" else 1)

    @property
    def length(self) -> periods.Interval:
        """How long one interval is."""
        return periods.Interval(self.interval, self.interval_count)


@part
class Discount:
    """What is taken off each interval: a share, or an amount that is never more than the price. One holds at a time."""

    discount_id: str
    off_bp: Annotated[int, Field(ge=0, le=10_000)] | None = None  # share in basis points; null: an amount is taken off
    off_minor: Annotated[int, Field(ge=0)] | None = None  # amount in the currency of the terms; null: a share is taken off
    ends_at: At | None = None  # it holds no longer from here on; null: for as long as it is not taken back

    def taken_off(self, amount_minor: int) -> int:
        """Return what is taken off an amount, rounded half up, at most all of it."""
        off = half_up(Fraction(amount_minor * self.off_bp, 10_000)) if self.off_bp is not None else self.off_minor or 0
        return min(off, amount_minor)

    def holds(self, at: datetime) -> bool:
        """Return whether it has not ended by an instant, as far as its own end says."""
        return self.ends_at is None or at < self.ends_at


@part
class Cycle:
    """From when billing periods are counted, and in whose days: the nth begins n intervals after the anchor, never after the last."""

    anchor_at: At
    zone: str
    tzdata: str  # version of the tz database that was asked

    def period(self, length: periods.Interval, number: int) -> Period:
        """Return the billing period of a number, 0 at the anchor."""
        return _period(periods.Anchor(micros(self.anchor_at), self.zone, length).period(number))

    def containing(self, length: periods.Interval, at: datetime) -> Period:
        """Return the billing period in which an instant lies."""
        return _period(periods.Anchor(micros(self.anchor_at), self.zone, length).containing(micros(at)))


@part
class Period:
    """A billing period [starts_at, ends_at)."""

    number: int  # intervals from the anchor to its start
    starts_at: At
    ends_at: At


@part
class ProrationRule:
    """How a change within a period is prorated: policies.proration says what the words mean."""

    unit: rules.Unit = "second"
    change_day: rules.ChangeDay = "new"
    zone: str = "UTC"
    rounding: rules.Rounding = "half_up"


@part
class Proration:
    """What a change within a period came to, with all that it was computed from, so that an auditor can compute it again."""

    rule: ProrationRule
    tzdata: str
    period: Period
    part: Annotated[int, Field(ge=0)]  # of the period that was left, in seconds or days as the rule counts
    whole: Annotated[int, Field(gt=0)]
    old_minor: Annotated[int, Field(ge=0)]  # of a whole period on the old terms, after discount
    new_minor: Annotated[int, Field(ge=0)]
    new_period: bool  # whether one began with the change, and was charged whole
    credit_minor: Annotated[int, Field(le=0)]
    charge_minor: Annotated[int, Field(ge=0)]
    net_minor: int
    currency: Currency


def cycle_from(anchor_at: datetime, zone: str) -> Cycle:
    """Return the cycle that begins at an instant. Raises BadInput where the tz database has no such zone."""
    periods.offsets(zone)
    return Cycle(anchor_at=anchor_at, zone=zone, tzdata=VERSION)


def prorate(
    rule: ProrationRule,
    period: Period,
    length: periods.Interval,
    at: datetime,
    prices: tuple[int, int],
    currency: str,
    *,
    anew: bool = False,
) -> Proration:
    """Return what a change at an instant of the period comes to; `prices` are those of a whole period before and after, in minor units.

    With `anew` a new period begins with the change and is charged whole; the old one is credited for what is left of it.
    """
    old, new = prices
    counted = rules.Rule(rule.unit, rule.change_day, rule.zone, rule.rounding)
    left = rules.remaining(counted, micros(period.starts_at), micros(period.ends_at), micros(at), months=length.months)
    came = rules.change(old, new, left)
    charge = new if anew else came.charge_minor
    return Proration(
        rule=rule,
        tzdata=VERSION,
        period=period,
        part=left.part,
        whole=left.whole,
        old_minor=old,
        new_minor=new,
        new_period=anew,
        credit_minor=came.credit_minor,
        charge_minor=charge,
        net_minor=came.credit_minor + charge,
        currency=currency,
    )


def again(said: Proration, length: periods.Interval, at: datetime) -> Proration:
    """Return what a change at an instant comes to by the rule and the prices that a fact keeps: equal to it, unless it is wrong.

    `length` is that of the old terms. A later tz database may count other days than the one that the fact names.
    """
    prices = said.old_minor, said.new_minor
    made = prorate(said.rule, said.period, length, at, prices, said.currency, anew=said.new_period)
    return replace(made, tzdata=said.tzdata)


def _period(found: periods.Period) -> Period:
    return Period(number=found.number, starts_at=moment(found.start), ends_at=moment(found.stop))
