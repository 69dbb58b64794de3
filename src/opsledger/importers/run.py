"""One run of an importer: where it is recorded, what it sets aside, and what it comes to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from opsledger.app.taking import Taken, TakenIn
from opsledger.domain import imports
from opsledger.errors import Refused

if TYPE_CHECKING:
    from opsledger.app import OpsLedger

__all__ = ["Dirt", "ImportResult", "Quarantined", "Run"]

_LISTED: Final = 20


@dataclass(frozen=True, slots=True)
class Dirt:
    """How often something unclean stands in a file, and on which lines first."""

    count: int
    first_rows: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A row that was not taken in, and why. `column` None: the row as a whole."""

    row: int
    reason: imports.Reason
    source_id: str | None = None
    column: str | None = None


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What an import came to. rows = new + known + quarantined; the changed ones are among the quarantined."""

    import_id: str  # as in the tables: servicenow/3
    sha256: str
    policy_ref: str | None  # the operating model that tickets registered by this run pin; None: it registers none
    rows: int
    new: int
    known: int
    changed: int
    quarantined: int
    facts: int  # of what was read, those of the run itself not counted
    dirt: Mapping[str, Dirt]  # by kind
    first_quarantined: Sequence[Quarantined]  # the table import_quarantine has all


@dataclass(slots=True)
class Run:
    """An import that is going on."""

    ledger: OpsLedger
    source: str
    import_id: str
    new: int = 0
    known: int = 0
    changed: int = 0
    quarantined: int = 0
    facts: int = 0
    first_quarantined: list[Quarantined] = field(default_factory=list)
    _dirt: dict[str, tuple[int, tuple[int, ...]]] = field(default_factory=dict)

    @classmethod
    def start(cls, ledger: OpsLedger, source: str, *, file_name: str, sha256: str, zone: str, rows: int) -> Run:
        """Record that an import begins, under the next free number of its source."""
        number = len(ledger.store.heads_within(f"import:{source}/")) + 1
        while True:
            run = cls(ledger, source, f"{source}/{number}")
            actor = ledger.by(f"import:{source}", role="import")
            try:
                actor.record(imports.start, run.import_id, source=source, file_name=file_name, sha256=sha256, zone=zone, rows=rows)
            except Refused as error:
                if error.code != "import.exists":
                    raise
                number += 1  # somebody else began an import of the same source meanwhile
                continue
            return run

    def take(self, records: Sequence[Taken], aside: Sequence[Quarantined], *, known: int) -> TakenIn:
        """Record what a batch of rows says, and which of them are set aside, in one transaction; count it."""
        now = self.ledger.now()
        listed = [
            self._record(
                f"row {each.row}",
                imports.RowQuarantined(quarantined_at=now, row=each.row, source_id=each.source_id, reason=each.reason, column=each.column),
            )
            for each in aside
        ]
        taken = self.ledger.by(f"import:{self.source}", role="import").observe([*records, *listed], source=self.source)
        # Whoever imports the same file at the same time may have been first: then some of ours are known by now.
        self.new += taken.new - len(listed)
        self.known += known + taken.known
        self.changed += sum(each.reason == "changed" for each in aside) + len(taken.changed)
        self.quarantined += len(aside) + len(taken.changed)
        self.facts += taken.facts - len(listed)
        self.first_quarantined += aside[: _LISTED - len(self.first_quarantined)]
        return taken

    def count(self, dirt: Iterable[tuple[str, int]]) -> None:
        """Count dirt, given by kind and row."""
        for kind, row in dirt:
            count, first_rows = self._dirt.get(kind, (0, ()))
            self._dirt[kind] = (count + 1, (*first_rows, row) if len(first_rows) < _LISTED else first_rows)

    def finish(self, *, rows: int, sha256: str, policy_ref: str | None) -> ImportResult:
        """Record that the whole file was read, what is unclean in it, and what it came to."""
        now = self.ledger.now()
        dirt = {kind: Dirt(count, tuple(sorted(first_rows))) for kind, (count, first_rows) in sorted(self._dirt.items())}
        counted = [
            imports.DirtCounted(counted_at=now, kind=kind, count=each.count, first_rows=each.first_rows) for kind, each in dirt.items()
        ]
        finished = imports.Finished(
            finished_at=now,
            rows=rows,
            new=self.new,
            known=self.known,
            changed=self.changed,
            quarantined=self.quarantined,
            facts=self.facts,
        )
        end = self._record("end", *counted, finished)
        self.ledger.by(f"import:{self.source}", role="import").observe([end], source=self.source)
        return ImportResult(
            import_id=self.import_id,
            sha256=sha256,
            policy_ref=policy_ref,
            rows=rows,
            new=self.new,
            known=self.known,
            changed=self.changed,
            quarantined=self.quarantined,
            facts=self.facts,
            dirt=dirt,
            first_quarantined=tuple(self.first_quarantined),
        )

    def _record(self, id: str, *facts: imports.RowQuarantined | imports.DirtCounted | imports.Finished) -> Taken:
        """Return facts of the run as a record of its own, told apart from the records of the file by the run's id."""
        return Taken(f"{self.import_id}:{id}", tuple((f"import:{self.import_id}", each) for each in facts))
