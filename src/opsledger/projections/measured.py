"""What the windows of a series come to: folded by UTC day, the highest revision of each, summed for any span. No table of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from typing import NamedTuple

import msgspec

from opsledger.domain.measurement import WindowRecorded, WindowWithdrawn, times_of
from opsledger.domain.recorded import Recorded
from opsledger.policies.instants import DAY_S, SECOND, micros
from opsledger.policies.intervals import Interval, union
from opsledger.policies.tally import Tally, Times
from opsledger.policies.throughput import per_minute

__all__ = ["Day", "Period", "Slot", "Window", "fold", "start", "summed"]

_PACK = msgspec.msgpack.Encoder()
_UNPACK = msgspec.msgpack.Decoder(Times)


class Window(NamedTuple):
    """One window that counts. Instants in microseconds; `times` packed, since a day has many."""

    revision: int
    position: int
    started: int
    ended: int
    total: int
    errors: int
    rejected: int
    sum_us: int | None
    backlog: int | None
    concurrent_peak: int | None
    times: bytes


class Slot(NamedTuple):
    """What all sources counted in windows that start together."""

    started: int
    ended: int
    total: int
    rejected: int
    backlog: int | None  # None: a source does not know


@dataclass(slots=True)
class Period:
    """What windows come to. Sums are None where a window with times does not know its own."""

    windows: int = 0
    total: int = 0
    errors: int = 0
    rejected: int = 0
    sum_us: int | None = 0
    measured_us: int = 0  # the time in which any source measured
    peak: Fraction | None = None  # requests a minute, of the windows that start together
    peak_served: Fraction | None = None
    concurrent_peak: int | None = None  # of sources that measure together the sum
    tally: Tally = field(default_factory=Tally)
    slots: list[Slot] = field(default_factory=list)  # in the order of time
    last_position: int = 0

    def merge(self, other: Period) -> None:
        """Add a later period."""
        self.windows += other.windows
        self.total += other.total
        self.errors += other.errors
        self.rejected += other.rejected
        self.sum_us = None if self.sum_us is None or other.sum_us is None else self.sum_us + other.sum_us
        self.measured_us += other.measured_us
        self.peak = max((each for each in (self.peak, other.peak) if each is not None), default=None)
        self.peak_served = max((each for each in (self.peak_served, other.peak_served) if each is not None), default=None)
        peaks = [each for each in (self.concurrent_peak, other.concurrent_peak) if each is not None]
        self.concurrent_peak = max(peaks, default=None)
        self.tally.merge(other.tally)
        self.slots += other.slots
        self.last_position = max(self.last_position, other.last_position)


@dataclass(slots=True)
class Day:
    """The windows of a series that start on one UTC day, by start and source. `begin` is its midnight, in microseconds."""

    series_id: str
    name: str
    begin: int
    said: tuple[int, str, str] = (0, "", "")  # by the newest window: its start, service and kind
    windows: dict[tuple[int, str], Window] = field(default_factory=dict)
    withdrawn: dict[int, int] = field(default_factory=dict)  # position of a window -> position of its withdrawal
    whole: Period | None = None  # kept from one look to the next

    @property
    def end(self) -> int:
        """When the next day begins."""
        return self.begin + DAY_S * SECOND

    def counting(self) -> Iterator[tuple[tuple[int, str], Window]]:
        """Yield the windows that count, with start and source."""
        return ((key, window) for key, window in self.windows.items() if window.position not in self.withdrawn)

    def within(self, begin: int, end: int) -> Period:
        """Return what the windows that start in [begin, end) come to."""
        if begin <= self.begin and self.end <= end:
            if self.whole is None:
                self.whole = self._summed([window for _, window in self.counting()])
            return self.whole
        return self._summed([window for (started, _), window in self.counting() if begin <= started < end])

    def _summed(self, windows: list[Window]) -> Period:
        found = summed(windows)
        found.last_position = max([found.last_position, *self.withdrawn.values()])
        return found


def start(stream: str) -> Day:
    """Return a day before its first fact; `stream` is `measurement:api-requests/2026-03-14`."""
    series_id, _, name = stream.partition(":")[2].rpartition("/")
    days = date.fromisoformat(name).toordinal() - date(1970, 1, 1).toordinal()
    return Day(series_id, name, days * DAY_S * SECOND)


def fold(day: Day, recorded: Recorded) -> Day:
    """Return the day after one fact more, in any order: of windows with one start and source the highest revision counts."""
    event = recorded.fact
    day.whole = None
    if isinstance(event, WindowWithdrawn):
        day.withdrawn[event.withdraws] = max(recorded.position, day.withdrawn.get(event.withdraws, 0))
    elif isinstance(event, WindowRecorded):
        window = _window(event, recorded.position)
        key = (window.started, event.source)
        known = day.windows.get(key)
        if known is None or known[:2] < window[:2]:
            day.windows[key] = window
        day.said = max(day.said, (window.started, event.service_id, event.kind))
    return day


def _window(event: WindowRecorded, position: int) -> Window:
    return Window(
        revision=event.revision,
        position=position,
        started=micros(event.started_at),
        ended=micros(event.ended_at),
        total=event.total,
        errors=event.errors,
        rejected=event.rejected,
        sum_us=event.sum_us if event.timed else 0,
        backlog=event.backlog,
        concurrent_peak=event.concurrent_peak,
        times=_PACK.encode(times_of(event)),
    )


def summed(windows: Iterable[Window]) -> Period:
    """Return what windows come to, whatever their order."""
    found = Period()
    together: dict[int, list[Window]] = {}
    spans: list[Interval] = []
    for window in sorted(windows):
        found.windows += 1
        found.total += window.total
        found.errors += window.errors
        found.rejected += window.rejected
        found.sum_us = None if found.sum_us is None or window.sum_us is None else found.sum_us + window.sum_us
        found.tally.add(_UNPACK.decode(window.times))
        found.last_position = max(found.last_position, window.position)
        together.setdefault(window.started, []).append(window)
        spans.append((window.started, window.ended))
    found.measured_us = sum(high - low for low, high in union(spans))
    _load(found, together)
    return found


def _load(found: Period, together: dict[int, list[Window]]) -> None:
    """Add what was asked for and served at once, and the peaks of it."""
    for started, windows in sorted(together.items()):
        ended = max(window.ended for window in windows)
        total, rejected = (sum(counts) for counts in zip(*((window.total, window.rejected) for window in windows), strict=True))
        waiting = [window.backlog for window in windows if window.backlog is not None]
        found.slots.append(Slot(started, ended, total, rejected, sum(waiting) if len(waiting) == len(windows) else None))
        asked, served = per_minute(total, ended - started), per_minute(total - rejected, ended - started)
        found.peak = asked if found.peak is None else max(found.peak, asked)
        found.peak_served = served if found.peak_served is None else max(found.peak_served, served)
        at_once = [window.concurrent_peak for window in windows if window.concurrent_peak is not None]
        if at_once:
            found.concurrent_peak = max(sum(at_once), found.concurrent_peak or 0)
