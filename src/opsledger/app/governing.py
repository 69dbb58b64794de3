"""Policies and calendars as this process knows them, and how it notices that somebody has published another."""

from __future__ import annotations

from threading import Lock

from opsledger.domain.governance import CONCEPTS, learn
from opsledger.domain.recorded import Recorded
from opsledger.ledger.codec import read_all
from opsledger.ledger.store import Store
from opsledger.policies.known import Known

__all__ = ["Governing", "governance_facts"]


def governance_facts(store: Store, after: int = 0) -> list[Recorded]:
    """Return the facts of all policies and calendars above a position, in the order of the ledger."""
    rows = [row for concept in CONCEPTS for row in store.streams(f"{concept}:") if row.position > after]
    return list(read_all(sorted(rows, key=lambda row: row.position)))


class Governing:
    """What is known, kept fresh. Decisions use it without asking; the append's guards notice when it was stale."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known = Known()
        self._versions: dict[str, int] = {}
        self._loaded = False
        self._lock = Lock()

    @property
    def known(self) -> Known:
        """What was known when this process last looked."""
        if not self._loaded:
            self.refresh()
        return self._known

    def guards(self, stream: str) -> dict[str, int]:
        """Return the versions that a decision on `stream` relies on: those of all policies and calendars but itself."""
        return {name: version for name, version in self._versions.items() if name != stream}

    def fresh(self) -> bool:
        """Return whether nobody has published anything since this process last looked."""
        heads = {stream: version for concept in CONCEPTS for stream, version in self._store.heads_within(f"{concept}:").items()}
        return heads == self._versions

    def refresh(self) -> Known:
        """Look again."""
        with self._lock:
            known, versions = self._known, dict(self._versions)
            for recorded in governance_facts(self._store, known.position):
                known = learn(known, recorded)
                versions[recorded.stream] = recorded.version
            self._known, self._versions, self._loaded = known, versions, True
        return known
