"""What a correction must agree with, whichever concept it belongs to: it names what is held now, and what was so instead."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from opsledger.domain.concept import Moment
from opsledger.domain.fact import fact_type
from opsledger.domain.recorded import Recorded
from opsledger.errors import Refused
from opsledger.policies.instants import micros, moment

__all__ = ["check_held", "check_time"]


def check_held(corrects: int, held: Any, was: Any) -> None:
    """Refuse a correction of what the fact at a position does not say, or says no longer."""
    if held != was:
        raise Refused("correction.was", f"Position {corrects} is known to say {held}, not {was}; look at it again with its history.")


def check_time(now: Moment, corrects: int, was: datetime, to: datetime) -> Recorded:
    """Return the fact whose time is to be corrected from `was` to `to`. Refuses one that is a correction, and a time to come."""
    named = now.recorded(corrects)
    times = fact_type(named.topic).corrects
    if times is not None:
        raise Refused("correction.of_correction", f"Position {corrects} is a correction itself; correct the fact that it names.")
    check_held(corrects, moment(_held(now, corrects, named.occurred_at)), was)
    if to > now.at:
        raise Refused("correction.future", f"{to.isoformat()} has not come yet; what is recorded has happened.")
    return named


def _held(now: Moment, corrects: int, said: int) -> int:
    held = said
    for recorded in now.history:
        times: Callable[[Any], tuple[int, datetime] | None] | None = fact_type(recorded.topic).corrects
        correction = times(recorded.fact) if times is not None else None
        if correction is not None and correction[0] == corrects:
            held = micros(correction[1])
    return held
