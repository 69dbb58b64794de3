"""What a location saw: changes of state, coverage, and a correction that another person approves."""

from __future__ import annotations

from typing import Any

import pytest

from opsledger.domain import probe
from opsledger.testing import Spec, at

spec = Spec("probe:api@eu/2026-03")
NINE, TEN, ELEVEN = (at(f"2026-03-02T{hour}:00:00Z") for hour in ("09", "10", "11"))
WHERE: dict[str, Any] = {"service_id": "api", "location": "eu"}
UP = probe.StateChanged(changed_at=NINE, state="up", **WHERE)
DOWN = probe.StateChanged(changed_at=TEN, state="down", error="timeout", **WHERE)
FIRST = spec.known.position + 1  # position of the first given fact


def test_a_change_is_recorded_with_the_code_of_its_error() -> None:
    spec.given(UP).when(probe.report, at=TEN, state="down", error="timeout", **WHERE).then(DOWN)


def test_the_state_that_is_known_adds_nothing() -> None:
    spec.given(UP).when(probe.report, at=NINE, state="up", **WHERE).then_nothing()
    spec.given(UP).when(probe.report, at=TEN, state="up", **WHERE).then_nothing()


def test_a_change_of_earlier_that_comes_late_is_recorded_and_the_newest_state_stays() -> None:
    earlier = probe.StateChanged(changed_at=at("2026-03-02T08:00:00Z"), state="down", **WHERE)
    spec.given(UP).when(probe.report, at=earlier.changed_at, state="down", **WHERE).then(earlier)
    spec.given(UP, earlier).when(probe.report, at=TEN, state="up", **WHERE).then_nothing()


@pytest.mark.parametrize(
    ("id", "when"),
    [
        ("api@eu/2026-03", "2026-04-01T00:00:00Z"),
        ("api@eu/2026-03", "2026-02-28T23:59:59.999999Z"),
        ("api@us/2026-03", "2026-03-02T09:00:00Z"),
        ("web@eu/2026-03", "2026-03-02T09:00:00Z"),
    ],
)
def test_a_report_belongs_to_the_stream_of_its_service_location_and_month(id: str, when: str) -> None:
    Spec(f"probe:{id}").when(probe.report, at=at(when), state="up", **WHERE).then_refused("belongs to the id api@eu/2026-")


def test_a_coverage_says_from_when_it_reported_without_a_gap() -> None:
    covered = probe.Covered(covered_until=TEN, covered_from=NINE, **WHERE)
    spec.given(UP).when(probe.cover, at=TEN, covered_from=NINE, **WHERE).then(covered)
    spec.given(UP).when(probe.cover, at=NINE, covered_from=NINE, **WHERE).then_refused("there is no time")


def correction(**given: Any) -> dict[str, Any]:
    people = {"reason": "A false alarm", "requested_by": "u-7", "approved_by": "u-8"}
    return {"corrects": FIRST + 1, "was": "down", "to": "up", **people, **given}


def test_a_false_alarm_is_corrected() -> None:
    (fact,) = spec.given(UP, DOWN).when(probe.correct_state, at=ELEVEN, **correction()).facts
    assert (fact.corrects, fact.was, fact.now, fact.requested_by, fact.approved_by) == (FIRST + 1, "down", "up", "u-7", "u-8")
    assert (fact.subject_id, fact.reason) == ("probe:api@eu/2026-03", "A false alarm")


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"approved_by": "u-7"}, "cannot approve it too"),
        ({"was": "degraded"}, f"Position {FIRST + 1} is known to say down, not degraded"),
        ({"corrects": FIRST + 7}, "is no fact of probe:api@eu/2026-03"),
    ],
)
def test_a_correction_needs_another_person_and_must_fit(given: dict[str, Any], sentence: str) -> None:
    spec.given(UP, DOWN).when(probe.correct_state, at=ELEVEN, **correction(**given)).then_refused(sentence)


def test_a_coverage_says_no_state_that_could_be_corrected() -> None:
    covered = probe.Covered(covered_until=TEN, covered_from=NINE, **WHERE)
    spec.given(UP, covered).when(probe.correct_state, at=ELEVEN, **correction()).then_refused("says no state")


def test_a_correction_is_corrected_by_the_same_position_again() -> None:
    (first,) = spec.given(UP, DOWN).when(probe.correct_state, at=ELEVEN, **correction()).facts
    given = spec.given(UP, DOWN, first)
    given.when(probe.correct_state, at=ELEVEN, **correction()).then_refused("is known to say up, not down")
    given.when(probe.correct_state, at=ELEVEN, **correction(was="up", to="up")).then_nothing()
    (again,) = given.when(probe.correct_state, at=ELEVEN, **correction(was="up", to="degraded")).facts
    assert (again.was, again.now) == ("up", "degraded")


def test_after_a_correction_the_next_report_is_recorded_whatever_it_says() -> None:
    (corrected,) = spec.given(UP, DOWN).when(probe.correct_state, at=ELEVEN, **correction()).facts
    report = probe.StateChanged(changed_at=ELEVEN, state="down", **WHERE)
    spec.given(UP, DOWN, corrected).when(probe.report, at=ELEVEN, state="down", **WHERE).then(report)


def test_the_stream_is_named_by_service_location_and_month() -> None:
    assert probe.stream_of("api", "eu", at("2026-03-31T23:59:59Z")) == "probe:api@eu/2026-03"
