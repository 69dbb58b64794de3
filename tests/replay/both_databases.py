"""One history told to two ledgers, on SQLite and on PostgreSQL, which must give the same answers and in the end be the same."""

from __future__ import annotations

import json
import re
import secrets
import tempfile
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, ClassVar

import psycopg
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from opsledger.app import OpsLedger, Taken
from opsledger.domain import calendar, incident, policy, ticket
from opsledger.domain.recorded import Recorded, corrections
from opsledger.errors import OpsledgerError
from opsledger.ledger.engine import engine
from opsledger.ledger.envelope import Append, Appended
from opsledger.ledger.store import StreamMoved
from opsledger.ledger.url import parse_url
from opsledger.policies import documents
from opsledger.policies.instants import at, moment
from opsledger.policies.operating_model import default_calendars, default_model
from opsledger.policies.support import Priority
from opsledger.replay.asof import as_of, replay
from opsledger.replay.digest import digests
from opsledger.replay.tables import Tables
from opsledger.testing.plugin import Clock
from opsledger.testing.strategies import Step, incident_steps, ticket_steps

__all__ = ["BothDatabases"]

TICKETS, INCIDENTS = ("T-1", "T-2"), ("INC-1",)
LATE_S = st.sampled_from([0, 0, 0, 0, 1, 600, 5400, 86_400])  # between the act and its recording
PEOPLE = {"requested_by": "u-1", "approved_by": "u-2"}
TWO = {"proposed_by": "u-1", "approved_by": "u-2"}
SEALED = re.compile(rb'\{"part":"[0-9a-f]{64}","key":"[^"]+"\}')  # of random keys and nonces
SHOWN = re.compile(r"Sealed\(part='[0-9a-f]{64}', key='[^']+'\)")

Act = Callable[[OpsLedger], Any]
Thing = tuple[str, list[Step]]
things = st.one_of(
    st.tuples(st.sampled_from(TICKETS), st.lists(ticket_steps(), min_size=1, max_size=4)),
    st.tuples(st.sampled_from(INCIDENTS), st.lists(incident_steps(), min_size=1, max_size=3)),
)


class BothDatabases(RuleBasedStateMachine):
    """Two tickets and an incident, in two ledgers with one clock. Refusals are part of the game, and must be the same ones."""

    postgresql: ClassVar[str]  # URL of a server, set by who runs this

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.clock = Clock("2026-03-02T15:00:00Z")
        self.schema = f"both_{secrets.token_hex(8)}"
        joined = "&" if "?" in self.postgresql else "?"
        urls = (f"sqlite:///{self.folder.name}/ops.db", f"{self.postgresql}{joined}schema={self.schema}")
        since = at("2026-01-01")
        self.ledgers = [OpsLedger.create(url, simulated=True, clock=self.clock, since=since, ledger_id="0" * 32) for url in urls]
        self.request: tuple[str, str, datetime, Step] | None = None  # the newest under a key

    # What happens to both.

    @initialize(priorities=st.tuples(*[st.sampled_from(Priority)] * 2), severity=st.sampled_from(incident.SEVERITIES))
    def begin(self, priorities: tuple[Priority, ...], severity: incident.Severity) -> None:
        asked = {"customer_id": "C-1", "requester_id": "p-1", "channel": "email", "summary": "It is broken"}
        for id, priority in zip(TICKETS, priorities, strict=True):
            self.record(id, self.clock.now, (ticket.register, {**asked, "priority": priority}))
            self.clock.forward(minutes=1)
        declared = {"detection_source": "monitoring", "severity": severity, "title": "It is down", "services": ("api",)}
        self.record("INC-1", self.clock.now, (incident.declare, declared))

    @rule(several=st.lists(st.tuples(things, st.integers(0, 300), LATE_S), min_size=1, max_size=5))
    def decide(self, several: list[tuple[Thing, int, int]]) -> None:
        for (id, steps), minutes, late_s in several:
            self.clock.forward(minutes=minutes)
            for step in steps:
                self.record(id, self.clock.now - timedelta(seconds=late_s), step)

    @rule(thing=things, late_s=LATE_S)
    def decide_together(self, thing: Thing, late_s: int) -> None:
        """All of it is recorded, or, where a step is refused, nothing."""
        happened = self.clock.now - timedelta(seconds=late_s)

        def act(ledger: OpsLedger) -> Any:
            with ledger.batch() as batch:
                hand = batch.by("u-7", role="support", at=happened)
                return [hand.record(decision, thing[0], **arguments) for decision, arguments in thing[1]]

        self.both(act)

    @precondition(lambda self: self.head() > 30)
    @rule(id=st.sampled_from(TICKETS))
    def merge(self, id: str) -> None:
        (other,) = set(TICKETS) - {id}
        self.both(lambda ledger: ledger.by("u-7").record(ticket.merge, id, into_id=other, into=ledger.state(ticket.Ticket, other)))

    @rule(key=st.sampled_from(["k-1", "k-2"]), thing=things, how=st.sampled_from(["new", "again", "otherwise"]))
    def ask_under_a_key(self, key: str, thing: Thing, how: str) -> None:
        """The newest request once more gets the earlier answer; another one under its key, on the same thing, is refused."""
        if how == "new" or self.request is None:
            self.request = (key, thing[0], self.clock.now, thing[1][0])
        key, id, happened, step = self.request
        self.record(id, self.clock.forward(seconds=1) if how == "otherwise" else happened, step, key=key)

    @rule(thing=things)
    def lose_the_acknowledgement(self, thing: Thing) -> None:
        """What was written, though nobody was told, is recognised by its command id as one's own, and not written twice."""
        id, (decision, arguments) = thing[0], thing[1][0]

        def act(ledger: OpsLedger) -> Any:
            before = ledger.store.head().position
            receipt = ledger.by("u-7", role="support").record(decision, id, **arguments)
            assert ledger.store.head().position == before + len(receipt.facts)
            return receipt

        for ledger in self.ledgers:
            ledger.store.append = deaf(ledger.store.append)  # type: ignore[method-assign]
        self.both(act)
        for ledger in self.ledgers:
            del ledger.store.append

    @rule(source_id=st.sampled_from(["m-1", "m-2", "m-3"]), id=st.sampled_from(TICKETS), text=st.sampled_from(["a", "b"]), late_s=LATE_S)
    def observe(self, source_id: str, id: str, text: str, late_s: int) -> None:
        happened = self.clock.now - timedelta(seconds=late_s)
        replied = ticket.CustomerReplied(replied_at=happened, requester_id="p-1", message=text)
        noted = ticket.Noted(noted_at=happened, requester_id="p-1", note=text)
        record = Taken(source_id, ((f"ticket:{id}", replied), (f"ticket:{id}", noted)), content=text.encode())
        self.both(lambda ledger: ledger.by("helpdesk", role="system").observe([record], source="helpdesk"))

    @rule(data=st.data(), minutes=st.integers(-10, 600), milestone=st.booleans())
    def correct(self, data: st.DataObject, minutes: int, milestone: bool) -> None:
        """A time of a ticket, or a milestone of the incident, was another one."""
        if milestone:
            rows = self.ledgers[0].tables.select("incident_milestone", at_least=self.head(), incident_id="INC-1")
            row = data.draw(st.sampled_from(rows))
            given = {"corrects": row["stated_position"], "milestone": row["milestone"], "was": row["at"]}
            id, decision = "INC-1", incident.correct_milestone
        else:
            id, decision = data.draw(st.sampled_from(TICKETS)), ticket.correct_time
            history = self.ledgers[0].history(f"ticket:{id}")
            recorded: Recorded = data.draw(st.sampled_from(history))
            given = {"corrects": recorded.position, "was": moment(corrections(history).get(recorded.position, recorded.occurred_at))}
        to = given["was"] - timedelta(minutes=minutes)
        self.record(id, self.clock.now, (decision, {**given, "to": to, "reason": "It was so", **PEOPLE}))

    @rule(data=st.data(), what=st.sampled_from(["publish hours", "correct hours", "publish a model", "reassign"]))
    def govern(self, data: st.DataObject, what: str) -> None:
        known = self.ledgers[0].known
        if what == "publish hours":
            effective = self.clock.now - timedelta(hours=data.draw(st.sampled_from([0, 0, 24, 72])))
            given = {"definition": self.hours(data), "reason": "as agreed", "effective_from": effective, **TWO}
            self.record("business", self.clock.now, (calendar.publish, given))
        elif what == "correct hours":
            position = data.draw(st.sampled_from([version.position for version in known.versions("business")]))
            given = {"corrects": position, "definition": self.hours(data), "reason": "it was so", **PEOPLE}
            self.record("business", self.clock.now, (calendar.correct, given))
        elif what == "publish a model":
            self.record(policy.NAME, self.clock.now, (policy.publish, {"document": model(data), **TWO}))
        else:
            given = {"policy": data.draw(st.sampled_from([each.ref for each in known.models()])), "reason": "as agreed", **PEOPLE}
            self.record(data.draw(st.sampled_from(TICKETS)), self.clock.now, (ticket.reassign_policy, given))

    @rule(hours=st.integers(0, 30))
    def tick(self, hours: int) -> None:
        self.clock.forward(hours=hours)
        self.both(lambda ledger: ledger.tick())

    @rule(what=st.sampled_from(["catch up", "catch up", "catch up", "look", "look", "rebuild"]), which=st.sampled_from([0, 1]))
    def read(self, what: str, which: int) -> None:
        """How often the tables of one follow is nobody's business; what they say is the same whenever both are asked."""
        if what == "catch up":
            self.ledgers[which].catch_up()
        elif what == "rebuild":
            self.both(lambda ledger: [(each.table, each.rows) for each in ledger.tables.rebuild() if each.rows])
        else:
            head, stream = self.head(), f"ticket:{TICKETS[which]}"
            self.both(lambda ledger: (ledger.promises(stream), ledger.tables.select("support_queue", at_least=head)))

    # Both.

    def both(self, act: Act) -> Any:
        """Let both do the same; return the answer, which is the same one."""
        one, other = [answered(ledger, act) for ledger in self.ledgers]
        assert one == other
        assert self.ledgers[0].store.head() == self.ledgers[1].store.head()
        return one

    def record(self, id: str, happened: datetime, step: Step, key: str | None = None) -> Any:
        decision, arguments = step
        return self.both(lambda ledger: ledger.by("u-7", role="support", at=happened, key=key).record(decision, id, **arguments))

    def head(self) -> int:
        return self.ledgers[0].store.head().position

    def hours(self, data: st.DataObject) -> str:
        document = json.loads(documents.canonical(default_calendars()["business"]))
        opens = data.draw(st.integers(0, 20))
        document["weekly"] = {day: [[f"{opens:02d}:00", f"{opens + 8:02d}:00"]] for day in document["weekly"]}
        document["holidays"] = [(self.clock.now + timedelta(days=data.draw(st.integers(-3, 3)))).date().isoformat()]
        return json.dumps(document)

    def teardown(self) -> None:
        try:
            if self.head() > 4:
                self.compare_all()
        finally:
            for ledger in self.ledgers:
                ledger.close()
            with psycopg.connect(self.postgresql, autocommit=True) as connection:
                for name in (self.schema, f"{self.schema}_tables", f"{self.schema}_keys"):
                    connection.execute(psycopg.sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(psycopg.sql.Identifier(name)))
            self.folder.cleanup()

    def compare_all(self) -> None:
        """The logs, the tables live, rebuilt and as of the head, and the views are the same, and each verifies."""
        ours, theirs = self.ledgers
        assert log(ours) == log(theirs)
        live = []
        for i, ledger in enumerate(self.ledgers):
            ledger.catch_up()
            live.append(digests(ledger.tables.tables))
            assert [(each.table, each.rows, each.keys) for each in ledger.tables.rebuild() if each.rows] == []
            assert digests(ledger.tables.tables) == live[i], "what was rebuilt has other bytes"
            assert self.as_of_the_head(ledger, f"{self.folder.name}/{i}.db") == live[i]
            report = ledger.verify(strict=True)
            assert report.code == 0, "\n".join(report.lines())
        assert live[0] == live[1]
        for view in ours.tables.tables.schema.views:
            assert ours.tables.select(view) == theirs.tables.select(view), view

    def as_of_the_head(self, ledger: OpsLedger, path: str) -> dict[str, str]:
        tables = Tables(engine(parse_url(f"sqlite:///{path}"), "itself"))
        replay(ledger.store, tables, as_of(ledger.store))
        try:
            return digests(tables)
        finally:
            tables.close()


def model(data: st.DataObject) -> str:
    """Return a model in which one metric has another target; it may contradict itself."""
    document = json.loads(documents.canonical(default_model()))
    metric, minutes = data.draw(st.sampled_from(["first_response", "next_response", "resolution"])), data.draw(st.integers(1, 90))
    for tier in document["support"]["tiers"].values():
        tier["targets"][metric] = {"within": f"{minutes * (20 if metric == 'resolution' else 1)} min", "calendar": "business"}
    return json.dumps(document)


def answered(ledger: OpsLedger, act: Act) -> Any:
    """Return what an act came to: what it returned, in words and without what is random, or the refusal."""
    try:
        return SHOWN.sub("Sealed()", repr(act(ledger)))
    except OpsledgerError as error:
        return error.code, error.sentence


def log(ledger: OpsLedger) -> list[tuple[Any, ...]]:
    """Return every row of the log, without its random command id, and without keys and nonces of what is sealed."""
    rows = ledger.store.page(0, 1_000_000)
    return [tuple(row._replace(state=SEALED.sub(b"{}", row.state), command_id="")) for row in rows]


def deaf(append: Callable[[Append], Appended]) -> Callable[[Append], Appended]:
    """Return `append`, which writes and once says that somebody else did: so it looks when the acknowledgement was lost."""
    heard = iter([False])

    def write(given: Append) -> Appended:
        appended = append(given)
        if next(heard, True):
            return appended
        raise StreamMoved("stream.moved", "Somebody recorded on the stream meanwhile.")

    return write
