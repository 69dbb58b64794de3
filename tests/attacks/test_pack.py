"""Attacks on what is in an audit pack, by who made it or had it in their hands: each is named by a verifier that has nothing else of ours.

Numbers are those of the list of attacks in docs/explanation/proof.md: 43, a doctored pack or verifier; 44, a selective export. The
attacker knows the format, and makes all digests anew.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from attacked import World
from packs import (
    PARTS,
    counted,
    doctored,
    exported,
    line,
    manifest,
    packed,
    still_world,
    swapped,
    unpacked,
    verified,
    without,
)

from opsledger.audit import pack
from opsledger.audit.note import Checkpoint, sign_note
from opsledger.audit.sealing import sealed_tree
from opsledger.audit.signing import SigningKey
from opsledger.audit.verify_auditpack import checkpoint_of
from opsledger.replay.evidence.packing import Span


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with still_world(tmp_path_factory.mktemp("world")) as made:
        yield made


@pytest.fixture
def made(world: World, tmp_path: Path) -> Path:
    """Export positions 6 to 8, bound to the checkpoint of 9 facts; the one of 7 lies within."""
    return exported(world, tmp_path / "pack.tar", Span(6, 8))


# 43: what is in the pack, doctored.

COLUMNS = {
    "stream": "ticket:T-9",
    "version": 3,
    "topic": "ticket.registered",
    "revision": 2,
    "occurred_at": "2026-03-02T09:00:00.000000Z",
    "recorded_at": "2026-03-02T09:03:00.000001Z",
    "recorded_by": "u-8",
    "role": "admin",
    "command_id": "x",
    "correlation_id": "",
    "causation_id": "x",
    "source": "sn",
    "source_id": "1",
    "sha256": "00" * 32,
}


@pytest.mark.parametrize("column", COLUMNS)
def test_a_column_changed_is_not_what_was_signed(world: World, made: Path, column: str) -> None:
    found = doctored(world, made, facts=line(2, lambda said: said.update({column: COLUMNS[column]})))
    assert found.code == 1
    assert any("One or more of positions 8 to 8, or a hash beside the range, is not what was signed" in each for each in found.findings)


def test_stored_bytes_changed_are_named_and_with_their_digest_they_are_not_what_was_signed(world: World, made: Path) -> None:
    def otherwise(said: dict[str, Any]) -> None:
        said["state"] = said["state"].replace("C-1", "C-2")

    found = doctored(world, made, facts=line(1, otherwise))
    assert (found.code, found.findings) == (1, ["Position 7 ('ticket.registered') comes with stored bytes that were not recorded."])

    def throughout(said: dict[str, Any]) -> None:
        otherwise(said)
        said["sha256"] = hashlib.sha256(said["state"].encode()).hexdigest()

    found = doctored(world, made, facts=line(1, throughout))
    assert "One or more of positions 6 to 7" in found.findings[-1], "for the checkpoint of 7 facts in the pack is not theirs either"


ABOUT_FACTS: dict[str, tuple[dict[str, Callable[[bytes], bytes]], str]] = {
    "a fact in the middle dropped": ({"facts": without(1)}, "has position 8 where position 7 belongs"),
    "the last fact dropped": ({"facts": without(2)}, "end at position 7, and the manifest says 8"),
    "the last fact dropped, the range with it": ({"facts": without(2), "manifest": manifest(last=7)}, "proof of consistency"),
    "a fact dropped, the next in its place": (
        {"facts": lambda content: line(1, lambda said: said.update(position=7))(without(1)(content)), "manifest": manifest(last=7)},
        "proof of consistency",
    ),
    "the first fact dropped, the range with it": (
        {"facts": without(0), "manifest": manifest(first=7)},
        "stands where the file of position 7 belongs",
    ),
    "facts in another order": ({"facts": swapped(0, 1)}, "has position 7 where position 6 belongs"),
    "a fact twice": ({"facts": lambda content: content + content.splitlines(keepends=True)[2]}, "has position 8 where position 9"),
    "a fact more": (
        {"facts": lambda content: content + line(2, lambda said: said.update(position=9))(content).splitlines(keepends=True)[2]},
        "end at position 9, and the manifest says 8",
    ),
    "stored bytes left out": ({"facts": line(0, lambda said: said.update(state=None))}, "whether the stored bytes of position 6 are here"),
    "stored bytes said to be left out": (
        {"manifest": manifest(stored_bytes="left out")},
        "whether the stored bytes of position 6 are here",
    ),
    "no line at all": ({"facts": lambda _: b""}, "end at position 5"),
    "a line without an end": ({"facts": lambda content: content[:-1]}, "a line without an end"),
}


@pytest.mark.parametrize("attack", ABOUT_FACTS)
def test_the_range_is_whole_and_in_order(world: World, made: Path, attack: str) -> None:
    changes, said = ABOUT_FACTS[attack]
    found = doctored(world, exported(world, made.with_name("bare.tar"), Span(6, 8), redact="personal"), **changes)
    assert found.code == 1
    assert any(said.lower() in each.lower() for each in found.findings), found.findings


def test_sealed_parts_swapped_changed_dropped_or_added_are_named(world: World, made: Path) -> None:
    assert "in its place stands" in doctored(world, made, parts=swapped(0, 1)).findings[0]
    assert "in its place stands 'nothing'" in doctored(world, made, parts=without(2)).findings[0]
    assert "to which no fact refers" in doctored(world, made, parts=lambda content: content * 2).findings[0]
    first = unpacked(made)[PARTS].splitlines()[0].decode()
    digest, _, sealed = first.partition(" ")
    other = base64.b64encode(base64.b64decode(sealed)[:-1] + b"?").decode()
    found = doctored(world, made, parts=lambda content: content.replace(sealed.encode(), other.encode()))
    assert found.findings == [f"The sealed part {digest} of position 6 is not the one that was recorded."]
    taken_away = doctored(world, made, parts=lambda content: content.replace(sealed.encode(), b"-"))
    assert (taken_away.code, len(taken_away.undecided)) == (1, 1), "the counts are others, and no fact allows that it is gone"


def test_all_sealed_parts_dropped_are_missed_unless_the_manifest_says_so(world: World, made: Path) -> None:
    files = unpacked(made)
    del files[PARTS]
    assert "in its place stands 'nothing'" in verified(world, packed(files, made.with_name("less.tar"))).findings[0]
    files["manifest.json"] = manifest(sealed_parts="left out")(files["manifest.json"])
    files["manifest.json"] = counted(parts_here=-3)(files["manifest.json"])
    found = verified(world, packed(files, made.with_name("less.tar")))
    assert found.code == 0, "who leaves them out says so, and the rest is as it was"
    assert any("3 sealed parts: left out" in each for each in found.lines)


OUTSIDE_CHANGED: dict[str, tuple[dict[str, Callable[[bytes], bytes]], str]] = {
    "a promise edited in the operating model": (
        {"outside": line(3, lambda said: said["fact"].update(state=said["fact"]["state"].replace("1 h", "5 h")))},
        "Position 4 ('policy.published') comes with stored bytes that were not recorded.",
    ),
    "the same, with its digest": (
        {"outside": line(3, lambda said: said["fact"].update(state="{}", sha256=hashlib.sha256(b"{}").hexdigest()))},
        "Position 4, from outside the range, is not what was signed.",
    ),
    "a path of another fact": (
        {"outside": line(3, lambda said: said.update(path=said["path"][::-1]))},
        "Position 4, from outside the range, is not what was signed.",
    ),
    "the operating model left out": ({"outside": without(3), "manifest": counted(outside=-1)}, "Facts keep the policy"),
    "the signing key left out": ({"outside": without(4), "manifest": counted(outside=-1)}, "introduced the key that signed"),
    "the beginning left out": ({"outside": without(0), "manifest": counted(outside=-1)}, "created the ledger is missing"),
    "a fact twice": (
        {"outside": lambda content: content + content.splitlines(keepends=True)[4], "manifest": counted(outside=1)},
        "Position 5, from outside the range, does not belong",
    ),
    "in another order": ({"outside": swapped(1, 2)}, "Position 2, from outside the range, does not belong"),
    "without stored bytes": (
        {"outside": line(3, lambda said: said["fact"].update(state=None))},
        "does not belong in the pack, or not in this form",
    ),
    "said not to be simulated": ({"manifest": manifest(simulated=False)}, "says otherwise what it is"),
}


@pytest.mark.parametrize("attack", OUTSIDE_CHANGED)
def test_what_is_from_outside_the_range_is_what_was_signed(world: World, made: Path, attack: str) -> None:
    changes, said = OUTSIDE_CHANGED[attack]
    found = doctored(world, made, **changes)
    assert found.code == 1
    assert any(said in each for each in found.findings), found.findings


def test_a_fact_that_has_nothing_to_do_with_it_cannot_be_slipped_in_from_outside(world: World, made: Path) -> None:
    row = world.ledger.store.page(8, 1)[0]
    path = pack.base64s(sealed_tree(world.ledger.seals, 9).inclusion_proof(8))
    slipped = pack.json_line({"fact": pack.fact_of(row, state=True), "path": path})
    found = doctored(world, made, outside=lambda content: content + slipped, manifest=counted(outside=1))
    assert found.findings == ["Position 9, from outside the range, does not belong in the pack, or not in this form."]


MANIFEST: dict[str, tuple[dict[str, Any], str]] = {
    "another form": ({"format": "opsledger/auditpack/v2"}, "not of the form"),
    "another log": ({"origin": "opsledger/" + "1" * 32}, "the first key that you gave is of"),
    "no range": ({"first": 9}, "names no range"),
    "neither here nor left out": ({"sealed_parts": "somewhere"}, "names no range of positions, or does not say"),
    "another size": ({"checkpoint": {"size": 8, "root": "x"}}, "not the one that the manifest names"),
    "hashes beside the range": ({"left": [base64.b64encode(bytes(32)).decode()] * 2}, "is not what was signed"),
    "a longer proof": ({"right": [base64.b64encode(bytes(32)).decode()] * 5}, "proof of consistency"),
    "no hashes": ({"right": ["x"]}, "no base64 of 32 bytes"),
    "other counts": ({"counts": {"facts": 3}}, "counts otherwise"),
    "a field more": ({"more": 1}, "has not the fields"),
    "a period that was none": (
        {"period": {"from": "2026-03-01T00:00:00.000000Z", "to": "2026-03-02T09:01:30.000000Z"}},
        "outside the period",
    ),
    "a period without what stands beside it": (
        {"period": {"from": "2026-03-02T09:00:30.000000Z", "to": "2026-03-02T09:03:30.000000Z"}},
        "does not show that nothing that was recorded in the period stands behind the range",
    ),
    "no period": ({"period": {"from": 1, "to": 2}}, "is no instant"),
    "another period": ({"period": {}}, "The period in the manifest is none"),
}


@pytest.mark.parametrize("attack", MANIFEST)
def test_what_the_manifest_claims_must_be_so(world: World, made: Path, attack: str) -> None:
    values, said = MANIFEST[attack]
    found = doctored(world, made, manifest=manifest(**values))
    assert found.code == 1
    assert any(said in each for each in found.findings), found.findings


def test_a_checkpoint_of_another_log_of_another_key_or_of_another_history_is_named(world: World, made: Path) -> None:
    origin, files = world.key.verifier.name, unpacked(made)
    thief = SigningKey.generate(origin)
    elsewhere = SigningKey.generate("opsledger/elsewhere")
    written = Checkpoint(origin, 9, b"x" * 32)

    def with_note(note: object, **values: Any) -> str:
        changed = {**files, "checkpoint.note": str(note).encode(), "manifest.json": manifest(**values)(files["manifest.json"])}
        found = verified(world, packed(changed, made.with_name("other.tar")))
        assert found.code == 1
        return found.findings[-1]

    claimed = {"checkpoint": {"size": 9, "root": base64.b64encode(written.root).decode()}}
    assert "signed by none of the keys" in with_note(sign_note(str(written), thief), **claimed)
    assert f"not of {origin}" in with_note(sign_note(str(Checkpoint("opsledger/elsewhere", 9, b"x" * 32)), elsewhere), **claimed)
    assert "is not what was signed" in with_note(sign_note(str(written), world.key), **claimed), "by the key, over other facts"
    assert "covers 7 facts" in with_note(world.kept["kept-7.note"], checkpoint=said(world.kept["kept-7.note"]))
    both = verified(world, made, key=thief.verifier)
    assert (both.code, both.findings) == (1, ["The checkpoint of 9 facts is signed by none of the keys of the log that are known."])


def said(note: str) -> dict[str, Any]:
    found = checkpoint_of(note.encode())
    return {"size": found.size, "root": base64.b64encode(found.root).decode()}


def test_checkpoints_of_the_pack_that_were_forged_cut_back_or_mixed_up_are_named(world: World, made: Path) -> None:
    other = str(sign_note(str(Checkpoint(world.key.verifier.name, 7, b"x" * 32)), world.key))
    found = doctored(world, made, checkpoints=line(0, lambda said: said.update(note=other)))
    assert found.findings[0] == "The checkpoint of 7 facts is not of the facts that were signed."
    assert "is not shown to continue the one before" in found.findings[-1]
    forged = other.replace("\u2014 opsledger", "\u2014 opsledger/x")
    assert "none of the keys" in doctored(world, made, checkpoints=line(0, lambda said: said.update(note=forged))).findings[-1]
    assert "do not end with the one" in doctored(world, made, checkpoints=without(1)).findings[-1]
    assert "is not shown to continue" in doctored(world, made, checkpoints=swapped(0, 1)).findings[-1]
    cut = doctored(world, made, checkpoints=without(0), manifest=counted(checkpoints=-1))
    assert (cut.code, "is not shown to continue" in cut.findings[0]) == (1, True), "a proof is there and nothing that it begins with"


def test_a_checkpoint_taken_out_without_a_trace_is_missed_by_who_kept_it(world: World, made: Path) -> None:
    def alone(content: bytes) -> bytes:
        return line(0, lambda said: said.update(proof=[]))(without(0)(content))

    assert doctored(world, made, checkpoints=alone, manifest=counted(checkpoints=-1)).code == 0
    found = verified(world, made.with_name("doctored.tar"), "kept-7.note")
    assert found.code == 1
    assert "which has all from its range on: they were cut back" in found.findings[0]
