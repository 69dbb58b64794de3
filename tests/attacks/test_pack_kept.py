"""Audit packs against what the auditor has: a verifier that is published, notes that were kept, a period that was asked for.

Numbers are those of the list of attacks in docs/explanation/proof.md.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
from attacked import World
from packs import OUTSIDE, counted, exported, manifest, packed, unpacked, verified
from test_log import remove_and_renumber, resign

from opsledger.app.erasing import erase, purge
from opsledger.app.sealing import introduce_key
from opsledger.audit.note import Checkpoint, sign_note
from opsledger.audit.signing import SigningKey
from opsledger.domain import ticket
from opsledger.errors import BadInput
from opsledger.replay.evidence.packing import Span, copy_verifier, span_of


def test_an_honest_pack_holds_on_a_machine_that_has_nothing_else_of_ours(world: World, tmp_path: Path) -> None:
    made = exported(world, tmp_path / "pack.tar", Span(6, 8))
    found = verified(world, made, "kept-7.note", "kept-9.note")
    assert found.code == 0, found.lines
    assert [each.split()[:2] for each in found.lines] == [
        [name, "ok"] for name in ("pack", "manifest", "checkpoint", "outside", "facts", "ledger", "checkpoints", "kept")
    ]
    away = tmp_path / "away"
    away.mkdir()
    copy_verifier(away)
    (away / "kept.note").write_text(world.kept["kept-7.note"], encoding="utf-8")
    command = [sys.executable, "-I", "-S", "verify_auditpack.py", str(made), "--key", str(world.key.verifier), "--checkpoint", "kept.note"]
    done = subprocess.run(command, cwd=away, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "every position from 6 to 8; stored bytes here; 3 sealed parts: 3 here" in done.stdout
    assert done.stdout.endswith("What was checked holds.\n")
    done = subprocess.run([*command[:-1], "nothing.note"], cwd=away, capture_output=True, text=True, check=False)
    assert (done.returncode, "No such file" in done.stderr) == (2, True)


def test_43_a_verifier_that_was_doctored_is_recognised_by_the_sha_256_that_is_published(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs/how-to/audit-pack.md").read_text(encoding="utf-8")
    ours = copy_verifier(tmp_path)
    source = (tmp_path / "verify_auditpack.py").read_bytes()
    assert ours == hashlib.sha256(source).hexdigest()
    assert f"{ours}  verify_auditpack.py" in page, "publish it anew with every change of the verifier"
    lenient = source.replace(b"return 1 if self.findings", b"return 0 if self.findings")
    assert lenient != source
    assert hashlib.sha256(lenient).hexdigest() not in page


def test_43_a_pack_is_never_put_beside_a_verifier_that_is_not_ours(tmp_path: Path) -> None:
    (tmp_path / "verify_auditpack.py").write_text("print('What was checked holds.')\n", encoding="utf-8")
    with pytest.raises(BadInput, match="is not the verifier of this version"):
        copy_verifier(tmp_path)
    (tmp_path / "other").mkdir()
    assert copy_verifier(tmp_path / "other") == copy_verifier(tmp_path / "other")


def test_43_another_history_signed_by_the_same_key_does_not_fit_what_the_auditor_kept(world: World, tmp_path: Path) -> None:
    remove_and_renumber(world)
    resign(world, world.key)
    world.reopen()
    path = exported(world, tmp_path / "other.tar", Span(6, 9))
    assert verified(world, path).code == 0, "nothing in the pack itself can show it"
    assert any("the pack is as good as its key" in each for each in verified(world, path).lines)
    found = verified(world, path, "kept-7.note", "kept-9.note")
    assert (found.code, len(found.findings)) == (1, 1)
    assert "kept-9.note: The 9 facts that were signed are not those of the pack. Keep both, they are the evidence." in found.findings[0]


def test_a_note_from_before_the_range_is_continued_where_it_was_asked_for(world: World, tmp_path: Path) -> None:
    plain, asked = (exported(world, tmp_path / f"{kept}.tar", Span(9, 9), kept=kept) for kept in ((), (7,)))
    found = verified(world, plain, "kept-7.note")
    assert (found.code, "ask for one with --kept 7" in found.undecided[0]) == (2, True)
    assert verified(world, asked, "kept-7.note").code == 0
    other = str(sign_note(str(Checkpoint(world.key.verifier.name, 7, b"x" * 32)), world.key))
    world.kept["other.note"] = other
    assert "Keep both" in verified(world, asked, "other.note").findings[0]
    adjoining = exported(world, tmp_path / "8.tar", Span(8, 9))
    assert verified(world, adjoining, "kept-7.note").code == 0, "the range begins where the note ends"
    assert "Keep both" in verified(world, adjoining, "other.note").findings[0]


def test_a_note_that_is_newer_than_the_pack_is_not_decided_and_one_of_somebody_else_is_a_finding(world: World, tmp_path: Path) -> None:
    path = exported(world, tmp_path / "7.tar", Span(6, 7), checkpoint=7)
    found = verified(world, path, "kept-9.note")
    assert (found.code, "the pack ends at 7; ask for one bound to a newer checkpoint" in found.undecided[0]) == (2, True)
    world.kept["stranger.note"] = str(sign_note(str(Checkpoint("elsewhere", 9, b"x" * 32)), SigningKey.generate("elsewhere")))
    assert "stranger.note: The checkpoint is of 'elsewhere'" in verified(world, path, "stranger.note").findings[0]


# 44: a selective export.


def test_44_a_pack_of_fewer_facts_says_of_which_and_cannot_claim_more(world: World, tmp_path: Path) -> None:
    less = exported(world, tmp_path / "less.tar", Span(6, 7))
    found = verified(world, less)
    assert found.code == 0
    assert any("every position from 6 to 7" in each for each in found.lines)
    files = unpacked(less)
    files["manifest.json"] = manifest(last=9)(files["manifest.json"])
    found = verified(world, packed(files, tmp_path / "claimed.tar"))
    assert found.findings == ["The facts end at position 7, and the manifest says 9."]


def test_44_a_period_is_all_that_was_recorded_in_it_or_not_claimed(world: World, tmp_path: Path) -> None:
    times = ("2026-03-02T09:01:00Z", "2026-03-02T09:03:00Z")
    span = span_of(world.ledger.store, *times)
    assert (span.first, span.last) == (6, 7), "registered at 9:01 and at 9:02; the first answer came at 9:03"
    path = exported(world, tmp_path / "period.tar", span)
    assert verified(world, path).code == 0
    beside = [json.loads(each)["fact"] for each in unpacked(path)[OUTSIDE].splitlines()]
    assert [(each["position"], each["state"] is None) for each in beside] == [
        (1, False),
        (2, False),
        (3, False),
        (4, False),
        (5, False),
        (8, True),
    ]
    shorter = exported(world, tmp_path / "shorter.tar", Span(7, 7, span.period))
    found = verified(world, shorter)
    assert found.findings == ["The pack does not show that nothing that was recorded in the period stands before the range."]
    ends = exported(world, tmp_path / "ends.tar", Span(6, 9, span.period))
    assert "A fact of the range was recorded outside the period that the manifest claims." in verified(world, ends).findings


def test_44_whether_more_was_recorded_after_the_checkpoint_is_not_decided(world: World, tmp_path: Path) -> None:
    span = span_of(world.ledger.store, "2026-03-02", "2026-03-02T09:04:30Z")
    assert span.last == 9
    found = verified(world, exported(world, tmp_path / "period.tar", span))
    assert (found.code, "nothing that is signed comes after position 9" in found.undecided[0]) == (2, True)
    world.record(ticket.reopen, "T-1", reason="It broke again")
    world.keep()
    found = verified(world, exported(world, tmp_path / "later.tar", span))
    assert found.code == 0


# Keys that change, and personal values that go.


def test_a_pack_over_a_change_of_keys_takes_the_newest_and_the_log_names_the_others(world: World, tmp_path: Path) -> None:
    new = SigningKey.generate(world.key.verifier.name)
    introduce_key(world.ledger, new, proposed_by="u-1", approved_by="u-2", old=world.key)
    world.ledger.seal(new)
    path = exported(world, tmp_path / "pack.tar", Span(6, 8), kept=(7,))
    assert verified(world, path, "kept-7.note", "kept-9.note", key=new.verifier).code == 0
    found = verified(world, path)
    assert (found.code, found.findings) == (1, ["The checkpoint of 12 facts is signed by none of the keys of the log that are known."])
    lines = unpacked(path)[OUTSIDE].splitlines()
    assert [json.loads(each)["fact"]["topic"] for each in lines if b"key_introduced" in each] == ["ledger.key_introduced"] * 2


def test_a_sealed_part_that_was_purged_is_allowed_by_a_fact_or_left_open(world: World, tmp_path: Path) -> None:
    people = {"handled_by": "u-1", "decided_by": "u-2", "basis": "They asked for it"}
    erase(world.ledger, "p-1", jurisdiction="gdpr", **people)
    purge(world.ledger, ["p-1"], decided_by="u-3", reason="They asked for it at once")
    before = exported(world, tmp_path / "before.tar", Span(6, 8))
    found = verified(world, before)
    assert (found.code, "no fact in the pack allows it" in found.undecided[0]) == (2, True), "the purge is not signed yet"
    world.keep()
    after = exported(world, tmp_path / "after.tar", Span(6, 8))
    found = verified(world, after, "kept-9.note")
    assert found.code == 0, found.lines
    assert any("3 sealed parts: 0 here, 3 no longer in the ledger" in each for each in found.lines)
    files = unpacked(after)
    lines = files[OUTSIDE].splitlines(keepends=True)
    files[OUTSIDE] = b"".join(each for each in lines if b"subject.purge_decided" not in each)
    assert len(files[OUTSIDE].splitlines()) == len(lines) - 1
    files["manifest.json"] = counted(outside=-1)(files["manifest.json"])
    assert verified(world, packed(files, tmp_path / "doctored.tar")).code == 2
