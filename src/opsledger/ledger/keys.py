"""The key store: what must be able to be forgotten, kept apart from the log that forgets nothing.

It holds a data key for each data subject, a key for MACs, and the names behind opaque ids. Every key is wrapped by a
key-encryption key that lies in a file of mode 0600 and in no table. Destroying a subject's key makes every sealed part of
that subject unreadable while the log stays as it is.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import time
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

import sqlalchemy as sa
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from opsledger.errors import KeysError
from opsledger.ledger.engine import engine
from opsledger.ledger.url import LedgerUrl

__all__ = ["DataKey", "Keys", "LocalKeys", "commitment", "kek_path"]

_KEK_FILE: Final = "OPSLEDGER_KEK_FILE"
_FRESH_S: Final = 30.0
_KEK_BYTES: Final = 32
_LOCK: Final = 0x6F70736B  # names the lock under which the tables of a key store are made


class DataKey(NamedTuple):
    """A subject's key. What is sealed under one that was destroyed meanwhile is unreadable, which is what was asked for."""

    key_id: str
    subject: str
    key: bytes
    commitment: str


class Keys(Protocol):
    """Where keys come from: the local store below, or one of the host's."""

    def for_subject(self, subject: str) -> DataKey:
        """Return the data key of a subject, made at first use."""

    def by_id(self, key_id: str) -> DataKey | None:
        """Return a data key, None where it was destroyed. Raises KeysError where it never was."""

    def mac(self, purpose: str, content: bytes) -> str:
        """Return a keyed digest of content that may be personal; without the key it tells nothing."""


def commitment(key: bytes) -> str:
    """Return what a key is recognised by, without giving it away: no ciphertext opens under two keys of one commitment."""
    return hashlib.sha256(b"opsledger data key v1" + key).hexdigest()


_METADATA: Final = sa.MetaData()
_STORE: Final = sa.Table(
    "key_store",
    _METADATA,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("wrapped", sa.LargeBinary, nullable=False),
)
_SUBJECT: Final = sa.Table(
    "subject_key",
    _METADATA,
    sa.Column("key_id", sa.Text, primary_key=True),
    sa.Column("subject", sa.Text, nullable=False, unique=True),
    sa.Column("commitment", sa.Text, nullable=False),
    sa.Column("wrapped", sa.LargeBinary),  # null: destroyed
)
_DIRECTORY: Final = sa.Table(
    "directory",
    _METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
)


class LocalKeys:
    """Keys in an SQLite file or a PostgreSQL schema beside the ledger, wrapped by the key in a file."""

    def __init__(self, where: LedgerUrl, ledger_id: str) -> None:
        self._engine = engine(where, "keys")
        self._path = kek_path(where, ledger_id)
        self._kek: bytes | None = None
        self._mac_key: bytes | None = None
        self._fresh: dict[str, tuple[float, DataKey]] = {}

    @classmethod
    def create(cls, where: LedgerUrl, ledger_id: str) -> LocalKeys:
        """Make the store and its key-encryption key, or open those that exist."""
        keys = cls(where, ledger_id)
        if where.kind == "sqlite":
            _private(where.beside("keys.db"), b"")  # before SQLite makes it, for others to read
        with _Told(), keys._engine.begin() as connection:
            if where.kind == "sqlite":
                connection.exec_driver_sql("ROLLBACK")  # take the write lock from the start, for others may be at it too
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            else:
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK, 1)))
                connection.execute(sa.schema.CreateSchema(f"{where.schema}_keys", if_not_exists=True))
            for table in _METADATA.sorted_tables:
                connection.execute(sa.schema.CreateTable(table, if_not_exists=True))
            if connection.execute(sa.select(_STORE).filter_by(name="mac")).one_or_none() is None:
                _private(keys._path, secrets.token_bytes(_KEK_BYTES))
                connection.execute(sa.insert(_STORE).values(name="mac", wrapped=keys._wrap(secrets.token_bytes(32))))
        return keys

    def for_subject(self, subject: str) -> DataKey:
        """Return the data key of a subject, made at first use."""
        known = self._fresh.get(subject)
        if known is not None and time.monotonic() - known[0] < _FRESH_S:
            return known[1]
        found = self._one(_SUBJECT, subject=subject)
        if found is None:
            key = secrets.token_bytes(32)
            values = {"key_id": secrets.token_hex(16), "subject": subject, "commitment": commitment(key), "wrapped": self._wrap(key)}
            self._insert(_SUBJECT, **values)
            found = self._one(_SUBJECT, subject=subject)
        assert found is not None
        data_key = self._opened(found)
        if data_key is None:
            raise KeysError("keys.destroyed", f"The personal data of subject {subject} were erased; a key of theirs cannot come back.")
        self._fresh[subject] = (time.monotonic(), data_key)
        return data_key

    def by_id(self, key_id: str) -> DataKey | None:
        """Return a data key, None where it was destroyed. Raises KeysError where it never was."""
        found = self._one(_SUBJECT, key_id=key_id)
        if found is None:
            raise KeysError("keys.unknown", f"The key store knows no key {key_id}; it is not this ledger's, or a part of it is lost.")
        return self._opened(found)

    def mac(self, purpose: str, content: bytes) -> str:
        """Return a keyed digest of content that may be personal; without the key it tells nothing."""
        if self._mac_key is None:
            found = self._one(_STORE, name="mac")
            if found is None:
                raise KeysError("keys.missing", "The key store is empty; it is not the one that was made with this ledger.")
            self._mac_key = self._unwrap(found.wrapped)
        return hmac.new(self._mac_key, purpose.encode() + b"\x00" + content, hashlib.sha256).hexdigest()

    def name(self, id: str, name: str) -> None:
        """Keep the name behind an opaque id of an actor or a customer, or replace it."""
        with _Told(), self._engine.begin() as connection:
            connection.execute(sa.delete(_DIRECTORY).where(_DIRECTORY.c.id == id))
            connection.execute(sa.insert(_DIRECTORY).values(id=id, name=name))

    def names(self) -> dict[str, str]:
        """Return the names behind opaque ids."""
        with _Told(), self._engine.connect() as connection:
            return {row.id: row.name for row in connection.execute(sa.select(_DIRECTORY))}

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    def _opened(self, row: Any) -> DataKey | None:
        if row.wrapped is None:
            return None
        key = self._unwrap(row.wrapped)
        if commitment(key) != row.commitment:
            raise KeysError("keys.commitment", f"The key {row.key_id} is not the one that was committed to; restore the key store.")
        return DataKey(row.key_id, row.subject, key, row.commitment)

    def _one(self, table: sa.Table, **where: str) -> Any:
        with _Told(), self._engine.connect() as connection:
            return connection.execute(sa.select(table).filter_by(**where)).one_or_none()

    def _insert(self, table: sa.Table, **values: Any) -> None:
        """Insert a row unless somebody else has."""
        with _Told():
            try:
                with self._engine.begin() as connection:
                    connection.execute(sa.insert(table).values(**values))
            except IntegrityError:
                return

    def _wrap(self, key: bytes) -> bytes:
        return aes_key_wrap(self._key_encryption_key(), key)

    def _unwrap(self, wrapped: bytes) -> bytes:
        try:
            return aes_key_unwrap(self._key_encryption_key(), wrapped)
        except InvalidUnwrap:
            raise KeysError("keys.wrong_kek", f"The key file {self._path.name} does not open this key store; give the right one.") from None

    def _key_encryption_key(self) -> bytes:
        if self._kek is None:
            try:
                self._kek = self._path.read_bytes()
            except OSError as error:
                raise KeysError(
                    "keys.no_kek",
                    f"The key file {self._path} cannot be read ({error.strerror}); name it with {_KEK_FILE}. "
                    "Without it personal fields can neither be sealed nor read.",
                ) from None
            if len(self._kek) != _KEK_BYTES:
                self._kek = None
                raise KeysError("keys.wrong_kek", f"The key file {self._path} holds no key of {_KEK_BYTES} bytes; give the right one.")
        return self._kek


class _Told:
    """Says in one sentence what the key store's database could not do."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, SQLAlchemyError):
            cause = str(getattr(error, "orig", None) or error).strip().partition("\n")[0]
            raise KeysError("keys.unavailable", f"The key store cannot be used: {cause}.") from None


def _private(path: Path, content: bytes) -> None:
    """Make a file that only its owner may read; leave one that is there."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        return
    except OSError as error:
        raise KeysError("keys.not_made", f"The file {path} cannot be made ({error.strerror}); let this user write there.") from None


def kek_path(where: LedgerUrl, ledger_id: str) -> Path:
    """Return where the key-encryption key lies: OPSLEDGER_KEK_FILE, else beside an SQLite ledger, else in the home folder."""
    if named := os.environ.get(_KEK_FILE):
        return Path(named)
    return where.beside("kek") if where.kind == "sqlite" else Path.home() / ".opsledger" / f"{ledger_id}.kek"
