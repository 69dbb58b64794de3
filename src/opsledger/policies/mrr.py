"""Monthly recurring revenue: what counts, when it moves, and what a movement is called, where vendors disagree.

    end = start + new + reactivation + expansion - contraction - churn + fx

A subscription brings what an interval of it costs, without tax and less the discount that holds, times the intervals in an average
month as an exact ratio, rounded half up once. Movements are told by customer: all of its subscriptions at an instant before and after.
The defaults are what we recommend; `PRESETS` are the choices of others, as far as they differ in these settings.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Annotated, Final, Literal, NamedTuple

from pydantic import AfterValidator, Field

from opsledger.policies.billing_periods import Interval
from opsledger.policies.money import EXPONENTS, exponent, half_up
from opsledger.policies.support import Section

__all__ = [
    "PRESETS",
    "Kind",
    "Revenue",
    "RollForward",
    "converted",
    "gross_churn",
    "gross_retention",
    "kind",
    "logo_churn",
    "monthly",
    "net_churn",
    "net_retention",
    "pooled_retention",
    "quick_ratio",
]

Kind = Literal["new", "expansion", "contraction", "churn", "reactivation", "fx"]
_DAY: Final = 86_400_000_000


def _known(code: str) -> str:
    if code not in EXPONENTS:
        raise ValueError(f"'{code}' is no currency of ISO 4217; write its code in capitals, like USD")
    return code


class Revenue(Section):
    """By which choices recurring revenue is told. The newest model holds for all months, so that they can be compared."""

    churn_at: Literal["end", "cancellation"] = Field(
        default="end", description="Revenue of a customer who leaves counts until the end, or until the cancellation is agreed on."
    )
    discounts: Literal["all", "lasting", "none"] = Field(
        default="all", description="Taken off are all discounts while they hold, only those without an end, or none."
    )
    past_due: Literal["counted", "excluded"] = Field(default="counted", description="Revenue for which a payment is late.")
    paused: Literal["zero", "full"] = Field(default="zero", description="What a paused subscription brings; its customer stays either way.")
    free: Literal["active", "inactive"] = Field(
        default="active", description="Whether a customer who runs at no price, by plan or by discount, is one."
    )
    same_month: Literal["both", "neither"] = Field(
        default="both", description="Whether a customer who comes and goes in one month is counted as both, or not at all."
    )
    reactivation_within_days: Annotated[int, Field(ge=0)] | None = Field(
        default=None, description="Who comes back later than this is new; null: never new again."
    )
    reporting_currency: Annotated[str, AfterValidator(_known)] | None = Field(
        default=None, description="Into which all is converted by the published rates; null: each currency is told by itself."
    )


PRESETS: Final[Mapping[str, Revenue]] = {
    "chartmogul": Revenue(),
    "stripe": Revenue(churn_at="cancellation", discounts="lasting"),
    "profitwell": Revenue(same_month="neither"),
    "maxio": Revenue(churn_at="cancellation", paused="full", reactivation_within_days=90),
    "chargebee": Revenue(discounts="lasting"),
    "polar": Revenue(paused="full"),
}
"""The choices of others by name, as they were published; where they let their users choose, what they begin with."""


def monthly(amount_minor: int, length: Interval) -> int:
    """Return what an amount per interval is in an average month, in minor units, rounded half up: 2000 a year are 167."""
    return half_up(amount_minor * length.in_a_month)


def converted(amount_minor: int, rate: Fraction, base: str, quote: str) -> int:
    """Return an amount in minor units of another currency, `rate` units of it for one of the base, rounded half up."""
    return half_up(amount_minor * rate * Fraction(10) ** (exponent(quote) - exponent(base)))


def kind(amount_minor: int, *, before: bool, after: bool, away: int | None, rule: Revenue) -> Kind:
    """Return what a movement is called, by whether the customer was active before and after.

    `away` is for how many microseconds it was not; None where it was never here.
    """
    if after and not before:
        days = rule.reactivation_within_days
        return "new" if away is None or (days is not None and away > days * _DAY) else "reactivation"
    if before and not after:
        return "churn"
    return "expansion" if amount_minor > 0 else "contraction"


class RollForward(NamedTuple):
    """A month of revenue in minor units. All amounts are 0 or above, but that of exchange rates; `reactivation` is of former customers."""

    start: int
    new: int = 0
    reactivation: int = 0
    expansion: int = 0
    contraction: int = 0
    churn: int = 0
    fx: int = 0

    @property
    def net_new(self) -> int:
        """What the month added."""
        return self.new + self.reactivation + self.expansion - self.contraction - self.churn + self.fx

    @property
    def end(self) -> int:
        """What there was at the end."""
        return self.start + self.net_new


def gross_churn(month: RollForward) -> Fraction | None:
    """Return the share of the revenue at the start that was lost; None where there was none."""
    return Fraction(month.churn + month.contraction, month.start) if month.start else None


def net_churn(month: RollForward, *, with_reactivation: bool = False) -> Fraction | None:
    """Return the share that was lost, less what those who stayed added, and those who came back where that is asked for."""
    lost = month.churn + month.contraction - month.expansion - (month.reactivation if with_reactivation else 0)
    return Fraction(lost, month.start) if month.start else None


def net_retention(month: RollForward, *, with_reactivation: bool = False) -> Fraction | None:
    """Return what the customers of the start bring at the end, as a share of the start."""
    churned = net_churn(month, with_reactivation=with_reactivation)
    return None if churned is None else 1 - churned


def gross_retention(customers: Iterable[tuple[int, int]]) -> Fraction | None:
    """Return what is kept of the revenue at the start, given as (start, end) by customer, each at most its own start."""
    pairs = list(customers)
    start = sum(pair[0] for pair in pairs)
    return Fraction(sum(min(pair) for pair in pairs), start) if start else None


def logo_churn(start: int, churned: int, *, churned_new: int = 0) -> Fraction | None:
    """Return the share of the customers of the start who left; `churned_new` of those who left came only afterwards."""
    return Fraction(churned - churned_new, start) if start else None


def pooled_retention(cohorts: Iterable[list[int]], age: int) -> Fraction | None:
    """Return how many of all cohorts old enough are active at an age in months; each cohort by age, from its size at 0."""
    old = [cohort for cohort in cohorts if len(cohort) > age and cohort[0]]
    size = sum(cohort[0] for cohort in old)
    return Fraction(sum(cohort[age] for cohort in old), size) if size else None


def quick_ratio(month: RollForward) -> Fraction | None:
    """Return what is won for each unit lost, former customers left out; None where nothing is lost."""
    lost = month.contraction + month.churn
    return Fraction(month.new + month.expansion, lost) if lost else None
