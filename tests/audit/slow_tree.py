"""The Merkle tree as RFC 6962 writes it down, recursively: what ours is compared with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256

from opsledger.audit.tiles import WIDTH, StoredTile, Tile
from opsledger.errors import Unknown

__all__ = ["MemoryTiles", "consistency", "flipped", "inclusion", "leaves", "root"]


def root(hashes: Sequence[bytes]) -> bytes:
    """MTH(D[n]), over hashes of leaves."""
    if not hashes:
        return sha256().digest()
    if len(hashes) == 1:
        return hashes[0]
    k = split(len(hashes))
    return sha256(b"\x01" + root(hashes[:k]) + root(hashes[k:])).digest()


def inclusion(m: int, hashes: Sequence[bytes]) -> list[bytes]:
    """PATH(m, D[n])."""
    if len(hashes) == 1:
        return []
    k = split(len(hashes))
    return [*inclusion(m, hashes[:k]), root(hashes[k:])] if m < k else [*inclusion(m - k, hashes[k:]), root(hashes[:k])]


def consistency(m: int, hashes: Sequence[bytes], *, whole: bool = True) -> list[bytes]:
    """PROOF(m, D[n]), which is SUBPROOF(m, D[n], true)."""
    if m == len(hashes):
        return [] if whole else [root(hashes)]
    k = split(len(hashes))
    if m <= k:
        return [*consistency(m, hashes[:k], whole=whole), root(hashes[k:])]
    return [*consistency(m - k, hashes[k:], whole=False), root(hashes[:k])]


def split(n: int) -> int:
    """k, the largest power of two smaller than n."""
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def leaves(count: int) -> list[bytes]:
    """Return the hashes of so many leaves, all of them different."""
    return [sha256(b"\x00" + number.to_bytes(4, "big")).digest() for number in range(count)]


def flipped(value: bytes, bit: int) -> bytes:
    """Return bytes with one bit changed."""
    at = bit % (len(value) * 8)
    return value[: at // 8] + bytes([value[at // 8] ^ 1 << at % 8]) + value[at // 8 + 1 :]


class MemoryTiles:
    """Tiles in memory, which counts how many were read."""

    def __init__(self) -> None:
        self.stored: dict[Tile, bytes] = {}
        self.read_tiles: list[Tile] = []

    def add(self, tiles: Sequence[StoredTile]) -> None:
        """Keep tiles; none is written twice."""
        for each in tiles:
            assert each.tile not in self.stored, f"{each.tile.path} was written before"
            self.stored[each.tile] = each.hashes

    def read(self, tile: Tile) -> bytes:
        """Return a tile, or a fuller one that took its place."""
        self.read_tiles.append(tile)
        for width in range(tile.width, WIDTH + 1):
            if (there := replace(tile, width=width)) in self.stored:
                return self.stored[there]
        raise Unknown("tile.missing", f"There is no {tile.path}.")
