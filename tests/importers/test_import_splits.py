"""However a history comes in, in one file or in several, once or again, the facts are the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import status_page
import uptime_monitor
from hypothesis import given, settings
from hypothesis import strategies as st

from opsledger.app import OpsLedger
from opsledger.importers.run import ImportResult
from opsledger.ledger.codec import read_all
from opsledger.policies.instants import at, iso, micros

T = TypeVar("T")
Take = Callable[[OpsLedger, Path, Sequence[Any]], ImportResult]
BEGAN = at("2026-01-29T00:00:00Z")
MINUTES = st.integers(0, 5000)


def stamp(minutes: int) -> str:
    return iso(micros(BEGAN + timedelta(minutes=minutes)))


@st.composite
def entries(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Draw a page: incidents that overlap or not, over or not, some of them maintenance."""
    made = []
    for number in range(draw(st.integers(1, 7))):
        times = sorted(draw(st.lists(MINUTES, min_size=2, max_size=5)))
        work = draw(st.booleans())
        between = st.sampled_from(("Update", "In progress") if work else ("Update", "Monitoring", "Resolved", "Investigating"))
        last = draw(st.sampled_from(("Completed", "Completed", "In progress") if work else ("Resolved", "Resolved", "Monitoring")))
        words = ["Scheduled" if work else "Investigating", *(draw(between) for _ in times[2:]), last]
        updates = [{"at": stamp(minutes), "status": word} for minutes, word in zip(times, words, strict=True)]
        fields: dict[str, Any] = {"updates": updates, "components": draw(st.lists(st.sampled_from(["Pages", "API"]), unique=True))}
        if draw(st.booleans()):
            start, stop = sorted(draw(st.tuples(MINUTES, MINUTES)))
            fields |= {"downtime_start": stamp(start), "downtime_end": stamp(stop)}
        impact = "maintenance" if work else draw(st.sampled_from(("none", "minor", "major", "critical")))
        made.append(status_page.incident(str(number), impact=impact, **fields))
    return made


@st.composite
def rows(draw: st.DrawFn) -> list[str]:
    """Draw a monitor's history of two sites in the order of time, with silences short and long."""
    times = sorted(draw(st.lists(st.integers(0, 20_000), min_size=1, max_size=12, unique=True)))
    return [
        uptime_monitor.probed(stamp(minutes), draw(st.sampled_from(("up", "down"))), slug=draw(st.sampled_from(("shop", "shop-api"))))
        for minutes in times
    ]


def parts(draw: st.DataObject, things: Sequence[T], *, growing: bool) -> list[Sequence[T]]:
    """Draw how things are split into files: one after the other, or each with all that came before."""
    cuts = sorted(draw.draw(st.lists(st.integers(0, len(things)), max_size=3), label="cuts"))
    edges = [0, *cuts, len(things)]
    return [things[0 if growing else low : high] for low, high in pairwise(edges)]


def facts(ledger: OpsLedger) -> dict[str, list[Any]]:
    """Return the facts of every stream but those of runs and of the ledger itself, in their versions' order."""
    found: dict[str, list[Any]] = {}
    for concept in ("incident", "maintenance", "probe", "service", "monitor"):
        for recorded in read_all(ledger.store.streams(f"{concept}:")):
            found.setdefault(recorded.stream, []).append(
                (recorded.topic, recorded.occurred_at, recorded.source_id, _open(ledger, recorded))
            )
    return found


def _open(ledger: OpsLedger, recorded: Any) -> dict[str, Any]:
    values = {name: getattr(recorded.fact, name) for name in recorded.fact.__dataclass_fields__}
    return values | ledger.reveal(recorded)


def check(draw: st.DataObject, things: Sequence[Any], take: Take) -> None:
    files = parts(draw, things, growing=draw.draw(st.booleans(), label="growing"))
    with TemporaryDirectory() as name:
        folder = Path(name)
        with OpsLedger.create(f"sqlite:///{folder}/whole.db") as whole, OpsLedger.create(f"sqlite:///{folder}/split.db") as split:
            once = take(whole, folder, things)
            assert once.rows == once.new + once.known + once.quarantined
            for part in files:
                take(split, folder, part)
            assert facts(split) == facts(whole)
            before = facts(whole)
            again = take(whole, folder, things)
            assert (again.new, again.facts, again.known) == (0, 0, once.new + once.known)
            assert facts(whole) == before


def take_page(ledger: OpsLedger, folder: Path, page: Sequence[Any]) -> ImportResult:
    return status_page.take(ledger, status_page.write(folder / "page.jsonl", *page))


def take_history(ledger: OpsLedger, folder: Path, history: Sequence[Any]) -> ImportResult:
    return uptime_monitor.take(ledger, uptime_monitor.write(folder / "m", *history))


@settings(max_examples=12, deadline=None)
@given(draw=st.data(), page=entries())
def test_any_split_of_a_status_page_gives_the_same_facts(draw: st.DataObject, page: list[dict[str, Any]]) -> None:
    check(draw, page, take_page)


@settings(max_examples=12, deadline=None)
@given(draw=st.data(), history=rows())
def test_any_split_of_a_monitors_history_gives_the_same_facts(draw: st.DataObject, history: list[str]) -> None:
    check(draw, history, take_history)
