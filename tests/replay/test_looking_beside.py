"""Several processes look at the log for the check of its integrity: what is found, and what is raised, is that of one."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from worker_processes import AtFirst, gone, workers

from opsledger.app import OpsLedger
from opsledger.audit import looking
from opsledger.audit.findings import Checked
from opsledger.audit.integrity import integrity
from opsledger.audit.leaf import LeafWriter
from opsledger.audit.looking import Looked, Stretch
from opsledger.audit.sealing import add_leaves, origin_of
from opsledger.errors import NoLedger, OpsledgerError, Unavailable
from opsledger.ledger.envelope import Append, NewFact
from opsledger.ledger.store import Store
from opsledger.replay import beside
from opsledger.replay.beside import look_beside
from opsledger.replay.executor import SERIAL, Executor, Processes
from tampering import attack

FACTS = 20_000
STRETCH = 256
MARCH = 1_772_442_000_000_000
TWO, THREE = Processes(2), Processes(3)


@pytest.fixture(params=["opsledger_sqlite", "opsledger_pg"])
def ledger(request: pytest.FixtureRequest) -> OpsLedger:
    """A ledger of the test's own with 20,000 facts more, of which all but the last hundred are sealed."""
    made: OpsLedger = request.getfixturevalue(request.param)
    begun = made.store.head().position
    for first in range(begun, FACTS, 5000):
        facts = [_fact(number) for number in range(first, min(first + 5000, FACTS))]
        made.store.append(Append(facts=facts))
    add_leaves(made.store, made.seals, until=FACTS - 100)
    return made


def _fact(number: int) -> NewFact:
    return NewFact("ticket:T-1", number, "test.happened", 1, b'{"n":%d}' % number, MARCH, MARCH, "u-7", "support", f"c-{number}")


def edit(ledger: OpsLedger, statement: str) -> None:
    """Edit the log as somebody who owns the database can."""
    if ledger.url.kind == "sqlite":
        attack(ledger, statement)
        return
    with psycopg.connect(ledger.url.conninfo) as owner:
        owner.execute(psycopg.sql.SQL("SET search_path TO {}").format(psycopg.sql.Identifier(ledger.url.schema)))
        owner.execute("SET session_replication_role = replica")
        assert owner.execute(statement.encode()).rowcount > 0


def checked(ledger: OpsLedger, by: Executor, progress: Callable[[int, int], None] | None = None) -> tuple[Checked, dict[int, bytes]]:
    """Return what the check finds, and the roots of some trees."""
    result, sizes = Checked("integrity"), {5, 700, 16_384, 19_901}
    roots = integrity(ledger.store, ledger.seals, FACTS, result, sizes=sizes, progress=progress, looking=by.look, stretch=STRETCH)
    return result, roots


class Here:
    """Counts what this process looks at, slowly, so that the others get to do most of it."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, store: Store, writer: LeafWriter, stretch: Stretch) -> Looked:
        """Look at a stretch."""
        self.count += 1
        time.sleep(0.1)
        return looking.look(store, writer, stretch)


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Here:
    made = Here()
    monkeypatch.setattr(beside, "look", made)
    return made


DAMAGE = {
    "nothing": "UPDATE ledger_event SET role = role WHERE position = 1",
    "some columns": "UPDATE ledger_event SET role = 'admin' WHERE position IN (3, 5000, 5001, 19950)",
    "facts that are gone": "DELETE FROM ledger_event WHERE position BETWEEN 12000 AND 12300",
    "more than is kept": "UPDATE ledger_event SET recorded_by = 'u-8' WHERE position > 100",
    "a seal": "UPDATE ledger_hash SET level = 9 WHERE level = 1",
}


@pytest.mark.parametrize("what", DAMAGE)
def test_what_several_find_is_what_one_finds_in_the_same_order(ledger: OpsLedger, here: Here, what: str) -> None:
    edit(ledger, DAMAGE[what])
    alone, stretches = checked(ledger, SERIAL), -(-FACTS // STRETCH)
    assert (alone[0].verdict == "clean") == (what == "nothing")
    for by in (TWO, THREE):
        told: list[int] = []
        here.count = 0
        assert checked(ledger, by, lambda done, of: told.append(done)) == alone  # noqa: B023  # called within this round alone
        assert here.count < stretches / 2, "the others did most of it"
        assert told == [*range(STRETCH, FACTS, STRETCH), FACTS]
    assert workers() == []


def test_a_verification_by_several_is_that_by_one(ledger: OpsLedger) -> None:
    edit(ledger, DAMAGE["some columns"])
    alone, together = (ledger.verify("integrity", workers=count) for count in (1, 2))
    assert together.as_dict() == alone.as_dict()
    assert [finding.position for finding in together.checks[0].findings] == [3, 5000, 5001]


def test_few_facts_are_looked_at_by_this_process_alone(ledger: OpsLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beside, "Worker", None)  # which nobody asks for
    result = Checked("integrity")
    integrity(ledger.store, ledger.seals, 16_384, result, looking=TWO.look)
    assert result.verdict == "clean"


def test_no_more_is_held_than_a_few_stretches(ledger: OpsLedger, here: Here) -> None:
    drawn, held = 0, []

    def stretches() -> Iterator[Stretch]:
        nonlocal drawn
        for first in range(0, FACTS, STRETCH):
            drawn += 1
            yield Stretch(first, min(first + STRETCH, FACTS), b"", ())

    for yielded, _ in enumerate(look_beside(3, ledger.store, origin_of(ledger.store), stretches())):
        held.append(drawn - yielded)
    assert len(held) == drawn == 79
    assert max(held) <= 3 + 2 * 2 + 1


# Errors.


def told(error: OpsledgerError) -> tuple[Any, ...]:
    return type(error), {name: value for name, value in vars(error).items() if name != "__notes__"}


def test_what_cannot_be_read_is_the_same_error_by_several(opsledger_sqlite: OpsLedger, here: Here) -> None:
    ledger = opsledger_sqlite
    for first in range(ledger.store.head().position, FACTS, 5000):
        ledger.store.append(Append(facts=[_fact(number) for number in range(first, min(first + 5000, FACTS))]))
    edit(ledger, "UPDATE ledger_event SET role = CAST(x'ff' AS TEXT) WHERE position = 19000")
    found = []
    for by in (SERIAL, TWO):
        with pytest.raises(OpsledgerError, match="decode") as broken:
            checked(ledger, by)
        found.append(told(broken.value))
    assert found[0] == found[1]
    assert workers() == []


def test_another_ledger_in_the_place_of_this_one_is_not_looked_at(ledger: OpsLedger, here: Here, tmp_path: Path) -> None:
    with OpsLedger.create(f"sqlite:///{tmp_path}/other.db") as other:
        ledger.store.where = replace(other.url, path=other.url.path.absolute())
        with pytest.raises(NoLedger, match="a worker process found another ledger"):
            checked(ledger, TWO)
    assert workers() == []


def test_a_worker_that_is_killed_ends_the_check(ledger: OpsLedger, here: Here) -> None:
    news = AtFirst(lambda: os.kill(workers()[0], signal.SIGKILL))
    with pytest.raises(Unavailable, match="ended by signal 9 before its work was done") as ended:
        checked(ledger, THREE, news)
    assert ended.value.code == "workers.ended"
    assert workers() == []


@pytest.mark.parametrize("stop", [KeyboardInterrupt, ZeroDivisionError])
def test_no_worker_outlives_a_check_that_is_broken_off(ledger: OpsLedger, here: Here, stop: type[BaseException]) -> None:
    def interrupt() -> None:
        raise stop

    news = AtFirst(interrupt)
    with pytest.raises(stop):
        checked(ledger, THREE, news)
    assert len(news.workers) == 2
    assert workers() == []
    assert gone(news.workers, within_s=0.1)
