"""Finds the code that a step's function can reach, by reading alone, and digests what counts of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from functools import lru_cache

from zenctl.diagnostics import Diagnostic, SourceRange, did_you_mean, error, warning
from zenctl.digests import sha256_bytes, sha256_json
from zenctl.fingerprint.definitions.counting import SHORT, count
from zenctl.fingerprint.definitions.cutting import contract, read_definitions
from zenctl.fingerprint.definitions.facts import FileFacts, Import, Uses
from zenctl.fingerprint.definitions.flow import handed_out
from zenctl.fingerprint.definitions.names import Target
from zenctl.fingerprint.definitions.reach import Reach
from zenctl.fingerprint.definitions.stored import Read
from zenctl.fingerprint.definitions.watched import STANDARD
from zenctl.fingerprint.definitions.widening import Widening
from zenctl.fingerprint.modules import EXTENSIONS, Modules
from zenctl.fingerprint.parsing import Source, decode, parse, too_deep
from zenctl.fingerprint.source import SourceError, SourceTree, clean, exists, glob, join, walk
from zenctl.lazy_dataclasses import dataclass

FORMAT = 2
"""Version of how closures are digested; records of version 1 are compared by file (`zenctl.fingerprint.older`)."""

MAX_FILES = 20_000
"""Most files that a dynamic import may widen to."""

WHOLE = "the whole file"
"""How a file is called of which every byte counts."""

NAMESPACES = frozenset({"azure", "backports", "google", "jaraco", "ruamel", "sphinxcontrib", "zope"})
"""Top-level packages that many distributions share: of these the dotted name is kept."""


@dataclass(frozen=True)
class Closure:
    """What a step's code consists of.

    - `entry` is "steps/fit.py:fit"
    - `files` maps each path to the digest of what counts of it: the definitions of a module that the function reaches,
      a declared file's bytes; `definitions` maps it to those definitions, with a short digest each
    - `digest` stands for all of them, the entry file's own path left out; `sources` are the files' bytes, whole
    - `third_party` are the top-level modules from outside (dotted below shared namespaces such as `google`)
    - `warnings` say, one line each, what could not be followed and what was done about it
    - `pin` is {"repository", "ref", "commit"} of code that is read from git, else empty
    """

    entry: str
    digest: str
    files: Mapping[str, str]
    sources: Mapping[str, bytes]
    third_party: frozenset[str]
    warnings: tuple[str, ...] = ()
    definitions: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    pin: Mapping[str, str] = field(default_factory=dict)


@lru_cache(maxsize=8192)
def read_facts(data: bytes) -> FileFacts | None:
    """What a Python file with this content says; None if it is not Python. The result is kept by content."""
    text, _ = decode(data, "")
    if text is None:
        return None
    tree, _ = parse(Source("", text))
    if tree is None:
        return None
    try:
        return read_definitions(tree, text)
    except RecursionError:
        return None


def closure(
    tree: SourceTree, entry_file: str, function: str, files: Sequence[str] = (), read: Read = read_facts
) -> tuple[Closure | None, list[Diagnostic]]:
    """The closure of a function, and every problem found; None if one of them is an error.

    `files` are glob patterns of files that the code reads, relative to the tree. Whether the function is there is not
    looked at (`zenctl.fingerprint.signature` does). `read` gives what a file says, as `read_facts` does.
    """
    try:
        collector = _Collector(tree, clean(entry_file), read)
        return collector.collect(function, files)
    except SourceError as problem:
        return None, [error("code_unreadable", f"{problem.path} cannot be read as code", str(problem))]


class _Collector:
    def __init__(self, tree: SourceTree, entry: str, read: Read) -> None:
        self.tree = tree
        self.read_facts = read
        self.entry = entry
        self.modules = Modules(tree, ("", entry.rpartition("/")[0]))
        self.facts: dict[str, FileFacts | None] = {}
        self.declared: dict[str, bytes] = {}
        self.third_party: set[str] = set()
        self.read_as_data: set[str] = set()
        self.optional: set[str] = set()
        self.folders: dict[str, list[str]] = {}
        self.missing: list[tuple[str, Import, str]] = []
        self.diagnostics: list[Diagnostic] = []
        self.reach = Reach(
            self.modules,
            self.read,
            outside=self._outside,
            missing=lambda path, item, name: self.missing.append((path, item, name)),
            follow_folder=self._folder,
        )

    def collect(self, function: str, patterns: Sequence[str]) -> tuple[Closure | None, list[Diagnostic]]:
        if not self._check_entry():
            return None, self.diagnostics
        for parent in self.modules.parents(self.entry):
            self.reach.module(parent)
        entry = self._follow(function)
        sources = {path: self.tree.read(path) or b"" for path in self.reach.files}
        self._unparsed(sources)
        self._declare(patterns)
        self._missing(sources)
        self._undeclared(sources)
        self._widenings(sources)
        if any(d.is_error for d in self.diagnostics):
            return None, self.diagnostics
        digests, definitions = self._digests(sources, entry)
        named = dict(digests)
        if not self._place_counts():
            named[""] = named.pop(self.entry)
        made = Closure(
            entry=f"{self.entry}:{function}",
            digest=sha256_json({"format": FORMAT, "files": named}),
            files=digests,
            sources={**sources, **self.declared},
            third_party=frozenset(self.third_party),
            warnings=tuple(f"{d.range}: {d.summary}" for d in self.diagnostics),
            definitions=definitions,
        )
        return made, self.diagnostics

    def read(self, path: str) -> FileFacts | None:
        """What a file says; None if it is not Python."""
        if path not in self.facts:
            data = None if path.endswith(EXTENSIONS) else self.tree.read(path)
            self.facts[path] = self.read_facts(data) if data is not None else None
        return self.facts[path]

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

    def _follow(self, function: str) -> list[Target]:
        """Follow the function to the end; gives its definitions."""
        reach = self.reach
        entry = reach.entry(self.entry, function)
        reach.run()
        while found := handed_out(reach, entry):
            for target in sorted(found, key=lambda target: (target.file, target.name)):
                reach.open_class(target)
            reach.run()
        return entry

    def _outside(self, item: Import) -> None:
        top = item.module.split(".")[0]
        if top in STANDARD or top == "zenctl" or not top:
            return
        if top not in NAMESPACES:
            self.third_party.add(top)
            return
        names = [name for name in item.names if name != "*"]
        self.third_party.update({f"{item.module}.{name}" for name in names} or {item.module})

    def _folder(self, folder: str) -> list[str]:
        """The Python files below a folder, which all count from now on."""
        if folder not in self.folders:
            found = [path for path in walk(self.tree, folder) if path.endswith(".py")]
            if len(found) > MAX_FILES:
                summary = f"{folder or 'the project'} has {len(found)} Python files, too many for the code of one step"
                detail = "Move the step's code into a folder of its own."
                self.diagnostics.append(error("code_too_large", summary, detail))
                found = []
            self.folders[folder] = found
            self.optional.update(path for path in found if path not in self.reach.files)
        return self.folders[folder]

    def _unparsed(self, sources: Mapping[str, bytes]) -> None:
        for path, facts in self.reach.files.items():
            if path in self.optional or path.endswith(EXTENSIONS):
                continue
            problem = None
            if facts is None:
                problem = _problem(path, sources[path])
            elif path in self.reach.too_deep:
                problem = too_deep(Source(path, ""))
            if problem is not None:
                self.diagnostics.append(problem)

    def _missing(self, sources: Mapping[str, bytes]) -> None:
        for path, item, name in self.missing:
            if not item.guarded and path not in self.optional:
                summary, detail = f"{name} is not in the project", f"{path} imports it, which will fail."
                place = _line(path, sources[path], item.line)
                self.diagnostics.append(warning("code_import_missing", summary, detail, range=place))

    def _widenings(self, sources: Mapping[str, bytes]) -> None:
        """Every widening once; what one brought in is not explained again."""
        told: set[str] = set()
        reached = (found for classes in self.reach.classes.values() for found in classes)
        has_methods = any(not name.startswith("__") for found in reached for name in found.methods)
        for widening in (*self.reach.widenings, *(self.reach.by_name if has_methods else ())):
            counts = _counts(widening)
            if counts in told or (told and widening.place in self.optional):
                continue
            told.add(counts)
            detail = f"`{widening.what}` {widening.why}. Use plain imports and names to narrow it."
            place = _line(widening.place, sources[widening.place], widening.line) if widening.line else None
            summary = f"{counts} as code of this step"
            self.diagnostics.append(warning("code_widened", summary, detail, range=place))

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
            self.declared.update({path: data for path, data in contents.items() if data is not None})

    def _undeclared(self, sources: Mapping[str, bytes]) -> None:
        """A file that the code names in a call but does not declare will not be there when the step runs.

        If it is there as code, all of it counts, as it may be read like any other file.
        """
        told: set[tuple[str, str]] = set()
        for path, uses in self._reached_uses():
            for text, line in uses.literals if path not in self.optional else ():
                name = self._project_file(path, text, uses)
                if name in sources:
                    self.read_as_data.add(name)
                if not name or name in sources or name in self.declared or (path, name) in told:
                    continue
                told.add((path, name))
                detail = f'The step runs without it. If it reads the file, declare it: files = ["{name}"].'
                place = _line(path, sources[path], line)
                self.diagnostics.append(warning("code_file_undeclared", f"{name} is not declared", detail, range=place))

    def _reached_uses(self) -> Iterable[tuple[str, Uses]]:
        for path, facts in self.reach.files.items():
            if facts is None:
                continue
            yield path, facts.top
            if facts.main is not None and self.reach.runs_main(path):
                yield path, facts.main
        for target, functions in self.reach.functions.items():
            for function in functions:
                if target.file in self.reach.files:
                    yield target.file, function.uses

    def _project_file(self, path: str, text: str, uses: Uses) -> str:
        """The file of the project that a text names: from the folder a step runs in, or beside the code."""
        name = text[2:] if text.startswith("./") else text
        if not _like_a_path(name):
            return ""
        if exists(self.tree, name):
            return name
        facts = self.facts[path]
        marks = uses.marks | (facts.top.marks if facts is not None else frozenset())
        folders = [path.rpartition("/")[0]] if "place" in marks else []
        if "resources" in marks:
            folders += sorted({file.rpartition("/")[0] for file in self.reach.files})
        return next((place for folder in folders if exists(self.tree, place := join(folder, name))), "")

    def _digests(
        self, sources: Mapping[str, bytes], entry: Sequence[Target]
    ) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
        """What counts of each file: its definitions, or every byte where code reads its own source."""
        digests: dict[str, str] = {}
        definitions: dict[str, dict[str, str]] = {}
        raw = "source" in self.reach.marks
        contracts = {target: self._contract(target) for target in entry if target.kind == "function"}
        for path, facts in self.reach.files.items():
            if facts is not None and path not in self.declared:
                shadowed = [e.module.partition(".")[0] for e in facts.entries if e.module and self._is_ours(e.module)]
                found = count(path, facts, self.reach, contracts, shadowed)
                digests[path], definitions[path] = found.digest, found.definitions
            if facts is None or raw or path in self.read_as_data or path in self.reach.too_deep:
                digests[path] = sha256_bytes(sources[path])
                definitions[path] = {**definitions.get(path, {}), WHOLE: digests[path][:SHORT]}
        for path, data in self.declared.items():
            digests[path] = sha256_bytes(data)
            definitions[path] = {WHOLE: digests[path][:SHORT]}
        return dict(sorted(digests.items())), dict(sorted(definitions.items()))

    def _contract(self, target: Target) -> str:
        text, _ = decode(self.tree.read(target.file) or b"", target.file)
        tree, _ = parse(Source(target.file, text or ""))
        return contract(tree, target.name) if tree is not None else ""

    def _is_ours(self, module: str) -> bool:
        """Whether a module of the standard library is hidden by one of the project."""
        return self.modules.find(module.partition(".")[0]).regular

    def _place_counts(self) -> bool:
        """Whether moving the entry file could change what the step does or writes."""
        return self.entry in self.reach.imported or self.entry in self.declared or "place" in self.reach.marks


def missing_file(tree: SourceTree, path: str) -> Diagnostic:
    """The diagnostic for a code file that is not there, with the nearest one that is."""
    known = [p for p in walk(tree) if p.endswith(".py")]
    summary = f"There is no file {path}"
    detail = "The path of a step's code is relative to the folder of the module that the step stands in."
    by_name = [p for p in known if p.rpartition("/")[2] == path.rpartition("/")[2]]
    hint = f' Did you mean "{by_name[0]}"?' if by_name else did_you_mean(path, known)
    return error("code_file_missing", summary, detail + hint)


def _problem(path: str, data: bytes) -> Diagnostic | None:
    """What is wrong with a file that has no facts."""
    text, problem = decode(data, path)
    if text is None:
        return problem
    source = Source(path, text)
    tree, problem = parse(source)
    return problem if tree is None else too_deep(source)


def _counts(widening: Widening) -> str:
    """What counts because of a widening."""
    if widening.file is not None:
        return f"every definition of {widening.file} counts"
    if widening.folder is not None:
        return f"every Python file {f'below {widening.folder}/' if widening.folder else 'of the project'} counts"
    if widening.methods:
        return "every method of its classes counts"
    return "every definition of the modules it loads counts"


def _line(path: str, data: bytes, line: int) -> SourceRange:
    text, _ = decode(data, path)
    return Source(path, text or "").line_range(max(line, 1))


def _like_a_path(text: str) -> bool:
    if not 2 < len(text) < 256 or "." not in text.rpartition("/")[2] or text.isspace():
        return False
    try:
        return clean(text) == text
    except SourceError:
        return False
