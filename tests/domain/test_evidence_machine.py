"""Any order of work, closes, restatements and reviews keeps versions gapless, closes computable, and rows equal to rebuilt ones.

Tickets whose answers are typed in late change what a closed month says; people who took part try to review what they did.
"""

from __future__ import annotations

import tempfile
from datetime import timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from opsledger.app import OpsLedger
from opsledger.domain import audit_trail, period, ticket
from opsledger.errors import BadInput, Refused, Unknown
from opsledger.policies.instants import at
from opsledger.policies.support import Priority
from opsledger.replay.verify import verify
from opsledger.testing.plugin import Clock

PEOPLE = st.sampled_from(["u-1", "u-2", "u-3", "u-4"])
TABLES = st.sampled_from(["sla_compliance", "sla_compliance", "incident_kpi_month"])
PERIODS = st.sampled_from(["2026-03", "2026-03", "2026-03", "2026-04"])


class Evidence(RuleBasedStateMachine):
    """One ledger with three tickets. Refusals are part of the game; anything else that is raised ends it."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.clock = Clock("2026-03-20T10:00:00Z")
        url = f"sqlite:///{self.folder.name}/ops.db"
        self.ledger = OpsLedger.create(url, simulated=True, clock=self.clock, since=at("2026-01-01"), ledger_id="0" * 32)

    @initialize()
    def three_tickets_come_in(self) -> None:
        for id, priority in (("T-1", Priority.HIGH), ("T-2", Priority.LOW), ("T-3", Priority.MEDIUM)):
            person = {"customer_id": "C-1", "requester_id": "p-1", "channel": "email", "summary": None}
            self.ledger.by("u-1").record(ticket.register, id, priority=priority, **person)
        self.clock.set("2026-04-02T10:00:00Z")
        self.ledger.tick()

    @rule(days=st.sampled_from([1, 5, 12, 30]))
    def time_passes(self, days: int) -> None:
        self.clock.forward(days=days)
        self.ledger.tick()

    @rule(id=st.sampled_from(["T-1", "T-2", "T-3"]), who=PEOPLE, hours=st.integers(0, 24 * 20))
    def an_answer_is_typed_in(self, id: str, who: str, hours: int) -> None:
        self.act(lambda: self.ledger.by(who, at=self.clock.now - timedelta(hours=hours)).record(ticket.respond, id))

    @rule(table=TABLES, month=PERIODS, people=st.permutations(["u-1", "u-2", "u-3"]), alone=st.integers(0, 5), fitting=st.integers(0, 5))
    def a_period_is_closed_or_restated(self, table: str, month: str, people: list[str], alone: int, fitting: int) -> None:
        before = len(self.closes(table, month))
        people = people if alone < 5 else [people[0]] * 2
        reason = "It was typed in late" if bool(before) == (fitting < 5) else ""
        made = self.act(lambda: self.ledger.close_period(table, month, proposed_by=people[0], approved_by=people[1], reason=reason))
        for fact in made:
            assert people[0] != people[1]
            assert isinstance(fact, period.Restated if reason else period.Closed) and bool(before) == bool(reason)
            assert fact.digest == period.digest(fact.frozen)

    @rule(who=PEOPLE, newest=st.booleans(), first=st.integers(1, 12), length=st.integers(0, 8))
    def somebody_reviews(self, who: str, newest: bool, first: int, length: int) -> None:
        given: dict[str, Any] = {} if newest else {"first": first, "last": first + length}
        for fact in self.act(lambda: self.ledger.review_audit_trail(who, findings=0, conclusion="In order", **given)):
            assert isinstance(fact, audit_trail.Reviewed)
            rows = self.ledger.store.page(fact.first - 1, fact.last - fact.first + 1)
            assert who not in {row.recorded_by for row in rows if not row.stream.startswith("audit_trail:")}

    @rule()
    def the_tables_catch_up(self) -> None:
        self.ledger.catch_up()

    @invariant()
    def versions_have_no_gaps(self) -> None:
        for prefix in ("period:", "audit_trail:"):
            for stream, version in self.ledger.store.heads_within(prefix).items():
                assert [recorded.version for recorded in self.ledger.history(stream)] == list(range(1, version + 1))

    def teardown(self) -> None:
        try:
            self.ledger.catch_up()
            assert [(each.table, each.keys) for each in self.ledger.tables.rebuild() if each.rows] == []
            report = verify(self.ledger.store, self.ledger.tables.tables, checks=("closes", "fold"))
            assert report.code == 0, "\n".join(report.lines())
            assert len(self.ledger.tables.select("period_close")) == report.checks[-1].looked_at["closes"]
        finally:
            self.ledger.close()
            self.folder.cleanup()

    def closes(self, table: str, month: str) -> list[Any]:
        stream = f"period:{table}/{month}"
        return self.ledger.history(stream) if self.ledger.store.heads([stream]) else []

    def act(self, doing: Any) -> tuple[Any, ...]:
        """Return what was recorded; nothing where it was refused, and then the ledger stands where it stood."""
        head = self.ledger.store.head()
        try:
            return tuple(doing().facts)
        except (Refused, BadInput, Unknown) as error:
            assert error.sentence.endswith("."), error.sentence
        assert self.ledger.store.head() == head
        return ()


TestEvidence = Evidence.TestCase
TestEvidence.settings = settings(max_examples=10, stateful_step_count=25, deadline=None)
