"""Digests what counts of each file of a closure: the definitions that were reached, in the order that matters. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from zenctl.digests import sha256_json
from zenctl.fingerprint.definitions.facts import Entry, FileFacts
from zenctl.fingerprint.definitions.names import Target
from zenctl.fingerprint.definitions.reach import Reach

SHORT = 16
"""Hex digits that are kept of a definition's digest: they only name what changed, the file's whole digest decides."""

_PRESENT = "present"


@dataclass(frozen=True)
class Counted:
    """The digest of what counts of one file, and that of each definition by the name a person knows it by."""

    digest: str
    definitions: dict[str, str]


def count(file: str, facts: FileFacts, reach: Reach, entry: Iterable[Target], own_module: Iterable[str]) -> Counted:
    """What counts of a file. `entry` is the step's function, `own_module` what the project hides of the library."""
    chosen: list[tuple[str, str]] = []
    run: list[tuple[str, str]] = []
    for part in facts.entries:
        digest = _digest(file, part, facts, reach, frozenset(entry), frozenset(own_module))
        if not digest:
            continue
        if _only_binds(part):
            run.append((part.key, digest))
            continue
        # Definitions without an effect may stand in any order between those with one.
        chosen += sorted(run, key=lambda item: item[0])
        chosen.append((part.key, digest))
        run = []
    chosen += sorted(run, key=lambda item: item[0])
    by_key: dict[str, list[str]] = {}
    for key, digest in chosen:
        if digest != _PRESENT:
            by_key.setdefault(key, []).append(digest)
    definitions = {key: (found[0] if len(found) == 1 else sha256_json(found))[:SHORT] for key, found in by_key.items()}
    return Counted(sha256_json([list(item) for item in chosen]), dict(sorted(definitions.items())))


def _only_binds(part: Entry) -> bool:
    return (part.kind == "function" and not part.head) or part.kind in ("constant", "name")


def _digest(
    file: str, part: Entry, facts: FileFacts, reach: Reach, entry: frozenset[Target], own_module: frozenset[str]
) -> str:
    """What counts of one part of a file; "" if nothing does."""
    if part.kind == "function":
        target = Target("function", file, part.key)
        if target not in reach.functions:
            return part.head or _present(file, part, reach)
        contract = [found.contract for found in facts.functions[part.key]] if target in entry else []
        return _with_marks(part, reach, contract)
    if part.kind == "name":
        shadowed = part.module.partition(".")[0] in own_module
        used = shadowed or file in reach.whole or any((file, name) in reach.used for name in part.names)
        return _with_marks(part, reach, []) if used else _present(file, part, reach)
    if part.kind == "main" and not reach.runs_main(file):
        return ""
    return _with_marks(part, reach, [])


def _present(file: str, part: Entry, reach: Reach) -> str:
    """A name that an import takes must be there, whatever it stands for."""
    in_class = part.kind == "function" and "." in part.key
    return _PRESENT if not in_class and any((file, name) in reach.present for name in part.names) else ""


def _with_marks(part: Entry, reach: Reach, more: list[str]) -> str:
    """The digest of code, with its docstrings and annotations where something reads them."""
    read = [
        part.docs if "docs" in reach.marks else "",
        part.hints if "hints" in reach.marks else "",
        *more,
    ]
    if not any(read):
        return part.digest
    return sha256_json([part.digest, *read])
