"""The console's history: private, bounded, without secrets, and never a reason to fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from zenctl.cli.history import MOST, History, history_file


def test_lines_come_back_in_the_next_session(tmp_path: Path) -> None:
    path = tmp_path / "state" / "zenctl" / "history"
    first = History(path)
    for line in ("var.a", "  ", "var.b", "var.b", "var.ü\n"):
        first.add(line)
    assert History(path).lines == ["var.a", "var.b", "var.ü"]
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_secrets_are_not_written(tmp_path: Path) -> None:
    path = tmp_path / "history"
    history = History(path, ("hunter2",))
    history.add('var.password == "hunter2"')
    history.add("var.password")
    assert path.read_text() == "var.password\n"


def test_a_file_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    path = tmp_path / "history"
    path.write_text("old\n")
    path.chmod(0o644)
    History(path).add("new")
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_text() == "old\nnew\n"


def test_the_file_does_not_grow_for_ever(tmp_path: Path) -> None:
    path = tmp_path / "history"
    path.write_text("".join(f"{i}\n" for i in range(2 * MOST + 1)))
    assert len(History(path).lines) == MOST
    assert path.read_text().splitlines()[0] == str(MOST + 1)


def test_where_nothing_can_be_kept_there_is_no_history(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    history = History(tmp_path / "file" / "history")
    history.add("var.a")
    assert history.lines == ["var.a"]
    assert History(None).lines == []


@pytest.mark.parametrize(
    ("environment", "path"),
    [
        ({"HOME": "/h"}, "/h/.local/state/zenctl/history"),
        ({"HOME": "/h", "XDG_STATE_HOME": "/x"}, "/x/zenctl/history"),
        ({"HOME": "/h", "XDG_STATE_HOME": "relative"}, "/h/.local/state/zenctl/history"),
        ({}, None),
    ],
)
def test_where_it_lies(environment: dict[str, str], path: str | None) -> None:
    assert history_file(environment) == (None if path is None else Path(path))
