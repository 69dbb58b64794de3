"""A year of surveys: four waves of NPS, two of CSAT, one of CES. Who is content answers more often, and better."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from random import Random
from typing import Final, NamedTuple

from opsledger.domain import survey
from opsledger.domain import survey_response as r
from opsledger.example import hazard
from opsledger.example.hazard import Customer
from opsledger.example.simulation import Desk, Life
from opsledger.policies.surveys import SurveyType

__all__ = ["WAVES", "Wave", "ask"]

ROLE: Final = "customer success"
LEAD, OTHER = "u-pia", "u-quy"


class Wave(NamedTuple):
    """A wave: on which day of the year it opens, what it asks, and how many people of each customer."""

    id: str
    day: int
    survey_type: SurveyType
    contacts: int


WAVES: Final = (
    Wave("NPS-2025-Q1", 40, "nps", 2),
    Wave("CSAT-2025-H1", 95, "csat", 1),
    Wave("NPS-2025-Q2", 130, "nps", 2),
    Wave("CES-2025", 165, "ces", 1),
    Wave("NPS-2025-Q3", 221, "nps", 2),
    Wave("CSAT-2025-H2", 274, "csat", 1),
    Wave("NPS-2025-Q4", 313, "nps", 2),
)
OPEN_DAYS: Final = 21
COMMENTS: Final = ("We could not do without it.", "It does what it should.", "It has become slow, and nobody tells us why.")


def ask(desk: Desk, random: Random, wave: Wave, around: Callable[[], list[Customer]]) -> Life:
    """Open a wave, ask, hear, and close it; in one of them an answer is put right by two people."""
    closes_at = desk.now + timedelta(days=OPEN_DAYS)
    desk.record(
        LEAD,
        ROLE,
        survey.open_wave,
        wave.id,
        survey_type=wave.survey_type,
        questionnaire=f"{wave.survey_type} v1",
        closes_at=closes_at,
    )
    for each in around():
        if each.stage == "paying":
            for number in range(wave.contacts):
                contact = f"p-{each.id[2:]}-{number}"
                which = {"wave_id": wave.id, "survey_type": wave.survey_type, "customer_id": each.id, "contact_id": contact}
                desk.record(LEAD, ROLE, r.invite, f"{wave.id}/{contact}", **which)  # type: ignore[arg-type]  # as the decision names them
                if random.random() < hazard.answers(each.mood):
                    desk.begin(
                        desk.now + timedelta(seconds=random.randrange(17_000, 1_000_000)), _answer(desk, random, wave, each, contact)
                    )
    yield 14 * 86_400
    if wave.id == "NPS-2025-Q2":
        _put_right(desk, wave, [f"p-{each.id[2:]}-0" for each in around()])
    yield (closes_at - desk.now).total_seconds()
    desk.record(LEAD, ROLE, survey.close, wave.id)


def _answer(desk: Desk, random: Random, wave: Wave, who: Customer, contact: str) -> Life:
    likely = hazard.promotes(who.mood, random)
    score = {"nps": likely, "csat": 1 + round(likely * 4 / 10), "ces": 1 + round(likely * 6 / 10)}[wave.survey_type]
    desk.record(
        contact,
        "customer",
        r.respond,
        f"{wave.id}/{contact}",
        wave_id=wave.id,
        survey_type=wave.survey_type,
        customer_id=who.id,
        contact_id=contact,
        score=score,
        comment=COMMENTS[0 if likely > 8 else 1 if likely > 6 else 2] if random.random() < 0.6 else None,
    )
    yield 0


def _put_right(desk: Desk, wave: Wave, contacts: list[str]) -> None:
    """The first answer that there is had been typed in from paper one too high."""
    desk.commit()
    for contact in contacts:
        id = f"{wave.id}/{contact}"
        answered = [each for each in desk.history(r.stream_of(wave.id, contact)) if isinstance(each.fact, r.ResponseRecorded)]
        if answered and answered[-1].fact.score > 0:
            position, was = answered[-1].position, answered[-1].fact.score
            people = {"requested_by": LEAD, "approved_by": OTHER}
            desk.record(LEAD, ROLE, r.correct, id, corrects=position, was=was, to=was - 1, reason="The paper says otherwise.", **people)
            return
