"""The ledger as an `eventsourcing` application: its factory, its recorder, its mapper; and how a store is opened.

A stock projection of that library can follow the ledger; it gets facts in their envelopes, as `Recorded`. Facts do not enter
this way: they are returned by decisions, and `save` says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final, Never, cast

import msgspec
from eventsourcing.application import Application
from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import Mapper, StoredEvent

from opsledger.domain.recorded import Recorded
from opsledger.errors import NoLedger, Refused, Unavailable, WrongFormat
from opsledger.ledger.codec import read
from opsledger.ledger.recorder import LedgerNotification
from opsledger.ledger.store import FORMAT, Store
from opsledger.ledger.url import LedgerUrl, parse_url

__all__ = ["LedgerApplication", "LedgerEvent", "create_store", "environment", "open_store"]


class LedgerEvent(Recorded, frozen=True, gc=False):
    """A fact in its envelope, as a domain event of the eventsourcing library."""

    @property
    def originator_id(self) -> str:
        """The stream."""
        return self.stream

    @property
    def originator_version(self) -> int:
        """The place in the stream, from 1."""
        return self.version


class _Mapper(Mapper[str]):
    """Stored events to facts in their envelopes."""

    def to_domain_event(self, stored_event: StoredEvent) -> DomainEventProtocol[str]:
        assert isinstance(stored_event, LedgerNotification), "the ledger's recorders give nothing else"
        event = LedgerEvent(*msgspec.structs.astuple(read(stored_event.row)))
        return cast(DomainEventProtocol[str], event)


class LedgerApplication(Application[str]):
    """A ledger, for readers that know the eventsourcing library. Configure it with `environment(url)`."""

    name = "opsledger"

    def construct_mapper(self) -> Mapper[str]:
        """Return the mapper that reads facts."""
        return _Mapper(transcoder=self.construct_transcoder())

    def save(self, *objs: Any, **kwargs: Any) -> Never:
        """Refuse: a fact enters by a decision, which is where rules, promises and the envelope are made."""
        raise Refused(
            "ledger.save", "Facts enter the ledger by decisions: use OpsLedger.by(...).record(decision, id, ...) instead of save."
        )

    def close(self) -> None:
        """Close all connections once nobody uses them."""
        cast(Any, self.recorder).close()
        super().close()


_MODULES: Final = {"sqlite": "opsledger.ledger.sqlite", "postgresql": "opsledger.ledger.postgres"}
_RECORDERS: Final = {"sqlite": "SQLiteLedgerRecorder", "postgresql": "PostgresLedgerRecorder"}


def environment(url: str | LedgerUrl) -> dict[str, str]:
    """Return the settings with which the eventsourcing library opens a ledger, whatever the process's environment says."""
    where = parse_url(url) if isinstance(url, str) else url
    module = _MODULES[where.kind]
    common = {
        "PERSISTENCE_MODULE": f"{module}:Factory",
        "APPLICATION_RECORDER_TOPIC": f"{module}:{_RECORDERS[where.kind]}",
        "ORIGINATOR_ID_TYPE": "text",
        "CREATE_TABLE": "n",
    }
    if where.kind == "sqlite":
        return {**common, "SQLITE_DBNAME": where.path.absolute().as_uri()}
    from psycopg.conninfo import make_conninfo

    known = where.connection()
    more = {key: value for key, value in known.items() if key not in ("dbname", "host", "port", "user", "password")}
    return {
        **common,
        "POSTGRES_DBNAME": known["dbname"],
        "POSTGRES_HOST": known.get("host", ""),
        "POSTGRES_PORT": str(known.get("port", 5432)),
        "POSTGRES_USER": known.get("user", ""),
        "POSTGRES_PASSWORD": known.get("password", ""),
        "POSTGRES_SCHEMA": where.schema,
        "POSTGRES_POOL_SIZE": "1",
        "POSTGRES_MAX_OVERFLOW": "19",
        "POSTGRES_CONNINFO": make_conninfo(**more),
    }


def create_store(where: LedgerUrl, meta: dict[str, str]) -> Store:
    """Create the log's tables, or leave those that exist, and return the store."""
    if where.kind == "sqlite" and not where.path.absolute().parent.is_dir():
        raise NoLedger("ledger.no_folder", f"There is no folder {where.path.parent} for {where.path.name}; make it first.")
    with _store(where) as store:
        if not store.exists():
            store.initialise(meta)
        return _readable(where, store)


def open_store(where: LedgerUrl) -> Store:
    """Return the store of a ledger that exists, after checking that this program reads its format."""
    missing = NoLedger("ledger.missing", f"There is no ledger at {where.shown}; create one with `opsledger init`.")
    if where.kind == "sqlite" and not where.path.is_file():
        raise missing
    with _store(where) as store:
        if not store.exists():
            raise missing
        return _readable(where, store)


def _readable(where: LedgerUrl, store: Store) -> Store:
    found = store.meta().get("format", "")
    if found != str(FORMAT):
        which = (
            f"format {found}, {'newer' if int(found) > FORMAT else 'older'} than" if found.isdecimal() else "no format that is known beside"
        )
        raise WrongFormat(
            "ledger.format", f"The ledger at {where.shown} has {which} format {FORMAT} of this program; use the program that fits."
        )
    return store


@contextmanager
def _store(where: LedgerUrl) -> Iterator[Any]:
    """Give the store, and close it again when what is done with it fails."""
    _reachable(where)
    application = LedgerApplication(environment(where))
    recorder: Any = application.recorder
    recorder.application = application  # an application that nobody holds closes its connections
    recorder.where = replace(where, path=where.path.absolute())
    try:
        yield recorder
    except BaseException:
        recorder.close()
        raise


def _reachable(where: LedgerUrl) -> None:
    """Fail at once and in one sentence where the library would retry for minutes."""
    if where.kind != "postgresql":
        return
    import psycopg

    try:
        psycopg.connect(**{"connect_timeout": 10, **where.connection()}).close()
    except psycopg.Error as error:
        first = str(error).strip().partition("\n")[0]
        raise Unavailable("store.unreachable", f"The database of {where.shown} cannot be reached: {first}.") from None
