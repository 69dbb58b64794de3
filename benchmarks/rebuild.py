"""Rebuild: all tables built anew from the log, beside the stock runner that keeps one small view.

Ours folds every table of the product, compares it with what stands and applies the difference, of which there is none here. The
stock `ProjectionRunner` calls `process_event` for each event; its view writes the status of the event's ticket and the tracking
position in a transaction of its own, in PostgreSQL as its documentation has it, and for comparison in a dictionary.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median
from typing import Final

from benchmarks import ledgers
from benchmarks.measuring import Spread, alternate, profile, ratios, spread, timed
from benchmarks.place import Kind, Place, named
from benchmarks.report import ABOUT_ONE, Row, Section, Target, duration, rate, rounds
from benchmarks.stock import Desk, InMemory, InPostgres, environment, fill, project, state_bytes
from benchmarks.workers import Worker
from opsledger.app import OpsLedger

__all__ = ["measure"]

_RATIO: Final = Target("at least", 100)
_SPEED: Final = Target("at least", 100_000)
_WORKERS: Final = 2  # as many as the cores for which the design names its target
_MEMORY: Final = Target("at most", 1.2)
_ON_POSTGRES: Final = "the stock runner on a view in PostgreSQL"
_ON_MEMORY: Final = "the stock runner on a dictionary in memory, which writes nothing"


@dataclass(frozen=True, slots=True)
class _Built:
    """A ledger whose tables stand, and how many facts it has."""

    kind: Kind
    ledger: OpsLedger
    facts: int

    @property
    def name(self) -> str:
        return f"{self.facts:,} facts, {named(self.kind)}"

    def by(self, workers: int) -> str:
        return f"{self.name}, {_processes(workers)}"

    def rebuild(self, workers: int = 1) -> None:
        """Build all tables anew."""
        differences = self.ledger.tables.rebuild(workers=workers)
        assert not any(each.rows for each in differences), "the tables were not equal to the log"

    def speed(self, workers: int) -> Callable[[], float]:
        """Return an act that gives the facts per second of a rebuild by so many processes."""
        return lambda: self.facts / timed(lambda: self.rebuild(workers))


def _processes(workers: int) -> str:
    return "1 process" if workers == 1 else f"{workers} processes"


def measure(place: Place) -> Section:
    """Measure rebuilds of several sizes, by one process and by two, and the stock runner in turn with them."""
    sizes = place.sizes
    with ExitStack() as stack:
        built = [_build(place, "sqlite", events, stack) for events in sizes.events]
        built.append(_build(place, "postgresql", sizes.postgres_events, stack))
        largest, on_postgres = built[-2], built[-1]
        contenders, stock_bytes = _stock(place)
        contenders |= {each.by(1): each.speed(1) for each in built}
        contenders |= {each.by(_WORKERS): each.speed(_WORKERS) for each in (largest, on_postgres)}
        found = alternate(contenders, sizes.rebuilds)
        rows = [
            *(_against(each, _WORKERS, found, _ON_POSTGRES, _RATIO) for each in (largest, on_postgres)),
            *(_against(each, 1, found, _ON_POSTGRES, None) for each in (largest, on_postgres)),
            *(_against(each, 1, found, _ON_MEMORY, None) for each in (largest, on_postgres)),
            *(_speed(each, found) for each in (largest, on_postgres)),
            _growth(built[0], largest, found),
            *(_memory(built[0], largest, workers) for workers in (1, _WORKERS)),
        ]
        spent = [(each, profile(each.rebuild)) for each in (built[0], on_postgres)]
        tables = sum(len(each.tables) for each in largest.ledger.tables.tables.schema.projections.values())
    measured = "; ".join(f"{each.by(1)}: {rate(median(found[each.by(1)]), 'facts')}" for each in built)
    return Section(
        "Rebuild of all tables",
        f"All {tables} tables of the example's year, in several copies, are built anew where they stand; {rounds(sizes.rebuilds)}. Sizes "
        f"measured: {measured}. The stock runner projects {sizes.stock_events:,} events of {stock_bytes} bytes in each round. Memory is "
        "that of a process of its own, and of those that it starts.",
        rows,
        [f"Where the time of a rebuild goes, {each.by(1)}: {where}." for each, where in spent],
    )


def _build(place: Place, kind: Kind, events: int, stack: ExitStack) -> _Built:
    ledger = stack.enter_context(ledgers.create(place.url(kind), events))
    return _Built(kind, ledger, ledger.catch_up())


def _stock(place: Place) -> tuple[dict[str, Callable[[], float]], int]:
    """Return what the stock runner does on either view, as events per second, and the mean bytes of its events."""
    settings, events = environment(place, "postgresql"), place.sizes.stock_events
    with Desk(env=settings) as desk:
        fill(desk, events)
        size = state_bytes(desk)
    contenders = {
        _ON_POSTGRES: lambda: events / project(place, settings, InPostgres, events),
        _ON_MEMORY: lambda: events / project(place, settings, InMemory, events),
    }
    return contenders, size


def _against(each: _Built, workers: int, found: dict[str, list[float]], stock: str, target: Target | None) -> Row:
    return Row(
        f"rebuild of all tables, {each.by(workers)}",
        stock,
        rate(median(found[each.by(workers)])),
        rate(median(found[stock])),
        ratios(found[each.by(workers)], found[stock]),
        target=target,
        remark="" if target else "no target",
    )


def _speed(each: _Built, found: dict[str, list[float]]) -> Row:
    value = spread(found[each.by(_WORKERS)])
    what = f"events per second of a rebuild, {each.by(_WORKERS)}"
    return Row(what, "", rate(value.median), "", value, unit="events/s", target=_SPEED)


def _growth(small: _Built, large: _Built, found: dict[str, list[float]]) -> Row:
    """Compare what a fact costs in the largest ledger with what it costs in the smallest one."""
    few, many = found[small.by(1)], found[large.by(1)]
    return Row(
        f"time of a rebuild for each fact, at {large.by(1)}",
        f"at {small.facts:,} facts",
        duration(1 / median(many)),
        duration(1 / median(few)),
        ratios(few, many),
        target=ABOUT_ONE,
    )


def _memory(small: _Built, large: _Built, workers: int) -> Row:
    """Compare the most memory of a rebuild in a process of its own; both go on at once, since nothing is timed."""
    beside = [Worker("peak", each.ledger.url.shown, str(workers)) for each in (small, large)]
    for each in beside:
        each.go()
    few, many = (each.result() for each in beside)
    value = many["peak_kb"] / few["peak_kb"]
    return Row(
        f"most memory of a rebuild, at {large.by(workers)}",
        f"at {small.facts:,} facts",
        f"{many['peak_kb'] // 1024} MB, {many['before_kb'] // 1024} MB before",
        f"{few['peak_kb'] // 1024} MB, {few['before_kb'] // 1024} MB before",
        Spread(value, value, value),
        target=_MEMORY,
    )
