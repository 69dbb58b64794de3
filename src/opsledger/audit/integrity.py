"""Integrity: is every row of the log the one that was sealed? And do its checkpoints, those kept elsewhere too, fit it?

Leaves are made anew from the rows, compared one by one with the hashes that were sealed, which names a row that was changed,
and hashed up to the roots that checkpoints sign. A root can only be right if every row below it is. Hashes and
checkpoints in the database show what somebody changed in haste; against one who can write all of it, only a checkpoint
that was kept elsewhere speaks.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from opsledger.audit.findings import Checked
from opsledger.audit.leaf import LeafWriter
from opsledger.audit.merkle import HASH_SIZE, Frontier, join_subtrees, subtree_root
from opsledger.audit.sealing import origin_of
from opsledger.audit.tiles import WIDTH
from opsledger.errors import BadInput
from opsledger.ledger.envelope import Row
from opsledger.ledger.seals import Seals
from opsledger.ledger.store import Store

__all__ = ["CHUNK", "Chunk", "check_chunk", "chunks", "integrity"]

CHUNK: Final = WIDTH * WIDTH
"""Leaves that are looked at as one: those of a hash of level 2. Work can be parted at its multiples."""

_NOTHING: Final = bytes(HASH_SIZE)  # in the place of a leaf that cannot be made, so that no root above it fits
_SHOWN: Final = 16


@dataclass(frozen=True, slots=True)
class Chunk:
    """What was found in the facts from index `first` to before `stop`: the roots of the whole subtrees over them, largest first.

    `roots` are those of the sizes asked for, as subtrees too: with the chunks before they join to the roots of the tree.
    """

    first: int
    stop: int
    facts: int
    nodes: tuple[bytes, ...]
    roots: dict[int, tuple[bytes, ...]]


def integrity(
    store: Store,
    seals: Seals,
    until: int,
    result: Checked,
    *,
    sizes: Collection[int] = (),
    since: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> dict[int, bytes]:
    """Check the facts up to position `until` against what was sealed. Returns the roots of the trees of `sizes`, where there are such.

    `since` leaves out what lies before its chunk: that it is what was sealed is then taken from the hashes of level 2.
    """
    begin = min(since, until) // CHUNK * CHUNK
    nodes = Frontier()
    nodes.extend(_split(seals.hashes(2, 0, begin // CHUNK)))
    if nodes.size < begin // CHUNK:
        result.leave(f"The seals lack hashes of the facts before position {begin + 1}; verify without a position to begin from.")
        return {}
    roots: dict[int, bytes] = {}
    for first, stop in chunks(begin, until):
        found = check_chunk(store, seals, first, stop, result, sizes)
        for size, partial in found.roots.items():
            roots[size] = join_subtrees([*nodes.nodes, *partial])
        if stop - first == CHUNK:
            nodes.append(found.nodes[0])
        result.count("facts", found.facts)
        if progress is not None:
            progress(stop, until)
    _unsealed(store, seals, until, result)
    return roots


def chunks(begin: int, until: int) -> Iterator[tuple[int, int]]:
    """Yield the ranges of indexes, each of CHUNK leaves but for the last."""
    yield from ((first, min(first + CHUNK, until)) for first in range(begin, until, CHUNK))


def check_chunk(store: Store, seals: Seals, first: int, stop: int, result: Checked, sizes: Collection[int]) -> Chunk:
    """Compare the facts of one chunk with what was sealed of them, and hash them up."""
    rows = store.page(first, stop - first, until=stop)
    sealed = seals.hashes(0, first, stop)
    leaves = _leaves(LeafWriter(origin_of(store)), rows, first, stop, sealed, result)
    whole = [leaves[at : at + WIDTH] for at in range(0, len(leaves) // WIDTH * WIDTH, WIDTH)]
    above = [subtree_root(tile) for tile in whole]
    if len(sealed) == len(leaves) * HASH_SIZE and b"".join(leaves) == sealed:
        _compare_above(seals, 1, first // WIDTH, above, result)
        if stop - first == CHUNK:
            _compare_above(seals, 2, first // CHUNK, [subtree_root(above)], result)
    within = [size for size in sizes if first < size <= stop]
    roots = {size: _nodes(leaves[: size - first]) for size in within}
    nodes = (subtree_root(above),) if stop - first == CHUNK else _nodes(leaves)
    return Chunk(first, stop, len(rows), nodes, roots)


def _leaves(writer: LeafWriter, rows: Sequence[Row], first: int, stop: int, sealed: bytes, result: Checked) -> list[bytes]:
    """Return the leaf hashes from index `first` to before `stop`, made anew; a finding for each that is not as it was sealed."""
    if len(rows) == stop - first and rows[0].position == first + 1 and rows[-1].position == stop:
        try:
            leaves = writer.hashes(rows)
        except BadInput:
            pass  # one of them has no leaf: go through them one by one
        else:
            if b"".join(leaves)[: len(sealed)] == sealed:
                return leaves
    by_position = {row.position: row for row in rows}
    leaves = []
    for index in range(first, stop):
        row, at = by_position.get(index + 1), (index - first) * HASH_SIZE
        expected = sealed[at : at + HASH_SIZE] or None
        leaves.append(_leaf(writer, row, index, expected, result))
    return leaves


def _leaf(writer: LeafWriter, row: Row | None, index: int, expected: bytes | None, result: Checked) -> bytes:
    position = index + 1
    if row is None:
        said = ", and it was sealed" if expected is not None else ""
        result.find(f"Position {position} is missing{said}.", position=position, column="position", expected=_short(expected), found=None)
        return _NOTHING
    try:
        made = writer.hash(row)
    except BadInput as error:
        result.find(error.sentence, position=position, stream=str(row.stream)[:200], expected=_short(expected), found=None)
        return _NOTHING
    if expected is not None and made != expected:
        result.find(
            f"Position {position} ({row.topic} in {row.stream}) is not what was sealed: a column of it or its stored bytes were changed.",
            position=position,
            stream=row.stream,
            expected=_short(expected),
            found=_short(made),
        )
    return made


def _compare_above(seals: Seals, level: int, first: int, made: Sequence[bytes], result: Checked) -> None:
    """Compare hashes of a level above the leaves; where the leaves are right and these are not, a seal was changed."""
    stored = _split(seals.hashes(level, first, first + len(made)))
    for index, (expected, found) in enumerate(zip(made, stored, strict=False), first):
        if expected != found:
            width = WIDTH**level
            result.find(
                f"The sealed hash {index} of level {level}, over positions {index * width + 1} to {(index + 1) * width}, is not that of "
                "its leaves: the seals were changed.",
                position=index * width + 1,
                table="ledger_hash",
                expected=_short(expected),
                found=_short(found),
            )


def _unsealed(store: Store, seals: Seals, until: int, result: Checked) -> None:
    size = seals.size()
    if size < until:
        result.count("not sealed", until - size)
    elif size > until and size > store.head().position:
        result.find(
            f"The seals go to position {size} and the log ends at {store.head().position}: its end was cut off.",
            position=store.head().position,
            column="position",
            expected=str(size),
            found=str(store.head().position),
        )


def _nodes(leaves: Sequence[bytes]) -> tuple[bytes, ...]:
    frontier = Frontier()
    frontier.extend(leaves)
    return frontier.nodes


def _split(hashes: bytes) -> list[bytes]:
    return [hashes[at : at + HASH_SIZE] for at in range(0, len(hashes), HASH_SIZE)]


def _short(hash: bytes | None) -> str | None:
    return None if hash is None else hash.hex()[:_SHOWN]
