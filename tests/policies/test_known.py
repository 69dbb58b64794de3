"""What is known of models and calendars at a position, and what is in force at an instant."""

from __future__ import annotations

import pytest

from opsledger.errors import Unknown
from opsledger.policies import documents
from opsledger.policies.calendar import CalendarDefinition, compile_calendar
from opsledger.policies.instants import DAY_S, SECOND, iso, parse
from opsledger.policies.known import CalendarVersion, Known, PublishedModel
from opsledger.policies.months import months
from opsledger.policies.operating_model import default_model

BEGIN = parse("2026-01-01") // SECOND


def version(position: int, hours: tuple[str, str], effective: int = BEGIN, days: int = 365) -> CalendarVersion:
    definition = CalendarDefinition(zone="UTC", weekly={"mon": (hours,)})
    compiled = compile_calendar(definition, effective, BEGIN + days * DAY_S)
    return CalendarVersion(position, effective * SECOND, compiled, documents.canonical(definition))


NINE = version(1, ("09:00", "17:00"))


def test_nothing_is_known_at_the_beginning() -> None:
    known = Known()
    assert (known.position, known.models(), known.calendars(), known.versions("desk")) == (0, [], [], ())
    with pytest.raises(Unknown, match="No calendar 'desk' is published at position 0"):
        known.calendar("desk")
    with pytest.raises(Unknown, match="No operating model 'x' is published at position 0"):
        known.rules("x")


def test_what_is_known_later_does_not_change_what_was_known() -> None:
    before = Known().with_calendar(1, "desk", NINE)
    after = before.with_calendar(5, "desk", version(5, ("10:00", "11:00"), BEGIN + 30 * DAY_S))
    assert (len(before.versions("desk")), len(after.versions("desk"))) == (1, 2)
    assert (before.position, after.position) == (1, 5)
    monday = parse("2026-03-02")
    assert before.calendar("desk").elapsed(monday, monday + DAY_S * SECOND) == 8 * 3600 * SECOND
    assert after.calendar("desk").elapsed(monday, monday + DAY_S * SECOND) == 3600 * SECOND


def test_a_correction_replaces_its_version_and_counts_as_a_fact() -> None:
    corrected = Known().with_calendar(1, "desk", NINE).with_calendar(3, "desk", version(1, ("10:00", "11:00")))
    assert len(corrected.versions("desk")) == 1
    assert corrected.calendar_ref("desk") == "desk@2"


def test_versions_are_told_by_effective_time_and_of_one_time_by_position() -> None:
    known = (
        Known().with_calendar(4, "desk", version(4, ("09:00", "10:00"), BEGIN + DAY_S)).with_calendar(7, "desk", NINE._replace(position=7))
    )
    known = known.with_calendar(9, "desk", version(9, ("11:00", "12:00"), BEGIN + DAY_S))
    assert [each.position for each in known.versions("desk")] == [7, 4, 9]


def test_what_all_calendars_cover_is_what_the_shortest_covers() -> None:
    known = Known().with_calendar(1, "desk", NINE).with_calendar(2, "night", version(2, ("22:00", "30:00"), BEGIN + DAY_S, days=90))
    assert [iso(instant)[:10] for instant in known.covers()] == ["2026-01-02", "2026-04-01"]
    assert known.calendars() == ["desk", "night"]


def test_the_model_in_force_is_the_newest_effective_one() -> None:
    first = PublishedModel("m@1:a", 3, parse("2026-01-01"), default_model(), months("UTC"))
    second = PublishedModel("m@2:b", 8, parse("2026-06-01"), default_model(), months("UTC"))
    known = Known().with_model(second).with_model(first)
    assert [known.in_force(parse(at)).ref for at in ("2026-01-01", "2026-05-31T23:59:59.999999Z", "2026-06-01")] == [
        "m@1:a",
        "m@1:a",
        "m@2:b",
    ]
    assert [each.ref for each in known.models()] == ["m@1:a", "m@2:b"]
    with pytest.raises(Unknown, match=r"No operating model is in force at 2025-12-31T23:59:59\.999999Z"):
        known.in_force(parse("2025-12-31T23:59:59.999999Z"))
