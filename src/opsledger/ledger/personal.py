"""Personal fields: sealed before anything is stored or hashed, opened only by `reveal`.

A value becomes AES-256-GCM ciphertext under its subject's key. What it belongs to is bound in as associated data (ledger,
stream, version, field, subject, key), so that a part moved elsewhere does not open. The log holds the part's digest only.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from opsledger.domain.fact import Sealed, fact_type
from opsledger.domain.recorded import Recorded
from opsledger.errors import KeysError
from opsledger.ledger.envelope import Part
from opsledger.ledger.keys import DataKey, Keys

__all__ = ["Erased", "Sealer"]

_FORM: Final = b"\x01"


class Erased:
    """What a personal field reads as once its subject's key is destroyed."""

    def __repr__(self) -> str:
        return "Erased()"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Erased)

    def __hash__(self) -> int:
        return 0


class Sealer:
    """Seals and opens the personal fields of one ledger."""

    def __init__(self, ledger_id: str, keys: Keys, nonce: Callable[[], bytes] = lambda: secrets.token_bytes(12)) -> None:
        self._ledger_id = ledger_id
        self._keys = keys
        self._nonce = nonce

    def seal(self, fact: Any, stream: str, version: int) -> tuple[Any, list[Part]]:
        """Return the fact with its personal fields sealed, and the parts to store beside the log."""
        kind = fact_type(type(fact))
        given = {name: value for name in kind.personal if (value := getattr(fact, name)) is not None and not isinstance(value, Sealed)}
        if not given:
            return fact, []
        assert kind.subject is not None
        key = self._keys.for_subject(getattr(fact, kind.subject))
        parts, sealed = [], {}
        for name, value in given.items():
            nonce = self._nonce()
            box = AESGCM(key.key).encrypt(nonce, msgspec.json.encode(value), self._bound(stream, version, name, key))
            part = Part(hashlib.sha256(_FORM + nonce + box).hexdigest(), key.key_id, _FORM + nonce + box)
            parts.append(part)
            sealed[name] = Sealed(part=part.digest, key=key.key_id)
        return replace(fact, **sealed), parts

    def reveal(self, recorded: Recorded, part: Callable[[str], bytes | None]) -> Iterator[tuple[str, Any]]:
        """Yield (field, value) of the personal fields; a destroyed key or a purged part reads as Erased."""
        for name in fact_type(recorded.topic).personal:
            value = getattr(recorded.fact, name)
            yield name, self._open(recorded, name, value, part) if isinstance(value, Sealed) else value

    def _open(self, recorded: Recorded, field: str, sealed: Sealed, part: Callable[[str], bytes | None]) -> Any:
        key, box = self._keys.by_id(sealed.key), part(sealed.part)
        if key is None or box is None:
            return Erased()
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
