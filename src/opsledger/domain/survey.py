"""Survey waves: whom we ask what, by which questionnaire, from when until when. What is answered: `survey_response`.

    wave opened ──> wave closed

Source: Operating Model, "Customer Health Monitoring", "Key Performance Indicators".
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Literal, assert_never

from pydantic import Field

from opsledger.domain.concept import Moment, concept, starts
from opsledger.domain.fact import At, fact
from opsledger.errors import Refused
from opsledger.policies.surveys import SurveyType

__all__ = ["Fact", "Trigger", "Wave", "WaveClosed", "WaveOpened", "close", "evolve", "open_wave"]


Trigger = Literal["relationship", "transactional", "ticket"]
"""What made us ask: the time of year, something that the customer did, or a ticket."""


@fact("survey.wave_opened", at="opened_at")
class WaveOpened:
    """A wave of a survey began: invitations go out, answers count from here on."""

    opened_at: At
    survey_type: SurveyType
    questionnaire: Annotated[str, Field(min_length=1, max_length=200)]  # id and version of what is asked
    trigger: Trigger
    closes_at: At | None = None  # from when answers shall count no more; null: until it is closed


@fact("survey.wave_closed", at="closed_at")
class WaveClosed:
    """A wave ended: what is answered afterwards does not count."""

    closed_at: At


Fact = WaveOpened | WaveClosed


@dataclass(frozen=True, slots=True)
class Wave:
    """A wave as it was opened, and when it was closed."""

    opened: WaveOpened
    closed_at: datetime | None = None


@concept("survey")
def evolve(wave: Wave | None, event: Fact) -> Wave:
    """Return the wave after `event`."""
    if wave is None:
        if not isinstance(event, WaveOpened):
            raise Refused("survey.unopened", f"A wave begins with its opening, not with {type(event).__name__}.")
        return Wave(event)
    match event:
        case WaveOpened():
            return wave
        case WaveClosed():
            return replace(wave, closed_at=event.closed_at if wave.closed_at is None else min(event.closed_at, wave.closed_at))
        case _:
            assert_never(event)


@starts
def open_wave(
    wave: Wave | None,
    now: Moment,
    /,
    *,
    survey_type: SurveyType,
    questionnaire: str,
    trigger: Trigger = "relationship",
    closes_at: datetime | None = None,
) -> tuple[Fact, ...]:
    """Record that a wave began. Adds nothing where it did, with the same terms."""
    if closes_at is not None and closes_at <= now.at:
        raise Refused("survey.backwards", f"A wave that opens at {now.at.isoformat()} cannot close at {closes_at.isoformat()}.")
    opened = WaveOpened(opened_at=now.at, survey_type=survey_type, questionnaire=questionnaire, trigger=trigger, closes_at=closes_at)
    if wave is not None and wave.opened != opened:
        raise Refused("survey.exists", f"{now.id} is a wave already, with other terms; open another one.")
    return () if wave is not None else (opened,)


def close(wave: Wave, now: Moment, /) -> tuple[Fact, ...]:
    """Record that a wave ended. One that is found to have ended earlier, ended earlier."""
    if now.at < wave.opened.opened_at:
        raise Refused("survey.before_opening", f"{now.id} opened at {wave.opened.opened_at.isoformat()}; it cannot have ended before.")
    return () if wave.closed_at is not None and wave.closed_at <= now.at else (WaveClosed(closed_at=now.at),)
