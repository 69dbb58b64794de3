"""The published Merkle tree cases: hashes, roots, proofs, and every proof that a verifier must reject.

Runs every file of `--cases DIR` (default: the product's own copy) that has one of the sections below. Roots and proofs are made
in two ways, from leaf hashes and from tiles, and both must give the bytes of the case.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from opsledger.audit import merkle
from opsledger.audit.tiles import Tile, TileBuilder, TileTree
from opsledger.errors import Unproven

Case = dict[str, Any]

ABOUT = {"source", "hash", "verifier_rule_notes", "leaf_inputs_hex", "notes"}
"""What a file says besides its cases."""


def leaf_hashes(document: Case) -> list[bytes]:
    return [merkle.leaf_hash(bytes.fromhex(each)) for each in document["leaf_inputs_hex"]]


class Tiles:
    """Tiles in memory."""

    def __init__(self, leaves: list[bytes]) -> None:
        builder = TileBuilder()
        self.stored = {each.tile: each.hashes for each in (*builder.extend(leaves), *builder.partial())}

    def read(self, tile: Tile) -> bytes:
        return self.stored[tile]


def tree(leaves: list[bytes]) -> TileTree:
    return TileTree(Tiles(leaves), len(leaves))


def check_leaf(document: Case, case: tuple[int, str]) -> None:
    index, expected = case
    assert leaf_hashes(document)[index].hex() == expected


def check_root(document: Case, case: tuple[int, str]) -> None:
    size, expected = case
    leaves = leaf_hashes(document)[:size]
    assert merkle.root(leaves).hex() == expected
    assert tree(leaves).root().hex() == expected


def check_inclusion(document: Case, case: Case) -> None:
    index, leaves = case["index"], leaf_hashes(document)[: case["size"]]
    expected = [bytes.fromhex(each) for each in case["proof_hex"]]
    assert merkle.inclusion_proof(leaves, index) == expected
    assert tree(leaves).inclusion_proof(index) == expected
    merkle.verify_inclusion(index, case["size"], leaves[index], expected, merkle.root(leaves))


def check_consistency(document: Case, case: Case) -> None:
    first, leaves = case["size1"], leaf_hashes(document)[: case["size2"]]
    expected = [bytes.fromhex(each) for each in case["proof_hex"]]
    assert merkle.consistency_proof(leaves, first) == expected
    assert tree(leaves).consistency_proof(first) == expected
    merkle.verify_consistency(first, case["size2"], merkle.root(leaves[:first]), merkle.root(leaves), expected)


def check_published_inclusion(document: Case, case: Case) -> None:
    leaf, root = unbase64(case["leafHash"]), unbase64(case["root"])
    verdict(case, lambda: merkle.verify_inclusion(case["leafIdx"], case["treeSize"], leaf, path(case), root))


def check_published_consistency(document: Case, case: Case) -> None:
    root1, root2 = unbase64(case["root1"]), unbase64(case["root2"])
    verdict(case, lambda: merkle.verify_consistency(case["size1"], case["size2"], root1, root2, path(case)))


def verdict(case: Case, verify: Callable[[], None]) -> None:
    if case["wantErr"]:
        with pytest.raises(Unproven):
            verify()
    else:
        verify()


def path(case: Case) -> list[bytes]:
    return [unbase64(each) for each in case["proof"] or ()]


def unbase64(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


SECTIONS: dict[str, Callable[[Case, Any], None]] = {
    "leaf_hashes_hex": check_leaf,
    "roots_hex_by_size": check_root,
    "inclusion_proofs": check_inclusion,
    "consistency_proofs": check_consistency,
    "published_inclusion_cases": check_published_inclusion,
    "published_consistency_cases": check_published_consistency,
}


def name(number: int, case: Any) -> str:
    """Name a case by the file that it was published in, else by its numbers."""
    if not isinstance(case, dict):
        return str(number)
    return str(case.get("file") or "-".join(str(value) for value in case.values() if isinstance(value, int)))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    found = []
    for file in sorted(Path(metafunc.config.getoption("--cases")).glob("*.json")):
        document = json.loads(file.read_text(encoding="utf-8"))
        if not SECTIONS.keys() & document.keys():
            continue
        for section in (each for each in document if each not in ABOUT):
            for number, case in enumerate(document[section]):
                given = case if isinstance(case, dict) else (number, case)
                found.append(pytest.param(document, section, given, id=f"{file.stem}-{section}-{name(number, case)}"))
    metafunc.parametrize(("document", "section", "case"), found)


def test_case(document: Case, section: str, case: Any) -> None:
    assert section in SECTIONS, f"no rule for the section {section}"
    SECTIONS[section](document, case)
