"""The accumulator: what threads count, a flush hands over as one window, exactly at every promised bound."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsledger.app import OpsLedger
from opsledger.app.measuring import Accumulator
from opsledger.domain.measurement import WindowRecorded, times_of
from opsledger.errors import BadInput
from opsledger.policies.buckets import index_of
from opsledger.policies.tally import Tally
from opsledger.testing import at
from opsledger.testing.plugin import Clock


def accumulator(clock: Clock | None = None, *below_us: int) -> Accumulator:
    bounds = below_us or (150_000, 500_000)
    named = {"service_id": "api", "kind": "api", "source": "host-1"}
    return Accumulator("api-requests", below_us=bounds, clock=clock or ticking(), **named)


def ticking() -> Clock:
    """A clock that is a second further at each look."""

    class Ticking(Clock):
        def __call__(self):  # type: ignore[no-untyped-def]  # as in Clock
            return self.forward(seconds=1)

    return Ticking()


def flushed(requests: Accumulator) -> WindowRecorded:
    ((_, window),) = requests.flush().facts
    assert isinstance(window, WindowRecorded)
    return window


def test_a_time_on_the_bound_is_not_below_it() -> None:
    requests = accumulator()
    for us in (149_999, 150_000, 150_001, 499_999, 500_000):
        requests.add(us)
    window = flushed(requests)
    assert [(edge.at_most_us, edge.count) for edge in window.edges] == [(149_999, 1), (499_999, 4)]
    assert (window.total, window.timed, window.sum_us, window.min_us, window.max_us) == (5, 5, 1_449_999, 149_999, 500_000)


@given(st.lists(st.integers(0, 1 << 45)), st.lists(st.integers(1, 1 << 45), min_size=1, max_size=4))
def test_every_time_is_counted_in_its_bucket_and_at_every_edge(times: list[int], below: list[int]) -> None:
    requests = accumulator(None, *below)
    for us in times:
        requests.add(us)
    window = flushed(requests)
    counts: dict[int, int] = {}
    for us in times:
        if us:
            counts[index_of(us)] = counts.get(index_of(us), 0) + 1
    tally = Tally()
    tally.add(times_of(window))
    held = times_of(window)
    if times:
        assert held.ladder is not None
        assert tally.counts(held.ladder) == counts
    assert [(edge.at_most_us, edge.count) for edge in window.edges] == [
        (bound - 1, sum(us < bound for us in times)) for bound in sorted(set(below))
    ]


def test_what_failed_or_was_turned_away_is_asked_for_too() -> None:
    requests = accumulator()
    requests.add(1000)
    requests.add_failed(2000)
    requests.add_failed()
    requests.add_rejected()
    requests.add_rejected(failed=False)
    window = flushed(requests)
    assert (window.total, window.timed, window.errors, window.rejected) == (5, 2, 3, 2)


def test_a_window_goes_on_where_the_last_one_ended_also_when_nothing_came() -> None:
    clock = Clock("2026-03-14T10:00:00Z")
    requests = accumulator(clock)
    requests.add(5)
    clock.forward(minutes=1)
    first = flushed(requests)
    clock.forward(minutes=1)
    second = flushed(requests)
    assert (first.started_at, first.ended_at) == (at("2026-03-14T10:00:00Z"), at("2026-03-14T10:01:00Z"))
    assert (second.started_at, second.ended_at) == (at("2026-03-14T10:01:00Z"), at("2026-03-14T10:02:00Z"))
    assert (second.total, second.sum_us, second.min_us) == (0, 0, None)


def test_gauges_keep_the_most_at_once_and_the_last_backlog_of_the_window() -> None:
    requests = accumulator()
    for count in (3, 9, 4):
        requests.observe_concurrent(count)
        requests.observe_backlog(count)
    window = flushed(requests)
    assert (window.concurrent_peak, window.backlog) == (9, 4)
    assert (flushed(requests).concurrent_peak, flushed(requests).backlog) == (None, None)


@pytest.mark.parametrize("us", [-1, (1 << 64) + 1])
def test_a_time_that_cannot_be_is_refused_and_not_counted(us: int) -> None:
    requests = accumulator()
    with pytest.raises(BadInput, match="cannot take"):
        requests.add(us)
    window = flushed(requests)
    assert (window.total, window.min_us, window.max_us) == (0, None, None)


def test_a_time_with_a_fraction_is_refused() -> None:
    with pytest.raises(TypeError):
        accumulator().add(1.5)  # type: ignore[arg-type]  # what a host without types may do


def test_a_bound_below_which_nothing_lies_is_refused() -> None:
    with pytest.raises(BadInput, match="less than nothing"):
        accumulator(None, 0)


def test_no_request_of_many_threads_is_lost_or_counted_twice() -> None:
    requests, windows = accumulator(), list[WindowRecorded]()
    done = threading.Event()

    def work() -> None:
        for us in range(20_000):
            requests.add(us)

    def flush() -> None:
        while not done.is_set():
            windows.append(flushed(requests))

    threads = [threading.Thread(target=work) for _ in range(4)]
    flusher = threading.Thread(target=flush)
    for thread in (*threads, flusher):
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    flusher.join()
    windows.append(flushed(requests))
    assert sum(window.total for window in windows) == 80_000
    assert sum(window.sum_us or 0 for window in windows) == 4 * sum(range(20_000))
    assert sum(window.edges[-1].count for window in windows) == 80_000


@pytest.fixture
def measured(opsledger_sqlite: OpsLedger, opsledger_clock: Clock) -> Iterator[tuple[OpsLedger, Accumulator]]:
    opsledger_clock.set("2026-03-14T10:00:00Z")
    requests = accumulator(opsledger_clock)
    requests.add(1000)
    opsledger_clock.forward(minutes=1)
    yield opsledger_sqlite, requests


def test_a_window_handed_over_twice_is_recorded_once(measured: tuple[OpsLedger, Accumulator]) -> None:
    ledger, requests = measured
    window = requests.flush()
    assert ledger.by("host-1").observe([window], source="host-1").new == 1
    assert ledger.by("host-1").observe([window], source="host-1").known == 1
    assert [each.topic for each in ledger.history("measurement:api-requests/2026-03-14")] == ["measurement.window_recorded"]
