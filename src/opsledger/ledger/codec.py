"""Facts to stored bytes and back.

A program that meets a topic it does not know, a revision above its own or bytes that it cannot read stops, and names the
place: skipping a fact in silence would make every table after it wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec
from pydantic import TypeAdapter, ValidationError

from opsledger.domain.fact import FactType, fact_types
from opsledger.domain.recorded import Recorded
from opsledger.errors import Unfoldable
from opsledger.ledger.envelope import Row

__all__ = ["read", "read_all", "validate"]


def read(row: Row) -> Recorded:
    """Return a stored row as a fact in its envelope. Raises Unfoldable with position, stream and topic."""
    kind = _known(row)
    try:
        fact = kind.decode(row.state, row.revision)
    except (msgspec.MsgspecError, ValueError, KeyError, TypeError) as error:
        raise _unfoldable(row, "fact.unreadable", f"its stored bytes do not decode: {error}") from None
    return Recorded(
        position=row.position,
        stream=row.stream,
        version=row.version,
        topic=row.topic,
        occurred_at=row.occurred_at,
        recorded_at=row.recorded_at,
        fact=fact,
        recorded_by=row.recorded_by,
        role=row.role,
        revision=row.revision,
        command_id=row.command_id,
        correlation_id=row.correlation_id,
        causation_id=row.causation_id,
        source=row.source,
        source_id=row.source_id,
    )


def read_all(rows: Iterable[Row]) -> Iterator[Recorded]:
    """Yield stored rows as facts."""
    return map(read, rows)


def validate(row: Row) -> None:
    """Validate a stored row with pydantic as strictly as when the fact was made. Raises Unfoldable."""
    kind = _known(row)
    try:
        if row.revision == kind.revision:
            TypeAdapter(kind.made).validate_json(row.state)
        else:
            TypeAdapter(kind.made).validate_json(msgspec.json.encode(kind.decode(row.state, row.revision)))
    except (ValidationError, msgspec.MsgspecError, ValueError, KeyError, TypeError) as error:
        raise _unfoldable(row, "fact.invalid", f"its stored bytes are not valid: {' '.join(str(error).split())[:300]}") from None


def _known(row: Row) -> FactType[object]:
    kind = fact_types().get(row.topic)
    if kind is None:
        raise _unfoldable(row, "fact.unknown_topic", "this program does not know the topic; install the one that wrote it")
    if row.revision > kind.revision:
        sentence = f"revision {row.revision} is newer than revision {kind.revision}, which this program reads; upgrade the program"
        raise _unfoldable(row, "fact.newer_revision", sentence)
    return kind


def _unfoldable(row: Row, code: str, what: str) -> Unfoldable:
    return Unfoldable(
        code,
        f"Position {row.position} ({row.topic} in {row.stream}) cannot be read: {what}.",
        position=row.position,
        stream=row.stream,
        topic=row.topic,
    )
