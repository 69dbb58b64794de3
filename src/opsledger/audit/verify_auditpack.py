#!/usr/bin/env python3
"""Check an audit pack of an opsledger ledger, on a machine that has no opsledger.

    python3 -I verify_auditpack.py PACK --key NAME+ID+KEY [--checkpoint KEPT.note]...

One file, which needs nothing but Python 3.9 or newer, to be read from top to bottom before it is run. Compare its SHA-256
with the one that the documentation of opsledger publishes: a verifier that merely came with a pack proves nothing.

What is believed: this file, the keys after --key, and the notes after --checkpoint. Nothing in the pack is. In this order:
    pack         it is a plain tar file of what belongs in a pack, and each file in it has the digest that SHA256SUMS says
    manifest     it says of which log the pack is, which positions, and which checkpoint it is bound to
    checkpoint   that checkpoint is signed by one of the keys
    outside      each fact from outside the range is in the signed tree: the ledger's own, its keys, policies and calendars
    facts        each position is there, in order; the leaves made of them, with the hashes left and right of them, lead to the
                 signed root; stored bytes have the digest in their leaf, and sealed parts the digest in the stored bytes
    ledger       what it says of itself fits: its name, its keys, each endorsed by the one before, whether it is simulated
    checkpoints  each is signed by a key of the log and continues the one before, up to the one that the pack is bound to
    kept         the pack continues the notes that were kept elsewhere

Exit code 0: all of that holds; 1: there are findings; 2: something could not be decided.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import re
import struct
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["Checkpoint", "Frontier", "Key", "Verification", "Wrong", "included", "main", "opened", "proved", "signed_by"]

FORMAT = "opsledger/auditpack/v1"
LONGEST_LINE, LONGEST_TEXT, MOST_SHOWN = 1 << 26, 1 << 24, 20


class Wrong(Exception):
    """Something is not as it must be."""


# Text that can be written in one way only.


def whole(text: str) -> int:
    """Return an integer of JSON, which has at most 19 digits here."""
    if len(text) > 20:
        raise ValueError("too long for a number of a pack")
    return int(text)


def refused(text: str) -> Any:
    """Refuse fractions and NaN."""
    raise ValueError(f"{text} is no integer")


def parsed(written: bytes, indent: int | None = None) -> Any:
    """Return what JSON says, if it is written as packs write it: no key twice, no other blank, escape or form of a number."""
    try:
        value = json.loads(written.decode("utf-8"), parse_int=whole, parse_float=refused, parse_constant=refused)
        again = json.dumps(value, ensure_ascii=False, indent=indent, separators=None if indent else (",", ":"))
        if again.encode("utf-8") == written:
            return value
    except (ValueError, RecursionError):
        pass
    raise Wrong(f"{shown(written)} is not JSON as a pack has it.")


def unbase64(text: Any, size: int | None = None) -> bytes:
    """Return the bytes that a text says in base64: so many, where their number is known."""
    try:
        value = base64.b64decode(text, validate=True)
        if base64.b64encode(value).decode() == text and size in (None, len(value)):
            return value
    except (ValueError, TypeError):
        pass
    raise Wrong(f"{shown(text)} is no base64 of {size or 'some'} bytes.")


def hashes(texts: Any) -> list[bytes]:
    """Return the hashes that a list of base64 says."""
    if not isinstance(texts, list) or len(texts) > 128:
        raise Wrong(f"{shown(texts)} is no list of hashes.")
    return [unbase64(each, 32) for each in texts]


def shown(value: Any) -> str:
    """Return the beginning of what stands in a pack, without characters that would steer a terminal."""
    return ascii(value[:80] if isinstance(value, (bytes, str)) else value)[:100]


def many(number: int, what: str) -> str:
    """Return how many of something there are."""
    return f"{number} {what}{'' if number == 1 else 's'}"


# Signatures: Ed25519 by RFC 8032, section 5.1. A point is (X, Y, Z, T) with x = X/Z, y = Y/Z and x * y = T/Z.

PRIME = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
CURVE = -121665 * pow(121666, PRIME - 2, PRIME) % PRIME
ROOT_OF_MINUS_1 = pow(2, (PRIME - 1) // 4, PRIME)


class Point(NamedTuple):
    """A point of the curve -x^2 + y^2 = 1 + d x^2 y^2."""

    x: int
    y: int
    z: int
    t: int


def added(one: Point, other: Point) -> Point:
    """Return the sum of two points, which may be the same (section 5.1.4)."""
    a, b = (one.y - one.x) * (other.y - other.x) % PRIME, (one.y + one.x) * (other.y + other.x) % PRIME
    c, d = 2 * one.t * other.t * CURVE % PRIME, 2 * one.z * other.z % PRIME
    e, f, g, h = b - a, d - c, d + c, b + a
    return Point(e * f % PRIME, g * h % PRIME, f * g % PRIME, e * h % PRIME)


def multiplied(number: int, point: Point) -> Point:
    """Return a point added to itself so many times."""
    total = Point(0, 1, 1, 0)
    while number:
        if number & 1:
            total = added(total, point)
        point, number = added(point, point), number >> 1
    return total


def decoded(written: bytes) -> Point | None:
    """Return the point that 32 bytes say; None where they say none (section 5.1.3)."""
    y = int.from_bytes(written, "little")
    odd, y = y >> 255, y & (1 << 255) - 1
    square = (y * y - 1) * pow(CURVE * y * y + 1, PRIME - 2, PRIME) % PRIME
    x = pow(square, (PRIME + 3) // 8, PRIME)
    if x * x % PRIME != square:
        x = x * ROOT_OF_MINUS_1 % PRIME
    if len(written) != 32 or y >= PRIME or x * x % PRIME != square or (x == 0 and odd):
        return None
    x = x if x & 1 == odd else PRIME - x
    return Point(x, y, 1, x * y % PRIME)


def encoded(point: Point) -> bytes:
    """Return the 32 bytes that say a point (section 5.1.2)."""
    inverse = pow(point.z, PRIME - 2, PRIME)
    x, y = point.x * inverse % PRIME, point.y * inverse % PRIME
    return (y | (x & 1) << 255).to_bytes(32, "little")


BASE = decoded((4 * pow(5, PRIME - 2, PRIME) % PRIME).to_bytes(32, "little"))


def signed_by(public: bytes, message: bytes, signature: bytes) -> bool:
    """Return whether a signature of a message is of this public key (section 5.1.7)."""
    point, number = decoded(public), int.from_bytes(signature[32:], "little")
    if point is None or BASE is None or len(signature) != 64 or number >= ORDER:
        return False
    challenge = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % ORDER
    negative = Point(PRIME - point.x, point.y, 1, PRIME - point.t)
    return encoded(added(multiplied(number, BASE), multiplied(challenge, negative))) == signature[:32]


# The tree: RFC 6962, section 2.1.


def leaf_hash(data: bytes) -> bytes:
    """Return the hash of a leaf."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of a node over two subtrees."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Frontier:
    """A tree that grows: its size, and the roots of the whole subtrees over its leaves, largest first: one for each 1 of the size."""

    def __init__(self, size: int, nodes: list[bytes]) -> None:
        if len(nodes) != bin(size).count("1"):
            raise Wrong(f"{len(nodes)} hashes stand left of the range, where {bin(size).count('1')} belong.")
        self.size, self.nodes = size, nodes

    def append(self, node: bytes) -> None:
        """Add a leaf by its hash."""
        filled, self.size = self.size, self.size + 1
        while filled & 1:  # a whole subtree of the same height stands on the left
            node, filled = node_hash(self.nodes.pop(), node), filled >> 1
        self.nodes.append(node)

    def root(self) -> bytes:
        """Return the root."""
        node = self.nodes[-1] if self.nodes else hashlib.sha256(b"").digest()
        for left in reversed(self.nodes[:-1]):
            node = node_hash(left, node)
        return node


def left_part(size: int) -> int:
    """Return how many leaves are on the left of a tree: the largest power of two below its size."""
    return 1 << (size - 1).bit_length() - 1


def included(index: int, size: int, leaf: bytes, path: Sequence[bytes]) -> bytes:
    """Return the root to which a path leads from a leaf (section 2.1.1)."""
    if not 0 <= index < size or (size == 1) != (not path) or len(leaf) != 32:
        raise Wrong("A path is not as long as one from this leaf to the root of a tree of this size.")
    if size == 1:
        return leaf
    left = left_part(size)
    if index < left:
        return node_hash(included(index, left, leaf, path[:-1]), path[-1])
    return node_hash(path[-1], included(index - left, size - left, leaf, path[:-1]))


def both_roots(first: int, size: int, proof: Sequence[bytes], known: bytes | None) -> tuple[bytes, bytes]:
    """Return the roots over the first leaves and over all; the old root is known while these are all on the left (section 2.1.2)."""
    if (not proof and known is None) or (first == size and len(proof) != (known is None)) or (first < size and not proof):
        raise Wrong("A proof of consistency is not as long as one between trees of these sizes.")
    if first == size:
        root = proof[0] if known is None else known
        return root, root
    left = left_part(size)
    if first <= left:
        before, after = both_roots(first, left, proof[:-1], known)
        return before, node_hash(after, proof[-1])
    before, after = both_roots(first - left, size - left, proof[:-1], None)
    return node_hash(proof[-1], before), node_hash(proof[-1], after)


def proved(first: int, first_root: bytes, size: int, root: bytes, proof: Sequence[bytes]) -> bool:
    """Return whether a proof shows that a tree begins with a smaller one. Raises Wrong for what cannot be a proof."""
    if not 0 < first <= size:
        raise Wrong(f"No proof leads from a tree of {first} leaves to one of {size}.")
    return both_roots(first, size, proof, first_root) == (first_root, root)


# Notes and checkpoints: C2SP signed-note and tlog-checkpoint.

DASH = "\N{EM DASH} "
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")
DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}")


def is_name(text: str) -> bool:
    """Return whether a text can name a log or a key."""
    return bool(text) and "+" not in text and not CONTROL.search(text) and not any(each.isspace() for each in text)


class Key(NamedTuple):
    """The public half of a signing key, written name+id+key."""

    name: str
    id: bytes
    public: bytes

    @classmethod
    def of(cls, text: str) -> Key:
        """Return the key that a text says."""
        name, said, coded = [*text.split("+", 2), "", ""][:3]
        typed = unbase64(coded, 33)
        id = hashlib.sha256(name.encode() + b"\n" + typed).digest()[:4]
        if typed[:1] != b"\x01" or id.hex() != said or not is_name(name):
            raise Wrong(f"{shown(text)} is no Ed25519 verifier key, or does not fit its own id.")
        return cls(name, id, typed[1:])


class Checkpoint(NamedTuple):
    """What a log was at one time: its name, its size and its root."""

    origin: str
    size: int
    root: bytes


def note_of(written: bytes) -> tuple[str, list[tuple[str, bytes, bytes]]]:
    """Return a note's text and its signatures: name and id of the key, and the signature."""
    whole_text = written.decode("utf-8", "replace")
    text, gap, signed = whole_text.rpartition("\n\n")
    lines = signed.split("\n")
    if whole_text.encode() != written or CONTROL.search(whole_text) or not gap or lines.pop() or not 0 < len(lines) <= 100:
        raise Wrong(f"{shown(written)} is no signed note.")
    signatures = []
    for line in lines:
        name, _, coded = line[len(DASH) :].partition(" ")
        value = unbase64(coded)
        if not line.startswith(DASH) or not is_name(name) or len(value) <= 4:
            raise Wrong(f"The line {shown(line)} of a note is no signature.")
        signatures.append((name, value[:4], value[4:]))
    return text + "\n", signatures


def checkpoint_of(written: bytes) -> Checkpoint:
    """Return what a note says of a log. Whether anybody signed it is not looked at."""
    lines = note_of(written)[0].split("\n")
    if lines.pop() or len(lines) < 3 or not all(lines) or not DECIMAL.fullmatch(lines[1]):
        raise Wrong(f"{shown(written)} is a note and no checkpoint.")
    return Checkpoint(lines[0], int(lines[1]), unbase64(lines[2], 32))


def opened(written: bytes, keys: Sequence[Key], origin: str) -> tuple[Checkpoint, list[Key]]:
    """Return a checkpoint that a log signed, and which of these keys did. What claims to be signed by one of them must be."""
    (text, signatures), found, signed = note_of(written), checkpoint_of(written), []
    if found.origin != origin:
        raise Wrong(f"The checkpoint is of {shown(found.origin)}, not of {origin}.")
    for name, id, signature in signatures:
        for key in (each for each in keys if (each.name, each.id) == (name, id)):
            if not signed_by(key.public, text.encode(), signature):
                raise Wrong(f"The signature of {name}+{id.hex()} does not belong to the checkpoint of {found.size} facts.")
            signed.append(key)
    if not any(key.name == origin for key in signed):
        raise Wrong(f"The checkpoint of {found.size} facts is signed by none of the keys of the log that are known.")
    return found, signed


# The file: a plain tar file (POSIX ustar), of which every byte but the contents follows from names and sizes.

MEMBER = re.compile(
    r"README\.txt|checkpoint\.note|catalogue\.jsonl|(facts|outside|checkpoints)/\d{12}\.jsonl|parts/\d{12}\.txt|manifest\.json|SHA256SUMS",
    re.ASCII,
)
BLOCK = 512


def header(name: str, size: int) -> bytes:
    """Return the block that stands before a file of this name and size."""
    numbers = (b"0000644\0", b"0000000\0", b"0000000\0", b"%011o\0" % size, b"%011o\0" % 315532800, b" " * 8)
    block = struct.pack("100s8s8s8s12s12s8ss100s8s247x", name.encode(), *numbers, b"0", b"", b"ustar\x0000")
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


class Pack:
    """The files of a pack, and where they are in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.places: dict[str, tuple[int, int]] = {}
        with path.open("rb") as file:
            end, at = file.seek(0, 2), file.seek(0)
            while (block := file.read(BLOCK)) != bytes(BLOCK):
                name, size = self._announced(block, at)
                self.places[name] = (at + BLOCK, size)
                at = file.seek(at + BLOCK + size)
                if at > end or file.read(-size % BLOCK) != bytes(-size % BLOCK):
                    raise Wrong(f"{name} is said to be {size} bytes long, and the pack ends before, or goes on otherwise behind it.")
                at += -size % BLOCK
            if file.read() != bytes(BLOCK):
                raise Wrong("The pack does not end with two empty blocks behind its last file: something was added or cut off.")

    def _announced(self, block: bytes, at: int) -> tuple[str, int]:
        """Return the name and the size that a header says."""
        name, size = block[:100].rstrip(b"\0").decode("ascii", "replace"), block[124:135].decode("ascii", "replace")
        if not re.fullmatch("[0-7]{11}", size) or not name.isascii() or header(name, int(size, 8)) != block:
            raise Wrong(
                f"The block at byte {at}, which names {shown(name)}, is no header as packs have it: the file is no pack, or damaged."
            )
        if not MEMBER.fullmatch(name):
            raise Wrong(f"The file {shown(name)} does not belong in a pack.")
        if name in self.places:
            raise Wrong(f"The file {name} is in the pack twice.")
        return name, int(size, 8)

    def folder(self, name: str) -> list[str]:
        """Return the names of the files of a folder, in order."""
        return [each for each in self.places if each.startswith(f"{name}/")]

    def lines(self, name: str) -> Iterator[bytes]:
        """Yield the lines of a file, without their ends; one after the other, so that a long file is no burden."""
        if name not in self.places:
            raise Wrong(f"The file {name} is missing.")
        start, left = self.places[name]
        with self.path.open("rb") as file:
            file.seek(start)
            while left:
                line = file.readline(min(left, LONGEST_LINE))
                if not line.endswith(b"\n"):
                    raise Wrong(f"{name} has a line without an end, or one that is longer than lines of packs are.")
                left -= len(line)
                yield line[:-1]

    def content(self, name: str) -> bytes:
        """Return what a short file holds."""
        if self.places.get(name, (0, 0))[1] > LONGEST_TEXT:
            raise Wrong(f"The file {name} is longer than it can be.")
        return b"".join(line + b"\n" for line in self.lines(name))

    def records(self, folder: str, fields: tuple[str, ...]) -> Iterator[dict[str, Any]]:
        """Yield what the lines of a folder's files say, each of the same fields."""
        for name in self.folder(folder):
            for line in self.lines(name):
                said = parsed(line)
                if not isinstance(said, dict) or tuple(said) != fields:
                    raise Wrong(f"{name} has the line {shown(line)}, which has not the fields {', '.join(fields)}.")
                yield said

    def sum(self, name: str) -> str:
        """Return the SHA-256 of a file."""
        digest = hashlib.sha256()
        for line in self.lines(name):
            digest.update(line + b"\n")
        return digest.hexdigest()


# Facts: the columns of a row of the log, and the leaf that is made of them.

NUMBERS, TIMES = ("position", "version", "revision"), ("occurred_at", "recorded_at")
TEXTS = ("stream", "topic", "recorded_by", "role", "command_id")
OPTIONAL = ("correlation_id", "causation_id", "source", "source_id")
COLUMNS = ("position", "stream", "version", "topic", "revision", *TIMES, *TEXTS[2:], *OPTIONAL, "sha256", "state")
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII)
DIGEST = re.compile(r"[0-9a-f]{64}")
POLICY = re.compile(rb'"policy":"([\w-]+@\d+:[0-9a-f]{12})"')  # how facts name the policy that they keep: name@version:digest


def microseconds(text: Any) -> int:
    """Return an instant, written 2026-03-01T09:30:00.000000Z, in microseconds since 1970."""
    try:
        if INSTANT.fullmatch(text):
            when = datetime.fromisoformat(text[:-1])
            if when.isoformat(timespec="microseconds") == text[:-1]:
                return (when - datetime(1970, 1, 1)) // timedelta(microseconds=1)
    except (ValueError, TypeError):
        pass
    raise Wrong(f"{shown(text)} is no instant as a pack has it.")


class Fact(NamedTuple):
    """A fact: its columns as they are written, and its leaf."""

    said: dict[str, Any]
    position: int
    stream: str
    topic: str
    state: bytes | None  # the stored bytes, where they are shown
    leaf: bytes

    @property
    def own(self) -> bool:
        """Whether it is of the ledger itself, a policy or a calendar, or allows a purge: its stored bytes are always shown."""
        return self.stream.startswith(("ledger:", "policy:", "calendar:")) or self.topic == "subject.purge_decided"

    def about(self, field: str) -> Any:
        """Return a field of the stored bytes."""
        try:
            value = json.loads(self.state or b"{}")
        except (ValueError, RecursionError):
            value = None
        return value.get(field) if isinstance(value, dict) else None


def fact_of(said: Any, origin: str) -> Fact:
    """Return the fact of which a line tells the columns."""
    fits = (
        isinstance(said, dict)
        and tuple(said) == COLUMNS
        and all(type(said[each]) is int for each in NUMBERS)
        and all(isinstance(said[each], str) for each in (*TEXTS, *TIMES, "sha256"))
        and all(isinstance(said[each], (str, type(None))) for each in (*OPTIONAL, "state"))
        and DIGEST.fullmatch(said["sha256"])
    )
    if not fits:
        raise Wrong(f"{shown(said)} has not the columns of a fact.")
    name, texts = origin.encode(), [None if said[each] is None else said[each].encode() for each in (*TEXTS, *OPTIONAL)]
    try:
        numbers = struct.pack(">5q", *(said[each] for each in NUMBERS), *(microseconds(said[each]) for each in TIMES))
    except struct.error:
        raise Wrong(f"{shown(said)} has a number that no leaf can hold.") from None
    lengths = struct.pack(">9i", *(-1 if each is None else len(each) for each in texts))
    text = b"".join(each or b"" for each in texts)
    leaf = b"opsledger/leaf/v1\n" + struct.pack(">i", len(name)) + name + numbers + lengths + text + bytes.fromhex(said["sha256"])
    return Fact(said, said["position"], said["stream"], said["topic"], None if said["state"] is None else said["state"].encode(), leaf)


def parts_in(state: bytes) -> list[tuple[str, str]]:
    """Return the sealed parts to which stored bytes refer, (SHA-256, key id) each: every {"part": ..., "key": ...} in them."""
    found: list[tuple[str, str]] = []

    def look(pairs: list[tuple[str, Any]]) -> None:
        said = dict(pairs)
        if len(pairs) == 2 and isinstance(said.get("part"), str) and isinstance(said.get("key"), str) and DIGEST.fullmatch(said["part"]):
            found.append((said["part"], said["key"]))

    if b'"part"' in state:
        try:
            json.loads(state, object_pairs_hook=look, parse_int=str)
        except (ValueError, RecursionError):
            return []
    return found


# The checks.

FIELDS = (
    *("format", "program", "origin", "simulated", "first", "last", "period", "checkpoint", "left", "right", "continues"),
    *("stored_bytes", "sealed_parts", "counts", "inside", "not_inside"),
)
KINDS = (str, str, str, bool, int, int, dict, dict, list, list, dict, str, str, dict, list, list)
NOT_SHOWN = (
    "what was never recorded; whether what was recorded is true; that who is named recorded it, which is the host's word",
    "by any clock but the ledger's own when facts were recorded: not after a checkpoint over them reached you",
    "facts outside the range, but for those in the pack: newer versions of policies and calendars may stand there",
    "what sealed parts say: they are encrypted, and no key is in a pack",
    "whether promises were kept, and what the tables say: replay the ledger, or ask for `opsledger verify`",
    "README.txt, catalogue.jsonl, and program, inside and not_inside of manifest.json: words of the program that wrote the pack",
)


class Verification:
    """A pack as it is looked at, with keys of its log and notes that were kept elsewhere, by name. `lines` is the report."""

    def __init__(self, path: Path, keys: Sequence[Key], notes: Mapping[str, bytes]) -> None:
        self.path, self.keys, self.notes, self.origin = path, list(keys), notes, keys[0].name
        self.lines: list[str] = []
        self.findings: list[str] = []
        self.undecided: list[str] = []
        self.counted: Counter[str] = Counter()
        self.versions: dict[str, list[int]] = {}  # of each policy and calendar
        self.named: set[bytes] = set()  # policies that facts keep
        self.policies: set[bytes] = set()  # policies that are here
        self.own: list[Fact] = []  # of the ledger itself: created, key introduced, restored; and what allows a purge
        self.gone: set[str] = set()  # keys of sealed parts that are no longer in the ledger
        self.recorded: dict[int, str] = {}  # when the first and the last fact of the range, and those beside it, were
        self.introduced: list[tuple[int, Key]] = []
        self.roots: dict[int, bytes] = {}  # of the trees that notes are about, as the pack has them
        self.listed: set[int] = set()  # those trees of which the pack has the checkpoint

    def run(self) -> int:
        """Make the checks in order, up to one after which there is nothing to go by. Returns the exit code."""
        checks = (self.pack, self.manifest, self.checkpoint, self.outside, self.facts, self.ledger, self.checkpoints, self.kept)
        for check in checks:
            findings, undecided, goes_on = len(self.findings), len(self.undecided), True
            try:
                said = check()
            except Wrong as error:
                self.findings.append(str(error))
                said, goes_on = "nothing that comes after this was looked at", False
            found, left = self.findings[findings:], self.undecided[undecided:]
            self.lines.append(f"{check.__name__:<12} {'FINDING' if found else 'undecided' if left else 'ok':<10} {said}")
            self.lines += [f"    {each}" for each in found[:MOST_SHOWN]] + [f"    could not decide: {each}" for each in left]
            self.lines += [f"    and {len(found) - MOST_SHOWN} more"] if len(found) > MOST_SHOWN else []
            if not goes_on:
                break
        return 1 if self.findings else 2 if self.undecided else 0

    def must(self, holds: bool, sentence: str) -> None:
        """Add a finding where something does not hold, and go on."""
        if not holds and len(self.findings) < 10_000:
            self.findings.append(sentence)

    def pack(self) -> str:
        """Is the file a pack, and has each file in it the digest that SHA256SUMS says?"""
        self.files = Pack(self.path)
        names = list(self.files.places)
        said = [line.decode("ascii", "replace") for line in self.files.lines("SHA256SUMS")]
        if names.pop() != "SHA256SUMS" or [line[64:] for line in said] != [f"  {name}" for name in names]:
            raise Wrong("SHA256SUMS is not the last file of the pack, or does not list those before it in their order.")
        for name, line in zip(names, said):
            self.must(self.files.sum(name) == line[:64], f"{name} has another SHA-256 than SHA256SUMS says.")
        return f"{many(len(names), 'file')}, and SHA256SUMS"

    def manifest(self) -> str:
        """Of which log, which range and which checkpoint does the pack say that it is?"""
        said = parsed(self.files.content("manifest.json")[:-1], indent=1)
        if not isinstance(said, dict) or said.get("format") != FORMAT:
            raise Wrong(f"The manifest is not of the form {FORMAT}, which this verifier reads.")
        told = [type(said[name]) is kind or (name, said[name]) == ("period", None) for name, kind in zip(FIELDS, KINDS) if name in said]
        if tuple(said) != FIELDS or not all(told):
            raise Wrong("The manifest has not the fields of the manifest of a pack.")
        self.said, self.first, self.last = said, said["first"], said["last"]
        if said["origin"] != self.origin:
            raise Wrong(f"The pack is of {shown(said['origin'])}, and the first key that you gave is of {self.origin}.")
        if not 1 <= self.first <= self.last or {said["stored_bytes"], said["sealed_parts"]} - {"here", "left out"}:
            raise Wrong("The manifest names no range of positions, or does not say whether stored bytes and sealed parts are here.")
        return f"positions {self.first} to {self.last} of {self.origin}{', a simulated ledger' if said['simulated'] else ''}"

    def checkpoint(self) -> str:
        """Is the checkpoint to which the pack is bound signed by a key that was given?"""
        self.bound, self.signed = opened(self.files.content("checkpoint.note"), self.keys, self.origin)
        if self.said["checkpoint"] != {"size": self.bound.size, "root": base64.b64encode(self.bound.root).decode()}:
            raise Wrong("The checkpoint in the pack is not the one that the manifest names.")
        if self.last > self.bound.size:
            raise Wrong(f"The range ends at position {self.last}, and the checkpoint covers {self.bound.size} facts.")
        return f"of {many(self.bound.size, 'fact')}, signed by {', '.join(f'{key.name}+{key.id.hex()}' for key in self.signed)}"

    def outside(self) -> str:
        """Are the facts from outside the range in the signed tree?"""
        before = 0
        for said in self.files.records("outside", ("fact", "path")):
            fact, path = fact_of(said["fact"], self.origin), hashes(said["path"])
            if not before < fact.position <= self.bound.size or self.first <= fact.position <= self.last:
                raise Wrong(f"Position {fact.position}, from outside the range, does not belong where it stands in the pack.")
            if included(fact.position - 1, self.bound.size, leaf_hash(fact.leaf), path) != self.bound.root:
                raise Wrong(f"Position {fact.position}, from outside the range, is not what was signed.")
            neighbour = self.said["period"] is not None and fact.position in (self.first - 1, self.last + 1)
            if not (fact.own or neighbour) or fact.own != (fact.state is not None):
                raise Wrong(f"Position {fact.position}, from outside the range, does not belong in the pack, or not in this form.")
            before = fact.position
            self.counted["outside"] += 1
            self.learn(fact)
        return f"{many(self.counted['outside'], 'fact')}, each with its way to the signed root"

    def learn(self, fact: Fact) -> None:
        """Look at the stored bytes of a fact, and remember what the ledger says of itself, its policies and its calendars."""
        if fact.state is not None:
            fits = hashlib.sha256(fact.state).hexdigest() == fact.said["sha256"]
            self.must(fits, f"Position {fact.position} ({shown(fact.topic)}) comes with stored bytes that were not recorded.")
        self.named.update(POLICY.findall(fact.state or b""))
        if fact.position in (self.first - 1, self.first, self.last, self.last + 1):
            self.recorded[fact.position] = fact.said["recorded_at"]
        if fact.stream.startswith(("policy:", "calendar:")):
            self.versions.setdefault(fact.stream, []).append(fact.said["version"])
            self.policies.add(f"{fact.stream.partition(':')[2]}@{fact.about('version')}:{str(fact.about('digest'))[:12]}".encode())
        elif fact.topic in ("ledger.created", "ledger.key_introduced", "ledger.restored", "subject.purge_decided"):
            self.own.append(fact)

    def facts(self) -> str:
        """Is every position of the range there, as it was signed?"""
        wanted = {checkpoint_of(note).size for note in self.notes.values()}
        tree, before = Frontier(self.first - 1, hashes(self.said["left"])), ""
        marks, fitting, other = self.marks(), self.first - 1, 0
        mark = next(marks, None)
        self.roots.update({tree.size: tree.root()} if tree.size in wanted else {})
        for fact in self.in_range():
            tree.append(leaf_hash(fact.leaf))
            self.roots.update({tree.size: tree.root()} if tree.size in wanted else {})
            self.must(fact.said["recorded_at"] >= before, f"Position {fact.position} was recorded before position {fact.position - 1}.")
            before = fact.said["recorded_at"]
            if mark is not None and mark[0].size == tree.size:  # a checkpoint of the pack is over these facts
                fits = mark[0].root == tree.root() and not other
                fitting, other, mark = tree.size if fits else fitting, other or (0 if fits else tree.size), next(marks, None)
        if not proved(self.last, tree.root(), self.bound.size, self.bound.root, hashes(self.said["right"])):
            raise Wrong(
                f"One or more of positions {fitting + 1} to {other or self.last}, or a hash beside the range, is not what was signed: "
                "the leaves do not lead to the signed root."
            )
        self.must(not other, f"The checkpoint of {other} facts is not of the facts that were signed.")
        told = f"{self.counted['parts here']} here, {self.counted['parts gone']} no longer in the ledger"
        parts = f"{many(self.counted['parts'], 'sealed part')}: {told if self.said['sealed_parts'] == 'here' else 'left out'}"
        return f"every position from {self.first} to {self.last}; stored bytes {self.said['stored_bytes']}; {parts}"

    def in_range(self) -> Iterator[Fact]:
        """Yield the facts of the range in order, their stored bytes and sealed parts looked at."""
        position, told = self.first - 1, time.monotonic()
        for name in self.files.folder("facts"):
            beside = f"parts/{position + 1:012d}.txt"
            if name != f"facts/{position + 1:012d}.jsonl":
                raise Wrong(f"{name} stands where the file of position {position + 1} belongs.")
            parts = self.files.lines(beside) if beside in self.files.places else iter(())
            for line in self.files.lines(name):
                position, fact = position + 1, fact_of(parsed(line), self.origin)
                if fact.position != position:
                    raise Wrong(f"{name} has position {fact.position} where position {position} belongs.")
                if (fact.state is not None) != (self.said["stored_bytes"] == "here" or fact.own):
                    raise Wrong(f"Whether the stored bytes of position {position} are here is not as the manifest says.")
                self.learn(fact)
                self.look_at_parts(fact, parts)
                self.counted.update(("facts", f"facts {fact.topic}"))
                yield fact
            if next(parts, None) is not None:
                raise Wrong(f"{beside} has sealed parts to which no fact refers.")
            if sys.stderr.isatty() and time.monotonic() > told + 1:
                told = time.monotonic()
                sys.stderr.write(f"\r{position:,} of {self.last:,} positions ")
        if position != self.last:
            raise Wrong(f"The facts end at position {position}, and the manifest says {self.last}.")
        if {name[6:18] for name in self.files.folder("parts")} - {name[6:18] for name in self.files.folder("facts")}:
            raise Wrong("The pack has sealed parts of facts that it has not.")

    def look_at_parts(self, fact: Fact, parts: Iterator[bytes]) -> None:
        """Compare the sealed parts to which the stored bytes of a fact refer with those that are here."""
        for digest, key in parts_in(fact.state or b""):
            self.counted["parts"] += 1
            if self.said["sealed_parts"] == "left out":
                continue
            said, _, sealed = next(parts, b"nothing").decode("ascii", "replace").partition(" ")
            if said != digest:
                raise Wrong(f"Position {fact.position} refers to the sealed part {digest}, and in its place stands {shown(said)}.")
            self.counted["parts gone" if sealed == "-" else "parts here"] += 1
            self.gone.update([key] if sealed == "-" else [])
            fits = sealed == "-" or hashlib.sha256(unbase64(sealed)).hexdigest() == digest
            self.must(fits, f"The sealed part {digest} of position {fact.position} is not the one that was recorded.")

    def ledger(self) -> str:
        """Does what the ledger says of itself fit, and is the range all of the period that the manifest claims?"""
        self.own.sort(key=lambda fact: fact.position)
        created = [(f"opsledger/{each.about('ledger_id')}", each.about("simulated")) for each in self.own if each.topic == "ledger.created"]
        self.must(
            created == [(self.origin, self.said["simulated"])], "The fact that created the ledger is missing, or says otherwise what it is."
        )
        for stream, versions in self.versions.items():
            self.must(
                sorted(versions) == [*range(1, len(versions) + 1)], f"A version of {shown(stream)} is missing: here are {shown(versions)}."
            )
        for fact in (each for each in self.own if each.topic == "ledger.key_introduced"):
            key, replaces, endorsement = Key.of(str(fact.about("key"))), fact.about("replaces"), fact.about("endorsement")
            text = f"opsledger/next-key/v1\n{self.origin}\n{fact.about('key')}\n".encode()
            before = self.introduced[-1][1] if self.introduced else None
            follows = key.name == self.origin and (None if replaces is None else Key.of(str(replaces))) == before
            endorsed = before is None or endorsement is None or signed_by(before.public, text, unbase64(endorsement, 64))
            self.must(
                follows and endorsed, f"The key of position {fact.position} does not follow the one before, or is not endorsed by it."
            )
            self.introduced.append((fact.position, key))
            self.counted["unendorsed"] += before is not None and endorsement is None
        missing = sorted(self.named - self.policies)
        self.must(not missing, f"Facts keep the policy {shown(missing[0] if missing else b'')}, which is not in the pack.")
        in_use = self.introduced[-1][1] if self.introduced else None
        self.must(in_use in self.signed, "The pack does not show that the log introduced the key that signed its checkpoint.")
        allowed = [each.about("keys") for each in self.own if each.topic == "subject.purge_decided"]
        purged = {str(key) for keys in allowed if isinstance(keys, list) for key in keys}
        for lost in sorted(self.gone - purged):
            self.undecided.append(f"whether sealed parts under key {shown(lost)} were removed by right: no fact in the pack allows it.")
        self.period()
        alone = self.counted.pop("unendorsed", 0)
        alone_said = f", {alone} endorsed by nobody since the one before was lost or stolen" if alone else ""
        return f"{many(len(self.introduced), 'signing key')} introduced{alone_said}; {len(self.versions)} policies and calendars"

    def period(self) -> None:
        """Compare the range with the period that the manifest claims."""
        if (period := self.said["period"]) is None:
            return
        if tuple(period) != ("from", "to"):
            raise Wrong("The period in the manifest is none.")
        begin, end = (microseconds(each) for each in period.values())
        at = {position: microseconds(text) for position, text in self.recorded.items()}
        self.must(
            begin <= at[self.first] and at[self.last] < end, "A fact of the range was recorded outside the period that the manifest claims."
        )
        shut = self.first == 1 or at.get(self.first - 1, end) < begin
        self.must(shut, "The pack does not show that nothing that was recorded in the period stands before the range.")
        if self.last == self.bound.size:
            self.undecided.append(
                f"whether more was recorded before {period['to']}: nothing that is signed comes after position {self.last}."
            )
        else:
            shut = at.get(self.last + 1, begin) >= end
            self.must(shut, "The pack does not show that nothing that was recorded in the period stands behind the range.")

    def marks(self) -> Iterator[tuple[Checkpoint, bytes, list[bytes]]]:
        """Yield the checkpoints of the pack in order: what each says, the note, and the proof that it continues the one before."""
        before = self.first - 1
        for said in self.files.records("checkpoints", ("note", "proof")):
            note = str(said["note"]).encode()
            found = checkpoint_of(note)
            if found.size <= before:
                raise Wrong(f"The checkpoint of {found.size} facts does not belong where it stands in the pack.")
            before = found.size
            yield found, note, hashes(said["proof"])

    def known(self, size: int) -> list[Key]:
        """Return the keys that may sign a checkpoint of this size: those given, and the newest that the log introduced by then."""
        return [*self.keys, *[key for position, key in self.introduced if position <= size][-1:]]

    def checkpoints(self) -> str:
        """Is each checkpoint signed by a key of the log, and does it continue the one before, up to that of the pack?"""
        before, newest, sizes = None, b"", {checkpoint_of(note).size for note in self.notes.values()}
        for found, newest, proof in self.marks():
            opened(newest, self.known(found.size), self.origin)
            if proof if before is None else not proved(before.size, before.root, found.size, found.root, proof):
                raise Wrong(f"The checkpoint of {found.size} facts is not shown to continue the one before.")
            before = found
            self.counted["checkpoints"] += 1
            if found.size in sizes:
                self.roots.setdefault(found.size, found.root)
                self.listed.add(found.size)
        if newest != self.files.content("checkpoint.note"):
            raise Wrong("The checkpoints do not end with the one that the pack is bound to.")
        self.must(dict(self.counted) == self.said["counts"], "The manifest counts otherwise than the pack does.")
        return f"{self.counted['checkpoints']}, each signed and continued by the next"

    def kept(self) -> str:
        """Does the pack continue what was kept elsewhere?"""
        for name, written in self.notes.items():
            found = self.wrong_with(written)
            self.must(found is None, f"{name}: {found}")
        if not self.notes:
            return "no note was given: the pack is as good as its key, for who holds it could have made another log"
        return f"{many(len(self.notes), 'note')} that you kept"

    def wrong_with(self, written: bytes) -> str | None:
        """Hold a note that was kept against the pack. Returns what does not fit; None where nothing is known to be wrong."""
        size = checkpoint_of(written).size
        try:
            root = opened(written, self.known(size), self.origin)[0].root
            proof = None if str(size) not in self.said["continues"] else hashes(self.said["continues"][str(size)])
            fits = self.roots[size] == root if size in self.roots else proof is None or proved(size, root, *self.bound[1:], proof)
        except Wrong as error:
            return str(error)
        if not fits:
            lost = [str(each.position) for each in self.own if each.topic == "ledger.restored"]
            restored = f" A restore is recorded at position {lost[0]}; ask what it lost." if lost else ""
            return f"The {size} facts that were signed are not those of the pack. Keep both, they are the evidence.{restored}"
        if self.first <= size <= self.bound.size and size not in self.listed:
            return f"The checkpoint of {size} facts is not in the pack, which has all from its range on: they were cut back."
        if size > self.bound.size:
            self.undecided.append(f"the note of {size} facts: the pack ends at {self.bound.size}; ask for one bound to a newer checkpoint.")
        elif size and size not in self.roots and proof is None:
            self.undecided.append(
                f"the note of {size} facts: the pack does not show how it continues them; ask for one with --kept {size}."
            )
        return None


def main(arguments: Sequence[str] | None = None) -> int:
    """Check the pack that the command line names, and print what was found."""
    parser = argparse.ArgumentParser(description="Check an audit pack of an opsledger ledger, without opsledger.")
    parser.add_argument("pack", type=Path, help="the file that `opsledger export auditpack` wrote")
    parser.add_argument(
        "--key", action="append", required=True, metavar="NAME+ID+KEY", help="the log's verifier key, which you have from elsewhere"
    )
    parser.add_argument(
        "--checkpoint", action="append", default=[], metavar="FILE", type=Path, help="a note that you kept; may be repeated"
    )
    given = parser.parse_args(arguments)
    try:
        notes = {str(path): path.read_bytes() for path in given.checkpoint}
        for note in notes.values():
            checkpoint_of(note)
        found = Verification(given.pack, [Key.of(key) for key in given.key], notes)
        code = found.run()
    except (OSError, Wrong) as error:
        parser.error(str(error))
    print("\n".join(found.lines))
    print("\nNo pack shows, and nothing above says:")
    print("\n".join(f"  - {each}" for each in NOT_SHOWN))
    print("\n" + ("What was checked holds.", "THERE ARE FINDINGS.", "Something could not be decided.")[code])
    return code


if __name__ == "__main__":
    sys.exit(main())
