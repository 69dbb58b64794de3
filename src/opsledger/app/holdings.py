"""Holdings: what the ledger holds on a person, found by the opaque id, and exported for them to read.

The log is searched for the id as it stands in stored bytes, so that a fact of any concept is found, also one of a host's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from opsledger.app.recording import Receipt, checked_id
from opsledger.domain import subject as subjects
from opsledger.domain.concept import SYSTEM
from opsledger.domain.fact import Sealed, fact_type, fact_types
from opsledger.domain.recorded import Recorded
from opsledger.errors import Unknown
from opsledger.ledger.codec import read, read_all
from opsledger.ledger.keys import LocalKeys
from opsledger.ledger.personal import Erased
from opsledger.ledger.store import Store, pages
from opsledger.policies.instants import iso, micros, moment
from opsledger.replay.build import Progress

if TYPE_CHECKING:
    from opsledger.app.ledger import OpsLedger

__all__ = ["Access", "held", "naming", "retention_due", "standing", "subject_access", "words_of"]


@dataclass(frozen=True, slots=True)
class Access:
    """An export of all that is held on a person, opened: to be written with `msgspec.json` or `json`, and given to them."""

    document: dict[str, Any]
    receipt: Receipt


def standing(host: OpsLedger, subject: str) -> tuple[subjects.Subject, list[Recorded]]:
    """Return a data subject as the log knows it, and its facts; nothing known where there are none."""
    history = list(read_all(host.store.stream(f"subject:{checked_id(subject)}")))
    state = subjects.Subject()
    for recorded in history:
        state = subjects.evolve(state, recorded.fact)
    return state, history


def naming(store: Store, subject: str, until: int, progress: Progress | None = None) -> Iterator[Recorded]:
    """Yield the facts up to a position that name a person, in a field or as who recorded them, in the order of the ledger."""
    written = msgspec.json.encode(subject)
    for rows in pages(store, 0, until):
        for row in rows:
            if written in row.state or row.recorded_by == subject:
                yield read(row)
        if progress is not None:
            progress(rows[-1].position, until)


def words_of(recorded: Recorded, subject: str) -> list[Sealed]:
    """Return the sealed fields of a fact that are a person's."""
    kind = fact_type(recorded.topic)
    if kind.subject is None or getattr(recorded.fact, kind.subject) != subject:
        return []
    return [value for name in kind.personal if isinstance(value := getattr(recorded.fact, name), Sealed)]


def held(facts: Sequence[Recorded] | Iterator[Recorded], subject: str) -> tuple[subjects.Held, ...]:
    """Return what facts hold of a person's words, by concept: how many facts, and when the newest happened."""
    found: dict[str, tuple[int, int]] = {}
    for recorded in facts:
        if words_of(recorded, subject):
            count, newest = found.get(recorded.concept, (0, recorded.occurred_at))
            found[recorded.concept] = count + 1, max(newest, recorded.occurred_at)
    return tuple(
        subjects.Held(concept=concept, facts=count, newest_at=moment(newest)) for concept, (count, newest) in sorted(found.items())
    )


def subject_access(
    host: OpsLedger, subject: str, *, name: str, given_by: str = SYSTEM, at: datetime | None = None, progress: Progress | None = None
) -> Access:
    """Return all that is held on a person, opened, after recording that it was exported under a name.

    It holds every fact of every thing in which the person is named. Words of other people in them stay sealed. What is written of the
    export is out of the ledger's reach from then on, so it is recorded first: an erasure names it.
    """
    id, head = checked_id(subject), host.store.head().position
    streams = dict.fromkeys(recorded.stream for recorded in naming(host.store, id, head, progress))
    streams[f"subject:{id}"] = None
    rows = [row for stream in streams for row in host.store.stream(stream) if row.position <= head]
    if not rows:
        raise Unknown("subject.unknown", f"Nothing in the ledger names subject {id}; look at the id.")
    told, opened = [], 0
    for recorded in sorted(read_all(rows), key=lambda recorded: recorded.position):
        fact, more = _opened(host, recorded, id)
        told.append(fact)
        opened += more
    receipt = host.by(given_by, role="privacy", at=at).record(
        subjects.give_access, id, name=name, facts=len(told), opened=opened, given_by=given_by
    )
    names = host.keys.names() if isinstance(host.keys, LocalKeys) else {}
    document = {
        "subject": id,
        "name": names.get(id),
        "ledger": host.meta["ledger_id"],
        "export": name,
        "made_at": iso(micros(host.now() if at is None else at)),
        "position": head,
        "facts": told,
    }
    return Access(document, receipt)


def _opened(host: OpsLedger, recorded: Recorded, subject: str) -> tuple[dict[str, Any], int]:
    """Return a fact as a document, with the person's own words opened, and how many of them could be."""
    said: dict[str, Any] = msgspec.to_builtins(recorded.fact)
    kind, opened = fact_type(recorded.topic), 0
    theirs = bool(words_of(recorded, subject))
    words = host.reveal(recorded, restricted=True) if theirs else {}
    for name in kind.personal:
        if said[name] is not None:
            value = words.get(name)
            readable = theirs and not isinstance(value, Erased)
            said[name] = msgspec.to_builtins(value) if readable else "(erased)" if theirs else "(sealed: words of somebody else)"
            opened += readable
    told = {
        "position": recorded.position,
        "about": recorded.stream,
        "what": recorded.topic,
        "happened_at": iso(recorded.occurred_at),
        "recorded_at": iso(recorded.recorded_at),
        "recorded_by": recorded.recorded_by,
        "role": recorded.role,
        "source": recorded.source,
        "said": said,
    }
    return told, opened


def retention_due(host: OpsLedger, at: datetime, progress: Progress | None = None) -> list[dict[str, Any]]:
    """Return whose words the operating model in force has kept long enough: one row per category and person, longest over first.

    Those whose erasure was granted are left out. A hold is not looked at here: erasing them will.
    """
    rules = host.known.in_force(micros(at)).model.personal_data
    newest: dict[tuple[str, str], tuple[int, int]] = {}
    for rows in pages(host.store, 0, head := host.store.head().position):
        for row in rows:
            category = rules.category_of(row.stream.partition(":")[0])
            if category is None or not ((kind := fact_types().get(row.topic)) and kind.personal and kind.subject):
                continue
            fact = read(row).fact
            if any(isinstance(getattr(fact, name), Sealed) for name in kind.personal):
                which = (category[0], getattr(fact, kind.subject))
                count, last = newest.get(which, (0, row.occurred_at))
                newest[which] = count + 1, max(last, row.occurred_at)
        if progress is not None:
            progress(rows[-1].position, head)
    found = []
    for (name, subject), (facts, last) in newest.items():
        due = rules.retention[name].due_from(last)
        if due is not None and due <= micros(at):
            found.append({"category": name, "subject": subject, "facts": facts, "newest_at": moment(last), "due_at": moment(due)})
    erased = {
        stream.partition(":")[2] for stream in host.store.heads_within("subject:") if standing(host, stream.partition(":")[2])[0].erased
    }
    return sorted((each for each in found if each["subject"] not in erased), key=lambda each: (each["due_at"], each["subject"]))
