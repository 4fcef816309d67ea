"""Finds every project file that a step's function can reach, by reading alone, and digests what counts of each."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from zenctl.diagnostics import Diagnostic, SourceRange, did_you_mean, error, warning
from zenctl.digests import sha256_bytes, sha256_json, sha256_text
from zenctl.fingerprint.canonical import canonical
from zenctl.fingerprint.imports import Import, Imports, find_imports
from zenctl.fingerprint.modules import EXTENSIONS, Modules
from zenctl.fingerprint.parsing import Source, decode, parse
from zenctl.fingerprint.source import SourceError, SourceTree, clean, exists, glob, walk

FORMAT = 1
"""Version of how closures are digested; a change makes every user-written step stale."""

MAX_FILES = 20_000
"""Most files that a dynamic import may widen to."""

STANDARD = sys.stdlib_module_names | {"__main__", "_typeshed", "asynchat", "asyncore", "distutils", "imp", "tomllib"}
"""Top-level modules of the standard library, those that came or went with a version included."""

NAMESPACES = frozenset({"azure", "backports", "google", "jaraco", "ruamel", "sphinxcontrib", "zope"})
"""Top-level packages that many distributions share: of these the dotted name is kept."""


@dataclass(frozen=True)
class Closure:
    """What a step's code consists of.

    `entry` is "steps/fit.py:fit". `files` maps each path to the digest of what counts of it: a module's normalised
    syntax, a declared file's bytes. `digest` stands for all of them, the entry file's own path left out. `sources` are
    the files' bytes. `third_party` are the top-level modules from outside (dotted below shared namespaces such as
    `google`). `warnings` say, one line each, what could not be followed and what was done about it.
    """

    entry: str
    digest: str
    files: Mapping[str, str]
    sources: Mapping[str, bytes]
    third_party: frozenset[str]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Facts:
    """What one Python file says: the digest of its code, of its docstrings, and what it reaches."""

    digest: str
    docs: str
    imports: Imports


def closure(
    tree: SourceTree, entry_file: str, function: str, files: Sequence[str] = ()
) -> tuple[Closure | None, list[Diagnostic]]:
    """The closure of a function, and every problem found; None if one of them is an error.

    `files` are glob patterns of files that the code reads, relative to the tree. Whether the function is there is not
    looked at (`zenctl.fingerprint.signature` does).
    """
    try:
        collector = _Collector(tree, clean(entry_file))
        return collector.collect(function, files)
    except SourceError as problem:
        return None, [error("code_unreadable", f"{problem.path} cannot be read as code", str(problem))]


class _Collector:
    def __init__(self, tree: SourceTree, entry: str) -> None:
        self.tree = tree
        self.entry = entry
        self.modules = Modules(tree, ("", entry.rpartition("/")[0]))
        self.pending: deque[str] = deque()
        self.sources: dict[str, bytes] = {}
        self.facts: dict[str, Facts | None] = {}
        self.declared: dict[str, str] = {}
        self.third_party: set[str] = set()
        self.imported: set[str] = set()
        self.optional: set[str] = set()
        self.widened: set[str] = set()
        self.diagnostics: list[Diagnostic] = []

    def collect(self, function: str, patterns: Sequence[str]) -> tuple[Closure | None, list[Diagnostic]]:
        if not self._check_entry():
            return None, self.diagnostics
        self._add([self.entry, *self.modules.parents(self.entry)])
        while self.pending:
            self._visit(self.pending.popleft())
        self._declare(patterns)
        self._undeclared()
        if any(d.is_error for d in self.diagnostics):
            return None, self.diagnostics
        digests = self._digests()
        named = dict(digests)
        if not self._place_counts():
            named[""] = named.pop(self.entry)
        warnings = tuple(f"{d.range}: {d.summary}" for d in self.diagnostics)
        digest = sha256_json({"format": FORMAT, "files": named})
        entry = f"{self.entry}:{function}"
        third_party = frozenset(self.third_party)
        return Closure(entry, digest, digests, dict(self.sources), third_party, warnings), self.diagnostics

    def _check_entry(self) -> bool:
        if not self.entry.endswith(".py"):
            summary = f"{self.entry or '.'} is not a Python file"
            detail = 'The code of a step is "path/file.py:function", relative to the configuration.'
            self.diagnostics.append(error("code_not_python", summary, detail))
            return False
        if self.tree.read(self.entry) is None:
            self.diagnostics.append(missing_file(self.tree, self.entry))
            return False
        return True

    def _add(self, paths: Iterable[str]) -> None:
        for path in paths:
            if path not in self.sources:
                data = self.tree.read(path)
                if data is not None:
                    self.sources[path] = data
                    self.pending.append(path)

    def _visit(self, path: str) -> None:
        if path.endswith(EXTENSIONS):
            self.facts[path] = None
            return
        facts = read_facts(self.sources[path])
        self.facts[path] = facts
        if facts is None:
            problem = _problem(path, self.sources[path])
            if problem is not None and path not in self.optional:
                self.diagnostics.append(problem)
            return
        for item in facts.imports.imports:
            self._follow(path, item)
        for dynamic in facts.imports.dynamic:
            self._widen(path, dynamic.what, dynamic.line, dynamic.package)

    def _follow(self, path: str, item: Import) -> None:
        target = self.modules.resolve(item, path)
        if target.outside:
            self._outside(item)
        self.imported.update(target.files)
        self._add(target.files)
        self.optional.difference_update(target.files)
        for folder in target.packages:
            what = f"from {'.' * item.level}{item.module} import *"
            self._widen_to(path, what, item.line, folder)
        if target.missing and not item.guarded and path not in self.optional:
            self.diagnostics.append(
                warning(
                    "code_import_missing",
                    f"{target.missing} is not in the project",
                    f"{path} imports it, which will fail unless that line is never reached.",
                    range=self._line(path, item.line),
                )
            )

    def _outside(self, item: Import) -> None:
        top = item.module.split(".")[0]
        if top in STANDARD or top == "zenctl" or not top:
            return
        if top not in NAMESPACES:
            self.third_party.add(top)
            return
        names = [name for name in item.names if name != "*"]
        self.third_party.update({f"{item.module}.{name}" for name in names} or {item.module})

    def _widen(self, path: str, what: str, line: int, package: str) -> None:
        """A dynamic feature: everything below the package that it is limited to, or the whole project, counts."""
        found = self.modules.package(package) if package else None
        if found is not None and not found.depth:
            # The name begins with a module from outside: only that can be loaded.
            self._outside(Import(package, (), 0, line))
            return
        for folder in (found.folders if found is not None else ()) or ("",):
            self._widen_to(path, what, line, folder)

    def _widen_to(self, path: str, what: str, line: int, folder: str) -> None:
        if path in self.optional and self.widened:
            # What a widening brought in is not explained again.
            self._bring_in(folder)
            return
        where = f"below {folder}/" if folder else "of the project"
        self.diagnostics.append(
            warning(
                "code_widened",
                f"every Python file {where} counts as code of this step",
                f"`{what}` can load files that its text does not name. Name the module in a plain import to narrow it.",
                range=self._line(path, line),
            )
        )
        self._bring_in(folder)

    def _bring_in(self, folder: str) -> None:
        if folder in self.widened or "" in self.widened:
            return
        self.widened.add(folder)
        found = [p for p in walk(self.tree, folder) if p.endswith(".py")]
        if len(found) > MAX_FILES:
            summary = f"{folder or 'the project'} has {len(found)} Python files, too many to be the code of one step"
            self.diagnostics.append(error("code_too_large", summary, "Move the step's code into a folder of its own."))
            return
        self.optional.update(path for path in found if path not in self.sources)
        self.imported.update(found)
        self._add(found)

    def _declare(self, patterns: Sequence[str]) -> None:
        for pattern in patterns:
            try:
                found = glob(self.tree, pattern)
                contents = {path: self.tree.read(path) for path in found}
            except SourceError as problem:
                self.diagnostics.append(error("code_file_unreadable", f"`files` cannot take {pattern}", str(problem)))
                continue
            if not found:
                detail = "Patterns are relative to the configuration." + did_you_mean(pattern, walk(self.tree))
                self.diagnostics.append(error("code_file_missing", f"`files` names {pattern}: no such file", detail))
            for path, data in contents.items():
                if data is not None:
                    self.sources[path] = data
                    self.declared[path] = sha256_bytes(data)

    def _undeclared(self) -> None:
        """A file that the code names in a call but does not declare will not be there when the step runs."""
        for path, facts in list(self.facts.items()):
            if facts is None or path in self.optional:
                continue
            for text, line in facts.imports.literals:
                name = text[2:] if text.startswith("./") else text
                if name in self.sources or not _like_a_path(name) or not exists(self.tree, name):
                    continue
                detail = f'The step runs without it. If it reads the file, declare it: files = ["{name}"].'
                place = self._line(path, line)
                self.diagnostics.append(warning("code_file_undeclared", f"{name} is not declared", detail, range=place))

    def _digests(self) -> dict[str, str]:
        """What counts of each file: its code; with docstrings or as it lies, where code reads those of itself."""
        known = [facts.imports for facts in self.facts.values() if facts is not None]
        raw = any(imports.reads_source for imports in known)
        docs = any(imports.reads_docs for imports in known)
        digests = dict(self.declared)
        for path, facts in self.facts.items():
            if path in self.declared:
                continue
            if facts is None or raw:
                digests[path] = sha256_bytes(self.sources[path])
            else:
                digests[path] = sha256_text(f"{facts.digest} {facts.docs}") if docs else facts.digest
        return dict(sorted(digests.items()))

    def _place_counts(self) -> bool:
        """Whether moving the entry file could change what the step does or writes."""
        if self.entry in self.imported or self.entry in self.declared:
            return True
        return any(facts is not None and facts.imports.tells_place for facts in self.facts.values())

    def _line(self, path: str, line: int) -> SourceRange:
        text, _ = decode(self.sources[path], path)
        return Source(path, text or "").line_range(line)


@lru_cache(maxsize=8192)
def read_facts(data: bytes) -> Facts | None:
    """What a Python file with this content says; None if it is not Python. The result is kept by content."""
    text, _ = decode(data, "")
    if text is None:
        return None
    tree, _ = parse(Source("", text))
    if tree is None:
        return None
    found = canonical(tree)
    return Facts(sha256_text(found.text), sha256_text(found.docs), find_imports(found.nodes))


def missing_file(tree: SourceTree, path: str) -> Diagnostic:
    """The diagnostic for a code file that is not there, with the nearest one that is."""
    known = [p for p in walk(tree) if p.endswith(".py")]
    summary = f"There is no file {path}"
    detail = "The path of a step's code is relative to the folder of the module that the step stands in."
    by_name = [p for p in known if p.rpartition("/")[2] == path.rpartition("/")[2]]
    hint = f' Did you mean "{by_name[0]}"?' if by_name else did_you_mean(path, known)
    return error("code_file_missing", summary, detail + hint)


def _problem(path: str, data: bytes) -> Diagnostic | None:
    text, problem = decode(data, path)
    if text is None:
        return problem
    return parse(Source(path, text))[1]


def _like_a_path(text: str) -> bool:
    if not 2 < len(text) < 256 or "." not in text.rpartition("/")[2] or text.isspace():
        return False
    try:
        return clean(text) == text
    except SourceError:
        return False
