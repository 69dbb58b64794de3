"""What the tests of availability do: a service with its objective and monitor, what locations see, incidents, maintenance."""

from __future__ import annotations

from typing import Any

from opsledger.app import OpsLedger, Taken
from opsledger.app.recording import Receipt
from opsledger.domain import maintenance, monitor, outage, probe, service, slo
from opsledger.policies.instants import SECOND
from opsledger.testing import at

SLO = "platform-uptime"
LOCATIONS = ("ap", "eu", "us")
PEOPLE = {"proposed_by": "u-1", "approved_by": "u-2"}


def act(ledger: OpsLedger, when: str, decision: Any, id: str, role: str = "sre", by: str = "u-7", **arguments: Any) -> Receipt:
    return ledger.by(by, role=role, at=at(when)).record(decision, id, **arguments)


def promise(ledger: OpsLedger, id: str = SLO, since: str = "2026-03-01T00:00:00Z", **terms: Any) -> Receipt:
    """Publish the platform's objective, effective from a time that may lie in the past."""
    given = {"service_id": "platform", "effective_from": at(since), "reason": "As the contract says", **PEOPLE, **terms}
    return ledger.by("u-1", role="sre").record(slo.publish, id, **given)


def run(ledger: OpsLedger, *, silent_after_s: int | None = None, **terms: Any) -> None:
    """Register the platform, a monitor of three locations, and the objective; all locations see it up from the first of March on."""
    act(ledger, "2026-03-01T00:00:00Z", service.register, "platform", name="Platform", kind="platform", owner_id="t-1")
    watching: dict[str, Any] = {"services": ("platform",), "locations": LOCATIONS, "silent_after_s": silent_after_s}
    told = {"category": "infrastructure", "tool": "Blackbox", "check": "http"}
    act(ledger, "2026-03-01T00:00:00Z", monitor.register, "outside", **told, **watching)
    promise(ledger, **terms)
    see(ledger, *((location, "2026-03-01T00:00:00Z", "up") for location in LOCATIONS))


def see(ledger: OpsLedger, *seen: tuple[str, str, probe.State]) -> None:
    """Observe changes of state, each as (location, when, state)."""
    taken = []
    for location, when, state in seen:
        fact = probe.StateChanged(changed_at=at(when), service_id="platform", location=location, state=state)
        taken.append(Taken(f"{location} {when} {state}", ((probe.stream_of("platform", location, at(when)), fact),)))
    ledger.by("m-1", role="monitor").observe(taken, source="blackbox")


def fail(ledger: OpsLedger, since: str, until: str, *locations: str) -> None:
    """Let locations, by default all, see the platform down from one time until another."""
    for location in locations or LOCATIONS:
        see(ledger, (location, since, "down"), (location, until, "up"))


def maintain(ledger: OpsLedger, start: str, end: str, *, told: str | None, id: str = "M-1", ended: str | None = None) -> None:
    """Plan maintenance on the fifth, tell customers of it at a time, do it."""
    given: dict[str, Any] = {"services": ("platform",), "title": "New disks", "start_at": at(start), "end_at": at(end)}
    act(ledger, "2026-03-05T00:00:00Z", maintenance.schedule, id, **given)
    if told is not None:
        act(ledger, told, maintenance.notify, id, audience="customers", channel="email")
    act(ledger, start, maintenance.start, id)
    act(ledger, ended or end, maintenance.complete, id)


def reclassify(ledger: OpsLedger, start: str, end: str, was: str, to: str) -> Receipt:
    people = {"reason": "The contract says so", "requested_by": "u-7", "approved_by": "u-8"}
    given = {"start_at": at(start), "end_at": at(end), "was": was, "to": to, **people}
    return ledger.by("u-7", role="sre").record(outage.reclassify, "platform", **given)


def months(ledger: OpsLedger, slo_id: str = SLO) -> dict[str, dict[str, Any]]:
    """Return the rows of sla_month of an objective by month."""
    rows = ledger.tables.select("sla_month", at_least=ledger.store.head().position, service_id="platform", slo_id=slo_id)
    return {row["month"]: row for row in rows}


def intervals(ledger: OpsLedger, month: str = "2026-03", slo_id: str = SLO) -> list[dict[str, Any]]:
    """Return the rows of availability_interval of a month in the order of time."""
    rows = ledger.tables.select("availability_interval", at_least=ledger.store.head().position, service_id="platform", slo_id=slo_id)
    return sorted((row for row in rows if row["month"] == month), key=lambda row: row["from_at"])


def seconds(row: dict[str, Any], *names: str) -> tuple[float, ...]:
    """Return lengths of a row in seconds by the names of their columns without unit."""
    return tuple(row[f"{name}_us"] / SECOND for name in names)


def live_is_rebuilt(ledger: OpsLedger) -> None:
    """Assert that the rows kept live are those that a rebuild makes."""
    ledger.catch_up()
    found = [(each.table, each.keys) for each in ledger.tables.rebuild() if each.rows]
    assert found == [], f"live was not what a rebuild makes: {found}"
