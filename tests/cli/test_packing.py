"""export auditpack and export tiles."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

from opsledger.app import OpsLedger
from opsledger.audit.tiles import tiles_of
from opsledger.errors import Unproven
from opsledger.replay.evidence.packing import Span, export_auditpack
from tampering import attack

SIMULATED = "This is a simulated ledger: its times of recording were given to it and prove nothing about when facts were written.\n"


@pytest.fixture
def key(history: OpsLedger, run: Any) -> str:
    """Sign the history, of 11 facts and the key."""
    url = history.url.shown
    made = run("key", "create", "--proposer", "u-1", "--approver", "u-2", "--ledger", url)
    assert run("seal", "--ledger", url).exit_code == 0
    return str(made.stdout.strip())


@pytest.fixture
def export(history: OpsLedger, key: str, run: Any, tmp_path: Path) -> Any:
    def start(begin: str, end: str, *more: str, into: str = "pack.tar") -> Any:
        return run(
            "export", "auditpack", "--from", begin, "--to", end, "--into", str(tmp_path / into), *more, "--ledger", history.url.shown
        )

    return start


def verify(folder: Path, key: str, *more: str, pack: str = "pack.tar") -> subprocess.CompletedProcess[str]:
    """Run the verifier that lies beside the pack, without anything that is installed."""
    command = [sys.executable, "-I", "-S", "verify_auditpack.py", pack, "--key", key, *more]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_a_pack_is_written_with_its_verifier_beside_it_and_both_digests_are_printed(export: Any, key: str, tmp_path: Path) -> None:
    done = export("5", "11")
    assert done.exit_code == 0, done.stderr
    sums = {name: hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() for name in ("pack.tar", "verify_auditpack.py")}
    assert done.stdout == "".join(f"{digest}  {name}\n" for name, digest in sums.items())
    assert done.stderr == SIMULATED + f"Wrote 7 facts, positions 5 to 11, into {tmp_path / 'pack.tar'}.\n"
    checked = verify(tmp_path, key)
    assert checked.returncode == 0, checked.stdout
    assert "positions 5 to 11 of opsledger/00000000000000000000000000000000, a simulated ledger" in checked.stdout
    other = key.replace("+", "x+", 1)
    assert verify(tmp_path, other).returncode == 2
    assert verify(tmp_path, key, "--checkpoint", "none.note").returncode == 2
    assert verify(tmp_path, key, pack="none.tar").returncode == 2


def test_the_same_ledger_asked_for_the_same_gives_the_same_bytes_also_later(
    export: Any, history: OpsLedger, tmp_path: Path, run: Any
) -> None:
    assert export("5", "11", "--checkpoint", "12", into="one.tar").exit_code == 0
    history.tick()
    run("seal", "--ledger", history.url.shown)
    assert export("5", "11", "--checkpoint", "12", into="two.tar").exit_code == 0
    assert export("5", "11", into="three.tar").exit_code == 0
    one, two, three = ((tmp_path / f"{name}.tar").read_bytes() for name in ("one", "two", "three"))
    assert one == two != three


def test_others_unpack_it_and_compare_its_digests(export: Any, tmp_path: Path) -> None:
    export("5", "11")
    with tarfile.open(tmp_path / "pack.tar") as tar:
        safe = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}  # since Python 3.11.4
        tar.extractall(tmp_path / "unpacked", **safe)
    sums = (tmp_path / "unpacked" / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    files = sorted(str(path.relative_to(tmp_path / "unpacked")) for path in (tmp_path / "unpacked").rglob("*") if path.is_file())
    assert sorted(["SHA256SUMS", *(line[66:] for line in sums)]) == files
    for line in sums:
        assert hashlib.sha256((tmp_path / "unpacked" / line[66:]).read_bytes()).hexdigest() == line[:64]
    readme = (tmp_path / "unpacked" / "README.txt").read_text(encoding="utf-8")
    assert "Positions 5 to 11, bound to the checkpoint of 12 facts." in readme
    assert len(readme.splitlines()) < 60, "a page"
    meanings = [json.loads(line) for line in (tmp_path / "unpacked" / "catalogue.jsonl").read_text(encoding="utf-8").splitlines()]
    assert {"kind": "fact", "name": "ticket.responded"}.items() <= next(
        each for each in meanings if each["name"] == "ticket.responded"
    ).items()
    assert all(each["meaning"] for each in meanings)


def told(tmp_path: Path, name: str = "pack.tar") -> tuple[dict[str, Any], bytes]:
    with tarfile.open(tmp_path / name) as tar:
        contents = {each.name: tar.extractfile(each).read() for each in tar}  # type: ignore[union-attr]
    return json.loads(contents["manifest.json"]), b"".join(contents.values())


def test_personal_values_go_along_sealed_or_not_at_all_and_never_open(export: Any, key: str, tmp_path: Path, history: OpsLedger) -> None:
    assert export("5", "11").exit_code == 0
    assert export("5", "11", "--redact", "personal", into="redacted.tar").exit_code == 0
    for name in ("pack.tar", "redacted.tar"):
        said, content = told(tmp_path, name)
        assert (said["sealed_parts"], said["stored_bytes"]) == ("here" if name == "pack.tar" else "left out", "here")
        assert b"boiler" not in content
        assert verify(tmp_path, key, pack=name).returncode == 0
    both = [told(tmp_path, name)[0]["counts"] for name in ("pack.tar", "redacted.tar")]
    assert both[0] == {**both[1], "parts here": 2}
    with tarfile.open(tmp_path / "pack.tar") as whole, tarfile.open(tmp_path / "redacted.tar") as redacted:
        names = [tar.getnames() for tar in (whole, redacted)]
        assert [name for name in names[0] if not name.startswith("parts/")] == names[1]
        facts = [tar.extractfile("facts/000000000005.jsonl").read() for tar in (whole, redacted)]  # type: ignore[union-attr]
        assert facts[0] == facts[1], "nothing else changes"
    assert (tmp_path / "ops.kek").read_bytes() not in (tmp_path / "pack.tar").read_bytes()


def test_stored_bytes_can_be_left_out_too_but_for_what_was_in_force(export: Any, key: str, tmp_path: Path) -> None:
    assert export("4", "11", "--redact", "payloads").exit_code == 0
    said, content = told(tmp_path)
    assert (said["stored_bytes"], said["sealed_parts"]) == ("left out", "left out")
    field = rb"\"responded_at\":"  # as it stands in stored bytes; the catalogue names columns otherwise
    assert field not in content
    assert export("4", "11", into="whole.tar").exit_code == 0
    assert field in told(tmp_path, "whole.tar")[1]
    facts = [json.loads(line) for line in content.splitlines() if line.startswith(b'{"position":')]
    assert [each["position"] for each in facts if each["state"] is not None] == [4], "the operating model"
    checked = verify(tmp_path, key)
    assert (checked.returncode, "stored bytes left out" in checked.stdout) == (0, True)


def test_a_period_is_exported_by_its_times(export: Any, key: str, tmp_path: Path) -> None:
    done = export("2026-03-02T09:05:00Z", "2026-03-02T11:00:00Z")
    assert done.exit_code == 0, done.stderr
    said, _ = told(tmp_path)
    assert (said["first"], said["last"]) == (6, 10)
    assert said["period"] == {"from": "2026-03-02T09:05:00.000000Z", "to": "2026-03-02T11:00:00.000000Z"}
    assert verify(tmp_path, key).returncode == 0
    done = export("2026-03-02", "2026-03-03", into="day.tar")
    assert "the pack cannot show that no more was recorded before 2026-03-03" in done.stderr
    checked = verify(tmp_path, key, pack="day.tar")
    assert (checked.returncode, "could not decide: whether more was recorded" in checked.stdout) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["5", "13"], "Positions 5 to 13 are no range of this ledger, which has 1 to 12."),
        (["0", "3"], "are no range"),
        (["7", "6"], "are no range"),
        (["5", "2026-03-03"], "neither a range of positions nor of times"),
        (["soon", "later"], "'soon' is not a time"),
        (["2020-01-01", "2021-01-01"], "Nothing was recorded from 2020-01-01 to before 2021-01-01"),
        (["5", "11", "--checkpoint", "7"], "No checkpoint was signed of 7 facts"),
        (["5", "11", "--kept", "13"], "cannot continue 13"),
    ],
)
def test_what_cannot_be_exported_is_one_sentence_and_no_file(export: Any, tmp_path: Path, arguments: list[str], said: str) -> None:
    done = export(*arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert said in done.stderr
    assert not (tmp_path / "pack.tar").exists()


def test_a_range_that_nobody_signed_yet_is_not_exported(export: Any, history: OpsLedger, tmp_path: Path) -> None:
    history.tick()
    head = history.store.head().position
    done = export("5", str(head))
    assert (done.exit_code, f"covers 12 facts, and the range ends at position {head}; run `opsledger seal`" in done.stderr) == (2, True)
    assert not (tmp_path / "pack.tar").exists()


def test_without_a_checkpoint_there_is_nothing_to_bind_to(history: OpsLedger, tmp_path: Path, run: Any) -> None:
    done = run("export", "auditpack", "--from", "1", "--to", "3", "--into", str(tmp_path / "p.tar"), "--ledger", history.url.shown)
    assert (done.exit_code, "No checkpoint was signed yet; run `opsledger seal`." in done.stderr) == (2, True)
    done = run("export", "tiles", "--into", str(tmp_path / "tiles"), "--ledger", history.url.shown)
    assert (done.exit_code, "No checkpoint was signed yet" in done.stderr) == (2, True)


def test_evidence_is_not_written_over_and_no_other_verifier_lies_beside_it(export: Any, tmp_path: Path) -> None:
    assert export("5", "11").exit_code == 0
    before = (tmp_path / "pack.tar").read_bytes()
    done = export("5", "10")
    assert (done.exit_code, "evidence is not written over" in done.stderr) == (2, True)
    assert (tmp_path / "pack.tar").read_bytes() == before
    (tmp_path / "verify_auditpack.py").write_text("print('ok')\n", encoding="utf-8")
    done = export("5", "10", into="other.tar")
    assert (done.exit_code, "is not the verifier of this version" in done.stderr) == (2, True)
    assert not (tmp_path / "other.tar").exists()


CHANGES = {
    "a fact of the range": ("UPDATE ledger_event SET role = 'x' WHERE position = 6", "do not lead to the root that was signed"),
    "a fact removed": ("DELETE FROM ledger_event WHERE position = 6", "Position 6 is missing"),
    "the policy before the range": ("UPDATE ledger_event SET role = 'x' WHERE position = 4", "does not lead from leaf 3"),
    "a sealed hash": ("UPDATE ledger_hash SET hashes = zeroblob(384) WHERE level = 0", "do not lead to the root that was signed"),
    "a checkpoint": (
        "UPDATE ledger_checkpoint SET note = replace(note, char(10) || '12' || char(10), char(10) || '11' || char(10))",
        "note",
    ),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_ledger_that_is_not_what_was_signed_is_not_exported(history: OpsLedger, key: str, tmp_path: Path, what: str) -> None:
    statement, said = CHANGES[what]
    attack(history, statement)
    with pytest.raises(Unproven, match=said if said != "note" else None):
        export_auditpack(history.store, history.seals, Span(5, 11), tmp_path / "pack.tar")
    assert not (tmp_path / "pack.tar").exists()


def test_many_facts_stand_in_several_files_and_many_checkpoints_too(
    history: OpsLedger, key: str, run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from opsledger.audit.signing import load_key
    from opsledger.domain import ticket
    from opsledger.policies.support import Priority
    from opsledger.replay.evidence import packing

    signing = load_key(tmp_path / "ops.signing")
    for number in range(4, 24):
        person = {"customer_id": "C-1", "requester_id": "p-1", "channel": "email", "priority": Priority.LOW, "summary": "Größer"}
        history.by("u-7").record(ticket.register, f"T-{number}", **person)
        history.seal(signing)
    monkeypatch.setattr(packing, "_PAGE", 7)
    monkeypatch.setattr(packing, "_AT_ONCE", 7)
    told_: list[tuple[int, int]] = []
    span = Span(3, 30)
    packed = export_auditpack(history.store, history.seals, span, tmp_path / "pack.tar", progress=lambda done, of: told_.append((done, of)))
    assert told_ == [(7, 28), (14, 28), (21, 28), (28, 28)]
    assert (packed.counts["facts"], packed.counts["checkpoints"], packed.counts["parts here"]) == (28, 21, 20)
    packing.copy_verifier(tmp_path)
    with tarfile.open(tmp_path / "pack.tar") as tar:
        names = tar.getnames()
    assert [name for name in names if name.startswith("facts/")] == [f"facts/{first:012d}.jsonl" for first in (3, 10, 17, 24)]
    assert [name for name in names if name.startswith("checkpoints/")] == [f"checkpoints/{first:012d}.jsonl" for first in (12, 19, 26)]
    checked = verify(tmp_path, key)
    assert checked.returncode == 0, checked.stdout


# Tiles.


def test_the_tree_is_written_as_tiles_and_gone_on_with(history: OpsLedger, key: str, tmp_path: Path, run: Any) -> None:
    done = run("export", "tiles", "--into", str(tmp_path / "tree"), "--ledger", history.url.shown)
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr == f"The tree of 12 facts is in {tmp_path / 'tree'}; 1 tile new.\n"
    files = sorted(str(path.relative_to(tmp_path / "tree")) for path in (tmp_path / "tree").rglob("*") if path.is_file())
    assert files == ["checkpoint", *(tile.path for tile in tiles_of(12))]
    newest = history.seals.newest()
    assert newest is not None
    assert (tmp_path / "tree" / "checkpoint").read_text(encoding="utf-8") == newest.note
    done = run("export", "tiles", "--into", str(tmp_path / "tree"), "--checkpoint", "9", "--ledger", history.url.shown)
    assert (done.exit_code, "No checkpoint was signed of 9 facts" in done.stderr) == (2, True)
