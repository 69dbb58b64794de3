"""Building rows from the log, from the beginning up to a cut, stream by stream: for rebuild, as-of and verify.

Memory stays flat: one page of the log, one stream's facts and one buffer of rows are held. Every stream is folded alone, so
the work can be parted by stream; the order of streams does not matter to any row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from opsledger.domain.recorded import Recorded, until
from opsledger.ledger.codec import read
from opsledger.ledger.store import Store
from opsledger.projections.kinds import Entry, Knowing, Projection
from opsledger.projections.table import Row
from opsledger.replay.folding import entry_rows, fold_entity, fold_knowing
from opsledger.replay.knowledge import Timeline

__all__ = ["Cut", "Progress", "Sink", "build", "fold_stream"]

Progress = Callable[[int, int], None]
"""Told (done, of) in facts."""

Sink = Callable[[str, list[Row]], None]
"""Takes rows of a table, by its name."""

_PAGE: Final = 5000
_BUFFER: Final = 8000


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


def build(store: Store, projections: Sequence[Projection], known: Timeline, cut: Cut, sink: Sink, progress: Progress | None = None) -> None:
    """Fold every stream through the projections and hand the rows to `sink`, in pieces."""
    buffers: dict[str, list[Row]] = {table.name: [] for projection in projections for table in projection.tables}
    done = 0
    for facts in _streams(store, cut.position):
        done += len(facts)
        within = cut.facts(facts)
        if within:
            for made in fold_stream(projections, within, within, known, cut.position):
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


def fold_stream(
    projections: Sequence[Projection], facts: Sequence[Recorded], fresh: Sequence[Recorded], known: Timeline, position: int
) -> tuple[dict[str, Sequence[Row]], dict[str, list[Row]]]:
    """Return the rows of one stream: all of those folded from it, and those of its `fresh` facts one by one."""
    folded: dict[str, Sequence[Row]] = {}
    single: dict[str, list[Row]] = {}
    for projection in projections:
        if isinstance(projection, Entry):
            single.update(entry_rows(projection, fresh))
        elif projection.concept == facts[0].concept:
            if isinstance(projection, Knowing):
                state = fold_knowing(projection, facts[0].id, facts, known, position)
            else:
                state = fold_entity(projection, facts[0].id, facts)
            folded.update(projection.rows(state))
    return folded, single


def _streams(store: Store, position: int) -> Iterator[list[Recorded]]:
    """Yield the facts of each stream up to a position, one stream after the other."""
    after = ("", 0)
    facts: list[Recorded] = []
    while rows := store.stream_page(after, _PAGE, until=position):
        for row in rows:
            if facts and facts[-1].stream != row.stream:
                yield facts
                facts = []
            facts.append(read(row))
        after = (rows[-1].stream, rows[-1].version)
    if facts:
        yield facts
