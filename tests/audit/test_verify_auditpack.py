"""The verifier of audit packs, part by part: its signatures, its tree, its notes and its leaves, against published cases and against ours.

Whole packs are attacked in tests/attacks/test_pack.py.
"""

from __future__ import annotations

import ast
import base64
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from opsledger.audit import merkle
from opsledger.audit import verify_auditpack as verifier
from opsledger.audit.leaf import LeafWriter
from opsledger.audit.note import Checkpoint, Note, sign_note
from opsledger.audit.pack import fact_of, json_line, references
from opsledger.audit.signing import SigningKey
from opsledger.errors import Unproven
from opsledger.ledger.envelope import Row

HERE = Path(__file__).parent
SOURCE = Path(verifier.__file__)
CASES = HERE.parent / "conformance" / "cases"
VECTORS = json.loads((HERE / "rfc8032.json").read_text(encoding="utf-8"))["vectors"]
TREE = json.loads((CASES / "rfc6962.json").read_text(encoding="utf-8"))
NOTES = json.loads((CASES / "signed_note.json").read_text(encoding="utf-8"))


def test_it_imports_nothing_but_the_standard_library_and_is_written_for_python_3_9() -> None:
    tree = ast.parse(SOURCE.read_text(encoding="utf-8"), feature_version=(3, 9))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in imported} <= sys.stdlib_module_names
    later = {"bit_count", "pairwise", "UTC", "strict", "TypeAlias", "slots", "kw_only", "removeprefix_bytes", "batched"}
    named = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    named |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.keyword) and node.arg}
    assert not named & later, "of Python 3.10 or newer"
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Match | ast.TryStar)]


# Ed25519.


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_the_published_vectors_verify_and_no_other_message_does(vector: dict[str, str]) -> None:
    public, message, signature = (bytes.fromhex(vector[name]) for name in ("public", "message", "signature"))
    assert Ed25519PrivateKey.from_private_bytes(bytes.fromhex(vector["secret"])).sign(message) == signature, "the vector itself"
    assert verifier.signed_by(public, message, signature)
    assert not verifier.signed_by(public, message + b"\x00", signature)


def by_cryptography(public: bytes, message: bytes, signature: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except InvalidSignature:
        return False
    return True


@settings(max_examples=60)
@given(st.binary(min_size=32, max_size=32), st.binary(max_size=200), st.integers(0, 95), st.integers(0, 255))
def test_a_signature_with_one_byte_changed_is_judged_as_another_implementation_judges_it(
    seed: bytes, message: bytes, place: int, byte: int
) -> None:
    key = Ed25519PrivateKey.from_private_bytes(seed)
    both = bytearray(key.public_key().public_bytes_raw() + key.sign(message))
    both[place] = byte
    public, signature = bytes(both[:32]), bytes(both[32:])
    assert verifier.signed_by(public, message, signature) == by_cryptography(public, message, signature)


def test_a_signature_that_could_be_written_in_a_second_way_is_refused() -> None:
    """S + L verifies in the equation, y + p decodes to the same point: both are refused, as RFC 8032 asks."""
    vector = VECTORS[1]
    public, message, signature = (bytes.fromhex(vector[name]) for name in ("public", "message", "signature"))
    number = int.from_bytes(signature[32:], "little") + verifier.ORDER
    assert number < 1 << 256
    assert not verifier.signed_by(public, message, signature[:32] + number.to_bytes(32, "little"))
    assert verifier.decoded((1 + verifier.PRIME).to_bytes(32, "little")) is None, "1 written otherwise"
    assert verifier.decoded((1 | 1 << 255).to_bytes(32, "little")) is None, "minus 0"
    assert verifier.decoded((2).to_bytes(32, "little")) is None, "no point of the curve"
    assert verifier.decoded(b"\x01") is None
    for short in (b"", signature[:-1], signature + b"\x00"):
        assert not verifier.signed_by(public, message, short)


# The tree.


def path_of(case: dict[str, Any]) -> list[bytes]:
    return [base64.b64decode(each, validate=True) for each in case["proof"] or ()]


@pytest.mark.parametrize("case", TREE["published_inclusion_cases"], ids=lambda case: case["file"])
def test_the_published_inclusion_cases(case: dict[str, Any]) -> None:
    leaf, root = (base64.b64decode(case[name], validate=True) for name in ("leafHash", "root"))
    try:
        holds = verifier.included(case["leafIdx"], case["treeSize"], leaf, path_of(case)) == root
    except verifier.Wrong:
        holds = False
    assert holds is not case["wantErr"]


@pytest.mark.parametrize("case", TREE["published_consistency_cases"], ids=lambda case: case["file"])
def test_the_published_consistency_cases(case: dict[str, Any]) -> None:
    root1, root2 = (base64.b64decode(case[name], validate=True) for name in ("root1", "root2"))
    try:
        holds = verifier.proved(case["size1"], root1, case["size2"], root2, path_of(case))
    except verifier.Wrong:
        holds = False
    assert holds is not case["wantErr"]


HASHES = st.binary(min_size=32, max_size=32)


@given(st.lists(HASHES, min_size=1, max_size=70), st.data())
def test_a_range_leads_to_the_root_by_what_stands_left_and_right_of_it(leaves: list[bytes], data: st.DataObject) -> None:
    first = data.draw(st.integers(0, len(leaves) - 1), "first")
    last = data.draw(st.integers(first + 1, len(leaves)), "last")
    left = merkle.Frontier()
    left.extend(leaves[:first])
    tree = verifier.Frontier(first, list(left.nodes))
    for leaf in leaves[first:last]:
        tree.append(leaf)
    proof = merkle.consistency_proof(leaves, last)
    assert tree.root() == merkle.root(leaves[:last])
    assert verifier.proved(last, tree.root(), len(leaves), merkle.root(leaves), proof)
    if first:
        with pytest.raises(verifier.Wrong, match="where"):
            verifier.Frontier(first, [*left.nodes, bytes(32)])


@given(st.lists(HASHES, min_size=2, max_size=40), st.data())
def test_proofs_that_were_changed_are_judged_as_ours_are(leaves: list[bytes], data: st.DataObject) -> None:
    first = data.draw(st.integers(1, len(leaves)), "first")
    proof = merkle.consistency_proof(leaves, first)
    changed = data.draw(st.lists(st.sampled_from([*proof, bytes(32), *leaves[:2]]), max_size=len(proof) + 1), "proof")
    roots = merkle.root(leaves[:first]), merkle.root(leaves)
    try:
        merkle.verify_consistency(first, len(leaves), *roots, changed)
        ours = True
    except Unproven:
        ours = False
    try:
        theirs = verifier.proved(first, roots[0], len(leaves), roots[1], changed)
    except verifier.Wrong:
        theirs = False
    assert ours is theirs


# Notes.


@pytest.mark.parametrize("case", NOTES["tessera_log"]["checkpoints"], ids=lambda case: str(case["size"]))
def test_the_published_checkpoints_open(case: dict[str, Any]) -> None:
    log = NOTES["tessera_log"]
    key = verifier.Key.of(log["vkey"])
    if case["size"] == 0:
        return
    found, signed = verifier.opened(case["note"].encode(), [key], log["origin"])
    assert (found.size, signed) == (case["size"], [key])
    with pytest.raises(verifier.Wrong):
        verifier.opened(case["note"].replace(f"\n{case['size']}\n", f"\n{case['size'] + 1}\n").encode(), [key], log["origin"])


def test_the_published_verifier_keys_are_read_and_the_bad_ones_refused() -> None:
    for case in NOTES["cases"]:
        for vkey in case["vkeys"]:
            if "expected_note" in case:
                assert verifier.Key.of(vkey).name == vkey.partition("+")[0]
            else:
                with pytest.raises(verifier.Wrong, match="is no"):
                    verifier.Key.of(vkey)


ORIGIN = "ops.example.com/ledger"
KEY = SigningKey("ops.example.com/ledger", bytes(32))
NOTE = str(sign_note(str(Checkpoint(ORIGIN, 9, b"r" * 32)), KEY)).encode()


@settings(max_examples=300)
@given(st.integers(0, len(NOTE) - 1), st.integers(1, 255))
def test_no_byte_of_a_checkpoint_can_be_changed(place: int, change: int) -> None:
    changed = bytearray(NOTE)
    changed[place] ^= change
    with pytest.raises(verifier.Wrong):
        verifier.opened(bytes(changed), [verifier.Key.of(str(KEY.verifier))], ORIGIN)


def test_a_note_signed_by_somebody_else_too_opens_and_one_signed_by_them_alone_does_not() -> None:
    witness = SigningKey("witness.example.com", b"w" * 32)
    keys = [verifier.Key.of(str(each.verifier)) for each in (KEY, witness)]
    both = str(sign_note(Note.parse(NOTE), witness)).encode()
    assert verifier.opened(both, keys, ORIGIN)[1] == keys
    assert verifier.opened(both, keys[:1], ORIGIN)[1] == keys[:1]
    alone = str(sign_note(Note.parse(NOTE).text, witness)).encode()
    with pytest.raises(verifier.Wrong, match="none of the keys of the log"):
        verifier.opened(alone, keys, ORIGIN)


# Facts.

TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
MAYBE = st.none() | TEXT
TIME = st.integers(-62_135_596_800_000_000, 253_402_300_799_999_999)
NUMBER = st.integers(0, 2**63 - 1)
ROWS = st.builds(Row, NUMBER, TEXT, NUMBER, TEXT, NUMBER, TEXT.map(str.encode), TIME, TIME, TEXT, TEXT, TEXT, MAYBE, MAYBE, MAYBE, MAYBE)


@given(ROWS, st.booleans())
def test_the_leaf_that_is_made_of_a_line_is_that_of_the_row(row: Row, state: bool) -> None:
    line = json_line(fact_of(row, state=state))
    fact = verifier.fact_of(verifier.parsed(line[:-1]), ORIGIN)
    assert fact.leaf == LeafWriter(ORIGIN).data(row)
    assert fact.state == (row.state if state else None)
    assert line.count(b"\n") == 1


@pytest.mark.parametrize("path", sorted((HERE / "golden").glob("leaf.v1.*.json")), ids=lambda path: path.stem)
def test_the_golden_leaves_are_made_by_the_verifier_too(path: Path) -> None:
    golden = json.loads(path.read_text(encoding="utf-8"))
    row = Row(**{**golden["row"], "state": golden["row"]["state"].encode()})
    fact = verifier.fact_of(verifier.parsed(json_line(fact_of(row, state=True))[:-1]), golden["origin"])
    assert fact.leaf.hex() == golden["leaf_hex"]


LINE = json_line(
    fact_of(Row(8, "ticket:T-1", 2, "ticket.responded", 1, b'{"a":1}', 0, 1, "u-7", "", "", None, None, None, None), state=True)
)
WRITTEN_OTHERWISE = {
    "a blank": LINE.replace(b":8", b": 8"),
    "a key twice": LINE.replace(b'{"position":8', b'{"position":8,"position":8'),
    "an escape": LINE.replace(b"u-7", b"u\\u002d7"),
    "a fraction": LINE.replace(b":8", b":8.0"),
    "an exponent": LINE.replace(b":8", b":8e0"),
    "not a number": LINE.replace(b":8", b":NaN"),
    "a long number": LINE.replace(b":8", b":" + b"8" * 5000),
    "yes": LINE.replace(b'"version":2', b'"version":true'),
    "half of a character": LINE.replace(b"u-7", b"\\ud800"),
    "a byte that is no text": LINE.replace(b"u-7", b"\xff"),
    "a number that no leaf holds": LINE.replace(b":8", b":9999999999999999999"),
    "a day that there is not": LINE.replace(b"1970-01-01T00:00:00.000000Z", b"1970-02-30T00:00:00.000000Z"),
    "digits of another script": LINE.replace(b"1970-01-01T00:00:00.000000Z", "١٩٧٠-01-01T00:00:00.000000Z".encode()),
    "a time without a zone": LINE.replace(b"00.000000Z", b"00.000000"),
    "a column less": LINE.replace(b'"role":"",', b""),
    "other columns": LINE.replace(b'"role":""', b'"roll":""'),
    "text where a number belongs": LINE.replace(b":8", b':"8"'),
    "no stream": LINE.replace(b'"ticket:T-1"', b"null"),
    "a digest of another length": LINE.replace(b'"sha256":"', b'"sha256":"00'),
    "a list": b"[8]\n",
    "lists in lists": b"[" * 100_000 + b"\n",
}


@pytest.mark.parametrize("what", WRITTEN_OTHERWISE)
def test_a_line_is_read_in_one_form_only(what: str) -> None:
    changed = WRITTEN_OTHERWISE[what]
    assert changed != LINE
    assert verifier.fact_of(verifier.parsed(LINE[:-1]), ORIGIN).position == 8
    with pytest.raises(verifier.Wrong):
        verifier.fact_of(verifier.parsed(changed[:-1]), ORIGIN)


STATES = {
    b'{"a":{"part":"' + b"ab" * 32 + b'","key":"k"},"b":1}': [("ab" * 32, "k")],
    b'{"a":[{"key":"k","part":"' + b"ab" * 32 + b'"},{"part":"' + b"cd" * 32 + b'","key":"l"}]}': [("ab" * 32, "k"), ("cd" * 32, "l")],
    b'{"a":{"part":"ab","key":"k"}}': [],
    b'{"a":{"part":"' + b"ab" * 32 + b'","key":"k","more":1}}': [],
    b'{"a":"\\"part\\""}': [],
    b'"part" and no JSON': [],
    b'{"part":' + b"[" * 100_000: [],
    b'{"part":' + b"9" * 10_000 + b',"key":"k"}': [],
}


@pytest.mark.parametrize("state", STATES, ids=lambda state: state[:30].decode())
def test_references_to_sealed_parts_are_found_alike_by_who_writes_and_who_verifies(state: bytes) -> None:
    assert verifier.parts_in(state) == STATES[state]
    assert [tuple(each) for each in references(state)] == STATES[state]
