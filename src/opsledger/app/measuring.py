"""Measuring: a host counts its requests, and hands over a window of them now and then.

    requests = Accumulator("api-requests", service_id="api", kind="api", source="host-1", below_us=(150_000, 500_000))
    requests.add(12_345)                                       # from any thread, for each request
    ledger.by("host-1").observe([requests.flush(), ...], source="host-1")     # from one, every minute

What was flushed and then lost is not measured: keep what `flush` returns until `observe` has taken it. The same window handed over
again adds nothing.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from operator import index
from threading import Lock
from typing import Final

from opsledger.app.taking import Taken
from opsledger.domain.measurement import Buckets, Edge, WindowRecorded, checked, identity, stream_of
from opsledger.errors import BadInput
from opsledger.policies.buckets import BOUNDS, MICROSECOND, SCALE, index_of, packed

__all__ = ["Accumulator", "taken"]

_NONE_YET: Final = BOUNDS[-1] + 1


def _now() -> datetime:
    return datetime.now(UTC)


class Accumulator:
    """Counts requests from any number of threads. `below_us` are the times that promises are made about, strictly below each.

    Times are whole microseconds, rounded up: `-(-ns // 1000)` of nanoseconds. `clock` says when windows start and end.
    """

    __slots__ = (
        "_backlog",
        "_bounds",
        "_clock",
        "_concurrent_peak",
        "_counts",
        "_edges",
        "_errors",
        "_lock",
        "_max",
        "_min",
        "_named",
        "_rejected",
        "_started_at",
        "_sum",
        "_untimed",
    )
    _min: int
    _max: int
    _backlog: int | None
    _concurrent_peak: int | None

    def __init__(
        self,
        series_id: str,
        *,
        service_id: str,
        kind: str,
        source: str,
        below_us: Sequence[int] = (),
        clock: Callable[[], datetime] = _now,
    ) -> None:
        self._named = (series_id, service_id, kind, source)
        self._edges = tuple(sorted({below - 1 for below in below_us}))
        if any(edge < 0 for edge in self._edges):
            raise BadInput("measuring.edge", f"No request takes less than nothing; give {series_id} bounds of 1 microsecond or more.")
        # Within one cell lie times of one bucket and on one side of each edge, so that one look-up counts both.
        self._bounds = sorted({0, *BOUNDS, *self._edges})
        self._clock, self._lock = clock, Lock()
        self._started_at = clock()
        self._begin()

    def add(self, us: int) -> None:
        """Count a request that was answered after so many microseconds, a whole number of them."""
        if us.__class__ is not int:
            us = index(us)
        with self._lock:
            if us < self._min:
                if us < 0:
                    raise BadInput("measuring.time", f"A request cannot take {us} microseconds; measure with a clock that never falls.")
                self._min = us
            if us > self._max:
                if us > BOUNDS[-1]:
                    raise BadInput("measuring.time", f"A request cannot take {us} microseconds; look at the unit.")
                self._max = us
            self._counts[bisect_left(self._bounds, us)] += 1
            self._sum += us

    def add_failed(self, us: int | None = None) -> None:
        """Count a request that failed, after so many microseconds; None: without an answer. It counts as asked for."""
        if us is not None:
            self.add(us)
        with self._lock:
            self._errors += 1
            self._untimed += us is None

    def add_rejected(self, *, failed: bool = True) -> None:
        """Count a request that was turned away unserved. It counts as asked for and, unless told otherwise, as failed."""
        with self._lock:
            self._rejected += 1
            self._errors += failed
            self._untimed += 1

    def observe_concurrent(self, count: int) -> None:
        """Say how many users or requests there are at once; the window keeps the most."""
        with self._lock:
            self._concurrent_peak = max(count, self._concurrent_peak or 0)

    def observe_backlog(self, count: int) -> None:
        """Say how much waits to be processed; the window keeps what was said last."""
        with self._lock:
            self._backlog = count

    def flush(self) -> Taken:
        """Return what was counted since the last flush, also where it is nothing, and begin the next window."""
        with self._lock:
            ended_at = self._clock()
            window = self._window(ended_at)
            self._started_at = ended_at
            self._begin()
        return taken(window)

    def _begin(self) -> None:
        self._counts = [0] * len(self._bounds)
        self._sum = self._errors = self._rejected = self._untimed = 0
        self._min, self._max = _NONE_YET, -1
        self._backlog = self._concurrent_peak = None

    def _window(self, ended_at: datetime) -> WindowRecorded:
        series_id, service_id, kind, source = self._named
        timed = sum(self._counts)
        return WindowRecorded(
            started_at=self._started_at,
            ended_at=ended_at,
            series_id=series_id,
            service_id=service_id,
            kind=kind,
            source=source,
            total=timed + self._untimed,
            errors=self._errors,
            rejected=self._rejected,
            timed=timed,
            sum_us=self._sum,
            min_us=self._min if timed else None,
            max_us=self._max if timed else None,
            edges=tuple(Edge(at_most_us=edge, count=sum(self._counts[: bisect_left(self._bounds, edge) + 1])) for edge in self._edges),
            buckets=self._buckets(),
            backlog=self._backlog,
            concurrent_peak=self._concurrent_peak,
        )

    def _buckets(self) -> Buckets:
        held: dict[int, int] = {}
        for bound, count in zip(self._bounds[1:], self._counts[1:], strict=True):
            if count:
                bucket = index_of(bound)
                held[bucket] = held.get(bucket, 0) + count
        steps, counts = packed(held)
        return Buckets(scale=SCALE, unit_ns=MICROSECOND, zero=self._counts[0], steps=steps, counts=counts)


def taken(window: WindowRecorded) -> Taken:
    """Return a window as `observe` takes it, under its identity. Raises BadInput where its counts do not agree with each other."""
    return Taken(identity(checked(window)), ((stream_of(window.series_id, window.started_at), window),))
