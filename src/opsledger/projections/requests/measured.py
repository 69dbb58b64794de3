"""What the windows of a series come to: folded by UTC day, the highest revision of each, summed for any span. No table of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from typing import Final, NamedTuple

import msgspec

from opsledger.domain.measurement import WindowRecorded, WindowWithdrawn, times_of
from opsledger.domain.recorded import Recorded
from opsledger.policies.instants import DAY_S, SECOND, micros, moment
from opsledger.policies.intervals import union
from opsledger.policies.tally import Tally, Times
from opsledger.policies.throughput import per_minute
from opsledger.projections.table import Row

__all__ = ["DAY", "Day", "Period", "Slot", "Stream", "Window", "days_of", "fold", "start", "summed"]

DAY: Final = DAY_S * SECOND
_HOUR: Final = 3600 * SECOND
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
    concurrent_peak: int | None  # of the sources that know it the sum


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
    begin: int
    withdrawn: dict[int, int]
    said: tuple[int, str, str] = (0, "", "")  # by the newest window: its start, service and kind
    windows: dict[tuple[int, str], Window] = field(default_factory=dict)
    whole: Period | None = None  # kept from one look to the next, as are the hours
    hours: dict[int, Period] = field(default_factory=dict)
    row: Row | None = None

    @property
    def end(self) -> int:
        """When the next day begins."""
        return self.begin + DAY

    @property
    def date(self) -> date:
        """The day."""
        return moment(self.begin).date()

    def add(self, event: WindowRecorded, window: Window) -> None:
        """Add a window, unless a higher revision of it is there."""
        key = (window.started, event.source)
        known = self.windows.get(key)
        if known is None or known[:2] < window[:2]:
            self.windows[key] = window
            self.hours.pop(window.started // _HOUR, None)
        self.said = max(self.said, (window.started, event.service_id, event.kind))
        self.whole = self.row = None

    def forget(self) -> None:
        """Drop what was worked out."""
        self.whole = self.row = None
        self.hours.clear()

    def counting(self) -> Iterator[tuple[tuple[int, str], Window]]:
        """Yield the windows that count, with start and source."""
        return ((key, window) for key, window in self.windows.items() if window.position not in self.withdrawn)

    def within(self, begin: int, end: int) -> Period:
        """Return what the windows that start in [begin, end) come to."""
        if begin <= self.begin and self.end <= end:
            if self.whole is None:
                self.whole = self._by_hours()
            return self.whole
        return self._summed([window for (started, _), window in self.counting() if begin <= started < end])

    def _by_hours(self) -> Period:
        """Sum the hours, of which most days only the newest has changed since the last look."""
        missing: dict[int, list[Window]] = {}
        for (started, _), window in self.counting():
            if started // _HOUR not in self.hours:
                missing.setdefault(started // _HOUR, []).append(window)
        self.hours.update((hour, summed(windows)) for hour, windows in missing.items())
        found = Period()
        for _, hour in sorted(self.hours.items()):
            found.merge(hour)
        found.measured_us = _measured(window for _, window in self.counting())
        found.last_position = max([found.last_position, *self.withdrawn.values()])
        return found

    def _summed(self, windows: list[Window]) -> Period:
        found = summed(windows)
        found.last_position = max([found.last_position, *self.withdrawn.values()])
        return found


@dataclass(slots=True)
class Stream:
    """The days of one stream, by series and midnight: one day of one series, where windows stand where `stream_of` puts them."""

    days: dict[tuple[str, int], Day] = field(default_factory=dict)
    withdrawn: dict[int, int] = field(default_factory=dict)  # position of a window -> position of its withdrawal; shared by the days


def start(stream: str) -> Stream:
    """Return a stream before its first fact."""
    return Stream()


def fold(stream: Stream, recorded: Recorded) -> Stream:
    """Return the stream after one fact more, in any order: of windows with one start and source the highest revision counts."""
    event = recorded.fact
    if isinstance(event, WindowWithdrawn):
        stream.withdrawn[event.withdraws] = max(recorded.position, stream.withdrawn.get(event.withdraws, 0))
        for day in stream.days.values():
            day.forget()
    elif isinstance(event, WindowRecorded):
        window = _window(event, recorded.position)
        begin = window.started // DAY * DAY
        held = stream.days.get((event.series_id, begin))
        if held is None:
            held = stream.days[event.series_id, begin] = Day(event.series_id, begin, stream.withdrawn)
        held.add(event, window)
    return stream


def days_of(series_id: str, streams: Iterable[Stream]) -> list[Day]:
    """Return the days of a series in order. Those that several streams tell of are put together."""
    found: dict[int, Day] = {}
    for stream in streams:
        for (series, begin), day in stream.days.items():
            if series == series_id:
                found[begin] = day if begin not in found else _together(found[begin], day)
    return [day for _, day in sorted(found.items())]


def _together(one: Day, other: Day) -> Day:
    windows = {**one.windows}
    for key, window in other.windows.items():
        known = windows.get(key)
        windows[key] = window if known is None or known[:2] < window[:2] else known
    return Day(one.series_id, one.begin, {**one.withdrawn, **other.withdrawn}, max(one.said, other.said), windows)


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
    told = sorted(windows)
    for window in told:
        found.windows += 1
        found.total += window.total
        found.errors += window.errors
        found.rejected += window.rejected
        found.sum_us = None if found.sum_us is None or window.sum_us is None else found.sum_us + window.sum_us
        found.tally.add(_UNPACK.decode(window.times))
        found.last_position = max(found.last_position, window.position)
        together.setdefault(window.started, []).append(window)
    found.measured_us = _measured(told)
    _load(found, together)
    return found


def _measured(windows: Iterable[Window]) -> int:
    """Return how long any of the windows measured."""
    return sum(high - low for low, high in union((window.started, window.ended) for window in windows))


def _load(found: Period, together: dict[int, list[Window]]) -> None:
    """Add what was asked for and served at once, and the peaks of it."""
    for started, windows in sorted(together.items()):
        ended = max(window.ended for window in windows)
        total, rejected = (sum(counts) for counts in zip(*((window.total, window.rejected) for window in windows), strict=True))
        waiting = [window.backlog for window in windows if window.backlog is not None]
        at_once = [window.concurrent_peak for window in windows if window.concurrent_peak is not None]
        backlog, concurrent = sum(waiting) if len(waiting) == len(windows) else None, sum(at_once) if at_once else None
        found.slots.append(Slot(started, ended, total, rejected, backlog, concurrent))
        asked, served = per_minute(total, ended - started), per_minute(total - rejected, ended - started)
        found.peak = asked if found.peak is None else max(found.peak, asked)
        found.peak_served = served if found.peak_served is None else max(found.peak_served, served)
        if concurrent is not None:
            found.concurrent_peak = max(concurrent, found.concurrent_peak or 0)
