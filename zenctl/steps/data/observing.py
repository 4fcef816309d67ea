"""Looks at a source of files for plan, whatever its kind: each file is read once, and then known by the cache.

Standard library only.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from zenctl.diagnostics import Diagnostic, DiagnosticError, Position, SourceRange, did_you_mean, error
from zenctl.digests import CHUNK
from zenctl.schema import SourceCache
from zenctl.steps.data.files import shown, unreadable
from zenctl.steps.data.problems import FileProblem
from zenctl.steps.data.unpacking import clear_file

Scan = Callable[[Path], Mapping[str, Any]]
"""Reads a file once; gives its `sha256`, its `bytes`, and what else its kind tells, as JSON."""


def facts_of(files: Iterable[Path], root: Path, cache: SourceCache, form: str, scan: Scan) -> list[Mapping[str, Any]]:
    """What is known of each file: from the cache where `scan` was done there under this `form`, a name for its rules.

    Raises DiagnosticError for files that cannot be read, and all that raise FileProblem.
    """
    found: list[Mapping[str, Any]] = []
    problems: list[Diagnostic] = []
    for path in files:
        known = cache.get(path)
        kept = known.get(form) if known is not None else None
        if isinstance(kept, dict):
            found.append(kept)
            continue
        try:
            facts = dict(scan(path))
        except OSError as problem:
            raise unreadable(shown(path, root), problem) from problem
        except FileProblem as problem:
            problems.append(placed(problem, shown(path, root)))
            continue
        cache.put(path, {**(known or {}), form: facts})
        found.append(facts)
    if problems:
        raise DiagnosticError(*problems)
    return found


def scan_bytes(path: Path, update: Callable[[bytes], object] = lambda _: None) -> dict[str, Any]:
    """SHA-256 and size of a file as it is; `update` gets its bytes in order, in pieces. Raises OSError."""
    with open(path, "rb", buffering=0) as stream:
        return _scanned(iter(lambda: stream.read(CHUNK), b""), update)


def scan_clear(path: Path, update: Callable[[bytes], object] = lambda _: None) -> dict[str, Any]:
    """The same of its content in the clear. Raises OSError and FileProblem."""
    with clear_file(path) as stream:
        return _scanned(stream.chunks(), update)


def _scanned(chunks: Iterable[bytes], update: Callable[[bytes], object]) -> dict[str, Any]:
    hasher, size = hashlib.sha256(), 0
    for chunk in chunks:
        hasher.update(chunk)
        update(chunk)
        size += len(chunk)
    return {"sha256": hasher.hexdigest(), "bytes": size}


def placed(problem: FileProblem, name: str) -> Diagnostic:
    """The diagnostic for a problem of a file, by the name under which it is shown."""
    if not problem.line:
        return error(problem.code, f"{name}: {problem.message}", problem.hint)
    column = max(problem.column, 1)
    place = SourceRange(name, Position(problem.line, column, 0), Position(problem.line, column + 1, 0))
    at = f"{name}:{problem.line}:{problem.column}" if problem.column else f"{name}:{problem.line}"
    return error(problem.code, f"{at}: {problem.message}", problem.hint, range=place)


def empty(path: str, what: str = "rows") -> DiagnosticError:
    """What is told of a source without rows."""
    detail = "A snapshot without rows would only fail later: check what should have written it."
    return DiagnosticError(error("source_empty", f"there are no {what} in {path}", detail))


def unknown_columns(attribute: str, wanted: Iterable[str], columns: Sequence[str]) -> list[Diagnostic]:
    """For each column that an attribute names and that is not there."""
    known = ", ".join(columns[:20])
    return [
        error(
            "source_column",
            f'{attribute} names the column "{name}", which is not there',
            f"Columns are {known}.{did_you_mean(name, columns)}",
        )
        for name in wanted
        if name not in columns
    ]


def other_columns(name: str, names: Iterable[str], first: str, columns: Iterable[str]) -> Diagnostic:
    """For a file whose columns are not those of the first one."""
    return error("source_header", f"{name} has other columns than {first}", difference(names, columns))


def difference(names: Iterable[str], columns: Iterable[str]) -> str:
    """What sets the columns `names` apart from the `columns` that are expected, in words."""
    names, columns = list(names), list(columns)
    missing = [f'"{name}"' for name in columns if name not in names]
    new = [f'"{name}"' for name in names if name not in columns]
    parts = [f"without {', '.join(missing)}"] if missing else []
    parts += [f"with {', '.join(new)} besides"] if new else []
    return f"It is {' and '.join(parts)}: all files of a source must have the same columns."
