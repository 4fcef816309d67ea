"""Finds the files that a datasource's path means, in the order in which they are read. Standard library only."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from zenctl.diagnostics import DiagnosticError, did_you_mean, error
from zenctl.digests import sha256_json

_PATTERN = frozenset("*?[")

RELATIVE = "Paths are relative to the configuration's folder."


def find_files(path: str, root: Path, kind: str, names: Sequence[str]) -> dict[str, Path]:
    """Files by name relative to the folder they were looked for in, sorted by it.

    Of a folder, those below it that one of the patterns `names` matches. `kind` is the datasource's type.
    Raises DiagnosticError if there is none, or a folder cannot be read.
    """
    globs = " or ".join(names)
    if "://" in path:
        detail = f"A {kind} datasource reads files of this machine: copy them here, or name a local path."
        raise DiagnosticError(error("source_unsupported", f"cannot read {path}", detail))
    place = Path(os.path.normpath(root / path))
    try:
        if _PATTERN & set(path) and not place.exists():
            return _matching(path, root)
        if place.is_dir():
            found = {
                p.relative_to(place).as_posix(): p
                for p in place.rglob("*")
                if any(fnmatchcase(p.name, name) for name in names) and p.is_file() and _visible(p, place)
            }
            if not found:
                raise _missing(f"no {globs} file in {path}", "Put at least one there, or name a file.")
            return dict(sorted(found.items()))
        if place.is_file():
            return {place.name: place}
    except PermissionError as problem:
        raise unreadable(path, problem) from problem
    if place.is_symlink() and not place.exists():
        raise _missing(f"{path} is a link to {os.readlink(place)}, which is not there", "Mend the link, or remove it.")
    if place.exists():
        raise _missing(
            f"{path} is no regular file", f"A {kind} datasource reads files, and folders with {globs} files."
        )
    raise _missing(f"there is no file {path}", _advice(place))


def source_digest(kind: str, digests: Sequence[str]) -> str:
    """Digest of a source from those of its files in order; names do not matter, one file's digest is its own."""
    return digests[0] if len(digests) == 1 else sha256_json({kind: list(digests)})


def shown(path: Path, root: Path) -> str:
    """The file as the user would type it."""
    path, base = path.absolute(), root.absolute()
    return path.relative_to(base).as_posix() if path.is_relative_to(base) else str(path)


def ordered(locations: Mapping[str, str]) -> list[Path]:
    """The files of `SourceState.locations`, in the order in which they are read."""
    return [Path(locations[name]) for name in sorted(locations)]


def unreadable(path: str, problem: OSError) -> DiagnosticError:
    """What a user is told of a file that is there but cannot be read."""
    reason = (problem.strerror or type(problem).__name__).lower()
    return DiagnosticError(error("source_unreadable", f"cannot read {path}: {reason}", "Check its permissions."))


def _matching(path: str, root: Path) -> dict[str, Path]:
    base = Path(path)
    start = Path(base.anchor) if base.is_absolute() else root
    pattern = str(base.relative_to(base.anchor)) if base.is_absolute() else path
    found = {
        p.relative_to(start).as_posix(): p for p in start.glob(pattern) if p.is_file() and _visible(p, start, path)
    }
    if not found:
        raise _missing(f"no file matches {path}", RELATIVE)
    return dict(sorted(found.items()))


def _visible(file: Path, folder: Path, pattern: str = "") -> bool:
    """As in a shell, files and folders with a leading dot are not meant unless the pattern has one, too."""
    asked = pattern.startswith(".") or "/." in pattern
    return asked or not any(part.startswith(".") for part in file.relative_to(folder).parts)


def _missing(summary: str, detail: str) -> DiagnosticError:
    return DiagnosticError(error("source_missing", summary, detail))


def _advice(place: Path) -> str:
    folder = place.parent
    if not folder.is_dir():
        return f"The folder {folder.name} does not exist. {RELATIVE}"
    names = [entry.name for entry in folder.iterdir()]
    return f"{RELATIVE}{did_you_mean(place.name, names)}"
