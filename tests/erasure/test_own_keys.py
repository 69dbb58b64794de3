"""A host's own key service in the place of the key store: what it must do is little, and all of it is used."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from opsledger.app import OpsLedger
from opsledger.domain import subject as s
from opsledger.domain import ticket
from opsledger.errors import KeysError
from opsledger.ledger.keys import DataKey, Destruction, HeldKey, Keys
from opsledger.ledger.personal import Erased, Restricted
from opsledger.policies.support import Priority
from opsledger.testing.plugin import Clock


@dataclass
class Service:
    """Keys in memory, with ids of the service's own and a log of what was destroyed."""

    keys: dict[str, DataKey | HeldKey] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)

    def for_subject(self, subject: str) -> DataKey:
        for key in self.keys.values():
            if key.subject == subject and isinstance(key, DataKey):
                return key
            if key.subject == subject:
                raise KeysError("keys.destroyed", f"The key of {subject} was destroyed.")
        made = DataKey(f"kms/{len(self.keys) + 1}", subject, secrets.token_bytes(32), f"fingerprint {len(self.keys) + 1}")
        self.keys[made.key_id] = made
        return made

    def by_id(self, key_id: str) -> DataKey | None:
        if key_id not in self.keys:
            raise KeysError("keys.unknown", f"There is no key {key_id}.")
        key = self.keys[key_id]
        return key if isinstance(key, DataKey) else None

    def mac(self, purpose: str, content: bytes) -> str:
        return hmac.new(b"a key of the service", purpose.encode() + content, hashlib.sha256).hexdigest()

    def held(self, subject: str | None = None) -> list[HeldKey]:
        found = []
        for key in self.keys.values():
            state = key.state if isinstance(key, HeldKey) else "restricted" if key.restricted else "active"
            if subject in (None, key.subject):
                found.append(HeldKey(key.key_id, key.subject, key.commitment, state))
        return found

    def restrict(self, subject: str, *, restricted: bool) -> None:
        for id, key in self.keys.items():
            if key.subject == subject and isinstance(key, DataKey):
                self.keys[id] = key._replace(restricted=restricted)

    def destroy(self, subject: str, known: Sequence[tuple[str, str]]) -> Destruction:
        for key_id, committed in [*known, *((key.key_id, key.commitment) for key in self.held(subject))]:
            self.keys[key_id] = HeldKey(key_id, subject, committed, "destroyed")
        self.log.append(subject)
        return Destruction(f"kms-log/{len(self.log)}", "nothing, says the service")


def test_a_service_of_the_host_s_seals_opens_restricts_and_destroys(tmp_path: Path) -> None:
    service = Service()
    keys: Keys = service
    with OpsLedger.create(f"sqlite:///{tmp_path}/ops.db", simulated=True, clock=Clock(), keys=keys) as ledger:
        for id in ("p-1", "p-2"):
            asked = {"customer_id": "C-1", "requester_id": id, "channel": "email", "summary": f"Words of {id}"}
            ledger.by("u-7").record(ticket.register, id, priority=Priority.LOW, **asked)

        def summary(id: str) -> object:
            return ledger.reveal(ledger.history(f"ticket:{id}")[0])["summary"]

        assert (summary("p-1"), summary("p-2")) == ("Words of p-1", "Words of p-2")
        ledger.erase("p-1", jurisdiction="gdpr", handled_by="u-7", decided_by="u-9", basis="b", outcome="restricted")
        assert summary("p-1") == Restricted()
        assert ledger.erase("p-1", decided_by="u-9", basis="b").request.state == "completed"
        assert (summary("p-1"), summary("p-2")) == (Erased(), "Words of p-2")
        destroyed = next(r.fact for r in ledger.history("subject:p-1") if isinstance(r.fact, s.KeysDestroyed))
        assert (destroyed.receipt, destroyed.remains, service.log) == ("kms-log/1", "nothing, says the service", ["p-1"])
        with pytest.raises(KeysError, match=r"\[keys\.destroyed\]"):
            ledger.by("u-7").record(ticket.respond, "p-1", message="x")
        ledger.catch_up()
        report = ledger.verify()
        assert report.code == 0, "\n".join(report.lines())
    assert not (tmp_path / "ops.keys.db").exists()
    assert "Words" not in repr(service) and "b'" not in repr(service.for_subject("p-2"))
