"""Integrity checks: what was compared, what was put right, what had been counted wrongly."""

from __future__ import annotations

from typing import Any

import pytest

from opsledger.domain import integrity_check as c
from opsledger.testing import Spec, at

C = "integrity_check:IC-1"
spec = Spec(C)
TEN, NOON = at("2026-03-02T10:00:00Z"), at("2026-03-02T12:00:00Z")
COUNTED: dict[str, Any] = {"service_id": "database", "scope": "invoices", "against": "checksums", "rows": 1000, "mismatches": 1}
COMPLETED = c.Completed(completed_at=TEN, digest="ab", policy=spec.policy, **COUNTED)
SOUND = c.Completed(completed_at=TEN, digest=None, policy=spec.policy, **{**COUNTED, "mismatches": 0})
REPAIRED = c.Repaired(repaired_at=NOON, rows=1, repaired_by="u-9", subject_id=C)
PUT_RIGHT: dict[str, Any] = {
    "corrects": spec.known.position + 1,
    "what": "mismatches",
    "was": 1,
    "to": 0,
    "requested_by": "u-7",
    "approved_by": "u-8",
    "reason": "The checker had read a row twice",
}


def test_a_check_is_recorded_once_with_what_it_counted() -> None:
    spec.when(c.complete, at=TEN, digest="ab", **COUNTED).then(COMPLETED)
    spec.given(COMPLETED).when(c.complete, at=TEN, digest="ab", **COUNTED).then_refused("recorded already")
    spec.when(c.complete, at=TEN, **{**COUNTED, "rows": 0}).then_refused("Of 0 rows 1 cannot differ")


def test_what_differed_is_repaired_once() -> None:
    spec.given(COMPLETED).when(c.repair, at=NOON, by="u-9", rows=1).then(REPAIRED)
    spec.given(COMPLETED, REPAIRED).when(c.repair, at=NOON, rows=1).then_nothing()
    spec.given(COMPLETED, REPAIRED).when(c.repair, at=at("2026-03-02T13:00:00Z"), rows=1).then_refused("check again")
    spec.given(SOUND).when(c.repair, at=NOON, rows=1).then_refused("nothing to repair")
    spec.given(COMPLETED).when(c.repair, at=at("2026-03-02T09:00:00Z"), rows=1).then_refused("lies before the check")


def test_a_count_is_corrected_by_two_people() -> None:
    (corrected,) = spec.given(COMPLETED).when(c.correct, at=NOON, **PUT_RIGHT).facts
    assert (corrected.what, corrected.was, corrected.now) == ("mismatches", 1, 0)
    spec.given(COMPLETED, corrected).when(c.correct, at=NOON, **{**PUT_RIGHT, "was": 0}).then_nothing()
    spec.given(COMPLETED, corrected).when(c.repair, at=NOON, rows=1).then_refused("nothing to repair")


@pytest.mark.parametrize(
    ("changed", "refusal"),
    [
        ({"approved_by": "u-7"}, "name another approver"),
        ({"was": 2}, "is known to say 1, not 2"),
        ({"to": 1001}, "cannot differ"),
        ({"what": "rows", "was": 1000, "to": 0}, "cannot differ"),
        ({"corrects": PUT_RIGHT["corrects"] + 1}, "counts nothing"),
    ],
)
def test_what_is_no_correction_of_a_check_is_refused(changed: dict[str, Any], refusal: str) -> None:
    spec.given(COMPLETED, REPAIRED).when(c.correct, at=NOON, **{**PUT_RIGHT, **changed}).then_refused(refusal)


def test_a_check_begins_with_what_it_counted() -> None:
    with pytest.raises(Exception, match="begins with what it counted, not with Repaired"):
        c.evolve(None, REPAIRED)
