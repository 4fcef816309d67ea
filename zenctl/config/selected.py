"""Says which workspace a command works in: what may name one, and the one that `workspace select` chose."""

from __future__ import annotations

import re
from pathlib import Path

from zenctl.diagnostics import Diagnostic, error

DEFAULT = "default"
"""The workspace that is always there."""

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,89}")
"""What may name a workspace: it becomes part of records, labels and the names of endpoints."""

RULE = "A workspace's name has letters, digits, dots, dashes and underscores, and begins with a letter or digit."

_FILE = "environment"


def check_name(name: str, said: str) -> list[Diagnostic]:
    """What is wrong with a workspace's name; `said` is how it was given: `-workspace="a b"`."""
    if NAME.fullmatch(name):
        return []
    return [error("invalid_workspace", f"{said} is no name of a workspace", f"{RULE} At most 90 of them.")]


def selected(data_dir: Path) -> str:
    """The workspace that was selected in this folder; `default` if none was. Its name is not checked."""
    try:
        return (data_dir / _FILE).read_text(encoding="utf-8", errors="replace").strip() or DEFAULT
    except (FileNotFoundError, NotADirectoryError):
        return DEFAULT


def select(data_dir: Path, name: str) -> None:
    """Remember the selected workspace. Only a cache: without the file it is `default` again. Raises OSError."""
    data_dir.mkdir(parents=True, exist_ok=True)
    written = data_dir / f"{_FILE}.new"
    written.write_text(name, encoding="utf-8")
    written.replace(data_dir / _FILE)
