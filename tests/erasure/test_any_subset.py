"""Whoever is erased: verify is clean, and every table says what it said before, but for those about erasure itself."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from people import STEPS

from opsledger.app import OpsLedger, erasing
from opsledger.domain import ticket
from opsledger.errors import Refused
from opsledger.ledger.personal import Erased
from opsledger.policies.support import Priority
from opsledger.replay.digest import digests
from opsledger.testing.plugin import Clock
from opsledger.testing.strategies import Step, ticket_steps

PEOPLE = ("p-1", "p-2", "p-3", "p-4")
ABOUT_ERASURE = {"subject_erasure", "subject_access", "legal_hold", "audit_trail"}
HISTORIES = st.lists(st.tuples(st.sampled_from(PEOPLE), st.integers(0, 200), ticket_steps()), max_size=25)


@contextmanager
def fresh(kind: str, base: str) -> Iterator[tuple[OpsLedger, Clock]]:
    """Give a new ledger and its clock."""
    clock, schema = Clock("2026-03-02T10:00:00Z"), f"t_{secrets.token_hex(8)}"
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/ops.db" if kind == "sqlite" else f"{base}{'&' if '?' in base else '?'}schema={schema}"
        with OpsLedger.create(url, simulated=True, clock=clock) as ledger:
            yield ledger, clock
    if kind == "postgresql":
        with psycopg.connect(base, autocommit=True) as connection:
            for name in (schema, f"{schema}_tables", f"{schema}_keys"):
                connection.execute(psycopg.sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(psycopg.sql.Identifier(name)))


def play(ledger: OpsLedger, clock: Clock, history: list[tuple[str, int, Step]]) -> None:
    """Register a ticket for each person, and do to them what may be done."""
    for i, person in enumerate(PEOPLE):
        asked: dict[str, Any] = {"customer_id": "C-1", "requester_id": person, "channel": "email", "summary": f"Words of {person}"}
        ledger.by("u-7").record(ticket.register, f"T-{person}", priority=list(Priority)[i], **asked)
    for person, minutes, (decision, arguments) in history:
        clock.forward(minutes=minutes)
        try:
            ledger.by("u-7").record(decision, f"T-{person}", **arguments)
        except Refused:
            continue
    ledger.tick()
    ledger.catch_up()


def trail(ledger: OpsLedger) -> list[dict[str, Any]]:
    return [row for row in ledger.tables.select("audit_trail") if not row["stream"].startswith("subject:")]


def check(ledger: OpsLedger, clock: Clock, erased: set[str], purged: set[str]) -> None:
    before, before_trail = digests(ledger.tables.tables), trail(ledger)
    words = {person: ledger.reveal(ledger.history(f"ticket:T-{person}")[0])["summary"] for person in PEOPLE}
    assert words == {person: f"Words of {person}" for person in PEOPLE}
    for person in sorted(erased):
        done = ledger.erase(person, jurisdiction="gdpr", handled_by="u-7", decided_by="u-9", basis="Art. 17(1)(b)")
        assert [topic.removeprefix("subject.") for topic in done.recorded] == STEPS
    if purged:
        erasing.purge(ledger, sorted(purged), decided_by="u-9", reason="asked to")
    ledger.catch_up()
    after = digests(ledger.tables.tables)
    changed = {name for name in after if after[name] != before[name]}
    assert changed == ({"subject_erasure", "audit_trail"} if erased else set()) <= ABOUT_ERASURE
    assert trail(ledger) == before_trail
    assert [row["subject_id"] for row in ledger.tables.select("subject_erasure")] == sorted(erased)
    report = ledger.verify(strict=True)
    assert report.code == 0, "\n".join(report.lines())
    gone = [line for line in report.lines() if "purged, authorised by position" in line]
    assert len(gone) == len(purged)
    for person in PEOPLE:
        for recorded in ledger.history(f"ticket:T-{person}"):
            said = {value for value in ledger.reveal(recorded).values() if value is not None}
            assert (said <= {Erased()}) if person in erased else (Erased() not in said)
    assert not any(difference.rows for difference in ledger.tables.rebuild())


@given(history=HISTORIES, erased=st.sets(st.sampled_from(PEOPLE)), data=st.data())
@settings(max_examples=12, suppress_health_check=[HealthCheck.too_slow])
def test_in_a_file(history: list[tuple[str, int, Step]], erased: set[str], data: st.DataObject) -> None:
    purged = data.draw(st.sets(st.sampled_from(sorted(erased)))) if erased else set()
    with fresh("sqlite", "") as (ledger, clock):
        play(ledger, clock, history)
        check(ledger, clock, erased, purged)


@given(history=HISTORIES, erased=st.sets(st.sampled_from(PEOPLE), min_size=1), data=st.data())
@settings(max_examples=4, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
def test_on_a_server(
    opsledger_postgres_url: str,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    history: list[tuple[str, int, Step]],
    erased: set[str],
    data: st.DataObject,
) -> None:
    monkeypatch.setenv("OPSLEDGER_KEK_FILE", str(tmp_path_factory.mktemp("kek") / "kek"))
    purged = data.draw(st.sets(st.sampled_from(sorted(erased))))
    with fresh("postgresql", opsledger_postgres_url) as (ledger, clock):
        play(ledger, clock, history)
        check(ledger, clock, erased, purged)
