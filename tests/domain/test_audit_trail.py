"""Reviewing the audit trail."""

from __future__ import annotations

from typing import Any

import pytest

from opsledger.domain import audit_trail
from opsledger.testing import Spec, at

spec = Spec("audit_trail:self")
NOON = at("2026-04-01T12:00:00Z")
GIVEN: dict[str, Any] = {
    "first": 1,
    "last": 40,
    "root": "cm9vdA==",
    "took_part": {"u-7": 12, "u-8": 30},
    "findings": 2,
    "conclusion": "Two late entries",
}
SEEN = audit_trail.CheckpointSeen(origin="opsledger/1", size=40, root="cm9vdA==")


def reviewed(first: int = 1, last: int = 40, checkpoint: audit_trail.CheckpointSeen | None = None) -> audit_trail.Reviewed:
    said = {"root": "cm9vdA==", "findings": 2, "conclusion": "Two late entries"}
    return audit_trail.Reviewed(reviewed_at=NOON, first=first, last=last, checkpoint=checkpoint, reviewed_by="u-eve", **said)


def test_somebody_who_took_no_part_reviews_a_range() -> None:
    spec.when(audit_trail.review, at=NOON, by="u-eve", **GIVEN).then(reviewed())


def test_a_range_may_be_one_position() -> None:
    spec.when(audit_trail.review, at=NOON, by="u-eve", **{**GIVEN, "first": 40}).then(reviewed(first=40))


@pytest.mark.parametrize(("first", "last"), [(0, 40), (41, 40), (-1, -1)])
def test_a_range_begins_at_a_position_and_ends_no_earlier(first: int, last: int) -> None:
    spec.when(audit_trail.review, at=NOON, by="u-eve", **{**GIVEN, "first": first, "last": last}).then_refused("are no range")


def test_who_took_part_does_not_review() -> None:
    spec.when(audit_trail.review, at=NOON, by="u-8", **GIVEN).then_refused(
        "u-8 took part at position 30 and cannot review positions 1 to 40"
    )


def test_a_checkpoint_covers_the_range_to_its_last_position() -> None:
    spec.when(audit_trail.review, at=NOON, by="u-eve", checkpoint=SEEN, **GIVEN).then(reviewed(checkpoint=SEEN))
    spec.when(audit_trail.review, at=NOON, by="u-eve", checkpoint=SEEN, **{**GIVEN, "last": 41}).then_refused(
        "covers 40 facts, and the range ends at 41"
    )


@pytest.mark.parametrize("conclusion", ["", " \n"])
def test_a_review_has_a_conclusion(conclusion: str) -> None:
    spec.when(audit_trail.review, at=NOON, by="u-eve", **{**GIVEN, "conclusion": conclusion}).then_refused("say what was concluded")


def test_an_earlier_range_reviewed_later_does_not_set_back_how_far_reviews_go() -> None:
    state = audit_trail.evolve(audit_trail.evolve(None, reviewed()), reviewed(last=10))
    assert state.reviewed_to == 40
    spec.given(reviewed()).when(audit_trail.review, at=NOON, by="u-eve", **{**GIVEN, "last": 10}).then(reviewed(last=10))
