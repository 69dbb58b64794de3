"""Continuity: is the log whole? Over rows as they are stored, without reading what their facts say.

Positions run 1 to N without gaps, versions of every stream 1 to n; `recorded_at` never falls; nothing claims to have happened
more than five minutes after it was recorded; every column holds what belongs into it. What it cannot see is an end cut off
as a whole: for that a checkpoint kept elsewhere is needed, or tables that go further than the log.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator
from itertools import product
from types import NoneType
from typing import Final

from opsledger.audit.findings import Checked
from opsledger.ledger.envelope import Row
from opsledger.ledger.store import FUTURE_US, Store, pages
from opsledger.policies.instants import iso

__all__ = ["continuity", "in_streams", "misfit"]

_PAGE: Final = 5000
_WHOLE: Final = frozenset({"position", "version", "revision", "occurred_at", "recorded_at"})
_OPTIONAL: Final = frozenset({"correlation_id", "causation_id", "source", "source_id"})
_TYPES: Final = tuple(
    (name, (int,) if name in _WHOLE else (bytes,) if name == "state" else (str, NoneType) if name in _OPTIONAL else (str,))
    for name in Row._fields
)
_FITTING: Final = frozenset(product(*(types for _, types in _TYPES)))


def continuity(store: Store, until: int, result: Checked, progress: Callable[[int, int], None] | None = None) -> None:
    """Check the log up to position `until`, in order of position and then in order of stream, and add to `result`."""
    told = progress or _nobody
    for done in _positions(store, until, result):
        told(done // 2, until)
    for done in _versions(store, until, result):
        told((until + done) // 2, until)
    if result.looked_at.get("facts", 0) != result.looked_at.get("facts in streams", 0):
        by_position, by_stream = result.looked_at.get("facts", 0), result.looked_at.get("facts in streams", 0)
        result.find(
            f"The log holds {by_position} facts by position and {by_stream} by stream; an index of the database is damaged, or was edited.",
            column="stream",
            expected=str(by_position),
            found=str(by_stream),
        )
    result.looked_at.pop("facts in streams", None)


def misfit(row: Row) -> str | None:
    """Return the first column that holds what does not belong into it; None when there is none.

    SQLite keeps any type in any column once its file is edited by hand.
    """
    if tuple(map(type, row)) in _FITTING:
        return None
    return next((name for (name, types), value in zip(_TYPES, row, strict=True) if type(value) not in types), None)


def in_streams(store: Store, until: int) -> Iterator[list[Row]]:
    """Yield the rows of each stream up to a position, in order of version, one stream after the other."""
    after = ("", 0)
    rows: list[Row] = []
    while page := store.stream_page(after, _PAGE, until=until):
        for row in page:
            if rows and rows[-1].stream != row.stream:
                yield rows
                rows = []
            rows.append(row)
        after = (page[-1].stream, page[-1].version)
    if rows:
        yield rows


def _positions(store: Store, until: int, result: Checked) -> Iterator[int]:
    reached, last = 0, None
    for page in pages(store, 0, until):
        for row in page:
            if row.position != reached + 1:
                _gap(row, reached + 1, result)
            reached = row.position
            wrong = misfit(row)
            if wrong is not None:
                value = getattr(row, wrong)
                result.find(
                    f"Position {row.position} holds {_called(value)} in {wrong}, where it does not belong.",
                    **_place(row, wrong),
                    expected="another type",
                    found=repr(value)[:80],
                )
                continue
            if last is not None and row.recorded_at < last.recorded_at:
                _fallen(row, last, result)
            if row.occurred_at > row.recorded_at + FUTURE_US:
                _from_the_future(row, result)
            last = row
        result.count("facts", len(page))
        yield reached


def _gap(row: Row, expected: int, result: Checked) -> None:
    missing = f"Position {expected} is" if row.position == expected + 1 else f"Positions {expected} to {row.position - 1} are"
    result.find(
        f"{missing} missing; the next fact of the ledger stands at {row.position}.",
        **_place(row, "position"),
        expected=str(expected),
        found=str(row.position),
    )


def _fallen(row: Row, last: Row, result: Checked) -> None:
    result.find(
        f"Position {row.position} was recorded at {iso(row.recorded_at)}, before position {last.position}, at {iso(last.recorded_at)}.",
        **_place(row, "recorded_at"),
        expected=f"{iso(last.recorded_at)} or later",
        found=iso(row.recorded_at),
    )


def _from_the_future(row: Row, result: Checked) -> None:
    result.find(
        f"Position {row.position} claims to have happened at {iso(row.occurred_at)}, more than 5 minutes after it was recorded.",
        **_place(row, "occurred_at"),
        expected=f"{iso(row.recorded_at + FUTURE_US)} or earlier",
        found=iso(row.occurred_at),
    )


def _formed(row: Row, result: Checked) -> None:
    concept, colon, id = row.stream.partition(":")
    hidden = any(unicodedata.category(each)[0] == "C" for each in row.stream)
    proper = id == id.strip() and unicodedata.normalize("NFC", id) == id and len(id) <= 200
    if not (concept and colon and id and proper) or hidden:
        result.find(
            f"Position {row.position} stands in {row.stream!r}, which names no stream.",
            **_place(row, "stream"),
            expected="a stream such as ticket:T-1042",
            found=repr(row.stream),
        )


def _versions(store: Store, until: int, result: Checked) -> Iterator[int]:
    done = 0
    for rows in in_streams(store, until):
        expected = 1
        if misfit(rows[0]) != "stream":
            _formed(rows[0], result)
        for row in rows:
            if row.version != expected and misfit(row) is None:
                _misnumbered(row, expected, result)
                expected = row.version
            expected += 1
        done += len(rows)
        result.count("streams")
        result.count("facts in streams", len(rows))
        yield done


def _misnumbered(row: Row, expected: int, result: Checked) -> None:
    result.find(
        f"{row.stream} has version {row.version} at position {row.position} where version {expected} belongs.",
        **_place(row, "version"),
        expected=str(expected),
        found=str(row.version),
    )


def _place(row: Row, column: str) -> dict[str, object]:
    return {"position": row.position, "stream": row.stream, "column": column}


def _called(value: object) -> str:
    return {str: "text", bytes: "bytes", float: "a fraction", NoneType: "nothing", int: "a number"}.get(type(value), type(value).__name__)


def _nobody(done: int, of: int) -> None:
    """Take progress that nobody asked for."""
