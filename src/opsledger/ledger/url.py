"""Ledger URLs: `sqlite:///ops.db`, `postgresql://user@host/db?schema=acme`.

An SQLite ledger is three files: `ops.db` the log, `ops.tables.db` the tables for analysts, `ops.keys.db` the key store.
A PostgreSQL ledger is three schemas: `acme` the log, `acme_tables`, `acme_keys`; the default is `opsledger`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote

from opsledger.errors import BadInput

__all__ = ["LedgerUrl", "parse_url"]

_EXAMPLES = "write sqlite:///ops.db or postgresql://user@host/database?schema=opsledger"


@dataclass(frozen=True, slots=True)
class LedgerUrl:
    """Where a ledger lives."""

    kind: Literal["sqlite", "postgresql"]
    path: Path = Path()  # of the log, for SQLite
    conninfo: str = field(default="", repr=False)  # for PostgreSQL, may carry a password: never shown
    schema: str = ""
    shown: str = ""  # without password

    def beside(self, what: str) -> Path:
        """Return the path of a file beside an SQLite log: `ops.tables.db` of `ops.db`."""
        return self.path.with_name(f"{self.path.stem}.{what}")

    def connection(self) -> dict[str, Any]:
        """Return the arguments of a psycopg connection."""
        from psycopg.conninfo import conninfo_to_dict

        return dict(conninfo_to_dict(self.conninfo))


def parse_url(url: str) -> LedgerUrl:
    """Return what a ledger URL says. Raises BadInput with one sentence and without the password."""
    if url.startswith("sqlite:///") and len(url) > len("sqlite:///"):
        path = Path(url.removeprefix("sqlite:///"))
        if path.name == ":memory:":
            raise BadInput("url.memory", "A ledger is for keeps and cannot live in memory; name a file, for example sqlite:///ops.db.")
        if path.name.endswith((".tables.db", ".keys.db")):
            raise BadInput("url.not_a_log", f"{path.name} is not a log but a file beside one; name the log itself.")
        return LedgerUrl(kind="sqlite", path=path, shown=url)
    if url.startswith(("postgresql://", "postgres://")):
        return _postgresql(url)
    scheme = re.match(r"[a-z][a-z0-9+.-]*://", url, re.IGNORECASE)  # nothing after it is shown: it may be a password
    said = f"The ledger URL begins with '{scheme[0]}', which is not known here" if scheme else "The ledger URL has no scheme"
    raise BadInput("url.malformed", f"{said}; {_EXAMPLES}.")


def _postgresql(url: str) -> LedgerUrl:
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict

    place, _, query = url.partition("?")
    said = query.split("&") if query else []
    schemas = [unquote(each.removeprefix("schema=")) for each in said if each.startswith("schema=")]
    rest = "&".join(each for each in said if not each.startswith("schema="))  # as it is written: libpq has rules of its own
    conninfo = f"{place}?{rest}" if rest else place
    try:
        known = conninfo_to_dict(conninfo)
        ports = [int(port) for port in str(known.get("port") or 0).split(",") if port]
    except (ProgrammingError, ValueError):
        raise BadInput("url.malformed", f"The PostgreSQL URL cannot be read; {_EXAMPLES}.") from None
    schema = schemas[-1] if schemas else "opsledger"
    if not all(0 <= port < 1 << 16 for port in ports):
        raise BadInput("url.malformed", f"The PostgreSQL URL names a port that there is not; {_EXAMPLES}.")
    if not known.get("dbname"):
        raise BadInput("url.no_database", f"The PostgreSQL URL names no database; {_EXAMPLES}.")
    if not re.fullmatch(r"[a-z_][a-z0-9_]{0,55}", schema):
        raise BadInput("url.schema", f"'{schema}' cannot be a schema of a ledger; use lower case letters, digits and _, at most 56.")
    user = f"{known['user']}@" if known.get("user") else ""
    port = f":{known['port']}" if known.get("port") else ""
    host = str(known.get("host", ""))
    place = "" if host.startswith("/") else host + port
    return LedgerUrl(
        kind="postgresql",
        conninfo=conninfo,
        schema=schema,
        shown=f"postgresql://{user}{place}/{known['dbname']}?schema={schema}",
    )
