"""Error budgets and how fast they burn, exactly: shares are `Fraction`s, targets `Decimal`s, and nothing is rounded.

    budget      what may go wrong: total * (1 - target)
    burn rate   how many times faster than the target allows: share of bad / (1 - target)
    alert       both a long and a short window burn faster than a factor, strictly

A factor says which part of a period's budget is gone after the long window: part * period / long window.
Sources: Site Reliability Workbook, "Alerting on SLOs"; OpenSLO v1, budgetingMethod.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Literal, NamedTuple

from opsledger.errors import BadInput

__all__ = [
    "BudgetingMethod",
    "Slice",
    "Spent",
    "achieved",
    "allowed",
    "burn_rate",
    "composite",
    "exhausted_after",
    "factor",
    "fires",
    "spent",
    "strictly_below",
    "threshold",
]

BudgetingMethod = Literal["Occurrences", "Timeslices", "RatioTimeslices"]
Slice = tuple[int, int]
"""(good, total) of one slice of time."""


def allowed(target_pct: Decimal) -> Fraction:
    """Return the share that may go wrong: of 99.9 exactly 1/1000."""
    return 1 - Fraction(target_pct) / 100


class Spent(NamedTuple):
    """A budget and what was used of it, in the same unit. Overspent it is below nothing, and stays so."""

    budget: Fraction
    used: Fraction

    @property
    def remaining(self) -> Fraction:
        """What is left."""
        return self.budget - self.used

    @property
    def consumed(self) -> Fraction | None:
        """The share of the budget that was used; None of no budget."""
        return self.used / self.budget if self.budget else None

    @property
    def remaining_pct(self) -> Fraction | None:
        """What is left, in percent of the budget; None of no budget."""
        return 100 * self.remaining / self.budget if self.budget else None


def spent(total: int, bad: int, target_pct: Decimal) -> Spent:
    """Return what was used of the budget of `total` requests, or of a length of time."""
    return Spent(total * allowed(target_pct), Fraction(bad))


def factor(budget_pct: Decimal, period_s: int, long_s: int) -> Fraction:
    """Return the burn rate at which `budget_pct` percent of a period's budget are gone after the long window, for example 14.4."""
    return Fraction(budget_pct) / 100 * period_s / long_s


def exhausted_after(period_s: int, burn: Fraction) -> Fraction | None:
    """Return after how many seconds a whole budget is gone at a burn rate; None where it never is."""
    return period_s / burn if burn > 0 else None


def threshold(target_pct: Decimal, burn: Fraction) -> Fraction:
    """Return the share of bad requests at which the budget burns at a rate, for example 0.0144."""
    return burn * allowed(target_pct)


def burn_rate(bad: int, total: int, target_pct: Decimal) -> Fraction | None:
    """Return how many times faster than allowed the budget burns; None of no requests, and where nothing is allowed."""
    share = allowed(target_pct)
    return Fraction(bad, total) / share if total and share else None


def fires(long_share: Fraction | None, short_share: Fraction | None, target_pct: Decimal, burn: Fraction) -> bool:
    """Return whether both windows have more bad requests than the rate allows, strictly. A window without requests has none."""
    limit = threshold(target_pct, burn)
    return long_share is not None and short_share is not None and long_share > limit and short_share > limit


def strictly_below(bad: int, total: int, limit_pct: Decimal) -> bool | None:
    """Return whether the share of bad requests is below a limit; exactly the limit is not. None of no requests."""
    return 100 * bad < total * Fraction(limit_pct) if total else None


def achieved(slices: Sequence[Slice], method: BudgetingMethod, slice_target: Decimal | None = None) -> Fraction | None:
    """Return the share that was good, by a method of OpenSLO; None where nothing was counted.

    Occurrences counts requests. Timeslices counts slices that reach `slice_target`, exactly it is reached. RatioTimeslices is the
    mean of the slices' shares. A slice without requests is none.
    """
    counted = [(good, total) for good, total in slices if total]
    if not counted:
        return None
    if method == "Occurrences":
        return Fraction(sum(good for good, _ in counted), sum(total for _, total in counted))
    if method == "RatioTimeslices":
        return sum((Fraction(good, total) for good, total in counted), Fraction(0)) / len(counted)
    if slice_target is None:
        raise BadInput("slices.no_target", "Timeslices are counted by a timeSliceTarget, and none is given.")
    return Fraction(sum(good >= total * Fraction(slice_target) for good, total in counted), len(counted))


def composite(children_pct: Sequence[Decimal]) -> Fraction:
    """Return what several objectives come to together where what each misses adds up: two at 95 give 90."""
    return 100 - sum((100 - Fraction(child) for child in children_pct), Fraction(0))
