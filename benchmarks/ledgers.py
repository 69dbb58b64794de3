"""Ledgers to rebuild and verify: the example's simulated year, as many times over as comes nearest to a number of facts.

Every copy has tickets and incidents of its own, and all happen at the same times, so that the log is one busier year: its facts
lie between each other as they would, and what a fact costs does not hang on how many there are. Policies, calendars and days
closed stand once. Facts that name a position are rewritten. Fewer facts than a year has are a year cut short.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import cache
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import msgspec

from opsledger.app import OpsLedger
from opsledger.example import write
from opsledger.ledger.envelope import Append, NewFact, Row
from opsledger.ledger.store import Store, pages
from opsledger.policies.instants import moment

__all__ = ["create", "enlarge"]

_SEED: Final = 7
_DAYS: Final = 365
_FEW: Final = 2000  # facts, and
_FEW_DAYS: Final = 60  # how long it takes the business until it has them
_PER_DAY: Final = 1.5
_BATCH: Final = 5000
_OF_THE_LEDGER: Final = ("ledger:", "policy:", "calendar:")


def create(url: str, events: int, clock: Callable[[], datetime] | None = None) -> OpsLedger:
    """Write a simulated ledger of about so many facts and return it open, with the clock given or one that stands still."""
    base = _year(_FEW_DAYS if events < _FEW else _DAYS)
    begins = moment(base[0].recorded_at)
    with OpsLedger.create(url, simulated=True, clock=lambda: begins, ledger_id=f"{_SEED:032x}") as ledger:
        enlarge(ledger.store, base, events)
    return OpsLedger.open(url, clock=clock)


def enlarge(store: Store, base: Sequence[Row], events: int) -> None:
    """Add copies of the rows of a year to a log that has just begun, until it has about so many."""
    begun = store.head().position
    assert [row.topic for row in store.page(0, begun)] == [row.topic for row in base[:begun]], "a ledger begins as the year did"
    copies = max(1, round(events / len(base)))
    facts = islice(_copies(base, begun, copies), events - begun if events < len(base) else None)
    while batch := list(islice(facts, _BATCH)):
        store.append(Append(facts=batch))


@cache
def _year(days: int) -> tuple[Row, ...]:
    """Return the rows of so many days of the simulated year."""
    with TemporaryDirectory() as folder:
        ledger = write(f"sqlite:///{Path(folder) / 'year.db'}", seed=_SEED, days=days, per_day=_PER_DAY, customers=0)
        with ledger:
            return tuple(row for page in pages(ledger.store, 0, ledger.store.head().position) for row in page)


def _copies(base: Sequence[Row], begun: int, copies: int) -> Iterator[NewFact]:
    """Yield the facts that follow those a ledger begins with, each of a ticket or an incident as often as is asked."""
    first: dict[int, int] = {}  # position of a fact in the year -> position of its first copy
    position = begun + 1
    for row in base[begun:]:
        first[row.position] = position
        if row.stream.startswith(_OF_THE_LEDGER):
            yield _new(row, row.stream, row.state)
            position += 1
            continue
        for copy in range(copies):
            yield _new(row, f"{row.stream}-{copy}", _restated(row, first, copy))
        position += copies


def _restated(row: Row, first: dict[int, int], copy: int) -> bytes:
    """Return a state in which a position named is that of the same copy."""
    if b'"corrects":' not in row.state:
        return row.state
    said = msgspec.json.decode(row.state)
    return msgspec.json.encode({**said, "corrects": first[said["corrects"]] + copy})


def _new(row: Row, stream: str, state: bytes) -> NewFact:
    return NewFact(
        stream=stream,
        version=row.version,
        topic=row.topic,
        revision=row.revision,
        state=state,
        occurred_at=row.occurred_at,
        recorded_at=row.recorded_at,
        recorded_by=row.recorded_by,
        role=row.role,
        command_id=row.command_id,
    )
