"""The published signed notes and checkpoints: what is signed comes out to the byte, and what must be rejected is.

Runs every file of `--cases DIR` (default: the product's own copy) that has one of the sections below.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from opsledger.audit import merkle
from opsledger.audit.note import Checkpoint, Note, VerifierKey, open_checkpoint, open_note, sign_note
from opsledger.audit.signing import SigningKey
from opsledger.errors import OpsledgerError

Case = dict[str, Any]

ABOUT = {"sources", "notes"}
"""What a file says besides its cases."""


def check_note(case: Case) -> None:
    """Open the note with the keys; sign its text anew where the case has the signing key."""
    if not case["valid"]:
        with pytest.raises(OpsledgerError):
            opened(case)
        return
    note, signed_by = opened(case)
    assert str(note) == case["expected_note"]
    assert note.text == case.get("text", note.text)
    assert signed_by == case.get("verified_by", [key.partition("+")[0] for key in case["vkeys"]])
    if "skey" in case:
        key = SigningKey.parse(case["skey"])
        assert str(key.verifier) in case["vkeys"]
        assert str(sign_note(case["text"], key)) == case["expected_note"]


def opened(case: Case) -> tuple[Note, list[str]]:
    keys = [VerifierKey.parse(each) for each in case["vkeys"]]
    assert "expected_note" in case, "the keys alone should have been rejected"
    note = Note.parse(case["expected_note"])
    return note, [key.name for key in open_note(note, keys)]


def check_format(case: Case) -> None:
    """Read a checkpoint without a key: its form alone."""
    note = Note.parse(case["note"])
    checkpoint = Checkpoint.parse(note.text)
    assert (checkpoint.origin, checkpoint.size) == (case["origin"], case["size"])
    assert base64.b64encode(checkpoint.root).decode() == case["root_b64"]
    assert str(checkpoint) == note.text
    assert str(note) == case["note"]


def check_log(log: Case) -> None:
    """Follow a log from its leaves to its roots to its signed checkpoints, and sign each of them anew."""
    key = VerifierKey.parse(log["vkey"])
    signing = SigningKey.parse(log["test_only_skey"])
    leaves = [merkle.leaf_hash(each.encode()) for each in log["leaves_utf8"]]
    assert log["checkpoints"]
    for case in log["checkpoints"]:
        checkpoint = open_checkpoint(case["note"], [key], log["origin"])
        assert checkpoint.size == case["size"]
        assert (checkpoint.root == merkle.root(leaves[: case["size"]])) is case["root_matches_leaves"]
        assert str(sign_note(str(checkpoint), signing)) == case["note"]


SECTIONS: dict[str, Callable[[Case], None]] = {"cases": check_note, "checkpoint_format_example": check_format, "tessera_log": check_log}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    found = []
    for file in sorted(Path(metafunc.config.getoption("--cases")).glob("*.json")):
        document = json.loads(file.read_text(encoding="utf-8"))
        notes = any("vkeys" in case for case in document.get("cases", []))
        if not notes and not {"checkpoint_format_example", "tessera_log"} & document.keys():
            continue
        for section, cases in document.items():
            if section not in ABOUT:
                each = cases if isinstance(cases, list) else [cases]
                found += [pytest.param(section, case, id=f"{file.stem}-{section}-{case.get('name', '')}") for case in each]
    metafunc.parametrize(("section", "case"), found)


def test_case(section: str, case: Case) -> None:
    assert section in SECTIONS, f"no rule for the section {section}"
    SECTIONS[section](case)
