"""Personal fields: sealed before anything is stored or hashed, opened only by `reveal`.

A value becomes AES-256-GCM ciphertext under its subject's key. What it belongs to is bound in as associated data (ledger,
stream, version, field, subject, key and its commitment), so that a part moved elsewhere does not open. The log holds the part's
digest only, and what the log says of an erasure is final: a key that it names is not used again, whoever brings it back.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import replace
from threading import Lock
from typing import Any, Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from opsledger.domain.fact import Sealed, fact_type
from opsledger.domain.recorded import Recorded
from opsledger.domain.subject import Subject
from opsledger.errors import KeysError
from opsledger.ledger.envelope import Part
from opsledger.ledger.keys import DataKey, Keys

__all__ = ["Erased", "Restricted", "Sealer"]

_FORM: Final = b"\x01"
_FRESH_S: Final = 30.0
_KEPT: Final = 4096
_NOTHING: Final = Subject()


class Erased:
    """What a personal field reads as once its subject's data were erased."""

    def __repr__(self) -> str:
        return "Erased()"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Erased)

    def __hash__(self) -> int:
        return 0


class Restricted:
    """What a personal field reads as while its subject's data are kept and not to be used."""

    def __repr__(self) -> str:
        return "Restricted()"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Restricted)

    def __hash__(self) -> int:
        return 1


class Sealer:
    """Seals and opens the personal fields of one ledger. `told` gives what its log says of a data subject."""

    def __init__(
        self,
        ledger_id: str,
        keys: Keys,
        nonce: Callable[[], bytes] = lambda: secrets.token_bytes(12),
        told: Callable[[str], Subject] = lambda subject: _NOTHING,
    ) -> None:
        self._ledger_id = ledger_id
        self._keys = keys
        self._nonce = nonce
        self._told = told
        self._fresh: OrderedDict[str, tuple[float, DataKey]] = OrderedDict()  # by subject, oldest first
        self._lock = Lock()

    def seal(self, fact: Any, stream: str, version: int) -> tuple[Any, list[Part]]:
        """Return the fact with its personal fields sealed, and the parts to store beside the log."""
        kind = fact_type(type(fact))
        given = {name: value for name in kind.personal if (value := getattr(fact, name)) is not None and not isinstance(value, Sealed)}
        if not given:
            return fact, []
        assert kind.subject is not None
        key = self._key_of(getattr(fact, kind.subject))
        parts, sealed = [], {}
        for name, value in given.items():
            nonce = self._nonce()
            box = AESGCM(key.key).encrypt(nonce, msgspec.json.encode(value), self._bound(stream, version, name, key))
            part = Part(hashlib.sha256(_FORM + nonce + box).hexdigest(), key.key_id, _FORM + nonce + box)
            parts.append(part)
            sealed[name] = Sealed(part=part.digest, key=key.key_id)
        return replace(fact, **sealed), parts

    def reveal(self, recorded: Recorded, part: Callable[[str], bytes | None], *, restricted: bool = False) -> Iterator[tuple[str, Any]]:
        """Yield (field, value) of the personal fields; those of an erased subject read as Erased.

        Those of a restricted one read as Restricted, unless who asks says that they may be used: for a claim, or because the
        person asks. Raises KeysError where a key or a part is missing and the log does not say that it should be.
        """
        kind = fact_type(recorded.topic)
        sealed = {name: value for name in kind.personal if isinstance(value := getattr(recorded.fact, name), Sealed)}
        told = self._told(getattr(recorded.fact, kind.subject)) if sealed and kind.subject is not None else _NOTHING
        for name in kind.personal:
            if name not in sealed:
                yield name, getattr(recorded.fact, name)
                continue
            key = self._usable(sealed[name].key, told, recorded)
            if key is None:
                yield name, Erased()
            elif key.restricted and not restricted:
                yield name, Restricted()
            else:
                yield name, self._open(recorded, name, key, self._there(sealed[name], name, recorded, part))

    def opens(self, recorded: Recorded, part: Callable[[str], bytes | None]) -> tuple[int, int, int]:
        """Return how many personal fields of a fact were tried, how many parts of them are missing, and how many open.

        Tried with what the key store gives, whatever the log says: an erasure is complete when none opens.
        """
        tried = missing = opened = 0
        for name in fact_type(recorded.topic).personal:
            sealed = getattr(recorded.fact, name)
            if not isinstance(sealed, Sealed):
                continue
            tried += 1
            box = part(sealed.part)
            missing += box is None
            try:
                key = self._keys.by_id(sealed.key)
            except KeysError:
                continue  # unknown to the store, which is no way to open it
            if key is None or box is None:
                opened += key is not None
                continue
            try:
                self._open(recorded, name, key, box)
            except KeysError:
                continue
            opened += 1
        return tried, missing, opened

    def forget(self) -> None:
        """Drop the keys that are held in memory."""
        with self._lock:
            self._fresh.clear()

    def _key_of(self, subject: str) -> DataKey:
        """Return the key to seal with. One that was looked up lately is used again; the log refuses what is sealed under a dead one."""
        now = time.monotonic()
        with self._lock:
            while self._fresh and now - next(iter(self._fresh.values()))[0] >= _FRESH_S:
                self._fresh.popitem(last=False)
            if subject in self._fresh:
                return self._fresh[subject][1]
        told = self._told(subject)
        if told.erased:
            raise self._refused(subject, told)
        try:
            key = self._keys.for_subject(subject)
        except KeysError as error:
            raise _lost(subject) if error.code == "keys.destroyed" else error from None
        with self._lock:
            self._fresh[subject] = (now, key)
            while len(self._fresh) > _KEPT:
                self._fresh.popitem(last=False)
        return key

    def _refused(self, subject: str, told: Subject) -> KeysError:
        living = [held.key_id for held in self._keys.held(subject) if held.state != "destroyed"]
        if told.destroyed and living:
            return _resurrected(living[0])
        return KeysError(
            "keys.destroyed", f"The personal data of subject {subject} were erased; give the person another id if they have come back."
        )

    def _usable(self, key_id: str, told: Subject, recorded: Recorded) -> DataKey | None:
        """Return a key to open with; None where the log says that it is destroyed."""
        if key_id in told.forgotten:
            try:
                key = self._keys.by_id(key_id)
            except KeysError:
                return None  # the store has forgotten even that; the log has not
            if key is not None and key_id in told.destroyed:
                raise _resurrected(key_id)
            return None
        key = self._keys.by_id(key_id)
        if key is None:
            raise _lost(getattr(recorded.fact, fact_type(recorded.topic).subject or ""))
        return key

    def _there(self, sealed: Sealed, field: str, recorded: Recorded, part: Callable[[str], bytes | None]) -> bytes:
        box = part(sealed.part)
        if box is None:
            raise KeysError(
                "personal.missing",
                f"The sealed part of {field} at position {recorded.position} is not there, and no fact says that it was purged; "
                "it was removed by somebody.",
            )
        return box

    def _open(self, recorded: Recorded, field: str, key: DataKey, box: bytes) -> Any:
        try:
            bound = self._bound(recorded.stream, recorded.version, field, key)
            return msgspec.json.decode(AESGCM(key.key).decrypt(box[1:13], box[13:], bound))
        except (InvalidTag, ValueError):  # the latter for a part that was cut short
            raise KeysError(
                "personal.tampered",
                f"The sealed part of {field} at position {recorded.position} does not belong there; somebody changed or moved it.",
            ) from None

    def _bound(self, stream: str, version: int, field: str, key: DataKey) -> bytes:
        texts = ("opsledger part v1", self._ledger_id, stream, str(version), field, key.subject, key.key_id, key.commitment)
        return b"".join(len(text.encode()).to_bytes(4, "big") + text.encode() for text in texts)


def _lost(subject: str) -> KeysError:
    return KeysError(
        "keys.lost",
        f"The key of subject {subject} is destroyed in the key store, and no fact of the ledger says that it was to be; "
        "it is lost, not erased: put the key store back from a copy.",
    )


def _resurrected(key_id: str) -> KeysError:
    return KeysError(
        "keys.resurrected",
        f"Key {key_id} was destroyed, and the key store holds it again, as after a restore; "
        "`opsledger erase --again` destroys what came back.",
    )
