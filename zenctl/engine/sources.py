"""Where the code of steps is read: the working tree, a pinned commit, or the archive that a plan carries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from zenctl.config.files import join
from zenctl.diagnostics import Diagnostic, DiagnosticError
from zenctl.engine.desired import CodeRef
from zenctl.fingerprint.borders import across
from zenctl.fingerprint.closures import ClosureCache
from zenctl.fingerprint.code import Closure, closure, read_facts
from zenctl.fingerprint.definitions.stored import FactsCache, Read
from zenctl.fingerprint.git import without_user
from zenctl.fingerprint.older import as_recorded
from zenctl.fingerprint.repositories import Fetch, Repositories
from zenctl.fingerprint.signature import Signature, read_signature
from zenctl.fingerprint.source import GitTree, SourceError, SourceTree, WorkingTree
from zenctl.fingerprint.watching import WatchedTree
from zenctl.metadata.state import Recorded
from zenctl.plans.plan import Plan
from zenctl.plans.planfile import MAX_BYTES
from zenctl.plans.zipped import members

MAX_TEXT = 1 << 20
"""A larger file is not shown in diagnostics."""


class CodeSources:
    """Reads the code that steps name, each tree and each closure once. Close it when done."""

    def __init__(
        self,
        root: Path,
        planned: Mapping[tuple[str, str], bytes] | None = None,
        *,
        cache_dir: Path | None = None,
        fetch: Fetch = Fetch.NEVER,
    ) -> None:
        """`planned` are the code archives of a plan, instead of what is on the disk: by module folder and by what the
        configuration names. Closures, what files say, and repositories of other hosts are kept in `cache_dir`, if there
        is one.
        """
        self._root = root
        self._facts = FactsCache(cache_dir / "definitions.txt", read_facts) if cache_dir is not None else None
        self._kept = ClosureCache(cache_dir / "closures") if cache_dir is not None else None
        self._planned = planned
        self._working: dict[str, WatchedTree] = {}
        self._repositories = Repositories(cache_dir / "git" if cache_dir is not None else None, fetch)
        self._pins: dict[CodeRef, tuple[Path, str]] = {}
        self._commits: dict[tuple[Path, str], WatchedTree] = {}
        self._closures: dict[tuple[CodeRef, tuple[str, ...]], tuple[Closure | None, list[Diagnostic]]] = {}
        self._signatures: dict[CodeRef, tuple[Signature | None, list[Diagnostic]]] = {}

    @classmethod
    def of_plan(cls, root: Path, plan: Plan, folders: Mapping[tuple[str, ...], str], *, cache_dir: Path) -> CodeSources:
        """The code as a plan carries it, for every step that it plans.

        `folders` are those of the modules by path.
        """
        entries = {
            (folders.get(change.addr.module_path, ""), _named(change.components.code)): plan.code[change.address].data
            for change in plan.changes
            if change.address in plan.code and change.components is not None
        }
        return cls(root, entries, cache_dir=cache_dir, fetch=Fetch.MISSING)

    def signature(self, ref: CodeRef) -> tuple[Signature | None, list[Diagnostic]]:
        """The signature of the function that a step names."""
        if ref not in self._signatures:
            try:
                signature, found = read_signature(self._tree(ref), ref.file, ref.function, dict(ref.outputs))
            except DiagnosticError as problem:
                signature, found = None, list(problem.diagnostics)
            self._signatures[ref] = signature, _placed(found, ref.folder)
        return self._signatures[ref]

    def closure(
        self, ref: CodeRef, files: tuple[str, ...], recorded: Recorded | None = None
    ) -> tuple[Closure | None, list[Diagnostic]]:
        """All code that the function reaches, with the files declared beside it.

        If `recorded` is of an older form and its code is provably the same, the closure has that form too.
        """
        if (ref, files) not in self._closures:
            try:
                read = self._facts.facts if self._facts is not None else read_facts
                made, found = self._find(ref, files, read)
                if made is not None and ref.folder and not ref.ref:
                    missing = [d.range for d in found if d.code == "code_import_missing"]
                    wrong = across(made, self._tree_of(""), read, missing)
                    told = [d.range for d in wrong]
                    found = [*(d for d in found if d.range not in told), *wrong]
                if made is not None and ref.ref:
                    pin = {"repository": without_user(ref.repository), "ref": ref.ref, "commit": self._pin(ref)[1]}
                    made = replace(made, pin=pin)
            except DiagnosticError as problem:
                made, found = None, list(problem.diagnostics)
            self._closures[ref, files] = made, _placed(found, ref.folder)
        result, diagnostics = self._closures[ref, files]
        if result is not None and recorded is not None:
            result = as_recorded(self._tree(ref), result, recorded.components)
        return result, diagnostics

    def _find(self, ref: CodeRef, files: tuple[str, ...], read: Read) -> tuple[Closure | None, list[Diagnostic]]:
        tree = self._tree(ref)
        if self._kept is None or not isinstance(tree, WatchedTree):
            return closure(tree, ref.file, ref.function, files, read)
        return self._kept.closure(f"{ref.folder}\n{ref}", tree, ref.file, ref.function, files, read)

    def save(self) -> None:
        """Keep what was read for the next command."""
        if self._kept is not None:
            self._kept.save()
        if self._facts is not None:
            self._facts.save()

    def texts(self, names: Iterable[str]) -> dict[str, str]:
        """The texts of code files that diagnostics point into, as far as they can be read."""
        found = {}
        for name in names:
            if not name.endswith(".py"):
                continue
            try:
                data = self._read(name)
            except SourceError:
                continue
            if data is not None and len(data) <= MAX_TEXT:
                found[name] = data.decode("utf-8", "replace")
        return found

    def _read(self, name: str) -> bytes | None:
        """A file by its name relative to the root module's folder; it may belong to a module that lies elsewhere."""
        if not name.startswith(".."):
            return self._tree_of("").read(name)
        folder = next((f for f in self._working if name.startswith(f"{f}/")), None)
        return None if folder is None else self._working[folder].read(name[len(folder) + 1 :])

    def _tree_of(self, folder: str) -> WatchedTree:
        if folder not in self._working:
            self._working[folder] = WatchedTree(WorkingTree(self._root / folder if folder else self._root))
        return self._working[folder]

    def _tree(self, ref: CodeRef) -> SourceTree:
        name = without_user(str(ref))
        if self._planned is not None and (ref.folder, name) in self._planned:
            return ArchiveTree(self._planned[ref.folder, name])
        if not ref.ref:
            return self._tree_of(ref.folder)
        place, commit = self._pin(ref)
        if (place, commit) not in self._commits:
            self._commits[place, commit] = WatchedTree(GitTree(place, commit))
        return self._commits[place, commit]

    def _pin(self, ref: CodeRef) -> tuple[Path, str]:
        """The repository and the commit of code from git."""
        if ref not in self._pins:
            self._pins[ref] = self._repositories.find(ref.repository or ".", self._root / ref.folder, ref.ref)
        return self._pins[ref]


def _named(code: Mapping[str, Any]) -> str:
    """What a configuration names a step's code: as `str` of a CodeRef."""
    pin = code.get("pin", {})
    return f"git::{pin['repository'] or '.'}//{code['entry']}?ref={pin['ref']}" if pin else str(code["entry"])


def _placed(found: Iterable[Diagnostic], folder: str) -> list[Diagnostic]:
    """The same with places that name files relative to the root module's folder."""
    if not folder:
        return list(found)
    return [
        replace(d, range=replace(d.range, filename=join(folder, d.range.filename))) if d.range else d for d in found
    ]


class ArchiveTree:
    """The files of a code archive, which a plan carries in memory."""

    def __init__(self, data: bytes) -> None:
        self._files = members(data, MAX_BYTES)
        self._folders: dict[str, dict[str, bool]] = {"": {}}
        for path in self._files:
            self._folders.setdefault(path.rpartition("/")[0], {})[path.rpartition("/")[2]] = False
        for path in list(self._folders):
            while path:
                folder, _, name = path.rpartition("/")
                self._folders.setdefault(folder, {})[name] = True
                path = folder

    def read(self, path: str) -> bytes | None:
        """A file's content, or None."""
        return self._files.get(path)

    def folder(self, path: str) -> Mapping[str, bool] | None:
        """The names in a folder, each with whether it is a folder itself; None if there is no such folder."""
        return self._folders.get(path)
