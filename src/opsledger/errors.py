"""What can go wrong, each with a code for programs and one sentence for people.

    OpsledgerError
    ├── Refused              a decision said no; nothing was recorded
    ├── BadInput             an argument, file or setting cannot be taken as it is
    │   ├── PolicyError      a model or calendar document, with the path to the field
    │   └── Uncovered        an instant outside the time that a calendar was compiled for
    ├── Unknown              no such stream, position, table, policy or calendar
    ├── Conflict             others kept recording on the stream; nothing was recorded
    ├── KeyReused            an idempotency key came back with another request
    ├── StoreError           the database did not do what it was asked
    │   ├── Unavailable      it cannot be reached, is locked, or its disk is full
    │   ├── NoLedger         the URL is well formed, but no ledger lives there
    │   └── WrongFormat      the ledger was written by another version of the program
    ├── KeysError            the key store is missing, closed to us, or not this ledger's
    ├── Unproven             a proof, a signature or a checkpoint is well formed and does not hold
    └── Unfoldable           a stored fact cannot be read or folded; replay stops there

A sentence says what was asked, what is true, and what to do next. No sentence carries a password or a personal field.
"""

from __future__ import annotations

from typing import Any

__all__ = [
    "BadInput",
    "Conflict",
    "KeyReused",
    "KeysError",
    "NoLedger",
    "OpsledgerError",
    "PolicyError",
    "Refused",
    "StoreError",
    "Unavailable",
    "Uncovered",
    "Unfoldable",
    "Unknown",
    "Unproven",
    "WrongFormat",
]


class OpsledgerError(Exception):
    """An error with a stable `code` such as "ticket.resolved" and a `sentence` to show to a person."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(code, sentence)
        self.code = code
        self.sentence = sentence

    def __str__(self) -> str:
        return f"{self.sentence} [{self.code}]"

    def __reduce__(self) -> tuple[Any, ...]:
        return _same, (type(self), self.args, self.__dict__)


class Refused(OpsledgerError):
    """A decision said no. Nothing was recorded; the sentence says what would be accepted."""


class BadInput(OpsledgerError):
    """An argument, a file or a setting cannot be taken as it is."""


class PolicyError(BadInput):
    """A policy document is wrong at `path`, for example `support.tiers.high.targets.resolution`."""

    def __init__(self, path: str, sentence: str) -> None:
        super().__init__("policy.invalid", f"{path}: {sentence}" if path else sentence)
        self.path = path


class Uncovered(BadInput):
    """An instant lies outside the time that a calendar was compiled for; extend or publish the calendar."""


class Unknown(OpsledgerError):
    """There is no such stream, position, table, policy or calendar."""


class Conflict(OpsledgerError):
    """Others kept recording on the same stream. Nothing was recorded; load again and repeat."""


class KeyReused(OpsledgerError):
    """An idempotency key was used before for a request that is not this one."""


class StoreError(OpsledgerError):
    """The database did not do what it was asked; nothing is half written."""


class Unavailable(StoreError):
    """The database cannot be reached, is locked by somebody, or has no room left."""


class NoLedger(StoreError):
    """The URL is well formed, but no ledger lives there."""


class WrongFormat(StoreError):
    """The ledger was written by another version of the program than this one can read."""


class KeysError(OpsledgerError):
    """The key store is missing, closed to us, or belongs to another ledger."""


class Unproven(OpsledgerError):
    """A proof, a signature or a checkpoint is well formed and does not hold; nothing that it claims may be believed."""


class Unfoldable(OpsledgerError):
    """A stored fact cannot be read or folded. Carries where it stands, so that nobody skips it in silence."""

    def __init__(self, code: str, sentence: str, *, position: int, stream: str, topic: str) -> None:
        super().__init__(code, sentence)
        self.position = position
        self.stream = stream
        self.topic = topic


def _same(kind: type[OpsledgerError], args: tuple[Any, ...], known: dict[str, Any]) -> OpsledgerError:
    """Return an error that came from another process: as it was, whatever its class is made from."""
    error = kind.__new__(kind, *args)
    error.__dict__.update(known)
    return error
