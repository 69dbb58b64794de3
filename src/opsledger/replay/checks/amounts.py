"""Amounts: what a change of a subscription came to is what its rule and the facts before it give, computed again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from datetime import datetime
from typing import Any, Final

from opsledger.audit.continuity import misfit
from opsledger.audit.findings import Checked
from opsledger.domain import subscription as s
from opsledger.domain.billing import Proration, again
from opsledger.domain.concept import Concept
from opsledger.errors import OpsledgerError
from opsledger.ledger.codec import read
from opsledger.ledger.envelope import Row
from opsledger.policies.zones import VERSION
from opsledger.replay.checks.task import Task, concept_at, place

__all__ = ["amounts"]

_Change = s.PlanChanged | s.QuantityChanged | s.Ended
_CONCEPT: Final = "subscription"
_BY_RULE: Final = ("part", "whole", "credit_minor", "charge_minor", "net_minor")
"""What follows from the rest that a fact says, in the order in which it is computed."""


def amounts(task: Task) -> None:
    """Check the amounts of every subscription."""
    for rows in task.streams():
        concept = concept_at(rows[0])
        if concept is not None and concept.name == _CONCEPT:
            task.result.count("subscriptions")
            _amounts_of(rows, concept, task.result)


def _amounts_of(rows: Sequence[Row], concept: Concept, result: Checked) -> None:
    """Compute the amounts of one subscription, each from the facts recorded before it. Those that came from elsewhere are not ours."""
    state: s.Subscription | None = None
    for row in rows:
        if (wrong := misfit(row)) is not None:
            result.leave(f"The amounts of {row.stream} from position {row.position} on: {wrong} holds what does not belong there.")
            return
        try:
            event = read(row).fact
            if state is not None and row.source is None and isinstance(event, _Change):
                _compare(row, event, state, result)
            state = concept.evolve(state, event)
        except OpsledgerError as error:
            result.leave(f"The amounts of {row.stream} from position {row.position} on: {error.sentence}")
            return


def _compare(row: Row, event: _Change, before: s.Subscription, result: Checked) -> None:
    said, at = event.proration, s.happened_at(event)
    expected = _expected(event, before, at)
    if said is None or expected is None:
        if said is not expected and not (said is None and isinstance(event, s.Ended)):  # an end gives back only where that was agreed
            result.count("amounts")
            result.find(
                f"Position {row.position} ({row.topic} in {row.stream}) says {'amounts' if said else 'none'} where "
                f"{'none' if said else 'amounts'} would be.",
                **place(row, "state.proration"),
            )
        return
    result.count("amounts")
    wrong = {
        each.name: getattr(expected, each.name) for each in fields(Proration) if getattr(expected, each.name) != getattr(said, each.name)
    }
    if not wrong:
        return
    if said.tzdata != VERSION and not {"old_minor", "new_minor", "currency"} & wrong.keys():
        result.leave(f"Position {row.position} was computed by the tz database {said.tzdata}, and this program has {VERSION}.")
        return
    # Name what was changed rather than what would follow from it.
    own = again(said, _length(event), at)
    names = [name for name in _BY_RULE if getattr(own, name) != getattr(said, name)] or list(wrong)
    name = names[0]
    right, found = str(wrong.get(name, getattr(own, name))), str(getattr(said, name))
    result.find(
        f"Position {row.position} ({row.topic} in {row.stream}) says {name} {found}; its rule and the facts before it give {right}.",
        **place(row, f"state.proration.{name}"),
        expected=right,
        found=found,
    )


def _expected(event: _Change, before: s.Subscription, at: datetime) -> Proration | None:
    """Return the amounts by what was known before; None: nothing ran."""
    standing = before.at(at)
    rule = event.proration.rule if event.proration is not None else None
    if isinstance(event, s.Ended):
        new_minor, anew = 0, False
    else:
        new_minor = s.priced(event.terms, standing.discount_at(at))
        anew = standing.billed and event.terms.length != standing.terms.length
    made = s.prorated(standing, at, new_minor, rule, anew=anew)
    return made if made is None or event.proration is None else replace(made, tzdata=event.proration.tzdata)


def _length(event: _Change) -> Any:
    return (event.was if isinstance(event, s.PlanChanged) else event.terms).length
