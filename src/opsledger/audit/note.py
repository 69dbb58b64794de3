"""Signed notes and checkpoints, as C2SP signed-note and tlog-checkpoint have them.

    ops.example.com/ledger                          origin: the log's name
    20852163                                        size: how many leaves
    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=    root
                                                    further lines may follow; then an empty one, and signatures:
    — ops.example.com/ledger Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=

A signature names its key by name and id. Those of keys that the reader does not know are passed over, so that others may sign
the same note; one of a key that is known must hold. Parsing is strict: what can be written in two ways is accepted in one.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, NamedTuple, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from opsledger.audit.merkle import EMPTY_ROOT, HASH_SIZE
from opsledger.errors import BadInput, Unproven

__all__ = [
    "ED25519",
    "Checkpoint",
    "Note",
    "Signature",
    "Signer",
    "VerifierKey",
    "checked_name",
    "decimal",
    "key_id",
    "open_checkpoint",
    "open_note",
    "sign_note",
    "unbase64",
]

ED25519: Final = b"\x01"
"""The type of signature that a key is for, as it stands before the key's bytes."""

_DASH: Final = "\N{EM DASH} "
_MOST_SIGNATURES: Final = 100
_KEY_SIZE: Final = 32
_ID_SIZE: Final = 4
_DECIMAL: Final = re.compile(r"0|[1-9][0-9]{0,19}")
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f]")


# Keys.


def checked_name(name: str) -> str:
    """Return the name of a key or log, if it can be one: not empty, without spaces and plus signs. Raises BadInput."""
    if not name or "+" in name or _CONTROL.search(name) or any(each.isspace() for each in name):
        raise BadInput("note.key_name", f"{name!r} cannot name a log or its key; take one such as ops.example.com/ledger.")
    return name


def key_id(name: str, typed_key: bytes) -> bytes:
    """Return the four bytes by which signatures name a key: of the SHA-256 over its name, its type and its public half."""
    return sha256(name.encode() + b"\n" + typed_key).digest()[:_ID_SIZE]


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """The public half of a signing key, written `name+id+key`. An auditor has it from elsewhere than from the ledger."""

    name: str
    public: bytes

    @property
    def id(self) -> bytes:
        """The four bytes by which signatures name the key."""
        return key_id(self.name, ED25519 + self.public)

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(ED25519 + self.public).decode()}"

    @classmethod
    def parse(cls, text: str) -> VerifierKey:
        """Return the key that a text `name+id+key` says. Raises BadInput, also where its id is that of another key."""
        name, _, rest = text.partition("+")
        said, _, coded = rest.partition("+")
        typed = unbase64(coded)
        if typed is None or len(typed) != 1 + _KEY_SIZE or typed[:1] != ED25519:
            raise BadInput("note.verifier_key", f"{text!r} is no Ed25519 verifier key; one is written name+id+key.")
        key = cls(checked_name(name), typed[1:])
        if said != key.id.hex():
            raise BadInput(
                "note.verifier_key", f"The verifier key {text!r} does not fit its own id; copy it again from where it is published."
            )
        return key

    def verifies(self, message: bytes, signature: bytes) -> bool:
        """Return whether the signature of a message is this key's."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except InvalidSignature:
            return False
        return True


class Signer(Protocol):
    """Whoever can sign: a key in a file (`opsledger.audit.signing`), or one that a host keeps elsewhere."""

    @property
    def verifier(self) -> VerifierKey:
        """The public half of the key."""

    def sign(self, message: bytes) -> bytes:
        """Return the signature of a message."""


# Notes.


class Signature(NamedTuple):
    """A signature with the name and id of the key that it claims."""

    name: str
    id: bytes
    value: bytes

    def __str__(self) -> str:
        return f"{_DASH}{self.name} {base64.b64encode(self.id + self.value).decode()}\n"


@dataclass(frozen=True, slots=True)
class Note:
    """A text and its signatures, none of which is verified by being here. `str` gives the note as it is written."""

    text: str
    signatures: tuple[Signature, ...]

    def __str__(self) -> str:
        return f"{self.text}\n{''.join(map(str, self.signatures))}"

    @classmethod
    def parse(cls, written: str | bytes) -> Note:
        """Return the note that was written. Raises BadInput where it is none."""
        whole = _checked_text(written)
        text, empty_line, signed = whole.rpartition("\n\n")
        if not empty_line or not signed.endswith("\n"):
            raise _malformed("it does not end with an empty line and lines of signatures")
        lines = signed[:-1].split("\n")
        if len(lines) > _MOST_SIGNATURES:
            raise _malformed(f"it has {len(lines)} signatures; {_MOST_SIGNATURES} are the most")
        return cls(text + "\n", tuple(map(_signature, lines)))


def sign_note(note: str | Note, *signers: Signer) -> Note:
    """Return a text, or a note with the signatures that it has, signed by more keys; a key that signed before signs anew."""
    if isinstance(note, str):
        note = Note(note, ())
    if not _checked_text(note.text).endswith("\n"):
        raise _malformed("its text does not end with a newline")
    message = note.text.encode()
    made = [Signature(each.verifier.name, each.verifier.id, each.sign(message)) for each in signers]
    again = {(each.name, each.id) for each in made}
    return Note(note.text, (*(each for each in note.signatures if (each.name, each.id) not in again), *made))


def open_note(note: Note, keys: Iterable[VerifierKey]) -> tuple[VerifierKey, ...]:
    """Return which of the keys signed a note, in the order of their signatures. Raises Unproven.

    At least one must have; and a signature that claims to be of one of them must be.
    """
    known: dict[tuple[str, bytes], VerifierKey] = {}
    for key in keys:
        if known.setdefault((key.name, key.id), key) != key:
            raise BadInput("note.ambiguous_keys", f"Two different verifier keys are both {key.name}+{key.id.hex()}; give one of them.")
    message = note.text.encode()
    signed: dict[VerifierKey, None] = {}
    for signature in note.signatures:
        claimed = known.get((signature.name, signature.id))
        if claimed is None:
            continue
        if not claimed.verifies(message, signature.value):
            raise Unproven(
                "note.forged",
                f"The signature of {signature.name}+{signature.id.hex()} does not belong to this text; one of the two was changed.",
            )
        signed[claimed] = None
    if not signed:
        raise Unproven("note.unsigned", "The note is signed by none of the keys that were given; give its log's verifier key.")
    return tuple(signed)


def _signature(line: str) -> Signature:
    name, _, coded = line.removeprefix(_DASH).partition(" ")
    value = unbase64(coded)
    if not line.startswith(_DASH) or value is None or len(value) <= _ID_SIZE:
        raise _malformed(f"the line {line[:80]!r} is no signature")
    return Signature(checked_name(name), value[:_ID_SIZE], value[_ID_SIZE:])


def _checked_text(written: str | bytes) -> str:
    """Return a text that may stand in a note: UTF-8 without control characters but newlines."""
    try:
        text = written.decode() if isinstance(written, bytes) else written.encode().decode()
    except UnicodeError:
        raise _malformed("it is not UTF-8") from None
    if _CONTROL.search(text):
        raise _malformed("it holds a control character")
    return text


def _malformed(why: str) -> BadInput:
    return BadInput("note.malformed", f"This is no signed note: {why}; take it again from where it is kept.")


# Checkpoints.


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log was at one time: its name, its size and its root. `str` gives the text that is signed."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()  # further lines, which no monitor of logs understands; ours have none

    def __str__(self) -> str:
        lines = (self.origin, str(self.size), base64.b64encode(self.root).decode(), *self.extensions)
        return "".join(f"{line}\n" for line in lines)

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """Return the checkpoint that a note's text says. Raises BadInput where it says none."""
        *lines, after = text.split("\n")
        if after or len(lines) < 3 or not all(lines):
            raise BadInput("checkpoint.malformed", "A checkpoint has an origin, a size, a root and no empty line; this text has not.")
        origin, said, coded = lines[:3]
        size, root = decimal(said), unbase64(coded)
        if size is None:
            raise BadInput("checkpoint.malformed", f"The checkpoint of {origin} has the size {said[:40]!r}, which is no number of leaves.")
        if root is None or len(root) != HASH_SIZE or (size == 0 and root != EMPTY_ROOT):
            raise BadInput(
                "checkpoint.malformed", f"The checkpoint of {origin} has the root {coded[:60]!r}, which is none of {size} leaves."
            )
        return cls(origin, size, root, tuple(lines[3:]))


def open_checkpoint(written: str | bytes | Note, keys: Sequence[VerifierKey], origin: str) -> Checkpoint:
    """Return a checkpoint that the log of this origin signed with one of the keys. Raises BadInput or Unproven.

    A log's keys have its name; a signature of somebody else alone, such as a witness, makes no checkpoint of the log.
    """
    note = written if isinstance(written, Note) else Note.parse(written)
    signed = open_note(note, keys)
    checkpoint = Checkpoint.parse(note.text)
    if checkpoint.origin != origin:
        raise Unproven("checkpoint.other_log", f"This is a checkpoint of {checkpoint.origin}, not of {origin}; give one of this log.")
    if all(key.name != origin for key in signed):
        raise Unproven("checkpoint.not_of_the_log", f"The checkpoint of {origin} is signed by others, but by no key of the log's own name.")
    return checkpoint


# Text that can be written in one way only.


def decimal(text: str) -> int | None:
    """Return the number below 2 ** 64 that a text says in plain decimal; None where it says none."""
    number = int(text) if _DECIMAL.fullmatch(text) else None
    return number if number is not None and number < 1 << 64 else None


def unbase64(text: str) -> bytes | None:
    """Return the bytes that a text says in standard base64 with its padding; None where it says none."""
    try:
        value = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return value if base64.b64encode(value).decode() == text else None
