"""What an attacker of packs can do: take one apart, change it, and put it together with all digests made anew."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from attacked import World, play

from opsledger.app import OpsLedger
from opsledger.audit import pack
from opsledger.audit.pack import PackWriter
from opsledger.audit.sealing import origin_of
from opsledger.audit.signing import SigningKey
from opsledger.audit.verify_auditpack import Key, Verification
from opsledger.replay.evidence.packing import Span, export_auditpack
from opsledger.testing.plugin import Clock

Files = dict[str, bytes]
FACTS = "facts/000000000006.jsonl"
PARTS = "parts/000000000006.txt"
OUTSIDE = "outside/000000000001.jsonl"
CHECKPOINTS = "checkpoints/000000000007.jsonl"


@contextmanager
def still_world(folder: Path) -> Iterator[World]:
    """Give a world in an SQLite ledger, for tests that change nothing in it."""
    clock = Clock()
    with OpsLedger.create(f"sqlite:///{folder}/ops.db", simulated=True, clock=clock) as ledger:
        made = World(ledger, clock, SigningKey.generate(origin_of(ledger.store)))
        play(made)
        yield made


def exported(world: World, path: Path, span: Span, **given: Any) -> Path:
    export_auditpack(world.ledger.store, world.ledger.seals, span, path, **given)
    return path


class Verdict(NamedTuple):
    """What the verifier says of a pack."""

    code: int
    lines: list[str]
    findings: list[str]
    undecided: list[str]


def verified(world: World, path: Path, *kept: str, key: object = None) -> Verdict:
    """Verify a pack with the key of the ledger, and with notes that the auditor kept."""
    notes = {name: world.kept[name].encode() for name in kept}
    looked = Verification(path, [Key.of(str(key or world.key.verifier))], notes)
    return Verdict(looked.run(), looked.lines, looked.findings, looked.undecided)


def unpacked(path: Path) -> Files:
    with tarfile.open(path) as tar:
        return {each.name: tar.extractfile(each).read() for each in tar if each.name != "SHA256SUMS"}  # type: ignore[union-attr]


def packed(files: Files, path: Path) -> Path:
    with path.open("wb") as file:
        made = PackWriter(file)
        for name, content in files.items():
            made.add(name, content)
        made.close()
    return path


def doctored(world: World, made: Path, **changes: Callable[[bytes], bytes]) -> Verdict:
    """Verify the pack with files changed, their digests made anew; `facts` stands for the file of that folder."""
    names = {"facts": FACTS, "parts": PARTS, "outside": OUTSIDE, "checkpoints": CHECKPOINTS, "manifest": "manifest.json"}
    files = unpacked(made)
    for name, change in changes.items():
        before = files[names[name]]
        files[names[name]] = change(before)
        assert files[names[name]] != before, "nothing was changed"
    return verified(world, packed(files, made.with_name("doctored.tar")))


def manifest(**values: Any) -> Callable[[bytes], bytes]:
    """Return a change of the manifest; a value of None in `counts` takes a count out."""

    def change(content: bytes) -> bytes:
        said = {**json.loads(content), **values}
        return json.dumps(said, ensure_ascii=False, indent=1).encode() + b"\n"

    return change


def counted(**more: int) -> Callable[[bytes], bytes]:
    """Return a change of the manifest's counts, so that they fit what was taken out or added."""

    def change(content: bytes) -> bytes:
        said = json.loads(content)
        for name, number in more.items():
            said["counts"][name.replace("_", " ", 1)] += number
        said["counts"] = {name: count for name, count in said["counts"].items() if count}
        return json.dumps(said, ensure_ascii=False, indent=1).encode() + b"\n"

    return change


def line(number: int, change: Callable[[dict[str, Any]], Any]) -> Callable[[bytes], bytes]:
    """Return a change of one line of JSON, by its number from 0."""

    def changed(content: bytes) -> bytes:
        lines = content.splitlines(keepends=True)
        said = json.loads(lines[number])
        change(said)
        lines[number] = pack.json_line(said)
        return b"".join(lines)

    return changed


def without(*numbers: int) -> Callable[[bytes], bytes]:
    return lambda content: b"".join(line for i, line in enumerate(content.splitlines(keepends=True)) if i not in numbers)


def swapped(one: int, other: int) -> Callable[[bytes], bytes]:
    def change(content: bytes) -> bytes:
        lines = content.splitlines(keepends=True)
        lines[one], lines[other] = lines[other], lines[one]
        return b"".join(lines)

    return change
