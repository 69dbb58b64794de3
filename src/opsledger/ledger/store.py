"""What every store does. One contract, held against both databases by one suite (tests/ledger/test_contract.py).

- Positions have no gaps: an append takes the ledger's lock, numbers on from the last row, and commits before the next.
- `recorded_at` never falls: it is the later of the last row's and the clock's. Only a simulated ledger takes a time that is given.
- Rows are only ever added. The database refuses to change or remove them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from opsledger.errors import OpsledgerError
from opsledger.ledger.envelope import Answered, Append, Appended, Head, Mark, Part, Row
from opsledger.ledger.url import LedgerUrl

__all__ = ["DESTROYED", "FORMAT", "FUTURE_US", "KeyTaken", "SourceTaken", "Store", "StreamMoved", "pages", "within"]

FORMAT = 1
"""Version of the tables of the log. A program opens only ledgers of its own."""

DESTROYED = (
    "Something was sealed under a key that was destroyed meanwhile; nothing was written. "
    "The personal data of that subject were erased; give the person another id if they have come back."
)

FUTURE_US = 5 * 60 * 1_000_000
"""A fact may claim to have happened this much later than it is recorded; clocks of hosts differ."""


class StreamMoved(OpsledgerError):
    """A stream or a guard no longer stands where the decision saw it; nothing was written. Load and decide again."""


class SourceTaken(OpsledgerError):
    """A record of another system was taken in meanwhile; nothing was written. Look up what is known and go on."""


class KeyTaken(OpsledgerError):
    """A request with this key was answered meanwhile; nothing was written. Look up its answer."""


class Store(Protocol):
    """A log and what belongs to it."""

    where: LedgerUrl
    """By which another process opens the same log."""

    def append(self, append: Append) -> Appended:
        """Write one transaction. Raises StreamMoved, SourceTaken, KeyTaken, Refused (a fact from the future) or Unavailable."""

    def head(self) -> Head:
        """Return the newest fact's position and time of recording."""

    def stream(self, stream: str, *, after: int = 0) -> list[Row]:
        """Return a stream's rows above a version, in order of version."""

    def streams(self, prefix: str) -> list[Row]:
        """Return the rows of all streams that begin with `prefix`, in order of position."""

    def heads(self, streams: Sequence[str]) -> dict[str, int]:
        """Return the versions of the streams that exist."""

    def heads_within(self, prefix: str) -> dict[str, int]:
        """Return the versions of all streams that begin with `prefix`."""

    def page(self, after: int, limit: int, *, until: int | None = None) -> list[Row]:
        """Return at most `limit` rows above position `after`, up to and including position `until`, in order of position."""

    def scan(self, after: int, until: int) -> Iterator[list[tuple[Any, ...]]]:
        """Yield the rows in (after, until], in order of position, as plain tuples, some hundreds at a time.

        For who looks at every row once, which may be all there are: it takes half the time of pages, and as little memory.
        """

    def stream_page(self, after: tuple[str, int], limit: int, *, until: int, prefix: str = "", last: str | None = None) -> list[Row]:
        """Return at most `limit` rows above (stream, version), up to position `until`, in order of stream and version.

        Only of streams that begin with `prefix`, and that are not above the stream `last`.
        """

    def position_at(self, recorded_at: int) -> int:
        """Return the position of the newest fact recorded at or before an instant; 0 if there is none."""

    def answered(self, key: str, decision: str, stream: str) -> Answered | None:
        """Return what a request with this key was answered, if there was one."""

    def taken(self, source: str, source_ids: Sequence[str]) -> dict[str, str]:
        """Return the MACs of those records of a source that were taken in."""

    def part(self, digest: str) -> bytes | None:
        """Return a sealed part, or None where there is none."""

    def parts(self, digests: Sequence[str]) -> dict[str, Part]:
        """Return those sealed parts that there are, by their digests."""

    def part_keys(self) -> dict[str, int]:
        """Return how many sealed parts there are under each key, by its id."""

    def marks(self) -> list[Mark]:
        """Return which keys are destroyed and which parts were purged, and by which facts that was decided."""

    def meta(self) -> Mapping[str, str]:
        """Return what the ledger says of itself: format, ledger_id, simulated."""

    def wait(self, after: int, timeout: float) -> bool:
        """Wait until a fact above `after` may have been written; return False when the time ran out first."""

    def close(self) -> None:
        """Close all connections once nobody uses them."""


def pages(store: Store, after: int, until: int, size: int = 5000) -> Iterator[list[Row]]:
    """Yield the rows in (after, until] in pages, each read in a transaction of its own: no long snapshot is held."""
    while after < until:
        rows = store.page(after, size, until=until)
        if not rows:
            return
        yield rows
        after = rows[-1].position


def within(prefix: str, mark: str, last: str | None = None) -> tuple[str, tuple[str, ...]]:
    """Return an SQL condition for the streams that begin with `prefix`, and its values; `mark` is where a value goes.

    Those above `last` are left out, if it is given. A range, so that an index serves it whatever the prefix holds. Both
    databases compare code points.
    """
    if last is not None:
        inside, values = within(prefix, mark)
        return f"{inside} AND stream <= {mark}", (*values, last)
    for i in reversed(range(len(prefix))):
        code = ord(prefix[i]) + 1
        if code <= 0x10FFFF:
            end = prefix[:i] + chr(0xE000 if code == 0xD800 else code)  # halves of characters are none
            return f"stream >= {mark} AND stream < {mark}", (prefix, end)
    return f"stream >= {mark}", (prefix,)
