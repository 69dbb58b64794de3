"""Decisions on business calendars: published, corrected for the past, extended into the future."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest

from opsledger.domain import calendar
from opsledger.domain.calendar import Calendar
from opsledger.domain.concept import SYSTEM
from opsledger.domain.governance import learn
from opsledger.errors import BadInput
from opsledger.policies import documents
from opsledger.policies.calendar import CalendarDefinition
from opsledger.policies.instants import iso, parse
from opsledger.policies.known import Known
from opsledger.policies.zones import VERSION
from opsledger.testing import Spec, at, default_known, recorded

NINE_TO_FIVE = "{zone: UTC, weekly: {mon: [['09:00', '17:00']], tue: [['09:00', '17:00']]}}"
TEN_TO_FOUR = "{zone: UTC, weekly: {mon: [['10:00', '16:00']], tue: [['10:00', '16:00']]}}"
NOW = at("2026-03-02T09:00:00Z")
TWO = {"proposed_by": "u-1", "approved_by": "u-2"}
ASKED = {"requested_by": "u-1", "approved_by": "u-2"}


def canonical(text: str) -> str:
    return documents.canonical(documents.read(CalendarDefinition, text))


def knowing(*facts: Any) -> Spec:
    """Return the calendar of a desk after facts, in a ledger that knows them; they stand from position 11 on."""
    known = default_known()
    for i, fact in enumerate(facts):
        known = learn(known, recorded(fact, "calendar:desk", i + 1, 11 + i))
    return Spec("calendar:desk", known)


def published(
    text: str, effective: str = "2026-03-02T09:00:00Z", *, years: int = 3, now: datetime = NOW, known: Known | None = None
) -> Any:
    """Return the fact that publishing hours gives."""
    spec = Spec("calendar:desk", known)
    arguments = {"definition": text, "effective_from": at(effective), "horizon_years": years, "reason": "a test", **TWO}
    (fact,) = spec.when(calendar.publish, at=now, **arguments).facts
    return fact


def later(before: Any, text: str, effective: str, now: datetime = NOW) -> Any:
    """Return the fact that publishing hours beside others gives."""
    arguments = {"definition": text, "effective_from": at(effective), "reason": "a test", **TWO}
    (fact,) = knowing(before).given(before).when(calendar.publish, at=now, **arguments).facts
    return fact


# Publish.


def test_hours_are_published_as_written_and_as_compiled_up_to_the_end_of_a_year() -> None:
    fact = published(NINE_TO_FIVE)
    assert (fact.published_at, fact.effective_from, fact.proposed_by, fact.approved_by) == (NOW, NOW, "u-1", "u-2")
    assert (fact.definition, fact.digest) == (canonical(NINE_TO_FIVE), documents.digest(canonical(NINE_TO_FIVE)))
    assert fact.hours.tz_version == VERSION
    compiled = fact.hours.compiled()
    assert [iso(second * 1_000_000)[:16] for second in (compiled.begin, *compiled.edges[:3], compiled.end)] == [
        "2026-03-02T09:00",
        "2026-03-02T09:00",
        "2026-03-02T17:00",
        "2026-03-03T09:00",
        "2030-01-01T00:00",
    ]


def test_the_horizon_is_that_of_the_model_in_force_unless_another_is_asked_for() -> None:
    arguments = {"definition": NINE_TO_FIVE, **TWO}
    (fact,) = Spec("calendar:desk").when(calendar.publish, at=NOW, **arguments).facts
    assert iso(fact.hours.end * 1_000_000) == "2030-01-01T00:00:00.000000Z"
    assert iso(published(NINE_TO_FIVE, years=1).hours.end * 1_000_000) == "2028-01-01T00:00:00.000000Z"


def test_hours_hold_from_the_next_whole_second_unless_a_time_is_given() -> None:
    arguments = {"definition": NINE_TO_FIVE, **TWO}
    (fact,) = Spec("calendar:desk").when(calendar.publish, at=at("2026-03-02T09:00:00.000001Z"), **arguments).facts
    assert fact.effective_from == at("2026-03-02T09:00:01Z")
    (fact,) = Spec("calendar:desk").when(calendar.publish, at=NOW, **arguments).facts
    assert fact.effective_from == NOW


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"approved_by": "u-1"}, "u-1 asked for this calendar and cannot approve it too"),
        ({"effective_from": at("2026-03-02T08:59:59Z")}, "before now; say why, or correct a version"),
        ({"effective_from": datetime(2026, 4, 1)}, "has no zone"),
        ({"definition": "{zone: UTC, weekly: {}}"}, "never opens"),
        ({"definition": "{zone: Mars/Olympus, weekly: null}"}, "has no zone 'Mars/Olympus'"),
        ({"definition": "{zone: UTC}"}, "weekly: Field required"),
        ({"horizon_years": 0}, "compiled 1 to 100 years ahead, not 0"),
        ({"horizon_years": 101}, "compiled 1 to 100 years ahead, not 101"),
    ],
)
def test_hours_that_cannot_be_published_are_refused(changes: dict[str, Any], sentence: str) -> None:
    arguments = {"definition": NINE_TO_FIVE, **TWO, **changes}
    Spec("calendar:desk").when(calendar.publish, at=NOW, **arguments).then_refused(sentence)


def test_only_the_beginning_of_a_ledger_needs_nobody_else() -> None:
    alone = {"definition": NINE_TO_FIVE, "proposed_by": SYSTEM, "approved_by": SYSTEM}
    assert Spec("calendar:desk").when(calendar.publish, at=NOW, **alone).error is None
    before = published(NINE_TO_FIVE)
    knowing(before).given(before).when(calendar.publish, at=NOW, **{**alone, "definition": TEN_TO_FOUR}).then_refused(
        "cannot approve it too"
    )


def test_the_hours_that_hold_then_already_are_not_published_again() -> None:
    before = published(NINE_TO_FIVE)
    given = knowing(before).given(before)
    reordered = json.dumps(dict(reversed(json.loads(canonical(NINE_TO_FIVE)).items())))
    given.when(calendar.publish, at=NOW, definition=reordered, **TWO).then_nothing()
    given.when(calendar.publish, at=NOW, definition=NINE_TO_FIVE, effective_from=at("2027-01-01"), **TWO).then_nothing()


def test_hours_that_another_version_replaces_meanwhile_are_published_again() -> None:
    """Nine to five holds from March, ten to four from July; nine to five again from September is news."""
    first = published(NINE_TO_FIVE)
    second = later(first, TEN_TO_FOUR, "2026-07-01T00:00:00Z")
    given = knowing(first, second).given(first, second)
    assert given.when(calendar.publish, at=NOW, definition=NINE_TO_FIVE, effective_from=at("2026-09-01"), **TWO).facts
    given.when(calendar.publish, at=NOW, definition=NINE_TO_FIVE, effective_from=at("2026-06-01"), **TWO).then_nothing()


def test_hours_for_the_past_are_published_with_a_reason() -> None:
    fact = published(NINE_TO_FIVE, "2020-01-01T00:00:00Z")
    assert (fact.effective_from, fact.reason) == (at("2020-01-01"), "a test")


def test_a_later_version_is_compiled_as_far_as_those_before() -> None:
    first = published(NINE_TO_FIVE, years=20)
    assert later(first, TEN_TO_FOUR, "2026-07-01T00:00:00Z").hours.end == first.hours.end


def test_a_version_may_begin_where_the_known_hours_end_but_no_later() -> None:
    first = published(NINE_TO_FIVE, years=1)
    given = knowing(first).given(first)
    assert given.when(calendar.publish, at=NOW, definition=TEN_TO_FOUR, effective_from=at("2028-01-01"), **TWO).facts
    late = given.when(calendar.publish, at=NOW, definition=TEN_TO_FOUR, effective_from=at("2028-01-01T00:00:01Z"), **TWO)
    late.then_refused("The hours known so far end at 2028-01-01T00:00:00+00:00; start there or before")


def test_each_instant_counts_by_the_version_that_holds_there() -> None:
    first = published(NINE_TO_FIVE)
    second = later(first, TEN_TO_FOUR, "2026-03-09T00:00:00Z")
    time = knowing(first, second).known.calendar("desk")
    monday, next_monday = parse("2026-03-02T09:00:00Z"), parse("2026-03-09T00:00:00Z")
    assert time.elapsed(monday, next_monday) == 16 * 3600 * 1_000_000
    assert time.elapsed(next_monday, parse("2026-03-16")) == 12 * 3600 * 1_000_000


# Correct.


WITH_HOLIDAY = "{zone: UTC, weekly: {mon: [['09:00', '17:00']], tue: [['09:00', '17:00']]}, holidays: [2026-03-03]}"
LATER = at("2026-03-05T12:00:00Z")
WHY: dict[str, Any] = {"corrects": 11, "definition": WITH_HOLIDAY, "reason": "The office was closed", **ASKED}


def test_a_past_day_that_was_recorded_wrongly_is_corrected_over_the_same_time() -> None:
    before = published(NINE_TO_FIVE)
    (fact,) = knowing(before).given(before).when(calendar.correct, at=LATER, **WHY).facts
    assert (fact.corrected_at, fact.corrects, fact.reason, fact.requested_by, fact.approved_by) == (
        LATER,
        11,
        "The office was closed",
        "u-1",
        "u-2",
    )
    assert (fact.hours.begin, fact.hours.end) == (before.hours.begin, before.hours.end)
    time = knowing(before, fact).known.calendar("desk")
    assert time.elapsed(parse("2026-03-03"), parse("2026-03-04")) == 0
    assert time.elapsed(parse("2026-03-02T09:00:00Z"), parse("2026-03-03")) == 8 * 3600 * 1_000_000


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"approved_by": "u-1"}, "cannot approve it too"),
        ({"reason": ""}, "needs a reason"),
        ({"corrects": 12}, "Position 12 published no version of desk; versions stand at 11"),
        ({"definition": "{zone: UTC, weekly: {}}"}, "never opens"),
    ],
)
def test_a_correction_that_cannot_stand_is_refused(changes: dict[str, Any], sentence: str) -> None:
    before = published(NINE_TO_FIVE)
    knowing(before).given(before).when(calendar.correct, at=LATER, **{**WHY, **changes}).then_refused(sentence)


def test_a_correction_to_what_is_known_adds_nothing() -> None:
    before = published(NINE_TO_FIVE)
    knowing(before).given(before).when(calendar.correct, at=LATER, **{**WHY, "definition": NINE_TO_FIVE}).then_nothing()
    (fact,) = knowing(before).given(before).when(calendar.correct, at=LATER, **WHY).facts
    knowing(before, fact).given(before, fact).when(calendar.correct, at=LATER, **WHY).then_nothing()


def test_a_corrected_calendar_can_be_published_anew() -> None:
    before = published(NINE_TO_FIVE)
    (fact,) = knowing(before).given(before).when(calendar.correct, at=LATER, **WHY).facts
    given = knowing(before, fact).given(before, fact)
    assert given.when(calendar.publish, at=LATER, definition=NINE_TO_FIVE, **TWO).facts
    given.when(calendar.publish, at=LATER, definition=WITH_HOLIDAY, **TWO).then_nothing()


def test_an_earlier_version_is_corrected_late_and_a_later_one_left_as_it_is() -> None:
    first = published(NINE_TO_FIVE)
    second = later(first, TEN_TO_FOUR, "2026-03-09T00:00:00Z")
    (fact,) = knowing(first, second).given(first, second).when(calendar.correct, at=at("2026-04-01"), **WHY).facts
    time = knowing(first, second, fact).known.calendar("desk")
    assert time.elapsed(parse("2026-03-03"), parse("2026-03-04")) == 0
    assert time.elapsed(parse("2026-03-10"), parse("2026-03-11")) == 6 * 3600 * 1_000_000


# Extend.


def test_hours_are_extended_to_the_end_of_a_year_from_where_they_ended() -> None:
    before = published(NINE_TO_FIVE, years=1)
    (fact,) = knowing(before).given(before).when(calendar.extend, at=at("2027-02-01")).facts
    assert (fact.extended_at, fact.extends) == (at("2027-02-01"), 11)
    assert [iso(second * 1_000_000)[:10] for second in (fact.hours.begin, fact.hours.end)] == ["2028-01-01", "2031-01-01"]
    time = knowing(before, fact).known.calendar("desk")
    assert iso(time.end)[:10] == "2031-01-01"
    assert time.elapsed(parse("2027-12-28"), parse("2028-01-05")) == 24 * 3600 * 1_000_000


def test_hours_that_reach_as_far_already_are_not_extended() -> None:
    before = published(NINE_TO_FIVE, years=3)
    given = knowing(before).given(before)
    given.when(calendar.extend, at=at("2026-12-31T23:59:59Z")).then_nothing()
    assert given.when(calendar.extend, at=at("2027-01-01")).facts


def test_years_beside_the_scale_are_refused() -> None:
    before = published(NINE_TO_FIVE)
    knowing(before).given(before).when(calendar.extend, at=NOW, horizon_years=8000).then_refused("1 to 100 years ahead, not 8000")


def test_an_extension_that_comes_late_adds_what_is_missing_only() -> None:
    before = published(NINE_TO_FIVE, years=1)
    (first,) = knowing(before).given(before).when(calendar.extend, at=at("2027-02-01")).facts
    given = knowing(before, first).given(before, first)
    given.when(calendar.extend, at=at("2026-06-01")).then_nothing()


def test_extended_hours_are_those_that_the_newest_version_says_after_its_correction() -> None:
    before = published(NINE_TO_FIVE, years=1)
    (corrected,) = knowing(before).given(before).when(calendar.correct, at=LATER, **{**WHY, "definition": TEN_TO_FOUR}).facts
    (fact,) = knowing(before, corrected).given(before, corrected).when(calendar.extend, at=at("2027-02-01")).facts
    time = knowing(before, corrected, fact).known.calendar("desk")
    assert time.elapsed(parse("2028-02-01"), parse("2028-02-02")) == 6 * 3600 * 1_000_000


def test_a_calendar_that_nobody_published_is_neither_corrected_nor_extended() -> None:
    Spec("calendar:desk").when(calendar.extend, at=NOW).then_refused("has no facts")
    Spec("calendar:desk").when(calendar.correct, at=NOW, **WHY).then_refused("has no facts")


def test_the_state_counts_the_versions() -> None:
    before = published(NINE_TO_FIVE)
    assert calendar.evolve(calendar.evolve(None, before), before) == Calendar(2)


def test_a_time_without_a_zone_names_the_cure() -> None:
    outcome = Spec("calendar:desk").when(calendar.publish, at=NOW, definition=NINE_TO_FIVE, effective_from=datetime(2026, 4, 1), **TWO)
    assert isinstance(outcome.error, BadInput)
