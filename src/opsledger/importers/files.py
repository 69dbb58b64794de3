"""Files as they come: plain, .xz or .gz, read line by line. Nothing is held but the line at hand."""

from __future__ import annotations

import gzip
import hashlib
import lzma
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Final

from opsledger.errors import BadInput

__all__ = ["Unreadable", "lines", "sha256"]


def _plain(path: Path) -> IO[bytes]:
    return path.open("rb")


_OPENERS: Final[dict[str, Callable[[Path], IO[bytes] | gzip.GzipFile]]] = {"": _plain, ".xz": lzma.open, ".gz": gzip.open}


class Unreadable(Exception):  # not an error: its row is listed
    """A column, or with None the whole line, cannot be read."""

    def __init__(self, column: str | None = None) -> None:
        super().__init__(column)
        self.column = column


def lines(path: Path, kind: str = ".csv") -> Iterator[bytes]:
    """Yield the lines of a file of a kind, plain, .xz or .gz, each with its end. Raises BadInput where it cannot be read."""
    endings = {kind + packed: opener for packed, opener in _OPENERS.items()}
    opener = next((made for ending, made in endings.items() if path.name.lower().endswith(ending)), None)
    if opener is None:
        raise BadInput("import.suffix", f"'{path.name}' ends in none of {', '.join(endings)}; give the file the ending that it has.")
    try:
        with opener(path) as file:
            yield from file
    except (OSError, EOFError, lzma.LZMAError, zlib.error) as error:
        raise _unreadable(path, error) from None


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file as it lies, in hexadecimal."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: Exception) -> BadInput:
    why = error.strerror if isinstance(error, OSError) and error.strerror else str(error) or type(error).__name__
    return BadInput("import.unreadable", f"'{path.name}' cannot be read to its end ({why}); nothing more of it is imported. Get it again.")
