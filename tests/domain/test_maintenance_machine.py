"""Any order of decisions on windows and credits, late ones and corrections included: versions gapless, live rows equal to rebuilt rows."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from opsledger.app import OpsLedger
from opsledger.domain import credit, maintenance
from opsledger.domain.concept import concepts
from opsledger.domain.fact import fact_type
from opsledger.domain.recorded import in_business_order
from opsledger.errors import Refused
from opsledger.policies.instants import micros
from opsledger.policies.intervals import union
from opsledger.projections.maintenance.windows import fold, start, verdicts_of
from opsledger.testing import at
from opsledger.testing.plugin import Clock

WINDOWS = ("M-1", "M-2", "M-3")
SERVICES = ("api", "platform")
SLOT = at("2026-01-11T07:00:00Z")  # Sunday, 02:00 in New York
MONTH_US = 31 * 86_400_000_000


class Ledger(RuleBasedStateMachine):
    """A ledger in which things are decided. Refusals are part of the game; anything else that is raised ends it."""

    def __init__(self, began: str) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.clock = Clock(began)
        self.ledger = OpsLedger.create(f"sqlite:///{self.folder.name}/ops.db", simulated=True, clock=self.clock, ledger_id="0" * 32)
        self.versions: dict[str, int] = {}

    def act(
        self, stream: str, decision: Callable[..., Any], *, by: str = "u-7", role: str = "sre", late: int = 0, **arguments: Any
    ) -> None:
        when = self.clock.now - timedelta(hours=late)
        try:
            receipt = self.ledger.by(by, role=role, at=when).record(decision, stream.partition(":")[2], **arguments)
        except Refused:
            return
        assert receipt.version == self.versions.get(stream, 0) + len(receipt.facts)
        self.versions[stream] = receipt.version

    @rule()
    def catch_up(self) -> None:
        self.ledger.catch_up()

    @invariant()
    def versions_have_no_gaps(self) -> None:
        for stream, version in self.versions.items():
            assert [recorded.version for recorded in self.ledger.history(stream)] == list(range(1, version + 1))

    def teardown(self) -> None:
        try:
            self.ledger.catch_up()
            assert [(each.table, each.keys) for each in self.ledger.tables.rebuild() if each.rows] == []
            self.check()
        finally:
            self.ledger.close()
            self.folder.cleanup()

    def check(self) -> None:
        raise NotImplementedError


class Windows(Ledger):
    """Three windows of two services."""

    def __init__(self) -> None:
        super().__init__("2026-01-05T00:00:00Z")

    @initialize(kinds=st.tuples(*[st.sampled_from(["planned", "planned", "emergency"])] * 3), weeks=st.integers(0, 2))
    def schedule(self, kinds: tuple[maintenance.Kind, ...], weeks: int) -> None:
        for i, (id, kind) in enumerate(zip(WINDOWS, kinds, strict=True)):
            begin = SLOT + timedelta(weeks=i * weeks)
            asked = {"services": SERVICES[: 1 + i % 2], "start_at": begin, "end_at": begin + timedelta(hours=1 + i), "kind": kind}
            self.act(f"maintenance:{id}", maintenance.schedule, title="New disks", **asked)

    @rule(hours=st.sampled_from([1, 4, 20, 70, 170]))
    def wait(self, hours: int) -> None:
        self.clock.forward(hours=hours)

    @rule(id=st.sampled_from(WINDOWS), late=st.sampled_from([0, 0, 2, 30]), audience=st.sampled_from(["customers", "internal"]))
    def tell(self, id: str, late: int, audience: str) -> None:
        self.act(f"maintenance:{id}", maintenance.notify, late=late, audience=audience, channel="email")
        self.act(f"maintenance:{id}", maintenance.publish_status, late=late, audience=audience)

    @rule(id=st.sampled_from(WINDOWS), late=st.sampled_from([0, 0, 30]), hours=st.integers(0, 5), length=st.integers(0, 4))
    def move(self, id: str, late: int, hours: int, length: int) -> None:
        begin = SLOT + timedelta(hours=hours)
        self.act(f"maintenance:{id}", maintenance.reschedule, late=late, start_at=begin, end_at=begin + timedelta(hours=length))

    @rule(id=st.sampled_from(WINDOWS), late=st.sampled_from([0, 0, 2, 30]), hours=st.integers(0, 5))
    def work(self, id: str, late: int, hours: int) -> None:
        self.act(f"maintenance:{id}", maintenance.start, late=late + hours)
        self.act(f"maintenance:{id}", maintenance.complete, late=late)

    @rule(
        id=st.sampled_from(WINDOWS),
        late=st.sampled_from([0, 0, 2, 30]),
        decision=st.sampled_from([maintenance.start, maintenance.complete, maintenance.cancel, maintenance.approve_emergency]),
    )
    def decide(self, id: str, late: int, decision: Callable[..., Any]) -> None:
        self.act(f"maintenance:{id}", decision, by="u-1", role="cto", late=late)

    @rule(data=st.data(), id=st.sampled_from(WINDOWS), hours=st.integers(0, 100))
    def correct(self, data: st.DataObject, id: str, hours: int) -> None:
        said = data.draw(st.sampled_from(self.ledger.history(f"maintenance:{id}")))
        people = {"requested_by": "u-7", "approved_by": "u-8", "reason": "The log says so"}
        to = self.clock.now - timedelta(hours=hours)
        was = getattr(said.fact, fact_type(said.topic).at)
        self.act(f"maintenance:{id}", maintenance.correct_time, corrects=said.position, was=was, to=to, **people)

    def check(self) -> None:
        for service_id in SERVICES:
            rows = self.ledger.tables.select("maintenance_window", service_id=service_id)
            told = [self.told(id) for id in WINDOWS if service_id in self.scheduled(id).services]
            assert len(rows) == len(told)
            verdicts = {verdict.window_id: verdict for verdict in verdicts_of(told, self.ledger.known)}
            spans = [interval for verdict in verdicts.values() for interval in verdict.excluded]
            assert sum(high - low for low, high in spans) == sum(high - low for low, high in union(spans))
            for row in rows:
                verdict = verdicts[row["window_id"]]
                assert row["qualifies"] == (row["disqualified_by"] is None) == verdict.qualifies
                assert row["qualifies"] or row["excluded_s"] == 0
                assert row["kind"] == "planned" or not row["qualifies"]
                assert row["cap_used_s"] <= 4 * 3600
                if row["qualifies"]:
                    assert row["planned_start_at"] - row["notified_at"] >= timedelta(hours=72)
                if row["status"] == "completed" and row["counted_s"] is not None:
                    worked = micros(row["ended_at"]) - micros(row["started_at"])
                    assert row["counted_s"] <= max(0, worked) // 1_000_000
        for id in WINDOWS:
            assert self.ledger.state(maintenance.Window, id) == concepts()["maintenance"].fold(self.ledger.history(f"maintenance:{id}"))

    def scheduled(self, id: str) -> maintenance.Scheduled:
        event: maintenance.Scheduled = self.ledger.history(f"maintenance:{id}")[0].fact
        return event

    def told(self, id: str) -> Any:
        told = start(f"maintenance:{id}")
        for recorded in in_business_order(self.ledger.history(f"maintenance:{id}")):
            told = fold(told, recorded)
        return told


TERMS = credit.Terms(
    source="contract",
    tiers=(credit.Tier(below_pct=Decimal("99.9"), credit_pct=Decimal(10)), credit.Tier(below_pct=Decimal(99), credit_pct=Decimal(25))),
    rounding="half_even",
    nothing_up_to_minor=100,
    claim_needed=True,
    claim_within_s=5 * 86_400,
)
CREDITS = ("C-1/platform/2026-01", "C-2/platform/2026-01")
PEOPLE = ("u-1", "u-2", "u-3")


class Credits(Ledger):
    """The credits of two customers for one month."""

    def __init__(self) -> None:
        super().__init__("2026-02-01T00:00:00Z")

    @rule(id=st.sampled_from(CREDITS), by=st.sampled_from(PEOPLE), down_s=st.sampled_from([0, 3600, 36_000]), late=st.sampled_from([0, 9]))
    def assess(self, id: str, by: str, down_s: int, late: int) -> None:
        customer_id, service_id, month = id.split("/")
        names = {"customer_id": customer_id, "service_id": service_id, "month": month, "month_ends_at": at("2026-02-01T00:00:00Z")}
        figures = {"up_us": MONTH_US - down_s * 1_000_000, "measured_us": MONTH_US, "known_position": self.ledger.store.head().position}
        money = {"fee_minor": 99_995, "currency": "CAD", "terms": TERMS}
        self.act(f"credit:{id}", credit.assess, by=by, late=late, **names, **figures, **money)

    @rule(
        id=st.sampled_from(CREDITS),
        by=st.sampled_from(PEOPLE),
        late=st.sampled_from([0, 0, 9]),
        step=st.sampled_from(
            [
                (credit.claim, {}),
                (credit.review, {"finding": "confirmed"}),
                (credit.review, {"finding": "confirmed"}),
                (credit.review, {"finding": "contested"}),
                (credit.approve, {}),
                (credit.approve, {}),
                (credit.reject, {"reason": "Not ours"}),
                (credit.issue, {"document_id": "CN-1"}),
                (credit.issue, {"document_id": "CN-2"}),
            ]
        ),
    )
    def decide(self, id: str, by: str, late: int, step: tuple[Callable[..., Any], dict[str, Any]]) -> None:
        if f"credit:{id}" in self.versions:
            self.act(f"credit:{id}", step[0], by=by, late=late, **step[1])

    @rule(hours=st.sampled_from([1, 10, 60]))
    def wait(self, hours: int) -> None:
        self.clock.forward(hours=hours)

    def check(self) -> None:
        for id in (each for each in CREDITS if f"credit:{each}" in self.versions):
            history = self.ledger.history(f"credit:{id}")
            (row,) = self.ledger.tables.select("credit_assessment", credit_id=id)
            state = self.ledger.state(credit.Credit, id)
            assert state is not None
            issued = [recorded.fact.amount_minor for recorded in history if isinstance(recorded.fact, credit.Issued)]
            assert row["issued_minor"] == sum(issued) == state.issued_minor
            assert all(amount > 0 for amount in issued)
            assert row["amount_minor"] == state.assessment.amount_minor in (0, 10_000, 24_999)
            assert row["approved_by"] is None or row["approved_by"] not in (row["assessed_by"], row["reviewed_by"])
            assert row["approved_by"] == (state.approved and state.approved.approved_by)
            assert row["reviewed_by"] == (state.reviewed and state.reviewed.reviewed_by)
            assert row["last_position"] == history[-1].position


TestWindows = Windows.TestCase
TestWindows.settings = settings(max_examples=10, stateful_step_count=30, deadline=None)
TestCredits = Credits.TestCase
TestCredits.settings = settings(max_examples=10, stateful_step_count=30, deadline=None)
