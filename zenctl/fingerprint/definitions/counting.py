"""Digests what counts of each file of a closure: the definitions that were reached, in the order that matters. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from zenctl.digests import sha256_json
from zenctl.fingerprint.definitions.facts import Entry, FileFacts
from zenctl.fingerprint.definitions.names import Target
from zenctl.fingerprint.definitions.reach import Reach
from zenctl.lazy_dataclasses import dataclass

SHORT = 16
"""Hex digits that are kept of a definition's digest: they only name what changed, the file's whole digest decides."""

_PRESENT = "present"


@dataclass(frozen=True)
class Counted:
    """The digest of what counts of one file, and that of each definition by the name a person knows it by."""

    digest: str
    definitions: dict[str, str]


def count(
    file: str, facts: FileFacts, reach: Reach, contracts: Mapping[Target, str], shadowed: Collection[str]
) -> Counted:
    """What counts of a file.

    `contracts` are digests that count besides for a step's function; `shadowed` are modules of the standard library
    that modules of the project hide.
    """
    chosen: list[tuple[str, str]] = []
    run: list[tuple[Entry, str]] = []
    for part in facts.entries:
        digest = _digest(file, part, reach, contracts, shadowed)
        if not digest:
            continue
        if _only_binds(part) and not _is_listed(file, part, reach):
            run.append((part, digest))
            continue
        # Definitions without an effect may stand in any order between those with one.
        chosen += [*_in_order(run), (part.key, digest)]
        run = []
    chosen += _in_order(run)
    by_key: dict[str, list[str]] = {}
    for key, digest in chosen:
        if digest != _PRESENT:
            by_key.setdefault(key, []).append(digest)
    definitions = {key: (found[0] if len(found) == 1 else sha256_json(found))[:SHORT] for key, found in by_key.items()}
    return Counted(sha256_json([list(item) for item in chosen]), dict(sorted(definitions.items())))


def _only_binds(part: Entry) -> bool:
    return (part.kind == "function" and not part.head) or part.kind in ("constant", "name")


def _is_listed(file: str, part: Entry, reach: Reach) -> bool:
    """Whether the place of a definition among others shows: code may list the names of its module or class."""
    owner, _, _ = part.key.rpartition(".") if part.kind == "function" else ("", "", "")
    if not owner:
        return file in reach.listed
    return reach.lists_members or reach.lineage.of(Target("class", file, owner)).is_listed


def _in_order(run: Sequence[tuple[Entry, str]]) -> list[tuple[str, str]]:
    """Definitions without an effect, however they stand; of a name that several bind, the last one counts once more."""
    found = sorted(((part.key, digest) for part, digest in run), key=lambda item: item[0])
    last: dict[str, tuple[str, str]] = {}
    several: set[str] = set()
    for part, digest in run:
        for name in part.names:
            # `import os` and `import os.path` bind the same module.
            what = name if part.module.partition(".")[0] == name else part.key
            if last.get(name, (what,))[0] != what:
                several.add(name)
            last[name] = (what, digest)
    return found + [(name, last[name][1]) for name in sorted(several)]


def _digest(file: str, part: Entry, reach: Reach, contracts: Mapping[Target, str], shadowed: Collection[str]) -> str:
    """What counts of one part of a file; "" if nothing does."""
    if part.kind == "function":
        target = Target("function", file, part.key)
        if target not in reach.functions:
            return part.head or _present(file, part, reach)
        return _with_marks(part, reach, contracts.get(target, ""))
    if part.kind == "name":
        used = file in reach.whole or any((file, name) in reach.used for name in part.names)
        if not used and part.module.partition(".")[0] not in shadowed:
            return _present(file, part, reach)
    if part.kind == "main" and not reach.runs_main(file):
        return ""
    return _with_marks(part, reach)


def _present(file: str, part: Entry, reach: Reach) -> str:
    """A name that an import takes must be there, whatever it stands for."""
    in_class = part.kind == "function" and "." in part.key
    return _PRESENT if not in_class and any((file, name) in reach.present for name in part.names) else ""


def _with_marks(part: Entry, reach: Reach, contract: str = "") -> str:
    """The digest of code, with its docstrings and annotations where something reads them."""
    docs = part.docs if "docs" in reach.marks else ""
    hints = part.hints if "hints" in reach.marks else ""
    return sha256_json([part.digest, docs, hints, contract]) if docs or hints or contract else part.digest
