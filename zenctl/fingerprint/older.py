"""Compares code with a record that was made when every file of a closure counted as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from zenctl.digests import sha256_bytes, sha256_text
from zenctl.fingerprint.canonical import canonical
from zenctl.fingerprint.code import Closure
from zenctl.fingerprint.parsing import Source, decode, parse
from zenctl.fingerprint.source import SourceError, SourceTree


def as_recorded(tree: SourceTree, closure: Closure, components: Mapping[str, Any]) -> Closure:
    """The closure in the form of an older record, if it is provably the code that was recorded; else as it is.

    `components` are those of the record. That no file of it changed, and that no other file is reached now, proves it:
    the step stays up to date. Otherwise its code counts as changed once, and is recorded anew.
    """
    code = components.get("code", {})
    if not code or "definitions" in code or not _is_same(tree, closure, code):
        return closure
    # It named the packages that any function of the files imports, reached or not.
    packages = components.get("environment", {}).get("distributions", {})
    return replace(closure, digest=code["digest"], files=code["files"], definitions={}, third_party=frozenset(packages))


def _is_same(tree: SourceTree, closure: Closure, code: Mapping[str, Any]) -> bool:
    files: Mapping[str, str] = code.get("files", {})
    entry_file = closure.entry.rpartition(":")[0]
    if str(code.get("entry", "")).rpartition(":")[0] != entry_file or not closure.files.keys() <= files.keys():
        return False
    return all(digest in _digests(tree, path) for path, digest in files.items())


def _digests(tree: SourceTree, path: str) -> set[str]:
    """What could be recorded of a file: the digest of its bytes, of its code, of that with its docstrings."""
    try:
        data = tree.read(path)
    except SourceError:
        data = None
    if data is None:
        return set()
    found = {sha256_bytes(data)}
    text, _ = decode(data, path)
    module = parse(Source(path, text))[0] if text is not None else None
    if module is not None:
        written = canonical(module)
        digest = sha256_text(written.text)
        found |= {digest, sha256_text(f"{digest} {sha256_text(written.docs)}")}
    return found
