"""Any order of what happens around a service, late facts and corrections included, keeps live rows equal to rebuilt rows."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from availability_acts import LOCATIONS, live_is_rebuilt, reclassify, run
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from opsledger.app import OpsLedger
from opsledger.domain import incident, maintenance, probe, slo
from opsledger.errors import Refused
from opsledger.testing import at
from opsledger.testing.plugin import Clock

STATES: list[probe.State] = ["up", "degraded", "down", "unknown"]
MINUTES = st.integers(0, 4 * 24 * 60)


class Service(RuleBasedStateMachine):
    """A platform around the end of March. Refusals are part of the game; anything else that is raised ends it."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.clock = Clock("2026-03-29T00:00:00Z")
        self.ledger = OpsLedger.create(f"sqlite:///{self.folder.name}/ops.db", simulated=True, clock=self.clock, ledger_id="0" * 32)
        self.number = 0

    @initialize(measured_by=st.sampled_from(["probes", "incidents", "both"]), silent_after_s=st.sampled_from([None, 36_000]))
    def begin(self, measured_by: slo.MeasuredBy, silent_after_s: int | None) -> None:
        run(self.ledger, measured_by=measured_by, silent_after_s=silent_after_s, since="2026-03-27T00:00:00Z")

    @rule(location=st.sampled_from(LOCATIONS), late=MINUTES, state=st.sampled_from(STATES))
    def see(self, location: str, late: int, state: probe.State) -> None:
        when = self.clock.now - timedelta(minutes=late)
        id = probe.stream_of("platform", location, when).partition(":")[2]
        self.act(late, probe.report, id, service_id="platform", location=location, state=state)

    @rule(location=st.sampled_from(LOCATIONS), late=MINUTES, length=st.integers(1, 3000))
    def cover(self, location: str, late: int, length: int) -> None:
        until = self.clock.now - timedelta(minutes=late)
        id = probe.stream_of("platform", location, until).partition(":")[2]
        self.act(late, probe.cover, id, service_id="platform", location=location, covered_from=until - timedelta(minutes=length))

    @rule(data=st.data(), to=st.sampled_from(STATES))
    def correct(self, data: st.DataObject, to: probe.State) -> None:
        location = data.draw(st.sampled_from(LOCATIONS))
        said = [each for each in self.ledger.history(f"probe:platform@{location}/2026-03") if isinstance(each.fact, probe.StateChanged)]
        if said:
            wrong = data.draw(st.sampled_from(said))
            people = {"reason": "A false alarm", "requested_by": "u-7", "approved_by": "u-8"}
            which = {"corrects": wrong.position, "was": wrong.fact.state, "to": to}
            self.act(0, probe.correct_state, f"platform@{location}/2026-03", **which, **people)

    @rule(late=MINUTES, severity=st.sampled_from(incident.SEVERITIES))
    def declare(self, late: int, severity: incident.Severity) -> None:
        self.number += 1
        given = {"detection_source": "monitoring", "severity": severity, "title": "It is down", "services": ("platform",)}
        self.act(late, incident.declare, f"INC-{self.number}", **given)

    @rule(late=MINUTES, decision=st.sampled_from([incident.resolve, incident.reopen]))
    def end(self, late: int, decision: Callable[..., Any]) -> None:
        if self.number:
            self.act(late, decision, f"INC-{self.number}")

    @rule(data=st.data(), late=MINUTES, length=st.integers(1, 300))
    def maintain(self, data: st.DataObject, late: int, length: int) -> None:
        id, start = f"M-{data.draw(st.integers(1, 2))}", self.clock.now
        asked = {"services": ("platform",), "title": "Disks", "start_at": start, "end_at": start + timedelta(minutes=length)}
        self.act(late, maintenance.schedule, id, **asked)
        for decision in data.draw(st.permutations([maintenance.start, maintenance.complete, maintenance.cancel])):
            self.act(data.draw(MINUTES), decision, id)
        self.act(data.draw(MINUTES), maintenance.notify, id, audience="customers", channel="email")

    @rule(late=MINUTES, length=st.integers(1, 300), to=st.sampled_from([*STATES, "excluded"]))
    def reclassify(self, late: int, length: int, to: str) -> None:
        end = self.clock.now - timedelta(minutes=late)
        start = end - timedelta(minutes=length)
        reclassify(self.ledger, start.isoformat(), end.isoformat(), "down" if to != "down" else "up", to)

    @rule(hours=st.integers(1, 40))
    def go_on(self, hours: int) -> None:
        self.clock.forward(hours=hours)
        self.ledger.tick()

    @rule()
    def catch_up(self) -> None:
        self.ledger.catch_up()

    def teardown(self) -> None:
        try:
            live_is_rebuilt(self.ledger)
            for row in self.ledger.tables.select("sla_month"):
                cells = ("up_unscheduled_us", "up_scheduled_us", "down_unscheduled_us", "down_scheduled_us", "unknown_us")
                assert sum(row[name] for name in cells) == row["period_us"]
        finally:
            self.ledger.close()
            self.folder.cleanup()

    def act(self, late: int, decision: Callable[..., Any], id: str, **arguments: Any) -> None:
        when = max(at("2026-03-20T00:00:00Z"), self.clock.now - timedelta(minutes=late))
        try:
            self.ledger.by("u-7", role="sre", at=when).record(decision, id, **arguments)
        except Refused:
            return


TestService = Service.TestCase
TestService.settings = settings(max_examples=12, stateful_step_count=25, deadline=None)
