"""Attacks on the file of an audit pack: as a tar file that is read otherwise by others, and byte for byte."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from attacked import World
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from packs import CHECKPOINTS, FACTS, OUTSIDE, Files, exported, packed, still_world, unpacked, verified

from opsledger.audit import verify_auditpack
from opsledger.audit.pack import PackWriter
from opsledger.replay.evidence.packing import Span


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with still_world(tmp_path_factory.mktemp("world")) as made:
        yield made


@pytest.fixture
def made(world: World, tmp_path: Path) -> Path:
    """Export positions 6 to 8, bound to the checkpoint of 9 facts; the one of 7 lies within."""
    return exported(world, tmp_path / "pack.tar", Span(6, 8))


def tarred(files: Files, path: Path, change: Callable[[tarfile.TarInfo], None] = lambda info: None, **form: Any) -> Path:
    with tarfile.open(path, "w", **form) as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(content), 315532800
            change(info)
            tar.addfile(info, io.BytesIO(content))
    return path


def whole(made: Path) -> Files:
    with tarfile.open(made) as tar:
        return {each.name: tar.extractfile(each).read() for each in tar}  # type: ignore[union-attr]


CONTAINER: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "something before": (lambda content: bytes([1]) * 512 + content, "The block at byte 0"),
    "something behind": (lambda content: content + b"more", "something was added or cut off"),
    "blocks of zeros behind": (lambda content: content + bytes(512), "something was added or cut off"),
    "cut short": (lambda content: content[:-512], "something was added or cut off"),
    "cut in the middle": (lambda content: content[: len(content) // 2], "and the pack ends before"),
    "empty": (lambda content: b"", "The block at byte 0"),
    "compressed": (lambda content: gzip.compress(content, mtime=0), "The block at byte 0"),
    "two packs": (lambda content: content + content, "something was added or cut off"),
    "a file said to be longer than the pack": (
        lambda content: verify_auditpack.header("README.txt", 8**11 - 1) + content[512:],
        "README.txt is said to be 8589934591 bytes long",
    ),
    "a file said to be shorter": (lambda content: verify_auditpack.header("README.txt", 1) + content[512:], "goes on otherwise behind it"),
    "something in the padding": (lambda content: content.replace(b".\n\0\0\0\0", b".\n\0\0\0x", 1), "goes on otherwise behind it"),
    "no tar file": (lambda content: b"PK\x03\x04" + content, "The block at byte 0"),
}


@pytest.mark.parametrize("attack", CONTAINER)
def test_the_file_is_a_pack_and_nothing_else(world: World, made: Path, attack: str) -> None:
    change, said = CONTAINER[attack]
    content = made.read_bytes()
    changed = made.with_name("changed.tar")
    changed.write_bytes(change(content))
    assert changed.read_bytes() != content
    found = verified(world, changed)
    assert (found.code, len(found.lines)) == (1, 2), "and nothing else was looked at"
    assert said in found.findings[0]


@pytest.mark.parametrize(
    "name",
    [
        "../README.txt",
        "/tmp/README.txt",
        "facts/../../x",
        "verify_auditpack.py",
        "facts/6.jsonl",
        "README.txt ",
        "parts/000000000006.jsonl",
        "SHA256SUMS.txt",
    ],
)
def test_a_file_that_does_not_belong_in_a_pack_is_named_wherever_it_wants_to_go(world: World, made: Path, name: str) -> None:
    found = verified(world, packed({**unpacked(made), name: b"x\n"}, made.with_name("more.tar")))
    assert (found.code, found.findings) == (1, [f"The file {name!r} does not belong in a pack."])


def test_a_file_that_is_there_twice_is_named(world: World, made: Path) -> None:
    with made.with_name("twice.tar").open("wb") as file:
        written = PackWriter(file)
        for name, content in unpacked(made).items():
            written.add(name, content)
            if name == FACTS:
                written.add(name, content.replace(b"u-7", b"u-8"))
        written.close()
    found = verified(world, made.with_name("twice.tar"))
    assert (found.code, found.findings) == (1, [f"The file {FACTS} is in the pack twice."])


@pytest.mark.parametrize("name", ["README.txt", "manifest.json", "checkpoint.note", FACTS, OUTSIDE, CHECKPOINTS])
def test_a_file_that_is_missing_is_missed(world: World, made: Path, name: str) -> None:
    files = unpacked(made)
    del files[name]
    found = verified(world, packed(files, made.with_name("less.tar")))
    assert found.code == (0 if name == "README.txt" else 1), "but for words that nobody needs"


def test_links_devices_and_other_ways_to_write_a_tar_file_are_refused(world: World, made: Path) -> None:
    files, path = whole(made), made.with_name("other.tar")

    def link(info: tarfile.TarInfo) -> None:
        if info.name == "README.txt":
            info.type, info.linkname, info.size = tarfile.SYMTYPE, "/etc/passwd", 0

    def owned(info: tarfile.TarInfo) -> None:
        info.uname = "root"

    for change, form in ((link, {}), (owned, {}), (lambda info: None, {"format": tarfile.PAX_FORMAT, "pax_headers": {"a": "b"}})):
        found = verified(world, tarred(files, path, change, **form))
        assert (found.code, "is no header as packs have it" in found.findings[0]) == (1, True)


def test_a_text_or_a_line_longer_than_any_is_refused_before_it_is_read(world: World, made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = packed({**unpacked(made), "manifest.json": b"[" * verify_auditpack.LONGEST_TEXT + b"\n"}, made.with_name("long.tar"))
    assert verified(world, long).findings[-1] == "The file manifest.json is longer than it can be."
    monkeypatch.setattr(verify_auditpack, "LONGEST_LINE", 1000)
    assert "longer than lines of packs are" in verified(world, made).findings[0]


def test_a_digest_that_does_not_fit_names_its_file_also_of_words_that_nobody_needs(world: World, made: Path) -> None:
    content = made.read_bytes()
    made.write_bytes(content.replace(b"AUDIT PACK OF", b"AUDIT PACK oF", 1))
    assert verified(world, made).findings == ["README.txt has another SHA-256 than SHA256SUMS says."]
    sums = whole(made)["SHA256SUMS"]
    made.write_bytes(content.replace(sums, sums.replace(b"  README.txt", b"  README.tyt")))
    assert "does not list those before it" in verified(world, made).findings[0]


# Every byte.

ONCE = settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
FREE = ("README.txt", "catalogue.jsonl")
"""Files of which no reader needs to believe a word; in the manifest these are program, inside and not_inside."""


def test_any_byte_of_a_pack_that_is_changed_is_found(world: World, made: Path) -> None:
    content = made.read_bytes()
    changed, blocks = made.with_name("changed.tar"), range(0, len(content), 512)

    @ONCE
    @given(st.sampled_from(blocks), st.integers(0, 511), st.integers(1, 255))
    def holds(block: int, within: int, change: int) -> None:
        other = bytearray(content)
        other[block + within] ^= change
        changed.write_bytes(other)
        assert verified(world, changed).code == 1

    holds()


def test_any_byte_changed_with_all_digests_made_anew_is_found_but_in_free_words(world: World, made: Path) -> None:
    files = unpacked(made)
    proving = sorted(files.keys() - set(FREE))

    @ONCE
    @given(st.sampled_from(proving), st.data(), st.integers(1, 255))
    def holds(name: str, data: st.DataObject, change: int) -> None:
        content = bytearray(files[name])
        content[data.draw(st.integers(0, len(content) - 1), "place")] ^= change
        found = verified(world, packed({**files, name: bytes(content)}, made.with_name("changed.tar")))
        assert found.code == 1 or (name == "manifest.json" and free(files[name], bytes(content))), f"{name} {change}"

    holds()


def free(before: bytes, after: bytes) -> bool:
    """Return whether two manifests differ in words only."""
    words = ("program", "inside", "not_inside")
    one, other = ({name: value for name, value in json.loads(each).items() if name not in words} for each in (before, after))
    return one == other
