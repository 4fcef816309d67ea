"""Reads pip requirements files: their lines with what they include, the local files they name, and secrets in URLs."""

from __future__ import annotations

import re
from typing import Callable, Iterable, Iterator, List, Tuple

MAX_INCLUDED = 50
"""Most requirements files that one may include: they may include each other."""

HIDDEN = "****"
"""Stands for credentials in a URL."""

ARCHIVES = (".whl", ".tar.gz", ".zip", ".tar.bz2", ".tar.xz", ".tgz")

_INCLUDE = re.compile(r"(-r|-c|--requirement|--constraint)[ =]?\s*(\S+)")
_USER = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<user>[^/\s@]+)@")
_PLACEHOLDER = re.compile(r"\$\{([A-Z0-9_]+)\}")
_DIRECT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(?:\[[^\]]*\])?\s*@\s*(?:file:(?://)?)(\S+)")


def requirement_lines(text: str, included: Callable[[str], str]) -> Iterator[Tuple[str, bool]]:
    """Each line of a requirements file and of those that it includes, and whether it only constrains.

    Comments and blank lines are left out, continued lines are one. `included` gives the text of a file that is named
    with `-r` or `-c`; it may raise.
    """
    waiting, seen = [(text, False)], 0
    while waiting and seen < MAX_INCLUDED:
        seen += 1
        body, constrains = waiting.pop(0)
        for raw in re.sub(r"\\\r?\n", " ", body).splitlines():
            line = re.sub(r"(^|\s)#.*$", "", raw).strip()
            include = _INCLUDE.fullmatch(line)
            if include is not None:
                waiting.append((included(include.group(2)), constrains or include.group(1) in ("-c", "--constraint")))
            elif line:
                yield " ".join(line.split()), constrains


def holds_secret(line: str) -> bool:
    """Whether a URL in the line holds a password or a token itself; `${NAME}` of the environment is none."""
    for found in _USER.finditer(line):
        name, colon, password = found.group("user").partition(":")
        if colon and not _PLACEHOLDER.fullmatch(password):
            return True
        if not colon and not _PLACEHOLDER.fullmatch(name) and "ssh" not in found.group("scheme"):
            return True
    return False


def without_secrets(text: str) -> str:
    """The text with credentials in URLs hidden; those that are `${NAME}` stay as they are."""

    def hide(found: "re.Match[str]") -> str:
        whole = found.group(0)
        return f"{found.group('scheme')}://{HIDDEN}@" if holds_secret(whole) else whole

    return _USER.sub(hide, text)


def placeholders(lines: Iterable[str]) -> List[str]:
    """The variables of the environment that the lines name as `${NAME}`."""
    return sorted({name for line in lines for name in _PLACEHOLDER.findall(line)})


def local_path(line: str) -> str:
    """The path of an archive or folder of this machine that a line asks for; empty if it is a package of an index."""
    wanted = re.split(r"\s+(?:--|;)|;", line)[0].strip()
    editable = re.fullmatch(r"(?:-e|--editable)[ =]?\s*(.+)", wanted)
    if editable is not None:
        wanted = editable.group(1)
    direct = _DIRECT.fullmatch(wanted)
    if direct is not None:
        return direct.group(1)
    if wanted.startswith("file:"):
        return re.sub(r"^file:(//)?", "", wanted)
    if "://" in wanted or wanted.startswith("-"):
        return "" if editable is None or "://" in wanted else wanted
    return wanted if editable is not None or wanted.startswith((".", "/")) or wanted.endswith(ARCHIVES) else ""


def with_archive(line: str, path: str) -> str:
    """A line that asks for a local archive, asking for the one at another path; extras, hashes and markers stay."""
    end = re.search(r"\s+(?:--|;)|;", line)
    wanted, rest = (line, "") if end is None else (line[: end.start()], line[end.start() :])
    extras = re.search(r"\[[^\]]*\]", wanted) if _DIRECT.fullmatch(wanted.strip()) else None
    return f"{path}{extras.group(0) if extras is not None else ''}{rest}"


def has_hashes(lines: Iterable[str]) -> bool:
    """Whether the lines pin what they ask for by digests."""
    return any("--hash" in line for line in lines)


def is_pinned(line: str) -> bool:
    """Whether a line always means the same package: a version after `==`, a URL, a file; options are not asked."""
    if line.startswith("-") or local_path(line) or "@" in line:
        return True
    wanted = re.split(r";|\s--", line)[0].rstrip()
    return re.search(r"===?\s*[^\s*,]+$", wanted) is not None
