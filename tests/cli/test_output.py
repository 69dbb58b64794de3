"""What is written: tables, records, progress."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from opsledger.cli.output import Format, show, written
from opsledger.cli.progress import plain_lines

ROWS = [
    {"name": "one", "count": 5, "at": datetime(2026, 3, 2, 9, tzinfo=UTC), "well": True},
    {"name": "three", "count": 1200, "at": None, "well": False},
]


def test_a_table_aligns_numbers_to_the_right(capsys: pytest.CaptureFixture[str]) -> None:
    show(ROWS, ("name", "count", "at", "well"), Format.TABLE)
    assert capsys.readouterr().out.splitlines() == [
        "name   count  at                    well",
        "-----  -----  --------------------  ----",
        "one        5  2026-03-02T09:00:00Z  yes",
        "three   1200                        no",
    ]


def test_a_table_wider_than_the_terminal_is_written_row_by_row(capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "20")
    show(ROWS[:1], ("name", "count", "at"), Format.TABLE)
    assert capsys.readouterr().out == "name   one\ncount  5\nat     2026-03-02T09:00:00Z\n\n"


def test_what_others_wrote_does_not_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    show([{"name": "red \x1b[31m\nalert"}], ("name",), Format.TABLE)
    assert "\x1b" not in (out := capsys.readouterr().out)
    assert len(out.splitlines()) == 3


def test_no_rows_are_an_empty_table_an_empty_list_and_a_header(capsys: pytest.CaptureFixture[str]) -> None:
    for format, out in ((Format.TABLE, "name\n----\n"), (Format.JSON, "[]\n"), (Format.JSONL, ""), (Format.CSV, "name\n")):
        show([], ("name",), format)
        assert capsys.readouterr().out == out


def test_json_keeps_numbers_numbers_and_instants_text() -> None:
    text = written({"a": Decimal("1.5"), "b": Decimal(7), "c": datetime(2026, 3, 2, 9, tzinfo=UTC), "d": "ü"})
    assert text == '{\n  "a": 1.5,\n  "b": 7,\n  "c": "2026-03-02T09:00:00.000000Z",\n  "d": "ü"\n}'


class _Time:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_progress_without_a_terminal_is_a_line_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    time = _Time()
    told = plain_lines("rebuild", "facts", time)
    for after, done in ((1.9, 1000), (2.0, 2000), (11.9, 9000), (12.0, 10000), (20.0, 20000)):
        time.now = 100.0 + after
        told(done, 20000)
    assert capsys.readouterr().err.splitlines() == [
        "rebuild: 2,000 of 20,000 facts, 1,000 facts/s, 18 s left",
        "rebuild: 10,000 of 20,000 facts, 833 facts/s, 12 s left",
        "rebuild: 20,000 facts in 20 s, 1,000 facts/s",
    ]


def test_short_work_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    time = _Time()
    told = plain_lines("rebuild", "facts", time)
    time.now = 101.0
    told(20000, 20000)
    assert capsys.readouterr().err == ""


def test_progress_on_a_terminal_is_a_bar_with_speed_and_time_left(capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    from opsledger.cli.progress import progress

    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("FORCE_COLOR", "1")
    with progress("rebuild") as told:
        told(500, 1000)
        told(1000, 1000)
    err = capsys.readouterr().err
    assert "rebuild" in err
    assert "1000/1000" in err
    assert "facts/s" in err
