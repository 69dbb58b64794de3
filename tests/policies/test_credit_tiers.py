"""Service credits: the tier on its line, the amount by the rounding that the contract names."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsledger.errors import BadInput
from opsledger.policies.availability import credit_pct
from opsledger.policies.credits import ROUNDINGS, Rounding, amount_minor, from_bounds, tier_of
from opsledger.policies.platform import CreditTier

TIERS = [(Decimal("99.9"), Decimal(10)), (Decimal("99.0"), Decimal(25)), (Decimal("95.0"), Decimal(100))]


@pytest.mark.parametrize(
    ("up", "measured", "credit"),
    [
        (999, 1000, None),
        (998_999, 1_000_000, 10),
        (990, 1000, 10),
        (989_999, 1_000_000, 25),
        (950, 1000, 25),
        (949_999, 1_000_000, 100),
        (0, 1, 100),
        (1, 1, None),
    ],
)
def test_a_threshold_belongs_to_the_better_side(up: int, measured: int, credit: int | None) -> None:
    tier = tier_of(TIERS, up, measured)
    assert (tier and tier[1]) == credit


def test_the_tier_is_told_by_the_exact_share_and_not_by_what_is_shown() -> None:
    month_s, down_s = 2_592_000, 2593
    assert f"{100 * (month_s - down_s) / month_s:.2f}" == "99.90"
    assert tier_of(TIERS, month_s - down_s, month_s) == TIERS[0]
    assert tier_of(TIERS, month_s - 2592, month_s) is None


@pytest.mark.parametrize(("up", "measured"), [(0, 0), (-1, 10), (11, 10)])
def test_no_uptime_has_no_tier(up: int, measured: int) -> None:
    with pytest.raises(BadInput, match="is no uptime"):
        tier_of(TIERS, up, measured)


@pytest.mark.parametrize(
    ("fee_minor", "expected"),
    [
        (1005, {"half_even": 100, "half_up": 101, "down": 100, "up": 101}),
        (1015, {"half_even": 102, "half_up": 102, "down": 101, "up": 102}),
        (1010, {"half_even": 101, "half_up": 101, "down": 101, "up": 101}),
        (1011, {"half_even": 101, "half_up": 101, "down": 101, "up": 102}),
    ],
)
def test_the_amount_is_rounded_as_the_contract_says(fee_minor: int, expected: dict[Rounding, int]) -> None:
    assert {rounding: amount_minor(fee_minor, Decimal(10), rounding) for rounding in ROUNDINGS} == expected


def test_an_amount_that_is_not_above_the_least_is_not_given() -> None:
    assert amount_minor(1000, Decimal(10), "half_even", nothing_up_to_minor=100) == 0
    assert amount_minor(1010, Decimal(10), "half_even", nothing_up_to_minor=100) == 101


@given(st.integers(0, 10**9), st.decimals(0, 100, places=2), st.sampled_from(ROUNDINGS))
def test_no_amount_is_more_than_the_fee_or_a_unit_off(fee_minor: int, credit: Decimal, rounding: Rounding) -> None:
    amount = amount_minor(fee_minor, credit, rounding)
    assert 0 <= amount <= fee_minor
    assert abs(amount - fee_minor * Fraction(credit) / 100) < 1


@given(
    st.dictionaries(st.decimals(90, 100, places=2), st.decimals(0, 100, places=1), max_size=5),
    st.decimals(90, 100, places=2),
    st.integers(9 * 10**5, 10**6),
)
def test_the_table_of_the_operating_model_gives_the_same_credit_in_either_form(
    rows: dict[Decimal, Decimal], target_pct: Decimal, up: int
) -> None:
    bounds = [CreditTier(uptime_from_pct=bound, credit_pct=credit) for bound, credit in rows.items()]
    tier = tier_of(from_bounds(bounds, target_pct), up, 10**6)
    if not rows or Fraction(up, 10**4) >= target_pct:
        assert tier is None, "whoever keeps the target owes nothing"
    else:
        assert tier is not None
        assert tier[1] == credit_pct(list(rows.items()), Fraction(up, 10**4))
