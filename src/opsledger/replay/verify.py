"""Verify: is the log whole, can it be folded, was every promise right when it was made, and do the tables say the same?

    integrity     integrity     every fact is the one that was sealed (opsledger.audit.integrity)
    checkpoints   integrity     what was signed, and what was kept elsewhere, fits the log (opsledger.audit.checkpoints)
    continuity    integrity     the log is whole (opsledger.audit.continuity)
    reviews       integrity     every review of the audit trail is of the facts that stand at its positions
    parts         integrity     every sealed part is the one that its fact names, or was purged because a fact decided so
    fold          foldability   every fact decodes, says of itself what its envelope says, and its stream evolves
    promises      promises      every due time stamped in a fact is the one derived from what was known at its position
    amounts       promises      every amount of a change of a subscription is the one that its rule and the facts before it give
    projections   tables        the tables are equal to the log folded anew
    keys          keys          the key store does what the log says: destroyed is destroyed, nothing is lost; where there is one
    closes        periods       every period that was closed says, computed again as known then, what was reported

Whether the log is intact and whether it can be folded are two questions, and are answered apart. A check that cannot go on
says where it stopped, and the others still run. Nothing is changed, in the log or in the tables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any, Final

from opsledger.audit.checkpoints import Assurance, describe
from opsledger.audit.continuity import continuity
from opsledger.audit.findings import Checked
from opsledger.errors import BadInput, OpsledgerError
from opsledger.ledger.seals import Seals
from opsledger.ledger.store import Store
from opsledger.policies.instants import iso
from opsledger.replay.checks.amounts import amounts
from opsledger.replay.checks.closes import closes
from opsledger.replay.checks.fold import fold
from opsledger.replay.checks.personal import keys, parts
from opsledger.replay.checks.projections import projections
from opsledger.replay.checks.promises import promises
from opsledger.replay.checks.reviews import reviews
from opsledger.replay.checks.seals import assurance, checkpoints, integrity
from opsledger.replay.checks.task import Outside, Progress, Task
from opsledger.replay.executor import SERIAL, Executor
from opsledger.replay.tables import Tables

__all__ = ["CHECKS", "Report", "verify"]

_ABOUT: Final = {
    "integrity": "integrity",
    "checkpoints": "integrity",
    "continuity": "integrity",
    "reviews": "integrity",
    "parts": "integrity",
    "fold": "foldability",
    "promises": "promises",
    "amounts": "promises",
    "projections": "tables",
    "closes": "periods",
    "keys": "keys",
}
CHECKS: Final = tuple(_ABOUT)
"""The names of all checks, in the order in which they run."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a verification came to: 0 clean, 1 findings, 2 could not decide."""

    ledger_id: str
    simulated: bool
    position: int  # of the newest fact that was looked at
    checks: tuple[Checked, ...]
    assurance: Assurance | None = None  # None: checkpoints were not looked at
    unseen: str = ""  # what was left out though nobody asked for that, and why

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
            yield from (f"    {sentence}" for sentence in check.noted)
        if self.unseen:
            yield self.unseen
        if self.assurance is not None:
            yield _assured(self.assurance)

    def as_dict(self) -> dict[str, Any]:
        """Return the report for programs."""
        checks = [{"about": _ABOUT[check.name], "verdict": check.verdict, **asdict(check)} for check in self.checks]
        assured = None if self.assurance is None else self.assurance._asdict()
        return {**asdict(self), "code": self.code, "checks": checks, "assurance": assured}


def verify(
    store: Store,
    tables: Tables,
    seals: Seals | None = None,
    *,
    checks: Sequence[str] = (),
    strict: bool = False,
    outside: Outside | None = None,
    progress: Progress | None = None,
    executor: Executor = SERIAL,
) -> Report:
    """Run checks, by default all that can be, over the log as it stands now, its seals and its tables.

    `OpsLedger.verify` knows where these are.

    `strict` validates every fact again as when it was made; `outside` is what the verifier brings;
    `executor` looks at the log for the check of its integrity, and folds it anew for those of the projections and of the closes; the
    other checks run in this process.
    """
    for name in checks:
        if name not in CHECKS:
            raise BadInput("verify.unknown_check", f"There is no check '{name}'; there are {', '.join(CHECKS)}.")
    known, assured = outside or Outside(), None
    unseen = "" if checks else _no_keys(known)
    if outside is not None and (outside.kept or outside.accepted) and checks and "checkpoints" not in checks:
        raise BadInput(
            "verify.unused",
            f"Checkpoints that were kept are compared by the check 'checkpoints', not by {', '.join(checks)}; add it.",
        )
    results = [Checked(name) for name in CHECKS if name in (checks or CHECKS) and not (unseen and name == "keys")]
    try:
        meta, head = store.meta(), store.head().position
    except OpsledgerError as error:
        for result in results:
            result.leave(str(error))
        return Report("", False, 0, tuple(results))
    for result in results:
        task = Task(store, tables, head, strict, meta, result, seals, known, progress, executor)
        try:
            _RUN[result.name](task)
        except OpsledgerError as error:
            result.leave(str(error))
        if result.name == "checkpoints":
            assured = _assurance(task)
    return Report(meta.get("ledger_id", ""), meta.get("simulated") == "true", head, tuple(results), assured, unseen)


def _no_keys(known: Outside) -> str:
    """Return why the key store cannot be looked at; nothing where it can. An auditor need not have it."""
    if known.keys is None:
        return "The key store was not looked at: none was given."
    try:
        known.keys.held("")
    except OpsledgerError as error:
        return f"The key store was not looked at: {error.sentence}"
    return ""


def _continuity(task: Task) -> None:
    continuity(task.store, task.head, task.result, task.told)


_RUN: Final[Mapping[str, Callable[[Task], None]]] = {
    "integrity": integrity,
    "checkpoints": checkpoints,
    "continuity": _continuity,
    "reviews": reviews,
    "parts": parts,
    "fold": fold,
    "promises": promises,
    "amounts": amounts,
    "projections": projections,
    "closes": closes,
    "keys": keys,
}


def _assurance(task: Task) -> Assurance | None:
    """Return how far the verdict reaches; None where not even that can be read."""
    with suppress(OpsledgerError):
        return assurance(task)
    return None


def _assured(assured: Assurance) -> str:
    if assured.contradicted:
        return f"Assurance {assured.level}: none of the checkpoints that were kept elsewhere fits the log; the findings say why."
    if not assured.exposed:
        return f"Assurance {assured.level}, {describe(assured.level)}. No fact is exposed."
    since = "" if assured.oldest is None else f", the oldest recorded at {iso(assured.oldest)}"
    which = f"the {assured.exposed} after position {assured.covered}" if assured.covered else f"all {assured.exposed}"
    return f"Assurance {assured.level}, {describe(assured.level)}. Exposed, for they could still be rewritten unseen: {which}{since}."


def _more(count: int, shown: int, what: str) -> Iterator[str]:
    if count > shown:
        yield f"    and {count - shown} more {what}"
