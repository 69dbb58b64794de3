"""What a check works with, and how it names a place."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from opsledger.audit.checkpoints import Notes
from opsledger.audit.continuity import in_streams, misfit
from opsledger.audit.findings import Checked
from opsledger.audit.note import VerifierKey
from opsledger.domain.concept import Concept, concepts
from opsledger.ledger.envelope import Row
from opsledger.ledger.keys import Keys
from opsledger.ledger.seals import Seals
from opsledger.ledger.store import Store
from opsledger.replay.executor import Executor
from opsledger.replay.tables import Tables

__all__ = ["Outside", "Progress", "Task", "concept_at", "place"]

Progress = Callable[[str, int, int], None]
"""Told (check, done, of)."""


@dataclass(slots=True)
class Outside:
    """What a verifier brings: notes of checkpoints that they kept, by name, keys that they trust, restores that they know of.

    And the key store of personal data, where they have it.
    """

    kept: Mapping[str, str | bytes] = field(default_factory=dict)
    trusted: Sequence[VerifierKey] = ()
    accepted: Sequence[int] = ()  # positions of restores
    since: int = 0
    notes: Notes | None = None
    roots: dict[int, bytes] | None = None
    covered: int = 0  # the size of the largest kept checkpoint that fits
    timed: bool = False  # whether it is known when that one came
    keys: Keys | None = None  # the key store, for who may see it
    received: Mapping[str, int] = field(default_factory=dict)  # when kept notes came, by their names, in microseconds


@dataclass(frozen=True, slots=True)
class Task:
    """What a check works with."""

    store: Store
    tables: Tables
    head: int
    strict: bool
    meta: Mapping[str, str]
    result: Checked
    seals: Seals | None
    outside: Outside
    progress: Progress | None
    executor: Executor

    def told(self, done: int, of: int) -> None:
        """Tell how far the check is."""
        if self.progress is not None:
            self.progress(self.result.name, done, of)

    def streams(self) -> Iterator[list[Row]]:
        """Yield the rows of each stream, and tell how far the work is."""
        done = 0
        for rows in in_streams(self.store, self.head):
            yield rows
            done += len(rows)
            self.told(done, self.head)


def concept_at(row: Row) -> Concept | None:
    """Return the concept that a row's stream belongs to, if this program knows it."""
    return None if misfit(row) == "stream" else concepts().get(row.stream.partition(":")[0])


def place(row: Row, column: str) -> dict[str, Any]:
    """Return where a finding stands, as `Checked.find` takes it."""
    return {"position": row.position, "stream": row.stream, "column": column}
