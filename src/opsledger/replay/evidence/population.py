"""Populations: every fact of a control in a period, with a statement by which others see that none was left out.

    changes.jsonl                   the facts, a line each, with their stored bytes; or changes.csv
    changes.jsonl.statement.json    which positions were looked at, how many facts of which topics, the Merkle roots, a checkpoint
    changes.jsonl.leaves            on demand: the leaf of every fact of those positions, in base64, without its stored bytes

Positions have no gaps and times of recording never fall, so a period of recording is a range of positions; the fact before it
and the one after it show that it is the whole one. `opsledger.replay.evidence.populating` writes these files, and
`opsledger.replay.evidence.completeness` checks them without the ledger.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import msgspec

from opsledger.audit.leaf import Leaf
from opsledger.domain.controls import Control
from opsledger.ledger.envelope import Row
from opsledger.policies.instants import SECOND, iso

__all__ = ["COLUMNS", "Bound", "Count", "Period", "Statement", "belongs", "beside", "envelope", "is_late"]

COLUMNS: Final = (*(name for name in Row._fields if name != "state"), "state")
"""The columns of a population: those of the log, the stored bytes last."""


class Period(NamedTuple):
    """From when to when, half-open, in microseconds; by when facts were recorded, or by when they happened."""

    begin: int
    end: int
    happened: bool = False


class Bound(NamedTuple):
    """From how many seconds on a fact is a late entry, by the model published at a position and in force from an instant on."""

    position: int
    effective_from: int
    seconds: int


class Count(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many facts of a topic are in the range, and how many of them in the population."""

    range: int
    population: int


class Statement(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What was looked at, and what was found. Roots and hashes in base64; the positions named belong to their ranges."""

    format: Literal["opsledger/population/v1"] = "opsledger/population/v1"
    control: str
    meaning: str
    frameworks: tuple[str, ...]
    topics: tuple[str, ...]
    bounds: tuple[Bound, ...]  # of late entries; empty where the control takes others too
    by: Literal["recorded", "happened"]
    begin: str
    end: str
    origin: str
    simulated: bool
    program: str
    first: int
    last: int  # one less than `first` where nothing was recorded in the period
    facts: int
    population: int
    found: dict[str, Count]  # by topic
    root: str  # over the leaves of the range
    shown_first: int  # the range, with the fact before it and the one after it as far as there are such
    shown_last: int
    before: tuple[str, ...]  # the roots of the whole subtrees before `shown_first`, largest first
    tree: str  # the root over the leaves up to `shown_last`
    checkpoint: str | None  # a note over these leaves and perhaps more; null: nobody signed one
    consistency: tuple[str, ...]  # the proof that the tree of the checkpoint begins with this one
    file: str
    sha256: str  # of the file, in hexadecimal
    leaves: str | None  # the file of leaves


def envelope(fact: Row | Leaf) -> dict[str, Any]:
    """Return the columns of a fact but its stored bytes, its instants as text."""
    told = {name: getattr(fact, name) for name in COLUMNS[:-1]}
    return {**told, "occurred_at": iso(fact.occurred_at), "recorded_at": iso(fact.recorded_at)}


def belongs(fact: Row | Leaf, control: Control, period: Period, bounds: Iterable[Bound]) -> bool:
    """Return whether a fact of the range belongs to the population."""
    if not control.covers(fact.topic) or (period.happened and not period.begin <= fact.occurred_at < period.end):
        return False
    return not control.late or is_late(fact, bounds)


def is_late(fact: Row | Leaf, bounds: Iterable[Bound]) -> bool:
    """Return whether a fact was recorded later than the model allowed that was in force then, as known then."""
    known = [each for each in bounds if each.position < fact.position and each.effective_from <= fact.recorded_at]
    if not known:
        return False
    in_force = max(known, key=lambda each: (each.effective_from, each.position))
    return fact.recorded_at - fact.occurred_at > in_force.seconds * SECOND


def beside(into: Path, what: str) -> Path:
    """Return the path of a file that belongs to a population's."""
    return into.with_name(f"{into.name}.{what}")
