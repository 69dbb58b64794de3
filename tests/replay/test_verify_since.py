"""Verify from a position on: what it leaves out, what it still compares, and that it says so."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import psycopg
import pytest
from verified import check_of

from opsledger.app import OpsLedger
from opsledger.app.sealing import introduce_key
from opsledger.audit.integrity import CHUNK
from opsledger.audit.sealing import origin_of
from opsledger.audit.signing import SigningKey
from opsledger.ledger.envelope import Append, NewFact
from tampering import attack

FACTS = CHUNK + 64
MARCH = 1_772_442_000_000_000


class Signed(NamedTuple):
    """A ledger of 65,600 facts, signed at 5 and at the end."""

    ledger: OpsLedger
    key: SigningKey
    early: str
    late: str


@pytest.fixture(params=["opsledger_sqlite", "opsledger_pg"])
def signed(request: pytest.FixtureRequest) -> Iterator[Signed]:
    ledger: OpsLedger = request.getfixturevalue(request.param)
    key = SigningKey.generate(origin_of(ledger.store))
    introduce_key(ledger, key)
    notes = [_note(ledger, key)]
    begun = ledger.store.head().position
    for first in range(begun, FACTS, 8192):
        ledger.store.append(Append(facts=[_fact(number) for number in range(first, min(first + 8192, FACTS))]))
    notes.append(_note(ledger, key))
    assert (begun, ledger.store.head().position) == (5, FACTS)
    yield Signed(ledger, key, *notes)


def _fact(number: int) -> NewFact:
    return NewFact("ticket:T-1", number, "test.happened", 1, b'{"n":%d}' % number, MARCH, MARCH, "u-7", "support", f"c-{number}")


def _note(ledger: OpsLedger, key: SigningKey) -> str:
    sealed = ledger.seal(key)
    assert sealed.checkpoint is not None
    return sealed.checkpoint.note


def edit(ledger: OpsLedger, statement: str) -> None:
    """Edit the log as somebody who owns the database can."""
    if ledger.url.kind == "sqlite":
        attack(ledger, statement)
        return
    with psycopg.connect(ledger.url.conninfo) as owner:
        owner.execute(psycopg.sql.SQL("SET search_path TO {}").format(psycopg.sql.Identifier(ledger.url.schema)))
        owner.execute("SET session_replication_role = replica")
        assert owner.execute(statement.encode()).rowcount > 0


def test_what_was_sealed_long_before_is_believed_and_said_to_be(signed: Signed) -> None:
    """A change before the multiple of 65,536 below the position is not found; one after it is."""
    ledger = signed.ledger
    edit(ledger, f"UPDATE ledger_event SET role = 'admin' WHERE position IN (10, {CHUNK}, {CHUNK + 1})")
    for since, found in ((0, [10, CHUNK, CHUNK + 1]), (CHUNK - 1, [10, CHUNK, CHUNK + 1]), (CHUNK, [CHUNK + 1]), (FACTS, [CHUNK + 1])):
        check = check_of(ledger.verify("integrity", since=since), "integrity")
        assert [finding.position for finding in check.findings] == found, since
        assert check.noted == (
            [f"Positions 1 to {CHUNK} were not looked at, as was asked for: what was sealed of them was taken as it stands."]
            if since >= CHUNK
            else []
        )


def test_a_checkpoint_that_ends_later_is_compared_with_all_that_it_covers(signed: Signed) -> None:
    ledger, kept = signed.ledger, {"late.note": signed.late}
    report = ledger.verify("integrity", "checkpoints", kept=kept, trusted=[signed.key.verifier], since=CHUNK)
    assert report.code == 0, list(report.lines())
    assert report.assurance is not None
    assert (report.assurance.level, report.assurance.covered, report.assurance.exposed) == ("L1", FACTS, 0)
    assert check_of(report, "checkpoints").noted == [
        f"1 stored checkpoint ends at position {CHUNK} or before, where nothing was looked at: not compared with the log."
    ]
    edit(ledger, "DELETE FROM ledger_hash WHERE level = 2")
    edit(ledger, "INSERT INTO ledger_hash SELECT 2, 0, substr(hashes, 1, 32) FROM ledger_hash WHERE level = 1 AND first = 0")
    report = ledger.verify("checkpoints", kept=kept, since=CHUNK)
    assert check_of(report, "checkpoints").verdict == "findings", "what was believed does not lead to what was signed"


def test_a_kept_checkpoint_that_ends_before_is_not_decided_and_without_the_position_it_is(signed: Signed) -> None:
    ledger, kept = signed.ledger, {"early.note": signed.early}
    report = ledger.verify("checkpoints", kept=kept, since=CHUNK)
    assert report.code == 2
    assert check_of(report, "checkpoints").undecided == [
        "early.note ends at position 5, where nothing was looked at; verify without a position to begin from."
    ]
    assert report.assurance is not None
    assert report.assurance.level == "L0"
    assert ledger.verify("checkpoints", kept=kept).code == 0
