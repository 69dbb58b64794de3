"""Capacity and demand by month: four ways in which a window stands to what is promised, peaks, means, shares; from windows and gauges."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from measurement_acts import live_is_rebuilt, observe, told, window

from opsledger.app import OpsLedger
from opsledger.domain.measurement import WindowRecorded, gauge
from opsledger.policies.operating_model import default_model
from opsledger.projections.capacity.gauges import capacity_of
from opsledger.projections.requests.measured import Period, Slot
from opsledger.testing import at
from opsledger.testing.plugin import Clock

WAYS = ("windows", "full_windows", "little_demand_windows", "short_windows", "unknown_windows")


@pytest.fixture(params=["sqlite", "pg"])
def ledger(request: pytest.FixtureRequest, opsledger_clock: Clock) -> OpsLedger:
    made: OpsLedger = request.getfixturevalue(f"opsledger_{request.param}")
    opsledger_clock.set("2026-04-01T12:00:00Z")
    return made


def month(ledger: OpsLedger) -> dict[str, Any]:
    (row,) = told(ledger, "capacity_month")
    return row


def peak(row: dict[str, Any], name: str = "peak") -> Fraction:
    return Fraction(row[f"{name}_numerator"], row[f"{name}_denominator"])


def documents(start: str, count: int, *, rejected: int = 0, **given: Any) -> WindowRecorded:
    named = {"series_id": "uploads", "service_id": "documents", "kind": "documents", **given}
    return window(start, [1000] * count, rejected=rejected, minutes=30, **named)


def test_documents_are_judged_by_the_hour_and_by_what_still_waited(ledger: OpsLedger) -> None:
    observe(
        ledger,
        documents("2026-03-14T10:00:00Z", 600, backlog=50),
        documents("2026-03-14T10:30:00Z", 400, backlog=50),  # 1,000 in the hour: as many as promised
        documents("2026-03-14T11:00:00Z", 300, backlog=0),  # little demand
        documents("2026-03-14T12:00:00Z", 999, backlog=1),
        documents("2026-03-14T13:00:00Z", 300),
        documents("2026-03-14T14:00:00Z", 300, rejected=1, backlog=0),  # turned away, though nothing waits
    )
    row = month(ledger)
    assert (row["quantity"], row["promised"], row["service_id"]) == ("documents_per_hour", 1000, "documents")
    assert tuple(row[name] for name in WAYS) == (5, 1, 1, 2, 1)
    assert (row["met"], row["asked"], row["served"]) == (False, 2900, 2899)
    assert (peak(row), row["peak_at"], peak(row, "peak_served")) == (1000, at("2026-03-14T10:00:00Z"), 1000)
    assert row["mean_numerator"] / row["mean_denominator"] == 2900 / 3  # measured in three hours
    live_is_rebuilt(ledger)


def test_fewer_than_promised_with_nothing_waiting_is_no_breach(ledger: OpsLedger) -> None:
    observe(ledger, documents("2026-03-14T10:00:00Z", 3, backlog=0))
    assert [month(ledger)[name] for name in ("met", "little_demand_windows", "peak_numerator")] == [True, 1, 3]
    observe(ledger, documents("2026-03-14T11:00:00Z", 3))
    assert [month(ledger)[name] for name in ("met", "null_reason")] == [None, "a backlog is not known"]


def test_users_at_once_are_told_by_gauges_alone(ledger: OpsLedger) -> None:
    named = {"service_id": "web", "kind": "web", "source": "prometheus"}
    times = [at(f"2026-03-14T{hour}:00:00Z") for hour in (10, 11, 13, 14)]
    for (low, high), users in zip(pairwise(times), (9_000, 10_500, 300), strict=True):
        observe(ledger, gauge("users", started_at=low, ended_at=high, concurrent_peak=users, **named))
    row = month(ledger)
    assert (row["quantity"], row["promised"], row["asked"], peak(row)) == ("concurrent_users", 10_000, 0, 10_500)
    assert tuple(row[name] for name in WAYS) == (3, 1, 2, 0, 0)
    assert row["mean_numerator"] / row["mean_denominator"] == (9_000 + 2 * 10_500 + 300) / 4
    figures = {each["kpi"]: each["numerator"] for each in told(ledger, "kpi", scope="series:users", period="month")}
    assert (figures["concurrent_users_peak"], "served_share" in figures) == (10_500, False)


def test_the_share_served_and_the_peak_stand_beside_the_mean(ledger: OpsLedger) -> None:
    observe(ledger, window("2026-03-14T10:00:00Z", [1000] * 8, rejected=2), window("2026-03-14T10:01:00Z", [1000] * 2))
    row = month(ledger)
    assert (row["asked"], row["served"], peak(row), peak(row, "peak_served"), row["promised"]) == (12, 10, 10, 8, 50_000)
    assert row["mean_numerator"] / row["mean_denominator"] == 6
    figures = {each["kpi"]: (each["numerator"], each["denominator"]) for each in told(ledger, "kpi", period="month")}
    assert (figures["served_share"], figures["requests_per_minute_peak"]) == ((10, 12), (10, 1))


def test_a_peak_below_one_a_minute_is_told_exactly(ledger: OpsLedger) -> None:
    observe(ledger, window("2026-03-14T10:00:00Z", [1000] * 2, minutes=7))
    row = month(ledger)
    assert (peak(row), row["mean_numerator"] / row["mean_denominator"]) == (Fraction(2, 7), 2 / 7)
    (figure,) = told(ledger, "kpi", kpi="requests_per_minute_peak", period="month")
    assert (figure["numerator"], figure["denominator"]) == (2, 7)


SLOTS = st.lists(
    st.builds(
        Slot,
        started=st.integers(0, 200).map(lambda minute: minute * 60_000_000),
        ended=st.just(201 * 60_000_000),
        total=st.integers(0, 3000),
        rejected=st.just(0) | st.integers(0, 5),
        backlog=st.none() | st.integers(0, 3),
        concurrent_peak=st.none() | st.integers(0, 20_000),
    ),
    max_size=12,
    unique_by=lambda slot: slot.started,
)


@given(SLOTS, st.sampled_from(["api", "web", "documents"]))
@settings(max_examples=30)
def test_only_a_window_that_left_something_undone_breaks_the_promise(slots: list[Slot], kind: str) -> None:
    slots = [slot._replace(total=slot.total + slot.rejected) for slot in sorted(slots)]
    found = capacity_of(Period(slots=slots), kind, default_model())
    assert found is not None
    idle = not any(slot.rejected or slot.backlog or slot.backlog is None for slot in slots)
    assert found.met is not False if idle else True
    assert (found.met is False) == (found.stands["short"] > 0)
    assert capacity_of(Period(slots=slots), "ai", default_model()) is None
