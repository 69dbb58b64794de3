"""Windows of batch work: opening and closing by a zone's clock, and the verdict on a run, each boundary on its line."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opsledger.policies.batches import WEEKDAYS, Hours, Opening, Run, kept, opening_of, openings, run_verdict, wall
from opsledger.policies.instants import DAY_S, SECOND, iso, parse
from opsledger.policies.throughput import shown_by_test, stood
from opsledger.policies.zones import local_time

OPENS, CLOSES = parse("2026-03-02T22:00:00Z"), parse("2026-03-03T04:00:00Z")
NIGHT = Opening("2026-03-02", OPENS, CLOSES)
NEXT = Opening("2026-03-03", OPENS + DAY_S * SECOND, CLOSES + DAY_S * SECOND)
MINUTE = 60 * SECOND


def hours(zone: str, begin: str, end: str, opens: str, closes: str, *weekdays: str) -> Hours:
    low, high = parse(begin), parse(end)
    local = local_time(zone, low // SECOND - 3 * DAY_S, high // SECOND + 3 * DAY_S)
    opens_s, closes_s = wall(opens), wall(closes)
    return Hours(low, high, weekdays or WEEKDAYS, opens_s, closes_s + DAY_S * (closes_s <= opens_s), local)


def shown(given: Hours) -> list[tuple[str, str, str]]:
    return [(each.day, iso(each.opens)[:16], iso(each.closes)[:16]) for each in openings(given, given.end)]


def test_a_window_over_midnight_is_that_of_the_day_on_which_it_opens() -> None:
    nights = hours("UTC", "2026-03-01T00:00:00Z", "2026-03-03T22:00:00Z", "22:00", "04:00")
    assert shown(nights) == [
        ("2026-03-01", "2026-03-01T22:00", "2026-03-02T04:00"),
        ("2026-03-02", "2026-03-02T22:00", "2026-03-03T04:00"),
    ]


def test_a_window_opens_on_its_weekdays_alone() -> None:
    assert [each[0] for each in shown(hours("UTC", "2026-03-01T00:00:00Z", "2026-03-15T00:00:00Z", "01:00", "02:00", "sun", "wed"))] == [
        "2026-03-01",
        "2026-03-04",
        "2026-03-08",
        "2026-03-11",
    ]


def test_a_window_is_wall_time_and_shorter_or_longer_where_the_clock_jumps() -> None:
    spring = hours("America/New_York", "2026-03-07T12:00:00Z", "2026-03-09T12:00:00Z", "01:00", "05:00")
    assert shown(spring) == [
        ("2026-03-08", "2026-03-08T06:00", "2026-03-08T09:00"),
        ("2026-03-09", "2026-03-09T05:00", "2026-03-09T09:00"),
    ]
    autumn = hours("America/New_York", "2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z", "01:00", "05:00")
    assert shown(autumn) == [("2026-11-01", "2026-11-01T05:00", "2026-11-01T10:00")]


def test_a_window_that_the_clock_jumps_over_is_none() -> None:
    assert shown(hours("America/New_York", "2026-03-08T00:00:00Z", "2026-03-09T00:00:00Z", "02:10", "02:50")) == []


@pytest.mark.parametrize(
    ("started", "completed", "verdict"),
    [
        (OPENS, CLOSES, "on_time"),
        (OPENS, CLOSES + 1, "late"),
        (CLOSES - 1, CLOSES + MINUTE, "late"),
        (OPENS - 1, CLOSES, "outside"),
        (CLOSES, CLOSES + MINUTE, "outside"),
    ],
)
def test_a_run_is_judged_by_where_it_begins_and_ends(started: int, completed: int, verdict: str) -> None:
    assert run_verdict(Run(started, completed, succeeded=True), NIGHT) == verdict
    assert run_verdict(Run(started, completed, succeeded=False), NIGHT) == "failed"


@pytest.mark.parametrize(
    ("started", "completed", "home"),
    [
        (OPENS - MINUTE, OPENS - 1, None),
        (OPENS - MINUTE, OPENS, None),
        (OPENS - MINUTE, OPENS + 1, NIGHT),
        (OPENS, OPENS, NIGHT),
        (CLOSES - 1, NEXT.opens + MINUTE, NIGHT),
        (CLOSES, NEXT.opens, NIGHT),
        (CLOSES, NEXT.opens + 1, NEXT),
        (NEXT.closes, NEXT.closes + MINUTE, NEXT),
    ],
)
def test_a_run_belongs_to_the_window_that_was_open_while_it_went_on_or_to_the_last_one(
    started: int, completed: int, home: Opening | None
) -> None:
    assert opening_of(Run(started, completed, succeeded=True), [NIGHT, NEXT]) == home


def test_the_best_run_of_a_window_decides() -> None:
    failed, late = Run(OPENS, OPENS + 1, succeeded=False), Run(CLOSES - 1, CLOSES + 1, succeeded=True)
    early, good = Run(OPENS - 1, CLOSES, succeeded=True), Run(OPENS, CLOSES, succeeded=True)
    assert [kept(NIGHT, runs) for runs in ([], [failed], [failed, late], [late, early], [late, early, good])] == [
        "missed",
        "missed",
        "late",
        "outside",
        "on_time",
    ]


@given(st.sampled_from(["America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "UTC"]), st.integers(0, 1439), st.integers(0, 1439))
@settings(max_examples=20)
def test_windows_of_one_definition_follow_each_other_and_never_overlap(zone: str, opens: int, closes: int) -> None:
    texts = [f"{minute // 60:02d}:{minute % 60:02d}" for minute in (opens, closes)]
    found = list(openings(hours(zone, "2026-03-01T00:00:00Z", "2026-04-10T00:00:00Z", *texts), parse("2026-04-10T00:00:00Z")))
    assert len({each.day for each in found}) == len(found) >= 39
    assert all(one.opens < one.closes <= other.opens for one, other in pairwise(found))


# Capacity.


def test_fewer_than_promised_is_little_demand_where_nothing_was_left_undone_and_short_where_something_was() -> None:
    assert [stood(served, 1000, undone) for served, undone in ((1000, 5), (999, 0), (999, 1), (999, None), (None, 0), (None, 1))] == [
        "full",
        "little_demand",
        "short",
        "unknown",
        "little_demand",
        "unknown",
    ]


def test_a_load_test_shows_a_capacity_only_if_it_offers_as_much_or_finds_the_limit() -> None:
    tried = ((1000, 1000), (2000, 1000), (2000, 999), (999, 998), (999, 999))
    assert [shown_by_test(offered, served, 1000) for offered, served in tried] == [True, True, False, False, None]
