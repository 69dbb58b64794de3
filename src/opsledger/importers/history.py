"""History that comes in late: what must hold before the first of its facts can be recorded.

Clocks count on calendars that cover the time, and pin an operating model effective from before it. Both are published for
the import, with a reason that says so, by a proposer and another approver.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

from opsledger.domain import calendar, policy
from opsledger.policies import documents
from opsledger.policies.instants import DAY_S, SECOND, moment
from opsledger.policies.known import PublishedModel
from opsledger.policies.operating_model import OperatingModel, default_model

if TYPE_CHECKING:
    from opsledger.app import OpsLedger

__all__ = ["History", "history_model", "prepare"]

_DAY: Final = DAY_S * SECOND
_KNOWABLE: Final = ("resolution",)


@dataclass(frozen=True, slots=True)
class History:
    """Happenings of another system in [first, last], microseconds, and who answers for their model and calendars."""

    first: int
    last: int
    proposer: str
    approver: str
    reason: str


@cache
def history_model() -> OperatingModel:
    """Return the default operating model without what a log of states cannot show.

    Such a log has no messages: nobody can know from it when a person first answered, or when the customer was told how it
    stands, so every first response and update would seem missed. It has no support levels either, so that nothing escalates.
    What remains are the resolution targets of the source document.
    """
    document = default_model().model_dump(mode="json", by_alias=True)
    support = document["support"]
    for tier in support["tiers"].values():
        tier["targets"] = {metric: target for metric, target in tier["targets"].items() if metric in _KNOWABLE}
        tier["escalates"] = None
    for level in support["levels"].values():
        level["escalates"] = None
    support["executive_on_breach_of"] = []
    return OperatingModel.model_validate(document)


def prepare(ledger: OpsLedger, history: History) -> str:
    """Publish what the time of a history lacks; return the reference of the model that its tickets pin.

    Where the calendars reach and the model was published for an earlier import, nothing is. Raises Refused where the
    approver is the proposer.
    """
    start = (history.first - 1) // _DAY * _DAY
    _cover(ledger, history, start)
    return _hold(ledger, history, start)


def _cover(ledger: OpsLedger, history: History, start: int) -> None:
    """Publish each calendar from `start` where it begins later, by its own earliest hours; extend it where it ends too soon."""
    actor, known = ledger.by(history.proposer, role="import"), ledger.known
    for name in known.calendars():
        time = known.calendar(name)
        if time.begin > start:
            actor.record(
                calendar.publish,
                name,
                definition=known.versions(name)[0].definition,
                proposed_by=history.proposer,
                approved_by=history.approver,
                effective_from=moment(start),
                reason=f"{history.reason}: its hours begin before those known",
            )
        if time.end <= history.last:
            actor.record(calendar.extend, name)


def _hold(ledger: OpsLedger, history: History, start: int) -> str:
    """Return the model of imports that holds from `start` or before; publish it where none does."""
    before = ledger.known.models()
    if (found := _published(before, start)) is not None:
        return found.ref
    _publish(ledger, history, history_model(), start, f"{history.reason}: only what its log can show is promised")
    made = _published(ledger.known.models(), start)
    assert made is not None  # published just now
    # A model holds until a later one does. This one is for history only: what held after it goes on to hold.
    after = history.last + 60 * SECOND
    held = [model for model in before if model.effective_from <= after]
    if held and ledger.known.in_force(after).ref == made.ref:
        _publish(ledger, history, held[-1].model, after, f"{history.reason}: what held before goes on after it")
    return made.ref


def _published(models: list[PublishedModel], start: int) -> PublishedModel | None:
    fitting = [each for each in models if each.model == history_model() and each.effective_from <= start]
    return fitting[-1] if fitting else None


def _publish(ledger: OpsLedger, history: History, model: OperatingModel, effective_from: int, reason: str) -> None:
    ledger.by(history.proposer, role="import").record(
        policy.publish,
        policy.NAME,
        document=documents.canonical(model),
        proposed_by=history.proposer,
        approved_by=history.approver,
        effective_from=moment(effective_from),
        reason=reason,
    )
