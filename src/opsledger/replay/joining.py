"""Joining, live: which subjects a batch touches, and the rows that they have after it.

States of streams are kept between batches, so that the usual batch folds one step of one stream. What a batch made of them is
kept only once the batch is written: a fold may change the state that it is given, so after anything else all is forgotten.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from opsledger.domain.governance import CONCEPTS
from opsledger.domain.recorded import Recorded, is_correction
from opsledger.ledger.codec import read_all
from opsledger.ledger.store import Store
from opsledger.policies.known import Known
from opsledger.projections.kinds import Gathered, Rows
from opsledger.replay.folding import advance_entity, fold_stream_of
from opsledger.replay.gathering import EVERYWHERE, join, subjects_of
from opsledger.replay.tables import Tables

__all__ = ["Joined", "Joining", "MovedOn", "Stream", "facts_until", "sorts_last", "when"]

_KEPT: Final = 16_384  # a day that is closed asks for all of them: fewer than there are would be no help at all


class MovedOn(Exception):  # not an error: somebody else does the work
    """Another runner moved the tables."""


def facts_until(store: Store, stream: str, until: int) -> list[Recorded]:
    """Return the facts of a stream up to a position. If there is none, tables that name the stream have moved beyond it."""
    facts = [recorded for recorded in read_all(store.stream(stream)) if recorded.position <= until]
    if not facts:
        raise MovedOn
    return facts


def when(recorded: Recorded) -> tuple[int, int]:
    """Return the place of a fact in the order in which things happened."""
    return recorded.occurred_at, recorded.position


def sorts_last(new: Sequence[Recorded], newest: tuple[int, int]) -> bool:
    """Return whether new facts go on where a fold stands: none happened earlier, none corrects another."""
    return all(when(recorded) > newest and not is_correction(recorded) for recorded in new)


@dataclass(slots=True)
class Stream:
    """A stream as folded: up to which version, the newest happening in business order, the state."""

    version: int
    newest: tuple[int, int]
    state: Any


@dataclass(slots=True)
class Joined:
    """What a batch does to one gathered projection: rows by subject, streams newly speaking of subjects, streams as folded."""

    rows: dict[str, Rows] = field(default_factory=dict)
    routes: list[tuple[str, str]] = field(default_factory=list)
    streams: dict[str, Stream] = field(default_factory=dict)


class Joining:
    """Joins what is gathered for one database of tables."""

    def __init__(self, store: Store, tables: Tables) -> None:
        self._store, self._tables = store, tables
        self._kept: OrderedDict[tuple[str, str], Stream] = OrderedDict()

    def batch(self, projection: Gathered, by_stream: Mapping[str, Sequence[Recorded]], until: int, known: Known) -> Joined:
        """Return what the new facts of a batch do, which ends at `until`, with what is known of policies and calendars there."""
        governed = any(stream.partition(":")[0] in CONCEPTS for stream in by_stream)  # each subject may count otherwise then
        joined, speaks = Joined(), dict[str, set[str]]()
        for stream, facts in by_stream.items():
            if stream.partition(":")[0] in (*projection.concepts, *projection.everywhere):
                joined.streams[stream] = self._folded(projection, stream, facts, until)
                for subject in subjects_of(projection, stream, joined.streams[stream].state):
                    speaks.setdefault(subject, set()).add(stream)
        if not (speaks or governed):
            return joined
        touched = set(speaks)
        if governed or EVERYWHERE in touched:
            touched.update(self._tables.subjects(projection))
        routes = self._tables.streams_of(projection, [EVERYWHERE, *sorted(touched - {EVERYWHERE})])
        for subject, streams in routes.items():
            added = speaks.get(subject, set()).difference(streams)
            joined.routes += [(subject, stream) for stream in sorted(added)]
            streams += added
        first = min((facts[0].position for facts in by_stream.values()), default=until)
        common = routes.pop(EVERYWHERE)
        for subject, streams in routes.items():
            states = {stream: self._state(projection, stream, joined, until) for stream in sorted({*streams, *common})}
            joined.rows[subject] = join(projection, subject, states, known, position=first)
        return joined

    def keep(self, projection: Gathered, joined: Joined) -> None:
        """Keep what a batch made, now that it is written."""
        for stream, folded in joined.streams.items():
            self._put(projection, stream, folded)

    def forget(self) -> None:
        """Drop what is kept in memory."""
        self._kept.clear()

    def _state(self, projection: Gathered, stream: str, joined: Joined, until: int) -> Any:
        if stream in joined.streams:
            return joined.streams[stream].state
        kept = self._kept.get((projection.name, stream))
        if kept is None:
            kept = self._anew(projection, stream, until)
            self._put(projection, stream, kept)
        else:
            self._kept.move_to_end((projection.name, stream))
        return kept.state

    def _folded(self, projection: Gathered, stream: str, new: Sequence[Recorded], until: int) -> Stream:
        """Return a stream folded up to `until`, by one step where what is kept allows it."""
        kept = self._kept.pop((projection.name, stream), None)
        if kept is None or new[0].version != kept.version + 1 or not sorts_last(new, kept.newest):
            return self._anew(projection, stream, until)
        state = advance_entity(projection, kept.state, sorted(new, key=when))
        return Stream(new[-1].version, max(map(when, new)), state)

    def _anew(self, projection: Gathered, stream: str, until: int) -> Stream:
        facts = facts_until(self._store, stream, until)
        return Stream(facts[-1].version, max(map(when, facts)), fold_stream_of(projection, stream, facts))

    def _put(self, projection: Gathered, stream: str, folded: Stream) -> None:
        self._kept[projection.name, stream] = folded
        self._kept.move_to_end((projection.name, stream))
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
