"""Recovery points: taken, found to be of no use, put right."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from opsledger.domain import recovery_point as r
from opsledger.testing import Spec, at

STREAM = "recovery_point:database/2026-03"
spec = Spec(STREAM)
TEN, FIVE_PAST, NOON = at("2026-03-02T10:00:00Z"), at("2026-03-02T10:05:00Z"), at("2026-03-02T12:00:00Z")
POINT: dict[str, Any] = {"service_id": "database", "point_id": "P-1", "kind": "full", "recoverable_at": TEN}
TAKEN = r.Taken(completed_at=FIVE_PAST, **POINT)
FOUND = r.FoundUnusable(found_at=NOON, service_id="database", point_id="P-1", defect="damaged", found_by="u-7", subject_id=STREAM)
FIRST = spec.known.position + 1
PUT_RIGHT: dict[str, Any] = {
    "corrects": FIRST,
    "was": TEN,
    "to": at("2026-03-02T09:59:00Z"),
    "requested_by": "u-7",
    "approved_by": "u-8",
    "reason": "The log of the archive",
}


def corrected(now: datetime) -> r.Corrected:
    people = {name: PUT_RIGHT[name] for name in ("corrects", "was", "requested_by", "approved_by", "reason")}
    return r.Corrected(corrected_at=NOON, now=now, subject_id=STREAM, **people)


def test_a_point_is_taken_once() -> None:
    spec.when(r.take, at=FIVE_PAST, **POINT).then(TAKEN)
    spec.given(TAKEN).when(r.take, at=FIVE_PAST, **POINT).then_nothing()
    spec.given(TAKEN).when(r.take, at=NOON, **POINT).then_refused("with other values already")


def test_points_taken_all_the_time_are_summed_up_in_one() -> None:
    stretch = {"covers_from": at("2026-03-02T00:00:00Z"), "lost_at_most_us": 300_000_000}
    spec.when(r.take, at=FIVE_PAST, **POINT, **stretch).then(r.Taken(completed_at=FIVE_PAST, **POINT, **stretch))


@pytest.mark.parametrize(
    ("changed", "refusal"),
    [
        ({"recoverable_at": NOON}, "has not come yet"),
        ({"service_id": "web"}, "has the id web/2026-03"),
        ({"covers_from": at("2026-03-01")}, "needs both"),
        ({"covers_from": TEN, "lost_at_most_us": 1}, "does not run forwards"),
    ],
)
def test_what_is_no_point_is_refused(changed: dict[str, Any], refusal: str) -> None:
    spec.when(r.take, at=FIVE_PAST, **{**POINT, **changed}).then_refused(refusal)


def test_a_point_belongs_to_the_month_of_its_completion_in_utc() -> None:
    assert r.stream_of("database", at("2026-04-01T01:00:00+02:00")) == STREAM


def test_a_point_is_found_unusable_once_and_not_before_it_was_there() -> None:
    finding = {"point_id": "P-1", "defect": "damaged"}
    spec.given(TAKEN).when(r.find_unusable, at=NOON, **finding).then(FOUND)
    spec.given(TAKEN, FOUND).when(r.find_unusable, at=NOON, **finding).then_nothing()
    spec.given(TAKEN).when(r.find_unusable, at=TEN, **finding).then_refused("say when it was tried")
    spec.given(TAKEN).when(r.find_unusable, at=NOON, **{**finding, "point_id": "P-2"}).then_refused("name one that is")


def test_where_a_point_brings_data_back_to_is_corrected_by_two_people() -> None:
    spec.given(TAKEN).when(r.correct, at=NOON, **PUT_RIGHT).then(corrected(PUT_RIGHT["to"]))
    again = spec.given(TAKEN, corrected(PUT_RIGHT["to"]))
    again.when(r.correct, at=NOON, **PUT_RIGHT).then_refused("is known to say")
    again.when(r.correct, at=NOON, **{**PUT_RIGHT, "was": PUT_RIGHT["to"]}).then_nothing()


@pytest.mark.parametrize(
    ("changed", "refusal"),
    [
        ({"approved_by": "u-7"}, "name another approver"),
        ({"was": NOON}, "is known to say"),
        ({"to": NOON}, "holds nothing later"),
        ({"corrects": FIRST + 1}, "no recovery point"),
    ],
)
def test_what_is_no_correction_of_a_point_is_refused(changed: dict[str, Any], refusal: str) -> None:
    spec.given(TAKEN, FOUND).when(r.correct, at=NOON, **{**PUT_RIGHT, **changed}).then_refused(refusal)
