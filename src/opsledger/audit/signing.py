"""Signing keys: Ed25519, one for a log, in a file that only its owner may read.

The file holds one line, `PRIVATE+KEY+name+id+seed`, as other programs that sign notes write theirs. A process that records
facts needs none: adding leaves and signing are two acts, and whoever can do both can rewrite what no checkpoint kept elsewhere shows.
The secret half appears in no text, repr, error or copy of these objects.
"""

from __future__ import annotations

import base64
import os
import stat
from pathlib import Path
from typing import Final, NoReturn

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from opsledger.audit.note import ED25519, VerifierKey, checked_name, unbase64
from opsledger.errors import BadInput, KeysError

__all__ = ["SigningKey", "create_key", "load_key"]

_HEAD: Final = "PRIVATE+KEY+"
_SEED_SIZE: Final = 32
_LONGEST: Final = 4096
_OWNERS: Final = 0o600


class SigningKey:
    """A key that signs for a log. `verifier` is its public half, to be handed to auditors."""

    __slots__ = ("_private", "verifier")

    def __init__(self, name: str, seed: bytes) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        self.verifier = VerifierKey(checked_name(name), self._private.public_key().public_bytes_raw())

    @classmethod
    def generate(cls, name: str) -> SigningKey:
        """Return a new key. Logs are signed by keys of their own name, their origin."""
        return cls(name, Ed25519PrivateKey.generate().private_bytes_raw())

    @classmethod
    def parse(cls, text: str) -> SigningKey:
        """Return the key that a line `PRIVATE+KEY+name+id+seed` says. Raises KeysError, which tells nothing of the line."""
        name, _, rest = text.removeprefix(_HEAD).partition("+")
        said, _, coded = rest.partition("+")
        typed = unbase64(coded)
        malformed = KeysError(
            "signing.malformed", "The line that was given is no whole Ed25519 signing key; take it from where it was made."
        )
        if not text.startswith(_HEAD) or typed is None or len(typed) != 1 + _SEED_SIZE or typed[:1] != ED25519:
            raise malformed
        try:
            key = cls(name, typed[1:])
        except BadInput:
            raise malformed from None
        if said != key.verifier.id.hex():
            raise malformed
        return key

    def sign(self, message: bytes) -> bytes:
        """Return the signature of a message."""
        return self._private.sign(message)

    def __repr__(self) -> str:
        return f"SigningKey({self.verifier.name}+{self.verifier.id.hex()})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("A signing key is not copied or sent; load it where it is needed.")


def create_key(path: Path, name: str) -> SigningKey:
    """Make a signing key and store it in a new file of mode 0600. Raises KeysError where a file is there or none can be made."""
    key = SigningKey.generate(name)
    seed = base64.b64encode(ED25519 + key._private.private_bytes_raw()).decode()
    line = f"{_HEAD}{key.verifier.name}+{key.verifier.id.hex()}+{seed}\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNERS), "w", encoding="utf-8") as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        if isinstance(error, FileExistsError) and path.exists():
            raise KeysError(
                "signing.exists", f"There is a file {path} already; a signing key is never overwritten, so choose another name."
            ) from None
        raise KeysError(
            "signing.not_made", f"The signing key {path} cannot be made ({error.strerror}); let this user write there."
        ) from None
    return key


def load_key(path: Path) -> SigningKey:
    """Return the signing key in a file. Raises KeysError where it is missing, malformed, or open to others."""
    if path.exists() and not path.is_file():
        raise KeysError("signing.malformed", f"{path} is no file that could hold a signing key; name the file that does.")
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            if mode & ~_OWNERS:
                raise KeysError(
                    "signing.open_to_others",
                    f"The signing key {path} has mode {mode:04o} where 0600 is the widest: run chmod 600 on it, "
                    "and sign with a new key if somebody else could have read it.",
                )
            content = file.read(_LONGEST)
    except OSError as error:
        raise KeysError(
            "signing.missing", f"The signing key {path} cannot be read ({error.strerror}); name the file that holds it."
        ) from None
    try:
        return SigningKey.parse(content.decode().removesuffix("\n"))
    except (KeysError, UnicodeDecodeError):
        raise KeysError("signing.malformed", f"The file {path} holds no whole signing key; name the file that does.") from None
