"""Reads the configuration's files of a folder: every *.zen.hcl, *.zen.yaml and *.zen.yml."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from zenctl.diagnostics import Diagnostic, Position, SourceRange, error
from zenctl.jobs.artifacts import scan_folder
from zenctl.jobs.storage import StorageError

HCL_SUFFIX = ".zen.hcl"
YAML_SUFFIXES = (".zen.yaml", ".zen.yml")
SUFFIXES = (HCL_SUFFIX, *YAML_SUFFIXES)
VALUES_SUFFIX = ".zenvars"
"""Of the files that hold values of variables; they are HCL."""

MAX_BYTES = 4 << 20
"""Largest file that is read: a configuration is written by people."""


class ModuleFolders(Protocol):
    """The folders of modules with the texts of their files, on the disk or as a plan recorded them.

    A folder is named relative to the root module's, with forward slashes; "" is the root module's own.
    """

    def read(self, folder: str) -> tuple[dict[str, str], list[Diagnostic]]:
        """The texts of a folder's configuration files by name relative to the root module's folder."""
        ...

    def text(self, name: str) -> str | None:
        """Another file's text by such a name, or None."""
        ...

    def digest(self, folder: str) -> str | None:
        """The digest of all that a folder holds; None if it is not there."""
        ...


class FoldersOnDisk:
    """Module folders as they lie on the disk."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def read(self, folder: str) -> tuple[dict[str, str], list[Diagnostic]]:
        """See ModuleFolders."""
        return read_folder(self._root / folder, folder)

    def text(self, name: str) -> str | None:
        """See ModuleFolders."""
        text, problem = read_text(self._root / name, name)
        return text if problem is None else None

    def digest(self, folder: str) -> str | None:
        """See ModuleFolders."""
        place = self._root / folder
        try:
            return scan_folder(place).digest if place.is_dir() else None
        except (OSError, StorageError):
            return ""


class RecordedFolders:
    """Module folders as texts by name."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self._files = files

    def read(self, folder: str) -> tuple[dict[str, str], list[Diagnostic]]:
        """See ModuleFolders."""
        found = {
            name: text
            for name, text in self._files.items()
            if posixpath.dirname(name) == folder and name.endswith(SUFFIXES)
        }
        return found, [] if found else [_nothing(folder or ".")]

    def text(self, name: str) -> str | None:
        """See ModuleFolders."""
        return self._files.get(name)

    def digest(self, folder: str) -> str | None:
        """See ModuleFolders. What a plan recorded was checked when the plan was made."""
        return posixpath.basename(folder)


def join(folder: str, name: str) -> str:
    """A name in a folder, both relative to the root module's folder."""
    return posixpath.normpath(posixpath.join(folder, name))


def _nothing(folder: str) -> Diagnostic:
    detail = f"There is no *.zen.hcl, *.zen.yaml or *.zen.yml in {folder}."
    return error("no_configuration", "There is no zenctl configuration in this folder", detail)


def read_folder(root: Path, prefix: str = "") -> tuple[dict[str, str], list[Diagnostic]]:
    """The texts by file name (in the folder `prefix`), sorted by name.

    A folder without any such file is an error that says what to do.
    """
    if not root.is_dir():
        detail = "Give the configuration's folder with -chdir=DIR, or run zenctl there."
        if prefix:
            detail = "A module's source names a folder, relative to the file that calls it."
        return {}, [error("no_configuration", f"There is no folder {prefix or root}", detail)]
    try:
        names = sorted(p.name for p in root.iterdir() if p.name.endswith(SUFFIXES) and not p.name.startswith("."))
    except OSError as problem:
        return {}, [error("unreadable_folder", f"The folder {root} cannot be read: {problem.strerror}")]
    if not names and prefix:
        return {}, [_nothing(prefix)]
    if not names:
        detail = (
            f"Looked for *.zen.hcl, *.zen.yaml and *.zen.yml in {root.absolute()}. "
            "Run `zenctl init` to begin one here, or give the configuration's folder with -chdir=DIR."
        )
        return {}, [error("no_configuration", "There is no zenctl configuration in this folder", detail)]
    texts: dict[str, str] = {}
    diagnostics: list[Diagnostic] = []
    for name in names:
        shown = join(prefix, name)
        text, unreadable = read_text(root / name, shown)
        if unreadable is not None:
            diagnostics.append(unreadable)
        else:
            texts[shown] = text
    return texts, diagnostics


def read_text(path: Path, name: str) -> tuple[str, Diagnostic | None]:
    """A file's text, or a diagnostic that says why there is none and where in the file."""
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as problem:
        detail = "Check that it is a file and that you may read it."
        return "", error(
            "unreadable_file", f"{name} cannot be read: {problem.strerror}", detail, range=_place(name, b"")
        )
    return decoded(data, name)


def decoded(data: bytes, name: str) -> tuple[str, Diagnostic | None]:
    """What a file of that name says, or a diagnostic: it must be UTF-8 and not larger than `MAX_BYTES`."""
    if len(data) > MAX_BYTES:
        return "", error("unreadable_file", f"{name} is larger than {MAX_BYTES >> 20} MiB", range=_place(name, b""))
    try:
        return data.decode("utf-8"), None
    except UnicodeDecodeError as problem:
        place = _place(name, data[: problem.start])
        found = data[problem.start]
        summary = f"{name} is not UTF-8 text: byte 0x{found:02x} on line {place.start.line}"
        return "", error("not_utf8", summary, "Save the file as UTF-8 in your editor.", range=place)


def _place(name: str, before: bytes) -> SourceRange:
    text = before.decode("utf-8")
    line = text.count("\n") + 1
    column = len(text) - (text.rfind("\n") + 1) + 1
    at = Position(line, column, len(before))
    return SourceRange(name, at, at)
