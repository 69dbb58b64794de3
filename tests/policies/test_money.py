"""Money: exponents, one rounding, shares that add up."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsledger.errors import BadInput
from opsledger.policies.money import EXPONENTS, allocate, exponent, half_up, minor, rounded, shown


def test_every_currency_has_three_capitals_and_one_exponent() -> None:
    assert all(len(code) == 3 and code.isupper() for code in EXPONENTS)
    assert len(EXPONENTS) == 170
    assert {places: sum(each == places for each in EXPONENTS.values()) for places in (0, 2, 3, 4)} == {0: 17, 2: 144, 3: 7, 4: 2}


def test_what_is_no_currency_is_refused() -> None:
    for code in ("usd", "XAU", ""):
        with pytest.raises(BadInput, match="is no currency of ISO 4217"):
            exponent(code)


@pytest.mark.parametrize(("exact", "whole"), [("5/2", 3), ("-5/2", -3), ("49/20", 2), ("-49/20", -2), ("0", 0), ("1/2", 1), ("-1/2", -1)])
def test_a_half_goes_away_from_zero(exact: str, whole: int) -> None:
    assert half_up(Fraction(exact)) == whole


def test_amounts_are_read_and_written_by_the_currencys_exponent() -> None:
    amounts = [("10.005", "USD", 1001), ("10.5", "JPY", 11), ("-1.0005", "BHD", -1001), ("0.00005", "CLF", 1), ("1e3", "EUR", 100_000)]
    assert [minor(amount, currency) for amount, currency, _ in amounts] == [expected for *_, expected in amounts]
    assert [shown(1001, code) for code in ("USD", "JPY", "BHD", "CLF")] == ["10.01", "1001", "1.001", "0.1001"]
    assert (shown(-5, "USD"), shown(0, "USD")) == ("-0.05", "0.00")
    for wrong in ("ten", "", "NaN", "Infinity"):
        with pytest.raises(BadInput, match="is no amount"):
            minor(wrong, "USD")


@given(st.fractions(), st.integers(0, 12))
def test_a_rounded_number_lies_within_half_of_its_last_place(exact: Fraction, places: int) -> None:
    assert abs(Fraction(rounded(exact, places)) - exact) <= Fraction(1, 2 * 10**places)


@given(st.integers(-(10**12), 10**12), st.lists(st.integers(0, 10**6), min_size=1, max_size=12).filter(any))
def test_parts_add_up_to_the_whole_and_each_lies_within_one_unit_of_its_share(total: int, weights: list[int]) -> None:
    parts = allocate(total, weights)
    assert sum(parts) == total
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part - Fraction(total * weight, sum(weights))) < 1


def test_what_is_left_over_goes_to_those_that_lost_most_and_of_equals_to_the_first() -> None:
    assert allocate(100, [1, 1, 1]) == [34, 33, 33]
    assert allocate(-100, [1, 1, 1]) == [-34, -33, -33]
    assert allocate(12_000_000, [29, 31, 30]) == [3_866_667, 4_133_333, 4_000_000]
    assert allocate(5, [0, 1, 0]) == [0, 5, 0]


@pytest.mark.parametrize("weights", [[], [0, 0], [2, -1]])
def test_nothing_is_shared_by_weights_that_are_none(weights: list[int]) -> None:
    with pytest.raises(BadInput, match="cannot be shared"):
        allocate(100, weights)


def test_a_decimal_is_taken_as_it_is() -> None:
    assert minor(Decimal("0.1") + Decimal("0.2"), "USD") == 30
