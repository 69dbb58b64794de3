"""On PostgreSQL a role of its own erases: what it may is enough, and a writer may less."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

from opsledger.app import OpsLedger, erasing
from opsledger.domain import subject as s
from opsledger.domain import ticket
from opsledger.errors import KeysError, StoreError
from opsledger.ledger.grants import ROLES, grants
from opsledger.ledger.personal import Erased
from opsledger.ledger.url import parse_url
from opsledger.policies.support import Priority

PERSON = {"customer_id": "C-1", "requester_id": "p-1", "channel": "email", "priority": Priority.HIGH, "summary": "It is broken"}


@pytest.fixture
def roles(pg_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], str]]:
    """Give a function from a role to the URL by which it opens the ledger, in which p-1 has said something."""
    monkeypatch.setenv("OPSLEDGER_KEK_FILE", str(tmp_path / "kek"))
    with OpsLedger.create(pg_url) as ledger:
        ledger.by("u-7").record(ticket.register, "T-1", **PERSON)
        ledger.catch_up()
    where = parse_url(pg_url)
    with psycopg.connect(where.conninfo, autocommit=True) as owner:
        for statement in grants(where.schema):
            owner.execute(statement)
    yield lambda role: f"{pg_url}&options={quote(f'-c role={where.schema}_{role}')}"
    with psycopg.connect(where.conninfo, autocommit=True) as owner:
        for role in ROLES:
            owner.execute(psycopg.sql.SQL("DROP OWNED BY {} CASCADE").format(psycopg.sql.Identifier(f"{where.schema}_{role}")))
            owner.execute(psycopg.sql.SQL("DROP ROLE {}").format(psycopg.sql.Identifier(f"{where.schema}_{role}")))


def erase(ledger: OpsLedger) -> None:
    ledger.erase("p-1", jurisdiction="gdpr", handled_by="u-7", decided_by="u-9", basis="Art. 17(1)(b)")


def test_an_eraser_erases_and_purges_and_says_what_only_the_owner_can_vacuum(roles: Callable[[str], str]) -> None:
    with OpsLedger.open(roles("eraser")) as ledger:
        erase(ledger)
        erasing.purge(ledger, ["p-1"], decided_by="u-9", reason="asked to")
        assert ledger.reveal(ledger.history("ticket:T-1")[0])["summary"] == Erased()
        destroyed, purged = (
            next(r.fact for r in ledger.history("subject:p-1") if isinstance(r.fact, kind)) for kind in (s.KeysDestroyed, s.PartsPurged)
        )
        assert destroyed.remains.startswith("the pages of subject_key, directory, until their owner vacuums them")
        assert purged.remains.startswith("the pages of ledger_part, until their owner vacuums them")
        assert ledger.verify("continuity", "parts", "keys").code == 0


def test_a_writer_takes_the_request_in_and_destroys_nothing(roles: Callable[[str], str]) -> None:
    with OpsLedger.open(roles("writer")) as ledger:
        ledger.erase("p-1", jurisdiction="gdpr", handled_by="u-7")
        with pytest.raises(StoreError, match="permission denied for table ledger_erasure"):
            ledger.erase("p-1", decided_by="u-9", basis="Art. 17(1)(b)")
        with pytest.raises(KeysError, match="permission denied for table subject_key"):
            ledger.keys.destroy("p-1", [])
        assert ledger.keys.held("p-1")[0].state == "active"
    with OpsLedger.open(roles("eraser")) as ledger:
        assert ledger.erase("p-1").request.state == "completed", "who may, goes on with it"
