"""load_test: did a service bear the load that is promised of it, when it was tried?

Grain: one row per load test. A test that served all of less than the target shows no limit, and is no verdict.
"""

from __future__ import annotations

from dataclasses import dataclass

from opsledger.domain.load_test import Completed, Withdrawn
from opsledger.domain.recorded import Recorded
from opsledger.policies.instants import micros
from opsledger.policies.throughput import shown_by_test
from opsledger.projections.kinds import Entity, Rows
from opsledger.projections.table import Table, boolean, instant, integer, text

__all__ = ["LOAD_TEST", "PROJECTIONS"]

LOAD_TEST = Table(
    "load_test",
    "One row per load test.",
    key=("load_test_id",),
    columns=(
        text("load_test_id", "Id of the test, the host's."),
        text("service_id", "Service that was tried."),
        text("quantity", "requests_per_minute, concurrent_users or documents_per_hour."),
        text("environment", "production, staging or test."),
        instant("started_at", "When it began."),
        instant("completed_at", "When it ended."),
        integer("offered", "The most that was offered for the time of the test, in the quantity's unit."),
        integer("served", "Of it, what was answered as it should be: served / offered is the share served."),
        integer("target", "What the operating model promised when the test ended."),
        boolean("met", "Whether it served the target: no where it served less of what was offered; null: no verdict."),
        text("null_reason", "Why there is no verdict; null when there is."),
        text("tool", "The tool that made the load; null: not said."),
        text("report_id", "The host's document; null: not said."),
        text("policy_ref", "The operating model whose target it was."),
        instant("withdrawn_at", "When it was found to have been recorded wrongly; null: it was not."),
        integer("last_position", "Position of the newest fact used."),
    ),
    indexes=(("service_id", "completed_at"),),
)


@dataclass(slots=True)
class _Test:
    id: str
    said: Completed | None = None
    withdrawn_at: int | None = None
    last_position: int = 0


def _fold(test: _Test, recorded: Recorded) -> _Test:
    event = recorded.fact
    if isinstance(event, Withdrawn):
        test.withdrawn_at = micros(event.withdrawn_at)
    else:
        test.said = event
    test.last_position = max(test.last_position, recorded.position)
    return test


def _rows(test: _Test) -> Rows:
    said = test.said
    assert said is not None  # a test begins with its completion
    met = shown_by_test(said.offered, said.served, said.target) if test.withdrawn_at is None else None
    reason = "all was served of less than the target" if test.withdrawn_at is None else "it was recorded wrongly"
    row = (
        test.id,
        said.service_id,
        said.quantity,
        said.environment,
        micros(said.started_at),
        micros(said.completed_at),
        said.offered,
        said.served,
        said.target,
        met,
        reason if met is None else None,
        said.tool,
        said.report_id,
        said.policy,
        test.withdrawn_at,
        test.last_position,
    )
    return {LOAD_TEST.name: [row]}


PROJECTIONS = (Entity("load_test", 1, "load_test", (LOAD_TEST,), _Test, _fold, _rows),)
