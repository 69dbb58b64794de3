"""Automation runs: what ended how, and what ended otherwise than was said."""

from __future__ import annotations

from typing import Any

import pytest

from opsledger.domain import automation_run as a
from opsledger.testing import Spec, at

STREAM = "automation_run:restart/2026-03"
spec = Spec(STREAM)
TEN, FIVE_PAST, NOON = at("2026-03-02T10:00:00Z"), at("2026-03-02T10:05:00Z"), at("2026-03-02T12:00:00Z")
RUN: dict[str, Any] = {
    "automation_id": "restart",
    "run_id": "17",
    "started_at": TEN,
    "kind": "self_healing",
    "outcome": "succeeded",
    "trigger": "alert",
    "service_id": "api",
}
ENDED = a.Ended(ended_at=FIVE_PAST, **RUN)
PUT_RIGHT: dict[str, Any] = {
    "corrects": spec.known.position + 1,
    "was": "succeeded",
    "to": "handed_over",
    "requested_by": "u-7",
    "approved_by": "u-8",
    "reason": "It had to be restarted by hand",
}


def test_a_run_ends_once() -> None:
    spec.when(a.end, at=FIVE_PAST, **RUN).then(ENDED)
    spec.given(ENDED).when(a.end, at=FIVE_PAST, **RUN).then_nothing()
    spec.given(ENDED).when(a.end, at=NOON, **RUN).then_refused("with other values already")


@pytest.mark.parametrize(
    ("changed", "refusal"), [({"started_at": NOON}, "does not run forwards"), ({"automation_id": "reindex"}, "has the id reindex/2026-03")]
)
def test_what_is_no_run_is_refused(changed: dict[str, Any], refusal: str) -> None:
    spec.when(a.end, at=FIVE_PAST, **{**RUN, **changed}).then_refused(refusal)


def test_an_outcome_is_corrected_by_two_people() -> None:
    (corrected,) = spec.given(ENDED).when(a.correct, at=NOON, **PUT_RIGHT).facts
    assert (corrected.was, corrected.now) == ("succeeded", "handed_over")
    again = spec.given(ENDED, corrected)
    again.when(a.correct, at=NOON, **PUT_RIGHT).then_refused("is known to say handed_over, not succeeded")
    again.when(a.correct, at=NOON, **{**PUT_RIGHT, "was": "handed_over"}).then_nothing()
    again.when(a.correct, at=NOON, **{**PUT_RIGHT, "corrects": PUT_RIGHT["corrects"] + 1}).then_refused("is no run")
    spec.given(ENDED).when(a.correct, at=NOON, **{**PUT_RIGHT, "approved_by": "u-7"}).then_refused("name another approver")
