"""What is written beside the log when a person is erased: marks that facts decided, and the removal of sealed parts.

A mark "destroyed" keeps anything more from being sealed under a key, whatever another process still holds in memory; a mark
"purged" lets the parts under a key go. The database itself sees to both. Marks are only ever added.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

import sqlalchemy as sa

from opsledger.ledger.beside import Beside
from opsledger.ledger.url import LedgerUrl
from opsledger.ledger.wiping import wipe

__all__ = ["Erasures"]

_METADATA: Final = sa.MetaData()
_ERASURE: Final = sa.Table(
    "ledger_erasure",
    _METADATA,
    sa.Column("key_id", sa.Text, primary_key=True),
    sa.Column("act", sa.Text, primary_key=True),
    sa.Column("position", sa.BigInteger, nullable=False),
)
_PART: Final = sa.Table("ledger_part", _METADATA, sa.Column("digest", sa.Text, primary_key=True), sa.Column("key_id", sa.Text))


class Erasures(Beside):
    """The marks and the sealed parts of one ledger, to be written."""

    subject = "erasures"

    def __init__(self, where: LedgerUrl) -> None:
        super().__init__(where)
        self._table = f'"{where.schema}".ledger_event' if where.kind == "postgresql" else ""

    def mark(self, key_ids: Sequence[str], act: Literal["destroyed", "purged"], position: int) -> None:
        """Add marks that the fact at a position decided; those that stand stay. Appends that go on are waited for."""
        with self._told(f"mark keys as {act}"), self._engine.begin() as connection:
            if self._table:
                from opsledger.ledger.postgres_tables import LOCK

                connection.execute(
                    sa.text("SELECT pg_advisory_xact_lock(:lock, :log ::regclass::oid::int)"), {"lock": LOCK, "log": self._table}
                )
            else:
                connection.exec_driver_sql("ROLLBACK")  # take the write lock before looking
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            ours = sa.and_(_ERASURE.c.key_id.in_(key_ids), _ERASURE.c.act == act)
            stand = set(connection.execute(sa.select(_ERASURE.c.key_id).where(ours)).scalars())
            new = [{"key_id": key_id, "act": act, "position": position} for key_id in key_ids if key_id not in stand]
            if new:
                connection.execute(sa.insert(_ERASURE), new)

    def purge(self, key_ids: Sequence[str]) -> int:
        """Remove the sealed parts under keys whose parts are marked as purged; return how many went."""
        with self._told("remove sealed parts"), self._engine.begin() as connection:
            if not self._table:
                connection.exec_driver_sql("PRAGMA secure_delete = ON")
            return connection.execute(sa.delete(_PART).where(_PART.c.key_id.in_(key_ids))).rowcount

    def wipe(self) -> str:
        """Have removed parts leave the files of the database; return where copies may still be. SQLite's file is written anew."""
        with self._told("leave no trace of what was removed"):
            return wipe(self._engine, (_PART.name,), anew=False)
