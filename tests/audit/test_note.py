"""Signed notes and checkpoints: whatever is changed, cut or written otherwise is not accepted."""

from __future__ import annotations

import base64
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsledger.audit.merkle import EMPTY_ROOT
from opsledger.audit.note import (
    Checkpoint,
    Note,
    Signature,
    VerifierKey,
    checked_name,
    decimal,
    open_checkpoint,
    open_note,
    sign_note,
    unbase64,
)
from opsledger.audit.signing import SigningKey
from opsledger.errors import BadInput, OpsledgerError, Unproven

ORIGIN = "ops.example.com/ledger"
LOG = SigningKey(ORIGIN, bytes(range(32)))
WITNESS = SigningKey("witness.example.org", bytes(range(32, 64)))
ROOT = sha256(b"a tree").digest()
CHECKPOINT = Checkpoint(ORIGIN, 20_852_163, ROOT)
TEXT = "The promise was kept.\n"
SIGNED = sign_note(TEXT, LOG)


def coded(value: bytes) -> str:
    return base64.b64encode(value).decode()


def line(name: str, value: bytes) -> str:
    return f"\N{EM DASH} {name} {coded(value)}\n"


# Keys.


def test_a_verifier_key_is_written_as_name_id_and_key() -> None:
    key = LOG.verifier
    typed = b"\x01" + key.public
    expected_id = sha256(ORIGIN.encode() + b"\n" + typed).digest()[:4]
    assert key.id == expected_id
    assert str(key) == f"{ORIGIN}+{expected_id.hex()}+{coded(typed)}"
    assert VerifierKey.parse(str(key)) == key


def test_no_part_of_a_verifier_key_can_be_left_out_or_changed() -> None:
    written = str(LOG.verifier)
    parts = {written[start:stop] for start in range(len(written)) for stop in range(start + 1, len(written) + 1)} - {written}
    changed = {written[:at] + chr(ord(written[at]) + 1) + written[at + 1 :] for at in range(len(written))}
    for text in parts | changed:
        with pytest.raises(BadInput):
            VerifierKey.parse(text)


@pytest.mark.parametrize(
    "typed",
    [b"\x02" + LOG.verifier.public, b"\x04" + LOG.verifier.public, b"\x01" + bytes(31), b"\x01" + bytes(33), b"\x01", b""],
    ids=["another type", "a cosignature", "short", "long", "no key", "nothing"],
)
def test_a_key_of_another_type_or_length_is_refused(typed: bytes) -> None:
    id = sha256(ORIGIN.encode() + b"\n" + typed).digest()[:4]
    with pytest.raises(BadInput, match=r"is no Ed25519 verifier key"):
        VerifierKey.parse(f"{ORIGIN}+{id.hex()}+{coded(typed)}")


def test_a_verifier_key_is_written_in_one_way() -> None:
    written, id = str(LOG.verifier), LOG.verifier.id.hex()
    assert id != id.upper()
    for text in (written.replace(id, id.upper()), f" {written}", f"{written}\n", f"{written}=", written.replace(id, f"0{id}")):
        with pytest.raises(BadInput):
            VerifierKey.parse(text)


@pytest.mark.parametrize("name", ["", "a b", "a\tb", "a\nb", "a+b", "a\u00a0b", "a\u2003b", "a\u2028b", "a\x00b", "a\x85b"])
def test_names_of_keys_have_no_spaces_plus_signs_or_control_characters(name: str) -> None:
    with pytest.raises(BadInput, match=r"cannot name a log or its key; .*\[note\.key_name\]"):
        checked_name(name)
    with pytest.raises(BadInput):
        SigningKey.generate(name)
    with pytest.raises(BadInput):
        Note.parse(f"{TEXT}\n{line(name, bytes(68))}")


# Notes.


def test_a_note_is_its_text_an_empty_line_and_a_line_for_each_signature() -> None:
    both = sign_note(TEXT, LOG, WITNESS)
    first = line(ORIGIN, LOG.verifier.id + LOG.sign(TEXT.encode()))
    second = line("witness.example.org", WITNESS.verifier.id + WITNESS.sign(TEXT.encode()))
    assert str(both) == f"{TEXT}\n{first}{second}"
    assert Note.parse(str(both)) == Note.parse(str(both).encode()) == both
    assert open_note(both, [WITNESS.verifier, LOG.verifier]) == (LOG.verifier, WITNESS.verifier)


def test_signatures_are_added_to_a_note_and_a_key_that_signed_before_signs_anew() -> None:
    both = sign_note(SIGNED, WITNESS)
    assert [each.name for each in both.signatures] == [ORIGIN, "witness.example.org"]
    spoiled = Note(TEXT, (Signature(ORIGIN, LOG.verifier.id, bytes(64)), both.signatures[1]))
    mended = sign_note(spoiled, LOG)
    assert mended.signatures == (both.signatures[1], both.signatures[0])
    assert open_note(mended, [LOG.verifier, WITNESS.verifier]) == (WITNESS.verifier, LOG.verifier)


def test_a_text_may_have_empty_lines_of_its_own() -> None:
    for text in ("\n", "\n\n", "one\n\ntwo\n", "one\n\n", f"{SIGNED}\nand more\n"):
        note = sign_note(text, LOG)
        assert Note.parse(str(note)).text == text
        assert open_note(Note.parse(str(note)), [LOG.verifier]) == (LOG.verifier,)


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"])), st.text())
def test_any_text_without_control_characters_can_be_signed_and_read(text: str, other: str) -> None:
    note = sign_note(f"{text}\n", LOG)
    assert Note.parse(str(note)) == note
    assert open_note(note, [LOG.verifier]) == (LOG.verifier,)
    if other != note.text:
        with pytest.raises(OpsledgerError):
            open_note(Note(other, note.signatures), [LOG.verifier])


@pytest.mark.parametrize("text", ["", "no newline", "a\rb\n", "a\tb\n", "a\x00b\n", "a\x1fb\n", "\ud800\n"])
def test_a_text_that_cannot_stand_in_a_note_is_not_signed(text: str) -> None:
    with pytest.raises(BadInput, match=r"\[note\.malformed\]"):
        sign_note(text, LOG)


def test_a_signature_of_an_unknown_key_is_passed_over() -> None:
    both = sign_note(TEXT, WITNESS, LOG)
    assert open_note(both, [LOG.verifier]) == (LOG.verifier,)
    nonsense = Note(TEXT, (Signature("somebody", b"abcd", b"\x00"), *SIGNED.signatures))
    assert open_note(nonsense, [LOG.verifier]) == (LOG.verifier,)
    same_name = Note(TEXT, (Signature(ORIGIN, b"abcd", bytes(64)), *SIGNED.signatures))
    same_id = Note(TEXT, (Signature("somebody", LOG.verifier.id, bytes(64)), *SIGNED.signatures))
    assert open_note(same_name, [LOG.verifier]) == open_note(same_id, [LOG.verifier]) == (LOG.verifier,)


def test_a_note_that_no_known_key_signed_is_refused() -> None:
    for keys in ([], [WITNESS.verifier]):
        with pytest.raises(Unproven, match=r"signed by none of the keys that were given; .*\[note\.unsigned\]"):
            open_note(SIGNED, keys)


def test_a_signature_that_claims_a_known_key_must_hold_whatever_else_is_signed() -> None:
    (good,) = SIGNED.signatures
    bad = good._replace(value=good.value[:-1] + bytes([good.value[-1] ^ 1]))
    for signatures in ((bad,), (good, bad), (bad, good), (*sign_note(TEXT, WITNESS).signatures, bad)):
        with pytest.raises(Unproven, match=r"does not belong to this text; .*\[note\.forged\]"):
            open_note(Note(TEXT, signatures), [LOG.verifier, WITNESS.verifier])


@pytest.mark.parametrize("length", [1, 63, 65, 128])
def test_a_signature_of_another_length_does_not_hold(length: int) -> None:
    with pytest.raises(Unproven, match=r"\[note\.forged\]"):
        open_note(Note(TEXT, (Signature(ORIGIN, LOG.verifier.id, bytes(length)),)), [LOG.verifier])


def test_a_signature_has_one_form() -> None:
    """Ed25519 signatures end with a number below the order of the curve's group; one larger by that order is the same number."""
    order = 2**252 + 27742317777372353535851937790883648493
    (good,) = SIGNED.signatures
    number = int.from_bytes(good.value[32:], "little")
    other = good._replace(value=good.value[:32] + (number + order).to_bytes(32, "little"))
    with pytest.raises(Unproven, match=r"\[note\.forged\]"):
        open_note(Note(TEXT, (other,)), [LOG.verifier])


def test_a_signature_that_is_there_twice_counts_once() -> None:
    assert open_note(Note(TEXT, SIGNED.signatures * 2), [LOG.verifier]) == (LOG.verifier,)


def test_a_key_may_be_given_twice_and_two_keys_of_one_name_and_id_may_not() -> None:
    assert open_note(SIGNED, [LOG.verifier, LOG.verifier]) == (LOG.verifier,)

    class Same(VerifierKey):
        """A key whose id is that of another."""

        id = LOG.verifier.id

    with pytest.raises(BadInput, match=r"\[note\.ambiguous_keys\]"):
        open_note(SIGNED, [LOG.verifier, Same(ORIGIN, WITNESS.verifier.public)])


def test_a_note_has_a_hundred_signatures_at_most() -> None:
    one = str(SIGNED).removeprefix(f"{TEXT}\n")
    assert len(Note.parse(f"{TEXT}\n{one * 100}").signatures) == 100
    with pytest.raises(BadInput, match=r"it has 101 signatures; 100 are the most"):
        Note.parse(f"{TEXT}\n{one * 101}")


SIGNATURE = LOG.verifier.id + LOG.sign(TEXT.encode())


@pytest.mark.parametrize(
    "written",
    [
        "",
        TEXT,
        f"{TEXT}\n",
        str(SIGNED)[:-1],
        f"{SIGNED}\n",
        f"{SIGNED}one more line\n",
        f"\x01{SIGNED}",
        str(SIGNED).replace("\n", "\r\n"),
        str(SIGNED).replace("\N{EM DASH}", "-"),
        str(SIGNED).replace("\N{EM DASH} ", "\N{EM DASH}"),
        f"{TEXT}\n\N{EM DASH} {ORIGIN}\n",
        f"{TEXT}\n\N{EM DASH} {ORIGIN} \n",
        f"{TEXT}\n\N{EM DASH} {coded(SIGNATURE)}\n",
        f"{TEXT}\n\N{EM DASH} {ORIGIN}  {coded(SIGNATURE)}\n",
        f"{TEXT}\n\N{EM DASH} {ORIGIN} {coded(SIGNATURE)} \n",
        f"{TEXT}\n\N{EM DASH} {ORIGIN} {coded(SIGNATURE).rstrip('=')}\n",
        f"{TEXT}\n\N{EM DASH} {ORIGIN} {base64.urlsafe_b64encode(b'????' + bytes(64)).decode()}\n",
        f"{TEXT}\n{line(ORIGIN, SIGNATURE[:4])}",
        f"{TEXT}\n{line(ORIGIN, SIGNATURE[:3])}",
    ],
)
def test_what_is_no_note_is_refused(written: str) -> None:
    with pytest.raises(BadInput):
        Note.parse(written)


def test_bytes_that_are_not_utf_8_are_no_note() -> None:
    for written in (b"\xff" + str(SIGNED).encode(), str(SIGNED).encode("utf-16"), b"\xed\xa0\x80" + str(SIGNED).encode()):
        with pytest.raises(BadInput, match=r"it is not UTF-8"):
            Note.parse(written)


def test_base64_is_accepted_in_its_one_form_only() -> None:
    assert unbase64("AAAA") == bytes(3)
    assert unbase64("AA==") == b"\x00"
    for text in (
        "AB==",
        "AA",
        "AA=",
        "AA===",
        "AAA=A",
        "A===",
        " AAAA",
        "AAAA\n",
        "AA-_",
        "AAAA====",
        "\N{FULLWIDTH LATIN CAPITAL LETTER A}AAA",
    ):
        assert unbase64(text) is None, text


def test_any_character_of_a_checkpoint_that_is_changed_or_left_out_is_noticed() -> None:
    written = str(sign_note(str(CHECKPOINT), LOG))
    changed = {written[:at] + other + written[at + 1 :] for at in range(len(written)) for other in ("", "0", "A", "=", "\n", " ", "\u0430")}
    for each in changed - {written}:
        with pytest.raises(OpsledgerError):
            open_checkpoint(each, [LOG.verifier], ORIGIN)


# Checkpoints.


def test_a_checkpoint_is_three_lines() -> None:
    assert str(CHECKPOINT) == f"{ORIGIN}\n20852163\n{coded(ROOT)}\n"
    assert Checkpoint.parse(str(CHECKPOINT)) == CHECKPOINT
    assert open_checkpoint(str(sign_note(str(CHECKPOINT), LOG)), [LOG.verifier], ORIGIN) == CHECKPOINT


def test_the_lines_of_others_after_the_three_are_kept() -> None:
    extended = Checkpoint(ORIGIN, 1, ROOT, ("one more", "and one"))
    assert str(extended).endswith("=\none more\nand one\n")
    assert Checkpoint.parse(str(extended)) == extended


def test_an_empty_log_has_the_root_of_an_empty_tree() -> None:
    empty = Checkpoint(ORIGIN, 0, EMPTY_ROOT)
    assert Checkpoint.parse(str(empty)) == empty
    with pytest.raises(BadInput, match=r"which is none of 0 leaves"):
        Checkpoint.parse(f"{ORIGIN}\n0\n{coded(ROOT)}\n")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        f"{ORIGIN}\n",
        f"{ORIGIN}\n5\n",
        f"\n5\n{coded(ROOT)}\n",
        f"{ORIGIN}\n\n{coded(ROOT)}\n",
        f"{ORIGIN}\n5\n\n",
        f"{ORIGIN}\n5\n{coded(ROOT)}",
        f"{ORIGIN}\n5\n{coded(ROOT)}\nmore",
        f"{ORIGIN}\n5\n{coded(ROOT)}\n\n",
        f"{ORIGIN}\n5\n{coded(ROOT)}\n\nmore\n",
        f"{ORIGIN}\n5\n{coded(ROOT[:31])}\n",
        f"{ORIGIN}\n5\n{coded(ROOT + bytes(1))}\n",
        f"{ORIGIN}\n5\n{coded(ROOT).rstrip('=')}\n",
        f"{ORIGIN}\n5\n{ROOT.hex()}\n",
    ],
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match=r"\[checkpoint\.malformed\]"):
        Checkpoint.parse(text)


@pytest.mark.parametrize(
    "size", ["", "05", "00", "+5", "-5", " 5", "5 ", "5.0", "0x5", "5_0", "\u0665", "1e3", str(2**64), "9" * 21, "9" * 5000]
)
def test_a_size_is_written_in_one_way(size: str) -> None:
    assert decimal(size) is None
    with pytest.raises(BadInput):
        Checkpoint.parse(f"{ORIGIN}\n{size}\n{coded(ROOT)}\n")


def test_a_size_may_be_any_below_two_to_the_sixty_fourth() -> None:
    assert [decimal(text) for text in ("0", "5", "10", str(2**64 - 1))] == [0, 5, 10, 2**64 - 1]


def test_a_checkpoint_of_another_log_is_refused() -> None:
    other = SigningKey("ops.example.com/other", bytes(32))
    note = sign_note(str(Checkpoint("ops.example.com/other", 5, ROOT)), other, LOG)
    with pytest.raises(
        Unproven, match=r"a checkpoint of ops\.example\.com/other, not of ops\.example\.com/ledger; .*\[checkpoint\.other_log\]"
    ):
        open_checkpoint(note, [LOG.verifier, other.verifier], ORIGIN)


def test_a_checkpoint_that_only_a_witness_signed_is_none_of_the_log() -> None:
    note = sign_note(str(CHECKPOINT), WITNESS)
    with pytest.raises(Unproven, match=r"by no key of the log's own name\. \[checkpoint\.not_of_the_log\]"):
        open_checkpoint(note, [LOG.verifier, WITNESS.verifier], ORIGIN)
    assert open_checkpoint(sign_note(note, LOG), [LOG.verifier, WITNESS.verifier], ORIGIN) == CHECKPOINT


def test_a_new_key_of_the_log_may_sign_beside_the_old_one() -> None:
    new = SigningKey(ORIGIN, bytes(31) + b"\x01")
    note = sign_note(str(CHECKPOINT), LOG, new)
    assert open_checkpoint(note, [LOG.verifier], ORIGIN) == open_checkpoint(note, [new.verifier], ORIGIN) == CHECKPOINT


def test_a_note_that_is_signed_and_no_checkpoint_is_refused() -> None:
    with pytest.raises(BadInput, match=r"\[checkpoint\.malformed\]"):
        open_checkpoint(SIGNED, [LOG.verifier], ORIGIN)
