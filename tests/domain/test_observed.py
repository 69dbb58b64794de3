"""Streams of observations: the first to be recorded begins nothing, so an earlier one that comes late counts at its own time."""

from __future__ import annotations

from pathlib import Path

from opsledger.app import OpsLedger, Taken
from opsledger.domain import probe
from opsledger.domain.recorded import business_times, until
from opsledger.policies.instants import at, micros
from opsledger.testing.plugin import Clock


def seen(hour: int, state: probe.State) -> Taken:
    instant = at(f"2026-03-14T{hour:02d}:00:00Z")
    fact = probe.StateChanged(changed_at=instant, service_id="api", location="eu", state=state)
    return Taken(f"eu-{hour}", ((probe.stream_of("api", "eu", instant), fact),))


def test_an_observation_that_comes_late_keeps_its_time_in_every_order(tmp_path: Path) -> None:
    with OpsLedger.create(f"sqlite:///{tmp_path}/ops.db", simulated=True, clock=Clock("2026-03-15T00:00:00Z")) as ledger:
        ledger.by("monitor").observe([seen(12, "up")], source="eu")
        ledger.by("monitor").observe([seen(10, "down")], source="eu")
        history = ledger.history("probe:api@eu/2026-03")
    assert business_times(history) == [micros(at("2026-03-14T12:00:00Z")), micros(at("2026-03-14T10:00:00Z"))]
    assert [each.fact.state for each in until(history, micros(at("2026-03-14T11:00:00Z")))] == ["down"]
    assert until(history, micros(at("2026-03-14T09:00:00Z"))) == []
