"""Writing an audit pack (`opsledger.audit.pack`): one pass over a range of the ledger, and what is needed to read and prove it."""

from __future__ import annotations

import hashlib
import inspect
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from importlib import metadata
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from opsledger.audit.checkpoints import Introduced
from opsledger.audit.leaf import LeafWriter
from opsledger.audit.merkle import Frontier, verify_consistency, verify_inclusion
from opsledger.audit.note import Checkpoint, open_checkpoint
from opsledger.audit.pack import FORMAT, VERIFIER, PackWriter, base64s, fact_of, file_name, json_line, part_line, references
from opsledger.audit.sealing import origin_of, sealed_tree
from opsledger.domain.fact import fact_types
from opsledger.domain.governance import CONCEPTS
from opsledger.domain.plugins import load_concepts
from opsledger.errors import BadInput, Refused, Unknown, Unproven
from opsledger.ledger.envelope import Row
from opsledger.ledger.seals import Seals, StoredCheckpoint
from opsledger.ledger.store import Store, pages
from opsledger.policies.instants import iso, parse
from opsledger.projections.catalog import projections, views
from opsledger.projections.kinds import View
from opsledger.projections.table import Table
from opsledger.replay.checks.seals import introduced_keys

__all__ = ["Packed", "Redaction", "Span", "copy_verifier", "export_auditpack", "signed", "span_of"]

Redaction = Literal["personal", "payloads"]
"""What is left out: sealed parts; or stored bytes too, of which the digests stay."""

_PAGE: Final = 5000  # facts of a file
_AT_ONCE: Final = 1000  # checkpoints of a file
_OWN: Final = ("ledger:", *(f"{concept}:" for concept in CONCEPTS))
_PURGE: Final = "subject.purge_decided"
_DAYS: Final = "ledger.day_closed"
_GONE_ON: Final = "The ledger is not what was signed; run `opsledger verify`."


class Span(NamedTuple):
    """Positions from the first to the last; all that were recorded in a period [from, to), in microseconds, where it was asked for so."""

    first: int
    last: int
    period: tuple[int, int] | None = None


class Packed(NamedTuple):
    """What was written, and the SHA-256 of the file."""

    span: Span
    checkpoint: int
    counts: dict[str, int]
    sha256: str


def span_of(store: Store, begin: str, end: str) -> Span:
    """Return the range from one position to another, both included, or of what was recorded from one time to before another."""
    head = store.head().position
    if begin.isdecimal() != end.isdecimal():
        raise BadInput("pack.range", f"{begin} to {end} is neither a range of positions nor of times; give two of one kind.")
    if begin.isdecimal():
        span = Span(int(begin), int(end))
        if not 1 <= span.first <= span.last <= head:
            raise BadInput("pack.range", f"Positions {begin} to {end} are no range of this ledger, which has 1 to {head}.")
        return span
    period = (parse(begin), parse(end))
    span = Span(store.position_at(period[0] - 1) + 1, store.position_at(period[1] - 1), period)
    if span.first > span.last:
        raise BadInput(
            "pack.empty", f"Nothing was recorded from {begin} to before {end}: position {span.last} was before, and the next after it."
        )
    return span


def copy_verifier(folder: Path) -> str:
    """Put the program that verifies packs into a folder; return its SHA-256. Raises BadInput where another of its name is there."""
    ours, there = files("opsledger.audit").joinpath(VERIFIER).read_bytes(), folder / VERIFIER
    if there.exists() and there.read_bytes() != ours:
        raise BadInput("pack.other_verifier", f"{there} is not the verifier of this version; put it elsewhere, or name another folder.")
    there.write_bytes(ours)
    return hashlib.sha256(ours).hexdigest()


def export_auditpack(
    store: Store,
    seals: Seals,
    span: Span,
    into: Path,
    *,
    redact: Redaction | None = None,
    checkpoint: int | None = None,
    kept: Sequence[int] = (),
    progress: Callable[[int, int], None] | None = None,
) -> Packed:
    """Write an audit pack into a new file. `checkpoint` is the size of the one that it is bound to (default: the newest).

    `kept` are sizes of checkpoints before the range that an auditor has, and shall see continued. Raises Refused where nothing that was
    signed covers the range, Unproven where the ledger is not what was signed; then there is no file.
    """
    load_concepts()
    work = _Work(store, seals, span, redact, _covering(seals, checkpoint, span))
    try:
        with into.open("xb") as file:
            made = PackWriter(file)
            work.write(made, kept, progress)
            digest = made.close()
    except FileExistsError:
        raise BadInput("pack.exists", f"There is a file {into} already; evidence is not written over, so name another.") from None
    except BaseException:
        into.unlink(missing_ok=True)
        raise
    return Packed(span, work.checkpoint.size, dict(work.counts), digest)


def signed(seals: Seals, size: int | None = None) -> StoredCheckpoint:
    """Return the checkpoint of this size, or the newest. Raises Unknown where there is none."""
    stored = [seals.newest()] if size is None else seals.checkpoints(size - 1, 1)
    for found in stored:
        if found is not None and size in (None, found.size):
            return found
    what = "yet; run `opsledger seal`" if size is None else f"of {size} facts; `opsledger checkpoint list` tells which there are"
    raise Unknown("checkpoint.unknown", f"No checkpoint was signed {what}.")


def _covering(seals: Seals, size: int | None, span: Span) -> StoredCheckpoint:
    found = signed(seals, size)
    if found.size < span.last:
        raise Refused(
            "pack.not_covered",
            f"The checkpoint covers {found.size} facts, and the range ends at position {span.last}; run `opsledger seal` and repeat.",
        )
    return found


class _Work:
    """One export."""

    def __init__(self, store: Store, seals: Seals, span: Span, redact: Redaction | None, bound: StoredCheckpoint) -> None:
        self.store, self.seals, self.span, self.redact = store, seals, span, redact
        self.origin = origin_of(store)
        self.leaves = LeafWriter(self.origin)
        self.keys: list[Introduced] = introduced_keys(store)
        self.note, self.checkpoint = bound.note, self.opened(bound)
        self.tree = sealed_tree(seals, bound.size)
        self.left = sealed_tree(seals, span.first - 1).nodes()
        self.right = self.tree.consistency_proof(span.last) if span.last < bound.size else []
        self.counts: Counter[str] = Counter()
        self.gone: set[str] = set()  # keys of sealed parts that are not there any more

    def write(self, made: PackWriter, kept: Sequence[int], progress: Callable[[int, int], None] | None) -> None:
        """Write everything, in the order of the files."""
        readme = files("opsledger.audit").joinpath("auditpack_readme.txt").read_text(encoding="utf-8")
        told = {"origin": self.origin, "first": self.span.first, "last": self.span.last, "size": self.checkpoint.size}
        made.add("README.txt", readme.format(**told).encode())
        made.add("catalogue.jsonl", b"".join(map(json_line, _catalogue())))
        made.add("checkpoint.note", self.note.encode())
        continues = self.continued(kept)
        self.facts(made, progress)
        self.outside(made)
        self.checkpoints(made)
        made.add("manifest.json", json.dumps(self.manifest(continues), ensure_ascii=False, indent=1).encode() + b"\n")

    def opened(self, stored: StoredCheckpoint) -> Checkpoint:
        """Return a checkpoint of the ledger that its key of that time signed. Raises Unproven."""
        signing = [each.key for each in self.keys if each.position <= stored.size][-1:]
        found = open_checkpoint(stored.note, signing, self.origin)
        if found.size != stored.size:
            raise Unproven("pack.misfiled", f"The stored checkpoint of {stored.size} facts is one of {found.size}. {_GONE_ON}")
        return found

    def continued(self, kept: Sequence[int]) -> dict[str, list[str]]:
        """Return the proofs that the log continues checkpoints from before the range. Others need none: they are listed."""
        for size in kept:
            if not 0 < size <= self.checkpoint.size:
                raise BadInput("pack.kept", f"The pack covers {self.checkpoint.size} facts and cannot continue {size}; give 1 to as many.")
        return {str(size): base64s(self.tree.consistency_proof(size)) for size in sorted(set(kept)) if size < self.span.first}

    def facts(self, made: PackWriter, progress: Callable[[int, int], None] | None) -> None:
        """Write the facts of the range and the sealed parts to which they refer. Raises Unproven where they are not what was signed."""
        first, last = self.span.first, self.span.last
        tree = Frontier.from_bytes((first - 1).to_bytes(8, "big") + b"".join(self.left))
        for rows in pages(self.store, first - 1, last, _PAGE):
            _without_gap(rows, tree.size)
            tree.extend(self.leaves.hashes(rows))
            made.add(file_name("facts", rows[0].position), b"".join(json_line(fact_of(row, state=self.shown(row))) for row in rows))
            self.counts.update(["facts"] * len(rows) + [f"facts {row.topic}" for row in rows])
            self.parts(made, rows)
            if progress is not None:
                progress(tree.size - first + 1, last - first + 1)
        if tree.size != last:
            raise Unproven("pack.missing", f"Position {tree.size + 1} is missing. {_GONE_ON}")
        try:
            verify_consistency(last, self.checkpoint.size, tree.root(), self.checkpoint.root, self.right)
        except Unproven:
            raise Unproven("pack.changed", f"Positions {first} to {last} do not lead to the root that was signed. {_GONE_ON}") from None

    def shown(self, row: Row) -> bool:
        """Return whether the stored bytes of a fact go along: always those of the ledger's own, its policies and its calendars."""
        return self.redact != "payloads" or row.stream.startswith(_OWN) or row.topic == _PURGE

    def parts(self, made: PackWriter, rows: Sequence[Row]) -> None:
        """Write the sealed parts to which facts refer, as far as they are there and go along."""
        found = [reference for row in rows if self.shown(row) for reference in references(row.state)]
        self.counts.update(["parts"] * len(found))
        if self.redact is not None or not found:
            return
        there = self.store.parts(sorted({each.digest for each in found}))
        for each in found:
            self.counts["parts here" if each.digest in there else "parts gone"] += 1
            self.gone.update([] if each.digest in there else [each.key_id])
        lines = b"".join(part_line(each.digest, there.get(each.digest)) for each in found)
        made.add(file_name("parts", rows[0].position, ".txt"), lines)

    def outside(self, made: PackWriter) -> None:
        """Write the facts from outside the range, each with its path."""
        lines: list[bytes] = []
        rows = self.rows_outside()
        for i, row in enumerate(rows, 1):
            path = self.tree.inclusion_proof(row.position - 1)
            verify_inclusion(row.position - 1, self.checkpoint.size, self.leaves.hash(row), path, self.checkpoint.root)
            own = row.stream.startswith(_OWN) or row.topic == _PURGE
            lines.append(json_line({"fact": fact_of(row, state=own), "path": base64s(path)}))
            if len(lines) == _PAGE or i == len(rows):
                made.add(file_name("outside", rows[i - len(lines)].position), b"".join(lines))
                lines = []
        self.counts.update(["outside"] * len(rows))

    def rows_outside(self) -> list[Row]:
        """Return what is needed from outside the range: of the ledger itself, of what was in force, of purges, and beside a period."""
        span, size = self.span, self.checkpoint.size
        found = [row for row in self.store.stream("ledger:self") if row.topic != _DAYS and row.position <= size]
        found += [row for concept in CONCEPTS for row in self.store.streams(f"{concept}:") if row.position < span.first]
        wanted = {mark.position for mark in self.store.marks() if mark.act == "purged" and mark.key_id in self.gone}
        wanted |= set() if span.period is None else {span.first - 1, span.last + 1}
        found += [row for position in wanted if 0 < position <= size for row in self.store.page(position - 1, 1, until=position)]
        by_position = {row.position: row for row in found if not span.first <= row.position <= span.last}
        return [by_position[position] for position in sorted(by_position)]

    def checkpoints(self, made: PackWriter) -> None:
        """Write the checkpoints from the range on, each with the proof that it continues the one before."""
        before: Checkpoint | None = None
        while before is None or before.size < self.checkpoint.size:
            lines, first = [], 0
            for stored in self.seals.checkpoints(self.span.first - 1 if before is None else before.size, _AT_ONCE):
                if stored.size > self.checkpoint.size:
                    break
                found, proof = self.opened(stored), list[bytes]()
                if before is not None:
                    proof = sealed_tree(self.seals, found.size).consistency_proof(before.size)
                    verify_consistency(before.size, found.size, before.root, found.root, proof)
                lines.append(json_line({"note": stored.note, "proof": base64s(proof)}))
                before, first = found, first or found.size
            made.add(file_name("checkpoints", first), b"".join(lines))
            self.counts["checkpoints"] += len(lines)

    def manifest(self, continues: dict[str, list[str]]) -> dict[str, Any]:
        """Return what the pack says of itself."""
        period = self.span.period
        root = base64s([self.checkpoint.root])[0]
        return {
            "format": FORMAT,
            "program": f"opsledger {metadata.version('opsledger')}",
            "origin": self.origin,
            "simulated": self.store.meta().get("simulated") == "true",
            "first": self.span.first,
            "last": self.span.last,
            "period": None if period is None else {"from": iso(period[0]), "to": iso(period[1])},
            "checkpoint": {"size": self.checkpoint.size, "root": root},
            "left": base64s(self.left),
            "right": base64s(self.right),
            "continues": continues,
            "stored_bytes": "left out" if self.redact == "payloads" else "here",
            "sealed_parts": "here" if self.redact is None else "left out",
            "counts": {name: self.counts[name] for name in sorted(self.counts)},
            "inside": list(self.inside()),
            "not_inside": list(self.not_inside()),
        }

    def inside(self) -> Iterator[str]:
        """Yield what is inside, in sentences."""
        first, last = self.span.first, self.span.last
        yield f"Every fact from position {first} to position {last}, with every column of its row; none is left out."
        if self.redact != "payloads":
            yield "The stored bytes of each, which hold digests in the place of personal values."
        if self.redact is None:
            yield "The sealed parts of personal values, encrypted."
        yield "What the ledger says of itself and its signing keys; every policy and calendar that was published before the range."
        yield f"Every checkpoint that was signed from position {first} on, up to the one of {self.checkpoint.size} facts."

    def not_inside(self) -> Iterator[str]:
        """Yield what is not inside, in sentences."""
        if self.redact == "payloads":
            yield "The stored bytes of facts, but for those of the ledger itself, its policies and calendars; their digests are here."
        if self.redact is not None:
            yield "The sealed parts of personal values; their digests are in the stored bytes."
        yield "Any key that opens a sealed part, and anything that was opened with one."
        yield f"Facts before position {self.span.first} and after position {self.span.last}, but for those named above."
        yield "The tables that are made of the facts."


def _without_gap(rows: Sequence[Row], after: int) -> None:
    for expected, row in enumerate(rows, after + 1):
        if row.position != expected:
            raise Unproven("pack.missing", f"Position {expected} is missing. {_GONE_ON}")


def _catalogue() -> Iterator[dict[str, str]]:
    """Yield what every table, view, column and fact means."""
    described: list[tuple[str, Table | View]] = [("table", table) for each in projections() for table in each.tables]
    described += [("view", view) for view in views()]
    for kind, each in described:
        yield {"kind": kind, "name": each.name, "column": "", "meaning": each.doc}
        yield from ({"kind": column.kind, "name": each.name, "column": column.name, "meaning": column.doc} for column in each.columns)
    for topic, fact in sorted(fact_types().items()):
        yield {"kind": "fact", "name": topic, "column": "", "meaning": " ".join(inspect.cleandoc(fact.made.__doc__ or "").split())}
