"""Any order of decisions on tickets, late ones, ticks, corrections and other hours included, keeps the ledger and its tables right."""

from __future__ import annotations

import json
import tempfile
from datetime import datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from opsledger.app import OpsLedger
from opsledger.domain import calendar, policy, ticket
from opsledger.domain.recorded import Recorded
from opsledger.errors import BadInput, Refused, Uncovered
from opsledger.policies import documents
from opsledger.policies.instants import at, moment
from opsledger.policies.operating_model import default_calendars, default_model
from opsledger.policies.support import Priority
from opsledger.testing.plugin import Clock
from opsledger.testing.strategies import Step, ticket_steps

IDS = ("T-1", "T-2")
LATE_S = st.sampled_from([0, 0, 0, 0, 1, 600, 5400, 86_400])  # between the act and its recording
PEOPLE = {"requested_by": "u-1", "approved_by": "u-2"}
TWO = {"proposed_by": "u-1", "approved_by": "u-2"}


class Tickets(RuleBasedStateMachine):
    """Two tickets of one ledger. Refusals are part of the game; anything else that is raised ends it."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.clock = Clock("2026-03-02T15:00:00Z")
        # Hours since 2000, as by default, would be compiled and compared anew for every publication: most of the time of this test.
        since = at("2026-01-01")
        url = f"sqlite:///{self.folder.name}/ops.db"
        self.ledger = OpsLedger.create(url, simulated=True, clock=self.clock, since=since, ledger_id="0" * 32)
        self.begun = False

    @initialize(priorities=st.tuples(*[st.sampled_from(Priority)] * 2), channel=st.sampled_from(["email", "chat"]))
    def register(self, priorities: tuple[Priority, ...], channel: str) -> None:
        asked = {"customer_id": "C-1", "requester_id": "p-1", "channel": channel, "summary": "It is broken"}
        for id, priority in zip(IDS, priorities, strict=True):
            self.act(id, 0, (ticket.register, {**asked, "priority": priority}))
            self.clock.forward(minutes=1)
        self.begun = True

    def act(self, id: str, late_s: int, step: Step) -> None:
        """Take a decision; one that refuses leaves nothing behind."""
        before = self.ledger.store.head().position
        decision, arguments = step
        try:
            self.ledger.by("u-7", role="support", at=self.clock.now - timedelta(seconds=late_s)).record(decision, id, **arguments)
        except (Refused, Uncovered):
            assert self.ledger.store.head().position == before

    @rule(id=st.sampled_from(IDS), minutes=st.integers(0, 300), late_s=LATE_S, steps=st.lists(ticket_steps(), min_size=1, max_size=4))
    def decide(self, id: str, minutes: int, late_s: int, steps: list[Step]) -> None:
        self.clock.forward(minutes=minutes)
        for step in steps:
            self.act(id, late_s, step)

    @rule(id=st.sampled_from(IDS))
    def merge(self, id: str) -> None:
        (other,) = set(IDS) - {id}
        self.act(id, 0, (ticket.merge, {"into_id": other, "into": self.ledger.state(ticket.Ticket, other)}))

    @rule(hours=st.integers(0, 30))
    def tick(self, hours: int) -> None:
        self.clock.forward(hours=hours)
        assert self.ledger.tick().failed == 0
        assert self.ledger.tick().deadlines == 0

    @rule(data=st.data(), id=st.sampled_from(IDS), earlier_s=st.integers(0, 20_000))
    def correct_a_time(self, data: st.DataObject, id: str, earlier_s: int) -> None:
        history = self.ledger.history(f"ticket:{id}")
        recorded: Recorded = data.draw(st.sampled_from(history))
        was = corrected_time(history, recorded)
        arguments = {
            "corrects": recorded.position,
            "was": was,
            "to": was - timedelta(seconds=earlier_s),
            "reason": "A typing error",
            **PEOPLE,
        }
        self.act(id, 0, (ticket.correct_time, arguments))

    @rule(open_from=st.integers(0, 20), holiday_in=st.integers(-3, 3), retroactive_h=st.sampled_from([0, 0, 24, 72]))
    def publish_hours(self, open_from: int, holiday_in: int, retroactive_h: int) -> None:
        arguments = {"definition": self.hours(open_from, holiday_in), "reason": "as agreed", **TWO}
        arguments["effective_from"] = self.clock.now - timedelta(hours=retroactive_h)
        self.act("business", 0, (calendar.publish, arguments))

    @rule(data=st.data(), open_from=st.integers(0, 20), holiday_in=st.integers(-3, 3))
    def correct_hours(self, data: st.DataObject, open_from: int, holiday_in: int) -> None:
        versions = self.ledger.known.versions("business")
        position = data.draw(st.sampled_from([version.position for version in versions]))
        arguments = {"corrects": position, "definition": self.hours(open_from, holiday_in), "reason": "it was so", **PEOPLE}
        self.act("business", 0, (calendar.correct, arguments))

    def hours(self, open_from: int, holiday_in: int) -> str:
        document = json.loads(documents.canonical(default_calendars()["business"]))
        spans = [[f"{open_from:02d}:00", f"{open_from + 8:02d}:00"]]
        document["weekly"] = dict.fromkeys(document["weekly"], spans)
        document["holidays"] = [(self.clock.now + timedelta(days=holiday_in)).date().isoformat()]
        return json.dumps(document)

    @rule(minutes=st.integers(1, 90), metric=st.sampled_from(["first_response", "next_response", "resolution"]))
    def publish_a_model(self, minutes: int, metric: str) -> None:
        document = json.loads(documents.canonical(default_model()))
        for tier in document["support"]["tiers"].values():
            tier["targets"][metric] = {"within": f"{minutes * (20 if metric == 'resolution' else 1)} min", "calendar": "business"}
        try:
            self.ledger.by("u-1").record(policy.publish, policy.NAME, document=json.dumps(document), **TWO)
        except BadInput as contradiction:
            assert "takes longer than the resolution" in contradiction.sentence  # any other is a defect

    @rule(data=st.data(), id=st.sampled_from(IDS))
    def reassign(self, data: st.DataObject, id: str) -> None:
        ref = data.draw(st.sampled_from([model.ref for model in self.ledger.known.models()]))
        self.act(id, 0, (ticket.reassign_policy, {"policy": ref, "reason": "as agreed", **PEOPLE}))

    @rule()
    def catch_up(self) -> None:
        self.ledger.catch_up()

    @invariant()
    @precondition(lambda self: self.begun)
    def versions_have_no_gaps(self) -> None:
        for id in IDS:
            versions = [recorded.version for recorded in self.ledger.history(f"ticket:{id}")]
            assert versions == list(range(1, len(versions) + 1))

    def teardown(self) -> None:
        try:
            if self.begun:
                self.check_the_tables()
        finally:
            self.ledger.close()
            self.folder.cleanup()

    def check_the_tables(self) -> None:
        """Rows are those of a rebuild, every verdict adds up from its segments, and the log itself says the same."""
        self.ledger.catch_up()
        assert [(each.table, each.rows) for each in self.ledger.tables.rebuild() if each.rows] == []
        select = self.ledger.tables.select
        assert len(select("audit_trail")) == self.ledger.store.head().position
        segments = select("ticket_sla_segment")
        for row in select("ticket_sla"):
            which = [part for part in segments if all(part[key] == row[key] for key in ("ticket_id", "metric", "cycle"))]
            lengths = {kind: sum(part["length_us"] for part in which if part["kind"] == kind) for kind in ("counted", "paused")}
            assert (lengths["counted"], lengths["paused"]) == (row["elapsed_us"], row["paused_us"])
            if row["outcome"] in ("met", "breached") and row["target_s"] is not None and row["earlier_breach_at"] is None:
                assert (row["outcome"] == "breached") == (row["elapsed_us"] > row["target_s"] * 1_000_000)
        for id in IDS:
            promised = {(each.metric, each.cycle): each for each in self.ledger.promises(f"ticket:{id}")}
            rows = {(row["metric"], row["cycle"]): row for row in select("ticket_sla", ticket_id=id) if row["purpose"] == "promise"}
            assert promised.keys() == rows.keys()
            for key, row in rows.items():
                ours = promised[key]
                assert (row["started_at"], row["stopped_at"]) == (ours.started_at, ours.stopped_at)
                # Hours that change after a clock ended without a verdict do not reach it any more.
                assert row["target_s"] == ours.target_s or row["outcome"] == "cancelled"


def corrected_time(history: list[Recorded], recorded: Recorded) -> datetime:
    """Return when a fact happened as far as is known: what the newest correction says, else what it says itself."""
    found = moment(recorded.occurred_at)
    for each in history:
        if isinstance(each.fact, ticket.TimeCorrected) and each.fact.corrects == recorded.position:
            found = each.fact.now
    return found


TestTickets = Tickets.TestCase
TestTickets.settings = settings(max_examples=12, stateful_step_count=25)
