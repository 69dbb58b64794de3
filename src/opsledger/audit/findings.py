"""What a check came to: findings, what it could not decide, and how much it looked at.

    clean        nothing is wrong in what was looked at, and all of it was looked at
    findings     something is not as it must be
    undecided    nothing is known to be wrong, but something could not be looked at

A damaged ledger can have millions of findings: all are counted, the first hundred are kept.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, Literal

__all__ = ["Checked", "Finding", "Verdict"]

Verdict = Literal["clean", "findings", "undecided"]

_KEPT: Final = 100


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it must be: a sentence, where it stands, what was expected there and what was found."""

    check: str
    sentence: str
    position: int | None = None
    stream: str | None = None
    column: str | None = None  # of the log; state.respond_by is a field inside the stored bytes
    expected: str | None = None
    found: str | None = None
    table: str | None = None  # of the tables for analysts, with the keys of some of its rows
    keys: tuple[tuple[Any, ...], ...] = ()


@dataclass(slots=True)
class Checked:
    """The result of one check, which adds to it while it works."""

    name: str
    findings: list[Finding] = field(default_factory=list)
    found: int = 0  # how many findings there are; the list holds the first of them
    undecided: list[str] = field(default_factory=list)
    left: int = 0  # how many things could not be decided; the list holds the first of them
    restated: list[Finding] = field(default_factory=list)  # what is known otherwise today, and was right when it was recorded
    moved: int = 0  # how many of those there are
    looked_at: dict[str, int] = field(default_factory=dict)  # how much was checked: {"facts": 512, "streams": 44}
    noted: list[str] = field(default_factory=list)  # what is as it is for a reason that the log gives

    @property
    def verdict(self) -> Verdict:
        """What the check came to, in one word."""
        return "findings" if self.found else "undecided" if self.left else "clean"

    def find(self, sentence: str, **where: Any) -> None:
        """Add a finding; `where` are fields of `Finding`."""
        self.found += 1
        if len(self.findings) < _KEPT:
            self.findings.append(Finding(self.name, sentence, **where))

    def leave(self, sentence: str) -> None:
        """Add what could not be decided, and why."""
        self.left += 1
        if len(self.undecided) < _KEPT:
            self.undecided.append(sentence)

    def restate(self, sentence: str, **where: Any) -> None:
        """Add what is known otherwise today; it is no finding."""
        self.moved += 1
        if len(self.restated) < _KEPT:
            self.restated.append(Finding(self.name, sentence, **where))

    def note(self, sentence: str) -> None:
        """Add what is as it is for a reason that the log gives, or what was not looked at and why; it is no finding."""
        self.noted.append(sentence)

    def add(self, part: Checked) -> None:
        """Add what a part of the check came to, as if it had been found here."""
        for name in ("findings", "undecided", "restated"):
            kept = getattr(self, name)
            kept += getattr(part, name)[: _KEPT - len(kept)]
        self.found, self.left, self.moved = self.found + part.found, self.left + part.left, self.moved + part.moved
        self.noted += part.noted
        for what, more in part.looked_at.items():
            self.count(what, more)

    def count(self, what: str, more: int = 1) -> None:
        """Add to how much was looked at."""
        self.looked_at[what] = self.looked_at.get(what, 0) + more
