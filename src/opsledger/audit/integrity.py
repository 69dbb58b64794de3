"""Integrity: is every row of the log the one that was sealed? And do its checkpoints, those kept elsewhere too, fit it?

Leaves are made anew from the rows, compared one by one with the hashes that were sealed, which names a row that was changed
(`opsledger.audit.looking`), and hashed up to the roots that checkpoints sign. A root can only be right if every row below it is.
Hashes and checkpoints in the database show what somebody changed in haste; against one who can write all of it, only a checkpoint
that was kept elsewhere speaks.

The log is looked at in stretches, by this process or by several; their roots join exactly, so what is found is the same.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Final

from opsledger.audit.findings import Checked
from opsledger.audit.looking import Looked, Stretch, look_at_all, short, subtrees
from opsledger.audit.merkle import HASH_SIZE, join_subtrees, subtree_root
from opsledger.audit.sealing import origin_of
from opsledger.audit.tiles import WIDTH
from opsledger.ledger.seals import Seals
from opsledger.ledger.store import Store

__all__ = ["CHUNK", "STRETCH", "Looking", "begins", "integrity"]

CHUNK: Final = WIDTH * WIDTH
"""Leaves below a hash of level 2. A check that leaves out what was sealed before begins at one of its multiples."""

STRETCH: Final = CHUNK // 2
"""Leaves that are looked at as one: a tenth of a second's work, so that several processes are done at about the same time."""

Looking = Callable[[Store, str, Iterable[Stretch]], Iterator[Looked]]
"""Looks at stretches of a log with this origin, in this process or in others, and yields what it found in their order."""


def integrity(
    store: Store,
    seals: Seals,
    until: int,
    result: Checked,
    *,
    sizes: Collection[int] = (),
    since: int = 0,
    progress: Callable[[int, int], None] | None = None,
    looking: Looking = look_at_all,
    stretch: int = STRETCH,
) -> dict[int, bytes]:
    """Check the facts up to position `until` against what was sealed. Returns the roots of the trees of `sizes`, where there are such.

    `since` leaves out the facts up to a position, rounded down to a multiple of CHUNK: that they are what was sealed is then taken
    from the hashes of level 2, and no tree that ends among them has a root. `stretch` divides CHUNK.
    """
    begin = begins(since, until)
    above = _Above(seals, begin, result)
    if not above.is_whole:
        result.leave(f"The seals lack hashes of the facts before position {begin + 1}; verify without a position to begin from.")
        return {}
    if begin:
        result.note(f"Positions 1 to {begin} were not looked at, as was asked for: what was sealed of them was taken as it stands.")
    roots: dict[int, bytes] = {}
    for found in looking(store, origin_of(store), _stretches(seals, begin, until, stretch, sizes)):
        for size, partial in found.roots.items():
            roots[size] = join_subtrees([*above.nodes(), *partial])
        result.add(found.result)
        above.add(found)
        if progress is not None:
            progress(found.stop, until)
    _unsealed(store, seals, until, result)
    return roots


def begins(since: int, until: int) -> int:
    """Return how many facts are left out where `since` of them may be, and there are `until`: whole chunks."""
    return min(since, until) // CHUNK * CHUNK


def _stretches(seals: Seals, begin: int, until: int, size: int, sizes: Collection[int]) -> Iterator[Stretch]:
    rising = deque(sorted(each for each in sizes if begin < each <= until))
    for chunk in range(begin, until, CHUNK):
        sealed = seals.hashes(0, chunk, min(chunk + CHUNK, until))
        for first in range(chunk, min(chunk + CHUNK, until), size):
            stop = min(first + size, until)
            within = []
            while rising and rising[0] <= stop:
                within.append(rising.popleft())
            yield Stretch(first, stop, sealed[(first - chunk) * HASH_SIZE : (stop - chunk) * HASH_SIZE], within)


class _Above:
    """The tree above the leaves, growing from left to right. Where leaves are right and a hash over them is not, a seal was changed."""

    def __init__(self, seals: Seals, begin: int, result: Checked) -> None:
        self._seals = seals
        self._result = result
        self._sealed = seals.size()
        self._compared_from = begin  # a leaf before it is not as it was sealed, or was not looked at
        self._counts: list[int] = []  # by level, from 1: how many hashes there are so far
        self._edges: list[list[bytes]] = []  # by level: those of them that are below no hash of the next level yet
        count, level = begin // WIDTH, 1
        while count:
            edge = seals.hashes(level, count // WIDTH * WIDTH, count)
            self._counts.append(count)
            self._edges.append([edge[at : at + HASH_SIZE] for at in range(0, len(edge), HASH_SIZE)])
            count, level = count // WIDTH, level + 1

    @property
    def is_whole(self) -> bool:
        """Whether the seals had all hashes of what was left out."""
        return all(len(edge) == count % WIDTH for edge, count in zip(self._edges, self._counts, strict=True))

    def nodes(self) -> list[bytes]:
        """Return the roots of the whole subtrees over all tiles so far, largest first."""
        return [node for edge in reversed(self._edges) for node in subtrees(edge)]

    def add(self, found: Looked) -> None:
        """Take the tiles of the next stretch, and compare them and all hashes that are whole with them."""
        if found.result.found:
            self._compared_from = found.stop
        self._take(1, found.tiles)

    def _take(self, level: int, made: Sequence[bytes]) -> None:
        if level > len(self._edges):
            self._counts.append(0)
            self._edges.append([])
        if made:
            self._compare(level, self._counts[level - 1], made)
        self._counts[level - 1] += len(made)
        edge = self._edges[level - 1]
        edge += made
        if len(edge) == WIDTH:
            self._edges[level - 1] = []
            self._take(level + 1, [subtree_root(edge)])

    def _compare(self, level: int, first: int, made: Sequence[bytes]) -> None:
        width = WIDTH**level
        if first * width < self._compared_from:
            return
        stored = self._seals.hashes(level, first, first + len(made))
        for index, expected in enumerate(made, first):
            at = (index - first) * HASH_SIZE
            found = stored[at : at + HASH_SIZE] or None
            if found != expected and (found is not None or (index + 1) * width <= self._sealed):
                how = "is missing" if found is None else "is not that of its leaves"
                self._result.find(
                    f"The sealed hash {index} of level {level}, over positions {index * width + 1} to {(index + 1) * width}, {how}: "
                    "the seals were changed.",
                    position=index * width + 1,
                    table="ledger_hash",
                    expected=short(expected),
                    found=short(found),
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
