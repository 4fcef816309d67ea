"""Formats the configuration's files in place: finds them, and replaces those whose layout is not the canonical one."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath

from zenctl.config.files import HCL_SUFFIX, VALUES_SUFFIX, YAML_SUFFIXES, read_text
from zenctl.config.texts import write_text
from zenctl.diagnostics import Diagnostic, did_you_mean, error, has_errors, warning
from zenctl.lang.format import format_config
from zenctl.lazy_dataclasses import dataclass

FORMATTED = (HCL_SUFFIX, VALUES_SUFFIX)
"""How the names of files that can be formatted end."""


@dataclass(frozen=True, slots=True)
class Reformatted:
    """A file that is not as it should be: its name as the user would type it, its text and what that should be."""

    name: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class FormattingOutcome:
    """What was found in the files that were looked at; those with errors are in the diagnostics only."""

    changed: tuple[Reformatted, ...]
    diagnostics: tuple[Diagnostic, ...]


def format_files(root: Path, targets: Sequence[str], *, recursive: bool, write: bool) -> FormattingOutcome:
    """Format files and folders, seen from `root`; without any, `root` itself. With `write` the files are replaced."""
    names, diagnostics = find(root, targets, recursive=recursive)
    changed: list[Reformatted] = []
    for name in names:
        text, unreadable = read_text(root / name, name)
        if unreadable is not None:
            diagnostics.append(unreadable)
            continue
        found = format_config(text, name)
        diagnostics += found.diagnostics
        if found.text == text or has_errors(found.diagnostics):
            continue
        try:
            if write:
                write_text(root / name, found.text)
        except OSError as problem:
            detail = "The file is as it was. Check that you may write it and its folder, and that the disk has room."
            diagnostics.append(error("unwritable_file", f"{name} cannot be written: {problem.strerror}", detail))
        else:
            changed.append(Reformatted(name, text, found.text))
    return FormattingOutcome(tuple(changed), tuple(diagnostics))


def find(root: Path, targets: Sequence[str], *, recursive: bool) -> tuple[list[str], list[Diagnostic]]:
    """The names of the files to format, each once: of folders in order of name, files before folders within.

    In folders, what is hidden (its name begins with a dot) is passed over, and so is what has another suffix.
    """
    names: dict[str, None] = {}
    diagnostics: list[Diagnostic] = []
    for target in targets or ("",):
        if os.path.isdir(root / target):
            names |= dict.fromkeys(_in_folder(root, target, recursive, diagnostics))
        elif (problem := _problem(root / target, target)) is not None:
            diagnostics.append(problem)
        else:
            names[str(PurePath(target))] = None
    return list(names), diagnostics


def _problem(path: Path, target: str) -> Diagnostic | None:
    """Why a path that is no folder cannot be formatted."""
    try:
        os.lstat(path)
    except (OSError, ValueError) as problem:
        why = problem.strerror if isinstance(problem, OSError) else "It is no path"
        detail = "Paths are seen from the configuration's folder: the current one, or that of -chdir."
        guess = did_you_mean(path.name, _names(path.parent))
        return error("unreadable_file", f"{target} cannot be read: {why}", f"{detail}{guess}")
    if target.endswith(YAML_SUFFIXES):
        detail = (
            "zenctl formats HCL: *.zen.hcl and *.zenvars. For YAML there are formatters such as yamlfmt or Prettier."
        )
        return warning("not_hcl", f"{target} is YAML and left as it is", detail)
    if not target.endswith(FORMATTED) or _is_special(path):
        detail = "zenctl formats *.zen.hcl and *.zenvars. `zenctl fmt -` formats what it reads from standard input."
        return error("not_hcl", f"{target} is no file that zenctl formats", detail)
    return None


def _names(folder: Path) -> list[str]:
    """The files of a folder that can be formatted, for a guess at what was meant."""
    try:
        return [name for name in os.listdir(folder) if name.endswith(FORMATTED)]
    except (OSError, ValueError):
        return []


def _in_folder(root: Path, folder: str, recursive: bool, diagnostics: list[Diagnostic]) -> Iterator[str]:
    def unreadable(problem: OSError) -> None:
        summary = f"The folder {problem.filename} cannot be read: {problem.strerror}"
        diagnostics.append(error("unreadable_folder", summary, "Check that you may list it."))

    top = root / folder
    for here, folders, files in os.walk(top, onerror=unreadable):
        folders[:] = sorted(name for name in folders if recursive and not name.startswith("."))
        for name in sorted(files):
            path = Path(here, name)
            if name.endswith(FORMATTED) and not name.startswith(".") and not _is_special(path):
                yield str(PurePath(folder) / path.relative_to(top))


def _is_special(path: Path) -> bool:
    """Whether it is something else than a file, such as a pipe. What cannot be looked at is told when it is read."""
    return os.path.exists(path) and not os.path.isfile(path)
