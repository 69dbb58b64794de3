"""A small world that is attacked: a signed ledger, what its auditor kept, and a tool of the attacker's own."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from opsledger.app import OpsLedger
from opsledger.app.sealing import introduce_key
from opsledger.audit.findings import Checked
from opsledger.audit.signing import SigningKey
from opsledger.domain import ticket
from opsledger.policies.support import Priority
from opsledger.replay.verify import Report
from opsledger.testing.plugin import Clock


@dataclass
class World:
    """T-1 registered at 6, answered at 8; T-2 registered at 7, answered at 9; the key at 5; signed at 7 and at 9; 10 and 11 unsigned."""

    ledger: OpsLedger
    clock: Clock
    key: SigningKey
    url: str = ""
    kept: dict[str, str] = field(default_factory=dict)
    received: dict[str, datetime] = field(default_factory=dict)  # when each note came, by a clock of the auditor's

    def record(self, decision: Any, id: str, **given: Any) -> int:
        self.clock.forward(minutes=1)
        receipt = self.ledger.by("u-7", role="support").record(decision, id, **given)
        assert receipt.position is not None
        return receipt.position

    def register(self, id: str) -> int:
        person = {"customer_id": "C-1", "requester_id": "p-1", "channel": "email"}
        return self.record(ticket.register, id, priority=Priority.HIGH, summary="It is broken", **person)

    def reopen(self) -> None:
        """Open the ledger again, as after a restore: a process that runs on knows facts that are lost."""
        url = self.ledger.url
        self.ledger.close()
        self.ledger = OpsLedger.open(f"sqlite:///{url.path}" if url.kind == "sqlite" else self.url, clock=self.clock)

    def keep(self) -> str:
        """Sign, and have the auditor keep what was signed."""
        signed = self.ledger.seal(self.key).checkpoint
        assert signed is not None
        name = f"kept-{signed.size}.note"
        self.kept[name], self.received[name] = signed.note, self.clock()
        return signed.note

    def attack(self, *statements: str, tables: bool = False) -> None:
        """Run statements as somebody would who may do anything in the database: no trigger and no constraint stops them."""
        url = self.ledger.url
        if url.kind == "sqlite":
            with closing(sqlite3.connect(url.beside("tables.db") if tables else url.path)) as connection, connection:
                for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
                    connection.execute(f"DROP TRIGGER {name}")
                connection.execute("PRAGMA ignore_check_constraints = ON")
                for statement in statements:
                    assert connection.execute(statement).rowcount > 0, f"nothing was changed by {statement}"
            return
        import psycopg

        with psycopg.connect(url.conninfo) as connection:
            schema = f"{url.schema}_tables" if tables else url.schema
            connection.execute(psycopg.sql.SQL("SET search_path TO {}").format(psycopg.sql.Identifier(schema)))
            connection.execute("SET session_replication_role = replica")
            for statement in statements:
                assert connection.execute(statement.encode()).rowcount > 0, f"nothing was changed by {statement}"

    def state(self, position: int) -> str:
        """Return stored bytes as a literal of the database's."""
        return f"'{self.ledger.store.page(position - 1, 1)[0].state.hex()}'"

    def bytes_of(self, hexed: str) -> str:
        return f"X{hexed}" if self.ledger.url.kind == "sqlite" else f"decode({hexed}, 'hex')"

    def verify(self, *checks: str) -> Report:
        """Verify with nothing from outside: level 0."""
        return self.ledger.verify(*checks)

    def verify_kept(self, *checks: str) -> Report:
        """Verify with the checkpoints that the auditor kept: level 1."""
        return self.ledger.verify(*checks, kept=self.kept, trusted=[self.key.verifier])

    def verify_timed(self, *checks: str) -> Report:
        """Verify with these, and with when each of them came, by a clock that is not the ledger's: level 2."""
        return self.ledger.verify(*checks, kept=self.kept, received=self.received, trusted=[self.key.verifier])


def found(report: Report) -> dict[str, set[int | None]]:
    """Return the positions that each check with findings names."""
    return {check.name: {each.position for each in check.findings} for check in report.checks if check.found}


def check_of(report: Report, name: str) -> Checked:
    return next(check for check in report.checks if check.name == name)


def play(made: World) -> None:
    """Do in a new ledger what the world says."""
    introduce_key(made.ledger, made.key)
    made.register("T-1")
    made.register("T-2")
    made.keep()
    made.record(ticket.respond, "T-1", message="We look into it")
    made.record(ticket.respond, "T-2")
    made.keep()
    made.record(ticket.resolve, "T-1")
    made.record(ticket.resolve, "T-2")
    made.ledger.seal()
