"""Writing the population of a control: one pass over the ledger up to where the period ends."""

from __future__ import annotations

import base64
import csv
import hashlib
import json
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from importlib import metadata
from pathlib import Path
from typing import IO

import msgspec

from opsledger.audit.leaf import LeafWriter
from opsledger.audit.merkle import Frontier, leaf_hash, verify_consistency
from opsledger.audit.note import Checkpoint, Note
from opsledger.audit.ranges import own_checkpoint
from opsledger.audit.sealing import origin_of, sealed_tree
from opsledger.domain.controls import Control
from opsledger.errors import BadInput
from opsledger.ledger.codec import read_all
from opsledger.ledger.envelope import Row
from opsledger.ledger.seals import Seals
from opsledger.ledger.store import Store, pages
from opsledger.policies import documents
from opsledger.policies.instants import iso, micros
from opsledger.policies.operating_model import OperatingModel
from opsledger.replay.checks.seals import introduced_keys
from opsledger.replay.evidence.population import COLUMNS, Bound, Count, Period, Statement, belongs, beside, envelope

__all__ = ["export_population"]

Progress = Callable[[int, int], None]


def export_population(
    store: Store,
    seals: Seals,
    control: Control,
    period: Period,
    into: Path,
    *,
    now: int,
    leaves: bool = False,
    checkpoint: str | bytes | None = None,
    progress: Progress | None = None,
) -> Statement:
    """Write the population of a control in a period that is over by `now`, and return the statement, which is written beside it.

    A period of happening is looked for in the whole ledger. `checkpoint` is a note that covers the range (default: the newest
    that was signed, if it does). Refuses a period that is not over, and to write over a file.
    """
    if not period.begin < period.end <= now:
        raise BadInput(
            "population.period", f"{iso(period.begin)} to {iso(period.end)} is no period that is over; begin before its end, which is past."
        )
    made: list[Path] = []
    try:
        with ExitStack() as opened:
            files = _Files(into, opened, made, leaves=leaves)
            work = _Work(store, seals, control, period, checkpoint)
            work.read(files, progress)
        statement = work.statement(into, files.leaves_path)
        with _new(beside(into, "statement.json"), made) as file:
            file.write(msgspec.json.format(msgspec.json.encode(statement), indent=2).decode() + "\n")
    except BaseException:
        for path in made:
            path.unlink()
        raise
    return statement


class _Files:
    """The files that are written while facts are read."""

    def __init__(self, into: Path, opened: ExitStack, made: list[Path], *, leaves: bool) -> None:
        if into.suffix not in (".jsonl", ".csv"):
            raise BadInput("population.file", f"{into.name} is neither JSON lines nor CSV by its name; end it with .jsonl or .csv.")
        self.leaves_path = beside(into, "leaves") if leaves else None
        self._file = opened.enter_context(_new(into, made))
        self._leaves = None if self.leaves_path is None else opened.enter_context(_new(self.leaves_path, made))
        self._rows = csv.writer(self._file, lineterminator="\n") if into.suffix == ".csv" else None
        if self._rows is not None:
            self._rows.writerow(COLUMNS)

    def fact(self, row: Row) -> None:
        """Write a fact of the population."""
        told = {**envelope(row), "state": row.state.decode(errors="backslashreplace")}
        if self._rows is not None:
            self._rows.writerow([told[name] for name in COLUMNS])
        else:
            self._file.write(json.dumps({name: told[name] for name in COLUMNS}, ensure_ascii=False) + "\n")

    def leaf(self, data: bytes) -> None:
        """Write the leaf of a fact that is shown."""
        if self._leaves is not None:
            self._leaves.write(base64.b64encode(data).decode() + "\n")


class _Work:
    """One export."""

    def __init__(self, store: Store, seals: Seals, control: Control, period: Period, checkpoint: str | bytes | None) -> None:
        self.store, self.seals, self.control, self.period = store, seals, control, period
        head = store.head().position
        self.first, self.last = (
            (1, head) if period.happened else (store.position_at(period.begin - 1) + 1, store.position_at(period.end - 1))
        )
        self.note = self._covering(checkpoint)
        self.covered = None if self.note is None else own_checkpoint(store, str(self.note), introduced_keys(store))
        limit = head if self.covered is None else min(head, self.covered.size)
        self.shown_first, self.shown_last = max(1, self.first - 1), max(self.last, min(self.last + 1, limit))
        self.bounds = _bounds(store) if control.late else ()
        self.before: tuple[bytes, ...] = ()
        self.tree, self.inner = Frontier(), Frontier()
        self.looked_at: Counter[str] = Counter()
        self.taken: Counter[str] = Counter()

    def read(self, files: _Files, progress: Progress | None) -> None:
        """Read the ledger up to where the range ends, and write what belongs to the population."""
        writer = LeafWriter(origin_of(self.store))
        for rows in pages(self.store, 0, self.shown_first - 1):
            self.tree.extend(writer.hashes(rows))
        self.before = self.tree.nodes
        for rows in pages(self.store, self.shown_first - 1, self.shown_last):
            for row in rows:
                data = writer.data(row)
                files.leaf(data)
                self.tree.append(leaf_hash(data))
                if self.first <= row.position <= self.last:
                    self.inner.append(leaf_hash(data))
                    self._count(row, files)
            if progress is not None:
                progress(rows[-1].position, self.shown_last)

    def statement(self, into: Path, leaves: Path | None) -> Statement:
        """Return what was looked at and found. Raises Unproven where the checkpoint is not of this log as it stands."""
        consistency: list[bytes] = []
        if self.covered is not None and self.shown_last:
            size, root = self.covered.size, self.tree.root()
            consistency = sealed_tree(self.seals, size).consistency_proof(self.shown_last) if self.shown_last < size else []
            verify_consistency(self.shown_last, size, root, self.covered.root, consistency)
        return Statement(
            control=self.control.name,
            meaning=self.control.meaning,
            frameworks=self.control.frameworks,
            topics=self.control.topics,
            bounds=self.bounds,
            by="happened" if self.period.happened else "recorded",
            begin=iso(self.period.begin),
            end=iso(self.period.end),
            origin=origin_of(self.store),
            simulated=self.store.meta().get("simulated") == "true",
            program=f"opsledger {metadata.version('opsledger')}",
            first=self.first,
            last=self.last,
            facts=self.inner.size,
            population=self.taken.total(),
            found={topic: Count(count, self.taken[topic]) for topic, count in sorted(self.looked_at.items())},
            root=_base64(self.inner.root()),
            shown_first=self.shown_first,
            shown_last=self.shown_last,
            before=tuple(map(_base64, self.before)),
            tree=_base64(self.tree.root()),
            checkpoint=None if self.note is None else str(self.note),
            consistency=tuple(map(_base64, consistency)),
            file=into.name,
            sha256=hashlib.sha256(into.read_bytes()).hexdigest(),
            leaves=None if leaves is None else leaves.name,
        )

    def _count(self, row: Row, files: _Files) -> None:
        self.looked_at[row.topic] += 1
        if belongs(row, self.control, self.period, self.bounds):
            self.taken[row.topic] += 1
            files.fact(row)

    def _covering(self, given: str | bytes | None) -> Note | None:
        """Return the note of a checkpoint that covers the range: the one given, else the newest if it does."""
        if given is None:
            newest = self.seals.newest()
            return None if newest is None or newest.size < self.last else Note.parse(newest.note)
        note = Note.parse(given)
        if (size := Checkpoint.parse(note.text).size) < self.last:
            raise BadInput(
                "population.not_covered", f"The checkpoint covers {size} facts, and the range ends at {self.last}; give a later one."
            )
        return note


def _bounds(store: Store) -> tuple[Bound, ...]:
    published = read_all(store.streams("policy:"))
    return tuple(
        Bound(
            recorded.position,
            micros(recorded.fact.effective_from),
            documents.restored(OperatingModel, recorded.fact.document).compliance.late_entry_after,
        )
        for recorded in published
    )


def _new(path: Path, made: list[Path]) -> IO[str]:
    try:
        file = path.open("x", encoding="utf-8", newline="")
    except FileExistsError:
        raise BadInput("population.exists", f"There is a file {path} already; evidence is not written over, so name another.") from None
    made.append(path)
    return file


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()
