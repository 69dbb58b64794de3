"""Taking in: facts of another system, without decisions, each of its records once.

A record is known by its source and its id there. The same record again adds nothing; one whose content has changed since is
not taken in, but reported, since what was recorded cannot be overwritten.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from opsledger.app.recording import Actor, checked_id
from opsledger.domain.concept import concepts
from opsledger.domain.fact import encode, fact_type
from opsledger.errors import BadInput, Conflict, Uncovered
from opsledger.ledger.envelope import Append, NewFact, Part, Source
from opsledger.ledger.store import SourceTaken, StreamMoved
from opsledger.policies.instants import iso

if TYPE_CHECKING:
    from opsledger.app.ledger import OpsLedger

__all__ = ["Recognised", "Taken", "TakenIn", "recognise", "take_in"]

_ATTEMPTS: Final = 5


@dataclass(frozen=True, slots=True)
class Taken:
    """One record of another system: its id there, and the facts that it says, each with its stream. It may say nothing new.

    `content` is what a later copy of the record is compared with (default: the facts themselves).
    """

    source_id: str
    facts: tuple[tuple[str, Any], ...] = ()
    content: bytes | None = None


@dataclass(slots=True)
class TakenIn:
    """What became of records: how many were new, how many known; the ids of those whose content changed; facts recorded."""

    new: int = 0
    known: int = 0
    changed: list[str] = field(default_factory=list)
    facts: int = 0

    def add(self, other: TakenIn) -> None:
        """Add what became of more records."""
        self.new += other.new
        self.known += other.known
        self.changed += other.changed
        self.facts += other.facts


class Recognised(NamedTuple):
    """Which records of a source were taken in before: those that are the same, and those whose content has changed since."""

    known: frozenset[str]
    changed: frozenset[str]


def recognise(ledger: OpsLedger, source: str, contents: Mapping[str, bytes]) -> Recognised:
    """Return which records, given by their ids and what they are compared by, were taken in before. Records nothing.

    For importers whose facts depend on what is new: what a row says may hang on the row before it.
    """
    macs = ledger.store.taken(source, list(contents))
    changed = frozenset(source_id for source_id, mac in macs.items() if mac != ledger.keys.mac("source", contents[source_id]))
    return Recognised(frozenset(macs) - changed, changed)


def take_in(ledger: OpsLedger, actor: Actor, source: str, records: Sequence[Taken]) -> TakenIn:
    """Record the facts of records that are not known yet, in one transaction. Facts must have happened in covered time."""
    checked_id(source)
    macs = {record.source_id: ledger.keys.mac("source", _content(record)) for record in records}
    if len(macs) < len(records):
        raise BadInput("source.twice", "Two records of one batch have the same id; an id names one record of its source.")
    for _ in range(_ATTEMPTS):
        known = ledger.store.taken(source, list(macs))
        new = [record for record in records if record.source_id not in known]
        changed = [source_id for source_id, mac in known.items() if mac != macs[source_id]]
        result = TakenIn(new=len(new), known=len(known) - len(changed), changed=changed)
        append = _append(ledger, actor, source, new, macs)
        result.facts = len(append.facts)
        if not new:
            return result
        try:
            ledger.store.append(append)
        except (StreamMoved, SourceTaken):
            continue
        return result
    raise Conflict("source.contended", f"Others keep recording on the same streams as {source}; nothing was recorded. Try again later.")


def _append(ledger: OpsLedger, actor: Actor, source: str, records: Sequence[Taken], macs: dict[str, str]) -> Append:
    streams = list(dict.fromkeys(stream for record in records for stream, _ in record.facts))
    versions = ledger.store.heads(streams)
    command_id = secrets.token_hex(16)
    rows: list[NewFact] = []
    parts: list[Part] = []
    for record in records:
        for i, (stream, fact) in enumerate(record.facts):
            version = versions[stream] = versions.get(stream, 0) + 1
            sealing = ledger.sealed((fact,), stream, version - 1, actor, command_id)
            said = record.source_id if i == 0 else f"{record.source_id}#{i}"
            rows.append(sealing.rows[0]._replace(source=source, source_id=said))
            parts += sealing.parts
    _check_covered(ledger, rows)
    return Append(facts=rows, parts=parts, sources=[Source(source, record.source_id, macs[record.source_id]) for record in records])


def _check_covered(ledger: OpsLedger, rows: Sequence[NewFact]) -> None:
    begin, end = ledger.governing.known.covers()
    for row in rows:
        if concepts()[row.stream.partition(":")[0]].signals is not None and not begin <= row.occurred_at < end:
            raise Uncovered(
                "calendar.uncovered",
                f"{iso(row.occurred_at)} of {row.stream} lies outside {iso(begin)} to {iso(end)}, which the calendars cover; "
                "publish calendars for that time first.",
            )


def _content(record: Taken) -> bytes:
    if record.content is not None:
        return record.content
    return b"\n".join(f"{stream} {fact_type(type(fact)).topic} ".encode() + encode(fact) for stream, fact in record.facts)
