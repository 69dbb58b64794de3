"""A projection of the `eventsourcing` library follows a ledger, run by that library's own runner."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from eventsourcing.application import Application
from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import StoredEvent, Tracking
from eventsourcing.popo import POPOTrackingRecorder
from eventsourcing.postgres import PostgresTrackingRecorder
from eventsourcing.projection import Projection, ProjectionRunner
from eventsourcing.sqlite import SQLiteTrackingRecorder
from ledger_rows import MARCH

from opsledger.app import OpsLedger
from opsledger.app.taking import Taken
from opsledger.domain import ticket
from opsledger.errors import Refused, Unfoldable
from opsledger.ledger.application import LedgerApplication, LedgerEvent, environment
from opsledger.ledger.url import LedgerUrl
from opsledger.policies.instants import moment
from opsledger.policies.support import Priority

SQL = Callable[[str], list[tuple[Any, ...]]]


class Replies(POPOTrackingRecorder):
    """A view in memory: who answered which ticket, and every event that came."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[LedgerEvent] = []
        self.answered: dict[str, str] = {}

    def keep(self, event: LedgerEvent, tracking: Tracking) -> None:
        with self._database_lock:
            self._assert_tracking_uniqueness(tracking)
            self._insert_tracking(tracking)
            self.seen.append(event)
            if isinstance(event.fact, ticket.Responded):
                self.answered[event.id] = event.recorded_by


class FirstReplies(Projection[Replies]):
    """Written as for any application of the library."""

    def process_event(self, domain_event: LedgerEvent, tracking: Tracking) -> None:
        self.view.keep(domain_event, tracking)


class OnlyResponses(FirstReplies):
    topics = ("ticket.responded",)


@pytest.fixture
def ledger(url: str) -> Iterator[OpsLedger]:
    with OpsLedger.create(url, simulated=True, clock=lambda: moment(MARCH)) as made:
        yield made


def register(ledger: OpsLedger, id: str) -> None:
    said = {"customer_id": "C-1", "requester_id": "p-1", "channel": "email", "priority": Priority.HIGH, "summary": None}
    ledger.by("u-7", role="support", correlation_id="k-1", causation_id="k-2").record(ticket.register, id, **said)


def runner(url: str, projection: type[Projection[Any]], view: type[Any], **settings: str) -> ProjectionRunner[Any, Any]:
    return ProjectionRunner(
        application_class=LedgerApplication, projection_class=projection, view_class=view, env={**environment(url), **settings}
    )


def in_memory(name: str) -> dict[str, str]:
    """Return the settings by which one projection, by its name, keeps its view in memory."""
    return {f"{name.upper()}_PERSISTENCE_MODULE": "eventsourcing.popo"}


def test_a_stock_projection_follows_what_stands_and_what_comes(url: str, ledger: OpsLedger) -> None:
    register(ledger, "T-1")
    with runner(url, FirstReplies, Replies, **in_memory("FirstReplies")) as running:
        running.wait(ledger.store.head().position, timeout=30)
        assert running.view.answered == {}
        position = ledger.by("u-9", role="support").record(ticket.respond, "T-1").position
        running.wait(position, timeout=30)
        assert running.view.answered == {"T-1": "u-9"}
        assert [event.position for event in running.view.seen] == list(range(1, ledger.store.head().position + 1))


def test_its_events_are_facts_in_their_whole_envelopes(url: str, ledger: OpsLedger) -> None:
    register(ledger, "T-1")
    said = ticket.Acknowledged(acknowledged_at=moment(MARCH), automatic=True)
    ledger.by("importer").observe([Taken("INC1", (("ticket:T-1", said),))], source="sn")
    with runner(url, FirstReplies, Replies, **in_memory("FirstReplies")) as running:
        running.wait(ledger.store.head().position, timeout=30)
        events = {event.topic: event for event in running.view.seen}
    registered, acknowledged = ledger.history("ticket:T-1")
    for event, recorded in ((events["ticket.registered"], registered), (events["ticket.acknowledged"], acknowledged)):
        assert {name: getattr(event, name) for name in recorded.__struct_fields__} == {
            name: getattr(recorded, name) for name in recorded.__struct_fields__
        }
        assert (event.originator_id, event.originator_version) == (recorded.stream, recorded.version)
        assert isinstance(event, DomainEventProtocol)
    assert (registered.occurred_at, registered.correlation_id, registered.causation_id) == (MARCH, "k-1", "k-2")
    assert (acknowledged.source, acknowledged.source_id) == ("sn", "INC1")


def test_a_projection_of_one_topic_gets_no_other(url: str, ledger: OpsLedger) -> None:
    for id in ("T-1", "T-2"):
        register(ledger, id)
        ledger.by("u-9").record(ticket.respond, id)
    last = ledger.store.head().position
    register(ledger, "T-3")
    with runner(url, OnlyResponses, Replies, **in_memory("OnlyResponses")) as running:
        running.wait(last, timeout=30)
        assert [event.topic for event in running.view.seen] == ["ticket.responded"] * 2
        ledger.by("u-9").record(ticket.respond, "T-3")
        running.wait(ledger.store.head().position, timeout=30)
        assert running.view.answered == {"T-1": "u-9", "T-2": "u-9", "T-3": "u-9"}


class CountingMixin:
    """A view in the database of the ledger, in a file or schema of its own."""

    create = "CREATE TABLE IF NOT EXISTS {} (topic TEXT PRIMARY KEY, facts BIGINT NOT NULL)"
    count = "INSERT INTO {0} AS c VALUES ('{1}', 1) ON CONFLICT (topic) DO UPDATE SET facts = c.facts + 1"


class SQLiteCounts(CountingMixin, SQLiteTrackingRecorder):
    def construct_create_table_statements(self) -> list[str]:
        return [*super().construct_create_table_statements(), self.create.format("counts")]

    def add(self, topic: str, tracking: Tracking) -> None:
        with self.datastore.transaction(commit=True) as cursor:
            self._insert_tracking(cursor, tracking)
            cursor.execute(self.count.format("counts", topic))


class PostgresCounts(CountingMixin, PostgresTrackingRecorder):
    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.table = f"{self.datastore.schema}.counts"
        self.sql_create_statements.append(psycopg.sql.SQL(self.create.format(self.table)).format())  # type: ignore[arg-type]  # names of this test

    def add(self, topic: str, tracking: Tracking) -> None:
        with self.datastore.transaction(commit=True) as cursor:
            self._insert_tracking(cursor, tracking)
            cursor.execute(self.count.format(self.table, topic).encode())


class Counts(Projection[Any]):
    def process_event(self, domain_event: LedgerEvent, tracking: Tracking) -> None:
        self.view.add(domain_event.topic, tracking)


def test_a_stock_view_in_a_database_goes_on_where_it_stopped(url: str, where: LedgerUrl, ledger: OpsLedger) -> None:
    """Its tables are kept apart from the log, by settings under the projection's name."""
    settings = {"COUNTS_CREATE_TABLE": "y", "COUNTS_SQLITE_DBNAME": "", "COUNTS_POSTGRES_SCHEMA": f"{where.schema}_views"}
    view: type[Any] = SQLiteCounts
    if where.kind == "sqlite":
        settings["COUNTS_SQLITE_DBNAME"] = where.beside("views.db").as_uri()
    else:
        view = PostgresCounts
        with psycopg.connect(where.conninfo) as connection:
            connection.execute(psycopg.sql.SQL("CREATE SCHEMA {}").format(psycopg.sql.Identifier(f"{where.schema}_views")))
    for id in ("T-1", "T-2", "T-3"):
        register(ledger, id)
        with runner(url, Counts, view, **settings) as running:
            running.wait(ledger.store.head().position, timeout=30)
            counts = _counts(running.view)
        expected: dict[str, int] = {}
        for row in ledger.store.page(0, 99):
            expected[row.topic] = expected.get(row.topic, 0) + 1
        assert counts == expected


def _counts(view: Any) -> dict[str, int]:
    with view.datastore.transaction(commit=False) as cursor:
        cursor.execute(f"SELECT topic, facts FROM {getattr(view, 'table', 'counts')}")
        return {row["topic"]: row["facts"] for row in cursor.fetchall()}


def test_a_subscription_gives_each_position_once_until_it_is_stopped(url: str, ledger: OpsLedger) -> None:
    standing = ledger.store.head().position
    with LedgerApplication(environment(url)) as application:
        positions: list[int] = []
        all_there = threading.Event()

        def follow() -> None:
            for notification in subscription:
                positions.append(notification.id)
                if notification.id == standing + 1:
                    all_there.set()

        with application.recorder.subscribe(gt=0) as subscription:
            follower = threading.Thread(target=follow)
            follower.start()
            register(ledger, "T-1")
            assert all_there.wait(30)
        follower.join(30)
        assert not follower.is_alive()
        assert positions == list(range(1, standing + 2))


def test_waiting_for_a_topic_that_does_not_come_is_idle(url: str, ledger: OpsLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    with LedgerApplication(environment(url)) as application:
        recorder: Any = application.recorder
        reads: list[int] = []
        read = recorder.page
        monkeypatch.setattr(recorder, "page", lambda *given, **named: reads.append(given[0]) or read(*given, **named))
        with recorder.subscribe(gt=0, topics=["ticket.closed"]) as subscription:
            follower = threading.Thread(target=lambda: list(subscription))
            follower.start()
            follower.join(0.6)
            subscription.stop()
            follower.join(30)
        assert reads == [0], "what stands is read once; then it waits"


def test_the_events_of_one_stream_are_read_as_the_library_does(url: str, ledger: OpsLedger) -> None:
    register(ledger, "T-1")
    ledger.by("u-9").record(ticket.respond, "T-1")
    with LedgerApplication(environment(url)) as application:
        events = list(application.events.get("ticket:T-1"))
        assert [event.fact for event in events] == [recorded.fact for recorded in ledger.history("ticket:T-1")]  # type: ignore[attr-defined]
        assert [event.originator_version for event in application.events.get("ticket:T-1", desc=True, limit=1)] == [2]


def test_facts_do_not_enter_by_save(url: str, ledger: OpsLedger) -> None:
    before = ledger.store.head()
    with LedgerApplication(environment(url)) as application:
        assert isinstance(application, Application)
        with pytest.raises(Refused, match=r"Facts enter the ledger by decisions: .* instead of save\. \[ledger\.save\]"):
            application.save()
    assert ledger.store.head() == before


def test_a_fact_that_this_program_does_not_know_stops_the_projection_and_is_named(url: str, ledger: OpsLedger) -> None:
    with LedgerApplication(environment(url)) as application:
        application.recorder.insert_events([StoredEvent("zebra:Z-1", 1, "zebra.born", b"{}")])
    position = ledger.store.head().position
    running = runner(url, FirstReplies, Replies, **in_memory("FirstReplies"))
    with pytest.raises(Unfoldable, match=rf"Position {position} \(zebra.born in zebra:Z-1\).*\[fact\.unknown_topic\]"), running:
        running.run_forever(timeout=30)
    assert running.view.seen[-1].position == position - 1
