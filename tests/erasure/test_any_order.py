"""Any order of requests, holds, decisions, exports, purges and key stores put back: what is erased stays so, the rest opens."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from opsledger.app import OpsLedger, erasing
from opsledger.domain import subject as s
from opsledger.domain import ticket
from opsledger.domain.concept import concepts
from opsledger.errors import KeysError, Refused, Unknown
from opsledger.ledger.personal import Erased, Restricted
from opsledger.policies.support import Priority
from opsledger.testing.plugin import Clock

PEOPLE = st.sampled_from(["p-1", "p-2"])
HOLDS = st.sampled_from(["case-1", "case-2"])
OUTCOMES: Any = st.sampled_from(["granted", "granted", "refused", "restricted"])


class Office(RuleBasedStateMachine):
    """Two people of one ledger. What the office believes of them is kept beside it and compared."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.clock = Clock("2026-03-02T10:00:00Z")
        self.ledger = OpsLedger.create(f"sqlite:///{self.folder}/ops.db", simulated=True, clock=self.clock)
        self.erased: set[str] = set()
        self.restricted: set[str] = set()
        self.holds: set[tuple[str, str]] = set()

    @initialize()
    def begin(self) -> None:
        for person in ("p-1", "p-2"):
            asked: dict[str, Any] = {"customer_id": "C-1", "requester_id": person, "channel": "email", "summary": f"Words of {person}"}
            self.ledger.by("u-7").record(ticket.register, person, priority=Priority.LOW, **asked)

    @rule(person=PEOPLE, access=st.booleans(), minutes=st.integers(0, 60))
    def ask(self, person: str, access: bool, minutes: int) -> None:
        self.clock.forward(minutes=minutes)
        decision = s.request_access if access else s.request_erasure
        self.act(decision, person, jurisdiction="pipeda", handled_by="u-7")

    @rule(person=PEOPLE, outcome=OUTCOMES, clear=st.booleans())
    def decide(self, person: str, outcome: s.Outcome, clear: bool) -> None:
        """Decide on a request, taken in at once if there is none; `clear` sees to what stands against it before."""
        if clear:
            self.answer(person)
            for whose, hold in sorted(self.holds):
                self.release(whose, hold)
        held = any(whose == person for whose, _ in self.holds)
        try:
            done = self.ledger.erase(person, jurisdiction="gdpr", handled_by="u-7", decided_by="u-9", basis="b", outcome=outcome)
        except Refused:
            return
        if "subject.erasure_decided" in done.recorded and outcome == "granted":
            assert not held, "a hold refuses"
            self.erased.add(person)
        if "subject.erasure_decided" in done.recorded:
            (self.restricted.add if outcome == "restricted" else self.restricted.discard)(person)

    @rule(person=PEOPLE)
    def erase(self, person: str) -> None:
        self.decide(person, "granted", True)

    @rule(person=PEOPLE, hold=HOLDS)
    def place(self, person: str, hold: str) -> None:
        review = self.clock.now + timedelta(days=90)
        if self.act(s.place_hold, person, hold_id=hold, reason="a claim", review_by=review, placed_by="u-8"):
            self.holds.add((person, hold))

    @rule(person=PEOPLE, hold=HOLDS)
    def release(self, person: str, hold: str) -> None:
        if self.act(s.release_hold, person, hold_id=hold, reason="settled", requested_by="u-7", approved_by="u-9"):
            self.holds.discard((person, hold))

    @rule(person=PEOPLE)
    def answer(self, person: str) -> None:
        given = self.ledger.subject_access(person, name=f"export {self.clock.forward(seconds=1)}", given_by="u-8")
        opened = [fact["said"].get("summary") for fact in given.document["facts"] if fact["what"] == "ticket.registered"]
        assert opened == ["(erased)" if person in self.erased else f"Words of {person}"], "restricted too: the person asked"

    @rule(person=PEOPLE, number=st.integers(1, 3))
    def refuse_access(self, person: str, number: int) -> None:
        self.act(s.refuse_access, person, number=number, basis="b", decided_by="u-9")

    @rule(person=PEOPLE, number=st.integers(1, 3))
    def extend(self, person: str, number: int) -> None:
        self.act(s.extend_answer, person, number=number, reason="many", handled_by="u-7")

    @rule(person=PEOPLE, early=st.booleans(), days=st.sampled_from([0, 31, 200]))
    def purge(self, person: str, early: bool, days: int) -> None:
        self.clock.forward(days=days)
        try:
            erasing.purge(self.ledger, [person], decided_by="u-9", reason="asked to" if early else "")
        except (Refused, Unknown):
            return

    @rule(person=PEOPLE)
    def say_more(self, person: str) -> None:
        self.clock.forward(seconds=1)  # the same answer again would add nothing
        try:
            self.ledger.by("u-7").record(ticket.respond, person, message=f"More of {person}")
        except KeysError as error:
            assert (error.code, person in self.erased) == ("keys.destroyed", True)
        else:
            assert person not in self.erased

    @rule()
    def keep_the_keys(self) -> None:
        with closing(sqlite3.connect(self.folder / "ops.keys.db")) as keys, closing(sqlite3.connect(self.folder / "kept.db")) as kept:
            keys.backup(kept)

    @rule()
    def put_the_keys_back(self) -> None:
        if not (self.folder / "kept.db").exists():
            return
        with closing(sqlite3.connect(self.folder / "ops.keys.db")) as keys, closing(sqlite3.connect(self.folder / "kept.db")) as kept:
            kept.backup(keys)
        erasing.again(self.ledger)
        erasing.again(self.ledger)

    @rule()
    def catch_up(self) -> None:
        self.ledger.catch_up()

    @invariant()
    def everybody_reads_as_they_should(self) -> None:
        for person in ("p-1", "p-2"):
            if self.ledger.store.heads([f"ticket:{person}"]):
                said = self.ledger.reveal(self.ledger.history(f"ticket:{person}")[0])["summary"]
                words = Restricted() if person in self.restricted else f"Words of {person}"
                assert said == (Erased() if person in self.erased else words)

    def teardown(self) -> None:
        try:
            self.ledger.catch_up()
            report = self.ledger.verify(strict=True)
            assert report.code == 0, "\n".join(report.lines())
            assert [each.table for each in self.ledger.tables.rebuild() if each.rows] == []
            lasting = {(row["subject_id"], row["hold_id"]) for row in self.ledger.tables.select("legal_hold", released_at=None)}
            assert lasting == self.holds
            for stream in self.ledger.store.heads_within("subject:"):
                history = self.ledger.history(stream)
                assert [recorded.version for recorded in history] == list(range(1, len(history) + 1))
                state = concepts()["subject"].fold(history)
                assert (state.erased, state.restricted) == (history[0].id in self.erased, history[0].id in self.restricted)
        finally:
            self.ledger.close()
            shutil.rmtree(self.folder)

    def act(self, decision: Any, person: str, **given: Any) -> bool:
        try:
            return self.ledger.by("u-7").record(decision, person, **given).position is not None
        except (Refused, Unknown):
            return False


TestOffice = Office.TestCase
TestOffice.settings = settings(max_examples=12, stateful_step_count=30, deadline=None)
