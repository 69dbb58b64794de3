"""Usage: corrections, voids, and periods closed by what was known."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from opsledger.domain import usage
from opsledger.policies.instants import micros
from opsledger.policies.usage import counted
from opsledger.testing import Spec, at, recorded

SPEC = Spec("usage:S-1/2026-03")
FIRST = SPEC.known.position + 1
PEOPLE: dict[str, Any] = {"requested_by": "u-1", "approved_by": "u-2", "reason": "The meter ran twice"}
WHOSE: dict[str, Any] = {"customer_id": "C-1", "subscription_id": "S-1"}


def used(day: str, quantity: str, event_id: str = "e-1") -> usage.Used:
    return usage.Used(used_at=at(day), meter="calls", quantity=Decimal(quantity), event_id=event_id, event_source="gate", **WHOSE)


def corrected(day: str, delta: str, position: int = FIRST) -> usage.Corrected:
    who = {**WHOSE, **PEOPLE, "subject_id": "usage:S-1/2026-03"}
    return usage.Corrected(corrected_at=at(day), corrects=position, event_id="e-1", quantity_delta=Decimal(delta), **who)


VOIDED = usage.Voided(voided_at=at("2026-03-20"), voids=FIRST, event_id="e-1", subject_id="usage:S-1/2026-03", **WHOSE, **PEOPLE)
KNOWN = SPEC.given(used("2026-03-05", "10"))


def test_an_event_is_corrected_by_two_people() -> None:
    asked: dict[str, Any] = {"corrects": FIRST, "quantity_delta": Decimal("-2.5"), **PEOPLE}
    KNOWN.when(usage.correct, at=at("2026-03-10"), **asked).then(corrected("2026-03-10", "-2.5"))
    SPEC.given(used("2026-03-05", "10"), corrected("2026-03-10", "-2.5")).when(usage.correct, at=at("2026-03-10"), **asked).then_nothing()
    KNOWN.when(usage.correct, at=at("2026-03-10"), **{**asked, "quantity_delta": Decimal(0)}).then_refused("changes nothing")
    KNOWN.when(usage.correct, at=at("2026-03-10"), **{**asked, "approved_by": "u-1"}).then_refused("cannot approve it too")
    KNOWN.when(usage.correct, at=at("2026-03-10"), **{**asked, "corrects": FIRST + 1}).then_refused("is no fact of usage:S-1/2026-03")
    again = SPEC.given(used("2026-03-05", "10"), corrected("2026-03-10", "-2.5"))
    again.when(usage.correct, at=at("2026-03-11"), **{**asked, "corrects": FIRST + 1}).then_refused("is no event of usage")


def test_a_voided_event_takes_no_correction() -> None:
    KNOWN.when(usage.void, at=at("2026-03-20"), voids=FIRST, **PEOPLE).then(VOIDED)
    voided = SPEC.given(used("2026-03-05", "10"), VOIDED)
    voided.when(usage.void, at=at("2026-03-21"), voids=FIRST, **PEOPLE).then_nothing()
    voided.when(usage.correct, at=at("2026-03-21"), corrects=FIRST, quantity_delta=Decimal(1), **PEOPLE).then_refused("was voided")


def test_what_counts_is_bounded_by_when_it_was_used_and_by_when_that_was_recorded() -> None:
    facts = [
        used("2026-03-05", "10"),
        used("2026-03-31T23:59:59Z", "1", "e-2"),
        corrected("2026-04-02", "-2.5"),
        used("2026-04-01", "100", "e-3"),
    ]
    written = [recorded(fact, "usage:S-1/2026-03", i, FIRST + i - 1) for i, fact in enumerate(facts, 1)]
    entries, april = usage.entries(written, "calls"), micros(at("2026-04-01"))
    assert counted(entries, april) == Decimal("8.5")
    assert counted(entries, april, micros(at("2026-04-02"))) == Decimal(11)
    assert counted(entries, april, micros(at("2026-03-05"))) == 0
    assert usage.entries(written, "storage") == []


def test_a_voided_event_counts_for_nothing_with_its_corrections() -> None:
    facts = [used("2026-03-05", "10"), corrected("2026-03-10", "5"), VOIDED]
    written = [recorded(fact, "usage:S-1/2026-03", i, FIRST + i - 1) for i, fact in enumerate(facts, 1)]
    assert counted(usage.entries(written, "calls"), micros(at("2026-04-01"))) == 0


def closed(cutoff: str, quantity: str = "10") -> usage.PeriodClosed:
    return usage.PeriodClosed(
        closed_at=at("2026-04-05"),
        meter="calls",
        starts_at=at("2026-03-01"),
        ends_at=at("2026-04-01"),
        knowledge_cutoff_at=at(cutoff),
        quantity=Decimal(quantity),
        **WHOSE,
    )


def test_a_period_is_closed_by_what_was_known_and_again_only_by_what_was_known_later() -> None:
    asked: dict[str, Any] = {**WHOSE, "meter": "calls", "starts_at": at("2026-03-01"), "ends_at": at("2026-04-01"), "quantity": Decimal(10)}
    KNOWN.when(usage.close_period, at=at("2026-04-05"), **asked, knowledge_cutoff_at=at("2026-04-02")).then(closed("2026-04-02"))
    once = SPEC.given(used("2026-03-05", "10"), closed("2026-04-02"))
    once.when(usage.close_period, at=at("2026-04-05"), **asked, knowledge_cutoff_at=at("2026-04-02")).then_nothing()
    once.when(usage.close_period, at=at("2026-04-05"), **asked, knowledge_cutoff_at=at("2026-04-01")).then_refused("later cut-off only")
    once.when(usage.close_period, at=at("2026-04-05"), **asked, knowledge_cutoff_at=at("2026-04-03")).then(closed("2026-04-03"))
    once.when(usage.close_period, at=at("2026-04-05"), **asked, knowledge_cutoff_at=at("2026-04-06")).then_refused("is not known yet")
    backwards = {**asked, "ends_at": at("2026-03-01"), "knowledge_cutoff_at": at("2026-04-02")}
    once.when(usage.close_period, at=at("2026-04-05"), **backwards).then_refused("does not run forwards")
    elsewhere = {**asked, "starts_at": at("2026-02-28"), "knowledge_cutoff_at": at("2026-04-02")}
    once.when(usage.close_period, at=at("2026-04-05"), **elsewhere).then_refused("belongs to the id S-1/2026-02")
