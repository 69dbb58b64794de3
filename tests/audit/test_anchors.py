"""Anchors carry a checkpoint away, and never put one in the place of another."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from opsledger.audit.anchors import anchor
from opsledger.audit.note import Checkpoint, sign_note
from opsledger.audit.signing import SigningKey
from opsledger.errors import BadInput, Unavailable

KEY = SigningKey("log.example", bytes(32))


def note(size: int = 9, root: bytes = b"r" * 32) -> str:
    return str(sign_note(str(Checkpoint("log.example", size, root)), KEY))


def test_a_directory_gets_a_file_for_each_checkpoint(tmp_path: Path) -> None:
    place = anchor(f"directory:{tmp_path}/kept")
    assert place.carry(note()).receipt == f"{tmp_path}/kept/checkpoint-000000000009.note"
    place.carry(note(12))
    place.carry(note())
    assert sorted(path.name for path in (tmp_path / "kept").iterdir()) == ["checkpoint-000000000009.note", "checkpoint-000000000012.note"]
    assert (tmp_path / "kept" / "checkpoint-000000000009.note").read_text() == note()


def test_another_checkpoint_of_the_same_size_is_never_put_in_its_place(tmp_path: Path) -> None:
    place = anchor(f"directory:{tmp_path}")
    place.carry(note())
    with pytest.raises(BadInput, match="holds another checkpoint of the same size; keep both"):
        place.carry(note(root=b"x" * 32))
    assert (tmp_path / "checkpoint-000000000009.note").read_text() == note()


def test_a_repository_gets_a_commit_for_each_checkpoint(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    place = anchor(f"git:{tmp_path}")
    first = place.carry(note()).receipt
    assert place.carry(note()).receipt == first, "the same again makes no commit"
    place.carry(note(12))
    log = subprocess.run(["git", "-C", str(tmp_path), "log", "--format=%s"], capture_output=True, text=True, check=True).stdout
    assert log.splitlines() == ["checkpoint of 12 facts", "checkpoint of 9 facts"]
    with pytest.raises(BadInput, match="is no git repository"):
        anchor(f"git:{tmp_path}/none").carry(note())


def test_a_program_gets_the_note_and_gives_its_receipt(tmp_path: Path) -> None:
    program = tmp_path / "carry.py"
    program.write_text(f"import sys, pathlib; pathlib.Path({str(tmp_path / 'got')!r}).write_text(sys.stdin.read()); print('receipt 17')")
    assert anchor(f"command:{sys.executable} {program}").carry(note()).receipt == "receipt 17"
    assert (tmp_path / "got").read_text() == note()


def test_a_program_that_fails_is_told_in_one_sentence(tmp_path: Path) -> None:
    program = tmp_path / "fail.py"
    program.write_text("import sys; print('the bucket is locked', file=sys.stderr); sys.exit(3)")
    with pytest.raises(Unavailable, match=r"could not take the checkpoint \(exit 3\): the bucket is locked"):
        anchor(f"command:{sys.executable} {program}").carry(note())
    with pytest.raises(Unavailable, match="could not take the checkpoint: FileNotFoundError"):
        anchor(f"command:{tmp_path}/none").carry(note())


def test_a_folder_that_cannot_be_written_is_told_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(Unavailable, match="could not be written to"):
        anchor(f"directory:{tmp_path}/file/kept").carry(note())


@pytest.mark.parametrize("said", ["", "s3:bucket", "directory:", "directory", "command: "])
def test_what_names_no_anchor_is_refused(said: str) -> None:
    with pytest.raises(BadInput, match="is no anchor; write directory:PATH, git:PATH or command:PROGRAM"):
        anchor(said)
