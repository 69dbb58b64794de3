"""A privacy office at work on a small ledger."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from opsledger.app import Done, OpsLedger
from opsledger.app.holdings import standing
from opsledger.domain import incident, ticket
from opsledger.domain.recorded import Recorded
from opsledger.ledger.personal import Erased
from opsledger.policies.support import Priority
from opsledger.testing.plugin import Clock

WORDS = {"T-1": "Frau Özdemir cannot open invoice 4711", "T-2": "Nor invoice 4712", "T-3": "Mr Smith's boiler leaks"}
"""What was said when the tickets were registered: T-1 and T-2 by p-1, T-3 by p-2."""

STEPS = ["erasure_requested", "erasure_decided", "keys_destroyed", "derived_purged", "erasure_completed"]


@dataclass
class Office:
    """u-7 takes requests in, u-9 decides."""

    ledger: OpsLedger
    clock: Clock

    def begin(self) -> None:
        for id, words in WORDS.items():
            person = {"customer_id": "C-1", "requester_id": "p-2" if id == "T-3" else "p-1", "channel": "email"}
            self.ledger.by("u-7", role="support").record(ticket.register, id, priority=Priority.HIGH, summary=words, **person)
        self.ledger.by("u-7", role="support").record(ticket.respond, "T-1", message="Dear Ms Özdemir")
        self.clock.forward(minutes=5)

    def incident(self) -> None:
        given: Any = {"severity": "high", "detection_source": "monitoring", "title": "It is down"}
        self.ledger.by("u-7").record(incident.declare, "INC-1", **given)

    def ask(self, subject: str = "p-1", jurisdiction: str = "gdpr") -> Done:
        return self.ledger.erase(subject, jurisdiction=jurisdiction, handled_by="u-7")

    def grant(self, subject: str = "p-1", **more: Any) -> Done:
        return self.ledger.erase(subject, decided_by="u-9", basis="Art. 17(1)(b)", **more)

    def erase(self, subject: str = "p-1") -> Done:
        self.ask(subject)
        return self.grant(subject)

    def topics(self, subject: str = "p-1") -> list[str]:
        return [recorded.topic.removeprefix("subject.") for recorded in standing(self.ledger, subject)[1]]

    def first(self, id: str) -> Recorded:
        return self.ledger.history(f"ticket:{id}")[0]

    def summary(self, id: str) -> Any:
        return self.ledger.reveal(self.first(id))["summary"]

    def is_erased(self) -> None:
        """See that p-1 is erased and p-2 is not."""
        assert [self.summary(id) for id in WORDS] == [Erased(), Erased(), WORDS["T-3"]]

    def clean(self) -> None:
        self.ledger.catch_up()
        report = self.ledger.verify()
        assert report.code == 0, "\n".join(report.lines())

    def keys(self, statement: str) -> None:
        """Run SQL on the key store, as its administrator could; it must change something."""
        url = self.ledger.url
        if url.kind == "sqlite":
            with closing(sqlite3.connect(url.beside("keys.db"))) as connection, connection:
                assert connection.execute(statement).rowcount > 0
            return
        import psycopg

        with psycopg.connect(url.conninfo) as foreign:
            foreign.execute(psycopg.sql.SQL("SET search_path TO {}").format(psycopg.sql.Identifier(f"{url.schema}_keys")))
            assert foreign.execute(statement.encode()).rowcount > 0
