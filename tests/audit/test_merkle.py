"""Trees, proofs and the frontier, against the recursive definition; and every way to spoil a proof is refused."""

from __future__ import annotations

import pytest
import slow_tree
from hypothesis import given
from hypothesis import strategies as st

from opsledger.audit.merkle import (
    EMPTY_ROOT,
    Frontier,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root,
    verify_consistency,
    verify_inclusion,
)
from opsledger.errors import BadInput, Unproven

LEAVES = slow_tree.leaves(300)
BITS = st.integers(0, 8 * 32 - 1)


@st.composite
def places(draw: st.DrawFn) -> tuple[int, int]:
    """Draw a leaf and the size of a tree that has it."""
    size = draw(st.integers(1, len(LEAVES)))
    return draw(st.integers(0, size - 1)), size


@st.composite
def growths(draw: st.DrawFn) -> tuple[int, int]:
    """Draw the sizes of a tree and of what it grew to."""
    first, size = draw(places())
    return first + 1, size


def refused_inclusion(index: int, size: int, leaf: bytes, proof: list[bytes], tree_root: bytes) -> None:
    with pytest.raises(Unproven):
        verify_inclusion(index, size, leaf, proof, tree_root)


def refused_consistency(size1: int, size2: int, root1: bytes, root2: bytes, proof: list[bytes]) -> None:
    with pytest.raises(Unproven):
        verify_consistency(size1, size2, root1, root2, proof)


# Hashes and roots.


def test_a_leaf_a_node_and_an_empty_tree_are_hashed_as_the_rfc_says() -> None:
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert leaf_hash(b"").hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    two = node_hash(leaf_hash(b""), leaf_hash(b"\x00"))
    assert two.hex() == "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"
    assert leaf_hash(b"\x01" + bytes(64)) != node_hash(bytes(32), bytes(32)), "no leaf can pass for a node"


def test_roots_are_those_of_the_recursive_definition_at_every_size() -> None:
    frontier = Frontier()
    for size in range(len(LEAVES) + 1):
        assert frontier.size == size
        assert frontier.root() == root(LEAVES[:size]) == slow_tree.root(LEAVES[:size])
        if size < len(LEAVES):
            frontier.append(LEAVES[size])


# Inclusion.


@given(places())
def test_a_leaf_is_proven_to_be_in_its_tree(place: tuple[int, int]) -> None:
    index, size = place
    proof = inclusion_proof(LEAVES[:size], index)
    assert proof == slow_tree.inclusion(index, LEAVES[:size])
    verify_inclusion(index, size, LEAVES[index], proof, slow_tree.root(LEAVES[:size]))


@given(places(), st.integers(0, 8), BITS)
def test_an_inclusion_proof_with_any_bit_flipped_is_refused(place: tuple[int, int], which: int, bit: int) -> None:
    index, size = place
    values = [LEAVES[index], root(LEAVES[:size]), *inclusion_proof(LEAVES[:size], index)]
    values[which % len(values)] = slow_tree.flipped(values[which % len(values)], bit)
    refused_inclusion(index, size, values[0], values[2:], values[1])


def test_every_bit_of_an_inclusion_proof_counts() -> None:
    values = [LEAVES[5], root(LEAVES[:11]), *inclusion_proof(LEAVES[:11], 5)]
    verify_inclusion(5, 11, values[0], values[2:], values[1])
    for which, value in enumerate(values):
        for bit in range(8 * 32):
            changed = [*values[:which], slow_tree.flipped(value, bit), *values[which + 1 :]]
            refused_inclusion(5, 11, changed[0], changed[2:], changed[1])


@given(places(), st.integers(0, len(LEAVES)))
def test_an_inclusion_proof_for_another_leaf_is_refused(place: tuple[int, int], other: int) -> None:
    index, size = place
    proof, tree_root = inclusion_proof(LEAVES[:size], index), root(LEAVES[:size])
    if other != index:
        refused_inclusion(other, size, LEAVES[index], proof, tree_root)
    if other != index and other < size:
        refused_inclusion(index, size, LEAVES[other], proof, tree_root)


@given(places(), st.integers(0, len(LEAVES)))
def test_an_inclusion_proof_for_a_tree_of_another_size_is_refused(place: tuple[int, int], other: int) -> None:
    index, size = place
    if other != size:
        refused_inclusion(index, other, LEAVES[index], inclusion_proof(LEAVES[:size], index), root(LEAVES[:other]))


@given(places(), st.integers(0, 8), BITS)
def test_an_inclusion_proof_that_is_longer_or_shorter_is_refused(place: tuple[int, int], where: int, bit: int) -> None:
    index, size = place
    proof, tree_root = inclusion_proof(LEAVES[:size], index), root(LEAVES[:size])
    at = where % (len(proof) + 1)
    for added in (tree_root, LEAVES[index], EMPTY_ROOT, b"", slow_tree.flipped(tree_root, bit)):
        refused_inclusion(index, size, LEAVES[index], [*proof[:at], added, *proof[at:]], tree_root)
    if at < len(proof):
        refused_inclusion(index, size, LEAVES[index], [*proof[:at], *proof[at + 1 :]], tree_root)
        refused_inclusion(index, size, LEAVES[index], [*proof[:at], proof[at][:31], *proof[at + 1 :]], tree_root)
        refused_inclusion(index, size, LEAVES[index], [*proof[:at], proof[at] + b"\x00", *proof[at + 1 :]], tree_root)


def test_nothing_is_in_an_empty_tree_or_beyond_the_end() -> None:
    refused_inclusion(0, 0, LEAVES[0], [], EMPTY_ROOT)
    refused_inclusion(1, 1, LEAVES[0], [], LEAVES[0])
    refused_inclusion(-1, 1, LEAVES[0], [], LEAVES[0])
    refused_inclusion(2**64 - 1, 8, LEAVES[0], inclusion_proof(LEAVES[:8], 0), root(LEAVES[:8]))
    with pytest.raises(BadInput, match=r"has none of index 8"):
        inclusion_proof(LEAVES[:8], 8)


def test_an_inner_node_does_not_pass_for_a_leaf_of_a_smaller_tree() -> None:
    """As data it would be hashed as a leaf; as a hash it would need a tree of another size, which the checkpoint does not have."""
    node, beside = node_hash(*LEAVES[:2]), node_hash(*LEAVES[2:4])
    verify_inclusion(0, 2, node, [beside], root(LEAVES[:4]))
    refused_inclusion(0, 4, node, [beside], root(LEAVES[:4]))
    refused_inclusion(0, 2, leaf_hash(LEAVES[0] + LEAVES[1]), [beside], root(LEAVES[:4]))


def test_the_size_must_come_with_the_root_for_a_path_can_stand_in_trees_of_several_sizes() -> None:
    proof, tree_root = inclusion_proof(LEAVES[:5], 0), root(LEAVES[:5])
    for size in (5, 6, 7, 8):
        verify_inclusion(0, size, LEAVES[0], proof, tree_root)
    for size in (4, 9):
        refused_inclusion(0, size, LEAVES[0], proof, tree_root)


# Consistency.


@given(growths())
def test_a_tree_is_proven_to_have_grown_from_an_earlier_one(growth: tuple[int, int]) -> None:
    first, size = growth
    proof = consistency_proof(LEAVES[:size], first)
    assert proof == slow_tree.consistency(first, LEAVES[:size])
    verify_consistency(first, size, slow_tree.root(LEAVES[:first]), slow_tree.root(LEAVES[:size]), proof)


@given(growths(), st.integers(0, 10), BITS)
def test_a_consistency_proof_with_any_bit_flipped_is_refused(growth: tuple[int, int], which: int, bit: int) -> None:
    first, size = growth
    values = [root(LEAVES[:first]), root(LEAVES[:size]), *consistency_proof(LEAVES[:size], first)]
    values[which % len(values)] = slow_tree.flipped(values[which % len(values)], bit)
    refused_consistency(first, size, values[0], values[1], values[2:])


@pytest.mark.parametrize(("first", "size"), [(6, 11), (8, 11), (11, 11)])
def test_every_bit_of_a_consistency_proof_counts(first: int, size: int) -> None:
    values = [root(LEAVES[:first]), root(LEAVES[:size]), *consistency_proof(LEAVES[:size], first)]
    verify_consistency(first, size, values[0], values[1], values[2:])
    for which, value in enumerate(values):
        for bit in range(8 * 32):
            changed = [*values[:which], slow_tree.flipped(value, bit), *values[which + 1 :]]
            refused_consistency(first, size, changed[0], changed[1], changed[2:])


@given(growths(), st.integers(0, len(LEAVES)))
def test_a_consistency_proof_for_trees_of_other_sizes_is_refused(growth: tuple[int, int], other: int) -> None:
    first, size = growth
    proof = consistency_proof(LEAVES[:size], first)
    if other != first:
        refused_consistency(other, size, root(LEAVES[:other]), root(LEAVES[:size]), proof or [EMPTY_ROOT])
    if other != size:
        refused_consistency(first, other, root(LEAVES[:first]), root(LEAVES[:other]), proof)


@given(growths(), st.integers(0, 10), BITS)
def test_a_consistency_proof_that_is_longer_or_shorter_is_refused(growth: tuple[int, int], where: int, bit: int) -> None:
    first, size = growth
    root1, root2 = root(LEAVES[:first]), root(LEAVES[:size])
    proof = consistency_proof(LEAVES[:size], first)
    at = where % (len(proof) + 1)
    for added in (root1, root2, EMPTY_ROOT, b"", slow_tree.flipped(root1, bit)):
        refused_consistency(first, size, root1, root2, [*proof[:at], added, *proof[at:]])
    if at < len(proof):
        refused_consistency(first, size, root1, root2, [*proof[:at], *proof[at + 1 :]])
        refused_consistency(first, size, root1, root2, [*proof[:at], proof[at][:31], *proof[at + 1 :]])


@given(growths(), st.integers(0, len(LEAVES) - 1), BITS)
def test_a_history_that_was_changed_is_not_consistent_with_what_it_was(growth: tuple[int, int], index: int, bit: int) -> None:
    first, size = growth
    changed = [*LEAVES[:size]]
    changed[index % first] = slow_tree.flipped(changed[index % first], bit)
    refused_consistency(first, size, root(LEAVES[:first]), root(changed), consistency_proof(changed, first))


def test_a_root_that_is_no_hash_proves_no_growth() -> None:
    """A tree of one leaf has any root; hashed with its neighbour it would lead to any other."""
    short = LEAVES[0][:31]
    refused_consistency(1, 2, short, node_hash(short, LEAVES[1]), [LEAVES[1]])


def test_from_an_empty_tree_nothing_is_proven() -> None:
    refused_consistency(0, 8, EMPTY_ROOT, root(LEAVES[:8]), [])
    refused_consistency(0, 0, EMPTY_ROOT, EMPTY_ROOT, [])
    with pytest.raises(BadInput, match=r"cannot be compared with an earlier one of 0"):
        consistency_proof(LEAVES[:8], 0)


def test_a_tree_did_not_grow_from_a_larger_one() -> None:
    refused_consistency(8, 4, root(LEAVES[:8]), root(LEAVES[:4]), consistency_proof(LEAVES[:8], 4))
    with pytest.raises(BadInput, match=r"cannot be compared with an earlier one of 9"):
        consistency_proof(LEAVES[:8], 9)


# The frontier.


@given(st.integers(0, 300), st.integers(0, 300))
def test_a_stored_frontier_goes_on_where_it_stopped(first: int, size: int) -> None:
    first, size = sorted((first, size))
    frontier = Frontier()
    frontier.extend(LEAVES[:first])
    again = Frontier.from_bytes(frontier.to_bytes())
    again.extend(LEAVES[first:size])
    assert (again.size, again.root()) == (size, slow_tree.root(LEAVES[:size]))
    assert len(again.to_bytes()) == 8 + 32 * size.bit_count()


def test_a_frontier_of_other_than_its_length_is_refused() -> None:
    frontier = Frontier()
    frontier.extend(LEAVES[:5])
    stored = frontier.to_bytes()
    for damaged in (b"", stored[:7], stored[:-1], stored + b"\x00", stored[:-32], stored + bytes(32), (6).to_bytes(8, "big") + stored[40:]):
        with pytest.raises(BadInput, match=r"is not whole; .*\[merkle\.frontier\]"):
            Frontier.from_bytes(damaged)


def test_a_frontier_takes_hashes_only_and_all_or_none_of_them() -> None:
    frontier = Frontier()
    with pytest.raises(BadInput, match=r"its hash of 32 bytes"):
        frontier.extend([LEAVES[0], b"a leaf"])
    assert (frontier.size, frontier.root()) == (0, EMPTY_ROOT)


def test_a_leaf_costs_one_node_hash_on_average(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    monkeypatch.setattr("opsledger.audit.merkle.sha256", lambda data: made.append(1) or slow_tree.sha256(data))
    frontier = Frontier()
    frontier.extend(LEAVES[:256])
    assert len(made) == 255
    assert frontier.root() == slow_tree.root(LEAVES[:256])
    assert len(made) == 255, "the root of a whole tree is there already"
