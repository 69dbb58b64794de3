"""Tables gathered from several streams: a late fact restates them, live equals rebuild, and what cannot be joined stops the tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opsledger.app import OpsLedger
from opsledger.domain import ledger as l
from opsledger.domain import policy, ticket
from opsledger.domain.recorded import Recorded
from opsledger.errors import Unfoldable
from opsledger.ledger.engine import engine
from opsledger.ledger.url import LedgerUrl
from opsledger.policies import documents
from opsledger.policies.known import Known
from opsledger.policies.operating_model import default_model
from opsledger.policies.support import Priority
from opsledger.projections import catalog
from opsledger.projections.kinds import Gathered, Line, Rows
from opsledger.projections.table import Table, integer, text
from opsledger.replay.asof import as_of, replay
from opsledger.replay.digest import digests
from opsledger.replay.explain import explain
from opsledger.replay.tables import Tables
from opsledger.testing.plugin import Clock

CUSTOMER_DAY = Table(
    "customer_day",
    "One row per customer and day.",
    key=("customer_id", "day"),
    columns=(
        text("customer_id", "Opaque id."),
        text("day", "UTC day."),
        integer("asked", "Tickets registered."),
        integer("answered", "Answers given."),
        integer("models", "Operating models known."),
        text("closed_until", "Last closed day."),
        integer("last_position", "Newest fact used."),
    ),
)


@dataclass
class State:
    customers: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    answered: list[str] = field(default_factory=list)
    closed: str = ""
    position: int = 0


def fold(state: State, recorded: Recorded) -> State:
    event = recorded.fact
    match event:
        case ticket.Registered():
            state.customers.add(event.customer_id)
            state.asked.append(str(event.registered_at.date()))
        case ticket.Responded():
            state.answered.append(str(event.responded_at.date()))
        case l.DayClosed():
            state.closed = max(state.closed, str(event.day))
    state.position = max(state.position, recorded.position)
    return state


def rows(subject: str, states: Mapping[str, State], known: Known) -> Rows:
    if subject == "C-cursed":
        raise ValueError("nobody can join this one")
    own = [state for stream, state in states.items() if stream.startswith("ticket:")]
    asked, answered = ([day for state in own for day in getattr(state, name)] for name in ("asked", "answered"))
    closed, newest = states["ledger:self"].closed, max(state.position for state in own)
    return {
        "customer_day": [
            (subject, day, asked.count(day), answered.count(day), len(known.models()), closed, newest)
            for day in sorted({*asked, *answered})
        ]
    }


def tell(table: str, row: Mapping[str, Any], states: Mapping[str, State], known: Known) -> list[Line]:
    return [Line(f"{stream} says {len(state.asked)}", (state.position,)) for stream, state in states.items() if row["day"] in state.asked]


BY_CUSTOMER = Gathered(
    name="customer_day",
    version=1,
    concepts=("ticket",),
    tables=(CUSTOMER_DAY,),
    start=lambda stream: State(),
    fold=fold,
    subjects=lambda state: state.customers,
    rows=rows,
    everywhere=("ledger",),
    tell=tell,
)


@pytest.fixture(autouse=True)
def declared(monkeypatch: pytest.MonkeyPatch) -> None:
    known = catalog._all()
    monkeypatch.setattr(catalog, "_all", lambda: (*known, BY_CUSTOMER))


@pytest.fixture
def clock() -> Clock:
    return Clock("2026-03-02T10:00:00Z")


@pytest.fixture
def ledger(tmp_path: Path, clock: Clock) -> Iterator[OpsLedger]:
    with OpsLedger.create(f"sqlite:///{tmp_path}/ops.db", simulated=True, clock=clock) as ledger:
        ledger.catch_up()
        yield ledger


def ask(ledger: OpsLedger, id: str, customer: str) -> None:
    asked: dict[str, Any] = {"customer_id": customer, "requester_id": "p-1", "channel": "email", "summary": "It is broken"}
    ledger.by("u-7").record(ticket.register, id, priority=Priority.HIGH, **asked)


def days(ledger: OpsLedger, customer: str) -> dict[str, tuple[int, int]]:
    ledger.catch_up()
    return {row["day"]: (row["asked"], row["answered"]) for row in ledger.tables.select("customer_day", customer_id=customer)}


def test_streams_of_one_subject_come_together(ledger: OpsLedger, clock: Clock) -> None:
    ask(ledger, "T-1", "C-1")
    ask(ledger, "T-2", "C-1")
    ask(ledger, "T-3", "C-2")
    assert days(ledger, "C-1") == {"2026-03-02": (2, 0)}
    clock.forward(days=1)
    ledger.by("u-7").record(ticket.respond, "T-2")
    assert days(ledger, "C-1") == {"2026-03-02": (2, 0), "2026-03-03": (0, 1)}
    assert days(ledger, "C-2") == {"2026-03-02": (1, 0)}


def test_a_late_fact_restates_the_period_to_which_it_belongs(ledger: OpsLedger, clock: Clock) -> None:
    ask(ledger, "T-1", "C-1")
    answered_at = clock.forward(minutes=1)
    assert days(ledger, "C-1") == {"2026-03-02": (1, 0)}
    clock.forward(days=3)
    ledger.by("u-7").record(ticket.respond, "T-1")
    ledger.by("u-7", at=answered_at).record(ticket.respond, "T-1")
    assert days(ledger, "C-1") == {"2026-03-02": (1, 1), "2026-03-05": (0, 1)}


def test_a_published_model_and_a_closed_day_reach_every_subject(ledger: OpsLedger, clock: Clock) -> None:
    ask(ledger, "T-1", "C-1")
    ask(ledger, "T-2", "C-2")
    ledger.catch_up()
    clock.forward(days=2)
    standing = default_model()
    model = documents.canonical(
        standing.model_copy(update={"compliance": standing.compliance.model_copy(update={"late_entry_after": 7200})})
    )
    ledger.by("u-1").record(
        policy.publish, policy.NAME, document=model, effective_from=clock.now, proposed_by="u-1", approved_by="u-2", reason="a year on"
    )
    ledger.catch_up()
    assert {row["models"] for row in ledger.tables.select("customer_day")} == {2}
    ledger.tick()
    ledger.catch_up()
    assert {row["closed_until"] for row in ledger.tables.select("customer_day")} == {"2026-03-03"}
    assert rebuilt(ledger) == []


def rebuilt(ledger: OpsLedger) -> list[str]:
    return [each.table for each in ledger.tables.rebuild() if each.rows]


ACTS = st.lists(
    st.tuples(st.sampled_from(["ask", "answer", "tick", "catch up", "reopen"]), st.integers(1, 4), st.integers(0, 40)), max_size=25
)


def test_a_runner_that_reads_what_another_wrote_of_a_later_stream_follows_it(
    tmp_path: Path, ledger: OpsLedger, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The slower one reads which streams speak of a customer just after the faster one wrote that a new one does."""
    ask(ledger, "T-1", "C-1")
    assert days(ledger, "C-1") == {"2026-03-02": (1, 0)}
    ledger.by("u-7").record(ticket.respond, "T-1")
    head, read = ledger.store.head().position, ledger.tables.tables.streams_of
    with OpsLedger.open(f"sqlite:///{tmp_path}/ops.db", clock=clock) as faster:

        def late(projection: Gathered, subjects: Sequence[str]) -> dict[str, list[str]]:
            if ledger.store.head().position == head:
                ask(faster, "T-2", "C-1")
                faster.catch_up()
            return read(projection, subjects)

        monkeypatch.setattr(ledger.tables.tables, "streams_of", late)
        ledger.catch_up()
        assert ledger.store.head().position > head
        assert days(ledger, "C-1") == {"2026-03-02": (2, 1)}
    assert [each.table for each in ledger.tables.rebuild() if each.rows] == []


@settings(max_examples=20, deadline=None)
@given(acts=ACTS)
def test_live_equals_rebuild_whatever_happens_when(tmp_path_factory: pytest.TempPathFactory, acts: list[tuple[str, int, int]]) -> None:
    clock, folder = Clock("2026-03-02T10:00:00Z"), tmp_path_factory.mktemp("any")
    ledger = OpsLedger.create(f"sqlite:///{folder}/ops.db", simulated=True, clock=clock)
    ledger.catch_up()
    asked = set()
    for act, number, hours in acts:
        clock.forward(hours=hours)
        if act == "ask" and number not in asked:
            ask(ledger, f"T-{number}", f"C-{number % 2}")
            asked.add(number)
        elif act == "answer" and number in asked:
            ledger.by("u-7", at=clock.now.replace(minute=0)).record(ticket.respond, f"T-{number}")
        elif act == "tick":
            ledger.tick()
        elif act == "catch up":
            ledger.catch_up()
        elif act == "reopen":
            ledger.close()
            ledger = OpsLedger.open(f"sqlite:///{folder}/ops.db", clock=clock)
    ledger.catch_up()
    with ledger:
        assert rebuilt(ledger) == []
        assert ledger.verify(strict=True).code == 0


def test_a_replay_as_of_then_has_the_rows_of_then(ledger: OpsLedger, clock: Clock, tmp_path: Path) -> None:
    ask(ledger, "T-1", "C-1")
    ledger.catch_up()
    then, before = ledger.store.head().position, digests(ledger.tables.tables)
    clock.forward(days=1)
    ledger.by("u-7").record(ticket.respond, "T-1")
    tables = Tables(engine(LedgerUrl("sqlite", tmp_path / "then.db"), "itself"))
    replay(ledger.store, tables, as_of(ledger.store, position=then))
    assert digests(tables) == before
    assert explain(ledger.store, tables, "customer_day", ["C-1", "2026-03-02"]).story == ["ticket:T-1 says 1"]
    tables.close()


def test_explain_tells_what_the_projection_says_and_the_facts_under_it(ledger: OpsLedger) -> None:
    ask(ledger, "T-1", "C-1")
    ask(ledger, "T-2", "C-1")
    ledger.catch_up()
    found = explain(ledger.store, ledger.tables.tables, "customer_day", ["C-1", "2026-03-02"])
    assert found.story == ["ticket:T-1 says 1", "ticket:T-2 says 1"]
    assert [told.stream for told in found.facts] == ["ticket:T-1", "ticket:T-2"]


def test_what_cannot_be_joined_stops_the_tables_and_names_where(ledger: OpsLedger) -> None:
    ask(ledger, "T-1", "C-1")
    ask(ledger, "T-2", "C-cursed")
    with pytest.raises(Unfoldable, match=r"C-cursed by position \d+ \(in .*ticket:T-2.*\) cannot be joined into customer_day: ValueError"):
        ledger.catch_up()
