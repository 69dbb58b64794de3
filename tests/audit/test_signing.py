"""Signing keys: made, stored for their owner alone, and told to nobody."""

from __future__ import annotations

import base64
import copy
import os
import pickle
import stat
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from opsledger.audit.note import VerifierKey
from opsledger.audit.signing import SigningKey, create_key, load_key
from opsledger.errors import BadInput, KeysError

ORIGIN = "ops.example.com/ledger"
SEED = bytes(range(32))
SECRET = base64.b64encode(b"\x01" + SEED).decode()


def line(key: SigningKey, coded: str = SECRET) -> str:
    return f"PRIVATE+KEY+{key.verifier.name}+{key.verifier.id.hex()}+{coded}"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def told(act: Callable[[], object]) -> KeysError:
    with pytest.raises(KeysError) as raised:
        act()
    return raised.value


def test_a_key_is_made_stored_and_loaded(tmp_path: Path) -> None:
    made = create_key(tmp_path / "keys" / "log.key", ORIGIN)
    loaded = load_key(tmp_path / "keys" / "log.key")
    assert loaded.verifier == made.verifier
    assert loaded.sign(b"a text") == made.sign(b"a text")
    assert VerifierKey.parse(str(made.verifier)).verifies(b"a text", made.sign(b"a text"))
    assert not made.verifier.verifies(b"another", made.sign(b"a text"))


def test_the_file_is_one_line_that_other_programs_read(tmp_path: Path) -> None:
    made = create_key(tmp_path / "log.key", ORIGIN)
    head, name, id, coded = (tmp_path / "log.key").read_text(encoding="utf-8").removeprefix("PRIVATE+").split("+", 3)
    assert (head, name, id) == ("KEY", ORIGIN, made.verifier.id.hex())
    assert coded.endswith("\n")
    seed = base64.b64decode(coded)
    assert (seed[:1], len(seed)) == (b"\x01", 33)
    assert SigningKey(ORIGIN, seed[1:]).verifier == made.verifier


def test_two_keys_that_are_made_differ() -> None:
    assert SigningKey.generate(ORIGIN).verifier != SigningKey.generate(ORIGIN).verifier


def test_the_file_is_for_its_owner_alone_whatever_the_process_allows(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        create_key(tmp_path / "log.key", ORIGIN)
    finally:
        os.umask(before)
    assert mode(tmp_path / "log.key") == 0o600


@pytest.mark.parametrize("wide", [0o604, 0o640, 0o644, 0o660, 0o666, 0o610, 0o700, 0o777, 0o4600])
def test_a_key_that_others_can_reach_is_not_used(tmp_path: Path, wide: int) -> None:
    create_key(tmp_path / "log.key", ORIGIN)
    (tmp_path / "log.key").chmod(wide)
    error = told(lambda: load_key(tmp_path / "log.key"))
    assert error.code == "signing.open_to_others"
    assert f"has mode {wide:04o} where 0600 is the widest: run chmod 600 on it" in error.sentence


@pytest.mark.parametrize("narrow", [0o600, 0o400])
def test_a_key_for_its_owner_alone_is_used(tmp_path: Path, narrow: int) -> None:
    create_key(tmp_path / "log.key", ORIGIN)
    (tmp_path / "log.key").chmod(narrow)
    assert load_key(tmp_path / "log.key").verifier.name == ORIGIN


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    made = create_key(tmp_path / "log.key", ORIGIN)
    assert told(lambda: create_key(tmp_path / "log.key", ORIGIN)).code == "signing.exists"
    assert load_key(tmp_path / "log.key").verifier == made.verifier


def test_a_key_that_cannot_be_stored_is_not_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert told(lambda: create_key(tmp_path / "file" / "log.key", ORIGIN)).code == "signing.not_made"


def test_a_name_that_no_log_has_makes_no_file(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"\[note\.key_name\]"):
        create_key(tmp_path / "log.key", "two words")
    assert not (tmp_path / "log.key").exists()


def test_a_key_that_is_missing_is_said_to_be(tmp_path: Path) -> None:
    error = told(lambda: load_key(tmp_path / "log.key"))
    assert error.code == "signing.missing"
    assert "cannot be read (No such file or directory); name the file that holds it." in error.sentence


def test_what_is_no_file_is_no_key_and_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    for path in (tmp_path, tmp_path / "pipe"):
        assert told(lambda path=path: load_key(path)).code == "signing.malformed"


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe", b"PRIVATE+KEY+", bytes(5000)])
def test_a_file_without_a_key_is_said_to_hold_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "log.key").write_bytes(content)
    (tmp_path / "log.key").chmod(0o600)
    assert told(lambda: load_key(tmp_path / "log.key")).code == "signing.malformed"


# The line.


def test_a_line_reads_back() -> None:
    key = SigningKey(ORIGIN, SEED)
    assert SigningKey.parse(line(key)).verifier == key.verifier


def test_no_part_of_a_line_can_be_left_out_or_changed_and_no_error_shows_it() -> None:
    written = line(SigningKey(ORIGIN, SEED))
    parts = {written[start:stop] for start in range(len(written)) for stop in range(start + 1, len(written) + 1)} - {written}
    changed = {written[:at] + chr(ord(written[at]) + 1) + written[at + 1 :] for at in range(len(written))}
    for text in parts | changed:
        error = told(lambda text=text: SigningKey.parse(text))
        assert error.sentence == "The line that was given is no whole Ed25519 signing key; take it from where it was made."


@pytest.mark.parametrize("typed", [b"\x02" + SEED, b"\x01" + SEED[:31], b"\x01" + SEED + b"\x00", b"\x01"])
def test_a_key_of_another_type_or_length_is_refused(typed: bytes) -> None:
    assert told(lambda: SigningKey.parse(line(SigningKey(ORIGIN, SEED), base64.b64encode(typed).decode()))).code == "signing.malformed"


# Told to nobody.


def test_the_secret_half_is_in_no_text_of_the_key() -> None:
    key = SigningKey(ORIGIN, SEED)
    shown = (repr(key), str(key), f"{key}", repr([key]), repr(key.verifier), str(key.verifier), repr(key._private))
    for secret in (SECRET, SECRET[4:-4], SEED.hex(), repr(SEED)):
        assert all(secret not in text for text in shown)
    assert repr(key) == f"SigningKey({ORIGIN}+{key.verifier.id.hex()})"
    assert not hasattr(key, "__dict__")


@pytest.mark.parametrize("act", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_key_is_not_copied_or_sent(act: Callable[[Any], object]) -> None:
    with pytest.raises(TypeError, match="A signing key is not copied or sent"):
        act(SigningKey(ORIGIN, SEED))


def test_the_secret_half_is_in_no_error_of_a_file(tmp_path: Path) -> None:
    """Not in the one that is shown, and not in one behind it."""
    path = tmp_path / "log.key"
    path.write_text(f"{line(SigningKey(ORIGIN, SEED))} \n", encoding="utf-8")
    for wide in (0o600, 0o644):
        path.chmod(wide)
        error = told(lambda: load_key(path))
        assert SECRET[4:-4] not in "".join(traceback.format_exception(error))
