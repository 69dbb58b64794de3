"""seal, key, checkpoint, restored, prove, check-proof and compare, and what verify says with what was kept."""

from __future__ import annotations

import json
import stat
import time
from pathlib import Path
from typing import Any

import pytest

from opsledger.app import OpsLedger
from tampering import attack

PEOPLE = ("--proposer", "u-1", "--approver", "u-2")


@pytest.fixture
def url(history: OpsLedger) -> str:
    history.catch_up()
    return history.url.shown


@pytest.fixture
def vkey(url: str, run: Any) -> str:
    done = run("key", "create", *PEOPLE, "--ledger", url)
    assert done.exit_code == 0, done.stderr
    return str(done.stdout.strip())


def test_without_a_key_leaves_are_added_and_nothing_is_signed(url: str, run: Any) -> None:
    done = run("seal", "--ledger", url)
    assert (done.exit_code, done.stdout) == (0, "")
    assert "Nothing is signed: the ledger has no signing key yet; `opsledger key create` makes one." in done.stderr
    assert "Sealed up to position 11." in done.stderr


def test_a_key_is_made_in_a_file_of_its_owner_alone_and_introduced_once(url: str, vkey: str, tmp_path: Path, run: Any) -> None:
    path = tmp_path / "ops.signing"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert vkey.startswith("opsledger/00000000000000000000000000000000+")
    *_, seed = path.read_text().strip().split("+", 4)  # at most four: the seed itself may have one
    assert len(seed) == 44
    assert seed not in vkey
    done = run("key", "create", *PEOPLE, "--ledger", url)
    assert (done.exit_code, "signs with" in done.stderr) == (2, True)
    rows = json.loads(run("key", "show", "--format", "json", "--ledger", url).stdout)
    assert [(row["position"], row["verifier_key"], row["endorsed"]) for row in rows] == [(12, vkey, None)]


def test_a_key_that_the_proposer_approves_is_not_made(url: str, tmp_path: Path, run: Any) -> None:
    done = run("key", "create", "--proposer", "u-1", "--approver", "u-1", "--ledger", url)
    assert (done.exit_code, "cannot approve it too" in done.stderr) == (2, True)
    assert not (tmp_path / "ops.signing").exists()


def test_what_is_sealed_is_printed_carried_away_and_verified_against(url: str, vkey: str, tmp_path: Path, run: Any) -> None:
    done = run("seal", "--anchor", f"directory:{tmp_path}/kept", "--ledger", url)
    assert done.exit_code == 0, done.stderr
    kept = tmp_path / "kept" / "checkpoint-000000000012.note"
    assert kept.read_text() == done.stdout == run("checkpoint", "show", "--ledger", url).stdout
    done = run("verify", "integrity", "checkpoints", "--checkpoint", str(kept), "--key", vkey, "--ledger", url)
    assert done.exit_code == 0
    assert (
        done.stdout.splitlines()[-1] == "Assurance L1, kept outside: a checkpoint that was kept elsewhere fits the log. No fact is exposed."
    )
    rows = json.loads(run("checkpoint", "list", "--format", "json", "--ledger", url).stdout)
    assert [row["size"] for row in rows] == [12]
    done = run("checkpoint", "show", "--size", "7", "--ledger", url)
    assert (done.exit_code, "No checkpoint was signed of 7 facts; there are those of 12." in done.stderr) == (2, True)


def test_when_a_note_came_is_given_with_its_file_and_bounds_the_ledgers_clock(url: str, vkey: str, tmp_path: Path, run: Any) -> None:
    note = tmp_path / "a.note"
    note.write_text(run("seal", "--ledger", url).stdout)
    command = ("verify", "checkpoints", "--checkpoint", str(note), "--key", vkey, "--ledger", url)
    done = run(*command, "--received", f"{note}=2026-03-03T09:00Z")
    assert (done.exit_code, "Assurance L2, kept outside and timed: " in done.stdout) == (0, True), done.stdout
    done = run(*command, "--received", "a.note=2026-03-01T09:00Z")
    assert (done.exit_code, "a.note came at 2026-03-01T09:00:00.000000Z" in done.stdout) == (1, True)
    for wrong, said in (("a.note", "write FILE=TIME"), ("a.note=", "write FILE=TIME"), ("a.note=soon", "soon")):
        done = run(*command, "--received", wrong)
        assert (done.exit_code, said in done.stderr) == (2, True), done.stderr


def test_an_edited_fact_ends_verify_with_1_and_is_named(history: OpsLedger, url: str, vkey: str, tmp_path: Path, run: Any) -> None:
    note = tmp_path / "a.note"
    note.write_text(run("seal", "--ledger", url).stdout)
    attack(history, "UPDATE ledger_event SET recorded_by = 'u-8' WHERE position = 6")
    done = run("verify", "integrity", "checkpoints", "--checkpoint", str(note), "--json", "--ledger", url)
    said = json.loads(done.stdout)
    assert done.exit_code == said["code"] == 1
    findings = [(check["name"], each["position"]) for check in said["checks"] for each in check["findings"]]
    assert findings == [("integrity", 6), ("checkpoints", 12), ("checkpoints", 12)]
    assert (said["assurance"]["level"], said["assurance"]["contradicted"]) == ("L0", True)
    done = run("verify", "integrity", "checkpoints", "--checkpoint", str(note), "--ledger", url)
    last = done.stdout.splitlines()[-1]
    assert last == "Assurance L0: none of the checkpoints that were kept elsewhere fits the log; the findings say why."


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "This is no signed note"), (b"\xff", "it is not UTF-8"), (b"a\n1\nAAAA\n\n\xe2\x80\x94 a AAAAAAAAAA==\n", "none of 1 leaves")],
)
def test_a_file_that_is_no_checkpoint_is_one_sentence(url: str, tmp_path: Path, run: Any, content: bytes, said: str) -> None:
    (tmp_path / "x.note").write_bytes(content)
    done = run("verify", "checkpoints", "--checkpoint", str(tmp_path / "x.note"), "--ledger", url)
    assert done.exit_code == 2
    assert "x.note: " in done.stdout
    assert said in done.stdout
    assert run("verify", "--checkpoint", str(tmp_path / "none.note"), "--ledger", url).exit_code == 2
    assert run("verify", "--key", "nonsense", "--ledger", url).exit_code == 2


def test_a_fact_is_proved_to_who_has_no_ledger(url: str, vkey: str, tmp_path: Path, run: Any) -> None:
    run("seal", "--ledger", url)
    proof = tmp_path / "6.tlog-proof"
    proof.write_text(run("prove", "6", "--payload", "--ledger", url).stdout)
    done = run("check-proof", str(proof), "--key", vkey)
    assert done.exit_code == 0, done.stderr
    assert "ticket.responded in ticket:T-1 stands at position 6" in done.stdout
    assert '"responded_at":"2026-03-02T09:10:00Z"' in done.stdout
    without = run("prove", "6", "--ledger", url).stdout
    assert len(without) < len(proof.read_text())
    other = vkey.replace("0" * 32, "1" * 32)
    assert run("check-proof", str(proof), "--key", other).exit_code == 2
    lines = without.split("\n")
    (tmp_path / "bad").write_text("\n".join([*lines[:2], lines[2].replace("5", "4"), *lines[3:]]))
    done = run("check-proof", str(tmp_path / "bad"), "--key", vkey)
    assert (done.exit_code, done.stdout) == (1, "")


def test_a_fact_that_no_checkpoint_covers_cannot_be_proved_yet(history: OpsLedger, url: str, vkey: str, run: Any) -> None:
    done = run("prove", "12", "--ledger", url)
    assert (done.exit_code, "No checkpoint covers position 12, none was signed yet" in done.stderr) == (2, True)
    run("seal", "--ledger", url)
    done = run("prove", "13", "--ledger", url)
    assert (done.exit_code, "There is no position 13; the newest is 12." in done.stderr) == (2, True)
    attack(history, "UPDATE ledger_event SET role = 'x' WHERE position = 6")
    done = run("prove", "6", "--ledger", url)
    assert (done.exit_code, "The log was changed; run `opsledger verify`." in done.stderr) == (2, True)


def test_two_checkpoints_are_compared_and_a_fork_is_written_down(url: str, vkey: str, tmp_path: Path, run: Any, history: OpsLedger) -> None:
    one, two = tmp_path / "one.note", tmp_path / "two.note"
    one.write_text(run("seal", "--ledger", url).stdout)
    history.tick()
    two.write_text(run("seal", "--ledger", url).stdout)
    done = run("compare", str(one), str(two), "--key", vkey, "--ledger", url)
    assert (done.exit_code, "continues the one of 12" in done.stderr) == (0, True)
    assert run("compare", str(one), str(one), "--key", vkey).exit_code == 0
    from opsledger.audit.note import Checkpoint, sign_note
    from opsledger.audit.signing import load_key

    key = load_key(tmp_path / "ops.signing")
    other = tmp_path / "other.note"
    other.write_text(str(sign_note(str(Checkpoint(key.verifier.name, 12, b"x" * 32)), key)))
    evidence = tmp_path / "fork.txt"
    done = run("compare", str(one), str(other), "--key", vkey, "--evidence", str(evidence))
    assert (done.exit_code, "A fork: two different logs of 12 facts" in done.stderr) == (1, True)
    assert one.read_text() in evidence.read_text()
    assert other.read_text() in evidence.read_text()


def test_a_key_is_rotated_with_the_word_of_the_old_one(url: str, vkey: str, tmp_path: Path, run: Any) -> None:
    new = tmp_path / "new.signing"
    done = run("key", "rotate", "--into", str(new), *PEOPLE, "--ledger", url)
    assert done.exit_code == 0, done.stderr
    done = run("seal", "--ledger", url)
    assert (done.exit_code, "the one in use is" in done.stderr) == (2, True)
    assert run("seal", "--key-file", str(new), "--ledger", url).exit_code == 0
    assert run("verify", "--ledger", url).exit_code == 0
    done = run("key", "rotate", "--lost", "--into", str(tmp_path / "third"), *PEOPLE, "--ledger", url)
    assert (done.exit_code, "say why it cannot with a reason" in done.stderr) == (2, True)
    assert not (tmp_path / "third").exists()


def test_a_restore_is_recorded(url: str, vkey: str, tmp_path: Path, run: Any) -> None:
    note = tmp_path / "a.note"
    note.write_text(run("seal", "--ledger", url).stdout)
    people = ("--reason", "The disk died", "--requested-by", "u-1", "--approver", "u-2")
    done = run("restored", "--lost-to", "20", "--checkpoint", str(note), *people, "--ledger", url)
    assert (done.exit_code, "Recorded the restore at position 13" in done.stderr) == (0, True)
    assert run("verify", "checkpoints", "--accept-restore", "13", "--ledger", url).exit_code == 0


def test_watching_seals_and_signs(url: str, vkey: str, tmp_path: Path, history: OpsLedger, program: Any) -> None:
    done = program("watch", "--for", "2", "--sign-with", "ops.signing", "--ledger", url)
    assert done.returncode == 0, done.stderr
    newest = history.seals.newest()
    assert newest is not None
    assert newest.size == history.store.head().position
    assert time.time() * 1_000_000 > newest.created_at
