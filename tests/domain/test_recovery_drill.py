"""Drills: what came of them, also where nothing came back, and times put right."""

from __future__ import annotations

from typing import Any

import pytest

from opsledger.domain import recovery_drill as d
from opsledger.testing import Spec, at

D = "recovery_drill:D-1"
spec = Spec(D)
TEN, QUARTER_PAST, ELEVEN, NOON = (at(f"2026-03-02T{time}:00Z") for time in ("10:00", "10:15", "11:00", "12:00"))
PLAYED: dict[str, Any] = {
    "service_id": "database",
    "failed_at": QUARTER_PAST,
    "recovered_to": TEN,
    "restored_at": ELEVEN,
    "scenario": "provider",
}
COMPLETED = d.Completed(completed_at=NOON, led_by="u-7", policy=spec.policy, subject_id=D, **PLAYED)
PUT_RIGHT: dict[str, Any] = {
    "corrects": spec.known.position + 1,
    "what": "restored_at",
    "was": ELEVEN,
    "to": at("2026-03-02T11:20:00Z"),
    "requested_by": "u-7",
    "approved_by": "u-8",
    "reason": "The first sign-in came later",
}


def test_a_drill_is_recorded_once_whatever_came_of_it() -> None:
    spec.when(d.complete, at=NOON, **PLAYED).then(COMPLETED)
    spec.given(COMPLETED).when(d.complete, at=NOON, **PLAYED).then_refused("recorded already")
    (failed,) = spec.when(d.complete, at=NOON, **{**PLAYED, "recovered_to": None, "restored_at": None}).facts
    assert (failed.recovered_to, failed.restored_at) == (None, None)


@pytest.mark.parametrize("changed", [{"recovered_to": ELEVEN}, {"restored_at": TEN}, {"restored_at": at("2026-03-02T12:00:01Z")}])
def test_what_cannot_have_been_is_refused(changed: dict[str, Any]) -> None:
    spec.when(d.complete, at=NOON, **{**PLAYED, **changed}).then_refused("then the drill is over")


def test_a_time_of_a_drill_is_corrected_by_two_people() -> None:
    (corrected,) = spec.given(COMPLETED).when(d.correct, at=NOON, **PUT_RIGHT).facts
    assert (corrected.what, corrected.was, corrected.now) == ("restored_at", ELEVEN, PUT_RIGHT["to"])
    again = spec.given(COMPLETED, corrected)
    again.when(d.correct, at=NOON, **{**PUT_RIGHT, "was": PUT_RIGHT["to"]}).then_nothing()
    again.when(d.correct, at=NOON, **{**PUT_RIGHT, "corrects": PUT_RIGHT["corrects"] + 1}).then_refused("is a correction itself")


@pytest.mark.parametrize(
    ("changed", "refusal"),
    [({"approved_by": "u-7"}, "name another approver"), ({"was": TEN}, "is known to say"), ({"to": TEN}, "then the drill is over")],
)
def test_what_is_no_correction_of_a_drill_is_refused(changed: dict[str, Any], refusal: str) -> None:
    spec.given(COMPLETED).when(d.correct, at=NOON, **{**PUT_RIGHT, **changed}).then_refused(refusal)


def test_that_a_service_came_back_after_all_is_a_correction_too() -> None:
    (nothing,) = spec.when(d.complete, at=NOON, **{**PLAYED, "restored_at": None}).facts
    (corrected,) = spec.given(nothing).when(d.correct, at=NOON, **{**PUT_RIGHT, "was": None}).facts
    assert (corrected.was, corrected.now) == (None, PUT_RIGHT["to"])


def test_a_drill_begins_with_what_came_of_it() -> None:
    corrected = spec.given(COMPLETED).when(d.correct, at=NOON, **PUT_RIGHT).facts[0]
    with pytest.raises(Exception, match="begins with what came of it, not with Corrected"):
        d.evolve(None, corrected)
