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

__all__ = ["lines", "sha256"]


def _plain(path: Path) -> IO[bytes]:
    return path.open("rb")


_OPENERS: Final[dict[str, Callable[[Path], IO[bytes] | gzip.GzipFile]]] = {
    ".csv": _plain,
    ".csv.xz": lzma.open,
    ".csv.gz": gzip.open,
}


def lines(path: Path) -> Iterator[bytes]:
    """Yield the lines of a .csv, .csv.xz or .csv.gz file, each with its end. Raises BadInput where it cannot be read."""
    opener = next((made for ending, made in _OPENERS.items() if path.name.lower().endswith(ending)), None)
    if opener is None:
        raise BadInput("import.suffix", f"'{path.name}' ends in none of {', '.join(_OPENERS)}; give the file the ending that it has.")
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
