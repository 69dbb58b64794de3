"""The key store: what must be able to be forgotten, kept apart from the log that forgets nothing.

It holds a data key for each data subject, a key for MACs, and the names behind opaque ids. Every key is wrapped by a
key-encryption key that lies in a file of mode 0600 and in no table. Destroying a subject's key makes every sealed part of
that subject unreadable while the log stays as it is.

    active       seals and opens
    restricted   seals, and opens only for who says that they may: claims, the person's own request
    destroyed    a row without the key stays as a tombstone, and the subject never gets another one
    unknown      an error: the key is lost, or belongs to another ledger
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, Protocol

import sqlalchemy as sa
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from opsledger.errors import KeysError
from opsledger.ledger.engine import engine
from opsledger.ledger.url import LedgerUrl
from opsledger.ledger.wiping import wipe

__all__ = ["DataKey", "Destruction", "HeldKey", "KeyState", "Keys", "LocalKeys", "commitment", "kek_path"]

_KEK_FILE: Final = "OPSLEDGER_KEK_FILE"
_KEK_BYTES: Final = 32
_LOCK: Final = 0x6F70736B  # names the lock under which the tables of a key store are made

KeyState = Literal["active", "restricted", "destroyed"]


class DataKey(NamedTuple):
    """A subject's key, opened. It shows itself without its bytes."""

    key_id: str
    subject: str
    key: bytes
    commitment: str
    restricted: bool = False

    def __repr__(self) -> str:
        return f"DataKey({self.key_id})"


class HeldKey(NamedTuple):
    """What a key store knows of a key, without the key."""

    key_id: str
    subject: str
    commitment: str
    state: KeyState


class Destruction(NamedTuple):
    """What a key store says of keys that it destroyed: a receipt, and where copies may still be."""

    receipt: str
    remains: str


class Keys(Protocol):
    """Where keys come from: the local store below, or one of the host's, such as a key management service.

    Calls may come from several threads. `destroy` and `restrict` may be repeated and must then come to the same.
    """

    def for_subject(self, subject: str) -> DataKey:
        """Return the data key of a subject, made at first use. Raises KeysError "keys.destroyed" where one was destroyed."""

    def by_id(self, key_id: str) -> DataKey | None:
        """Return a data key, None where it was destroyed. Raises KeysError "keys.unknown" where it never was."""

    def mac(self, purpose: str, content: bytes) -> str:
        """Return a keyed digest of content that may be personal; without the key it tells nothing."""

    def held(self, subject: str | None = None) -> list[HeldKey]:
        """Return what is known of all keys, or of a subject's, destroyed ones too. Opens none of them."""

    def restrict(self, subject: str, *, restricted: bool) -> None:
        """Have a subject's content kept and not opened, or opened again."""

    def destroy(self, subject: str, known: Sequence[tuple[str, str]]) -> Destruction:
        """Destroy every key of a subject, and the name behind the subject's id; return when nothing of them can be read again.

        `known` are (key id, commitment) of keys that the log names: a store that has forgotten one remembers it as destroyed.
        """


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
    sa.Column("subject", sa.Text, nullable=False, index=True),
    sa.Column("commitment", sa.Text, nullable=False),
    sa.Column("wrapped", sa.LargeBinary),  # null: destroyed
    sa.Column("restricted", sa.Boolean, nullable=False, default=False),
)
_LIVING: Final = sa.Index(
    "subject_key_living",
    _SUBJECT.c.subject,
    unique=True,
    sqlite_where=_SUBJECT.c.wrapped.is_not(None),
    postgresql_where=_SUBJECT.c.wrapped.is_not(None),
)
"""A subject has one living key. Beside it there may be destroyed ones, where an older copy of the store was put back."""

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
        self._file = where.beside("keys.db") if where.kind == "sqlite" else None

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
                for index in sorted(table.indexes, key=lambda index: str(index.name)):
                    connection.execute(sa.schema.CreateIndex(index, if_not_exists=True))
            if connection.execute(sa.select(_STORE).filter_by(name="mac")).one_or_none() is None:
                _private(keys._path, secrets.token_bytes(_KEK_BYTES))
                connection.execute(sa.insert(_STORE).values(name="mac", wrapped=keys._wrap(secrets.token_bytes(32))))
        return keys

    def for_subject(self, subject: str) -> DataKey:
        """Return the data key of a subject, made at first use."""
        found = self._living(subject)
        if found is None:
            key = secrets.token_bytes(32)
            id = commitment(key)  # so that every fact which names the key says which one it is, whatever stands in this store later
            self._make(key_id=id, subject=subject, commitment=id, wrapped=self._wrap(key))
            found = self._living(subject)
        if found is None:
            raise KeysError("keys.destroyed", f"The personal data of subject {subject} were erased; a key of theirs cannot come back.")
        return self._opened(found)

    def by_id(self, key_id: str) -> DataKey | None:
        """Return a data key, None where it was destroyed. Raises KeysError where it never was."""
        found = self._one(_SUBJECT, key_id=key_id)
        if found is None:
            raise KeysError("keys.unknown", f"The key store knows no key {key_id}; it is not this ledger's, or a part of it is lost.")
        return None if found.wrapped is None else self._opened(found)

    def held(self, subject: str | None = None) -> list[HeldKey]:
        """Return what is known of all keys, or of a subject's, destroyed ones too. Opens none of them."""
        self._check_there()
        columns = (_SUBJECT.c.key_id, _SUBJECT.c.subject, _SUBJECT.c.commitment, _SUBJECT.c.restricted)
        statement = sa.select(*columns, _SUBJECT.c.wrapped.is_(None).label("gone")).order_by(_SUBJECT.c.subject, _SUBJECT.c.key_id)
        if subject is not None:
            statement = statement.where(_SUBJECT.c.subject == subject)
        with _Told(), self._engine.connect() as connection:
            found = connection.execute(statement).all()
        return [HeldKey(row.key_id, row.subject, row.commitment, _state(gone=row.gone, restricted=row.restricted)) for row in found]

    def restrict(self, subject: str, *, restricted: bool) -> None:
        """Have a subject's content kept and not opened, or opened again."""
        theirs = sa.and_(_SUBJECT.c.subject == subject, _SUBJECT.c.wrapped.is_not(None))
        with _Told(), self._engine.begin() as connection:
            connection.execute(sa.update(_SUBJECT).where(theirs).values(restricted=restricted))

    def destroy(self, subject: str, known: Sequence[tuple[str, str]]) -> Destruction:
        """Destroy every key of a subject, and the name behind the subject's id, and have their bytes leave the files."""
        ids = [key_id for key_id, _ in known]
        receipt = self.mac("destroyed", "\n".join([subject, *sorted(ids)]).encode())  # first: without a key file nothing begins
        with _Told(), self._engine.begin() as connection:
            connection.execute(sa.update(_SUBJECT).where(_SUBJECT.c.subject == subject).values(wrapped=None, restricted=False))
            stand = set(connection.execute(sa.select(_SUBJECT.c.key_id).where(_SUBJECT.c.key_id.in_(ids))).scalars())
            for key_id, committed in known:
                if key_id not in stand:
                    connection.execute(sa.insert(_SUBJECT).values(key_id=key_id, subject=subject, commitment=committed, wrapped=None))
            connection.execute(sa.delete(_DIRECTORY).where(_DIRECTORY.c.id == subject))
        with _Told():
            remains = wipe(self._engine, (_SUBJECT.name, _DIRECTORY.name), anew=True)
        return Destruction(f"local:{receipt}", remains)

    def mac(self, purpose: str, content: bytes) -> str:
        """Return a keyed digest of content that may be personal; without the key it tells nothing."""
        if self._mac_key is None:
            found = self._one(_STORE, name="mac")
            if found is None:
                raise KeysError("keys.missing", "The key store is empty; it is not the one that was made with this ledger.")
            self._mac_key = self._unwrap(found.wrapped)
        return hmac.new(self._mac_key, purpose.encode() + b"\x00" + content, hashlib.sha256).hexdigest()

    def name(self, id: str, name: str) -> None:
        """Keep the name behind an opaque id of an actor or a customer, or replace it. Refuses that of a person who was erased."""
        if any(key.state == "destroyed" for key in self.held(id)):
            raise KeysError("keys.destroyed", f"The personal data of subject {id} were erased, their name too; give the person another id.")
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

    def _opened(self, row: Any) -> DataKey:
        key = self._unwrap(row.wrapped)
        if not commitment(key) == row.commitment == row.key_id:
            raise KeysError("keys.commitment", f"The key {row.key_id} is not the one that was committed to; restore the key store.")
        return DataKey(row.key_id, row.subject, key, row.commitment, row.restricted)

    def _living(self, subject: str) -> Any:
        theirs = sa.select(_SUBJECT).where(_SUBJECT.c.subject == subject, _SUBJECT.c.wrapped.is_not(None))
        with _Told(), self._engine.connect() as connection:
            return connection.execute(theirs).one_or_none()

    def _make(self, **values: Any) -> None:
        """Add the first key of a subject, unless somebody else has, or one was destroyed."""
        columns = ("key_id", "subject", "commitment", "wrapped", "restricted")
        given = [sa.literal(value, _SUBJECT.c[name].type) for name, value in {**values, "restricted": False}.items()]
        ever = sa.exists().where(_SUBJECT.c.subject == values["subject"])
        with _Told():
            try:
                with self._engine.begin() as connection:
                    connection.execute(sa.insert(_SUBJECT).from_select(columns, sa.select(*given).where(~ever)))
            except IntegrityError:
                return

    def _check_there(self) -> None:
        """Refuse where there is no key store; only to look at one makes none."""
        if self._file is not None and not self._file.exists():
            raise KeysError("keys.missing", f"There is no key store {self._file.name} beside the log; personal fields cannot be read.")

    def _one(self, table: sa.Table, **where: str) -> Any:
        with _Told(), self._engine.connect() as connection:
            return connection.execute(sa.select(table).filter_by(**where)).one_or_none()

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


def _state(*, gone: bool, restricted: bool) -> KeyState:
    return "destroyed" if gone else "restricted" if restricted else "active"


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
