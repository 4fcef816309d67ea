"""Libraries: the functions that expressions of each module can call, and what these read of its files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from zenctl.config.module_files import ModuleFiles
from zenctl.diagnostics import Diagnostic, error
from zenctl.lang.calls import Function
from zenctl.lang.files import FileProblem
from zenctl.lang.functions.library import standard_library
from zenctl.plans.plan import FilesRead


class Libraries:
    """Makes each module's library once. `timestamp` is when the plan was or is made, as in RFC 3339."""

    def __init__(self, root: Path, timestamp: str) -> None:
        self.timestamp = timestamp
        self._root = root
        self._files: dict[str, ModuleFiles] = {}
        self._made: dict[str, Mapping[str, Function]] = {}

    def __call__(self, folder: str) -> Mapping[str, Function]:
        """The functions for a module's expressions; `folder` is relative to the root module's."""
        if folder not in self._made:
            self._made[folder] = standard_library(self._of(folder), self.timestamp)
        return self._made[folder]

    @property
    def read(self) -> dict[str, FilesRead]:
        """What was asked of the files of each module, by its folder."""
        found = {f: FilesRead(files.reads, files.existing, files.matches) for f, files in self._files.items()}
        return {folder: read for folder, read in found.items() if read != FilesRead()}

    @property
    def texts(self) -> dict[str, str]:
        """The texts of the files that were read, by their names in diagnostics."""
        return {name: text for files in self._files.values() for name, text in files.texts.items()}

    def changed(self, planned: Mapping[str, FilesRead]) -> list[Diagnostic]:
        """What is another than when a plan was made. What is equal is kept as it is now."""
        problems: list[Diagnostic] = []
        for folder, read in sorted(planned.items()):
            files = self._of(folder)
            try:
                for path in read.digests:
                    files.read(path)
                for path in read.existing:
                    files.exists(path)
                for inner, patterns in read.matches.items():
                    for pattern in patterns:
                        files.glob(inner, pattern)
            except FileProblem as problem:
                problems.append(_stale(str(problem)))
                continue
            if FilesRead(files.reads, files.existing, files.matches) != read:
                differing = [files.shown(p) for p, digest in read.digests.items() if files.reads[p] != digest]
                named = ", ".join(differing) or "the files in " + (folder or "the configuration's folder")
                problems.append(_stale(f"Changed since: {named}."))
        return problems

    def _of(self, folder: str) -> ModuleFiles:
        if folder not in self._files:
            prefix = f"{folder}/" if folder else ""
            self._files[folder] = ModuleFiles(self._root / folder if folder else self._root, prefix)
        return self._files[folder]


def _stale(detail: str) -> Diagnostic:
    summary = "The plan is stale: a file that the configuration reads is not what it was"
    return error("plan_stale", summary, f"{detail} Make a new plan and review it.")
