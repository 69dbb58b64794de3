"""Any order of decisions on incidents, late ones and corrections included, keeps versions gapless and live rows equal to rebuilt rows."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from opsledger.app import OpsLedger
from opsledger.domain import incident
from opsledger.domain.concept import concepts
from opsledger.errors import Refused
from opsledger.testing.plugin import Clock
from opsledger.testing.strategies import Step, incident_steps

IDS = ("INC-1", "INC-2")
SEVERITIES = st.sampled_from(incident.SEVERITIES)
DELAYS = st.sampled_from([0, 0, 0, 1, 20, 90, 600])  # minutes between the act and its recording


class Incidents(RuleBasedStateMachine):
    """Two incidents of one ledger. Refusals are part of the game; anything else that is raised ends it."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.clock = Clock("2026-03-02T10:00:00Z")
        self.ledger = OpsLedger.create(f"sqlite:///{self.folder.name}/ops.db", simulated=True, clock=self.clock, ledger_id="0" * 32)
        self.versions = dict.fromkeys(IDS, 0)

    @initialize(severity=SEVERITIES, impact=st.sampled_from([None, 10, 200]), services=st.sampled_from([(), ("api",), ("api", "web")]))
    def declare(self, severity: incident.Severity, impact: int | None, services: tuple[str, ...]) -> None:
        for id in IDS:
            started = None if impact is None else self.clock.now - timedelta(minutes=impact)
            given = {"severity": severity, "impact_started_at": started, "services": services}
            self.act(id, 0, incident.declare, {**given, "detection_source": "monitoring", "title": "It is down"})

    @rule(id=st.sampled_from(IDS), minutes=st.integers(0, 60), delay=DELAYS, steps=st.lists(incident_steps(), min_size=1, max_size=3))
    def decide(self, id: str, minutes: int, delay: int, steps: list[Step]) -> None:
        self.clock.forward(minutes=minutes)
        for step in steps:
            self.act(id, delay, *step)

    @rule(id=st.sampled_from(IDS), minutes=st.integers(0, 300), delay=DELAYS)
    def state_impact(self, id: str, minutes: int, delay: int) -> None:
        self.act(id, delay, incident.state_impact, {"impact_started_at": self.clock.now - timedelta(minutes=minutes)})

    @rule(data=st.data(), id=st.sampled_from(IDS), minutes=st.integers(0, 600), delay=DELAYS)
    def correct(self, data: st.DataObject, id: str, minutes: int, delay: int) -> None:
        row = data.draw(st.sampled_from(self.rows("incident_milestone", id)))
        people = {"requested_by": "u-7", "approved_by": "u-8", "reason": "The log says so"}
        which = {"corrects": row["stated_position"], "milestone": row["milestone"], "was": row["at"]}
        self.act(id, delay, incident.correct_milestone, {**which, "to": self.clock.now - timedelta(minutes=minutes), **people})

    @rule()
    def catch_up(self) -> None:
        self.ledger.catch_up()

    @invariant()
    @precondition(lambda self: self.versions["INC-2"] > 0)
    def versions_have_no_gaps(self) -> None:
        for id, version in self.versions.items():
            assert [recorded.version for recorded in self.ledger.history(f"incident:{id}")] == list(range(1, version + 1))

    def teardown(self) -> None:
        try:
            if self.versions["INC-2"]:
                self.check_the_rows()
        finally:
            self.ledger.close()
            self.folder.cleanup()

    def check_the_rows(self) -> None:
        differences = [(each.table, each.keys) for each in self.ledger.tables.rebuild() if each.rows]
        assert differences == []
        for id in IDS:
            (row,) = self.rows("incident", id)
            history = self.ledger.history(f"incident:{id}")
            assert row["last_position"] == history[-1].position
            assert row["reopen_count"] == sum(isinstance(recorded.fact, incident.Reopened) for recorded in history)
            assert (row["status"] in ("resolved", "closed")) == (row["resolved_at"] is not None or row["closed_at"] is not None)
            assert (row["ttr_s"] is None) == (row["resolved_at"] is None or row["impact_started_at"] is None)
            assert row["open_s"] is None or 0 <= row["open_s"] <= row["ttr_s"]
            ends = [row["to_at"] for row in self.rows("incident_interval", id)]
            assert ends.count(None) == 1
            assert self.ledger.state(incident.Incident, id) == concepts()["incident"].fold(history)

    def act(self, id: str, delay: int, decision: Callable[..., Any], arguments: dict[str, Any]) -> None:
        when = self.clock.now - timedelta(minutes=delay)
        try:
            receipt = self.ledger.by("u-7", role="sre", at=when).record(decision, id, **arguments)
        except Refused:
            return
        assert receipt.version == self.versions[id] + len(receipt.facts)
        self.versions[id] = receipt.version

    def rows(self, table: str, id: str) -> list[dict[str, Any]]:
        return self.ledger.tables.select(table, at_least=self.ledger.store.head().position, incident_id=id)


TestIncidents = Incidents.TestCase
TestIncidents.settings = settings(max_examples=10, stateful_step_count=30, deadline=None)
