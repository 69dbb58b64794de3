"""Proration: what a part of a billing period costs, when something changes within it.

Peers differ, so the rule is a value that the plan names and the fact keeps: time counts by the second, by the day, or by the day of
a 30-day month; the day of the change belongs to the new terms or to the old; days are those of a zone. Everything is half-open and
exact until each line is rounded, once, half up. The unused part of the old terms is credited, the rest of the new ones charged.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Final, Literal, NamedTuple

from opsledger.errors import BadInput
from opsledger.policies.billing_periods import offsets
from opsledger.policies.instants import DAY_S, SECOND
from opsledger.policies.money import half_up

__all__ = ["Change", "ChangeDay", "Rounding", "Rule", "Share", "Unit", "change", "days_of_30", "prorated", "remaining", "share"]

Unit = Literal["second", "day", "fixed30", "none"]
ChangeDay = Literal["new", "old"]
Rounding = Literal["half_up"]
_EPOCH: Final = date(1970, 1, 1).toordinal()


@dataclass(frozen=True, slots=True)
class Rule:
    """How time counts. unit none: nothing is credited and nothing charged until the next period."""

    unit: Unit = "second"
    change_day: ChangeDay = "new"  # to which terms the day of the change belongs, where days count
    zone: str = "UTC"  # whose days count
    rounding: Rounding = "half_up"


class Share(NamedTuple):
    """`part` of `whole`, in seconds or days as the rule counts."""

    part: int
    whole: int

    @property
    def fraction(self) -> Fraction:
        """The share as an exact number."""
        return Fraction(self.part, self.whole)


class Change(NamedTuple):
    """What a change within a period comes to, in minor units. The credit is 0 or below; they add up to net."""

    share: Share
    credit_minor: int
    charge_minor: int

    @property
    def net_minor(self) -> int:
        """What is to be paid for the change; below 0: what is given back."""
        return self.credit_minor + self.charge_minor


def share(start: date, stop: date, period_start: date, period_stop: date, *, fixed_month_days: int | None = None) -> Share:
    """Return which share of the period the dates [start, stop) are: days of days, or with a fixed month that many days of each month.

    With `fixed_month_days` 30, 23 May to 15 June are 22 days of 30, whatever the months have. Raises BadInput outside the period.
    """
    if not period_start <= start <= stop <= period_stop or period_start == period_stop:
        raise BadInput(
            "proration.outside", f"{start} to {stop} is no part of the period from {period_start} to {period_stop}; cut it there first."
        )
    if fixed_month_days is None:
        return Share((stop - start).days, (period_stop - period_start).days)
    months = max(1, 12 * (period_stop.year - period_start.year) + period_stop.month - period_start.month)
    whole = fixed_month_days * months
    return Share(min(whole, max(0, days_of_30(start, stop))), whole)


def days_of_30(start: date, stop: date) -> int:
    """Return the days from one date to another where every month has 30: a 31st counts as the 30th."""
    months = 12 * (stop.year - start.year) + stop.month - start.month
    return 30 * months + min(stop.day, 30) - min(start.day, 30)


def remaining(rule: Rule, start: int, stop: int, at: int, *, months: int | None = 1) -> Share:
    """Return which share of the period [start, stop) is left to the new terms after a change at `at`. Microseconds.

    `months` is how many the period has, for a 30-day month; None where it is counted in days. Raises BadInput outside the period.
    """
    if not start <= at <= stop or start == stop:
        raise BadInput(
            "proration.outside", "The change lies outside the billing period that it is to be prorated in; name the period of it."
        )
    if rule.unit == "none":
        return Share(0, 1)
    if rule.unit == "second":
        return Share(stop // SECOND - at // SECOND, stop // SECOND - start // SECOND)
    first, last, day = (_date(each, rule.zone) for each in (start, stop, at))
    if rule.change_day == "old":
        day = min(last, date.fromordinal(day.toordinal() + 1))
    if rule.unit == "fixed30" and months is not None:
        whole = 30 * months
        return Share(min(whole, max(0, days_of_30(day, last))), whole)
    return Share((last - day).days, max(1, (last - first).days))


def prorated(amount_minor: int, part: Share | Fraction, *, at_most_minor: int | None = None, tax_bp: int = 0) -> int:
    """Return that share of an amount, no more than was charged for it (`at_most_minor`), with tax in basis points, rounded once."""
    exact = amount_minor * (part.fraction if isinstance(part, Share) else part)
    if at_most_minor is not None:
        exact = min(exact, Fraction(at_most_minor))
    return half_up(exact * (10_000 + tax_bp) / 10_000)


def change(old_minor: int, new_minor: int, left: Share, *, charged_minor: int | None = None) -> Change:
    """Return credit and charge of a change from one price of a whole period to another, `left` of it remaining.

    `charged_minor` is what was charged for the old terms, where that was less than their price: no more is given back.
    """
    credit = prorated(old_minor, left, at_most_minor=charged_minor)
    return Change(left, -credit, prorated(new_minor, left))


def _date(at: int, zone: str) -> date:
    return date.fromordinal(_EPOCH + offsets(zone).read(at // SECOND) // DAY_S)
