"""The ledger as an `eventsourcing` application: its factory, its recorder, its mapper; and how a store is opened.

A stock projection of that library can follow the ledger; it gets facts in their envelopes, as `Recorded`. Facts do not enter
this way: they are returned by decisions, and `save` says so.
"""

from __future__ import annotations

from typing import Any, Final, Never, cast

from eventsourcing.application import Application
from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import Mapper, Notification, StoredEvent

from opsledger.domain.fact import fact_types
from opsledger.domain.recorded import Recorded
from opsledger.errors import NoLedger, Refused, Unavailable, WrongFormat
from opsledger.ledger.store import FORMAT, Store
from opsledger.ledger.url import LedgerUrl, parse_url

__all__ = ["LedgerApplication", "create_store", "environment", "open_store"]


class _Mapper(Mapper[str]):
    """Stored events to facts in their envelopes, as far as the library's notifications carry one."""

    def to_domain_event(self, stored_event: StoredEvent) -> DomainEventProtocol[str]:
        position = stored_event.id if isinstance(stored_event, Notification) else 0
        fact = fact_types()[stored_event.topic].decoder.decode(stored_event.state)
        stream, version = str(stored_event.originator_id), stored_event.originator_version
        recorded = Recorded(position, stream, version, stored_event.topic, 0, 0, fact)
        return cast(DomainEventProtocol[str], recorded)


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


_PERSISTENCE: Final = {"sqlite": "opsledger.ledger.sqlite:Factory", "postgresql": "opsledger.ledger.postgres:Factory"}


def environment(url: str | LedgerUrl) -> dict[str, str]:
    """Return the settings with which the eventsourcing library opens a ledger."""
    where = parse_url(url) if isinstance(url, str) else url
    common = {"PERSISTENCE_MODULE": _PERSISTENCE[where.kind], "ORIGINATOR_ID_TYPE": "text", "CREATE_TABLE": "n"}
    if where.kind == "sqlite":
        return {**common, "SQLITE_DBNAME": where.path.absolute().as_uri()}
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
        "POSTGRES_CONNINFO": " ".join(f"{key}={value}" for key, value in more.items()),
    }


def create_store(where: LedgerUrl, meta: dict[str, str]) -> Store:
    """Create the log's tables, or leave those that exist, and return the store."""
    if where.kind == "sqlite" and not where.path.absolute().parent.is_dir():
        raise NoLedger("ledger.no_folder", f"There is no folder {where.path.parent} for {where.path.name}; make it first.")
    store = _store(where)
    store.initialise(meta)
    return cast(Store, store)


def open_store(where: LedgerUrl) -> Store:
    """Return the store of a ledger that exists, after checking that this program reads its format."""
    if where.kind == "sqlite" and not where.path.is_file():
        raise NoLedger("ledger.missing", f"There is no ledger at {where.shown}; create one with `opsledger init`.")
    store = cast(Store, _store(where))
    try:
        meta = store.meta()
    except Unavailable:
        raise
    except Exception:
        store.close()
        raise NoLedger("ledger.missing", f"There is no ledger at {where.shown}; create one with `opsledger init`.") from None
    found = int(meta.get("format", "0"))
    if found != FORMAT:
        store.close()
        which = "newer" if found > FORMAT else "older"
        raise WrongFormat(
            "ledger.format",
            f"The ledger at {where.shown} has format {found}, {which} than format {FORMAT} of this program; use the program that fits.",
        )
    return store


def _store(where: LedgerUrl) -> Any:
    _reachable(where)
    application = LedgerApplication(environment(where))
    recorder: Any = application.recorder
    recorder.application = application  # an application that nobody holds closes its connections
    return recorder


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
