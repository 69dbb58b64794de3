"""Tiles in files: those that C2SP tlog-tiles says a tree of a size has, and the checkpoint over nothing but what was signed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from opsledger.audit.merkle import leaf_hash, root
from opsledger.audit.note import Checkpoint, sign_note
from opsledger.audit.signing import SigningKey
from opsledger.audit.tilefiles import write_tiles
from opsledger.audit.tiles import TileBuilder, TileTree, tiles_of
from opsledger.errors import BadInput, Unknown, Unproven
from opsledger.ledger.application import create_store
from opsledger.ledger.seals import Seals, StoredCheckpoint
from opsledger.ledger.url import parse_url

ORIGIN = "ops.example.com/ledger"
KEY = SigningKey(ORIGIN, bytes(32))
SQUARE = 256 * 256
LEAVES = [leaf_hash(str(number).encode()) for number in range(SQUARE + 300)]


def signed(size: int, root_: bytes | None = None, origin: str = ORIGIN) -> StoredCheckpoint:
    note = sign_note(str(Checkpoint(origin, size, root_ or root(LEAVES[:size]))), KEY)
    return StoredCheckpoint(size, str(note), 0)


@pytest.fixture(scope="module")
def seals(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seals]:
    """Give the seals of 65,836 leaves, added in pieces that are no tiles."""
    where = parse_url(f"sqlite:///{tmp_path_factory.mktemp('seals')}/ops.db")
    create_store(where, {"ledger_id": "0" * 32, "simulated": "true"}).close()
    with Seals(where) as made:
        for first in range(0, len(LEAVES), 1000):
            made.add({0: (first, b"".join(LEAVES[first : first + 1000]))})
        yield made


class Files:
    """Tiles that are read from a folder, as a monitor reads them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(self, tile: object) -> bytes:
        return (self.folder / tile.path).read_bytes()  # type: ignore[attr-defined]


@pytest.mark.parametrize("size", [1, 255, 256, 257, 1000, SQUARE, SQUARE + 300])
def test_there_are_the_tiles_of_the_size_and_they_are_the_tree(seals: Seals, tmp_path: Path, size: int) -> None:
    told: list[tuple[int, int]] = []
    new = write_tiles(seals, signed(size), tmp_path / "tree", lambda done, of: told.append((done, of)))
    files = {str(path.relative_to(tmp_path / "tree")) for path in (tmp_path / "tree").rglob("*") if path.is_file()}
    assert files == {"checkpoint", *(tile.path for tile in tiles_of(size))}
    assert new == len(files) - 1
    assert told[-1] == (size, size)
    tree = TileTree(Files(tmp_path / "tree"), size)
    assert tree.root() == root(LEAVES[:size])
    builder = TileBuilder()
    builder.extend(LEAVES[:size])
    for tile, hashes in builder.partial():
        assert (tmp_path / "tree" / tile.path).read_bytes() == hashes


def test_a_folder_is_gone_on_with_and_full_tiles_stay_as_they_were(seals: Seals, tmp_path: Path) -> None:
    assert write_tiles(seals, signed(300), tmp_path) == 3
    first = (tmp_path / "tile/0/000").stat().st_mtime_ns
    assert write_tiles(seals, signed(300), tmp_path) == 0
    assert write_tiles(seals, signed(600), tmp_path) == 3, "one full, two partial"
    assert (tmp_path / "tile/0/000").stat().st_mtime_ns == first
    assert TileTree(Files(tmp_path), 600).root() == root(LEAVES[:600])
    assert (tmp_path / "tile/0/001.p/44").exists(), "whoever reads the older tree still can"


def test_what_is_sealed_and_not_what_was_signed_is_no_checkpoint(seals: Seals, tmp_path: Path) -> None:
    with pytest.raises(Unproven, match="the checkpoint was not written"):
        write_tiles(seals, signed(300, b"x" * 32), tmp_path)
    assert not (tmp_path / "checkpoint").exists()
    with pytest.raises(Unknown, match="lack the hash of leaf 65836"):
        write_tiles(seals, signed(SQUARE + 301, b"x" * 32), tmp_path / "more")


def test_a_folder_of_another_log_another_tree_or_a_later_time_is_left_alone(seals: Seals, tmp_path: Path) -> None:
    write_tiles(seals, signed(300), tmp_path)
    with pytest.raises(BadInput, match="name another folder"):
        write_tiles(seals, signed(256), tmp_path)
    with pytest.raises(BadInput, match="name another folder"):
        write_tiles(seals, signed(300, origin="elsewhere"), tmp_path)
    (tmp_path / "tile/0/000").write_bytes(b"x" * 8192)
    with pytest.raises(BadInput, match="two trees of one log are a fork"):
        write_tiles(seals, signed(400), tmp_path)
    assert (tmp_path / "checkpoint").read_text(encoding="utf-8") == signed(300).note
