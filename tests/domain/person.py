"""A person, p-1, who asked under the GDPR on Monday 2 March 2026 at nine that their data be erased, and what became of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from opsledger.domain import subject as s
from opsledger.testing import Spec, at

spec = Spec("subject:p-1")
KEY = s.KeyNamed(key_id="k-1", commitment="c-1")
ANSWER_BY = at("2026-04-02T22:00Z")


def on(wall: str, day: str = "03-02") -> datetime:
    """Return a time of 2026, by default of Monday the second of March."""
    return at(f"2026-{day}T{wall}:00Z")


def asked(kind: Any = s.ErasureRequested, number: int = 1, jurisdiction: str = "gdpr", answer_by: datetime = ANSWER_BY) -> Any:
    who = {"handled_by": "u-7", "policy": spec.policy, "jurisdiction": jurisdiction}
    return kind(requested_at=on("09:00"), number=number, answer_by=answer_by, **who)


def decided(outcome: s.Outcome = "granted", wall: str = "10:00", held: tuple[s.Held, ...] = ()) -> s.ErasureDecided:
    keys = (KEY,) if outcome == "granted" else ()
    given: dict[str, Any] = {"basis": "Art. 17(1)(b)", "decided_by": "u-9", "policy": spec.policy}
    return s.ErasureDecided(decided_at=on(wall), number=1, outcome=outcome, keys=keys, held=held, **given)


def destroyed(wall: str = "10:01", *, again: bool = False, keys: tuple[s.KeyNamed, ...] = (KEY,)) -> s.KeysDestroyed:
    return s.KeysDestroyed(destroyed_at=on(wall), number=1, keys=keys, receipt="local:1", remains="backups", again=again)


def derived(wall: str = "10:02", exports: tuple[s.Export, ...] = ()) -> s.DerivedPurged:
    return s.DerivedPurged(purged_at=on(wall), number=1, tables=("ticket",), caches=("keys in memory",), others=(), exports=exports)


def completed(wall: str = "10:03") -> s.ErasureCompleted:
    return s.ErasureCompleted(completed_at=on(wall), number=1, parts=3, missing=0, purge_from=on(wall, "04-01"))


def purge_decided(wall: str = "10:04", day: str = "04-02", reason: str = "") -> s.PurgeDecided:
    return s.PurgeDecided(decided_at=on(wall, day), number=1, keys=("k-1",), parts=3, reason=reason, decided_by="u-9")


def placed(wall: str = "08:00", id: str = "case-3", review_by: datetime | None = None) -> s.HoldPlaced:
    return s.HoldPlaced(placed_at=on(wall), hold_id=id, reason="a claim", review_by=review_by or on("09:00", "06-01"), placed_by="u-8")


ERASED = (asked(), decided(), destroyed(), derived(), completed())
