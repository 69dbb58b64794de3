"""Maintenance windows by rule: each rule on its line, the month's cap, wall time where clocks jump."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsledger.policies.instants import SECOND, iso, parse
from opsledger.policies.intervals import meeting, overlap, union, without
from opsledger.policies.maintenance import Notice, Slot, Window, judge, notified_at, slot_on
from opsledger.policies.operating_model import default_model

RULES = default_model().maintenance
HOUR = 3600 * SECOND
SEVEN = parse("2026-01-11T07:00:00Z")  # a Sunday, 02:00 in New York
ELEVEN = SEVEN + 4 * HOUR
TOLD = (Notice("customers", parse("2026-01-05T00:00:00Z")),)


def window(id: str = "M-1", start: int = SEVEN, end: int = ELEVEN, **changed: Any) -> Window:
    """Return a window that keeps every rule and was worked in from its announced start to its announced end."""
    rules = changed.get("rules", RULES)
    given = {"notices": (Notice("customers", start - 72 * HOUR),), "started_at": start, "ended_at": end}
    known: dict[str, Any] = {"window_id": id, "rules": rules, "emergency": False, "planned": (start, end), "slot": slot_on(rules, start)}
    return Window(**(known | given | changed))


def ruled(**changed: Any) -> Any:
    return RULES.model_copy(update=changed)


# One window.


def test_a_window_that_keeps_every_rule_does_not_count() -> None:
    (verdict,) = judge([window()])
    assert verdict.qualifies
    assert verdict.excluded == ((SEVEN, ELEVEN),)
    assert (verdict.early, verdict.overrun, verdict.over_cap, verdict.cap_used, verdict.month) == (0, 0, 0, 4 * HOUR, "2026-01")


@pytest.mark.parametrize(
    ("changed", "failed"),
    [
        ({"notices": (Notice("customers", SEVEN - 72 * HOUR + 1),)}, "notice"),
        ({"notices": ()}, "notice"),
        ({"notices": (Notice("internal", SEVEN - 99 * HOUR),)}, "notice"),
        ({"start": SEVEN - 1, "end": ELEVEN - 1}, "slot"),
        ({"end": ELEVEN + 1, "rules": ruled(longest=5 * 3600)}, "slot"),
        ({"rules": ruled(longest=4 * 3600 - 1)}, "longest"),
        ({"start": SEVEN + 24 * HOUR, "end": ELEVEN + 24 * HOUR}, "weekday"),
        ({"rules": ruled(week_of_month="third")}, "week_of_month"),
        ({"started_at": None, "ended_at": None, "cancelled_at": SEVEN - HOUR}, "cancelled"),
        ({"emergency": True, "approved_at": SEVEN}, "emergency"),
    ],
)
def test_a_window_that_fails_a_rule_counts_and_the_verdict_names_the_rule(changed: dict[str, Any], failed: str) -> None:
    (verdict,) = judge([window(**({"notices": TOLD} | changed))])
    assert verdict.failed == (failed,)
    assert (verdict.excluded, verdict.cap_used) == ((), 0)


def test_every_rule_that_fails_is_named_in_order() -> None:
    monday = window(start=SEVEN + 22 * HOUR, end=SEVEN + 27 * HOUR, notices=())
    (verdict,) = judge([monday])
    assert verdict.failed == ("weekday", "slot", "longest", "notice")


def test_notice_of_exactly_the_time_asked_for_is_enough() -> None:
    (verdict,) = judge([window(notices=(Notice("customers", SEVEN - 72 * HOUR),))])
    assert (verdict.notice, verdict.qualifies) == (72 * HOUR, True)


def test_the_first_channel_counts_and_the_last_audience() -> None:
    both = ruled(notice_to=("customers", "partners"))
    notices = (Notice("customers", 30), Notice("customers", 10), Notice("partners", 20), Notice("internal", 40))
    assert notified_at(window(rules=both, notices=notices)) == 20
    assert notified_at(window(rules=both, notices=notices[:2])) is None


def test_rules_that_name_no_audience_ask_for_no_notice() -> None:
    (verdict,) = judge([window(rules=ruled(notice_to=()), notices=())])
    assert (verdict.qualifies, verdict.notified_at) == (True, None)


@pytest.mark.parametrize(
    ("approved_at", "failed"), [(SEVEN, ("emergency",)), (SEVEN + 1, ("emergency", "approval")), (None, ("emergency", "approval"))]
)
def test_an_emergency_always_counts_and_is_to_be_approved_before_it(approved_at: int | None, failed: tuple[str, ...]) -> None:
    (verdict,) = judge([window(emergency=True, approved_at=approved_at, notices=())])
    assert verdict.failed == failed


# What was worked.


@pytest.mark.parametrize(
    ("started", "ended", "excluded", "early", "overrun"),
    [
        (SEVEN - HOUR, ELEVEN, [(SEVEN, ELEVEN)], HOUR, 0),
        (SEVEN, ELEVEN + HOUR, [(SEVEN, ELEVEN)], 0, HOUR),
        (SEVEN + HOUR, SEVEN + 2 * HOUR, [(SEVEN + HOUR, SEVEN + 2 * HOUR)], 0, 0),
        (SEVEN, None, [(SEVEN, ELEVEN)], 0, None),
        (None, None, [], 0, None),
        (ELEVEN, ELEVEN + HOUR, [], 0, HOUR),
        (SEVEN - 2 * HOUR, SEVEN, [], 2 * HOUR, 0),
        (ELEVEN + HOUR, ELEVEN + 2 * HOUR, [], 0, HOUR),
    ],
)
def test_only_work_within_the_announced_time_does_not_count(
    started: int | None, ended: int | None, excluded: list[Any], early: int, overrun: int | None
) -> None:
    (verdict,) = judge([window(started_at=started, ended_at=ended, notices=TOLD)])
    assert verdict.qualifies
    assert (list(verdict.excluded), verdict.early, verdict.overrun) == (excluded, early, overrun)


def test_rules_may_take_out_all_of_the_announced_time() -> None:
    idle = window(rules=ruled(excludes="announced"), started_at=None, ended_at=None)
    assert judge([idle])[0].excluded == ((SEVEN, ELEVEN),)
    assert judge([replace(idle, cancelled_at=SEVEN)])[0].excluded == ()


# The month's cap.

WEEK = 7 * 24 * HOUR


def test_the_cap_is_used_in_the_order_of_time_and_only_the_excess_counts() -> None:
    later = window("M-1", SEVEN + 2 * WEEK, SEVEN + 2 * WEEK + 2 * HOUR)
    earlier = window("M-2", SEVEN, SEVEN + 3 * HOUR)
    first, second = judge([later, earlier])
    assert (first.window_id, first.excluded, first.over_cap) == ("M-2", ((SEVEN, SEVEN + 3 * HOUR),), 0)
    assert second.qualifies
    assert second.excluded == ((SEVEN + 2 * WEEK, SEVEN + 2 * WEEK + HOUR),)
    assert (second.over_cap, second.cap_used) == (HOUR, 4 * HOUR)


def test_the_cap_begins_anew_with_the_month_of_the_zone() -> None:
    first, second = judge([window("M-1"), window("M-2", SEVEN + 3 * WEEK, ELEVEN + 3 * WEEK)])
    assert (first.month, second.month) == ("2026-01", "2026-02")
    assert second.over_cap == 0
    eastern_january = slot_on(RULES, parse("2026-02-01T04:59:59Z"))
    assert (eastern_january.month, slot_on(RULES, parse("2026-02-01T05:00:00Z")).month) == ("2026-01", "2026-02")


def test_a_window_that_fails_a_rule_uses_nothing_of_the_cap() -> None:
    _, second = judge([window("M-1", notices=()), window("M-2", SEVEN + WEEK, ELEVEN + WEEK)])
    assert (second.excluded, second.over_cap) == (((SEVEN + WEEK, ELEVEN + WEEK),), 0)


def test_two_windows_at_the_same_time_take_each_moment_out_once() -> None:
    first, second = judge([window("M-1", SEVEN, SEVEN + 2 * HOUR), window("M-2", SEVEN + HOUR, SEVEN + 3 * HOUR)])
    assert (first.excluded, second.excluded) == (((SEVEN, SEVEN + 2 * HOUR),), ((SEVEN + 2 * HOUR, SEVEN + 3 * HOUR),))
    assert second.cap_used == 3 * HOUR


# Wall time.


@pytest.mark.parametrize(
    ("zone", "start", "low", "high"),
    [
        ("America/New_York", "2026-01-11T09:00:00Z", "2026-01-11T07:00:00Z", "2026-01-11T11:00:00Z"),
        ("America/New_York", "2026-07-12T06:00:00Z", "2026-07-12T06:00:00Z", "2026-07-12T10:00:00Z"),
        ("America/New_York", "2026-11-01T07:00:00Z", "2026-11-01T07:00:00Z", "2026-11-01T11:00:00Z"),  # 1 to 2 o'clock comes twice before
        ("America/New_York", "2026-03-08T07:30:00Z", "2026-03-08T07:00:00Z", "2026-03-08T10:00:00Z"),  # 2 o'clock does not come: 3 hours
        ("Etc/GMT+5", "2026-07-12T07:00:00Z", "2026-07-12T07:00:00Z", "2026-07-12T11:00:00Z"),
        ("Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-25T00:00:00Z", "2026-10-25T05:00:00Z"),  # 2 to 3 comes twice: 5 hours
    ],
)
def test_the_slot_is_wall_time_of_the_rules_zone(zone: str, start: str, low: str, high: str) -> None:
    slot = slot_on(ruled(zone=zone), parse(start))
    assert (iso(slot.low), iso(slot.high)) == (iso(parse(low)), iso(parse(high)))


def test_four_hours_do_not_fit_where_the_clock_jumps_over_one_of_them() -> None:
    jump = parse("2026-03-08T07:00:00Z")
    assert judge([window(start=jump, end=jump + 4 * HOUR)])[0].failed == ("slot",)
    assert judge([window(start=jump, end=jump + 3 * HOUR)])[0].qualifies


@pytest.mark.parametrize(
    ("day", "weeks"),
    [
        ("2026-02-01", {"first"}),
        ("2026-02-08", {"second"}),
        ("2026-02-15", {"third"}),
        ("2026-02-22", {"fourth", "last"}),
        ("2026-03-22", {"fourth"}),
        ("2026-03-29", {"last"}),
    ],
)
def test_sundays_of_a_month_are_counted_from_its_first_and_from_its_end(day: str, weeks: set[str]) -> None:
    start = slot_on(RULES, parse(f"{day}T12:00:00Z")).low
    names = ("any", "first", "second", "third", "fourth", "last")
    kept = {week for week in names if judge([window(start=start, end=start + HOUR, rules=ruled(week_of_month=week))])[0].qualifies}
    assert kept == weeks | {"any"}


# Any windows.


@st.composite
def some_windows(draw: st.DrawFn) -> list[Window]:
    """Give windows of a service on one Sunday, overlapping or not, kept or not to what was announced."""
    minutes = st.integers(0, 300).map(lambda minute: SEVEN + minute * 60 * SECOND)
    maybe = st.one_of(st.none(), minutes)
    rules = ruled(monthly_cap=draw(st.integers(0, 5)) * 3600, excludes=draw(st.sampled_from(["work", "announced"])))
    slot = Slot(slot_on(RULES, SEVEN).day, SEVEN, ELEVEN)
    found = []
    for i in range(draw(st.integers(0, 5))):
        low, high = sorted([draw(minutes), draw(minutes)])
        notices = draw(st.sampled_from([(), TOLD]))
        done = {"started_at": draw(maybe), "ended_at": draw(maybe), "cancelled_at": draw(maybe)}
        found.append(Window(f"M-{i}", rules, draw(st.booleans()), (low, high + 1), slot, notices, **done))
    return found


@given(some_windows(), st.randoms(use_true_random=False))
def test_what_is_taken_out_is_announced_worked_within_the_cap_and_taken_out_once(windows: list[Window], chance: Any) -> None:
    verdicts = judge(windows)
    by_id = {window.window_id: window for window in windows}
    spans = [interval for verdict in verdicts for interval in verdict.excluded]
    length = sum(high - low for low, high in spans)
    assert length == sum(high - low for low, high in union(spans)), "no moment twice"
    assert length <= max((window.rules.monthly_cap * SECOND for window in windows), default=0)
    for verdict in verdicts:
        window = by_id[verdict.window_id]
        assert verdict.qualifies or not verdict.excluded
        for low, high in verdict.excluded:
            assert window.planned[0] <= low < high <= window.planned[1]
            assert window.rules.excludes == "announced" or (window.work and window.work[0] <= low < high <= window.work[1])
    chance.shuffle(windows)
    assert judge(windows) == verdicts, "the order in which they are given does not matter"


def plainly(windows: list[Window]) -> dict[str, tuple[tuple[int, int], ...]]:
    """What is taken out, window by window: of the announced time in which work went on what no earlier one took out, up to the cap."""
    taken: list[tuple[int, int]] = []
    found = {}
    for window in sorted(windows, key=lambda each: (each.planned[0] if each.started_at is None else each.started_at, each.window_id)):
        (alone,) = judge([replace(window, rules=window.rules.model_copy(update={"monthly_cap": 10**9}))])
        used = sum(high - low for low, high in taken)  # the windows of the test lie in one month
        kept = []
        for low, high in without(list(alone.excluded), taken):
            until = min(high, low + max(0, window.rules.monthly_cap * SECOND - used))
            used += until - low
            kept += [(low, until)] if low < until else []
        taken = union([*taken, *kept])
        found[window.window_id] = tuple(kept)
    return found


@given(some_windows())
def test_what_is_taken_out_is_what_a_look_through_all_windows_before_it_gives(windows: list[Window]) -> None:
    assert {verdict.window_id: verdict.excluded for verdict in judge(windows)} == plainly(windows)


spans = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=8).map(union)


@given(spans, st.integers(0, 40), st.integers(0, 40))
def test_only_the_spans_that_meet_an_interval_are_needed_to_cut_and_to_join_it(spans: list[tuple[int, int]], low: int, length: int) -> None:
    near = spans[meeting(spans, low, low + length)]
    one = union([(low, low + length)])
    assert without(one, near) == without(one, spans)
    assert overlap(one, near) == overlap(one, spans)
    joined = list(spans)
    joined[meeting(spans, low, low + length)] = union([*near, *one])
    assert joined == union([*spans, *one])
