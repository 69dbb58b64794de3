"""Several processes on one ledger: writers, a reader that follows them, and writers that are killed."""

from __future__ import annotations

import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from ledger_processes import Worker, go

from opsledger.ledger.store import Store

SQL = Callable[[str], list[tuple[Any, ...]]]
Start = Callable[..., Worker]


def test_writers_and_a_reader_at_once(store: Store, start: Start) -> None:
    """Four writers, each 100 appends of one to three facts, every fourth on a stream that they share."""
    facts = sum(i % 3 + 1 for i in range(100))
    reader = start("tail", str(4 * facts))
    writers = [start("write", name, "100") for name in "abcd"]
    go(reader, *writers)

    written = [writer.finished() for writer in writers]
    acknowledged = [int(word) for lines in written for line in lines if line[0] != "conflicts" for word in line]
    assert sum(int(lines[-1][1]) for lines in written) > 0, "no two writers met on the shared stream; the test shows nothing"
    assert sorted(acknowledged) == list(range(1, 4 * facts + 1)), "no gap, none lost, none doubled"

    rows = store.page(0, 10_000)
    assert [row.position for row in rows] == list(range(1, 4 * facts + 1))
    for stream, total in Counter(row.stream for row in rows).items():
        assert [row.version for row in rows if row.stream == stream] == list(range(1, total + 1))
    assert all(one.recorded_at <= other.recorded_at for one, other in pairwise(rows))
    seen = [[str(row.position), row.stream, str(row.version)] for row in rows]
    assert seen == reader.finished(), "the reader saw every fact once and in order"


def test_a_killed_writer_loses_nothing_that_was_acknowledged(store: Store, start: Start, sql: SQL) -> None:
    """SIGKILL at six points, each somewhere between the acknowledgements of two appends."""
    dice = random.Random(7)
    acknowledged: dict[str, int] = {}
    for name in ("w1", "w2", "w3", "w4", "w5", "w6"):
        writer = start("flood", name)
        go(writer)
        lines = [writer.line() for _ in range(dice.randint(1, 40))]
        time.sleep(dice.random() / 100)
        assert writer.kill() == -signal.SIGKILL
        acknowledged |= {id: int(position) for position, id in lines + writer.rest()}
    writer = start("write", "after", "4")
    go(writer)
    went_on = [int(position) for line in writer.finished()[:-1] for position in line]

    rows = store.page(0, 100_000)
    assert [row.position for row in rows] == list(range(1, len(rows) + 1))
    assert went_on == [row.position for row in rows if row.command_id.startswith("after")] == list(range(len(rows) - 6, len(rows) + 1))
    killed = rows[:-7]
    first = {row.command_id: row.position for row in reversed(killed)}
    assert acknowledged.items() <= first.items()
    assert len(first) - len(acknowledged) <= 6, "beside them at most the one append of each that was under way"
    assert set(Counter(row.command_id for row in killed).values()) == {5}, "each append stands with all its facts"
    for id, position in first.items():
        answer = store.answered(id, "d", "s")
        assert (answer and answer.first_position, store.part(id), store.taken("flood", [id])) == (position, b"sealed " * 50, {id: "m"})
    for kept in ("ledger_request", "ledger_source", "ledger_part"):
        assert sql(f"SELECT count(*) FROM {kept}") == [(len(first),)], "nothing stands without its facts"
