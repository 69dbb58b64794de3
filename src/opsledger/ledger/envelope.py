"""What a store is asked to write, and what it answers.

One `Append` is one transaction: all of it stands afterwards, or nothing does. The store numbers positions and sets
`recorded_at`; versions come from whoever decided, and are the optimistic lock.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, Literal, NamedTuple, cast

__all__ = ["Answered", "Append", "Appended", "Head", "Mark", "NewFact", "Part", "Request", "Row", "Source", "rows_of"]


class NewFact(NamedTuple):
    """One row of the log before it has a position. Times in microseconds; `recorded_at` is given in simulated ledgers only."""

    stream: str
    version: int
    topic: str
    revision: int
    state: bytes
    occurred_at: int
    recorded_at: int | None
    recorded_by: str
    role: str
    command_id: str
    correlation_id: str | None = None
    causation_id: str | None = None
    source: str | None = None
    source_id: str | None = None


class Row(NamedTuple):
    """One row of the log as it is stored."""

    position: int
    stream: str
    version: int
    topic: str
    revision: int
    state: bytes
    occurred_at: int
    recorded_at: int
    recorded_by: str
    role: str
    command_id: str
    correlation_id: str | None
    causation_id: str | None
    source: str | None
    source_id: str | None


_row: Final = partial(tuple.__new__, Row)  # what Row._make does, without counting the columns that a statement names


def rows_of(found: Iterable[Sequence[Any]]) -> list[Row]:
    """Return what a database found, its columns in the order of a row's, as rows."""
    return cast(list[Row], list(map(_row, found)))


class Part(NamedTuple):
    """A sealed personal value beside the log, under the SHA-256 of its bytes."""

    digest: str
    key_id: str
    sealed: bytes


class Mark(NamedTuple):
    """What a fact of the log decided about a key: nothing more is sealed under it ("destroyed"), its parts may go ("purged")."""

    key_id: str
    act: Literal["destroyed", "purged"]
    position: int  # of the fact


class Request(NamedTuple):
    """A request by its idempotency key: what was asked, as a MAC, and what was answered."""

    key: str
    decision: str
    stream: str
    mac: str
    version: int  # of the stream afterwards
    first: int  # which of the append's facts are its own: the first, from 0, and how many
    facts: int


class Answered(NamedTuple):
    """What an earlier request was answered."""

    mac: str
    version: int
    first_position: int | None
    facts: int


class Source(NamedTuple):
    """A record of another system that was taken in: its id there and a MAC of its content."""

    source: str
    source_id: str
    mac: str


@dataclass(frozen=True, slots=True)
class Append:
    """One transaction. `guards` are streams that must still stand at the version given, though nothing is added to them."""

    facts: Sequence[NewFact]
    guards: Mapping[str, int] = field(default_factory=dict)
    parts: Sequence[Part] = ()
    requests: Sequence[Request] = ()
    sources: Sequence[Source] = ()


class Appended(NamedTuple):
    """Where the facts stand, and when they were recorded. `clock_at` is what the clock said, `last_at` the fact before."""

    first_position: int
    recorded_at: int
    clock_at: int
    last_at: int


class Head(NamedTuple):
    """The newest fact's position and time of recording; zeros in an empty ledger."""

    position: int
    recorded_at: int
