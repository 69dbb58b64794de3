"""Verify: is the log whole, can it be folded, was every promise right when it was made, and do the tables say the same?

    continuity    integrity     the log is whole (opsledger.audit.continuity)
    fold          foldability   every fact decodes, says of itself what its envelope says, and its stream evolves
    promises      promises      every due time stamped in a fact is the one derived from what was known at its position
    projections   tables        the tables are equal to the log folded anew

Whether the log is intact and whether it can be folded are two questions, and are answered apart. A check that cannot go on
says where it stopped, and the others still run. Nothing is changed, in the log or in the tables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from opsledger.audit.continuity import continuity
from opsledger.audit.findings import Checked
from opsledger.errors import BadInput, OpsledgerError
from opsledger.ledger.store import Store
from opsledger.replay.checks.fold import fold
from opsledger.replay.checks.projections import projections
from opsledger.replay.checks.promises import promises
from opsledger.replay.checks.task import Progress, Task
from opsledger.replay.tables import Tables

__all__ = ["CHECKS", "Report", "verify"]

_ABOUT: Final = {"continuity": "integrity", "fold": "foldability", "promises": "promises", "projections": "tables"}
CHECKS: Final = tuple(_ABOUT)
"""The names of all checks, in the order in which they run."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a verification came to: 0 clean, 1 findings, 2 could not decide."""

    ledger_id: str
    simulated: bool
    position: int  # of the newest fact that was looked at
    checks: tuple[Checked, ...]

    @property
    def code(self) -> int:
        """The exit code of a command that reports this."""
        verdicts = {check.verdict for check in self.checks}
        return 1 if "findings" in verdicts else 2 if "undecided" in verdicts else 0

    def lines(self) -> Iterator[str]:
        """Yield the report as text. Of a simulated ledger the first line says that it is one."""
        if self.simulated:
            yield "This is a simulated ledger: its times of recording were given to it and prove nothing about when facts were written."
        yield f"Ledger {self.ledger_id or 'unknown'}, verified up to position {self.position}."
        for check in self.checks:
            counted = ", ".join(f"{count} {what}" for what, count in check.looked_at.items())
            verdict = f"{check.found} finding{'s' if check.found > 1 else ''}" if check.found else check.verdict
            yield f"{_ABOUT[check.name]:<12} {check.name:<12} {verdict:<12} {counted}".rstrip()
            yield from (f"    {finding.sentence}" for finding in check.findings)
            yield from _more(check.found, len(check.findings), "findings")
            yield from (f"    could not decide: {sentence}" for sentence in check.undecided)
            yield from _more(check.left, len(check.undecided), "things that could not be decided")
            yield from (f"    restated: {each.sentence}" for each in check.restated)
            yield from _more(check.moved, len(check.restated), "restated")

    def as_dict(self) -> dict[str, Any]:
        """Return the report for programs."""
        checks = [{"about": _ABOUT[check.name], "verdict": check.verdict, **asdict(check)} for check in self.checks]
        return {**asdict(self), "code": self.code, "checks": checks}


def verify(
    store: Store, tables: Tables, *, checks: Sequence[str] = CHECKS, strict: bool = False, progress: Progress | None = None
) -> Report:
    """Run checks over the log as it stands now, and over the tables. `strict` validates every fact again as when it was made."""
    for name in checks:
        if name not in CHECKS:
            raise BadInput("verify.unknown_check", f"There is no check '{name}'; there are {', '.join(CHECKS)}.")
    results = [Checked(name) for name in CHECKS if name in (checks or CHECKS)]
    try:
        meta, head = store.meta(), store.head().position
    except OpsledgerError as error:
        for result in results:
            result.leave(str(error))
        return Report("", False, 0, tuple(results))
    for result in results:
        task = Task(store, tables, head, strict, meta, result, progress)
        try:
            _RUN[result.name](task)
        except OpsledgerError as error:
            result.leave(str(error))
    return Report(meta.get("ledger_id", ""), meta.get("simulated") == "true", head, tuple(results))


def _continuity(task: Task) -> None:
    continuity(task.store, task.head, task.result, task.told)


_RUN: Final[Mapping[str, Callable[[Task], None]]] = {
    "continuity": _continuity,
    "fold": fold,
    "promises": promises,
    "projections": projections,
}


def _more(count: int, shown: int, what: str) -> Iterator[str]:
    if count > shown:
        yield f"    and {count - shown} more {what}"
