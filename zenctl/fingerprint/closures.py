"""Keeps closures between commands, each with all that was looked at to find it, so that nothing is parsed in vain."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

import zenctl
from zenctl.diagnostics import Diagnostic, Position, Severity, SourceRange
from zenctl.digests import sha256_bytes, sha256_json
from zenctl.fingerprint.code import Closure, closure
from zenctl.fingerprint.data import replace_file
from zenctl.fingerprint.definitions.stored import Read
from zenctl.fingerprint.source import SourceError, glob
from zenctl.fingerprint.watching import Seen, WatchedTree

MAX_KEPT = 1000
"""Most closures that are kept; those that were written first go first."""

Found = tuple["Closure | None", list[Diagnostic]]


class ClosureCache:
    """Remembers closures in a folder, a file each; losing it, or damage to it, costs only time.

    A closure is taken where every file and folder that was looked at to find it is as it was, by content. The first
    line of a file names the code and the Python that made it, the second one is the digest of the third. Nothing is
    written before `save`.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._new: dict[Path, bytes] = {}

    def closure(
        self, name: str, tree: WatchedTree, entry_file: str, function: str, files: Sequence[str], read: Read
    ) -> Found:
        """See `zenctl.fingerprint.code.closure`. `name` tells trees apart."""
        path = self._folder / f"{sha256_json([name, entry_file, function, list(files)])}.txt"
        kept = _load(path, tree)
        if kept is not None:
            return kept
        with tree.watch() as seen:
            made, diagnostics = closure(tree, entry_file, function, files, read)
        if made is not None and not seen.failed:
            self._new[path] = _written(made, diagnostics, seen, {pattern: glob(tree, pattern) for pattern in files})
        return made, diagnostics

    def save(self) -> None:
        """Write what is new; a folder that cannot be written to is left alone."""
        if not self._new:
            return
        try:
            for path, data in self._new.items():
                replace_file(path, data)
            kept = sorted(self._folder.glob("*.txt"), key=lambda entry: entry.stat().st_mtime_ns)
            for old in kept[:-MAX_KEPT]:
                old.unlink(missing_ok=True)
        except OSError:
            # Plan must work in a read-only checkout, and beside another plan.
            return
        self._new = {}


def _written(made: Closure, diagnostics: Sequence[Diagnostic], seen: Seen, matches: Mapping[str, list[str]]) -> bytes:
    raw = {
        "entry": made.entry,
        "digest": made.digest,
        "files": dict(made.files),
        "sources": list(made.sources),
        "third_party": sorted(made.third_party),
        "warnings": made.warnings,
        "definitions": {path: dict(found) for path, found in made.definitions.items()},
        "diagnostics": [asdict(diagnostic) for diagnostic in diagnostics],
        "seen": asdict(seen),
        "matches": matches,
    }
    data = json.dumps(raw, separators=(",", ":")).encode()
    return b"\n".join([_header(), sha256_bytes(data).encode(), data])


def _load(path: Path, tree: WatchedTree) -> Found | None:
    """What is kept, if it is whole and still right."""
    try:
        header, digest, data = path.read_bytes().split(b"\n", 2)
    except (OSError, ValueError):
        return None
    if header != _header() or sha256_bytes(data).encode() != digest:
        return None
    raw = json.loads(data)
    if not tree.still_gives(Seen(**raw["seen"])):
        return None
    try:
        if any(glob(tree, pattern) != found for pattern, found in raw["matches"].items()):
            return None
        sources = {name: tree.read(name) or b"" for name in raw["sources"]}
    except SourceError:
        return None
    made = Closure(
        entry=raw["entry"],
        digest=raw["digest"],
        files=raw["files"],
        sources=sources,
        third_party=frozenset(raw["third_party"]),
        warnings=tuple(raw["warnings"]),
        definitions=raw["definitions"],
    )
    return made, [_diagnostic(item) for item in raw["diagnostics"]]


def _diagnostic(raw: Mapping[str, Any]) -> Diagnostic:
    place = raw["range"]
    if place is not None:
        place = SourceRange(place["filename"], Position(**place["start"]), Position(**place["end"]))
    values = tuple((name, value) for name, value in raw["values"])
    return Diagnostic(
        Severity(raw["severity"]), raw["code"], raw["summary"], raw["detail"], place, raw["address"], values
    )


@lru_cache(maxsize=1)
def _header() -> bytes:
    """Names the code that finds closures, by its bytes, and the Python that parses and knows the standard library."""
    sources = sorted(Path(__file__).parent.rglob("*.py"))
    digest = sha256_bytes(b"\0".join(path.read_bytes() for path in sources))
    return f"zenctl closure {zenctl.__version__} {digest} {sha256_bytes(sys.version.encode())}".encode()
