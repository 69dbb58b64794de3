"""The Merkle tree of RFC 6962: hashes, proofs, their verification, and a frontier that grows by one leaf at a time.

    empty   SHA-256("")
    leaf    SHA-256(0x00 || data)
    node    SHA-256(0x01 || left || right); the left part of n leaves is the largest power of two below n

A proof is a list of hashes of whole subtrees. Which ones is said once, as ranges of leaves, by `inclusion_ranges` and
`consistency_ranges`; making and verifying both follow it. Whoever verifies takes size and root from the same signed
checkpoint: one and the same path can stand in trees of several sizes, so a size that came with the proof proves nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Final

from opsledger.errors import BadInput, Unproven

__all__ = [
    "EMPTY_ROOT",
    "HASH_SIZE",
    "Frontier",
    "Range",
    "consistency_proof",
    "consistency_ranges",
    "inclusion_proof",
    "inclusion_ranges",
    "join_subtrees",
    "leaf_hash",
    "node_hash",
    "root",
    "subtree_root",
    "verify_consistency",
    "verify_inclusion",
]

HASH_SIZE: Final = 32
"""Bytes of a hash."""

EMPTY_ROOT: Final = sha256(b"").digest()
"""The root of a tree without leaves."""

Range = tuple[int, int]
"""Leaves from the first to before the second, counted from 0."""


def leaf_hash(data: bytes) -> bytes:
    """Return the hash of a leaf."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of a node over two subtrees."""
    return sha256(b"\x01" + left + right).digest()


def root(leaves: Sequence[bytes]) -> bytes:
    """Return the root over leaf hashes."""
    frontier = Frontier()
    frontier.extend(leaves)
    return frontier.root()


def subtree_root(hashes: list[bytes]) -> bytes:
    """Return the root of a whole subtree over its hashes, of which there are 1, 2, 4, 8, ..."""
    while len(hashes) > 1:
        each = iter(hashes)
        hashes = [sha256(b"\x01" + left + right).digest() for left, right in zip(each, each, strict=True)]
    return hashes[0]


def join_subtrees(subtrees: Sequence[bytes]) -> bytes:
    """Return the root over whole subtrees that stand beside each other, each smaller than the one before."""
    if not subtrees:
        return EMPTY_ROOT
    node = subtrees[-1]
    for left in reversed(subtrees[:-1]):
        node = sha256(b"\x01" + left + node).digest()
    return node


# Which subtrees a proof consists of.


def inclusion_ranges(index: int, size: int) -> list[Range]:
    """Return the subtrees beside the way from leaf `index` up to the root: PATH(m, D[n]) of RFC 6962, section 2.1.1."""
    if not 0 <= index < size:
        raise BadInput("proof.no_leaf", f"A tree of {size} leaves has none of index {index}; indexes run from 0 to below its size.")
    start, stop, beside = 0, size, []
    while stop - start > 1:
        middle = start + _left_part(stop - start)
        if index < middle:
            beside.append((middle, stop))
            stop = middle
        else:
            beside.append((start, middle))
            start = middle
    return beside[::-1]


def consistency_ranges(first: int, size: int) -> list[Range]:
    """Return the subtrees that show the first `first` leaves unchanged: PROOF(m, D[n]) of RFC 6962, section 2.1.2.

    The lowest one is left out where it is the whole old tree, whose root the verifier has.
    """
    if not 0 < first <= size:
        raise BadInput(
            "proof.no_tree",
            f"A tree of {size} leaves cannot be compared with an earlier one of {first}; that has 1 leaf or more, and no more.",
        )
    start, stop, beside = 0, size, []
    while first < stop:
        middle = start + _left_part(stop - start)
        if first <= middle:
            beside.append((middle, stop))
            stop = middle
        else:
            beside.append((start, middle))
            start = middle
    if start > 0:
        beside.append((start, stop))
    return beside[::-1]


def inclusion_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Return the proof that a leaf is in the tree over leaf hashes."""
    return [root(leaves[start:stop]) for start, stop in inclusion_ranges(index, len(leaves))]


def consistency_proof(leaves: Sequence[bytes], first: int) -> list[bytes]:
    """Return the proof that the tree over leaf hashes begins with the tree over the first `first` of them."""
    return [root(leaves[start:stop]) for start, stop in consistency_ranges(first, len(leaves))]


def _left_part(size: int) -> int:
    """Return the largest power of two below `size`, which is 2 or more."""
    return 1 << (size - 1).bit_length() - 1


# Verification.


def verify_inclusion(index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes) -> None:
    """Check that the tree with this size and root has a leaf with this hash at `index`. Raises Unproven."""
    if not 0 <= index < size:
        raise Unproven("proof.no_leaf", f"The proof is for leaf {index}, and the tree has {size}; ask for a proof within the checkpoint.")
    beside = inclusion_ranges(index, size)
    _well_formed((leaf, root), proof, len(beside))
    node = leaf
    for (start, _), sibling in zip(beside, proof, strict=True):
        node = node_hash(sibling, node) if start < index else node_hash(node, sibling)
    if node != root:
        raise Unproven(
            "proof.not_included", f"The proof does not lead from leaf {index} to the root of the tree of {size} leaves; one was changed."
        )


def verify_consistency(size1: int, size2: int, root1: bytes, root2: bytes, proof: Sequence[bytes]) -> None:
    """Check that the tree of `size2` leaves begins with the tree of `size1` leaves. Raises Unproven.

    From an empty tree nothing follows, and it is refused; any tree begins with it, so a caller who has one asks for no proof.
    """
    if not 0 < size1 <= size2:
        raise Unproven("proof.no_tree", f"No proof leads from a tree of {size1} leaves to one of {size2}; give the smaller tree first.")
    if size1 == size2:  # two equal roots are all there is to compare, as the published cases have it
        if proof or root1 != root2:
            raise Unproven(
                "proof.other_root", f"Two trees of {size1} leaves have different roots, or came with a proof where none is needed."
            )
        return
    beside = consistency_ranges(size1, size2)
    _well_formed((root1, root2), proof, len(beside))
    if beside[0][0] < size1:  # the lowest subtree ends where the old tree does
        old, above = proof[0], list(zip(beside, proof, strict=True))[1:]
    else:
        old, above = root1, list(zip(beside, proof, strict=True))
    new = old
    for (start, _), sibling in above:
        if start < size1:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
        else:
            new = node_hash(new, sibling)
    if old != root1 or new != root2:
        raise Unproven(
            "proof.inconsistent",
            f"The proof does not show that the tree of {size2} leaves begins with the one of {size1}; one was changed.",
        )


def _well_formed(hashes: Iterable[bytes], proof: Sequence[bytes], length: int) -> None:
    if len(proof) != length:
        raise Unproven(
            "proof.length", f"The proof has {len(proof)} hashes, and {length} belong to it; it was cut, or is for another place."
        )
    if any(len(each) != HASH_SIZE for each in (*hashes, *proof)):
        raise Unproven(
            "proof.hash_size", f"The proof, its leaf or its root holds a hash that is not {HASH_SIZE} bytes long; make it again."
        )


# Growing.


class Frontier:
    """A tree that grows: the roots of its whole subtrees, largest first, at most one for each power of two.

    A leaf costs one node hash on average. `to_bytes` is all that must be kept to go on: below 2.1 kB for any size.
    """

    __slots__ = ("_nodes", "size")

    def __init__(self) -> None:
        self.size = 0
        self._nodes: list[bytes] = []

    @property
    def nodes(self) -> tuple[bytes, ...]:
        """The roots of the whole subtrees, largest first."""
        return tuple(self._nodes)

    def append(self, leaf: bytes) -> None:
        """Add a leaf by its hash."""
        self.extend((leaf,))

    def extend(self, leaves: Sequence[bytes]) -> None:
        """Add leaves by their hashes, in order; all of them, or none where one is no hash."""
        if set(map(len, leaves)) - {HASH_SIZE}:
            raise BadInput("merkle.hash_size", f"A leaf is added by its hash of {HASH_SIZE} bytes; hash its data first.")
        nodes, size = self._nodes, self.size
        for leaf in leaves:
            node, filled = leaf, size
            while filled & 1:  # beside a whole subtree of the same height
                node = sha256(b"\x01" + nodes.pop() + node).digest()
                filled >>= 1
            nodes.append(node)
            size += 1
        self.size = size

    def root(self) -> bytes:
        """Return the root of the tree as it stands; costs a node hash per subtree."""
        return join_subtrees(self._nodes)

    def to_bytes(self) -> bytes:
        """Return the size, eight bytes big-endian, and the subtrees' roots, largest first."""
        return self.size.to_bytes(8, "big") + b"".join(self._nodes)

    @classmethod
    def from_bytes(cls, stored: bytes) -> Frontier:
        """Return the frontier that `to_bytes` stored. Raises BadInput where the length does not fit the size."""
        made = cls()
        made.size = int.from_bytes(stored[:8], "big")
        if len(stored) != 8 + HASH_SIZE * made.size.bit_count():
            raise BadInput("merkle.frontier", f"A stored frontier of {len(stored)} bytes is not whole; take it from the tiles again.")
        made._nodes = [stored[at : at + HASH_SIZE] for at in range(8, len(stored), HASH_SIZE)]
        return made
