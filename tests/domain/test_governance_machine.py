"""Any order of publications, corrections, extensions, ticks and imports keeps what is known, and what tables show, the same anew.

Policies, calendars, imports and the ledger itself are played together, with tickets whose promises depend on them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from opsledger.app import OpsLedger, Taken
from opsledger.app.governing import Governing
from opsledger.domain import calendar, imports, policy, ticket
from opsledger.errors import OpsledgerError, Refused, Uncovered
from opsledger.policies import documents
from opsledger.policies.calendar import CalendarDefinition
from opsledger.policies.instants import micros, moment
from opsledger.policies.operating_model import default_calendars, default_model
from opsledger.policies.support import Priority
from opsledger.testing.plugin import Clock

NAMES = st.sampled_from(["business", "business", "night"])
PEOPLE = st.sampled_from([*[("u-1", "u-2"), ("u-2", "u-1")] * 3, ("u-1", "u-1")])
HOURS = {
    "as it is": {},
    "a holiday": {"holidays": (date(2026, 3, 4),)},
    "two holidays": {"holidays": (date(2026, 3, 3), date(2026, 3, 5))},
}
DEFINITIONS = st.sampled_from(list(reversed(HOURS)))
TARGETS = st.sampled_from(["1 h", "45 min", "2 h"])
REASONS = st.sampled_from(["The market asks for it", "The office moved", "It was agreed", ""])
SHIFTS = st.sampled_from([None, -3000, -60, 0, 60, 3000])  # minutes between now and the time from which it holds


class Governance(RuleBasedStateMachine):
    """One ledger with two tickets. Refusals are part of the game; anything else that is raised ends it."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.clock = Clock("2026-03-02T10:00:00Z")
        self.ledger = OpsLedger.create(f"sqlite:///{self.folder.name}/ops.db", simulated=True, clock=self.clock, ledger_id="0" * 32)
        self.refused = self.runs = 0
        for id, priority in (("T-1", Priority.HIGH), ("T-2", Priority.LOW)):
            given = {"customer_id": "C-1", "requester_id": "p-1", "channel": "email", "priority": priority, "summary": "It is broken"}
            self.act(ticket.register, id, given)

    @rule(minutes=st.sampled_from([1, 30, 600, 3000]))
    def time_passes(self, minutes: int) -> None:
        self.clock.forward(minutes=minutes)

    @rule(name=NAMES, hours=DEFINITIONS, people=PEOPLE, shift=SHIFTS, reason=REASONS)
    def publish_hours(self, name: str, hours: str, people: tuple[str, str], shift: int | None, reason: str) -> None:
        given = {"definition": definition(hours), "effective_from": self.shifted(shift), "reason": reason}
        before = self.ledger.known.versions(name)
        facts = self.act(calendar.publish, name, {**given, "proposed_by": people[0], "approved_by": people[1]})
        assert not facts or people[0] != people[1], "nobody approves what they propose"
        assert len(self.ledger.known.versions(name)) == len(before) + len(facts)

    @rule(data=st.data(), name=NAMES, hours=DEFINITIONS, people=PEOPLE)
    def correct_hours(self, data: st.DataObject, name: str, hours: str, people: tuple[str, str]) -> None:
        versions = self.ledger.known.versions(name)
        position = data.draw(st.sampled_from([*(version.position for version in versions), 1]))
        given = {"corrects": position, "definition": definition(hours), "reason": "It was a holiday"}
        if self.act(calendar.correct, name, {**given, "requested_by": people[0], "approved_by": people[1]}):
            assert position in {version.position for version in versions}
            assert len(self.ledger.known.versions(name)) == len(versions), "a correction makes no version"

    @rule(name=NAMES, years=st.sampled_from([2, 11, 30, 0, 200]))
    def extend_hours(self, name: str, years: int) -> None:
        ends = [version.compiled.end for version in self.ledger.known.versions(name)]
        facts = self.act(calendar.extend, name, {"horizon_years": years})
        assert all(version.compiled.end >= end for version, end in zip(self.ledger.known.versions(name), ends, strict=True))
        assert not facts or 1 <= years <= 100

    @rule(within=TARGETS, people=PEOPLE, shift=SHIFTS, reason=REASONS)
    def publish_model(self, within: str, people: tuple[str, str], shift: int | None, reason: str) -> None:
        document = documents.canonical(default_model()).replace('"within":"1 h"', f'"within":"{within}"')
        given = {"document": document, "effective_from": self.shifted(shift), "reason": reason}
        before = self.ledger.known.models()
        facts = self.act(policy.publish, policy.NAME, {**given, "proposed_by": people[0], "approved_by": people[1]})
        assert not facts or people[0] != people[1], "nobody approves what they propose"
        assert [fact.version for fact in facts] == [len(before) + 1][: len(facts)]

    @rule(id=st.sampled_from(["T-1", "T-2"]), step=st.sampled_from([ticket.respond, ticket.resolve, ticket.reopen]))
    def work(self, id: str, step: Callable[..., Any]) -> None:
        self.act(step, id, {})

    @rule(data=st.data(), id=st.sampled_from(["T-1", "T-2"]), people=PEOPLE)
    def judge_by_another_model(self, data: st.DataObject, id: str, people: tuple[str, str]) -> None:
        model = data.draw(st.sampled_from(list(reversed(self.ledger.known.models()))))
        given = {"policy": model.ref, "reason": "The contract says so", "requested_by": people[0], "approved_by": people[1]}
        self.act(ticket.reassign_policy, id, given)

    @rule()
    def tick(self) -> None:
        self.ledger.tick()
        assert self.ledger.tick().deadlines == 0, "a second look at the same instant sees nothing new"

    @rule(rows=st.integers(0, 3), finished=st.booleans())
    def import_something(self, rows: int, finished: bool) -> None:
        run = f"elsewhere/{self.runs}"
        self.runs += 1
        given = {"source": "elsewhere", "file_name": "log.csv", "sha256": "0" * 64, "zone": "UTC", "rows": rows}
        assert self.act(imports.start, run, given)
        assert not self.act(imports.start, run, given), "a run starts once"
        bad = [imports.RowQuarantined(quarantined_at=self.clock.now, row=2 + i, reason="malformed") for i in range(rows)]
        end = imports.Finished(finished_at=self.clock.now, rows=rows, new=0, known=0, changed=0, quarantined=rows, facts=0)
        facts: list[Any] = [*bad, end] if finished else bad
        taken = [Taken(f"{run}#{i}", ((f"import:{run}", fact),)) for i, fact in enumerate(facts)]
        if taken:
            self.ledger.by("importer").observe(taken, source="elsewhere/runs")
            assert self.ledger.by("importer").observe(taken, source="elsewhere/runs").new == 0
        assert self.ledger.state(imports.Import, run).finished == finished

    @rule()
    def catch_up(self) -> None:
        self.ledger.catch_up()

    @invariant()
    def what_is_known_is_what_one_who_just_came_would_know(self) -> None:
        ours, fresh = self.ledger.known, Governing(self.ledger.store).known
        assert ours.position == fresh.position
        assert ours.models() == fresh.models()
        assert ours.calendars() == fresh.calendars()
        for name in ours.calendars():
            assert ours.versions(name) == fresh.versions(name)
            assert ours.calendar(name).open_spans() == fresh.calendar(name).open_spans()

    def teardown(self) -> None:
        try:
            self.ledger.catch_up()
            assert [(each.table, each.keys) for each in self.ledger.tables.rebuild() if each.rows] == []
            stored = self.ledger.tables.select("calendar")
            assert {row["calendar_id"] for row in stored} == set(self.ledger.known.calendars())
            for concept in ("policy:", "calendar:", "import:", "ledger:"):
                for stream, version in self.ledger.store.heads_within(concept).items():
                    assert [recorded.version for recorded in self.ledger.history(stream)] == list(range(1, version + 1))
        finally:
            self.ledger.close()
            self.folder.cleanup()

    def act(self, decision: Callable[..., Any], id: str, given: dict[str, Any]) -> tuple[Any, ...]:
        """Return what was recorded; nothing where it was refused, and then the ledger stands where it stood."""
        head = self.ledger.store.head()
        try:
            return tuple(self.ledger.by("u-7").record(decision, id, **given).facts)
        except (Refused, Uncovered) as error:
            assert error.sentence.endswith("."), error.sentence
        except OpsledgerError as error:
            assert error.code in ("calendar.unknown", "policy.unchanged"), error.sentence
        assert self.ledger.store.head() == head
        return ()

    def shifted(self, minutes: int | None) -> datetime | None:
        return None if minutes is None else moment(micros(self.clock.now)) + timedelta(minutes=minutes)


def definition(hours: str) -> str:
    known = default_calendars()["business"].model_dump(mode="json")
    return documents.canonical(CalendarDefinition.model_validate({**known, **{k: [str(d) for d in v] for k, v in HOURS[hours].items()}}))


TestGovernance = Governance.TestCase
TestGovernance.settings = settings(max_examples=6, stateful_step_count=30, deadline=None)
