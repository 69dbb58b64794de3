"""Any order of decisions on changes and a freeze, late ones and corrections included: gapless versions, live rows equal to rebuilt ones."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from opsledger.app import OpsLedger
from opsledger.app.changes import schedule_change
from opsledger.domain import change, freeze
from opsledger.domain.concept import concepts
from opsledger.errors import Refused
from opsledger.policies.change_control import Approval
from opsledger.testing.plugin import Clock

IDS = ("CHG-1", "CHG-2")
PEOPLE = st.sampled_from(["u-1", "u-2", "u-3"])
ROLES = st.sampled_from(["cto", "manager"])
DELAYS = st.sampled_from([0, 0, 0, 1, 20, 90, 600])  # minutes between the act and its recording
NOTHING: dict[str, st.SearchStrategy[Any]] = {}
OFTEN: list[tuple[Callable[..., Any], dict[str, st.SearchStrategy[Any]]]] = [
    (change.assess, {"impact": st.just("low"), "risk": st.sampled_from(["low", "high"]), "backout_planned": st.booleans()}),
    (change.approve, {"in_role": ROLES}),
    (change.approve, {"in_role": ROLES}),
    (change.start, {"already_happened": st.booleans()}),
    (change.complete, {"outcome": st.sampled_from(["successful", "partially", "failed"])}),
    (change.review, NOTHING),
]
SELDOM: list[tuple[Callable[..., Any], dict[str, st.SearchStrategy[Any]]]] = [
    (change.reject, {"reason": st.just("Not now")}),
    (change.sign_off, {"in_role": ROLES}),
    (change.communicate, {"audience": st.just("internal")}),
    (change.verify, {"holds": st.booleans()}),
    (change.back_out, {"restored": st.booleans()}),
    (change.close, NOTHING),
    (change.cancel, NOTHING),
]
STEPS = st.sampled_from([*OFTEN, *OFTEN, *SELDOM]).flatmap(lambda step: st.tuples(st.just(step[0]), st.fixed_dictionaries(step[1])))


class Changes(RuleBasedStateMachine):
    """Two changes and a freeze of one ledger. Refusals are part of the game; anything else that is raised ends it."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.clock = Clock("2026-03-02T10:00:00Z")
        self.ledger = OpsLedger.create(f"sqlite:///{self.folder.name}/ops.db", simulated=True, clock=self.clock, ledger_id="0" * 32)
        self.versions = dict.fromkeys([*(f"change:{id}" for id in IDS), "freeze:F-1"], 0)

    @initialize(categories=st.tuples(*[st.sampled_from(change.CATEGORIES)] * 2), who=PEOPLE)
    def request(self, categories: tuple[change.Category, ...], who: str) -> None:
        for id, category in zip(IDS, categories, strict=True):
            self.act(f"change:{id}", who, 0, change.request, {"category": category, "title": "It", "ci_ids": ("api",)})

    @rule(id=st.sampled_from(IDS), who=PEOPLE, minutes=st.integers(0, 3000), delay=DELAYS, steps=st.lists(STEPS, min_size=1, max_size=3))
    def decide(self, id: str, who: str, minutes: int, delay: int, steps: list[tuple[Callable[..., Any], dict[str, Any]]]) -> None:
        self.clock.forward(minutes=minutes)
        for step in steps:
            self.act(f"change:{id}", who, delay, *step)

    @rule(id=st.sampled_from(IDS), who=PEOPLE, begins=st.integers(-60, 120), lasts=st.integers(0, 120))
    def schedule(self, id: str, who: str, begins: int, lasts: int) -> None:
        starts_at = self.clock.now + timedelta(minutes=begins)
        window: dict[str, Any] = {"starts_at": starts_at, "ends_at": starts_at + timedelta(minutes=lasts)}
        try:
            receipt = schedule_change(self.ledger, id, by=who, assignee_id=who, **window)
        except Refused:
            return
        self.versions[f"change:{id}"] += len(receipt.facts)

    @rule(
        who=PEOPLE,
        begins=st.integers(-60, 60),
        lasts=st.integers(1, 600),
        delay=DELAYS,
        what=st.sampled_from(["declare", "change", "lift"]),
    )
    def hold(self, who: str, begins: int, lasts: int, delay: int, what: str) -> None:
        starts_at = self.clock.now + timedelta(minutes=begins)
        window: dict[str, Any] = {"starts_at": starts_at, "ends_at": starts_at + timedelta(minutes=lasts)}
        two: dict[str, Any] = {"requested_by": who, "approved_by": "u-2"}
        arguments = {"declare": window, "change": {**window, **two}, "lift": two}[what]
        if what == "declare" or self.versions["freeze:F-1"]:
            self.act("freeze:F-1", who, delay, getattr(freeze, what), {**arguments, "reason": "The holidays"})

    @rule(data=st.data(), id=st.sampled_from(IDS), minutes=st.integers(0, 600))
    def correct(self, data: st.DataObject, id: str, minutes: int) -> None:
        told = data.draw(st.sampled_from(self.ledger.history(f"change:{id}")))
        people = {"requested_by": "u-7", "approved_by": "u-8", "reason": "The log says so"}
        was = getattr(told.fact, {"started": "started_at", "completed": "completed_at"}.get(told.topic.partition(".")[2], ""), None)
        if was is not None:
            which = {"corrects": told.position, "was": was, "to": self.clock.now - timedelta(minutes=minutes)}
            self.act(f"change:{id}", "u-8", 0, change.correct_time, {**which, **people})

    @rule()
    def catch_up(self) -> None:
        self.ledger.catch_up()

    @invariant()
    @precondition(lambda self: self.versions["change:CHG-2"] > 0)
    def versions_have_no_gaps(self) -> None:
        for stream, version in self.versions.items():
            if version:
                assert [recorded.version for recorded in self.ledger.history(stream)] == list(range(1, version + 1))

    @invariant()
    @precondition(lambda self: self.versions["change:CHG-2"] > 0)
    def nobody_approved_what_they_asked_for(self) -> None:
        for id in IDS:
            held = self.ledger.state(change.Change, id)
            assert held.requested_by not in {approval.by for _, approval in held.approvals}
            assert not held.authorised or held.category == "normal" or held.standing
            if held.authorised and held.category == "emergency":
                assert "cto" in {approval.role for approval in held.standing}
            assert all(isinstance(approval, Approval) for approval in held.standing)

    def teardown(self) -> None:
        try:
            if self.versions["change:CHG-2"]:
                self.check_the_rows()
        finally:
            self.ledger.close()
            self.folder.cleanup()

    def check_the_rows(self) -> None:
        differences = [(each.table, each.keys) for each in self.ledger.tables.rebuild() if each.rows]
        assert differences == []
        for id in IDS:
            (row,) = self.rows("change", change_id=id)
            history = self.ledger.history(f"change:{id}")
            assert row["last_position"] == history[-1].position
            assert (row["approval_before_start"] is None) == (row["started_at"] is None)
            assert row["approvals"] <= len(self.rows("change_approval", change_id=id, word="approved"))
            assert self.ledger.state(change.Change, id) == concepts()["change"].fold(history)
            found = {each["control"] for each in self.rows("control_watch", subject=f"change:{id}")}
            assert "self_approval" not in found
            if row["approval_before_start"] is False and row["approval_due_at"] is None:
                assert "unauthorised_change" in found

    def act(self, stream: str, who: str, delay: int, decision: Callable[..., Any], arguments: dict[str, Any]) -> None:
        when = self.clock.now - timedelta(minutes=delay)
        try:
            receipt = self.ledger.by(who, role="engineer", at=when).record(decision, stream.partition(":")[2], **arguments)
        except Refused:
            return
        assert receipt.version == self.versions[stream] + len(receipt.facts)
        self.versions[stream] = receipt.version

    def rows(self, table: str, **where: Any) -> list[dict[str, Any]]:
        return self.ledger.tables.select(table, at_least=self.ledger.store.head().position, **where)


TestChanges = Changes.TestCase
TestChanges.settings = settings(max_examples=10, stateful_step_count=30, deadline=None)
