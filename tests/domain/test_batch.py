"""Defining when a job is to be done, recording its runs, taking one back, retiring it."""

from __future__ import annotations

from typing import Any

from opsledger.domain import batch
from opsledger.policies.instants import micros
from opsledger.policies.zones import VERSION
from opsledger.testing import Spec, at

spec = Spec("batch:nightly-index")
NINE, TEN, ELEVEN = (at(f"2026-03-02T{hour}:00:00Z") for hour in ("09", "10", "11"))
PEOPLE = {"proposed_by": "u-1", "approved_by": "u-2"}
TERMS: dict[str, Any] = {
    "service_id": "api",
    "zone": "Etc/GMT+5",
    "weekdays": ("mon", "sun"),
    "opens": "22:00",
    "closes": "04:00",
    **PEOPLE,
}
BEGIN_S = micros(NINE) // 1_000_000 - 3 * 86_400
DEFINED = batch.WindowDefined(
    defined_at=NINE,
    effective_from=NINE,
    offsets=batch.Offsets(starts=(BEGIN_S,), offsets=(-18_000,), tz_version=VERSION),
    reason="",
    **TERMS,
)
RUN = batch.RunCompleted(completed_at=TEN, started_at=NINE, run_id="R-1", outcome="succeeded", items=7, left=0)
DONE: dict[str, Any] = {"run_id": "R-1", "started_at": NINE, "items": 7, "left": 0}
TAKEN_BACK: dict[str, Any] = {"withdraws": 4, "reason": "Another job's", "requested_by": "u-1", "approved_by": "u-2"}


def test_a_window_is_defined_with_its_zone_s_offsets_and_its_weekdays_in_order() -> None:
    spec.when(batch.define, at=NINE, **TERMS).then(DEFINED)
    spec.when(batch.define, at=NINE, **{**TERMS, "weekdays": ("sun", "mon", "sun")}).then(DEFINED)


def test_the_same_window_again_adds_nothing_and_another_one_is_a_new_version() -> None:
    spec.given(DEFINED).when(batch.define, at=TEN, **TERMS).then_nothing()
    (changed,) = spec.given(DEFINED).when(batch.define, at=TEN, **{**TERMS, "closes": "05:00"}).facts
    assert (changed.closes, changed.effective_from) == ("05:00", TEN)


def test_a_window_needs_another_approver_a_weekday_wall_times_and_a_zone() -> None:
    spec.when(batch.define, at=NINE, **{**TERMS, "approved_by": "u-1"}).then_refused("cannot approve it too")
    spec.when(batch.define, at=NINE, **{**TERMS, "weekdays": ()}).then_refused("opens on one weekday or more")
    spec.when(batch.define, at=NINE, **{**TERMS, "opens": "24:00"}).then_refused("'24:00' is no wall time")
    spec.when(batch.define, at=NINE, **{**TERMS, "zone": "Mars/Base"}).then_refused("has no zone 'Mars/Base'")


def test_a_window_for_a_time_in_the_past_needs_a_reason() -> None:
    spec.when(batch.define, at=TEN, effective_from=NINE, **TERMS).then_refused("say why with a reason")
    (told,) = spec.when(batch.define, at=TEN, effective_from=NINE, reason="It was agreed on then", **TERMS).facts
    assert (told.defined_at, told.effective_from) == (TEN, NINE)


def test_a_run_is_recorded_once_with_a_window_or_without() -> None:
    spec.given(DEFINED).when(batch.complete, at=TEN, **DONE).then(RUN)
    spec.when(batch.complete, at=TEN, **DONE).then(RUN)
    spec.given(DEFINED, RUN).when(batch.complete, at=ELEVEN, **DONE).then_nothing()


def test_a_run_does_not_end_before_it_begins() -> None:
    spec.given(DEFINED).when(batch.complete, at=NINE, **{**DONE, "started_at": TEN}).then_refused("would have begun after it ended")
    (fact,) = spec.given(DEFINED).when(batch.complete, at=NINE, **DONE).facts
    assert fact.completed_at == fact.started_at == NINE


def test_a_run_is_taken_back_by_two_people_and_may_be_recorded_again() -> None:
    position = spec.known.position + 2
    given = {**TAKEN_BACK, "withdraws": position}
    withdrawn = batch.RunWithdrawn(withdrawn_at=ELEVEN, run_id="R-1", subject_id="batch:nightly-index", **given)
    spec.given(DEFINED, RUN).when(batch.withdraw, at=ELEVEN, **given).then(withdrawn)
    spec.given(DEFINED, RUN, withdrawn).when(batch.withdraw, at=ELEVEN, **given).then_nothing()
    spec.given(DEFINED, RUN, withdrawn).when(batch.complete, at=TEN, **DONE).then(RUN)
    spec.given(DEFINED, RUN).when(batch.withdraw, at=ELEVEN, **{**given, "approved_by": "u-1"}).then_refused("cannot approve it too")
    spec.given(DEFINED, RUN).when(batch.withdraw, at=ELEVEN, **{**given, "reason": " "}).then_refused("say why")
    spec.given(DEFINED, RUN).when(batch.withdraw, at=ELEVEN, **{**given, "withdraws": position - 1}).then_refused("is no run")


def test_a_job_is_retired_once() -> None:
    retired = batch.Retired(retired_at=TEN)
    spec.given(DEFINED).when(batch.retire, at=TEN).then(retired)
    spec.given(DEFINED, retired).when(batch.retire, at=TEN).then_nothing()
    spec.given(DEFINED, retired).when(batch.retire, at=ELEVEN).then_refused("was retired at 2026-03-02T10:00:00+00:00 already")
