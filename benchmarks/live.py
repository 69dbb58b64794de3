"""Live: from an append until the tables show it, at an even rate of appends; calm, and while all tables are rebuilt.

Three processes, as in use: the host records, a watcher keeps the tables up, and for a while a third one rebuilds them. The host
begins an append at every tick of the rate, whether or not the one before was quick. A fact is visible from the moment at which
the watcher's transaction with it has been committed; the wait is counted from when the host began to record.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import count, pairwise
from pathlib import Path
from statistics import median
from typing import Any, Final, NamedTuple

from benchmarks import ledgers
from benchmarks.measuring import percentile, ratios, spread
from benchmarks.place import KINDS, Kind, Place, named
from benchmarks.report import ABOUT_ONE, Row, Section, Target, duration, rounds
from benchmarks.workers import Worker
from opsledger.app import OpsLedger
from opsledger.app.ledger import ActorHandle
from opsledger.domain import calendar, ticket
from opsledger.domain.concept import SYSTEM
from opsledger.policies.support import Priority

__all__ = ["measure"]

_VISIBLE: Final = Target("at most", 100)
_LAG: Final = Target("at most", 1.0)
_AT_ONCE: Final = 20  # tickets that the desk works on
_WORDS: Final = "We are still on it, and tell you more before the evening."


class _Act(NamedTuple):
    """An act of the host: when it began and ended to record, and the position of its last fact."""

    begin: float
    end: float
    position: int

    @property
    def taken(self) -> float:
        return self.end - self.begin


@dataclass(frozen=True, slots=True)
class _Phase:
    """Acts at an even rate, how long each took to be seen in the tables, and the share of the processors that was busy."""

    acts: list[_Act]
    waits: list[float]
    busy: float


@dataclass(frozen=True, slots=True)
class _Round:
    """A calm phase, and one during which all tables were rebuilt."""

    calm: _Phase
    beside: _Phase
    rebuild: dict[str, Any]

    @property
    def longest_table(self) -> float:
        """The seconds in which one table was compared and applied, of the table that took longest."""
        return float(max(self.rebuild["spent_s"].values()))


def measure(place: Place) -> Section:
    """Measure on both databases."""
    rows: list[Row] = []
    notes: list[str] = []
    for kind in KINDS:
        seen, facts = _rounds(place, kind)
        rows += _rows(seen, kind)
        notes.append(_note(seen, kind, facts))
    return Section(
        "Live",
        f"{place.sizes.live_rate} acts a second by `OpsLedger.record`, those of a ticket's life, for {duration(place.sizes.live_s)} and "
        f"then for as long as a rebuild of all tables takes; {rounds(place.sizes.live_rounds)}. A wait begins with the act, not with "
        "its end. The ledger holds the example's year in copies.",
        rows,
        notes,
    )


def _rounds(place: Place, kind: Kind) -> tuple[list[_Round], int]:
    """Return what was seen in each round, and how many facts the ledger had before."""
    url, sizes = place.url(kind), place.sizes
    with ledgers.create(url, sizes.live_events, _now) as ledger:
        facts = ledger.catch_up()
        for name in ledger.known.calendars():
            ledger.by(SYSTEM, role="system").record(calendar.extend, name)
        watcher, rebuilders = Worker("follow", url), [Worker("rebuild", url) for _ in range(sizes.live_rounds)]
        for worker in (watcher, *rebuilders):
            worker.ready()
        watcher.go()
        deeds, phases = _deeds(ledger), []
        for rebuilder in rebuilders:
            phases.append(_work(deeds, sizes.live_rate, _lasting(sizes.live_s)))
            rebuilder.go()
            phases.append(_work(deeds, sizes.live_rate, lambda rebuilder=rebuilder: rebuilder.ended))  # type: ignore[misc]  # a loop's own
        shown = watcher.result()["shown"]
    positions = [position for position, _ in shown]

    def phase(acts: list[_Act], busy: float) -> _Phase:
        return _Phase(acts, [shown[bisect_left(positions, act.position)][1] - act.begin for act in acts], busy)

    made = [phase(acts, busy) for acts, busy in phases]
    return [_Round(calm, beside, each.result()) for calm, beside, each in zip(made[::2], made[1::2], rebuilders, strict=True)], facts


def _now() -> datetime:
    return datetime.now(UTC)


def _lasting(seconds: float) -> Callable[[], bool]:
    end = time.monotonic() + seconds
    return lambda: time.monotonic() >= end


def _work(deeds: Iterator[Callable[[], int]], per_second: int, ended: Callable[[], bool]) -> tuple[list[_Act], float]:
    """Begin an act at every tick of the rate, or at once where the one before took longer; return them and how busy all was."""
    acts: list[_Act] = []
    due = time.monotonic()
    idle, whole = _idle()
    while not ended() or not acts:
        begin = time.monotonic()
        if begin < due:
            time.sleep(due - begin)
            begin = time.monotonic()
        position = next(deeds)()
        acts.append(_Act(begin, time.monotonic(), position))
        due += 1 / per_second
    later_idle, later_whole = _idle()
    return acts, 1 - (later_idle - idle) / max(1, later_whole - whole)


def _idle() -> tuple[int, int]:
    """Return how long the machine's processors have been idle, and how long they have been there, since it began."""
    spent = [int(each) for each in Path("/proc/stat").read_text(encoding="ascii").partition("\n")[0].split()[1:9]]
    return spent[3] + spent[4], sum(spent)


def _deeds(ledger: OpsLedger) -> Iterator[Callable[[], int]]:
    """Yield acts on tickets without end; each records and returns its position."""
    agent = ledger.by("u-ana", role="support")
    life: tuple[tuple[Callable[..., Any], dict[str, Any]], ...] = (
        (ticket.register, {"customer_id": "C-1", "channel": "email", "priority": Priority.HIGH, "summary": _WORDS}),
        (ticket.assign, {"group": "desk", "assignee_id": "u-ana"}),
        (ticket.respond, {"message": _WORDS}),
        (ticket.update_customer, {"message": _WORDS}),
        (ticket.pause, {"reason": "awaiting_customer"}),
        (ticket.hear_from_customer, {"message": _WORDS}),
        (ticket.resolve, {"code": "fixed"}),
        (ticket.close, {}),
    )
    for wave in count():
        for act, said in life:
            for number in range(_AT_ONCE):
                who = {"requester_id": f"p-live-{number}"} if act is ticket.register else {}
                yield partial(_recorded, agent, act, f"L-{wave}-{number}", {**said, **who})


def _recorded(actor: ActorHandle, act: Callable[..., Any], id: str, said: dict[str, Any]) -> int:
    position = actor.record(act, id, **said).position
    assert position is not None, f"{act.__name__} recorded nothing"
    return position


def _rows(seen: list[_Round], kind: Kind) -> list[Row]:
    rows = [_visible(seen, kind, 0.99, _VISIBLE), _visible(seen, kind, 0.5, None)]
    for share in (0.5, 0.99):
        beside, calm = ([percentile([act.taken for act in phase.acts], share) for phase in phases] for phases in _phases(seen))
        rows.append(
            Row(
                f"an act beside a rebuild, p{share * 100:.0f}, {named(kind)}",
                "itself when calm",
                duration(median(beside)),
                duration(median(calm)),
                ratios(beside, calm),
                target=ABOUT_ONE,
            )
        )
    waits, tables = [max(each.beside.waits) for each in seen], [each.longest_table for each in seen]
    rows.append(
        Row(
            f"longest wait for the tables beside a rebuild, {named(kind)}",
            "to compare and apply one table, the longest",
            duration(median(waits)),
            duration(median(tables)),
            ratios(waits, tables),
            target=_LAG,
        )
    )
    return rows


def _phases(seen: list[_Round]) -> tuple[list[_Phase], list[_Phase]]:
    return [each.beside for each in seen], [each.calm for each in seen]


def _visible(seen: list[_Round], kind: Kind, share: float, target: Target | None) -> Row:
    waits = [1e3 * percentile(each.calm.waits, share) for each in seen]
    value = spread(waits)
    return Row(
        f"from an act to the tables, p{share * 100:.0f}, {named(kind)}",
        "",
        duration(value.median / 1e3),
        "",
        value,
        unit="ms",
        target=target,
        remark="" if target else "no target",
    )


def _note(seen: list[_Round], kind: Kind, facts: int) -> str:
    beside, calm = _phases(seen)
    last = seen[-1].rebuild
    pauses = [later.begin - act.begin for phase in calm for act, later in pairwise(phase.acts)]
    compared = sum(last["spent_s"].values())
    longest = sorted(last["spent_s"].items(), key=lambda each: -each[1])[:3]
    return (
        f"{named(kind)}: an act began every {duration(median(pauses or [0.0]))}, on a ledger of {facts:,} facts. The processors were busy "
        f"{median(each.busy for each in calm):.0%} of the time when calm and {median(each.busy for each in beside):.0%} beside a rebuild, "
        f"which takes one of them for itself. It took {duration(last['end'] - last['begin'])}; comparing its tables, during which the "
        f"watcher waits, took {duration(compared)} of that, and the longest were "
        f"{', '.join(f'{name} {duration(seconds)}' for name, seconds in longest)}. {last['differed']:,} rows differed from the log."
    )
