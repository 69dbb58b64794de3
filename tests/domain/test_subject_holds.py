"""Legal holds: placed by one, released by two, looked at again."""

from __future__ import annotations

from typing import Any

from person import ERASED, asked, decided, on, placed, spec

from opsledger.domain import subject as s
from opsledger.testing import at

HOLD: dict[str, Any] = {"at": on("08:00"), "hold_id": "case-3", "reason": "a claim", "review_by": on("09:00", "06-01"), "placed_by": "u-8"}


def test_a_hold_is_placed_with_a_reason_and_a_review() -> None:
    spec.when(s.place_hold, **HOLD).then(placed())
    spec.given(placed()).when(s.place_hold, **HOLD).then_nothing()
    spec.when(s.place_hold, **{**HOLD, "reason": ""}).then_refused("subject.no_reason")


def test_its_review_lies_ahead_and_not_too_far() -> None:
    spec.when(s.place_hold, **{**HOLD, "review_by": on("08:00")}).then_refused("must lie in the future")
    assert spec.when(s.place_hold, **{**HOLD, "review_by": at("2027-03-02T08:00Z")}).facts
    spec.when(s.place_hold, **{**HOLD, "review_by": at("2027-03-02T08:00:01Z")}).then_refused("reviewed within 12 months")


def test_an_id_names_one_hold_for_good() -> None:
    spec.given(placed()).when(s.place_hold, **{**HOLD, "reason": "another claim"}).then_refused("subject.hold_exists")
    released = s.HoldReleased(released_at=on("09:00"), hold_id="case-3", reason="settled", requested_by="u-7", approved_by="u-9")
    spec.given(placed(), released).when(s.place_hold, **HOLD).then_refused("There is, or was, a hold case-3")


def test_several_may_last_at_once() -> None:
    assert spec.given(placed()).when(s.place_hold, **{**HOLD, "hold_id": "case-4"}).facts


def test_after_erasure_was_granted_there_is_nothing_left_to_hold() -> None:
    spec.given(asked(), decided()).when(s.place_hold, **{**HOLD, "at": on("10:01")}).then_refused("nothing left to hold")
    spec.given(*ERASED).when(s.place_hold, **{**HOLD, "at": on("11:00")}).then_refused("subject.erased")


def test_a_hold_that_is_reviewed_stays() -> None:
    again: dict[str, Any] = {"hold_id": "case-3", "reason": "still open", "review_by": on("09:00", "09-01"), "reviewed_by": "u-9"}
    reviewed = s.HoldReviewed(reviewed_at=on("09:00", "05-30"), **again)
    spec.given(placed()).when(s.review_hold, at=on("09:00", "05-30"), **again).then(reviewed)
    spec.given(placed(), reviewed).when(s.review_hold, at=on("09:00", "05-30"), **again).then_nothing()
    spec.given(placed()).when(s.review_hold, at=on("09:00", "05-30"), **{**again, "hold_id": "x"}).then_refused("those that do are: case-3")
    spec.given(placed()).when(s.review_hold, at=on("09:00", "09-02"), **again).then_refused("subject.review_past")


def test_a_hold_is_released_by_two() -> None:
    people: dict[str, Any] = {"hold_id": "case-3", "reason": "settled", "requested_by": "u-7", "approved_by": "u-9"}
    released = s.HoldReleased(released_at=on("09:00"), **people)
    spec.given(placed()).when(s.release_hold, at=on("09:00"), **people).then(released)
    spec.given(placed(), released).when(s.release_hold, at=on("09:30"), **people).then_nothing()
    spec.given(placed()).when(s.release_hold, at=on("09:00"), **{**people, "approved_by": "u-7"}).then_refused("approval.same_person")
    spec.given(placed()).when(s.release_hold, at=on("09:00"), **{**people, "reason": " "}).then_refused("subject.no_reason")
    spec.given(asked()).when(s.release_hold, at=on("09:00"), **people).then_refused("those that do are: none")
