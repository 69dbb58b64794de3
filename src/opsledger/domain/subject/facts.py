"""Facts about data subjects. Stored for good: grow by an optional field or by a new fact.

None of them says anything of the person but the opaque id that names the stream: reasons and bases are for auditors, and are
written without personal content.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from opsledger.domain.fact import At, fact, part

__all__ = [
    "AccessGiven",
    "AccessRefused",
    "AccessRequested",
    "AnswerExtended",
    "DerivedPurged",
    "ErasureCompleted",
    "ErasureDecided",
    "ErasureRequested",
    "Export",
    "Fact",
    "Held",
    "HoldPlaced",
    "HoldReleased",
    "HoldReviewed",
    "KeyNamed",
    "KeysDestroyed",
    "Outcome",
    "PartsPurged",
    "PurgeDecided",
    "Purged",
]

Count = Annotated[int, Field(ge=0)]
Number = Annotated[int, Field(ge=1)]
"""The number of a request of one person, erasures and accesses counted together, from 1."""

Outcome = Literal["granted", "refused", "restricted"]
"""restricted: kept, and not opened any more; the request stays open until it is granted or refused."""


@part
class KeyNamed:
    """A data key by what it is known by."""

    key_id: str
    commitment: str  # SHA-256 of the key under a tag; recognises the key and does not give it away


@part
class Held:
    """What a kind of streams held of a person when something was decided."""

    concept: str  # ticket, incident
    facts: Count  # with words of the person's
    newest_at: At  # when the newest of them happened


@part
class Purged:
    """A store of the host's that was made from what the ledger knows, and what was done in it."""

    name: str
    done: str


@part
class Export:
    """An export that was made before, and that nobody can call back."""

    name: str
    position: int  # where it is recorded


# Requests, and what becomes of them.


@fact("subject.erasure_requested", at="requested_at")
class ErasureRequested:
    """A person asked that their data be erased."""

    requested_at: At  # when it was received
    number: Number
    jurisdiction: str  # under which entry of the operating model it is answered
    answer_by: At  # the instant at which the last day to answer is over
    policy: str  # the operating model, by version and digest, whose periods hold
    handled_by: str  # opaque id of who took it in


@fact("subject.access_requested", at="requested_at")
class AccessRequested:
    """A person asked what is held on them."""

    requested_at: At  # when it was received
    number: Number
    jurisdiction: str
    answer_by: At  # the instant at which the last day to answer is over
    policy: str  # the operating model whose periods hold
    handled_by: str  # opaque id of who took it in


@fact("subject.answer_extended", at="extended_at")
class AnswerExtended:
    """The person was told that the answer takes longer, and why."""

    extended_at: At
    number: Number
    answer_by: At  # instead of the earlier one
    reason: str
    handled_by: str


@fact("subject.erasure_decided", at="decided_at")
class ErasureDecided:
    """Somebody who did not take the request in decided on it. Granted, nothing sealed under these keys is ever opened again."""

    decided_at: At
    number: Number
    outcome: Outcome
    basis: str  # the article, the contract, the reason why not
    decided_by: str
    keys: tuple[KeyNamed, ...]  # those that will be destroyed; none unless granted
    held: tuple[Held, ...]  # what was looked at to decide
    policy: str  # the operating model whose retention was kept


@fact("subject.access_refused", at="refused_at")
class AccessRefused:
    """Access was refused, and why."""

    refused_at: At
    number: Number
    basis: str
    decided_by: str
    keep_until: At  # nothing is erased before, so that the person can complain


@fact("subject.access_given", at="given_at")
class AccessGiven:
    """All that is held on a person was exported, opened. What becomes of an export is out of the ledger's reach."""

    given_at: At
    number: Annotated[int, Field(ge=1)] | None  # the request that it answers; null: nobody had asked
    name: str  # of the export: a file name, a case number
    facts: Count  # facts in it
    opened: Count  # personal fields that were readable in it
    given_by: str


# Erasing, step by step.


@fact("subject.keys_destroyed", at="destroyed_at")
class KeysDestroyed:
    """The key store destroyed the keys of a person, and the names that it knew them by."""

    destroyed_at: At
    number: Number
    keys: tuple[KeyNamed, ...]
    receipt: str  # of the key store: a keyed digest of the local one, the log entry of a key management service
    remains: str  # where copies may still be, as the key store says
    again: bool  # the keys had come back, or the key store had forgotten that they were destroyed


@fact("subject.derived_purged", at="purged_at")
class DerivedPurged:
    """What was made from a person's data was looked at and cleared, and exports that were made earlier are named."""

    purged_at: At
    number: Number
    tables: tuple[str, ...]  # for analysts: they hold no personal content, so nothing had to go
    caches: tuple[str, ...]
    others: tuple[Purged, ...]  # stores of the host's
    exports: tuple[Export, ...]


@fact("subject.erasure_completed", at="completed_at")
class ErasureCompleted:
    """Every sealed part of a person was tried, and none opened."""

    completed_at: At
    number: Number
    parts: Count  # that were tried
    missing: Count  # that were not there to be tried
    purge_from: At  # from when on the sealed parts may be removed too


@fact("subject.purge_decided", at="decided_at")
class PurgeDecided:
    """The sealed parts under destroyed keys may be removed from beside the log. Without such a fact a missing part is a finding."""

    decided_at: At
    number: Number
    keys: tuple[str, ...]  # ids
    parts: Count  # that there were
    reason: str  # empty: it was time to
    decided_by: str


@fact("subject.parts_purged", at="purged_at")
class PartsPurged:
    """The sealed parts of a person were removed from beside the log. The facts that name them stay, and so does every proof."""

    purged_at: At
    number: Number
    parts: Count
    remains: str  # where copies may still be, as the database says


# Legal holds.


@fact("subject.hold_placed", at="placed_at")
class HoldPlaced:
    """A person's data must be kept, whatever is requested: for a claim, a proceeding, an order."""

    placed_at: At
    hold_id: str
    reason: str
    review_by: At
    placed_by: str


@fact("subject.hold_reviewed", at="reviewed_at")
class HoldReviewed:
    """A hold was looked at again and stays."""

    reviewed_at: At
    hold_id: str
    reason: str
    review_by: At  # the next time
    reviewed_by: str


@fact("subject.hold_released", at="released_at")
class HoldReleased:
    """A hold has ended."""

    released_at: At
    hold_id: str
    reason: str
    requested_by: str
    approved_by: str


Fact = (
    ErasureRequested
    | AccessRequested
    | AnswerExtended
    | ErasureDecided
    | AccessRefused
    | AccessGiven
    | KeysDestroyed
    | DerivedPurged
    | ErasureCompleted
    | PurgeDecided
    | PartsPurged
    | HoldPlaced
    | HoldReviewed
    | HoldReleased
)
