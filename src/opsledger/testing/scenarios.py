"""Scenarios: a history in business words and the rows that it must give, in a TOML file that a support manager can read.

    title = "A critical ticket at night is answered in time and solved too late"

    [[happens]]
    at = 2026-03-02T22:10:00Z
    by = "u-7 (support)"
    ticket = "T-1"
    does = "register"
    customer_id = "C-1"
    ...

    [[expect.ticket_sla]]
    ticket_id = "T-1"
    metric = "resolution"
    outcome = "breached"

A test runs it through a real ledger, with the product's own decisions, clocks and tables:

    def test_a_night(opsledger_sqlite, opsledger_clock):
        run_scenario("night.toml", opsledger_sqlite, opsledger_clock)

The format: docs/how-to/scenarios.md.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from opsledger.app import OpsLedger
from opsledger.errors import BadInput
from opsledger.ledger.engine import engine
from opsledger.ledger.url import parse_url
from opsledger.policies.instants import micros
from opsledger.replay.asof import as_of, replay
from opsledger.replay.digest import digests
from opsledger.replay.tables import Tables
from opsledger.testing.plugin import Clock
from opsledger.testing.scenario_acts import ScenarioFailed, Story, decisions
from opsledger.testing.scenario_file import Expected, Scenario, read_scenario
from opsledger.testing.scenario_rows import compare

__all__ = ["Scenario", "ScenarioFailed", "decisions", "read_scenario", "run_scenario"]


def run_scenario(scenario: Scenario | Path | str, ledger: OpsLedger, clock: Clock) -> None:
    """Tell a scenario to a simulated ledger and compare the rows that it gives; then hold the ledger to the law of its tables.

    `clock` is the one that the ledger was created with. Raises BadInput where the file asks for what there is not, naming
    the place, and ScenarioFailed with a sentence for each row that is missing, surplus or different.
    """
    if not isinstance(scenario, Scenario):
        scenario = read_scenario(scenario)
    if not ledger.simulated or ledger.now() != clock.now:
        raise BadInput("scenario.clock", "A scenario needs a simulated ledger and the clock that it was created with.")
    story = Story(ledger, clock)
    for happening in scenario.happenings:
        story.tell(happening)
    complaints = [said for expected in scenario.expected for said in _complaints(ledger, expected, story)]
    complaints += _broken_laws(ledger)
    if complaints:
        raise ScenarioFailed("\n".join([f"{scenario.name}: {scenario.title}", *complaints]))


def _complaints(ledger: OpsLedger, expected: Expected, story: Story) -> list[str]:
    if expected.known_at is None and expected.effective_at is None:
        ledger.catch_up()
        return list(compare(ledger.tables.tables, expected, story.position))
    known_at, effective_at = (None if each is None else micros(each) for each in (expected.known_at, expected.effective_at))
    with _replayed(ledger, known_at, effective_at) as tables:
        return list(compare(tables, expected, story.position))


def _broken_laws(ledger: OpsLedger) -> Iterator[str]:
    """Yield what is not as it must be after any history: live = rebuilt = as of the head, and verification is clean."""
    ledger.catch_up()
    live = digests(ledger.tables.tables)
    for each in ledger.tables.rebuild():
        if each.rows:
            yield f"{each.table} was not equal to the log folded anew in {each.rows} rows, with the keys {each.keys}."
    with _replayed(ledger, None, None) as tables:
        for name, digest in digests(tables).items():
            if digest != live[name]:
                yield f"{name} as of the head is not equal to the live table."
    report = ledger.verify(strict=True)
    if report.code:
        yield from report.lines()


@contextmanager
def _replayed(ledger: OpsLedger, known_at: int | None, effective_at: int | None) -> Iterator[Tables]:
    """Yield all tables as of a time (default: the head), in a file that goes with the block."""
    with tempfile.TemporaryDirectory() as folder:
        tables = Tables(engine(parse_url(f"sqlite:///{folder}/tables.db"), "itself"))
        try:
            replay(ledger.store, tables, as_of(ledger.store, known_at=known_at, effective_at=effective_at))
            yield tables
        finally:
            tables.close()
