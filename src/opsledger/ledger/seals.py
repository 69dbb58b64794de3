"""What seals the log, as it is stored: hashes of the Merkle tree by level, and signed checkpoints. Only ever added to.

A sealing adds the hashes that are new, one row for each level of the tree: of leaves at level 0, of whole tiles of 256 hashes
of the level below at each level above. Nothing here is needed to record or to read facts; whoever seals has a connection,
and on PostgreSQL may have a role, of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from opsledger.ledger.beside import Beside

__all__ = ["Seals", "StoredCheckpoint"]

_HASH_BYTES: Final = 32
_LONGEST: Final = 1 << 24  # hashes of a row: a thousandfold of what one sealing adds

_METADATA: Final = sa.MetaData()
_HASH: Final = sa.Table(
    "ledger_hash",
    _METADATA,
    sa.Column("level", sa.Integer, primary_key=True),
    sa.Column("first", sa.BigInteger, primary_key=True),  # index, within the level, of the first hash
    sa.Column("hashes", sa.LargeBinary, nullable=False),
)
_CHECKPOINT: Final = sa.Table(
    "ledger_checkpoint",
    _METADATA,
    sa.Column("size", sa.BigInteger, primary_key=True),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
)


def _slices() -> sa.Select[Any]:
    """Return the statement for the hashes of a level from `begin` to before `stop`: of each row that has some, so much as is asked for."""
    level, begin, stop, length = (sa.bindparam(name, type_=sa.BigInteger) for name in ("of_level", "begin", "stop", "length"))
    here, place = _HASH.c.level == level, _HASH.c.first
    nearest = sa.select(sa.func.max(place)).where(here, place <= begin).scalar_subquery()
    skipped = sa.case((place >= begin, 0), (place > begin - _LONGEST, begin - place), else_=_LONGEST)
    asked = sa.func.substr(_HASH.c.hashes, sa.cast(skipped * _HASH_BYTES + 1, sa.Integer), sa.cast(length, sa.Integer))
    return sa.select(asked).where(here, place >= nearest, place < stop).order_by(place)


_SLICES: Final = _slices()


class StoredCheckpoint(NamedTuple):
    """A checkpoint that was signed: how many facts it covers, the note, and when it was made, in microseconds, by the signer's clock."""

    size: int
    note: str
    created_at: int


class Seals(Beside):
    """The hashes and checkpoints of one ledger."""

    subject = "seals"

    def size(self) -> int:
        """Return how many facts are sealed: those up to and including this position."""
        newest = sa.select(_HASH.c.first, sa.func.length(_HASH.c.hashes)).where(_HASH.c.level == 0).order_by(_HASH.c.first.desc()).limit(1)
        with self._told("read the seals"), self._engine.connect() as connection:
            found = connection.execute(newest).one_or_none()
        return 0 if found is None else found[0] + found[1] // _HASH_BYTES

    def hashes(self, level: int, first: int, stop: int) -> bytes:
        """Return the hashes of a level from index `first` to before `stop`, as many of them as there are, one after the other."""
        length = (stop - first) * _HASH_BYTES
        with self._told("read the seals"), self._engine.connect() as connection:
            found = connection.execute(_SLICES, {"of_level": level, "begin": first, "stop": stop, "length": length})
            return b"".join(found.scalars())[:length]

    def add(self, levels: Mapping[int, tuple[int, bytes]]) -> bool:
        """Add hashes, (index of the first, all of them) by level, in one transaction; return False when somebody else has."""
        rows = [{"level": level, "first": first, "hashes": hashes} for level, (first, hashes) in levels.items() if hashes]
        with self._told("add seals"):
            try:
                with self._engine.begin() as connection:
                    connection.execute(sa.insert(_HASH), rows)
            except IntegrityError:
                return False
        return True

    def keep(self, checkpoint: StoredCheckpoint) -> bool:
        """Keep a checkpoint; return False when there is one of its size, which stays."""
        with self._told("keep a checkpoint"):
            try:
                with self._engine.begin() as connection:
                    connection.execute(sa.insert(_CHECKPOINT).values(checkpoint._asdict()))
            except IntegrityError:
                return False
        return True

    def checkpoints(self, after: int = 0, limit: int | None = None) -> list[StoredCheckpoint]:
        """Return the checkpoints larger than `after`, smallest first; at most `limit` of them, if it is given."""
        larger = sa.select(_CHECKPOINT).where(_CHECKPOINT.c.size > after).order_by(_CHECKPOINT.c.size).limit(limit)
        with self._told("read the checkpoints"), self._engine.connect() as connection:
            return [StoredCheckpoint(*row) for row in connection.execute(larger)]

    def newest(self) -> StoredCheckpoint | None:
        """Return the largest checkpoint; None where none was signed yet."""
        largest = sa.select(_CHECKPOINT).order_by(_CHECKPOINT.c.size.desc()).limit(1)
        with self._told("read the checkpoints"), self._engine.connect() as connection:
            found = connection.execute(largest).one_or_none()
        return None if found is None else StoredCheckpoint(*found)
