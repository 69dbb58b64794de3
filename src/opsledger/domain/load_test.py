"""Load tests: what was offered to a service, what it served, and what the operating model promised it would.

    completed ──> withdrawn, where it was recorded wrongly

Source: Operating Model, "Performance SLAs": throughput; "Site Reliability Engineering": capacity planning.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal, assert_never

from pydantic import Field

from opsledger.domain.concept import Moment, another, concept, starts
from opsledger.domain.fact import At, Personal, Subject, fact
from opsledger.errors import Refused
from opsledger.policies.throughput import Quantity

__all__ = ["Completed", "Environment", "Fact", "LoadTest", "Withdrawn", "complete", "evolve", "withdraw"]

Count = Annotated[int, Field(ge=0)]
Environment = Literal["production", "staging", "test"]


@fact("load_test.completed", at="completed_at")
class Completed:
    """A service was offered a load for a while, as much as it was promised to bear or more."""

    completed_at: At
    started_at: At
    service_id: str
    quantity: Quantity
    environment: Environment
    offered: Count  # the most that was kept up for the time of the test, in the quantity's unit
    served: Count  # of it, what was answered as it should be
    target: Count  # what the operating model promised when the test ended
    policy: str  # that model, by version and digest
    tool: str | None = None
    report_id: str | None = None  # the host's document


@fact("load_test.withdrawn", at="withdrawn_at")
class Withdrawn:
    """The test was recorded wrongly: it shows nothing."""

    withdrawn_at: At
    requested_by: str
    approved_by: str
    subject_id: Subject
    reason: Personal[str]


Fact = Completed | Withdrawn


@dataclass(frozen=True, slots=True)
class LoadTest:
    """When the test ended, and when it was withdrawn."""

    completed_at: datetime
    withdrawn_at: datetime | None = None


@concept("load_test")
def evolve(test: LoadTest | None, event: Fact) -> LoadTest:
    """Return the test after `event`."""
    match event:
        case Completed():
            return LoadTest(event.completed_at)
        case Withdrawn():
            if test is None:
                raise Refused("load_test.unknown", "A load test begins with its completion, not with its withdrawal.")
            return LoadTest(test.completed_at, event.withdrawn_at)
        case _:
            assert_never(event)


@starts
def complete(
    test: LoadTest | None,
    now: Moment,
    /,
    *,
    service_id: str,
    quantity: Quantity,
    started_at: datetime,
    offered: int,
    served: int,
    environment: Environment = "staging",
    tool: str | None = None,
    report_id: str | None = None,
) -> tuple[Fact, ...]:
    """Record a load test that ended now, with what the operating model promises of the quantity. Served is at most what was offered."""
    if test is not None:
        raise Refused("load_test.exists", f"{now.id} is recorded already; record this test under another id.")
    if started_at >= now.at:
        raise Refused("load_test.empty", f"From {started_at.isoformat()} to {now.at.isoformat()} there is no time; give an earlier start.")
    if served > offered:
        raise Refused("load_test.counts", f"{now.id} would have served {served} of {offered} offered; count them again.")
    policy = now.policies.in_force
    completed = Completed(
        completed_at=now.at,
        started_at=started_at,
        service_id=service_id,
        quantity=quantity,
        environment=environment,
        offered=offered,
        served=served,
        target=policy.model.performance.promised(quantity),
        policy=policy.ref,
        tool=tool,
        report_id=report_id,
    )
    return (completed,)


def withdraw(test: LoadTest, now: Moment, /, *, reason: str, requested_by: str, approved_by: str) -> tuple[Fact, ...]:
    """Record that the test was recorded wrongly. Another person approves. Record the right one under another id."""
    another(approved_by, requested_by, "this withdrawal")
    if not reason.strip():
        raise Refused("load_test.no_reason", "A withdrawal changes what is reported; say why.")
    if test.withdrawn_at is not None:
        return ()
    return (Withdrawn(withdrawn_at=now.at, requested_by=requested_by, approved_by=approved_by, subject_id=now.stream, reason=reason),)
