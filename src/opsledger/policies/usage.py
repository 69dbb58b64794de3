"""Usage: how much of a meter counts for a period, by what was known then; what it costs; what late usage changes.

Two times bound a count: when it was used, and when it became known. So what was billed can be counted again, and what came late shows
as the difference. Quantities and unit prices are exact decimals; each line is rounded once, half up.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Context, Decimal
from fractions import Fraction
from typing import Final, Literal, NamedTuple

from opsledger.errors import BadInput
from opsledger.policies.money import exponent, half_up

__all__ = ["Entry", "Lines", "Rating", "Restated", "Tier", "after_close", "counted", "plain", "rated", "restated"]

Rating = Literal["volume", "graduated"]
"""volume: the tier that the whole quantity reaches prices all of it. graduated: each tier prices its own part."""

_EXACT: Final = Context(prec=60)


class Entry(NamedTuple):
    """A quantity, or what a correction adds to one: when it was used and when that was recorded. Microseconds."""

    used_at: int
    stored_at: int
    quantity: Decimal


class Tier(NamedTuple):
    """A price of one unit, up to and with a quantity; None: whatever is above the tier before."""

    up_to: Decimal | None
    unit_price: Decimal  # in the currency's unit, may be below its smallest coin


class Restated(NamedTuple):
    """A line of a bill that was repriced: the old one reversed, the new one booked, in minor units."""

    reversal_minor: int
    new_minor: int

    @property
    def net_minor(self) -> int:
        """What the two come to."""
        return self.reversal_minor + self.new_minor


class Lines(NamedTuple):
    """Usage that came after its period was billed: what the current period bears, and what corrects the one before."""

    correction: Decimal
    current: Decimal


def counted(entries: Iterable[Entry], stop: int, stored_before: int | None = None, *, start: int | None = None) -> Decimal:
    """Return the quantity used in [start, stop) as far as it was stored before an instant (None: all)."""
    total = Decimal(0)
    for entry in entries:
        in_time = entry.used_at < stop and (start is None or entry.used_at >= start)
        if in_time and (stored_before is None or entry.stored_at < stored_before):
            total = _EXACT.add(total, entry.quantity)
    return total


def after_close(billed: Decimal, seen: Decimal, cumulative: Decimal, *, keep_periods: bool) -> Lines:
    """Return what is still to be billed: `billed` of an earlier period, of which `seen` are known now, `cumulative` with the current one.

    With `keep_periods` late usage corrects its own period; without it the current period bears it. Both come to the same.
    """
    if keep_periods:
        return Lines(seen - billed, cumulative - seen)
    return Lines(Decimal(0), cumulative - billed)


def rated(quantity: Decimal, tiers: Sequence[Tier], rating: Rating, currency: str) -> int:
    """Return what a quantity costs in minor units, rounded once. Raises BadInput where the tiers leave some of it without a price."""
    ends = [tier.up_to for tier in tiers]
    rising = [end for end in ends if end is not None]
    if not tiers or None in ends[:-1] or rising != sorted(set(rising)) or quantity < 0:
        raise BadInput("usage.tiers", "Tiers rise, only the last one may be open, and what they price is not below 0.")
    if ends[-1] is not None and quantity > ends[-1]:
        raise BadInput("usage.beyond_tiers", f"{quantity} lies beyond the last tier, which ends at {ends[-1]}; add one that is open.")
    if rating == "volume":
        reached = next(tier for tier in tiers if tier.up_to is None or quantity <= tier.up_to)
        exact = Fraction(quantity) * Fraction(reached.unit_price)
    else:
        exact, below = Fraction(0), Fraction(0)
        for tier in tiers:
            top = Fraction(quantity) if tier.up_to is None else min(Fraction(quantity), Fraction(tier.up_to))
            exact += max(Fraction(0), top - below) * Fraction(tier.unit_price)
            below = max(below, top)
    return half_up(exact * 10 ** exponent(currency))


def restated(billed_minor: int, now_minor: int) -> Restated:
    """Return the lines that put a bill right: the old amount reversed and the new one booked; nothing where both are equal."""
    return Restated(0, 0) if billed_minor == now_minor else Restated(-billed_minor, now_minor)


def plain(quantity: Decimal) -> str:
    """Return a quantity as text in one form: digits without exponent or trailing zeros, 0 for nothing."""
    text = f"{quantity:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("", "-0") else text
