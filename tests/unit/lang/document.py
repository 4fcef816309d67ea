"""Reads the tables of docs/language.md, so that tests hold what it says."""

from __future__ import annotations

import re
from pathlib import Path

DOCUMENT = Path(__file__).parents[3] / "docs" / "language.md"


def rows(heading: str) -> list[list[str]]:
    """The rows of the tables below a heading, code without its backticks, `⏎` in it read as a line break."""
    lines = DOCUMENT.read_text(encoding="utf-8").split("\n")
    start = next(i for i, line in enumerate(lines) if line.lstrip("#").strip() == heading)
    level = len(lines[start]) - len(lines[start].lstrip("#"))
    found: list[list[str]] = []
    for at, line in enumerate(lines[start + 1 :], start + 1):
        if line.startswith("#") and len(line) - len(line.lstrip("#")) <= level:
            break
        if line.startswith("|") and not set(line) <= set("|-: ") and not lines[at + 1].startswith("|--"):
            found.append([_cell(cell) for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
    assert found, heading
    return found


def _cell(text: str) -> str:
    text = text.strip().replace("\\|", "|")
    code = re.fullmatch(r"(`+) ?(.*?) ?\1", text)
    return code[2].replace("⏎", "\n").replace("␍", "\r") if code else text
