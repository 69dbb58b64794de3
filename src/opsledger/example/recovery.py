"""A year of being prepared: shipped changes, quarterly drills of which one took too long, checks, a restore, and what programs did.

Its chance is its own, so that the rest of the story does not depend on it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random
from typing import Final

from opsledger.domain import automation_run, integrity_check, recovery_drill, recovery_point, restore
from opsledger.example.changes import ENGINEERS, MANAGER
from opsledger.example.platform import OPERATIONS, see
from opsledger.example.simulation import Desk, Life
from opsledger.policies.instants import at

__all__ = ["Recovery"]

DATABASE: Final = "database"
PROGRAM: Final = ("operator", "automation")
STUCK: Final = (at("2025-04-09T09:10:00Z"), at("2025-04-09T11:25:00Z"))  # the shipping of changes stood still
DRILLS: Final = {"2025-02-12": 41, "2025-05-14": 52, "2025-08-13": 74, "2025-11-12": 38}  # minutes until the service was back
OUTCOMES: Final[tuple[automation_run.Outcome, ...]] = ("succeeded", "handed_over", "failed")
MISMATCH: Final = "2025-06-15"
FAILURE: Final = at("2025-06-12T14:00:00Z")
"""On a bad day the database's disk fails with the rest."""


class Recovery:
    """What is done day by day so that nothing is lost, and what is done when something is."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._random = Random(f"{desk.seed} recovery")  # noqa: S311  # chance for a story, not for a secret

    def plan(self, day: datetime) -> None:
        """Let the things of a day happen."""
        desk, random, name = self._desk, self._random, f"{day:%Y-%m-%d}"
        for begin, end in self._shipped(day):
            desk.schedule(end + timedelta(minutes=random.randrange(4, 20)), lambda begin=begin, end=end: self._take(begin, end))  # type: ignore[misc]  # a loop's own stretch
        if day.weekday() == 6:
            desk.begin(day + timedelta(hours=3), self._check(name, day))
        if name in DRILLS:
            desk.begin(day + timedelta(hours=9), self._drill(name, DRILLS[name]))
        if day <= FAILURE < day + timedelta(days=1):
            desk.begin(FAILURE, self._fail())
        self._automate(day)

    def _shipped(self, day: datetime) -> list[tuple[datetime, datetime]]:
        """Return when changes were shipped all the time, of a day."""
        until = day + timedelta(days=1)
        return [(day, STUCK[0]), (STUCK[1], until)] if day <= STUCK[0] < until else [(day, until)]

    def _take(self, begin: datetime, end: datetime) -> None:
        self._desk.record(
            *PROGRAM,
            recovery_point.take,
            recovery_point.stream_of(DATABASE, self._desk.now).partition(":")[2],
            service_id=DATABASE,
            point_id=f"{begin:%Y-%m-%dT%H%M}",
            kind="log",
            recoverable_at=end,
            covers_from=begin,
            lost_at_most_us=self._random.randrange(40, 300) * 1_000_000,
            place="another region",
            size_bytes=self._random.randrange(2, 9) * 10**9,
        )

    def _check(self, name: str, day: datetime) -> Life:
        yield self._random.randrange(600, 3600)
        id, rows = f"IC-{name}", 1_200_000 + 4_000 * day.timetuple().tm_yday
        self._desk.record(
            *PROGRAM,
            integrity_check.complete,
            id,
            service_id=DATABASE,
            scope="all tables",
            against="checksums",
            rows=rows,
            mismatches=3 if name == MISMATCH else 0,
            digest=f"{self._random.getrandbits(256):064x}",
        )
        if name == MISMATCH:
            yield 20 * 3600
            self._desk.record(ENGINEERS[1], OPERATIONS, integrity_check.repair, id, rows=3, remark="Written anew from the replica.")

    def _drill(self, name: str, minutes: int) -> Life:
        failed = self._desk.now
        yield 60 * minutes + 5400
        self._desk.record(
            MANAGER,
            OPERATIONS,
            recovery_drill.complete,
            f"DR-{name}",
            service_id=DATABASE,
            failed_at=failed,
            recovered_to=failed - timedelta(seconds=self._random.randrange(30, 280)),
            restored_at=failed + timedelta(minutes=minutes),
            scenario="provider" if minutes > 60 else "hardware",
            remark="The keys of the other region were not at hand." if minutes > 60 else None,
        )

    def _fail(self) -> Life:
        desk, failed = self._desk, self._desk.now
        see(desk, DATABASE, "down", error="io_error")
        yield 420
        desk.record(
            ENGINEERS[2],
            OPERATIONS,
            restore.start,
            "RS-1",
            service_id=DATABASE,
            failed_at=failed,
            cause="hardware",
            incident_id="INC-662",
            point_id=f"{failed - timedelta(days=1):%Y-%m-%dT0000}",
        )
        yield 2700
        see(desk, DATABASE, "up")
        desk.record(ENGINEERS[2], OPERATIONS, restore.complete, "RS-1", recovered_to=failed - timedelta(seconds=190))

    def _automate(self, day: datetime) -> None:
        random = self._random
        if random.random() < 0.3:
            healed = random.choices(OUTCOMES, weights=(85, 11, 4))[0]
            self._ran("restart-worker", "self_healing", day, healed, "alert", service_id=random.choice(("api", "documents", "web")))
        if day.weekday() in (1, 3):
            deployed = random.choices(OUTCOMES, weights=(93, 0, 7))[0]
            self._ran("deploy", "deployment", day, deployed, "change", service_id="api")
            if deployed == "failed":
                self._ran("roll-back", "rollback", day, "succeeded", "alert", service_id="api")
        if day.day == 1:
            self._ran("apply-infrastructure", "infrastructure", day, "succeeded", "person")
            self._ran("rotate-certificates", "task", day, "succeeded", "schedule")

    def _ran(
        self,
        automation_id: str,
        kind: automation_run.Kind,
        day: datetime,
        outcome: automation_run.Outcome,
        trigger: automation_run.Trigger,
        service_id: str | None = None,
    ) -> None:
        begin = day + timedelta(seconds=self._random.randrange(80_000))
        end = begin + timedelta(seconds=self._random.randrange(20, 900))
        stream = automation_run.stream_of(automation_id, end).partition(":")[2]
        self._desk.schedule(
            end,
            lambda: self._desk.record(
                *PROGRAM,
                automation_run.end,
                stream,
                automation_id=automation_id,
                run_id=f"{begin:%Y-%m-%dT%H%M%S}",
                started_at=begin,
                kind=kind,
                outcome=outcome,
                trigger=trigger,
                service_id=service_id,
            ),
        )
