"""A fact in its envelope, and the order in which a stream's facts happened.

The envelope is made by the ledger, never by the host: where the fact stands, when it happened and when it was written, who
wrote it and in answer to what.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from opsledger.domain.fact import fact_type
from opsledger.policies.instants import micros

__all__ = ["Recorded", "business_times", "corrections", "in_business_order", "is_correction", "observed_alone", "until"]

_OBSERVED: Final[set[str]] = set()
"""Concepts whose streams hold observations, none of which begins anything."""


def observed_alone(concept: str) -> None:
    """Say that the streams of a concept hold observations: the first to be recorded need not be the first that was made."""
    _OBSERVED.add(concept)


class Recorded(msgspec.Struct, frozen=True, gc=False):
    """One fact of the ledger. Times are integer microseconds since the epoch."""

    position: int  # in the ledger, from 1, without gaps
    stream: str  # for example ticket:T-1042
    version: int  # in its stream, from 1, without gaps
    topic: str
    occurred_at: int  # when it happened, from the caller; never the planned time
    recorded_at: int  # when it was written, from the store; never falls
    fact: Any
    recorded_by: str = ""  # opaque actor id
    role: str = ""
    revision: int = 1
    command_id: str = ""
    correlation_id: str | None = None
    causation_id: str | None = None
    source: str | None = None  # where imported: the system, and its id of this fact
    source_id: str | None = None

    @property
    def concept(self) -> str:
        """The kind of thing that the stream is about: `ticket` of `ticket:T-1042`."""
        return self.stream.partition(":")[0]

    @property
    def id(self) -> str:
        """The id of the thing that the stream is about: `T-1042` of `ticket:T-1042`."""
        return self.stream.partition(":")[2]


def corrections(facts: Iterable[Recorded]) -> dict[int, int]:
    """Return the right time of each position that a later fact corrects; the last correction counts."""
    found: dict[int, int] = {}
    for recorded in facts:
        corrects = fact_type(recorded.topic).corrects
        if corrects is not None and (correction := corrects(recorded.fact)) is not None:
            found[correction[0]] = micros(correction[1])
    return found


def business_times(facts: Sequence[Recorded]) -> list[int]:
    """Return when each fact of a stream happened, corrected; none before the first, with which the thing begins.

    Where a stream holds observations alone, nothing begins with the first of them, and each counts at its own time.
    """
    if not facts:
        return []
    right = corrections(facts)
    times = [right.get(recorded.position, recorded.occurred_at) for recorded in facts]
    return times if facts[0].concept in _OBSERVED else [max(time, times[0]) for time in times]


def in_business_order(facts: Sequence[Recorded]) -> list[Recorded]:
    """Return a stream's facts in the order in which they happened, ties by position, their envelopes saying when."""
    timed = [
        recorded if recorded.occurred_at == time else msgspec.structs.replace(recorded, occurred_at=time)
        for recorded, time in zip(facts, business_times(facts), strict=True)
    ]
    return sorted(timed, key=lambda recorded: (recorded.occurred_at, recorded.position))


def until(facts: Sequence[Recorded], effective_at: int) -> list[Recorded]:
    """Return the facts of a stream that had happened by `effective_at`, corrected times applied, in the order given.

    Corrections say what is known rather than what happened, and are kept; nothing is kept of a thing that had not begun.
    """
    times = business_times(facts)
    if not times or (times[0] > effective_at and facts[0].concept not in _OBSERVED):
        return []
    return [recorded for recorded, time in zip(facts, times, strict=True) if time <= effective_at or is_correction(recorded)]


def is_correction(recorded: Recorded) -> bool:
    """Return whether a fact says when another one happened, rather than that something happened."""
    return fact_type(recorded.topic).corrects is not None
