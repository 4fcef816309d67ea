"""Reads the corpus: small projects, each with one change and whether it makes the step stale.

## name -> stale: what CODE_CHANGED says        or   ## name -> fresh
(entry steps/fit.py) (files *.json) (not run) (counts though unread)     one a line, all optional
[path]              a file of the project; its text follows
[edit path]         a text of it, then a line `=>`, then what takes its place
[add path]          a file that is there only after the change
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
_SECTION = re.compile(r"\[(edit |add )?([\w./-]+\.\w+)\]")
_OPTION = re.compile(r"\((entry|files|not run|counts though unread) ?([\w./* ]*)\)")


@dataclass
class Case:
    """One row of the corpus. `says` is the reason's detail, "" where the step stays fresh."""

    name: str
    says: str
    before: dict[str, str] = field(default_factory=dict)
    after: dict[str, str] = field(default_factory=dict)
    entry: str = "steps/fit.py"
    files: tuple[str, ...] = ()
    runs: bool = True
    unread: bool = False


def read_cases() -> dict[str, Case]:
    """Every case of the corpus by its name."""
    found = [case for path in sorted((HERE / "cases").glob("*.txt")) for case in parse(path.read_text())]
    cases = {case.name: case for case in found}
    assert len(cases) == len(found), "two cases have the same name"
    return cases


def parse(text: str) -> Iterator[Case]:
    """The cases of one file."""
    for part in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        title, _, body = part.partition("\n")
        name, _, verdict = title.rpartition(" -> ")
        assert verdict == "fresh" or verdict.startswith("stale: "), title
        case = Case(name, verdict[len("stale: ") :] if verdict != "fresh" else "")
        edits: list[tuple[str, str]] = []
        kind = path = ""
        lines: list[str] = []
        for line in [*body.splitlines(), "[end.end]"]:
            option = _OPTION.fullmatch(line) if not path else None
            section = _SECTION.fullmatch(line)
            if option:
                _set(case, option.group(1), option.group(2))
            elif section:
                _close(case, kind, path, lines, edits)
                kind, path, lines = (section.group(1) or "").strip(), section.group(2), []
            else:
                lines.append(line)
        case.after = {**case.before, **case.after}
        for edited, edit in edits:
            old, new = re.split(r"^=>$\n?", edit, maxsplit=1, flags=re.MULTILINE)
            old, new = old.rstrip("\n"), new.rstrip("\n").replace("\\r", "\r")
            assert case.after[edited].count(old) == 1, f"{name}: {old!r} is not in {edited} once"
            case.after[edited] = case.after[edited].replace(old, new)
        yield case


def _set(case: Case, option: str, value: str) -> None:
    if option == "entry":
        case.entry = value
    elif option == "files":
        case.files = tuple(value.split())
    elif option == "not run":
        case.runs = False
    else:
        case.unread = True


def _close(case: Case, kind: str, path: str, lines: list[str], edits: list[tuple[str, str]]) -> None:
    while lines and not lines[-1]:
        lines.pop()
    text = "".join(f"{line}\n" for line in lines)
    if kind == "edit":
        edits.append((path, text))
    elif kind == "add":
        case.after[path] = text
    elif path:
        case.before[path] = text


def lay(root: Path, files: dict[str, str]) -> Path:
    """Write a project into a folder."""
    for name, text in files.items():
        place = root / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(text.encode())
    return root
