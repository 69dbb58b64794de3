"""Calendar months as facts carry them, so that no table asks a tz database when a month begins. Shared by policies and SLOs."""

from __future__ import annotations

from opsledger.domain.fact import part
from opsledger.policies import months as calendar
from opsledger.policies.zones import VERSION

__all__ = ["Months", "months_of"]


@part
class Months:
    """When the calendar months of a zone begin."""

    zone: str
    first: str  # for example 2000-01
    starts: tuple[int, ...]  # UTC seconds since the epoch, one more than there are months
    tz_version: str

    def known(self) -> calendar.Months:
        """Return the months as policies count by them."""
        return calendar.Months(self.zone, self.first, self.starts)


def months_of(zone: str) -> Months:
    """Return the months of an IANA zone from 2000 to 2050. Raises BadInput where the tz database has no such zone."""
    known = calendar.months(zone)
    return Months(zone=known.zone, first=known.first, starts=known.starts, tz_version=VERSION)
