"""Any order of batches, load tests, gauges, objectives and signs of life, late ones included: live rows equal rebuilt rows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from measurement_acts import observe, window

from opsledger.app import OpsLedger
from opsledger.domain import batch, ledger, load_test, monitor, probe, slo
from opsledger.domain.measurement import gauge
from opsledger.errors import Refused, Unknown
from opsledger.testing.plugin import Clock

WORDS = (
    *("define", "run", "run", "withdraw run", "retire job", "close day", "close day", "test", "gauge", "window", "promise", "end promise"),
    *("watch", "rewatch", "retire monitor", "hear", "hear", "probe", "catch up"),
)
STEPS = st.tuples(st.sampled_from(WORDS), st.integers(1, 5), st.integers(0, 2000), st.integers(0, 2000), st.booleans())
PEOPLE = {"proposed_by": "u-7", "approved_by": "u-8"}
ASKED = {"requested_by": "u-7", "approved_by": "u-8", "reason": "The log says so"}


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
        now = self.clock.now - timedelta(minutes=late)
        before, id = now - timedelta(minutes=minutes % 300 + 1), f"{'one' if other else 'two'}"
        match word:
            case "define":
                hours = {"opens": f"{number * 4:02d}:30", "closes": "05:00", "weekdays": ("sat", "sun", "mon") if other else ("sun",)}
                zone = "Europe/Berlin" if other else "America/New_York"
                self.act(batch.define, "index", late, service_id="api", zone=zone, **hours, **PEOPLE)
            case "run":
                outcome = "failed" if number == 1 else "succeeded"
                self.act(batch.complete, "index", late, run_id=f"R-{minutes % 9}", started_at=before, outcome=outcome)
            case "withdraw run":
                begun = self.ledger.store.heads(["batch:index"])
                told = self.ledger.history("batch:index") if begun else ()
                runs = [each for each in told if isinstance(each.fact, batch.RunCompleted)]
                if runs:
                    self.act(batch.withdraw, "index", late, withdraws=runs[minutes % len(runs)].position, **ASKED)
            case "retire job" if number == 1:
                self.act(batch.retire, "index", late)
            case "close day":
                self.act(ledger.close_day, "self", 0)
            case "test":
                tried = {"service_id": "api", "quantity": "documents_per_hour", "started_at": before, "offered": minutes, "served": minutes}
                self.act(load_test.complete, f"LT-{number}", late, **tried)
            case _:
                self.watch(word, number, minutes, late, id)

    def watch(self, word: str, number: int, minutes: int, late: int, id: str) -> None:
        now = self.clock.now - timedelta(minutes=late)
        told = {"tool": "t", "check": "c", "services": ("api", "web")[:number], "locations": ("eu", "us")[: minutes % 3]}
        silent = {"category": "security" if number > 3 else "application", "silent_after_s": 86_400 * 2 if minutes % 2 else None}
        match word:
            case "gauge":
                named = {"service_id": "web", "kind": "web", "source": id}
                start = now - timedelta(hours=1)
                observe(self.ledger, gauge("users", started_at=start, ended_at=now, concurrent_peak=minutes, revision=number, **named))
            case "window":
                observe(
                    self.ledger,
                    window(f"{now - timedelta(minutes=1):%Y-%m-%dT%H:%M:%SZ}", [1000] * number, source=id, rejected=minutes % 2),
                )
            case "promise":
                given: dict[str, Any] = {"objective": "requests", "series_id": "api-requests"} if number > 2 else {"measured_by": "probes"}
                self.act(
                    slo.publish,
                    f"api-{'requests' if number > 2 else 'up'}",
                    late,
                    service_id="api",
                    target_pct=Decimal(99),
                    **given,
                    **PEOPLE,
                )
            case "end promise" if number == 1:
                self.act(slo.withdraw, "api-requests" if minutes % 2 else "api-up", late, reason="It ended", **PEOPLE)
            case "watch":
                self.act(monitor.register, id, late, **told, **silent)
            case "rewatch":
                self.act(monitor.reconfigure, id, late, **told, **silent)
            case "retire monitor" if number == 1:
                self.act(monitor.retire, id, late)
            case "hear":
                self.act(monitor.hear, id, late, location="eu" if minutes % 4 == 0 else None)
            case "probe":
                stream = probe.stream_of("api", "eu", now).partition(":")[2]
                self.act(probe.report, stream, late, service_id="api", location="eu", state="up" if number > 2 else "down")
            case "catch up":
                self.ledger.catch_up()


def live(folder: Path, steps: list[tuple[Any, ...]]) -> None:
    """Do all that, and assert what is true of every history."""
    clock = Clock("2026-03-25T10:00:00Z")
    with OpsLedger.create(f"sqlite:///{folder}/ops.db", simulated=True, clock=clock, ledger_id="0" * 32) as ledger:
        acts = Acts(ledger, clock)
        for word, number, minutes, late, other in steps:
            clock.forward(minutes=minutes)
            acts.take(word, number, minutes, late, other)
        ledger.catch_up()
        assert [each.table for each in ledger.tables.rebuild() if each.rows] == []
        for row in ledger.tables.select("batch_month"):
            assert row["windows"] == row["on_time"] + row["late"] + row["outside"] + row["missed"]
        for row in ledger.tables.select("capacity_month"):
            ways = ("full_windows", "little_demand_windows", "short_windows", "unknown_windows")
            assert row["windows"] == sum(row[name] for name in ways)
        for row in ledger.tables.select("control_finding"):
            assert row["kept_at"] is None or row["kept_at"] > row["found_at"], row
        open_findings = {
            row["subject"]
            for row in ledger.tables.select("control_finding")
            if row["control"] == "slo_without_source" and row["kept_at"] is None
        }
        for row in ledger.tables.select("slo_coverage"):
            assert not row["covered"] or f"slo:{row['slo_id']}" not in open_findings, row


@settings(max_examples=5, deadline=None)
@given(steps=st.lists(STEPS, min_size=10, max_size=30))
def test_live_equals_rebuild_whatever_was_borne_and_watched(tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[Any, ...]]) -> None:
    live(tmp_path_factory.mktemp("any"), steps)
