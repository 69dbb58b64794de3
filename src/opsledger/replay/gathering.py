"""Gathering: the states of single streams come together by the subjects of which they speak, and are joined to rows.

    stream ── fold ──> state ── speaks of ──> subject ── join ──> rows

While all rows are built, states wait in a database of this process alone, which goes to disk when it grows: memory holds those
of one subject. Which streams speak of which subject is kept beside the tables, in `opsledger_route`, for what comes live and
for `explain`.
"""

from __future__ import annotations

import pickle
import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from opsledger.domain.recorded import Recorded, until
from opsledger.errors import OpsledgerError, Unfoldable
from opsledger.ledger.codec import read_all
from opsledger.ledger.store import Store
from opsledger.policies.known import Known
from opsledger.projections.kinds import Gathered, Projection, Rows
from opsledger.replay.folding import fold_stream_of
from opsledger.replay.knowledge import timeline
from opsledger.replay.tables import Tables

__all__ = ["EVERYWHERE", "Folded", "Gathering", "gathered", "gathered_of", "join", "reading", "subjects_of"]

EVERYWHERE: Final = ""
"""In the place of a subject: the stream speaks of all."""


class Folded(NamedTuple):
    """One stream as a projection folds it. `state` is packed."""

    projection: str
    stream: str
    subjects: tuple[str, ...]
    state: bytes


def reading(projections: Sequence[Projection]) -> dict[str, list[Gathered]]:
    """Return the gathered projections that read each concept."""
    found: dict[str, list[Gathered]] = {}
    for projection in projections:
        if isinstance(projection, Gathered):
            for concept in dict.fromkeys((*projection.concepts, *projection.everywhere)):
                found.setdefault(concept, []).append(projection)
    return found


def subjects_of(projection: Gathered, stream: str, state: Any) -> tuple[str, ...]:
    """Return of whom a stream speaks."""
    if stream.partition(":")[0] in projection.everywhere:
        return (EVERYWHERE,)
    return tuple(sorted(set(projection.subjects(state))))


def gathered(readers: Mapping[str, Sequence[Gathered]], facts: Sequence[Recorded]) -> list[Folded]:
    """Return one stream as each projection that reads it folds it."""
    folded = []
    for projection in readers.get(facts[0].concept, ()):
        stream = facts[0].stream
        state = fold_stream_of(projection, stream, facts)
        packed = pickle.dumps(state, pickle.HIGHEST_PROTOCOL)
        folded.append(Folded(projection.name, stream, subjects_of(projection, stream, state), packed))
    return folded


def join(projection: Gathered, subject: str, states: Mapping[str, Any], known: Known, *, position: int) -> Rows:
    """Return the rows of a subject. `position` is where the ledger stops when they cannot be made."""
    try:
        return projection.rows(subject, states, known)
    except Exception as error:
        why = error.sentence if isinstance(error, OpsledgerError) else f"{type(error).__name__}: {error}"
        streams = ", ".join(list(states)[:5])
        raise Unfoldable(
            "subject.unjoined",
            f"What is recorded of {subject} by position {position} (in {streams}) cannot be joined into {projection.name}: {why}",
            position=position,
            stream=next(iter(states), ""),
            topic="",
        ) from error


def gathered_of(store: Store, tables: Tables, projection: Gathered, subject: str) -> tuple[dict[str, Any], Known]:
    """Return the states of the streams of a subject, and what is known of policies, as of what the tables show.

    For questions that no table answers: how a month would have been judged by other terms.
    """
    shown = tables.as_of()
    streams = {stream for several in tables.streams_of(projection, [EVERYWHERE, subject]).values() for stream in several}
    states = {}
    for stream in sorted(streams):
        facts = [recorded for recorded in read_all(store.stream(stream)) if recorded.position <= shown.position]
        if shown.effective_at is not None:
            facts = until(facts, shown.effective_at)
        if facts:
            states[stream] = fold_stream_of(projection, stream, facts)
    return states, timeline(store, shown.position).known_at(shown.position + 1)


class Gathering:
    """The states of all streams, by projection and subject, while tables are built."""

    def __init__(self) -> None:
        self._states = sqlite3.connect("", isolation_level=None, check_same_thread=False)  # without a name: private, and gone at the end
        self._states.execute("PRAGMA journal_mode = OFF")
        self._states.execute("CREATE TABLE state (projection, stream, state, PRIMARY KEY (projection, stream)) WITHOUT ROWID")
        self._states.execute("CREATE TABLE route (projection, subject, stream, PRIMARY KEY (projection, subject, stream)) WITHOUT ROWID")

    def take(self, folded: Sequence[Folded]) -> None:
        """Add streams, or put them in the place of what was folded of them before."""
        if not folded:
            return
        self._states.execute("BEGIN")
        rows = [(each.projection, each.stream, each.state) for each in folded]
        self._states.executemany("INSERT OR REPLACE INTO state VALUES (?, ?, ?)", rows)
        routes = [(each.projection, subject, each.stream) for each in folded for subject in each.subjects]
        self._states.executemany("INSERT OR IGNORE INTO route VALUES (?, ?, ?)", routes)
        self._states.execute("COMMIT")

    def routes(self, projection: Gathered) -> list[tuple[str, str]]:
        """Return which subject each stream speaks of, as (subject, stream)."""
        return self._states.execute("SELECT subject, stream FROM route WHERE projection = ?", (projection.name,)).fetchall()

    def rows(
        self, projection: Gathered, known: Known, *, position: int, subjects: Collection[str] | None = None
    ) -> Iterator[tuple[str, Rows]]:
        """Yield the rows of all subjects, or of some, one after the other."""
        common = dict(self._of(projection, EVERYWHERE))
        if subjects is None:
            found = self._states.execute("SELECT DISTINCT subject FROM route WHERE projection = ? AND subject <> ''", (projection.name,))
            subjects = [subject for (subject,) in found.fetchall()]
        for subject in sorted(subjects):
            states = dict(sorted({**common, **dict(self._of(projection, subject))}.items()))
            yield subject, join(projection, subject, states, known, position=position)

    def close(self) -> None:
        """Let go of everything."""
        self._states.close()

    def _of(self, projection: Gathered, subject: str) -> Iterator[tuple[str, Any]]:
        statement = "SELECT stream, state FROM route JOIN state USING (projection, stream) WHERE projection = ? AND subject = ?"
        for stream, state in self._states.execute(statement, (projection.name, subject)):
            yield stream, pickle.loads(state)  # noqa: S301  # packed by this program, never stored
