"""Restores: begun after a failure, completed or given up, times put right."""

from __future__ import annotations

from typing import Any

import pytest

from opsledger.domain import restore
from opsledger.testing import Spec, at

R = "restore:R-1"
spec = Spec(R)
TEN, TWENTY_PAST, ELEVEN, NOON = (at(f"2026-03-02T{time}:00Z") for time in ("10:00", "10:20", "11:00", "12:00"))
ASKED: dict[str, Any] = {"service_id": "database", "failed_at": TWENTY_PAST, "cause": "hardware", "incident_id": "INC-1"}
STARTED = restore.Started(started_at=ELEVEN, led_by="u-7", policy=spec.policy, **ASKED)
COMPLETED = restore.Completed(restored_at=NOON, recovered_to=TEN, subject_id=R)
ABANDONED = restore.Abandoned(abandoned_at=NOON, subject_id=R, reason="The disk is gone")
FIRST = spec.known.position + 1
PUT_RIGHT: dict[str, Any] = {
    "corrects": FIRST + 1,
    "what": "recovered_to",
    "was": TEN,
    "to": at("2026-03-02T10:05:00Z"),
    "requested_by": "u-7",
    "approved_by": "u-8",
    "reason": "The newest row says so",
}


def test_a_restore_is_started_once_with_the_model_that_was_in_force_at_the_failure() -> None:
    spec.when(restore.start, at=ELEVEN, **ASKED).then(STARTED)
    spec.given(STARTED).when(restore.start, at=ELEVEN, **ASKED).then_refused("begun already")
    spec.when(restore.start, at=TEN, **ASKED).then_refused("lies before the failure")


def test_a_restore_is_completed_with_the_last_instant_of_which_data_are_there() -> None:
    spec.given(STARTED).when(restore.complete, at=NOON, recovered_to=TEN).then(COMPLETED)
    spec.given(STARTED, COMPLETED).when(restore.complete, at=NOON, recovered_to=TEN).then_nothing()
    spec.given(STARTED, COMPLETED).when(restore.complete, at=NOON, recovered_to=TWENTY_PAST).then_refused("correct that time")
    spec.given(STARTED).when(restore.complete, at=NOON, recovered_to=ELEVEN).then_refused("no data of later")
    spec.given(STARTED).when(restore.complete, at=TWENTY_PAST, recovered_to=TEN).then_refused("lies before its start")
    spec.when(restore.complete, at=NOON, recovered_to=TEN).then_refused("stream.unknown")


def test_a_restore_is_given_up_and_then_not_completed_any_more() -> None:
    spec.given(STARTED).when(restore.abandon, at=NOON, reason="The disk is gone").then(ABANDONED)
    spec.given(STARTED, ABANDONED).when(restore.abandon, at=NOON).then_nothing()
    spec.given(STARTED, ABANDONED).when(restore.complete, at=NOON, recovered_to=TEN).then_refused("start another restore")
    spec.given(STARTED, COMPLETED).when(restore.abandon, at=NOON).then_refused("completed at")


def test_each_time_is_corrected_where_it_was_said() -> None:
    given = spec.given(STARTED, COMPLETED)
    (corrected,) = given.when(restore.correct, at=NOON, **PUT_RIGHT).facts
    assert (corrected.what, corrected.was, corrected.now) == ("recovered_to", TEN, PUT_RIGHT["to"])
    earlier = {**PUT_RIGHT, "corrects": FIRST, "what": "failed_at", "was": TWENTY_PAST, "to": TEN}
    assert given.when(restore.correct, at=NOON, **earlier).facts[0].now == TEN
    back = {**PUT_RIGHT, "what": "restored_at", "was": NOON, "to": at("2026-03-02T11:59:00Z")}
    assert given.when(restore.correct, at=NOON, **back).facts[0].now == back["to"]
    spec.given(STARTED, COMPLETED, corrected).when(restore.correct, at=NOON, **{**PUT_RIGHT, "was": PUT_RIGHT["to"]}).then_nothing()


@pytest.mark.parametrize(
    ("changed", "refusal"),
    [
        ({"approved_by": "u-7"}, "name another approver"),
        ({"corrects": FIRST}, "says nothing of recovered_to"),
        ({"was": NOON}, "is known to say"),
        ({"to": at("2026-03-02T12:00:01Z")}, "has not come yet"),
        ({"to": ELEVEN}, "that time cannot be"),
        ({"what": "restored_at", "was": NOON, "to": TWENTY_PAST}, "that time cannot be"),
    ],
)
def test_what_is_no_correction_of_a_restore_is_refused(changed: dict[str, Any], refusal: str) -> None:
    spec.given(STARTED, COMPLETED).when(restore.correct, at=NOON, **{**PUT_RIGHT, **changed}).then_refused(refusal)


def test_a_restore_begins_with_its_start() -> None:
    with pytest.raises(Exception, match="begins with its start, not with Completed"):
        restore.evolve(None, COMPLETED)
