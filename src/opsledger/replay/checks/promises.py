"""Promises: every due time stamped in a fact is the one derived from what was known at its position."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from opsledger.audit.continuity import misfit
from opsledger.audit.findings import Checked
from opsledger.domain.concept import Signals, clocks_of
from opsledger.domain.fact import FactType, fact_type
from opsledger.domain.recorded import Recorded, in_business_order, is_correction
from opsledger.errors import OpsledgerError, Unfoldable
from opsledger.ledger.codec import read
from opsledger.ledger.envelope import Row
from opsledger.policies.clocks import Clocks
from opsledger.policies.instants import iso, micros
from opsledger.policies.known import Known
from opsledger.replay.checks.task import Task, concept_at, place
from opsledger.replay.knowledge import Timeline, timeline

__all__ = ["promises"]


def promises(task: Task) -> None:
    """Check the promises of every stream that has clocks."""
    known = timeline(task.store, task.head)
    for rows in task.streams():
        concept = concept_at(rows[0])
        if concept is not None and concept.signals is not None:
            task.result.count("streams")
            _promises_of(rows, concept.signals, known, task.result)


def _promises_of(rows: Sequence[Row], signals: Signals, known: Timeline, result: Checked) -> None:
    """Derive the promises of one stream, each from the facts up to it and from what was known then."""
    hearing = _Hearing(signals)
    newest: dict[tuple[str, int], tuple[Row, str, int | None]] = {}
    for row in rows:
        if (wrong := misfit(row)) is not None:
            result.leave(f"The promises of {row.stream} from position {row.position} on: {wrong} holds what does not belong there.")
            return
        try:
            recorded = read(row)
            hearing.add(recorded)
            kind = fact_type(row.topic)
            if row.source is not None or not kind.promises:
                continue
            clocks = hearing.clocks(known.known_at(row.position))
        except Unfoldable as error:
            result.leave(f"The promises of {row.stream} from there on: {error.sentence}")
            return
        except OpsledgerError as error:
            result.find(f"The promises of position {row.position} ({row.topic}) cannot be derived: {error.sentence}", **place(row, "state"))
            return
        for field, metric in _stamped(kind, row):
            clock = clocks.current(metric)
            due = clock.due()[0] if clock is not None and clock.live else None
            promised = getattr(recorded.fact, field)
            _compare(row, field, due, None if promised is None else micros(promised), result)
            if clock is not None:
                newest[metric, clock.cycle] = (row, field, due)
    try:
        _restated(newest, hearing.clocks(known.known_at(_LAST)), result)
    except OpsledgerError as error:
        result.leave(f"How the promises of {rows[0].stream} stand today: {error.sentence}")


_LAST: Final = 1 << 62


def _stamped(kind: FactType[Any], row: Row) -> Iterable[tuple[str, str]]:
    """Return the (field, metric) of the promises that the stored form has: an older revision may not know them all."""
    if row.revision == kind.revision:
        return kind.promises
    held = msgspec.json.decode(row.state)
    return [(field, metric) for field, metric in kind.promises if field in held]


def _compare(row: Row, field: str, due: int | None, promised: int | None, result: Checked) -> None:
    result.count("promises", 1 if promised is not None or due is not None else 0)
    if promised != due:
        result.find(
            f"Position {row.position} ({row.topic} in {row.stream}) promises {field} {_when(promised)}; "
            f"what was known then gives {_when(due)}.",
            **place(row, f"state.{field}"),
            expected=_when(due),
            found=_when(promised),
        )


def _restated(newest: Mapping[tuple[str, int], tuple[Row, str, int | None]], clocks: Clocks, result: Checked) -> None:
    """List the newest promise of each clock whose due time is another one by all that is known today."""
    today = {(clock.metric.name, clock.cycle): clock for clock in clocks}
    for which, (row, field, promised) in newest.items():
        clock = today.get(which)
        due = None if clock is None or clock.cancelled else clock.due()[0]
        if promised is None or due == promised or (clock is not None and due is None):  # held by a pause, or ended without a verdict
            continue
        result.restate(
            f"{row.stream} was promised {field} {_when(promised)} at position {row.position}; by what is known today it is {_when(due)}.",
            **place(row, f"state.{field}"),
            expected=_when(due),
            found=_when(promised),
        )


class _Hearing:
    """The clocks of one stream, fact by fact in the order of recording: run on where that is enough, else run again."""

    def __init__(self, signals: Signals) -> None:
        self._signals = signals
        self._facts: list[Recorded] = []
        self._heard = 0  # how many of the facts the clocks have heard
        self._clocks: Clocks | None = None
        self._newest = (0, 0)  # time and position of the newest fact heard

    def add(self, recorded: Recorded) -> None:
        """Take one more fact of the stream."""
        self._facts.append(recorded)

    def clocks(self, known: Known) -> Clocks:
        """Return the clocks after all facts, by what is known."""
        fresh = self._facts[self._heard :]
        if self._clocks is None or self._clocks.knows is not known or not self._follows(fresh):
            self._clocks = clocks_of(self._facts, known)
            self._newest = max((recorded.occurred_at, recorded.position) for recorded in in_business_order(self._facts))
        else:
            for recorded in fresh:
                for signal in self._signals(recorded):
                    self._clocks.hear(signal)
        self._heard = len(self._facts)
        return self._clocks

    def _follows(self, fresh: Iterable[Recorded]) -> bool:
        """Return whether facts happened in the order of recording, after all that was heard, and correct nothing."""
        for recorded in fresh:
            happened = (recorded.occurred_at, recorded.position)
            if happened < self._newest or is_correction(recorded):
                return False
            self._newest = happened
        return True


def _when(instant: int | None) -> str:
    return "none" if instant is None else iso(instant)
