"""Parts and keys: is every sealed part the one that its fact names, or gone because a fact decided so? Are keys what the log says?

The marks that let a part go, in `ledger_erasure`, are themselves beside the log. What a mark says is believed only where the fact
that it names decides it; that fact is sealed like any other.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from opsledger.audit.continuity import misfit
from opsledger.domain import subject as s
from opsledger.domain.fact import Sealed, fact_types
from opsledger.errors import BadInput, KeysError, Unfoldable
from opsledger.ledger.codec import read, read_all
from opsledger.ledger.envelope import Mark, Part, Row
from opsledger.ledger.keys import HeldKey, Keys
from opsledger.ledger.store import Store, pages
from opsledger.replay.checks.task import Task, place

__all__ = ["keys", "parts"]

_NO_KEY_FILE: Final = "keys.no_kek"


@dataclass(slots=True)
class _Said:
    """What the facts about data subjects say: by subject, and which keys may be destroyed, and parts go, by which positions."""

    subjects: dict[str, s.Subject] = field(default_factory=dict)
    destroys: set[tuple[str, int]] = field(default_factory=set)  # (key, position of the decision)
    purges: set[tuple[str, int]] = field(default_factory=set)
    deciders: dict[int, str] = field(default_factory=dict)  # position of a decision to purge -> subject
    purged: set[str] = field(default_factory=set)  # keys whose parts are said to be gone


class _Named(NamedTuple):
    """A sealed field of a stored fact."""

    row: Row
    name: str
    sealed: Sealed


def parts(task: Task) -> None:
    """Check every sealed part against the fact that names it, and every mark against the fact that decided it."""
    said, marks = _said(task.store, task.head), task.store.marks()
    _check_marks(marks, said, task)
    may_go = {mark.key_id: mark.position for mark in marks if mark.act == "purged" and (mark.key_id, mark.position) in said.purges}
    gone: Counter[int] = Counter()
    for page in pages(task.store, 0, task.head):
        named = [each for row in page for each in _sealed(row, task)]
        found = task.store.parts([each.sealed.part for each in named])
        for each in named:
            _check_part(each, found.get(each.sealed.part), may_go, said, gone, task)
        task.told(page[-1].position, task.head)
    for position, count in sorted(gone.items()):
        what = "sealed part was" if count == 1 else "sealed parts were"
        task.result.note(f"{count} {what} purged, authorised by position {position} (subject:{said.deciders[position]}).")


def _said(store: Store, until: int) -> _Said:
    said = _Said()
    granted: dict[str, int] = {}
    going: dict[str, tuple[str, ...]] = {}
    for recorded in read_all(row for row in store.streams("subject:") if row.position <= until):
        subject, event = recorded.id, recorded.fact
        said.subjects[subject] = s.evolve(said.subjects.get(subject), event)
        match event:
            case s.ErasureDecided() if event.outcome == "granted":
                granted[subject] = recorded.position
                said.destroys.update((key.key_id, recorded.position) for key in event.keys)
            case s.KeysDestroyed() if subject in granted:  # names also keys that were made meanwhile
                said.destroys.update((key.key_id, granted[subject]) for key in event.keys)
            case s.PurgeDecided():
                going[subject] = event.keys
                said.deciders[recorded.position] = subject
                said.purges.update((key, recorded.position) for key in event.keys)
            case s.PartsPurged():
                said.purged.update(going.get(subject, ()))
    return said


def _check_marks(marks: Sequence[Mark], said: _Said, task: Task) -> None:
    task.result.count("marks", len(marks))
    for mark in marks:
        known = said.destroys if mark.act == "destroyed" else said.purges
        if (mark.key_id, mark.position) not in known and mark.position <= task.head:
            task.result.find(
                f"Key {mark.key_id} is marked as {mark.act} by position {mark.position}, and no fact there decides so: the mark was added "
                "or changed by somebody.",
                position=mark.position,
                table="ledger_erasure",
                keys=((mark.key_id, mark.act),),
            )
    marked = {mark.key_id for mark in marks if mark.act == "destroyed"}
    for subject, state in said.subjects.items():
        for key_id in sorted(state.destroyed - marked):
            task.result.find(
                f"Key {key_id} of subject {subject} is destroyed and not marked so: something could be sealed under it; "
                "the mark was removed by somebody.",
                stream=f"subject:{subject}",
                table="ledger_erasure",
                keys=((key_id, "destroyed"),),
            )


def _sealed(row: Row, task: Task) -> Iterator[_Named]:
    """Yield the sealed fields of a stored fact."""
    if misfit(row) is not None:
        task.result.leave(f"Position {row.position} holds in a column what does not belong there; `opsledger verify continuity` names it.")
        return
    kind = fact_types().get(row.topic)
    if kind is not None and not kind.personal:
        return
    try:
        recorded = read(row)
    except Unfoldable as error:
        task.result.leave(error.sentence)
        return
    assert kind is not None
    for name in kind.personal:
        value = getattr(recorded.fact, name)
        if isinstance(value, Sealed):
            yield _Named(row, name, value)
        elif value is not None:
            task.result.find(
                f"Position {row.position} ({row.topic} in {row.stream}) holds {name} unsealed, for everybody to read.",
                **place(row, f"state.{name}"),
            )


def _check_part(named: _Named, part: Part | None, may_go: Mapping[str, int], said: _Said, gone: Counter[int], task: Task) -> None:
    row, name, sealed = named
    where = f"The sealed part of {name} at position {row.position} ({row.topic} in {row.stream})"
    at = place(row, f"state.{name}")
    task.result.count("parts")
    if part is None:
        if sealed.key in may_go:
            gone[may_go[sealed.key]] += 1
        else:
            task.result.find(f"{where} is missing, and no fact says that it was purged.", **at, table="ledger_part", expected=sealed.part)
        return
    made = hashlib.sha256(part.sealed).hexdigest()
    if made != sealed.part:
        task.result.find(f"{where} was changed: its bytes are not those that were sealed.", **at, expected=sealed.part, found=made)
    if part.key_id != sealed.key:
        task.result.find(f"{where} says that it is sealed under another key.", **at, expected=sealed.key, found=part.key_id)
    if sealed.key in said.purged:
        task.result.find(
            f"{where} was purged and is there again, as after a restore; purge it again.", **at, table="ledger_part", found=sealed.part
        )


# Keys.


def keys(task: Task) -> None:
    """Check the key store against the log: destroyed keys stay destroyed, none is lost, each is the one that was committed to."""
    store = task.outside.keys
    if store is None:
        raise BadInput("verify.no_keys", "The key store was not given; use OpsLedger.verify, which gives it where there is one.")
    said = _said(task.store, task.head)
    known = {key.key_id: key for key in store.held()}
    task.result.count("keys", len(known))
    for subject, state in said.subjects.items():
        _check_subject(subject, state, known, task)
    forgotten = {key_id for state in said.subjects.values() for key_id in state.forgotten}
    for key in known.values():
        if key.state == "destroyed" and key.key_id not in forgotten:
            task.result.find(
                f"Key {key.key_id} of subject {key.subject} is destroyed in the key store, and no fact says that it was to be: it is lost, "
                "not erased. Put the key store back from a copy.",
                **_of(key.subject),
            )
    for key_id, count in sorted(task.store.part_keys().items()):
        if key_id not in known and key_id not in forgotten:
            what = "sealed part is" if count == 1 else "sealed parts are"
            task.result.find(f"{count} {what} under key {key_id}, which the key store does not know: it is lost, not erased.")
    _check_commitments(store, [key for key in known.values() if key.state != "destroyed"], task)


def _check_subject(subject: str, state: s.Subject, known: Mapping[str, HeldKey], task: Task) -> None:
    again = "`opsledger erase --again` brings the key store to what the log says."
    for key_id in sorted(state.destroyed):
        held = known.get(key_id)
        if held is None:
            task.result.find(f"The key store has forgotten that key {key_id} of subject {subject} is destroyed. {again}", **_of(subject))
        elif held.state != "destroyed":
            task.result.find(f"Key {key_id} of subject {subject} was destroyed and is there again. {again}", **_of(subject))
    theirs = [key for key in known.values() if key.subject == subject and key.state != "destroyed"]
    for key in theirs:
        if key.key_id not in state.forgotten and state.destroyed:
            task.result.find(f"Subject {subject} was erased and has another key, {key.key_id}. {again}", **_of(subject))
        elif not state.erased and (key.state == "restricted") != state.restricted:
            task.result.find(f"The key store has subject {subject} as {key.state}, and the log says otherwise. {again}", **_of(subject))


def _check_commitments(held: Keys, living: Sequence[HeldKey], task: Task) -> None:
    for i, key in enumerate(living, 1):
        try:
            held.by_id(key.key_id)
        except KeysError as error:
            if error.code == _NO_KEY_FILE:
                task.result.note(f"Whether keys are those that were committed to was not looked at: {error.sentence}")
                return
            task.result.find(error.sentence, **_of(key.subject))
        task.result.count("commitments")
        task.told(i, len(living))


def _of(subject: str) -> dict[str, Any]:
    return {"stream": f"subject:{subject}", "table": "subject_key"}
