"""Usage: what a quantity costs by tiers, and how quantities are written."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsledger.errors import BadInput
from opsledger.policies.usage import Rating, Tier, after_close, plain, rated, restated

TIERS = (Tier(Decimal(15), Decimal(10)), Tier(None, Decimal(5)))
QUANTITIES = st.decimals(0, 10**9, allow_nan=False, allow_infinity=False, places=4)


@pytest.mark.parametrize(
    ("quantity", "rating", "cost"),
    [("15", "volume", 15_000), ("16", "volume", 8000), ("15", "graduated", 15_000), ("16", "graduated", 15_500), ("0", "volume", 0)],
)
def test_a_tier_prices_the_whole_or_its_own_part_and_its_end_belongs_to_it(quantity: str, rating: Rating, cost: int) -> None:
    assert rated(Decimal(quantity), TIERS, rating, "USD") == cost


def test_prices_below_a_cent_are_rounded_once_for_all_units() -> None:
    cheap = (Tier(None, Decimal("0.0004")),)
    assert [rated(Decimal(calls), cheap, "volume", "USD") for calls in (12, 13, 1_000_000)] == [0, 1, 40_000]
    assert rated(Decimal(1250), cheap, "volume", "JPY") == 1


@pytest.mark.parametrize("tiers", [(), (TIERS[1], TIERS[0]), (TIERS[0], TIERS[0])])
def test_tiers_rise(tiers: tuple[Tier, ...]) -> None:
    with pytest.raises(BadInput, match="Tiers rise"):
        rated(Decimal(1), tiers, "volume", "USD")


def test_what_lies_beyond_the_last_tier_has_no_price() -> None:
    with pytest.raises(BadInput, match="lies beyond the last tier, which ends at 15"):
        rated(Decimal(16), TIERS[:1], "graduated", "USD")


@given(QUANTITIES, QUANTITIES, QUANTITIES)
def test_late_usage_comes_to_the_same_whichever_period_bears_it(billed: Decimal, late: Decimal, current: Decimal) -> None:
    seen, cumulative = billed + late, billed + late + current
    kept, delta = (after_close(billed, seen, cumulative, keep_periods=keep) for keep in (True, False))
    assert sum(kept) == sum(delta) == late + current
    assert kept == (late, current)


def test_a_bill_that_is_right_is_not_restated() -> None:
    assert restated(150, 150).net_minor == 0
    assert restated(150, 150) == (0, 0)


@pytest.mark.parametrize(
    ("said", "text"), [("1.50", "1.5"), ("100", "100"), ("1E+2", "100"), ("-0.0", "0"), ("0.000", "0"), ("1e-7", "0.0000001")]
)
def test_a_quantity_has_one_form(said: str, text: str) -> None:
    assert plain(Decimal(said)) == text
