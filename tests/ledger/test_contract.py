"""What every store does, whichever database keeps it: one suite, held against both."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from ledger_rows import MARCH, MINUTE, append, fact, facts

from opsledger.errors import OpsledgerError, Refused, StoreError
from opsledger.ledger.application import create_store, open_store
from opsledger.ledger.envelope import Answered, Append, Appended, Head, Part, Request, Row, Source
from opsledger.ledger.store import KeyTaken, SourceTaken, Store, StreamMoved, pages
from opsledger.ledger.url import LedgerUrl

SQL = Callable[[str], list[tuple[Any, ...]]]
TABLES = ("ledger_meta", "ledger_event", "ledger_request", "ledger_source", "ledger_part", "ledger_hash", "ledger_checkpoint")

# Positions and times.


def test_positions_run_from_one_without_gaps(store: Store) -> None:
    assert store.head() == Head(0, 0)
    assert store.append(append(*facts("ticket:T-1", 1, 3))).first_position == 1
    assert store.append(append(fact("ticket:T-2", 1))).first_position == 4
    assert [(row.position, row.stream, row.version) for row in store.page(0, 10)] == [
        (1, "ticket:T-1", 1),
        (2, "ticket:T-1", 2),
        (3, "ticket:T-1", 3),
        (4, "ticket:T-2", 1),
    ]
    assert store.head().position == 4


def test_a_row_is_read_as_it_was_written(store: Store) -> None:
    written = fact(
        "ticket:T-1",
        1,
        topic="ticket.responded",
        revision=3,
        state=b'{"text":"\xc3\xa9 \\u0000"}',
        occurred_at=MARCH - 5,
        recorded_at=MARCH,
        correlation_id="k-1",
        causation_id="k-2",
        source="servicenow",
        source_id="INC1",
    )
    store.append(append(written))
    expected = Row(1, *written[:6], MARCH, *written[7:])  # type: ignore[arg-type]  # the columns of a fact, in their order
    assert store.page(0, 1) == store.stream("ticket:T-1") == [expected]


def test_the_time_of_recording_is_the_clocks(store: Store) -> None:
    before = time.time_ns() // 1000
    appended = store.append(append(*facts("ticket:T-1", 1, 2)))
    after = time.time_ns() // 1000
    assert before - 1000 <= appended.recorded_at <= after + 1000  # the database's clock may be cut to another unit
    assert [row.recorded_at for row in store.page(0, 2)] == [appended.recorded_at] * 2
    assert appended.clock_at == appended.recorded_at
    assert store.append(append(fact("ticket:T-2", 1))).last_at == appended.recorded_at


def test_the_time_of_recording_never_falls_though_the_times_given_do(store: Store) -> None:
    given = [MARCH + 9, MARCH + 3, MARCH + 12, MARCH + 11]
    first = store.append(append(*(fact("ticket:T-1", i, recorded_at=at) for i, at in enumerate(given, 1))))
    assert [row.recorded_at - MARCH for row in store.page(0, 9)] == [9, 9, 12, 12]
    assert (first.recorded_at, first.last_at) == (MARCH + 12, 0)
    second = store.append(append(fact("ticket:T-1", 5, recorded_at=MARCH - 60)))
    assert (second.recorded_at, second.last_at) == (MARCH + 12, MARCH + 12)
    assert store.head() == Head(5, MARCH + 12)


def test_a_ledger_that_is_not_simulated_takes_no_time_that_is_given(where: LedgerUrl) -> None:
    store = create_store(where, {"ledger_id": "0" * 32, "simulated": "false"})
    before = time.time_ns() // 1000
    store.append(append(*facts("ticket:T-1", 1, 2, recorded_at=MARCH), fact("ticket:T-2", 1, recorded_at=before + 10**12)))
    after = time.time_ns() // 1000
    assert all(before - 1000 <= row.recorded_at <= after + 1000 for row in store.page(0, 9))
    store.close()


def test_an_answer_without_facts_takes_no_position(store: Store) -> None:
    nothing = Append(facts=(), requests=[request("k-1", facts=0)])
    assert store.append(nothing)[:2] == (1, 0)
    assert store.answered("k-1", "ticket.respond", "ticket:T-1") == Answered("m-1", 1, None, 0)
    written = store.append(append(fact("ticket:T-1", 1, recorded_at=MARCH)))
    assert written.first_position == 1
    assert store.append(Append(facts=(), requests=[request("k-2", facts=0)])).recorded_at == MARCH
    assert store.head() == Head(1, MARCH)


# Versions, guards, the future, keys, sources: what refuses an append, and that it then leaves nothing.


def test_a_version_is_taken_once(store: Store) -> None:
    store.append(append(*facts("ticket:T-1", 1, 2)))
    with pytest.raises(StreamMoved) as refused:
        store.append(append(fact("ticket:T-1", 2)))
    assert refused.value.code == "stream.moved"
    store.append(append(fact("ticket:T-1", 3)))
    assert store.heads(["ticket:T-1"]) == {"ticket:T-1": 3}


def test_a_guard_holds_while_its_stream_stands_where_it_was_seen(store: Store) -> None:
    store.append(append(*facts("policy:default", 1, 2)))
    store.append(append(fact("ticket:T-1", 1), guards={"policy:default": 2, "calendar:business": 0}))
    for guards in ({"policy:default": 1}, {"policy:default": 3}, {"calendar:business": 0, "policy:default": 1}):
        with pytest.raises(StreamMoved):
            store.append(append(fact("ticket:T-1", 2), guards=guards))
    store.append(append(fact("calendar:business", 1)))
    with pytest.raises(StreamMoved):
        store.append(append(fact("ticket:T-1", 2), guards={"policy:default": 2, "calendar:business": 0}))


def test_a_fact_may_claim_five_minutes_after_its_recording(store: Store) -> None:
    store.append(append(fact("ticket:T-1", 1, recorded_at=MARCH, occurred_at=MARCH + 5 * MINUTE)))
    with pytest.raises(Refused) as refused:
        store.append(append(fact("ticket:T-1", 2, recorded_at=MARCH, occurred_at=MARCH + 5 * MINUTE + 1)))
    assert refused.value.code == "fact.future"
    assert store.head().position == 1


def test_a_fact_from_the_future_of_the_clock_is_refused(store: Store) -> None:
    now = time.time_ns() // 1000
    store.append(append(fact("ticket:T-1", 1, occurred_at=now + 4 * MINUTE)))
    with pytest.raises(Refused, match=r"5 minutes.*\[fact\.future\]"):
        store.append(append(fact("ticket:T-1", 2, occurred_at=now + 6 * MINUTE)))


def test_a_key_is_answered_once_for_each_decision_and_stream(store: Store) -> None:
    store.append(append(*facts("ticket:T-1", 1, 2), requests=[request("k-1", version=2, facts=2)]))
    with pytest.raises(KeyTaken) as refused:
        store.append(append(fact("ticket:T-1", 3), requests=[request("k-1", version=3)]))
    assert refused.value.code == "request.taken"
    others = [request("k-1", decision="ticket.close"), request("k-1", stream="ticket:T-2", first=1), request("k-2", first=1)]
    store.append(append(fact("ticket:T-1", 3), fact("ticket:T-2", 1), requests=others))
    assert store.answered("k-1", "ticket.respond", "ticket:T-1") == Answered("m-1", 2, 1, 2)
    assert store.answered("k-1", "ticket.close", "ticket:T-1") == Answered("m-1", 1, 3, 1)
    assert store.answered("k-1", "ticket.respond", "ticket:T-2") == Answered("m-1", 1, 4, 1)
    assert store.answered("k-1", "ticket.close", "ticket:T-2") is None


def test_a_record_of_a_source_is_taken_in_once(store: Store) -> None:
    store.append(append(fact("ticket:T-1", 1, source="sn", source_id="1"), sources=[Source("sn", "1", "m-1"), Source("sn", "2", "m-2")]))
    for sources in ([Source("sn", "2", "m-2")], [Source("sn", "3", "m-3"), Source("sn", "1", "other")]):
        with pytest.raises(SourceTaken) as refused:
            store.append(append(fact("ticket:T-1", 2), sources=sources))
        assert refused.value.code == "source.taken"
    with pytest.raises(SourceTaken):
        store.append(append(fact("ticket:T-1", 2, source="sn", source_id="1")))
    store.append(append(fact("ticket:T-1", 2, source="jira", source_id="1"), sources=[Source("jira", "1", "m-9")]))
    assert store.taken("sn", ["1", "2", "3"]) == {"1": "m-1", "2": "m-2"}
    assert store.taken("jira", ["1", "2"]) == {"1": "m-9"}


def test_many_sources_and_streams_are_looked_up_at_once(store: Store) -> None:
    ids = [f"{i}" for i in range(1203)]
    store.append(append(*(fact(f"ticket:T-{i}", 1) for i in ids), sources=[Source("sn", i, f"m-{i}") for i in ids]))
    assert store.taken("sn", [*ids, "unknown"]) == {i: f"m-{i}" for i in ids}
    assert store.heads([f"ticket:T-{i}" for i in [*ids, "unknown"]]) == {f"ticket:T-{i}": 1 for i in ids}
    assert (store.taken("sn", []), store.heads([])) == ({}, {})


WHOLE: dict[str, Any] = {"parts": [Part("d-9", "key", b"sealed")]}
REFUSED: dict[str, tuple[type[OpsledgerError], Append]] = {
    "a taken version": (StreamMoved, append(fact("ticket:T-2", 1), fact("ticket:T-1", 2), **WHOLE)),
    "one version twice": (StreamMoved, append(fact("ticket:T-2", 1), fact("ticket:T-2", 1), **WHOLE)),
    "a guard that moved": (StreamMoved, append(fact("ticket:T-2", 1), guards={"ticket:T-1": 1}, **WHOLE)),
    "a fact from the future": (Refused, append(fact("ticket:T-2", 1), fact("ticket:T-2", 2, occurred_at=1 << 61), **WHOLE)),
    "a taken source": (SourceTaken, append(fact("ticket:T-2", 1), sources=[Source("sn", "8", "m"), Source("sn", "1", "m")], **WHOLE)),
    "one source twice": (SourceTaken, append(fact("ticket:T-2", 1), sources=[Source("sn", "8", "m"), Source("sn", "8", "m")], **WHOLE)),
    "a fact of a taken source": (SourceTaken, append(fact("ticket:T-2", 1, source="sn", source_id="1"), **WHOLE)),
}


@pytest.mark.parametrize("why", [*REFUSED, "a used key"])
def test_what_is_refused_leaves_nothing_and_no_gap(store: Store, sql: SQL, why: str) -> None:
    asked = request("k-1", version=2, facts=2)
    store.append(
        append(fact("ticket:T-1", 1, source="sn", source_id="1"), fact("ticket:T-1", 2), requests=[asked], sources=[Source("sn", "1", "m")])
    )
    before = contents(sql)
    key = (KeyTaken, append(fact("ticket:T-2", 1), requests=[request("k-7"), asked], sources=[Source("sn", "8", "m")], **WHOLE))
    kind, refused = {**REFUSED, "a used key": key}[why]
    for _ in range(3):
        with pytest.raises(kind):
            store.append(refused)
    assert contents(sql) == before
    assert store.append(append(fact("ticket:T-2", 1))).first_position == 3


# Parts and what the ledger says of itself.


def test_a_part_is_kept_beside_the_log(store: Store) -> None:
    store.append(append(fact("ticket:T-1", 1), parts=[Part("d-1", "key-1", b"\x00\xff sealed"), Part("d-2", "key-1", b"")]))
    assert (store.part("d-1"), store.part("d-2"), store.part("d-3")) == (b"\x00\xff sealed", b"", None)


def test_a_part_that_stands_is_kept_and_no_hindrance(store: Store) -> None:
    store.append(append(fact("ticket:T-1", 1), parts=[Part("d-1", "key-1", b"first")]))
    store.append(append(fact("ticket:T-1", 2), parts=[Part("d-1", "key-1", b"other"), Part("d-2", "key-1", b"second")]))
    assert (store.part("d-1"), store.part("d-2")) == (b"first", b"second")


def test_the_ledger_says_what_it_is(store: Store, where: LedgerUrl) -> None:
    assert store.meta() == {"format": "1", "ledger_id": "0" * 32, "simulated": "true"}
    again = open_store(where)
    assert again.meta() == store.meta()
    again.close()


# Reading.


def test_known_at_is_the_newest_fact_recorded_by_then(store: Store) -> None:
    assert store.position_at(MARCH) == 0
    times = [10, 10, 20, 20, 20, 30, 45]
    store.append(append(*(fact("ticket:T-1", i, recorded_at=MARCH + at) for i, at in enumerate(times, 1))))
    for at in range(8, 48):
        assert store.position_at(MARCH + at) == sum(1 for each in times if each <= at), at
    assert (store.position_at(0), store.position_at(1 << 62)) == (0, 7)


def test_pages_give_every_position_once(store: Store) -> None:
    store.append(append(*facts("ticket:T-1", 1, 23)))
    assert [row.position for row in store.page(20, 2)] == [21, 22]
    assert [row.position for row in store.page(0, 100, until=3)] == [1, 2, 3]
    assert store.page(0, 100, until=0) == store.page(23, 5) == store.page(5, 0) == []
    for size in (1, 7, 23, 24):
        assert [row.position for page in pages(store, 3, 20, size) for row in page] == list(range(4, 21))


def test_a_scan_gives_the_columns_of_every_row_once(store: Store) -> None:
    strange = {"role": "a\tb", "source": "elsewhere", "source_id": "\N{SNOWMAN}", "correlation_id": "", "state": b"\0\xff"}
    store.append(append(*facts("ticket:T-1", 1, 1300), fact("ticket:T-Z\u00fcrich", 1, **strange)))
    for after, until in ((0, 1301), (5, 6), (255, 257), (1000, 1301)):
        scanned = [row for rows in store.scan(after, until) for row in rows]
        assert scanned == [tuple(row) for row in store.page(after, until - after)], (after, until)
        assert {type(row) for row in scanned} == {tuple}
    kept = list(store.scan(0, 1301))
    assert [row[0] for rows in kept for row in rows] == list(range(1, 1302)), "what was given stays as it was"
    assert list(store.scan(7, 7)) == []
    assert [row[0] for rows in store.scan(1290, 1400) for row in rows] == list(range(1291, 1302))


def test_a_scan_that_is_broken_off_leaves_the_store_as_it_was(store: Store) -> None:
    store.append(append(*facts("ticket:T-1", 1, 1300)))
    for _ in range(30):  # more often than there are connections
        scan = store.scan(0, 1300)
        assert len(next(scan)) > 100
        scan.close()
    assert store.head().position == 1300


def test_an_interrupt_ends_a_scan(store: Store) -> None:
    store.append(append(*facts("ticket:T-1", 1, 5000)))
    end = time.monotonic() + 0.3
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            while time.monotonic() < end + 10:
                for _ in store.scan(0, 5000):
                    pass
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert len([row for rows in store.scan(0, 5000) for row in rows]) == 5000


def test_stream_pages_give_every_fact_of_every_stream_once(store: Store) -> None:
    for version in range(1, 6):
        store.append(append(*(fact(stream, version) for stream in ("ticket:b", "incident:a", "ticket:a", "ticket:ab", "zone:z"))))
    everything = [(row.stream, row.version) for row in store.page(0, 100)]
    for prefix in ("", "ticket:", "ticket:a", "zone:z", "nothing"):
        for size in (1, 4, 100):
            read: list[tuple[str, int]] = []
            while page := store.stream_page(read[-1] if read else ("", 0), size, until=25, prefix=prefix):
                read += [(row.stream, row.version) for row in page]
            assert read == sorted(each for each in everything if each[0].startswith(prefix)), (prefix, size)
    assert [row.position for row in store.stream_page(("", 0), 100, until=3)] == [2, 3, 1]
    assert [row.version for row in store.stream_page(("ticket:a", 3), 2, until=25)] == [4, 5]


def test_stream_pages_end_with_the_last_stream_that_is_asked_for(store: Store) -> None:
    streams = ("incident:a", "ticket:a", "ticket:ab", "ticket:b", "zone:z")
    store.append(append(*(fact(stream, version) for stream in streams for version in (1, 2))))
    for last in (*streams, "ticket:", "ticket:aa", "a", "zzz", "\U0010ffff"):
        inside = [(stream, version) for stream in streams for version in (1, 2) if stream <= last]
        assert [(row.stream, row.version) for row in store.stream_page(("", 0), 99, until=99, last=last)] == inside, last
    within = store.stream_page(("ticket:a", 1 << 62), 99, until=8, prefix="ticket:", last="ticket:b")
    assert [(row.stream, row.version) for row in within] == [("ticket:ab", 1), ("ticket:ab", 2), ("ticket:b", 1), ("ticket:b", 2)]


def test_a_stream_is_read_above_a_version(store: Store) -> None:
    store.append(append(*facts("ticket:T-1", 1, 3), *facts("ticket:T-10", 1, 2)))
    assert [row.version for row in store.stream("ticket:T-1")] == [1, 2, 3]
    assert [row.version for row in store.stream("ticket:T-1", after=2)] == [3]
    assert store.stream("ticket:T-1", after=3) == store.stream("ticket:T") == []


NASTY = (
    *("ticket", "ticket:", "ticket:T", "ticket:T-1", "ticket:T-10", "ticket:T-1 ", "tickets:T-1", "ticket;T-1", "ticket9", "Ticket:T-1"),
    *(
        "ticket:%",
        "ticket:_",
        "ticket:T%1",
        "ticket:T_1",
        "ticket:T?1",
        "ticket:{schema}",
        "ticket:%s",
        "ticket:'",
        'ticket:"',
        "ticket:\\",
    ),
    *("ticket:\u00e9", "ticket:e\u0301", "ticket:\ud7ff", "ticket:\ue000", "ticket:\U0001f600", "ticket:\U0010ffff", "ticket:\U0010ffffz"),
    *("\U0010ffff:1", "ticket:a/../b", "ticket:; DROP TABLE ledger_event; --"),
)


def test_streams_are_told_apart_whatever_their_ids_hold(store: Store) -> None:
    store.append(append(*(fact(stream, version) for version in (1, 2) for stream in NASTY)))
    for stream in NASTY:
        assert [(row.stream, row.version) for row in store.stream(stream)] == [(stream, 1), (stream, 2)]
    assert store.heads(NASTY) == dict.fromkeys(NASTY, 2)
    for prefix in (*NASTY, "", "t", "ticket:\U0010ffff\U0010ffff"):
        inside = [stream for stream in NASTY if stream.startswith(prefix)]
        assert store.heads_within(prefix) == dict.fromkeys(inside, 2), prefix
        assert [(row.stream, row.version) for row in store.streams(prefix)] == [(stream, v) for v in (1, 2) for stream in inside]
        assert {row.stream for row in store.stream_page(("", 0), 999, until=999, prefix=prefix)} == set(inside)
    assert [row.stream for row in store.stream_page(("", 0), 999, until=len(NASTY))] == sorted(NASTY)


# Waiting, threads, closing.


def test_waiting_ends_when_a_fact_comes_or_the_time_is_over(store: Store, where: LedgerUrl) -> None:
    assert not store.wait(0, 0.05)
    other = open_store(where)  # as another process would
    later = threading.Timer(0.2, other.append, [append(fact("ticket:T-1", 1))])
    later.start()
    begin = time.monotonic()
    assert store.wait(0, 30)
    assert time.monotonic() - begin < 10
    assert store.wait(0, 0)
    assert not store.wait(1, 0.05)
    later.join()
    other.close()


def test_threads_share_a_store(store: Store) -> None:
    appended: list[Appended] = []

    def write(name: str) -> None:
        appended.extend(store.append(append(*facts(f"ticket:{name}", 2 * i + 1, 2 * i + 2))) for i in range(40))

    writers = [threading.Thread(target=write, args=(name,)) for name in "abcdef"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert sorted(each.first_position for each in appended) == list(range(1, 480, 2))
    rows = store.page(0, 1000)
    assert [row.position for row in rows] == list(range(1, 481))
    assert all(one.recorded_at <= next_.recorded_at for one, next_ in pairwise(rows))


def test_closing_waits_for_readers_and_refuses_new_ones(where: LedgerUrl, store: Store) -> None:
    store.append(append(*facts("ticket:T-1", 1, 3000)))
    for _ in range(5):
        closing = open_store(where)
        refused: list[StoreError] = []
        whole: list[int] = []
        busy = threading.Barrier(7)
        threads = [threading.Thread(target=_read_until_refused, args=(closing, busy, whole, refused)) for _ in range(6)]
        for thread in threads:
            thread.start()
        busy.wait()
        closing.close()
        for thread in threads:
            thread.join(30)
        assert [error.code for error in refused] == ["store.closed"] * 6
        assert set(whole) == {3000}
        with pytest.raises(StoreError, match=r"open it again\. \[store\.closed\]"):
            closing.append(append(fact("ticket:T-1", 3001)))
        closing.close()
    assert store.head().position == 3000


def _read_until_refused(store: Store, busy: threading.Barrier, whole: list[int], refused: list[StoreError]) -> None:
    whole.append(len(store.page(0, 5000)))
    busy.wait()
    try:
        while True:
            whole.append(len(store.page(0, 5000)))
    except StoreError as error:
        refused.append(error)


def request(
    key: str, *, decision: str = "ticket.respond", stream: str = "ticket:T-1", version: int = 1, first: int = 0, facts: int = 1
) -> Request:
    return Request(key=key, decision=decision, stream=stream, mac="m-1", version=version, first=first, facts=facts)


def contents(sql: SQL) -> dict[str, list[tuple[Any, ...]]]:
    return {table: sorted(sql(f"SELECT * FROM {table}"), key=repr) for table in TABLES}
