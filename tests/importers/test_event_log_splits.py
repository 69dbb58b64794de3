"""However an event log comes in, in one file or in several, once or again, the facts are the same."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from desk_log import event, take, write
from hypothesis import given, settings
from hypothesis import strategies as st

from opsledger.app import OpsLedger
from opsledger.ledger.codec import read_all

WORDS = ("New", "Working", "Answered", "Waiting", "Parked", "Done", "Archived", "Done at once", "Withdrawn", "Printed")


@st.composite
def logs(draw: st.DrawFn) -> list[str]:
    """Draw a log in the order of time: tickets mixed, several events in a minute, some written twice."""
    minutes = sorted(draw(st.lists(st.integers(0, 59), min_size=1, max_size=14)))
    rows: list[str] = []
    for minute in minutes:
        row = event(
            f"02/02/2026 09:{minute:02}",
            draw(st.sampled_from(WORDS)),
            draw(st.sampled_from(("1", "2", "3"))),
            team=draw(st.sampled_from(("Payments", "Ledgers", ""))),
            line=draw(st.sampled_from(("First", "Second", "Third", "Fourth", ""))),
            severity=draw(st.sampled_from(("Urgent", "Normal", ""))),
        )
        rows += [row] * draw(st.sampled_from((1, 1, 1, 2)))
    return rows


def facts(ledger: OpsLedger) -> dict[str, list[Any]]:
    """Return the facts of every ticket, in their versions' order."""
    found: dict[str, list[Any]] = {}
    for each in read_all(ledger.store.streams("ticket:")):
        values = {name: getattr(each.fact, name) for name in each.fact.__dataclass_fields__ if name != "policy"}
        found.setdefault(each.stream, []).append((each.topic, each.occurred_at, each.source_id, values))
    return found


@settings(max_examples=20, deadline=None)
@given(draw=st.data(), log=logs())
def test_any_split_gives_the_same_facts_and_the_same_log_again_adds_nothing(draw: st.DataObject, log: list[str]) -> None:
    growing = draw.draw(st.booleans(), label="growing")
    cuts = sorted(draw.draw(st.lists(st.integers(0, len(log)), max_size=3), label="cuts"))
    with TemporaryDirectory() as name:
        folder = Path(name)
        with OpsLedger.create(f"sqlite:///{folder}/whole.db") as whole, OpsLedger.create(f"sqlite:///{folder}/split.db") as split:
            once = take(whole, write(folder / "log.csv", *log))
            assert once.rows == len(log) == once.new + once.known + once.quarantined
            for low, high in pairwise([0, *cuts, len(log)]):
                take(split, write(folder / "part.csv", *log[0 if growing else low : high]))
            assert facts(split) == facts(whole)
            before = facts(whole)
            again = take(whole, write(folder / "log.csv", *log))
            assert (again.new, again.facts, again.known) == (0, 0, once.new + once.known)
            assert (again.changed, again.quarantined) == (once.changed, once.quarantined)
            assert facts(whole) == before
