"""Building rows from the log, from the beginning up to a cut, stream by stream: for rebuild, as-of and verify.

Memory stays flat: one page of the log, one stream's facts and one buffer of rows are held. Every stream is folded alone, so
the work can be parted between streams: a part is what lies between two names in their order, which an index gives, so that
nobody reads what somebody else folds. The order of streams does not matter to any row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, NamedTuple

from opsledger.domain.recorded import Recorded, until
from opsledger.ledger.codec import read
from opsledger.ledger.store import Store
from opsledger.projections.kinds import Entry, Gathered, Knowing, Projection
from opsledger.projections.table import Row
from opsledger.replay.folding import entry_rows, fold_entity, fold_knowing
from opsledger.replay.gathering import Folded, gathered, reading
from opsledger.replay.knowledge import Timeline

__all__ = ["WHOLE", "Cut", "Gather", "Part", "Progress", "Sink", "build", "fold_stream", "parted"]

Progress = Callable[[int, int], None]
"""Told (done, of) in facts."""

Sink = Callable[[str, list[Row]], None]
"""Takes rows of a table, by its name."""

Gather = Callable[[Sequence[Folded]], None]
"""Takes streams as gathered projections fold them; what is joined of them is for whoever has them all."""

_PAGE: Final = 5000
_BUFFER: Final = 1000  # measured: the texts of instants, which one stream repeats in several tables, are still cached then
_SAMPLES: Final = 8
_ABOVE: Final = 1 << 62  # every version


@dataclass(frozen=True, slots=True)
class Cut:
    """Where a replay ends: facts known by `position`, happened by `effective_at` (microseconds; None: no matter when)."""

    position: int
    effective_at: int | None = None

    def facts(self, stream: Sequence[Recorded]) -> Sequence[Recorded]:
        """Return what a stream holds within the cut. Policies and calendars are cut by what is known alone."""
        if self.effective_at is None or (stream and stream[0].concept in ("policy", "calendar")):
            return stream
        return until(stream, self.effective_at)


class Part(NamedTuple):
    """The streams whose names come after `after`, up to and including `last` (None: to the end)."""

    after: str
    last: str | None


WHOLE: Final = Part("", None)


def parted(store: Store, position: int, facts: int) -> list[Part]:
    """Return parts that are all streams together, in order, each with about so many of the facts up to a position.

    Positions have no gaps, so a few of them, evenly spaced, show how many facts lie between two names.
    """
    spaced = range(0, position, max(1, facts // _SAMPLES))
    names = sorted(row.stream for after in spaced for row in store.page(after, 1, until=position))
    ends = dict.fromkeys(names[_SAMPLES::_SAMPLES])
    return [Part(after, last) for after, last in pairwise(["", *ends, None]) if after is not None]


def build(
    store: Store,
    projections: Sequence[Projection],
    known: Timeline,
    cut: Cut,
    sink: Sink,
    gather: Gather,
    progress: Progress | None = None,
    part: Part = WHOLE,
) -> int:
    """Fold every stream of a part through the projections, and return how many facts it had.

    Rows go to `sink` bit by bit, and what gathered projections fold of a stream goes to `gather`.
    """
    single = [projection for projection in projections if not isinstance(projection, Gathered)]
    buffers: dict[str, list[Row]] = {table.name: [] for projection in single for table in projection.tables}
    readers = reading(projections)
    done = 0
    for facts in _streams(store, cut.position, part):
        done += len(facts)
        within = cut.facts(facts)
        if within:
            gather(gathered(readers, within))
            for made in fold_stream(single, within, within, known, cut.position):
                for name, rows in made.items():
                    buffers[name] += rows
        for name, full in buffers.items():
            if len(full) >= _BUFFER:
                sink(name, full)
                buffers[name] = []
        if progress is not None:
            progress(done, cut.position)
    for name, rest in buffers.items():
        sink(name, rest)
    return done


def fold_stream(
    projections: Sequence[Projection], facts: Sequence[Recorded], fresh: Sequence[Recorded], known: Timeline, position: int
) -> tuple[dict[str, Sequence[Row]], dict[str, list[Row]]]:
    """Return the rows of one stream: all of those folded from it, and those of its `fresh` facts one by one."""
    folded: dict[str, Sequence[Row]] = {}
    single: dict[str, list[Row]] = {}
    for projection in projections:
        if isinstance(projection, Gathered):
            continue  # `gathered` folds it
        if isinstance(projection, Entry):
            single.update(entry_rows(projection, fresh))
        elif projection.concept == facts[0].concept:
            if isinstance(projection, Knowing):
                state = fold_knowing(projection, facts[0].id, facts, known, position)
            else:
                state = fold_entity(projection, facts[0].id, facts)
            folded.update(projection.rows(state))
    return folded, single


def _streams(store: Store, position: int, part: Part) -> Iterator[list[Recorded]]:
    """Yield the facts of each stream up to a position, one stream after the other."""
    after = (part.after, _ABOVE if part.after else 0)
    facts: list[Recorded] = []
    while rows := store.stream_page(after, _PAGE, until=position, last=part.last):
        for row in rows:
            if facts and facts[-1].stream != row.stream:
                yield facts
                facts = []
            facts.append(read(row))
        after = (rows[-1].stream, rows[-1].version)
    if facts:
        yield facts
