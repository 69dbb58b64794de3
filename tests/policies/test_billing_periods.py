"""Billing periods: from the original anchor, without drift, in the days of a zone; and proration within them."""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsledger.errors import BadInput
from opsledger.policies.billing_periods import UNITS, Anchor, Interval, boundary, stubs
from opsledger.policies.instants import SECOND, iso, parse
from opsledger.policies.proration import Rule, Share, change, days_of_30, prorated, remaining, share
from opsledger.testing.strategies import places

ANCHORS = st.builds(Anchor, st.integers(0, 2 * 10**9).map(lambda second: second * SECOND), st.just("UTC"), st.just(Interval("month")))


def test_a_month_from_the_31st_is_clamped_and_returns_to_it() -> None:
    anchor = date(2024, 1, 31)
    assert [boundary(anchor, Interval("month"), n).isoformat() for n in (1, 2, 3)] == ["2024-02-29", "2024-03-31", "2024-04-30"]
    assert boundary(date(2024, 2, 29), Interval("year"), 1) == date(2025, 2, 28)
    assert boundary(date(2024, 2, 29), Interval("year"), 4) == date(2028, 2, 29)
    assert boundary(anchor, Interval("month", 3), -1) == date(2023, 10, 31)
    assert boundary(anchor, Interval("week", 2), 1) == date(2024, 2, 14)


def test_an_interval_has_a_length() -> None:
    with pytest.raises(BadInput, match="has no length"):
        boundary(date(2024, 1, 31), Interval("month", 0), 1)


def test_an_average_month_has_so_many_of_an_interval_exactly() -> None:
    named = {"week": Interval("week"), "4 weeks": Interval("week", 4), "quarter": Interval("month", 3), "year": Interval("year")}
    assert {name: str(interval.in_a_month) for name, interval in named.items()} == {
        "week": "13/3",
        "4 weeks": "13/12",
        "quarter": "1/3",
        "year": "1/12",
    }


def test_a_period_begins_at_the_same_hour_of_the_zone_whatever_its_clocks_did() -> None:
    anchor = Anchor(parse("2026-03-10T09:00:00Z"), "America/New_York", Interval("month"))
    assert [iso(anchor.period(n).start)[:19] for n in (-1, 0, 8)] == ["2026-02-10T10:00:00", "2026-03-10T09:00:00", "2026-11-10T10:00:00"]


@given(places(), st.integers(0, 10**6 - 1), st.sampled_from(UNITS), st.integers(1, 5), st.integers(-5, 40))
def test_periods_follow_each_other_without_a_gap_and_each_instant_lies_in_one(
    place: tuple[str, int], fraction: int, unit: str, count: int, number: int
) -> None:
    zone, second = place
    anchor = Anchor(second * SECOND + fraction, zone, Interval(unit, count))  # type: ignore[arg-type]  # sampled from the units
    period = anchor.period(number)
    assert period.start < period.stop == anchor.period(number + 1).start
    assert anchor.containing(period.start) == period
    assert anchor.containing(period.stop - 1) == period
    assert anchor.period(0).start == second * SECOND + fraction


@given(st.dates(date(2000, 1, 1), date(2030, 1, 1)), st.integers(1, 400), st.integers(1, 31))
def test_stubs_cover_the_service_without_a_gap(start: date, days: int, bill_day: int) -> None:
    stop = boundary(start, Interval("day"), days)
    parts = stubs(start, stop, bill_day)
    assert (parts[0].start, parts[-1].stop) == (start, stop)
    assert all(before.stop == after.start for before, after in pairwise(parts))
    assert sum(share(*part).part for part in parts) == days


@given(
    ANCHORS, st.integers(0, 10**6), st.integers(0, 10**6), st.sampled_from(["second", "day", "fixed30"]), st.sampled_from(["new", "old"])
)
def test_what_is_left_falls_as_the_period_goes_on(anchor: Anchor, one: int, other: int, unit: str, change_day: str) -> None:
    period = anchor.period(3)
    length = period.stop - period.start
    rule = Rule(unit, change_day)  # type: ignore[arg-type]  # sampled from the words of both
    first, later = (remaining(rule, period.start, period.stop, period.start + length * at // 10**6) for at in sorted((one, other)))
    assert 0 <= later.fraction <= first.fraction <= 1


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.integers(0, 366), st.integers(1, 366))
def test_credit_and_charge_of_a_change_to_the_same_price_cancel_out(old: int, new: int, part: int, whole: int) -> None:
    left = Share(min(part, whole), whole)
    assert change(old, old, left).net_minor == 0
    there = change(old, new, left)
    assert there.credit_minor <= 0 <= there.charge_minor
    assert abs(there.net_minor - (new - old) * left.fraction) <= 1


def test_what_is_given_back_is_no_more_than_was_charged() -> None:
    assert prorated(1500, Share(24, 31), at_most_minor=1161) == 1161
    assert prorated(1500, Share(24, 31), at_most_minor=1162) == 1161
    assert change(1500, 0, Share(24, 31), charged_minor=1000).credit_minor == -1000
    assert prorated(1000, Fraction(20, 31), tax_bp=2500) == 806


def test_what_lies_outside_its_period_is_refused() -> None:
    march = parse("2026-03-01"), parse("2026-04-01")
    with pytest.raises(BadInput, match="outside the billing period"):
        remaining(Rule(), *march, march[1] + 1)
    assert remaining(Rule("day", "old"), *march, march[1]).part == 0
    with pytest.raises(BadInput, match="is no part of the period"):
        share(date(2026, 2, 28), date(2026, 3, 2), date(2026, 3, 1), date(2026, 4, 1))


def test_every_month_of_thirty_days_counts_its_31st_as_the_30th() -> None:
    assert days_of_30(date(2023, 5, 23), date(2023, 6, 15)) == 22
    assert days_of_30(date(2023, 1, 30), date(2023, 1, 31)) == 0
    assert days_of_30(date(2023, 2, 28), date(2023, 3, 1)) == 3
