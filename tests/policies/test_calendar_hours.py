"""Business hours as people write them: what is taken, what is refused, and the boundaries of what is answered."""

from __future__ import annotations

import pytest

from opsledger.errors import BadInput, PolicyError, Uncovered
from opsledger.policies import documents
from opsledger.policies.calendar import BusinessTime, CalendarDefinition, compile_calendar
from opsledger.policies.instants import DAY_S, SECOND, iso, parse

BEGIN, END = parse("2024-01-01") // SECOND, parse("2025-01-01") // SECOND
NINE_TO_FIVE = "{zone: UTC, weekly: {mon: [['09:00', '17:00']]}}"


def time(text: str, begin: int = BEGIN, end: int = END) -> BusinessTime:
    return BusinessTime(compile_calendar(documents.read(CalendarDefinition, text), begin, end))


@pytest.mark.parametrize(
    ("text", "path", "sentence"),
    [
        ("{weekly: null}", "zone", "Field required"),
        ("{zone: UTC}", "weekly", "Field required"),
        ("{zone: UTC, weekly: null, holiday: []}", "holiday", "there is no such field"),
        ("{zone: UTC, weekly: {monday: []}}", "weekly.monday.[key]", "'mon'"),
        ("{zone: UTC, weekly: {mon: [['9', '17:00']]}}", "weekly.mon.0", "'9' is not a wall time"),
        ("{zone: UTC, weekly: {mon: [['09:60', '17:00']]}}", "weekly.mon.0", "'09:60' is not a wall time"),
        ("{zone: UTC, weekly: {mon: [['09:0', '17:00']]}}", "weekly.mon.0", "'09:0' is not a wall time"),
        ("{zone: UTC, weekly: {mon: [['40:00', '49:00']]}}", "weekly.mon.0", "'49:00' is not a wall time"),
        ("{zone: UTC, weekly: {mon: [['40:00', '48:01']]}}", "weekly.mon.0", "'48:01' is not a wall time"),
        ("{zone: UTC, weekly: {mon: [['²3:00', '24:00']]}}", "weekly.mon.0", "is not a wall time"),
        ("{zone: UTC, weekly: {mon: [['17:00', '09:00']]}}", "weekly.mon.0", "17:00 to 09:00 does not run forwards"),
        ("{zone: UTC, weekly: {mon: [['09:00', '09:00']]}}", "weekly.mon.0", "does not run forwards"),
        ("{zone: UTC, weekly: {mon: [['09:00']]}}", "weekly.mon.0.1", "Field required"),
        ("{zone: UTC, weekly: {mon: [[9, 17]]}}", "weekly.mon.0.0", "valid string"),
        ("{zone: UTC, weekly: {}, holidays: [2024-02-30]}", "holidays.0", "date"),
        ("{zone: UTC, weekly: {}, holidays: ['4 July']}", "holidays.0", "date"),
        ("{zone: UTC, weekly: null, shifts: {2024-07-04: [['09:00', '10:00']]}}", "", "shifts of 2024-07-04 replace no weekly hours"),
        ("[]", "", "holds list where named sections belong"),
        ("", "", "holds nothing"),
        ("{zone: UTC, zone: UTC, weekly: null}", "zone", "the key stands twice"),
    ],
)
def test_hours_that_nobody_can_mean_are_refused_with_their_place(text: str, path: str, sentence: str) -> None:
    with pytest.raises(PolicyError) as refused:
        documents.read(CalendarDefinition, text)
    assert refused.value.path == path
    assert sentence in refused.value.sentence


def test_the_longest_hours_end_two_midnights_later() -> None:
    found = time("{zone: UTC, weekly: {mon: [['00:00', '48:00']]}}").spans(parse("2024-06-03"), parse("2024-06-10"))
    assert found == [(parse("2024-06-03"), parse("2024-06-05"))]


def test_hours_that_overlap_or_touch_are_one() -> None:
    found = time("{zone: UTC, weekly: {mon: [['09:00', '12:00'], ['11:00', '13:00'], ['13:00', '14:00']]}}")
    assert found.spans(parse("2024-06-03"), parse("2024-06-04")) == [(parse("2024-06-03T09:00:00Z"), parse("2024-06-03T14:00:00Z"))]


@pytest.mark.parametrize(
    "text",
    [
        "{zone: UTC, weekly: {}}",
        "{zone: UTC, weekly: {mon: []}}",
        "{zone: UTC, weekly: {mon: [['09:00', '10:00']]}, breaks: {2024-06-03: [['08:00', '11:00']]}}",
        "{zone: UTC, weekly: {}, shifts: {2024-06-03: [['09:00', '10:00']]}, holidays: [2024-06-03]}",
        "{zone: UTC, weekly: {}, shifts: {2024-06-11: [['09:00', '10:00']]}}",
        "{zone: America/New_York, weekly: {}, shifts: {2024-03-10: [['02:15', '02:45']]}}",
    ],
    ids=["no day", "no hours", "all of it a break", "all of it a holiday", "outside the time asked for", "all of it in a gap"],
)
def test_a_calendar_that_never_opens_is_refused(text: str) -> None:
    with pytest.raises(PolicyError, match=r"the calendar never opens; give it at least one opening hour"):
        time(text, parse("2024-06-03") // SECOND, parse("2024-06-10") // SECOND) if "New_York" not in text else time(text)


@pytest.mark.parametrize(
    "zone", ["Mars/Olympus", "EST5", "", "../../etc/passwd", "/etc/passwd", ".", "America", "America//New_York", "UTC\x00"]
)
def test_a_zone_that_the_pinned_database_does_not_have_is_refused_by_its_name(zone: str) -> None:
    with pytest.raises(BadInput, match="has no zone"):
        compile_calendar(CalendarDefinition(zone=zone, weekly=None), BEGIN, END)


@pytest.mark.parametrize("length", [0, 1])
def test_before_the_beginning_and_after_the_end_there_is_no_answer_but_a_cure(length: int) -> None:
    known = time(NINE_TO_FIVE)
    early, late = BEGIN * SECOND - 1, END * SECOND + 1
    sentence = r"covers 2024-01-01T00:00:00\.000000Z to 2025-01-01T00:00:00\.000000Z, which leaves out {}; extend it with `opsledger tick`"
    for instant in (early, late):
        asked = sentence.format(iso(instant).replace(".", r"\."))
        for ask in (
            lambda: known.elapsed(instant, parse("2024-06-01")),  # noqa: B023
            lambda: known.elapsed(parse("2024-06-01"), instant),  # noqa: B023
            lambda: known.due(instant, length),  # noqa: B023
            lambda: known.breach(instant, length),  # noqa: B023
            lambda: known.spans(instant, instant),  # noqa: B023
            lambda: known.business_days(instant, length),  # noqa: B023
        ):
            with pytest.raises(Uncovered, match=asked) as refused:
                ask()
            assert refused.value.code == "calendar.uncovered"


def test_the_calendar_answers_on_its_first_and_its_last_instant() -> None:
    known = time(NINE_TO_FIVE)
    assert known.elapsed(BEGIN * SECOND, END * SECOND) == 53 * 8 * 3600 * SECOND
    assert known.elapsed(BEGIN * SECOND, BEGIN * SECOND) == known.elapsed(END * SECOND, END * SECOND) == 0
    assert known.due(END * SECOND, 0) == END * SECOND


@pytest.mark.parametrize("ask", ["due", "breach"])
def test_a_target_past_the_horizon_is_refused_with_its_length(ask: str) -> None:
    with pytest.raises(Uncovered, match=r"The end of 28801 business seconds after 2024-12-30T09:00:00\.000000Z lies past") as refused:
        getattr(time(NINE_TO_FIVE), ask)(parse("2024-12-30T09:00:00Z"), 28_801 * SECOND)
    assert refused.value.code == "calendar.horizon"


def test_the_last_closing_is_the_latest_due_time_and_no_breach_follows_it() -> None:
    known, monday = time(NINE_TO_FIVE), parse("2024-12-30T09:00:00Z")
    assert iso(known.due(monday, 28_800 * SECOND)) == "2024-12-30T17:00:00.000000Z"
    with pytest.raises(Uncovered, match="The end of 28800 business seconds"):
        known.breach(monday, 28_800 * SECOND)
    with pytest.raises(Uncovered, match="The next opening after 2024-12-30T17:00"):
        known.breach(parse("2024-12-30T17:00:00Z"), 0)


def test_business_days_past_the_horizon_are_refused_with_their_number() -> None:
    with pytest.raises(Uncovered, match="The end of 2 business days after 2024-12-23T10:00"):
        time(NINE_TO_FIVE).business_days(parse("2024-12-23T10:00:00Z"), 2)


def test_no_time_is_due_at_once_even_before_the_first_opening() -> None:
    early = parse("2024-01-01T03:00:00Z")
    assert time(NINE_TO_FIVE).due(early, 0) == early
    assert iso(time(NINE_TO_FIVE).breach(early, 0)) == "2024-01-01T09:00:00.000000Z"


def test_a_day_that_never_was_is_no_business_day() -> None:
    """Samoa went from 29 to 31 December 2011."""
    begin = parse("2011-12-01") // SECOND
    always = time("{zone: Pacific/Apia, weekly: null}", begin, begin + 60 * DAY_S)
    start = parse("2011-12-29T20:00:00Z")  # ten in the morning of the 29th
    assert iso(always.business_days(start, 1)) == "2011-12-30T20:00:00.000000Z"  # ten in the morning of the 31st


def test_a_holiday_closes_both_parts_of_a_date_that_a_fold_parts() -> None:
    """In Newfoundland, at a minute past midnight of 7 November 2010, clocks went back to 23:01 of the 6th."""
    begin = parse("2010-11-01") // SECOND
    known = time("{zone: America/St_Johns, weekly: null, holidays: [2010-11-06]}", begin, begin + 20 * DAY_S)
    assert known.spans(parse("2010-11-06T01:00:00Z"), parse("2010-11-08T00:00:00Z")) == [
        (parse("2010-11-06T01:00:00Z"), parse("2010-11-06T02:30:00Z")),
        (parse("2010-11-07T02:30:00Z"), parse("2010-11-07T02:31:00Z")),
        (parse("2010-11-07T03:30:00Z"), parse("2010-11-08T00:00:00Z")),
    ]


def test_the_end_of_a_business_day_is_its_last_closing() -> None:
    split = time("{zone: UTC, weekly: {mon: [['09:00', '12:00'], ['13:00', '17:30']], tue: [['09:00', '12:00']]}}")
    start = parse("2024-06-03T16:00:00Z")
    assert iso(split.business_days(start, 0, end_of_day=True)) == "2024-06-03T17:30:00.000000Z"
    assert iso(split.business_days(start, 1, end_of_day=True)) == "2024-06-04T12:00:00.000000Z"
    assert iso(split.business_days(start, 2, end_of_day=True)) == "2024-06-10T17:30:00.000000Z"


def test_the_end_of_a_day_that_stays_open_over_midnight_is_midnight() -> None:
    night = time("{zone: UTC, weekly: {mon: [['22:00', '30:00']]}}")
    assert iso(night.business_days(parse("2024-06-03T23:00:00Z"), 0, end_of_day=True)) == "2024-06-04T00:00:00.000000Z"


def test_a_business_day_moves_on_to_the_opening_where_its_hour_is_closed() -> None:
    uneven = time("{zone: UTC, weekly: {mon: [['09:00', '17:00']], tue: [['10:00', '12:00']], wed: [['09:00', '17:00']]}}")
    assert iso(uneven.business_days(parse("2024-06-03T09:30:00Z"), 1)) == "2024-06-04T10:00:00.000000Z"
    assert iso(uneven.business_days(parse("2024-06-03T16:00:00Z"), 1)) == "2024-06-05T09:00:00.000000Z"
    assert iso(uneven.business_days(parse("2024-06-01T03:00:00Z"), 1)) == "2024-06-04T10:00:00.000000Z"
