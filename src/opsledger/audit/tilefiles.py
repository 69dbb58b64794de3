"""The tree in files, as C2SP tlog-tiles lays it out: a folder that any web server can serve to whoever monitors logs.

    checkpoint              the signed note; written last, and in one go
    tile/0/x001/x234/067    256 hashes each, 8 kB
    tile/1/000.p/17         of each level the last one, as long as it is not full

Tiles are made anew from the hashes of leaves, and the checkpoint is written only where its root is theirs. A full tile never
changes, so a folder that was written earlier is gone on with; partial tiles from then stay, as the layout allows.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from opsledger.audit.merkle import HASH_SIZE
from opsledger.audit.note import Checkpoint, Note
from opsledger.audit.tiles import WIDTH, StoredTile, TileBuilder
from opsledger.errors import BadInput, Unknown, Unproven
from opsledger.ledger.seals import Seals, StoredCheckpoint

__all__ = ["write_tiles"]

_AT_ONCE: Final = WIDTH * WIDTH


def write_tiles(seals: Seals, stored: StoredCheckpoint, folder: Path, progress: Callable[[int, int], None] | None = None) -> int:
    """Write the tiles of a checkpoint's tree, and the checkpoint; return how many tiles are new in the folder.

    Raises Unproven where what is sealed is not what was signed, BadInput where the folder holds tiles or the checkpoint of another tree.
    """
    checkpoint = Checkpoint.parse(Note.parse(stored.note).text)
    _continued(folder / "checkpoint", checkpoint)
    builder, new = TileBuilder(), 0
    while builder.size < checkpoint.size:
        hashes = seals.hashes(0, builder.size, min(builder.size + _AT_ONCE, checkpoint.size))
        if not hashes:
            raise Unknown("seals.missing", f"The seals lack the hash of leaf {builder.size}; verify the integrity of the log.")
        new += _write(folder, builder.extend([hashes[at : at + HASH_SIZE] for at in range(0, len(hashes), HASH_SIZE)]))
        if progress is not None:
            progress(builder.size, checkpoint.size)
    if builder.root() != checkpoint.root:
        raise Unproven(
            "tiles.not_signed",
            f"The {checkpoint.size} facts that are sealed are not those that were signed; the checkpoint was not written. "
            "Run `opsledger verify`.",
        )
    new += _write(folder, builder.partial())
    _replace(folder / "checkpoint", stored.note)
    return new


def _continued(path: Path, checkpoint: Checkpoint) -> None:
    """Refuse a folder of another log, or one that is further than this checkpoint."""
    if not path.exists():
        return
    there = Checkpoint.parse(Note.parse(path.read_bytes()).text)
    if there.origin != checkpoint.origin or there.size > checkpoint.size:
        raise BadInput(
            "tiles.other",
            f"{path} is a checkpoint of {there.size} facts of {there.origin}, and this one of {checkpoint.size} of {checkpoint.origin}; "
            "name another folder.",
        )


def _write(folder: Path, tiles: Iterable[StoredTile]) -> int:
    new = 0
    for tile, hashes in tiles:
        path = folder / tile.path
        if path.exists():
            if path.read_bytes() != hashes:
                raise BadInput("tiles.other", f"{path} holds other hashes than the ledger; keep it: two trees of one log are a fork.")
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(hashes)
        new += 1
    return new


def _replace(path: Path, note: str) -> None:
    """Write the checkpoint so that who reads it meanwhile sees the one before, or this one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".checkpoint.{os.getpid()}")
    part.write_text(note, encoding="utf-8")
    part.replace(path)
