"""What is written beside the log, by a connection of its own and on PostgreSQL perhaps by a role of its own: seals, erasures."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import ClassVar, Self

from sqlalchemy.exc import DBAPIError, OperationalError

from opsledger.errors import StoreError, Unavailable
from opsledger.ledger.engine import engine
from opsledger.ledger.url import LedgerUrl

__all__ = ["Beside"]


class Beside:
    """A connection to the log's own database. Close it, or use it in a `with` block."""

    subject: ClassVar[str]
    """What it writes, as it begins the codes of its errors."""

    def __init__(self, where: LedgerUrl) -> None:
        self._engine = engine(where, "log")

    @contextmanager
    def _told(self, act: str) -> Iterator[None]:
        """Say in one sentence what the database could not do."""
        try:
            yield
        except DBAPIError as error:
            cause = str(error.orig).strip().partition("\n")[0]
            if isinstance(error, OperationalError):
                told = f"The database could not {act}: {cause}. See that it can be used, and repeat."
                raise Unavailable(f"{self.subject}.unavailable", told) from None
            raise StoreError(f"{self.subject}.failed", f"The database refused to {act}: {cause}.") from None

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
