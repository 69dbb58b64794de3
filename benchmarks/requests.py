"""Counting requests: what one costs the host that counts it, and a month of windows of a minute merged and rebuilt."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import cycle, islice
from random import Random
from statistics import median
from threading import Lock, Thread
from typing import Final

import msgspec

from benchmarks.measuring import alternate, ratios, spread, timed
from benchmarks.place import Place
from benchmarks.report import Row, Section, Target, duration, rate, rounds
from opsledger.app import OpsLedger
from opsledger.app.measuring import Accumulator, taken
from opsledger.domain.fact import encode, fact_type
from opsledger.domain.measurement import WindowRecorded, times_of
from opsledger.policies.tally import Tally

__all__ = ["measure"]

_ADD_US: Final = Target("at most", 1.0)
_MONTH_S: Final = Target("at most", 1.0)
_THREADS: Final = 4
_DISTINCT: Final = 60
_BEGAN: Final = datetime(2026, 3, 1, tzinfo=UTC)


def measure(place: Place) -> Section:
    """Measure a call, a month merged, and a month rebuilt."""
    dice = Random(7)
    times = [int(dice.lognormvariate(11, 0.5)) for _ in range(place.sizes.added)]
    windows = _month(place.sizes.windows, times)
    buckets = median(len(window.buckets.counts) for window in windows if window.buckets is not None)
    rows = [*_added(place, times), _merged(place, windows), _rebuilt(place, windows)]
    return Section(
        "Requests counted and merged",
        f"A host calls `Accumulator.add` for each request; times are log-normal around 60 ms, and two bounds are promised. A month is "
        f"{len(windows):,} windows of a minute, each with {len(times):,} requests in {buckets:.0f} buckets. "
        f"{rounds(place.sizes.rounds).capitalize()}, by turns.",
        rows,
        [f"A window has {len(encode(windows[0])):,} bytes in the log."],
    )


def _added(place: Place, times: list[int]) -> list[Row]:
    """Return what a call costs, alone and from several threads, beside a bare counter under a lock."""
    lock, held = Lock(), [0]

    def bare(us: int) -> None:
        with lock:
            held[0] += us

    def each(act: Callable[[int], None]) -> float:
        def all_of_them() -> None:
            for us in times:
                act(us)

        return timed(all_of_them) / len(times)

    def together() -> float:
        requests = _accumulator()

        def work() -> None:
            for us in times:
                requests.add(us)

        def run() -> None:
            threads = [Thread(target=work) for _ in range(_THREADS)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

        return timed(run) / len(times) / _THREADS

    requests = _accumulator()
    acts = {"ours": lambda: each(requests.add), "bare": lambda: each(bare), "threads": together}
    found = alternate(acts, place.sizes.rounds)
    alone = _microseconds("one `Accumulator.add`", found["ours"], found["bare"])
    return [alone, _microseconds(f"one `Accumulator.add`, from {_THREADS} threads at once", found["threads"], found["bare"])]


def _microseconds(what: str, ours: list[float], bare: list[float]) -> Row:
    return Row(
        what,
        "a counter raised under a lock",
        duration(median(ours)),
        duration(median(bare)),
        spread([each * 1e6 for each in ours]),
        unit="µs",
        target=_ADD_US,
    )


def _merged(place: Place, windows: list[WindowRecorded]) -> Row:
    """Return what it takes to merge a month, beside what reading the same windows from their stored bytes takes."""
    told = [times_of(window) for window in windows]
    stored = [encode(window) for window in windows]
    decoder: msgspec.json.Decoder[WindowRecorded] = fact_type(WindowRecorded).decoder

    def merge() -> None:
        tally = Tally()
        for times in told:
            tally.add(times)
        tally.quantiles(50, 95, 99)

    def decode() -> None:
        for state in stored:
            decoder.decode(state)

    found = alternate({"ours": lambda: timed(merge), "decoded": lambda: timed(decode)}, place.sizes.rounds)
    return Row(
        f"{len(windows):,} windows merged, with their percentiles",
        "the same windows decoded",
        duration(median(found["ours"])),
        duration(median(found["decoded"])),
        spread(found["ours"]),
        unit="s",
        target=_MONTH_S,
    )


def _rebuilt(place: Place, windows: list[WindowRecorded]) -> Row:
    """Return how fast the tables are built anew from a ledger of such a month, beside recording it."""
    with OpsLedger.create(place.url("sqlite")) as ledger:
        records = [taken(window) for window in windows]
        actor = ledger.by("host-1", role="host")

        def record() -> None:
            for first in range(0, len(records), 1440):
                actor.observe(records[first : first + 1440], source="host-1")

        recorded = timed(record)
        ledger.catch_up()
        rebuilt = [timed(ledger.tables.rebuild) for _ in range(place.sizes.rebuilds)]
    return Row(
        f"rebuild of all tables, {len(windows):,} windows, SQLite, 1 process",
        "recording them, a day at a time",
        rate(len(windows) / median(rebuilt), "windows"),
        rate(len(windows) / recorded, "windows"),
        ratios([recorded] * len(rebuilt), rebuilt),
        remark="no target",
    )


def _month(count: int, times: list[int]) -> list[WindowRecorded]:
    """Return windows of a minute one after the other: some that differ, again and again."""
    distinct = []
    for number in range(min(_DISTINCT, count)):
        requests = _accumulator()
        for us in islice(cycle(times), number, number + len(times)):
            requests.add(us + number * 997)
        ((_, window),) = requests.flush().facts
        distinct.append({name: getattr(window, name) for name in WindowRecorded.__dataclass_fields__})
    minute = timedelta(minutes=1)
    return [
        WindowRecorded(
            **{**distinct[place % len(distinct)], "started_at": _BEGAN + place * minute, "ended_at": _BEGAN + (place + 1) * minute}
        )
        for place in range(count)
    ]


def _accumulator() -> Accumulator:
    instants = iter(_BEGAN + timedelta(seconds=number) for number in range(10))
    named = {"service_id": "api", "kind": "api", "source": "host-1"}
    return Accumulator("api-requests", below_us=(150_000, 500_000), clock=lambda: next(instants), **named)
