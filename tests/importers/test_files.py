"""Files as they come: plain or compressed, whole or damaged."""

from __future__ import annotations

import gzip
import hashlib
import lzma
from pathlib import Path

import pytest

from opsledger.errors import BadInput
from opsledger.importers.files import lines, sha256

CONTENT = b"number,state\nINC1,New\r\nINC2,Closed"
LINES = [b"number,state\n", b"INC1,New\r\n", b"INC2,Closed"]


@pytest.mark.parametrize(
    ("name", "stored"),
    [("a.csv", CONTENT), ("a.csv.xz", lzma.compress(CONTENT)), ("a.csv.gz", gzip.compress(CONTENT)), ("A.CSV.GZ", gzip.compress(CONTENT))],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_lines_are_the_same_however_the_file_is_stored(tmp_path: Path, name: str, stored: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(stored)
    assert list(lines(path)) == LINES
    assert sha256(path) == hashlib.sha256(stored).hexdigest()


@pytest.mark.parametrize("name", ["a.zip", "a.csv.bz2", "a"])
def test_an_ending_that_nobody_reads_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadInput, match=f"'{name}' ends in none of .csv, .csv.xz, .csv.gz"):
        list(lines(tmp_path / name))


@pytest.mark.parametrize(
    ("name", "stored"),
    [
        ("cut.csv.xz", lzma.compress(CONTENT * 100)[:-20]),
        ("cut.csv.gz", gzip.compress(CONTENT * 100)[:-20]),
        ("plain.csv.xz", CONTENT),
        ("plain.csv.gz", CONTENT),
        ("changed.csv.gz", gzip.compress(CONTENT)[:12] + b"\xff" + gzip.compress(CONTENT)[13:]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_damaged_file_is_refused_in_one_sentence(tmp_path: Path, name: str, stored: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(stored)
    with pytest.raises(BadInput, match=f"'{name}' cannot be read to its end"):
        list(lines(path))


def test_a_file_that_is_not_there_is_said_to_be_so(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="No such file"):
        list(lines(tmp_path / "a.csv"))
    with pytest.raises(BadInput, match="No such file"):
        sha256(tmp_path / "a.csv")
