"""Any order of points, restores, drills, checks and runs, late ones and corrections included: live rows equal rebuilt rows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opsledger.app import OpsLedger
from opsledger.domain import automation_run, integrity_check, recovery_drill, recovery_point, restore, service
from opsledger.errors import Refused, Unknown
from opsledger.testing.plugin import Clock

WORDS = (
    "register",
    "take",
    "unusable",
    "start",
    "complete",
    "complete",
    "abandon",
    "drill",
    "check",
    "repair",
    "run",
    "correct",
    "catch up",
)
STEPS = st.tuples(st.sampled_from(WORDS), st.integers(1, 5), st.integers(0, 900), st.integers(0, 90), st.booleans())
SERVICES = ("database", "web")
PEOPLE: dict[str, Any] = {"requested_by": "u-7", "approved_by": "u-8", "reason": "The log says so"}
CORRECTED = {
    restore.Started: (restore.correct, "failed_at"),
    restore.Completed: (restore.correct, "recovered_to"),
    recovery_drill.Completed: (recovery_drill.correct, "restored_at"),
    integrity_check.Completed: (integrity_check.correct, "mismatches"),
    recovery_point.Taken: (recovery_point.correct, None),
    automation_run.Ended: (automation_run.correct, None),
}


class Acts:
    """What is done to a ledger. A refusal is part of the game; anything else that is raised ends it."""

    def __init__(self, ledger: OpsLedger, clock: Clock) -> None:
        self.ledger, self.clock = ledger, clock

    def act(self, decision: Callable[..., Any], id: str, late: int, **arguments: Any) -> None:
        try:
            self.ledger.by("u-7", role="sre", at=self.clock.now - timedelta(minutes=late)).record(decision, id, **arguments)
        except (Refused, Unknown):
            return

    def take(self, word: str, number: int, minutes: int, late: int, other: bool) -> None:
        now, service_id = self.clock.now - timedelta(minutes=late), SERVICES[number % 2]
        before, id = now - timedelta(minutes=minutes % 40), str(number)
        named = {"service_id": service_id, "failed_at": before}
        match word:
            case "register":
                self.act(service.register, service_id, late, name="D", kind="database", owner_id="t-1")
            case "take":
                stretch = {"covers_from": before - timedelta(hours=9), "lost_at_most_us": 10**8 * number} if other else {}
                stream = recovery_point.stream_of(service_id, now).partition(":")[2]
                point = {"service_id": service_id, "point_id": f"P-{minutes % 5}", "kind": "log", "recoverable_at": before}
                self.act(recovery_point.take, stream, late, **point, **stretch)
            case "unusable":
                stream = recovery_point.stream_of(service_id, now).partition(":")[2]
                self.act(recovery_point.find_unusable, stream, late, point_id=f"P-{minutes % 5}", defect="lost" if other else "damaged")
            case "start":
                self.act(restore.start, id, late, cause="other", **named)
            case "complete":
                begun = self.ledger.store.heads([f"restore:{id}"])
                failed = self.ledger.state(restore.Restore, id).failed_at if begun else before
                self.act(restore.complete, id, late, recovered_to=failed - timedelta(minutes=minutes % 40))
            case "abandon":
                self.act(restore.abandon, id, late)
            case "drill":
                came = {"recovered_to": before - timedelta(minutes=number), "restored_at": now if other else None}
                self.act(recovery_drill.complete, f"D-{minutes % 7}", late, scenario="provider", **named, **came)
            case "check":
                counted = {"rows": minutes, "mismatches": number if other else 0}
                self.act(integrity_check.complete, f"IC-{minutes % 7}", late, service_id=service_id, scope="s", against="a", **counted)
            case "repair":
                self.act(integrity_check.repair, f"IC-{minutes % 7}", late, rows=number)
            case "run":
                stream = automation_run.stream_of("restart", now).partition(":")[2]
                run = {"automation_id": "restart", "run_id": id, "started_at": before, "kind": "task", "trigger": "alert"}
                self.act(automation_run.end, stream, late, outcome="succeeded" if other else "failed", **run)
            case "correct":
                self.correct(number, minutes, late)
            case "catch up":
                self.ledger.catch_up()

    def correct(self, number: int, minutes: int, late: int) -> None:
        """Put one of the facts right that can be, to a time or count near what it says."""
        head = self.ledger.store.head().position
        streams = [name for kind in ("restore", "recovery", "integrity", "automation") for name in self.ledger.store.heads_within(kind)]
        said = [each for name in sorted(streams) for each in self.ledger.history(name) if type(each.fact) in CORRECTED]
        if not said:
            return
        chosen = said[(head + minutes) % len(said)]
        decision, what = CORRECTED[type(chosen.fact)]
        if isinstance(chosen.fact, automation_run.Ended):
            change: dict[str, Any] = {"was": chosen.fact.outcome, "to": "handed_over"}
        else:
            was = getattr(chosen.fact, what or "recoverable_at")
            to = number - 1 if isinstance(was, int) else (was or self.clock.now) - timedelta(minutes=number)
            change = {"was": was, "to": to} | ({} if what is None else {"what": what})
        self.act(decision, chosen.id, late, corrects=chosen.position, **change, **PEOPLE)


def live(folder: Path, steps: list[tuple[Any, ...]]) -> None:
    """Do all that, and assert what is true of every history."""
    clock = Clock("2026-03-28T10:00:00Z")
    with OpsLedger.create(f"sqlite:///{folder}/ops.db", simulated=True, clock=clock, ledger_id="0" * 32) as ledger:
        acts = Acts(ledger, clock)
        for word, number, minutes, late, other in steps:
            clock.forward(minutes=minutes)
            acts.take(word, number, minutes, late, other)
        ledger.catch_up()
        assert [each.table for each in ledger.tables.rebuild() if each.rows] == []
        for row in ledger.tables.select("recovery_evidence"):
            assert row["rpo_us"] is None or row["rpo_us"] >= 0
            assert row["rto_us"] is None or row["rto_us"] >= 0
            assert (row["missed"] is not None) is (False in (row["rpo_met"], row["rto_met"]))
        for row in ledger.tables.select("control_finding"):
            assert row["kept_at"] is None or row["kept_at"] > row["found_at"], row


@settings(max_examples=6, deadline=None)
@given(steps=st.lists(STEPS, min_size=10, max_size=30))
def test_live_equals_rebuild_whatever_happens_when(tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[Any, ...]]) -> None:
    live(tmp_path_factory.mktemp("any"), steps)
