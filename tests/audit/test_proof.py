"""The proof of one fact: made from tiles, stored as a text, checked with nothing but the log's name and its verifier key."""

from __future__ import annotations

import base64
from dataclasses import replace
from pathlib import Path

import pytest
import slow_tree
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_tree import MemoryTiles

from opsledger.app import OpsLedger
from opsledger.audit.leaf import LeafWriter
from opsledger.audit.merkle import leaf_hash
from opsledger.audit.note import Checkpoint, sign_note
from opsledger.audit.proof import Proof, check_proof
from opsledger.audit.signing import SigningKey, create_key, load_key
from opsledger.audit.tiles import TileBuilder, TileTree
from opsledger.domain import ticket
from opsledger.errors import BadInput, OpsledgerError, Unproven
from opsledger.ledger.envelope import Row
from opsledger.policies.support import Priority

ORIGIN = "ops.example.com/ledger"
KEY = SigningKey(ORIGIN, bytes(range(32)))
WRITER = LeafWriter(ORIGIN)
ROWS = [
    Row(at + 1, f"ticket:T-{at}", 1, "ticket.responded", 1, b'{"n":%d}' % at, at, at, "u-7", "support", "c", None, None, None, None)
    for at in range(600)
]


def tree(rows: list[Row]) -> tuple[TileTree, bytes]:
    """Return the tree of rows, and its root."""
    builder, tiles = TileBuilder(), MemoryTiles()
    tiles.add(builder.extend(WRITER.hashes(rows)))
    tiles.add(builder.partial())
    return TileTree(tiles, len(rows)), builder.root()


def proven(index: int, rows: list[Row] = ROWS, *, state: bool = True, key: SigningKey = KEY) -> Proof:
    """Return the proof of a row in the log of all of them."""
    built, root = tree(rows)
    note = sign_note(str(Checkpoint(ORIGIN, len(rows), root)), key)
    extra = WRITER.data(rows[index]) + (rows[index].state if state else b"")
    return Proof(index, tuple(built.inclusion_proof(index)), note, extra)


PROOF = proven(300)
KEYS = [KEY.verifier]


def refused(proof: Proof, code: str, **given: bytes) -> None:
    with pytest.raises(OpsledgerError) as raised:
        check_proof(proof, KEYS, ORIGIN, **given)
    assert raised.value.code == code


# The text.


def test_a_proof_is_written_as_the_specification_says() -> None:
    title, extra, index, *rest = str(PROOF).split("\n")
    assert title == "c2sp.org/tlog-proof@v1"
    assert extra == f"extra {base64.b64encode(PROOF.extra).decode()}"
    assert index == "index 300"
    assert rest[:10] == [base64.b64encode(each).decode() for each in PROOF.path]
    assert "\n".join(rest[10:]) == f"\n{PROOF.checkpoint}"
    assert Proof.parse(str(PROOF)) == Proof.parse(str(PROOF).encode()) == PROOF


def test_a_proof_without_extra_data_or_hashes_has_no_lines_for_them() -> None:
    alone = replace(proven(0, ROWS[:1]), extra=b"")
    assert str(alone) == f"c2sp.org/tlog-proof@v1\nindex 0\n\n{alone.checkpoint}"
    assert Proof.parse(str(alone)) == alone


HASH = base64.b64encode(bytes(32)).decode()
TITLE = "c2sp.org/tlog-proof@v1"
NOTE = str(PROOF.checkpoint)


@pytest.mark.parametrize(
    "text",
    [
        "",
        f"{TITLE}\n",
        f"{TITLE}\nindex 0\n",
        f"{TITLE}\n\n{NOTE}",
        f"{TITLE}\nindex 0\n{NOTE}",
        f"index 0\n\n{NOTE}",
        f"c2sp.org/tlog-proof@v2\nindex 0\n\n{NOTE}",
        f"{TITLE} \nindex 0\n\n{NOTE}",
        f"\n{TITLE}\nindex 0\n\n{NOTE}",
        f"{TITLE}\r\nindex 0\n\n{NOTE}",
        f"{TITLE}\nindex 00\n\n{NOTE}",
        f"{TITLE}\nindex -1\n\n{NOTE}",
        f"{TITLE}\nindex +1\n\n{NOTE}",
        f"{TITLE}\nindex 1 \n\n{NOTE}",
        f"{TITLE}\nindex  1\n\n{NOTE}",
        f"{TITLE}\nindex\n\n{NOTE}",
        f"{TITLE}\nindex {2**64}\n\n{NOTE}",
        f"{TITLE}\nIndex 1\n\n{NOTE}",
        f"{TITLE}\nindex 1\nextra AAAA\n\n{NOTE}",
        f"{TITLE}\nextra AAAA\n\n{NOTE}",
        f"{TITLE}\nextra \nindex 1\n\n{NOTE}",
        f"{TITLE}\nextra\nindex 1\n\n{NOTE}",
        f"{TITLE}\nextra AB==\nindex 1\n\n{NOTE}",
        f"{TITLE}\nextra AAAA\nextra AAAA\nindex 1\n\n{NOTE}",
        f"{TITLE}\nindex 1\nindex 1\n\n{NOTE}",
        f"{TITLE}\nindex 1\n{HASH[:-1]}\n\n{NOTE}",
        f"{TITLE}\nindex 1\n{HASH} \n\n{NOTE}",
        f"{TITLE}\nindex 1\nAAAA\n\n{NOTE}",
        f"{TITLE}\nindex 1\n" + f"{HASH}\n" * 65 + f"\n{NOTE}",
        f"{TITLE}\nindex 1\n\n\n{NOTE}",
        f"{TITLE}\nindex 1\n\n",
        f"{TITLE}\nindex 1\n\nno note\n",
    ],
)
def test_what_is_no_proof_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        Proof.parse(text)


def test_bytes_that_are_not_utf_8_are_no_proof() -> None:
    with pytest.raises(BadInput, match=r"it is not UTF-8"):
        Proof.parse(b"\xff" + str(PROOF).encode())


# Checking.


def test_a_fact_is_proven_with_its_stored_bytes() -> None:
    found = check_proof(Proof.parse(str(PROOF)), KEYS, ORIGIN)
    assert (found.leaf.position, found.leaf.stream, found.leaf.topic) == (301, "ticket:T-300", "ticket.responded")
    assert found.checkpoint.size == 600
    assert found.state == b'{"n":300}'


def test_a_fact_is_proven_without_showing_its_stored_bytes() -> None:
    closed = proven(300, state=False)
    assert check_proof(closed, KEYS, ORIGIN).state is None
    assert b'{"n":300}' not in base64.b64decode(str(closed).split("\n")[1].removeprefix("extra "))
    assert check_proof(closed, KEYS, ORIGIN, state=b'{"n":300}').state == b'{"n":300}'
    refused(closed, "proof.other_state", state=b'{"n":301}')
    refused(closed, "proof.other_state", state=b"")


def test_the_leaf_may_be_given_beside_the_proof() -> None:
    bare = replace(PROOF, extra=b"")
    assert check_proof(bare, KEYS, ORIGIN, leaf=WRITER.data(ROWS[300])).leaf.position == 301
    refused(bare, "leaf.malformed")
    refused(bare, "proof.not_included", leaf=WRITER.data(ROWS[299]))


@settings(max_examples=40)
@given(st.integers(1, 600), st.integers(0, 599))
def test_every_fact_of_every_log_is_proven(size: int, index: int) -> None:
    index %= size
    assert check_proof(Proof.parse(str(proven(index, ROWS[:size]))), KEYS, ORIGIN).leaf.position == index + 1


def test_any_character_that_is_changed_or_left_out_is_noticed() -> None:
    written = str(PROOF)
    for at in range(len(written)):
        for other in ("", "0", "A", "=", "\n", " "):
            changed = written[:at] + other + written[at + 1 :]
            if changed != written:
                with pytest.raises(OpsledgerError):
                    check_proof(Proof.parse(changed), KEYS, ORIGIN)


@given(st.integers(0, 599), st.integers(0, 9), st.integers(0, 255))
def test_any_bit_of_the_path_and_any_other_index_is_noticed(other: int, which: int, bit: int) -> None:
    path = list(PROOF.path)
    path[which] = slow_tree.flipped(path[which], bit)
    refused(replace(PROOF, path=tuple(path)), "proof.not_included")
    if other != 300:
        with pytest.raises(Unproven):
            check_proof(replace(PROOF, index=other), KEYS, ORIGIN)


def test_a_proof_that_is_cut_or_longer_is_refused() -> None:
    refused(replace(PROOF, path=PROOF.path[:-1]), "proof.length")
    refused(replace(PROOF, path=PROOF.path[1:]), "proof.length")
    refused(replace(PROOF, path=(*PROOF.path, bytes(32))), "proof.length")
    refused(replace(PROOF, index=600), "proof.no_leaf")


def test_the_size_is_the_checkpoints_alone() -> None:
    smaller = proven(300, ROWS[:599])
    refused(replace(PROOF, checkpoint=smaller.checkpoint), "proof.not_included")


def test_a_proof_by_another_key_or_for_another_log_is_refused() -> None:
    stranger = SigningKey(ORIGIN, bytes(32))
    refused(proven(300, key=stranger), "note.unsigned")
    with pytest.raises(Unproven, match=r"\[checkpoint\.other_log\]"):
        check_proof(PROOF, KEYS, "ops.example.com/other")


def test_a_log_that_holds_a_fact_at_another_place_than_the_fact_says_is_refused() -> None:
    """As after a removal by somebody who hashes and signs all of it anew."""
    refused(proven(300, [*ROWS[:200], *ROWS[201:]]), "proof.other_place")
    foreign = LeafWriter("ops.example.com/other").data(ROWS[0])
    note = sign_note(str(Checkpoint(ORIGIN, 1, leaf_hash(foreign))), KEY)
    refused(Proof(0, (), note, foreign), "proof.other_place")


def test_a_fact_of_a_ledger_is_proven_from_the_file_of_its_proof(opsledger_sqlite: OpsLedger, tmp_path: Path) -> None:
    person = {"customer_id": "C-1", "requester_id": "p-1", "channel": "email", "summary": "I cannot log in"}
    opsledger_sqlite.by("u-7").record(ticket.register, "T-1", priority=Priority.HIGH, **person)
    receipt = opsledger_sqlite.by("u-7").record(ticket.respond, "T-1")
    rows = opsledger_sqlite.store.page(0, 100)
    verifier = create_key(tmp_path / "log.key", ORIGIN).verifier
    proof = proven(receipt.position - 1, rows, key=load_key(tmp_path / "log.key"))
    (tmp_path / "T-1.tlog-proof").write_text(str(proof), encoding="utf-8")
    found = check_proof(Proof.parse((tmp_path / "T-1.tlog-proof").read_bytes()), [verifier], ORIGIN)
    assert (found.leaf.stream, found.leaf.topic, found.leaf.recorded_by) == ("ticket:T-1", "ticket.responded", "u-7")
    assert found.state == rows[receipt.position - 1].state


def test_personal_words_are_in_no_proof(opsledger_sqlite: OpsLedger) -> None:
    person = {"customer_id": "C-1", "requester_id": "p-1", "channel": "email", "summary": "I cannot log in"}
    receipt = opsledger_sqlite.by("u-7").record(ticket.register, "T-1", priority=Priority.HIGH, **person)
    rows = opsledger_sqlite.store.page(0, 100)
    proof = proven(receipt.position - 1, rows)
    assert b"requester_id" in proof.extra
    assert b"I cannot log in" not in proof.extra
