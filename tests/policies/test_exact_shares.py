"""Availability as exact shares: on the line is met, nothing is rounded, no moment counts twice."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest

from opsledger.policies.availability import budget, by_month, credit_pct, excluded_maintenance, meets, uptime
from opsledger.policies.instants import DAY_S, SECOND, parse
from opsledger.policies.zones import local_time

THIRTY_DAYS = 30 * DAY_S
TABLE = [(Decimal("99.9"), Decimal(0)), (Decimal(99), Decimal(10)), (Decimal(95), Decimal(25))]


def second(text: str) -> int:
    return parse(text) // SECOND


def test_the_budget_of_thirty_days_at_three_nines_is_2592_seconds() -> None:
    assert budget(THIRTY_DAYS, Decimal("99.9")) == 2592


def test_a_budget_is_a_fraction_where_it_is_no_whole_second() -> None:
    assert budget(THIRTY_DAYS, Decimal("99.99")) == Fraction(1296, 5)
    assert budget(THIRTY_DAYS, Decimal(100)) == 0


@pytest.mark.parametrize(("down_s", "met"), [(0, True), (2591, True), (2592, True), (2593, False)])
def test_exactly_on_the_target_is_met_and_one_second_more_is_not(down_s: int, met: bool) -> None:
    assert meets(THIRTY_DAYS, down_s, Decimal("99.9")) is met


def test_down_time_of_a_fraction_of_the_budget_is_compared_unrounded() -> None:
    assert meets(THIRTY_DAYS, 259, Decimal("99.99"))
    assert not meets(THIRTY_DAYS, 260, Decimal("99.99"))  # the budget is 259.2


def test_two_monitors_that_see_one_outage_count_it_once() -> None:
    assert uptime(1000, [(100, 200), (150, 300), (300, 301)]).down_s == 201


def test_an_outage_within_planned_maintenance_is_no_down_time() -> None:
    cells = uptime(1000, [(100, 300)], [(200, 400), (250, 500)])
    assert (cells.down_s, cells.maintenance_s) == (100, 300)
    assert cells.excluded_from_both == Fraction(600, 700)
    assert cells.excluded_from_downtime_only == Fraction(900, 1000)


def test_an_outage_that_ends_where_maintenance_begins_counts_in_full() -> None:
    assert uptime(1000, [(100, 200)], [(200, 300)]).down_s == 100


def test_there_is_no_share_of_a_time_that_was_all_maintenance() -> None:
    cells = uptime(1000, [(0, 10)], [(0, 1000)])
    assert cells.excluded_from_both is None
    assert cells.excluded_from_downtime_only == 1
    assert uptime(0, []).excluded_from_downtime_only is None


@pytest.mark.parametrize(("announced", "excluded"), [(1000 - 259_200, 7200), (1000 - 259_199, 0), (1000, 0)])
def test_maintenance_announced_exactly_in_time_is_excluded_and_a_second_later_not(announced: int, excluded: int) -> None:
    assert excluded_maintenance((1000, 8200), announced, 259_200) == excluded


@pytest.mark.parametrize(
    ("uptime_pct", "credit"),
    [("100", "0"), ("99.9", "0"), ("99.8999", "10"), ("99", "10"), ("98.9999", "25"), ("95", "25"), ("94.9999", "25"), ("0", "25")],
)
def test_credits_are_found_by_inclusive_lower_bounds(uptime_pct: str, credit: str) -> None:
    assert credit_pct(TABLE, Fraction(uptime_pct)) == Decimal(credit)


def test_a_share_a_hair_below_a_bound_is_below_it() -> None:
    assert credit_pct(TABLE, Fraction(999, 10) - Fraction(1, 10**30)) == 10


def test_without_a_table_there_is_no_credit() -> None:
    assert credit_pct([], Fraction(0)) == 0


def test_an_outage_over_the_end_of_a_month_is_parted_where_the_month_ends_in_its_zone() -> None:
    low, high = second("2024-11-01T03:30:00Z"), second("2024-11-01T05:00:00Z")
    york = local_time("America/New_York", low - 40 * DAY_S, high + 40 * DAY_S)
    utc = local_time("UTC", low - 40 * DAY_S, high + 40 * DAY_S)
    assert by_month((low, high), york) == {"2024-10": 1800, "2024-11": 3600}
    assert by_month((low, high), utc) == {"2024-11": 5400}


def test_an_outage_that_ends_at_midnight_has_no_part_in_the_next_month() -> None:
    low, high = second("2024-12-31T23:00:00Z"), second("2025-01-01T00:00:00Z")
    utc = local_time("UTC", low - 40 * DAY_S, high + 40 * DAY_S)
    assert by_month((low, high), utc) == {"2024-12": 3600}
    assert by_month((high, high), utc) == {}


def test_a_month_with_a_clock_change_has_an_hour_more() -> None:
    low, high = second("2024-11-01T04:00:00Z"), second("2024-12-01T05:00:00Z")
    york = local_time("America/New_York", low - 40 * DAY_S, high + 40 * DAY_S)
    assert by_month((low, high), york) == {"2024-11": 721 * 3600}
