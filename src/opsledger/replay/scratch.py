"""Tables for a while: a file of their own, gone afterwards, whatever database the ledger lives in."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from opsledger.ledger.engine import engine
from opsledger.ledger.url import LedgerUrl
from opsledger.replay.tables import Tables

__all__ = ["scratch_tables"]


@contextmanager
def scratch_tables() -> Iterator[Tables]:
    """Yield a database for tables in a temporary file. The rows are the same as in any other database."""
    with tempfile.TemporaryDirectory(prefix="opsledger-") as folder:
        tables = Tables(engine(LedgerUrl("sqlite", Path(folder) / "scratch.db"), "itself"))
        try:
            yield tables
        finally:
            tables.close()
