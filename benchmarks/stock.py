"""The usual tool: the `eventsourcing` library as it comes, with its own recorders, repository, runner and views."""

from __future__ import annotations

import time
from threading import Event
from typing import Any, Final
from uuid import UUID

from eventsourcing.application import Application
from eventsourcing.dispatch import singledispatchmethod
from eventsourcing.domain import Aggregate, DomainEventProtocol, event
from eventsourcing.persistence import Tracking
from eventsourcing.popo import POPOTrackingRecorder
from eventsourcing.postgres import PostgresTrackingRecorder
from eventsourcing.projection import Projection, ProjectionRunner
from psycopg.sql import SQL, Identifier

from benchmarks.place import Kind, Place
from opsledger.ledger.url import parse_url

__all__ = ["Desk", "InMemory", "InPostgres", "Ticket", "environment", "fill", "project", "state_bytes"]

_PATIENCE_S: Final = 600.0
_STEPS: Final = 10
_TEXT: Final = "We are looking into it and come back to you, as ever, soon."


class Ticket(Aggregate):
    """A ticket in the library's declarative style."""

    @event("Registered")
    def __init__(self, customer_id: str, text: str) -> None:
        self.customer_id = customer_id
        self.status = "new"
        self.words = text

    @event("Responded")
    def respond(self, text: str) -> None:
        self.status = "open"
        self.words = text

    @event("Paused")
    def pause(self, text: str) -> None:
        self.status = "pending"
        self.words = text


class Desk(Application[UUID]):
    """An application that keeps tickets."""


def environment(place: Place, kind: Kind) -> dict[str, str]:
    """Return the settings of the library for a fresh file or schema."""
    if kind == "sqlite":
        return {"PERSISTENCE_MODULE": "eventsourcing.sqlite", "SQLITE_DBNAME": str(place.file("stock"))}
    known = parse_url(place.server).connection()
    return {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_DBNAME": known["dbname"],
        "POSTGRES_HOST": known.get("host", ""),
        "POSTGRES_PORT": str(known.get("port", 5432)),
        "POSTGRES_USER": known.get("user", ""),
        "POSTGRES_PASSWORD": known.get("password", ""),
        "POSTGRES_SCHEMA": place.schema(),
    }


def fill(desk: Desk, events: int, *, steps: int = _STEPS) -> list[UUID]:
    """Save tickets of `steps` events each in few transactions; return their ids."""
    tickets = []
    while events > 0:
        ticket = Ticket(customer_id="C-1", text=_TEXT)
        for number in range(1, min(steps, events)):
            (ticket.pause if number % 3 == 0 else ticket.respond)(text=_TEXT)
        events -= steps
        tickets.append(ticket)
    for i in range(0, len(tickets), 100):
        desk.save(*tickets[i : i + 100])
    return [ticket.id for ticket in tickets]


def state_bytes(desk: Desk) -> int:
    """Return the mean size of the stored states of some events."""
    found = desk.recorder.select_notifications(1, 500)
    return sum(len(each.state) for each in found) // len(found)


class InPostgres(PostgresTrackingRecorder):
    """A view in PostgreSQL, as the library's documentation writes them: one transaction for each event."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        table = Identifier(self.datastore.schema, "ticket_status")
        self.sql_create_statements.append(
            SQL("CREATE TABLE IF NOT EXISTS {} (ticket_id uuid PRIMARY KEY, status text NOT NULL)").format(table)
        )
        self._keep = SQL("INSERT INTO {} VALUES (%s, %s) ON CONFLICT (ticket_id) DO UPDATE SET status = excluded.status").format(table)

    def keep(self, ticket_id: UUID, status: str, tracking: Tracking) -> None:
        """Write how a ticket stands."""
        with self.datastore.transaction(commit=True) as cursor:
            self._insert_tracking(cursor, tracking)
            cursor.execute(self._keep, (ticket_id, status), prepare=True)


class InMemory(POPOTrackingRecorder):
    """The same view in a dictionary."""

    def __init__(self) -> None:
        super().__init__()
        self.statuses: dict[UUID, str] = {}

    def keep(self, ticket_id: UUID, status: str, tracking: Tracking) -> None:
        """Keep how a ticket stands."""
        with self._database_lock:
            self._assert_tracking_uniqueness(tracking)
            self._insert_tracking(tracking)
            self.statuses[ticket_id] = status


class Statuses(Projection[Any]):
    """Which status each ticket has."""

    name = "statuses"
    last: int = 0  # of the events to come
    done: Event

    @singledispatchmethod
    def process_event(self, domain_event: DomainEventProtocol[UUID], tracking: Tracking) -> None:
        """Take one event."""
        raise NotImplementedError(type(domain_event).__name__)

    @process_event.register
    def _registered(self, domain_event: Ticket.Registered, tracking: Tracking) -> None:  # type: ignore[name-defined]  # made by @event
        self._keep(domain_event, "new", tracking)

    @process_event.register
    def _responded(self, domain_event: Ticket.Responded, tracking: Tracking) -> None:  # type: ignore[name-defined]
        self._keep(domain_event, "open", tracking)

    @process_event.register
    def _paused(self, domain_event: Ticket.Paused, tracking: Tracking) -> None:  # type: ignore[name-defined]
        self._keep(domain_event, "pending", tracking)

    def _keep(self, domain_event: Any, status: str, tracking: Tracking) -> None:
        self.view.keep(domain_event.originator_id, status, tracking)
        if tracking.notification_id >= self.last:
            self.done.set()


def project(place: Place, settings: dict[str, str], view: type[Any], events: int) -> float:
    """Return the seconds that the library's runner takes to project the events that stand into an empty view."""
    chosen = {"STATUSES_PERSISTENCE_MODULE": "eventsourcing.popo"}
    if view is InPostgres:
        chosen = {"STATUSES_POSTGRES_SCHEMA": place.schema()}
    Statuses.last, Statuses.done = events, Event()
    begin = time.perf_counter()
    with ProjectionRunner(application_class=Desk, projection_class=Statuses, view_class=view, env={**settings, **chosen}):
        assert Statuses.done.wait(_PATIENCE_S), "the stock runner did not come to the last event"
        return time.perf_counter() - begin
