"""Windows of measurement: whose counts agree are taken, and one that was measured wrongly is withdrawn by two people."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from opsledger.domain import measurement
from opsledger.domain.measurement import Buckets, Edge, WindowRecorded, checked, identity, stream_of
from opsledger.errors import BadInput
from opsledger.testing import Spec, at

STREAM = "measurement:api-requests/2026-03-14"
WINDOW = WindowRecorded(
    started_at=at("2026-03-14T10:00:00Z"),
    ended_at=at("2026-03-14T10:01:00Z"),
    series_id="api-requests",
    service_id="api",
    kind="api",
    source="host-1",
    total=4,
    errors=1,
    rejected=1,
    timed=3,
    sum_us=450_000,
    min_us=100_000,
    max_us=200_000,
    edges=(Edge(at_most_us=149_999, count=1), Edge(at_most_us=499_999, count=3)),
    buckets=Buckets(scale=5, unit_ns=1000, zero=0, steps=(532, 18, 14), counts=(1, 1, 1)),
)
WITHDRAW: dict[str, Any] = {"reason": "The clock of host-1 was wrong", "requested_by": "u-1", "approved_by": "u-2"}
spec = Spec(STREAM)
FIRST = spec.known.position + 1


def withdrawn(**changes: Any) -> measurement.WindowWithdrawn:
    said = {"withdrawn_at": at("2026-03-15T09:00:00Z"), "withdraws": FIRST, "subject_id": STREAM, **WITHDRAW}
    return measurement.WindowWithdrawn(**{**said, **changes})


def test_a_window_that_was_measured_wrongly_is_withdrawn() -> None:
    spec.given(WINDOW).when(measurement.withdraw, at=at("2026-03-15T09:00:00Z"), withdraws=FIRST, **WITHDRAW).then(withdrawn())


def test_a_window_is_withdrawn_once() -> None:
    spec.given(WINDOW, withdrawn()).when(measurement.withdraw, at=at("2026-03-16T09:00:00Z"), withdraws=FIRST, **WITHDRAW).then_nothing()


def test_whoever_asks_for_a_withdrawal_does_not_approve_it() -> None:
    alone = {**WITHDRAW, "approved_by": "u-1"}
    spec.given(WINDOW).when(measurement.withdraw, at=at("2026-03-15"), withdraws=FIRST, **alone).then_refused("approval.same_person")


def test_a_withdrawal_says_why() -> None:
    silent = {**WITHDRAW, "reason": " "}
    spec.given(WINDOW).when(measurement.withdraw, at=at("2026-03-15"), withdraws=FIRST, **silent).then_refused("say why")


def test_what_is_withdrawn_is_a_window_of_the_stream() -> None:
    spec.given(WINDOW).when(measurement.withdraw, at=at("2026-03-15"), withdraws=FIRST + 7, **WITHDRAW).then_refused("is no fact of")
    other = spec.given(WINDOW, withdrawn()).when(measurement.withdraw, at=at("2026-03-15"), withdraws=FIRST + 1, **WITHDRAW)
    other.then_refused("is no window")


def test_the_window_above_agrees_with_itself() -> None:
    assert checked(WINDOW) is WINDOW


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"ended_at": WINDOW.started_at}, "ends before it has begun"),
        ({"errors": 5}, "has 5 errors among 4 requests"),
        ({"rejected": 5}, "has 5 rejected among 4 requests"),
        ({"timed": 5}, "has 5 timed among 4 requests"),
        ({"min_us": 300_000}, "shortest time above its longest"),
        ({"edges": (Edge(at_most_us=5, count=2), Edge(at_most_us=9, count=1))}, "do not rise"),
        ({"edges": (Edge(at_most_us=9, count=1), Edge(at_most_us=5, count=2))}, "do not rise"),
        ({"edges": (Edge(at_most_us=9, count=4),)}, "do not rise up to 3"),
        ({"buckets": Buckets(scale=5, unit_ns=1000, zero=1, steps=(532,), counts=(1,))}, "other counts in its buckets"),
        ({"buckets": Buckets(scale=5, unit_ns=1000, zero=0, steps=(532, 0), counts=(1, 2))}, "do not rise or hold nothing"),
        ({"buckets": Buckets(scale=5, unit_ns=1000, zero=3, steps=(532,), counts=(0,))}, "do not rise or hold nothing"),
        ({"buckets": Buckets(scale=5, unit_ns=1000, zero=0, steps=(532,), counts=(1, 2))}, "do not rise or hold nothing"),
        ({"buckets": Buckets(scale=5, unit_ns=1000, zero=0, steps=(2049,), counts=(3,))}, "beyond 2\\*\\*64"),
    ],
)
def test_a_window_whose_counts_disagree_is_refused(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence):
        checked(replace(WINDOW, **changes))


def test_a_window_is_known_by_series_start_and_revision_and_stands_in_the_stream_of_its_day() -> None:
    assert identity(WINDOW) == "api-requests/2026-03-14T10:00:00.000000Z/0"
    assert identity(replace(WINDOW, revision=2)) == "api-requests/2026-03-14T10:00:00.000000Z/2"
    assert stream_of("api-requests", at("2026-03-14T23:30:00-05:00")) == "measurement:api-requests/2026-03-15"
