"""Closing a period, and restating it."""

from __future__ import annotations

from typing import Any

import pytest

from opsledger.domain import period
from opsledger.testing import Spec, at

spec = Spec("period:sla_compliance/2026-03")
ENDS = at("2026-04-01T00:00:00Z")
NOON = at("2026-04-01T12:00:00Z")
FROZEN = period.Frozen(
    columns=("month", "priority", "met"),
    rows=('["2026-03","high",12]', '["2026-03","low",30]'),
    definition="d" * 64,
    program="opsledger 0.1.0",
)
OTHER = period.Frozen(
    columns=FROZEN.columns, rows=('["2026-03","high",13]', FROZEN.rows[1]), definition="d" * 64, program="opsledger 0.1.0"
)
GIVEN: dict[str, Any] = {
    "table": "sla_compliance",
    "month_or_day": "2026-03",
    "ends_at": ENDS,
    "position": 800,
    "effective_at": NOON,
    "frozen": FROZEN,
    "proposed_by": "u-1",
    "approved_by": "u-2",
}
SAID: dict[str, Any] = {
    "table": "sla_compliance",
    "period": "2026-03",
    "position": 800,
    "effective_at": NOON,
    "frozen": FROZEN,
    "proposed_by": "u-1",
    "approved_by": "u-2",
}
CLOSED = period.Closed(closed_at=NOON, digest=period.digest(FROZEN), **SAID)
LATER = at("2026-04-09T12:00:00Z")


def restating(**given: Any) -> dict[str, Any]:
    return {**GIVEN, "position": 900, "frozen": OTHER, "reason": "A reply was typed in late", **given}


def test_a_period_that_is_over_is_closed() -> None:
    spec.when(period.close, at=NOON, **GIVEN).then(CLOSED)


def test_a_period_is_over_at_its_end_and_not_a_microsecond_before() -> None:
    assert spec.when(period.close, at=ENDS, **GIVEN).error is None
    spec.when(period.close, at=at("2026-03-31T23:59:59.999999Z"), **GIVEN).then_refused(
        "2026-03 ends at 2026-04-01T00:00:00+00:00; close it when it is"
    )


def test_two_people_stand_for_a_close() -> None:
    spec.when(period.close, at=NOON, **{**GIVEN, "approved_by": "u-1"}).then_refused("u-1 asked for this close and cannot approve it too")
    spec.given(CLOSED).when(period.restate, at=LATER, **restating(approved_by="u-1")).then_refused("u-1 asked for this restatement")


def test_a_close_stands_in_the_stream_of_its_table_and_period() -> None:
    spec.when(period.close, at=NOON, **{**GIVEN, "table": "backlog_day"}).then_refused(
        "has the id backlog_day/2026-03, not sla_compliance/2026-03"
    )


def test_a_close_keeps_a_summary_and_no_table_of_thousands() -> None:
    def frozen(rows: int) -> period.Frozen:
        return period.Frozen(columns=("n",), rows=("[1]",) * rows, definition="d", program="p")

    assert spec.when(period.close, at=NOON, **{**GIVEN, "frozen": frozen(5000)}).error is None
    spec.when(period.close, at=NOON, **{**GIVEN, "frozen": frozen(5001)}).then_refused(
        "has 5001 rows for 2026-03; a close keeps at most 5000"
    )


def test_a_period_that_was_closed_is_restated_and_not_closed_again() -> None:
    spec.given(CLOSED).when(period.close, at=LATER, **GIVEN).then_refused("give a reason to restate it")


def test_a_restatement_names_the_close_that_it_replaces_and_says_why() -> None:
    position = spec.known.position + 1
    expected = period.Restated(
        restated_at=LATER,
        restates=position,
        reason="A reply was typed in late",
        digest=period.digest(OTHER),
        **{**SAID, "position": 900, "frozen": OTHER},
    )
    spec.given(CLOSED).when(period.restate, at=LATER, **restating()).then(expected)


@pytest.mark.parametrize("reason", ["", "  "])
def test_a_restatement_needs_a_reason(reason: str) -> None:
    spec.given(CLOSED).when(period.restate, at=LATER, **restating(reason=reason)).then_refused("was reported already; say why")


def test_a_restatement_that_says_the_same_adds_nothing() -> None:
    spec.given(CLOSED).when(period.restate, at=LATER, **restating(frozen=FROZEN)).then_nothing()


@pytest.mark.parametrize("position", [799, 800])
def test_a_restatement_knows_more_than_what_it_replaces(position: int) -> None:
    spec.given(CLOSED).when(period.restate, at=LATER, **restating(position=position)).then_refused("was closed as known at position 800")


def test_nothing_is_restated_that_was_never_closed() -> None:
    spec.when(period.restate, at=LATER, **restating()).then_refused("has no facts")


def test_the_digest_is_that_of_the_columns_and_rows_line_by_line() -> None:
    # printf '%s\n' '["month","priority","met"]' '["2026-03","high",12]' '["2026-03","low",30]' | sha256sum
    assert period.digest(FROZEN) == "05cf85128d78e674f63b19d99b38b85e6cc3489180bd9970230ca3de4bda3721"
