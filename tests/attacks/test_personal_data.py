"""Attacks on personal data, their keys and their erasure. Numbers as in docs/explanation/proof.md.

The attacker may do anything in the database of the log, and where it is said in that of the keys.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from attacked import World, check_of, found
from cryptography.hazmat.primitives.keywrap import aes_key_wrap

from opsledger.app import erasing
from opsledger.domain import subject as s
from opsledger.domain import ticket
from opsledger.domain.recorded import Recorded
from opsledger.errors import KeysError, Refused
from opsledger.ledger.keys import Destruction, LocalKeys, commitment, kek_path
from opsledger.ledger.personal import Erased
from opsledger.policies.support import Priority

WORDS = "It is broken"


@pytest.fixture
def vault(world: World) -> Callable[..., list[tuple[Any, ...]]]:
    """Give SQL on the key store: vault("SELECT ...", values)."""
    url = world.ledger.url

    def run(statement: str, *values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        if url.kind == "sqlite":
            with closing(sqlite3.connect(url.beside("keys.db"))) as connection, connection:
                return _run(connection, statement, values)
        with psycopg.connect(url.conninfo) as foreign:
            foreign.execute(psycopg.sql.SQL("SET search_path TO {}").format(psycopg.sql.Identifier(f"{url.schema}_keys")))
            return _run(foreign, statement.replace("?", "%s"), values)

    return run


def _run(connection: Any, statement: str, values: tuple[tuple[Any, ...], ...]) -> list[tuple[Any, ...]]:
    cursor = connection.cursor()
    for each in values or ((),):
        cursor.execute(statement, each)
    return cursor.fetchall() if cursor.description else []


@pytest.fixture
def put_back(vault: Callable[..., list[tuple[Any, ...]]]) -> Callable[[], None]:
    """Give a function that puts the keys back to where they stand now, as who restores a backup of the key store does."""
    kept = vault("SELECT key_id, subject, commitment, wrapped, restricted FROM subject_key")

    def restore() -> None:
        vault("DELETE FROM subject_key")
        vault("INSERT INTO subject_key (key_id, subject, commitment, wrapped, restricted) VALUES (?, ?, ?, ?, ?)", *kept)

    return restore


def first(world: World, id: str) -> Recorded:
    return world.ledger.history(f"ticket:{id}")[0]


def of_another(world: World) -> Recorded:
    """Return the registration of T-3, in the words of p-2."""
    person = {"customer_id": "C-1", "requester_id": "p-2", "channel": "email", "summary": "Words of somebody else"}
    world.record(ticket.register, "T-3", priority=Priority.LOW, **person)
    world.ledger.seal()
    return first(world, "T-3")


def erase(world: World) -> None:
    world.ledger.erase("p-1", jurisdiction="gdpr", handled_by="u-7", decided_by="u-9", basis="Art. 17(1)(b)")
    world.ledger.seal()
    world.ledger.catch_up()
    assert world.ledger.reveal(first(world, "T-1"))["summary"] == Erased()


def state_with(world: World, recorded: Recorded, other: Recorded) -> str:
    """Return the stored bytes of one fact with the sealed summary of another in them."""
    state = world.ledger.store.page(recorded.position - 1, 1)[0].state.decode()
    for name in ("part", "key"):
        state = state.replace(getattr(recorded.fact.summary, name), getattr(other.fact.summary, name))
    return world.bytes_of(f"'{state.encode().hex()}'")


# 32 and 33: sealed parts moved.


def test_32_a_sealed_field_moved_to_another_fact_is_another_leaf_and_does_not_open(world: World) -> None:
    one, other = first(world, "T-1"), first(world, "T-2")
    world.attack(f"UPDATE ledger_event SET state = {state_with(world, one, other)} WHERE position = 6")
    assert found(world.verify("integrity", "parts")) == {"integrity": {6}}, "the part is whole, and its fact was changed"
    assert found(world.verify_kept("integrity", "checkpoints"))["checkpoints"] == {7, 9}
    with pytest.raises(KeysError, match=r"position 6 does not belong there.*\[personal\.tampered\]"):
        world.ledger.reveal(first(world, "T-1"))


def test_32_bytes_put_in_the_place_of_a_part_are_not_those_that_were_sealed(world: World) -> None:
    one, other = first(world, "T-1").fact.summary, first(world, "T-2").fact.summary
    world.attack(
        f"UPDATE ledger_part SET sealed = (SELECT sealed FROM ledger_part WHERE digest = '{other.part}') WHERE digest = '{one.part}'"
    )
    report = world.verify("integrity", "parts")
    assert found(report) == {"parts": {6}}
    assert "its bytes are not those that were sealed" in check_of(report, "parts").findings[0].sentence
    assert check_of(report, "parts").findings[0].column == "state.summary"
    with pytest.raises(KeysError, match=r"\[personal\.tampered\]"):
        world.ledger.reveal(first(world, "T-1"))


def test_33_words_of_another_person_do_not_open_as_this_one_s(world: World) -> None:
    other = of_another(world)
    world.attack(f"UPDATE ledger_event SET state = {state_with(world, first(world, 'T-1'), other)} WHERE position = 6")
    assert found(world.verify("integrity"))["integrity"] == {6}
    with pytest.raises(KeysError, match=r"\[personal\.tampered\]"):
        world.ledger.reveal(first(world, "T-1"))


def test_33_a_part_that_claims_another_key_is_named(world: World) -> None:
    part, key = first(world, "T-1").fact.summary.part, of_another(world).fact.summary.key
    world.attack(f"UPDATE ledger_part SET key_id = '{key}' WHERE digest = '{part}'")
    assert found(world.verify("parts")) == {"parts": {6}}


def test_a_part_removed_without_a_fact_is_missing_and_not_purged(world: World) -> None:
    part = first(world, "T-1").fact.summary.part
    world.attack(f"DELETE FROM ledger_part WHERE digest = '{part}'")
    report = world.verify("integrity", "parts")
    assert found(report) == {"parts": {6}}
    assert "is missing, and no fact says that it was purged" in check_of(report, "parts").findings[0].sentence
    with pytest.raises(KeysError, match=r"\[personal\.missing\]"):
        world.ledger.reveal(first(world, "T-1"))


def test_a_purge_that_no_fact_decided_shows_though_the_mark_for_it_was_added(world: World) -> None:
    """The database lets a part go that is marked; verify believes the mark only where the fact that it names decides so."""
    key = first(world, "T-1").fact.summary.key
    erase(world)
    granted = next(r.position for r in world.ledger.history("subject:p-1") if isinstance(r.fact, s.ErasureDecided))
    world.attack(f"INSERT INTO ledger_erasure VALUES ('{key}', 'purged', {granted})", f"DELETE FROM ledger_part WHERE key_id = '{key}'")
    report = world.verify("integrity", "parts")
    assert found(report) == {"parts": {granted, 6, 7, 8}}
    assert "no fact there decides so: the mark was added" in check_of(report, "parts").findings[0].sentence


def test_a_mark_taken_away_is_missed(world: World) -> None:
    erase(world)
    world.attack("DELETE FROM ledger_erasure")
    report = world.verify("parts")
    assert "is destroyed and not marked so" in check_of(report, "parts").findings[0].sentence
    assert report.code == 1


def test_parts_that_are_there_again_after_they_were_purged_are_named(world: World) -> None:
    kept = world.ledger.store.parts([first(world, "T-1").fact.summary.part])
    erase(world)
    erasing.purge(world.ledger, ["p-1"], decided_by="u-9", reason="asked to")
    assert world.verify("parts").code == 0
    (part,) = kept.values()
    world.attack(f"INSERT INTO ledger_part VALUES ('{part.digest}', '{part.key_id}', {world.bytes_of(repr(part.sealed.hex()))})")
    report = world.verify("parts")
    assert found(report) == {"parts": {6}}
    assert "was purged and is there again, as after a restore" in check_of(report, "parts").findings[0].sentence
    erasing.purge(world.ledger, ["p-1"])
    assert world.verify("parts").code == 0


# 34: a key destroyed without a request.


@pytest.mark.parametrize(
    ("statement", "code", "said"),
    [
        (
            "UPDATE subject_key SET wrapped = NULL WHERE subject = 'p-1'",
            "keys.lost",
            "no fact says that it was to be: it is lost, not erased",
        ),
        ("DELETE FROM subject_key WHERE subject = 'p-1'", "keys.unknown", "which the key store does not know: it is lost, not erased"),
    ],
)
def test_34_a_key_destroyed_without_a_request_is_lost_and_not_erased(
    world: World, vault: Callable[..., list[tuple[Any, ...]]], statement: str, code: str, said: str
) -> None:
    other = of_another(world)
    assert world.verify("keys").code == 0
    vault(statement)
    with pytest.raises(KeysError, match=rf"\[{code}\]"):
        world.ledger.reveal(first(world, "T-1"))
    assert world.ledger.reveal(other)["summary"] == "Words of somebody else"
    report = world.verify("parts", "keys")
    assert (check_of(report, "parts").verdict, check_of(report, "keys").found) == ("clean", 1), "the log is as it was"
    assert said in check_of(report, "keys").findings[0].sentence


# 35: said to be destroyed, and kept.


class Liar(LocalKeys):
    """A key store that says that it destroyed a key, and did not."""

    def destroy(self, subject: str, known: Any) -> Destruction:
        return Destruction("liar:done", "nowhere")


def test_35_a_store_that_only_says_so_is_found_out_by_trying(world: World) -> None:
    ledger = world.ledger
    honest, lying = ledger.keys, Liar(ledger.url, ledger.meta["ledger_id"])
    ledger.keys = ledger.sealer._keys = lying
    with pytest.raises(Refused, match=r"3 of 3 sealed parts of subject p-1 still open.*\[subject\.still_opens\]"):
        erase(world)
    assert [r.topic for r in ledger.history("subject:p-1")][-1] == "subject.derived_purged", "and it is not completed"
    assert "was destroyed and is there again" in check_of(world.verify("keys"), "keys").findings[0].sentence
    with pytest.raises(KeysError, match=r"\[keys\.resurrected\]"):
        ledger.reveal(first(world, "T-1"))
    lying.close()
    ledger.keys = ledger.sealer._keys = honest
    erase(world)
    assert ledger.history("subject:p-1")[-1].topic == "subject.erasure_completed"


def test_35_a_copy_that_was_kept_elsewhere_is_found_by_nobody_and_what_may_remain_is_said(
    world: World, vault: Callable[..., list[tuple[Any, ...]]]
) -> None:
    ((copy,),) = vault("SELECT wrapped FROM subject_key WHERE subject = 'p-1'")
    erase(world)
    assert world.verify().code == 0
    destroyed = next(r.fact for r in world.ledger.history("subject:p-1") if isinstance(r.fact, s.KeysDestroyed))
    assert destroyed.receipt == "local:" + world.ledger.keys.mac("destroyed", f"p-1\n{destroyed.keys[0].key_id}".encode())
    assert "backups" in destroyed.remains
    assert len(bytes(copy)) == 40, "who has it, and the key file, reads on"


# 36: an older key store put back.


def test_36_a_destroyed_key_that_came_back_is_not_used_is_named_and_is_destroyed_again(world: World, put_back: Callable[[], None]) -> None:
    erase(world)
    put_back()
    with pytest.raises(KeysError, match=r"as after a restore.*\[keys\.resurrected\]"):
        world.ledger.reveal(first(world, "T-1"))
    with pytest.raises(KeysError, match=r"\[keys\.resurrected\]"):
        world.record(ticket.reopen, "T-1", reason="Once more")
    assert world.verify("integrity", "checkpoints", "continuity", "parts", "fold").code == 0, "the log alone says nothing else"
    report = world.verify("keys")
    assert "was destroyed and is there again" in check_of(report, "keys").findings[0].sentence
    (done,) = erasing.again(world.ledger)
    assert (done.subject, done.recorded) == ("p-1", ("subject.keys_destroyed",))
    assert world.ledger.history("subject:p-1")[-1].fact.again
    assert world.ledger.reveal(first(world, "T-1"))["summary"] == Erased()
    assert world.verify("parts", "keys").code == 0
    assert world.ledger.tables.select("subject_erasure", at_least=world.ledger.store.head().position)[0]["destroyed_again"] == 1
    assert erasing.again(world.ledger) == []


def test_36_a_store_from_before_the_key_was_made_forgets_the_tombstone_and_the_log_does_not(
    world: World, vault: Callable[..., list[tuple[Any, ...]]]
) -> None:
    erase(world)
    vault("DELETE FROM subject_key")
    assert world.ledger.reveal(first(world, "T-1"))["summary"] == Erased(), "the log knows"
    with pytest.raises(KeysError, match=r"\[keys\.destroyed\]"):
        world.record(ticket.reopen, "T-1", reason="Once more")
    assert vault("SELECT count(*) FROM subject_key") == [(0,)], "and no other key was made"
    assert "has forgotten that key" in check_of(world.verify("keys"), "keys").findings[0].sentence
    assert [done.recorded for done in erasing.again(world.ledger)] == [("subject.keys_destroyed",)]
    assert world.verify("keys").code == 0


def test_36_a_restriction_that_a_restore_lifted_is_put_back(world: World, put_back: Callable[[], None]) -> None:
    world.ledger.erase("p-1", jurisdiction="gdpr", handled_by="u-7", decided_by="u-9", basis="contested", outcome="restricted")
    put_back()
    assert "has subject p-1 as active, and the log says otherwise" in check_of(world.verify("keys"), "keys").findings[0].sentence
    assert erasing.again(world.ledger) == []
    assert world.verify("keys").code == 0


# 37: one ciphertext for two keys.


def test_37_a_part_opens_under_the_key_that_its_fact_names_and_under_no_other(
    world: World, vault: Callable[..., list[tuple[Any, ...]]]
) -> None:
    """A ciphertext can be made to open under two keys. The fact names its key by the commitment to it, so that no other fits."""
    sealed, other = first(world, "T-1").fact.summary, secrets.token_bytes(32)
    assert world.ledger.keys.held("p-1")[0].commitment == sealed.key
    kek = kek_path(world.ledger.url, world.ledger.meta["ledger_id"]).read_bytes()
    wrapped = aes_key_wrap(kek, other)
    for changed in ("wrapped = ?", "wrapped = ?, commitment = ?"):
        values = (wrapped, commitment(other))[: changed.count("?")]
        vault(f"UPDATE subject_key SET {changed} WHERE subject = 'p-1'", values)
        with pytest.raises(KeysError, match=r"\[keys\.commitment\]"):
            world.ledger.reveal(first(world, "T-1"))
        report = world.verify("keys")
        assert "is not the one that was committed to" in check_of(report, "keys").findings[0].sentence


# 38: a text guessed from its digest.


def digests_of(text: str) -> Iterator[bytes]:
    """Yield what somebody would compare a guess with: digests of a text in the forms in which it may have been hashed."""
    for said in (text.encode(), f'"{text}"'.encode(), f"summary{text}".encode(), text.encode("utf-16-le")):
        for name in ("sha256", "sha512", "sha1", "md5", "blake2b", "blake2s", "sha3_256"):
            digest = hashlib.new(name, said, usedforsecurity=False).digest()
            yield from (digest, digest.hex().encode(), base64.b64encode(digest))
        yield hmac.new(b"", said, hashlib.sha256).hexdigest().encode()
        yield hashlib.sha256(b"\x00" + said).digest()


def test_38_no_digest_of_what_a_person_said_is_kept_to_guess_by(world: World, tmp_path: Path) -> None:
    world.ledger.by("u-7", role="support", key="k-1").record(ticket.reopen, "T-1", reason=WORDS)
    world.ledger.seal()
    world.ledger.catch_up()
    url = world.ledger.url
    if url.kind == "sqlite":
        stored = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    else:
        with psycopg.connect(url.conninfo) as connection:
            query = "SELECT schemaname, tablename FROM pg_tables WHERE starts_with(schemaname, %s)"
            names = connection.execute(query, (url.schema,)).fetchall()
            stored = b"".join(_copied(connection, *name) for name in names)
    assert b"ticket.reopened" in stored, "the search looks where the facts are"
    assert [digest for digest in digests_of(WORDS) if digest in stored] == []
    assert WORDS.encode() not in stored


def _copied(connection: psycopg.Connection[Any], schema: str, table: str) -> bytes:
    name = psycopg.sql.Identifier(schema, table)
    with connection.cursor().copy(psycopg.sql.SQL("COPY {} TO STDOUT (FORMAT binary)").format(name)) as copy:
        return b"".join(bytes(block) for block in copy)
