"""Service credits: which share of the month's fee a customer gets back for an uptime, and how that is rounded.

A contract's table has thresholds: below each one a credit. The lowest threshold that the uptime is strictly below decides, so a
threshold itself belongs to the better side. Uptime is an exact share; nothing is rounded before the amount, which is in whole
minor units of the currency (cents).
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction
from math import ceil, floor
from typing import Final, Literal

from opsledger.errors import BadInput
from opsledger.policies.platform import CreditTier

__all__ = ["ROUNDINGS", "Rounding", "Tier", "amount_minor", "from_bounds", "tier_of"]

Rounding = Literal["half_even", "half_up", "down", "up"]
ROUNDINGS: Final[tuple[Rounding, ...]] = ("half_even", "half_up", "down", "up")

Tier = tuple[Decimal, Decimal]
"""A threshold of uptime and the credit strictly below it, both in percent."""


def tier_of(tiers: Iterable[Tier], up: int, measured: int) -> Tier | None:
    """Return the tier that an uptime of `up` out of `measured` falls into; None: no threshold is missed, nothing is due."""
    if measured <= 0 or not 0 <= up <= measured:
        raise BadInput("credit.uptime", f"{up} of {measured} is no uptime; give the time that was up and the time measured, above 0.")
    share = Fraction(100 * up, measured)
    return min((tier for tier in tiers if share < Fraction(tier[0])), default=None)


def amount_minor(fee_minor: int, credit_pct: Decimal, rounding: Rounding, *, nothing_up_to_minor: int = 0) -> int:
    """Return the credit in minor units: that share of the fee, rounded as the contract says, 0 when it is not above a minimum.

    half_even takes the even neighbour of a half, half_up the greater one; down and up leave and add what is broken.
    """
    exact = fee_minor * Fraction(credit_pct) / 100
    match rounding:
        case "half_even":
            amount = round(exact)
        case "half_up":
            amount = floor(exact + Fraction(1, 2))
        case "down":
            amount = floor(exact)
        case "up":
            amount = ceil(exact)
    return amount if amount > nothing_up_to_minor else 0


def from_bounds(rows: Iterable[CreditTier], target_pct: Decimal) -> tuple[Tier, ...]:
    """Return the table of the operating model, whose rows are lower bounds of uptime, as thresholds.

    A row's credit is due strictly below the bound above it, that of the highest row below the target; below the lowest bound
    the highest credit of all. Whoever keeps the target owes nothing.
    """
    falling = sorted(rows, key=lambda row: row.uptime_from_pct, reverse=True)
    found: dict[Decimal, Decimal] = {}
    threshold = target_pct
    for row in falling:
        found[threshold] = row.credit_pct
        threshold = min(threshold, row.uptime_from_pct)
    if falling:
        found[threshold] = max(row.credit_pct for row in falling)
    return tuple(found.items())
