"""Checkpoints: does the log fit what was signed, here and in the notes that were kept elsewhere?

A key is introduced by a fact of the log, and its successor by another, endorsed by the key before; a checkpoint must be signed
by the key that was the newest at its size. What a thief of the key signed is told apart by no mathematics: an auditor gives the keys that
they trust, and then only these count.

    assurance   L0   self-checked: everything that was checked against lies in the same database
                L1   a checkpoint that was kept elsewhere fits the log
                L2   and when it came is known by a clock that is not the log's
    exposed          the facts after the newest checkpoint that does; they could still be rewritten unseen
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Literal, NamedTuple

from opsledger.audit.findings import Checked
from opsledger.audit.note import Checkpoint, Note, VerifierKey, open_checkpoint
from opsledger.errors import BadInput, OpsledgerError, Unproven
from opsledger.ledger.seals import StoredCheckpoint
from opsledger.ledger.store import FUTURE_US
from opsledger.policies.instants import iso

__all__ = [
    "Assurance",
    "Introduced",
    "Kept",
    "Level",
    "Notes",
    "Superseded",
    "check_kept",
    "check_keys",
    "check_stored",
    "describe",
    "endorsement_text",
    "read_notes",
]

Level = Literal["L0", "L1", "L2"]


class Introduced(NamedTuple):
    """A signing key's public half as a fact of the log introduced it; `endorsement` is its predecessor's signature, where there is one."""

    position: int
    key: VerifierKey
    replaces: VerifierKey | None
    endorsement: str | None


class Kept(NamedTuple):
    """A checkpoint that somebody kept elsewhere: what they call it, usually a file, and the note; and when it came, by a clock of theirs.

    `received_at` in microseconds; None where nobody noted it.
    """

    name: str
    note: Note
    checkpoint: Checkpoint
    received_at: int | None = None


class Superseded(NamedTuple):
    """Positions that a restore lost, as the fact at `position` says, and as the verifier knows and accepts."""

    position: int
    lost_from: int
    lost_to: int


class Notes(NamedTuple):
    """What checkpoints are checked with."""

    origin: str
    stored: Sequence[StoredCheckpoint]
    kept: Sequence[Kept]
    introduced: Sequence[Introduced]
    trusted: Sequence[VerifierKey] = ()
    superseded: Sequence[Superseded] = ()
    begin: int = 0  # the facts before were left out, as was asked for: no root of so many or fewer was made

    @property
    def sizes(self) -> set[int]:
        """The sizes whose roots are needed."""
        return {kept.checkpoint.size for kept in self.kept} | {stored.size for stored in self.stored}

    def keys(self, size: int) -> list[VerifierKey]:
        """Return the keys that may sign a checkpoint of this size: those trusted, else the newest that the log introduced by then."""
        if self.trusted:
            return list(self.trusted)
        return [each.key for each in self.introduced if each.position <= size][-1:]


class Assurance(NamedTuple):
    """How far the verdict reaches: `covered` is the size of the largest kept checkpoint that fits; later facts are exposed.

    `contradicted` where checkpoints were kept and none of them fits: then it reaches nowhere.
    """

    level: Level
    covered: int
    exposed: int
    oldest: int | None  # when the oldest exposed fact was recorded, in microseconds
    contradicted: bool = False


_MEANING: Final = {
    "L0": "self-checked: all that the log was checked against lies in the same database",
    "L1": "kept outside: a checkpoint that was kept elsewhere fits the log",
    "L2": "kept outside and timed: a checkpoint that was kept elsewhere fits the log, and when it came is known by another clock",
}


def read_notes(named: Mapping[str, str | bytes], origin: str, received: Mapping[str, int] | None = None) -> list[Kept]:
    """Return notes, by their names, as checkpoints of a log. Raises BadInput naming the one that is none, or another log's.

    `received` is when each came, where that was noted; one that names no note is refused too.
    """
    found, times = [], received or {}
    for name in times:
        if name not in named:
            given = ", ".join(named) or "none"
            raise BadInput("checkpoint.not_given", f"No note '{name}' was given, and so none came then; those given are: {given}.")
    for name, written in named.items():
        try:
            note = Note.parse(written)
            checkpoint = Checkpoint.parse(note.text)
        except BadInput as error:
            raise BadInput(error.code, f"{name}: {error.sentence}") from None
        if checkpoint.origin != origin:
            raise BadInput(
                "checkpoint.other_log", f"{name} is a checkpoint of {checkpoint.origin}, and this log is {origin}; give one of it."
            )
        found.append(Kept(name, note, checkpoint, times.get(name)))
    return found


def endorsement_text(origin: str, key: VerifierKey) -> bytes:
    """Return what the key before signs to say that this one follows it."""
    return f"opsledger/next-key/v1\n{origin}\n{key}\n".encode()


def check_keys(notes: Notes, result: Checked) -> None:
    """Check that each key that the log introduced follows the one before, and is endorsed by it."""
    before: VerifierKey | None = None
    for each in notes.introduced:
        result.count("keys")
        place = {"position": each.position, "stream": "ledger:self", "column": "state"}
        if each.key.name != notes.origin or each.replaces != before:
            result.find(f"Position {each.position} introduces the key {each.key}, which does not follow the one before, {before}.", **place)
        elif before is not None and each.endorsement is None:
            result.restate(
                f"The key introduced at position {each.position} replaced one that was lost or stolen, and is endorsed by nobody; "
                "give the key that you trust.",
                **place,
            )
        elif before is not None and not _endorsed(notes.origin, each, before):
            result.find(f"Position {each.position} introduces a key with an endorsement that the key before did not give.", **place)
        before = each.key


def check_stored(notes: Notes, roots: Mapping[int, bytes], head: int, result: Checked) -> None:
    """Check the checkpoints that the database holds: signature, key and root of each."""
    if left := sum(stored.size <= notes.begin for stored in notes.stored):
        which = "1 stored checkpoint ends" if left == 1 else f"{left} stored checkpoints end"
        result.note(f"{which} at position {notes.begin} or before, where nothing was looked at: not compared with the log.")
    for stored in notes.stored:
        result.count("checkpoints")
        try:
            note = Note.parse(stored.note)
            checkpoint = Checkpoint.parse(note.text)
            if checkpoint.size != stored.size or checkpoint.origin != notes.origin:
                raise Unproven("checkpoint.misfiled", f"It is of {checkpoint.size} facts of {checkpoint.origin}.")
            _signed(note, notes, checkpoint.size)
        except OpsledgerError as error:
            _find(result, f"The stored checkpoint of {stored.size} facts does not hold: {error.sentence}", stored.size)
            continue
        if stored.size > notes.begin:
            _fits(f"The stored checkpoint of {checkpoint.size} facts", checkpoint, roots, head, result)


def check_kept(notes: Notes, roots: Mapping[int, bytes], head: int, result: Checked, recorded_at: Callable[[int], int]) -> tuple[int, bool]:
    """Check the checkpoints that were kept elsewhere. Returns the size of the largest that fits, and whether it is known when it came.

    `recorded_at` tells when the fact at a position claims to have been recorded. 0 where none fits.
    """
    stored, covered, timed = {each.size: each for each in notes.stored}, 0, False
    for kept in notes.kept:
        result.count("kept checkpoints")
        size = kept.checkpoint.size
        try:
            _signed(kept.note, notes, size)
        except OpsledgerError as error:
            _find(result, f"{kept.name}: {error.sentence}", size)
            continue
        lost = next((each for each in notes.superseded if each.lost_from <= size <= each.lost_to), None)
        if lost is not None and roots.get(size) != kept.checkpoint.root:
            result.restate(
                f"{kept.name} covers positions that the restore at position {lost.position} lost, {lost.lost_from} to {lost.lost_to}; "
                "it shows nothing of the log as it stands.",
                position=size,
            )
            continue
        if 0 < size <= notes.begin:
            result.leave(f"{kept.name} ends at position {size}, where nothing was looked at; verify without a position to begin from.")
            continue
        if not _fits(kept.name, kept.checkpoint, roots, head, result):
            continue
        if size and size not in stored:
            _find(
                result,
                f"{kept.name} was signed at position {size}, and the database no longer holds it: its checkpoints were cut back.",
                size,
            )
        in_time = size > 0 and _came_later(kept, recorded_at(size), result)
        covered, timed = max((covered, timed), (size, in_time))
    return covered, timed


def describe(level: Level) -> str:
    """Return what a level of assurance means."""
    return _MEANING[level]


def _signed(note: Note, notes: Notes, size: int) -> None:
    keys = notes.keys(size)
    if not keys:
        raise Unproven("checkpoint.no_key", "the log introduced no signing key by then, and none was given; give the one that you trust.")
    open_checkpoint(note, keys, notes.origin)


def _fits(name: str, checkpoint: Checkpoint, roots: Mapping[int, bytes], head: int, result: Checked) -> bool:
    size = checkpoint.size
    if size > head:
        _find(
            result,
            f"{name} covers {size} facts, and the log has {head}: positions {head + 1} to {size} are gone.",
            size,
            str(size),
            str(head),
        )
        return False
    if size == 0:
        return True
    found = roots.get(size)
    if found is None:
        result.leave(f"{name} could not be compared: no root of {size} facts was made.")
        return False
    if found != checkpoint.root:
        said, made = (base64.b64encode(each).decode() for each in (checkpoint.root, found))
        _find(
            result,
            f"{name} does not fit the log: one or more of positions 1 to {size} are not those that were signed. "
            "Keep the note: with the log as it stands it is the evidence.",
            size,
            said,
            made,
        )
        return False
    return True


def _came_later(kept: Kept, recorded_at: int, result: Checked) -> bool:
    """Return whether a note came after all that it covers was recorded, as it must; False too where nobody noted when it came."""
    if kept.received_at is None:
        return False
    if recorded_at > kept.received_at + FUTURE_US:
        result.find(
            f"{kept.name} came at {iso(kept.received_at)}, and position {kept.checkpoint.size}, which it covers, claims to have been "
            f"recorded at {iso(recorded_at)}: the ledger's clock was ahead.",
            position=kept.checkpoint.size,
            column="recorded_at",
            expected=f"{iso(kept.received_at + FUTURE_US)} or earlier",
            found=iso(recorded_at),
        )
        return False
    return True


def _endorsed(origin: str, each: Introduced, before: VerifierKey) -> bool:
    try:
        signature = base64.b64decode(each.endorsement or "", validate=True)
    except ValueError:
        return False
    return before.verifies(endorsement_text(origin, each.key), signature)


def _find(result: Checked, sentence: str, position: int, expected: str | None = None, found: str | None = None) -> None:
    result.find(sentence, position=position, table="ledger_checkpoint", expected=expected, found=found)
