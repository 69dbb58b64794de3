"""The recorder suites that the `eventsourcing` library ships, against the ledger's recorders.

Taken: ApplicationRecorderTestCase (with the subscription test that the library makes optional, on both databases, for ours
subscribes on SQLite too), NonInterleavingNotificationIDsBaseCase, InfrastructureFactoryTestCase, and, on what our factory
makes beside the log, TrackingRecorderTestCase and AggregateRecorderTestCase (snapshots).

Not taken:
- AggregateRecorderTestCase on an application recorder: it asserts that `insert_events` returns None, while any application
  recorder, the library's own too, returns notification ids.
- ProcessRecorderTestCase: our factory makes the library's own process recorder, which keeps the library's tables; a ledger has
  none, for facts enter by decisions.
- TranscoderTestCase: facts are encoded by msgspec and not by a transcoder.
- NonInterleavingNotificationIDsBaseCase with text ids, and in memory with text ids: the ids are text in the table anyway.
"""

from __future__ import annotations

import secrets
import threading
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from eventsourcing.persistence import AggregateRecorder, ApplicationRecorder, InfrastructureFactory, ProcessRecorder, TrackingRecorder
from eventsourcing.postgres import PostgresAggregateRecorder, PostgresProcessRecorder, PostgresTrackingRecorder
from eventsourcing.sqlite import SQLiteAggregateRecorder, SQLiteProcessRecorder, SQLiteTrackingRecorder
from eventsourcing.tests import persistence as shipped
from eventsourcing.utils import Environment

from opsledger.ledger import postgres, sqlite
from opsledger.ledger.application import environment


class Ours:
    """Makes recorders by our factory, and closes them when the suite's readers have ended."""

    settings: dict[str, str]
    ids = "uuid"

    def setUp(self) -> None:
        self.made: list[Any] = []
        self.threads = set(threading.enumerate())

    def tearDown(self) -> None:
        for thread in threading.enumerate():
            if thread not in self.threads and "read_continuously" in thread.name:
                thread.join(60)
        for each in reversed(self.made):
            each.close()

    def environment(self) -> Environment:
        return Environment("", {**self.settings, "ORIGINATOR_ID_TYPE": self.ids, "CREATE_TABLE": "y"})

    def ours(self) -> InfrastructureFactory[Any]:
        made = InfrastructureFactory[Any].construct(self.environment())
        self.made.append(made)
        return made

    def create_recorder(self) -> Any:
        recorder: Any = self.ours().application_recorder()
        self.made.append(recorder)
        return recorder

    def new_originator_id(self) -> UUID | str:
        return uuid4() if self.ids == "uuid" else f"ticket:{uuid4()}"


class InFile(Ours):
    @pytest.fixture(autouse=True)
    def in_file(self, tmp_path: Path) -> None:
        self.settings = environment(f"sqlite:///{tmp_path}/ops.db")


class InMemory(Ours):
    @pytest.fixture(autouse=True)
    def in_memory(self, tmp_path: Path) -> None:
        shared = f"file:{secrets.token_hex(8)}?mode=memory&cache=shared"
        self.settings = {**environment(f"sqlite:///{tmp_path}/none.db"), "SQLITE_DBNAME": shared}


class InSchema(Ours):
    @pytest.fixture(autouse=True)
    def in_schema(self, pg_url: str, opsledger_postgres_url: str) -> None:
        self.settings = environment(pg_url)
        with psycopg.connect(opsledger_postgres_url, autocommit=True) as connection:  # for what the library makes beside the log
            connection.execute(psycopg.sql.SQL("CREATE SCHEMA {}").format(psycopg.sql.Identifier(self.settings["POSTGRES_SCHEMA"])))


class Subscribing:
    """The test that the library makes optional because its SQLite recorder cannot."""

    def test_insert_subscribe(self) -> None:
        self.optional_test_insert_subscribe()  # type: ignore[attr-defined]  # of ApplicationRecorderTestCase


class TestApplicationRecorderInFile(InFile, Subscribing, shipped.ApplicationRecorderTestCase[Any]):
    pass


class TestApplicationRecorderInFileWithTextIds(InFile, Subscribing, shipped.ApplicationRecorderTestCase[Any]):
    ids = "text"


class TestApplicationRecorderInMemory(InMemory, Subscribing, shipped.ApplicationRecorderTestCase[Any]):
    pass


class TestApplicationRecorderInSchema(InSchema, Subscribing, shipped.ApplicationRecorderTestCase[Any]):
    pass


class TestApplicationRecorderInSchemaWithTextIds(InSchema, Subscribing, shipped.ApplicationRecorderTestCase[Any]):
    ids = "text"


class TestNonInterleavingInFile(InFile, shipped.NonInterleavingNotificationIDsBaseCase):
    pass


class TestNonInterleavingInMemory(InMemory, shipped.NonInterleavingNotificationIDsBaseCase):
    pass


class TestNonInterleavingInSchema(InSchema, shipped.NonInterleavingNotificationIDsBaseCase):
    pass


class TestNonInterleavingInSchemaWithTextIds(InSchema, shipped.NonInterleavingNotificationIDsBaseCase):
    ids = "text"


class TestTrackingRecorderInSchema(InSchema, shipped.TrackingRecorderTestCase):
    def create_recorder(self) -> Any:
        return self.ours().tracking_recorder()


class TestTrackingRecorderInFile(InFile, shipped.TrackingRecorderTestCase):
    def create_recorder(self) -> Any:
        return self.ours().tracking_recorder()


class TestSnapshotsInSchema(InSchema, shipped.AggregateRecorderTestCase):
    def create_recorder(self) -> Any:
        return self.ours().aggregate_recorder("snapshots")


class TestSnapshotsInFile(InFile, shipped.AggregateRecorderTestCase):
    def create_recorder(self) -> Any:
        return self.ours().aggregate_recorder("snapshots")


class TestFactoryOfSQLite(InFile, shipped.InfrastructureFactoryTestCase[Any]):
    def setUp(self) -> None:
        self.env = self.environment()
        shipped.InfrastructureFactoryTestCase.setUp(self)

    def tearDown(self) -> None:
        shipped.InfrastructureFactoryTestCase.tearDown(self)

    def expected_factory_class(self) -> type[InfrastructureFactory[Any]]:
        return sqlite.Factory

    def expected_application_recorder_class(self) -> type[ApplicationRecorder]:
        return sqlite.SQLiteLedgerRecorder

    def expected_aggregate_recorder_class(self) -> type[AggregateRecorder]:
        return SQLiteAggregateRecorder

    def expected_tracking_recorder_class(self) -> type[TrackingRecorder]:
        return SQLiteTrackingRecorder

    def tracking_recorder_subclass(self) -> type[TrackingRecorder]:
        return OurSQLiteTracking

    def expected_process_recorder_class(self) -> type[ProcessRecorder]:
        return SQLiteProcessRecorder


class TestFactoryOfPostgres(InSchema, shipped.InfrastructureFactoryTestCase[Any]):
    def setUp(self) -> None:
        self.env = self.environment()
        shipped.InfrastructureFactoryTestCase.setUp(self)

    def tearDown(self) -> None:
        shipped.InfrastructureFactoryTestCase.tearDown(self)

    def expected_factory_class(self) -> type[InfrastructureFactory[Any]]:
        return postgres.Factory

    def expected_application_recorder_class(self) -> type[ApplicationRecorder]:
        return postgres.PostgresLedgerRecorder

    def expected_aggregate_recorder_class(self) -> type[AggregateRecorder]:
        return PostgresAggregateRecorder

    def expected_tracking_recorder_class(self) -> type[TrackingRecorder]:
        return PostgresTrackingRecorder

    def tracking_recorder_subclass(self) -> type[TrackingRecorder]:
        return OurPostgresTracking

    def expected_process_recorder_class(self) -> type[ProcessRecorder]:
        return PostgresProcessRecorder


class OurSQLiteTracking(SQLiteTrackingRecorder):
    pass


class OurPostgresTracking(PostgresTrackingRecorder):
    pass
