"""Finds imports in a module's code that mean files of the project outside of the module's folder: they would fail."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from importlib.util import find_spec

from zenctl.diagnostics import Diagnostic, SourceRange, error
from zenctl.fingerprint.code import Closure
from zenctl.fingerprint.definitions.facts import FileFacts, Import
from zenctl.fingerprint.definitions.stored import Read
from zenctl.fingerprint.parsing import Source, decode
from zenctl.fingerprint.source import SourceTree, exists, is_folder


def across(
    closure: Closure, project: SourceTree, read: Read, missing: Collection[SourceRange | None]
) -> list[Diagnostic]:
    """One error for each import of a module's code that would find a file only outside of the module's folder.

    `project` is the root module's folder. What is installed here as well is taken for that, as it would be in a run.
    `missing` are the places of imports that lead nowhere inside of the module.
    """
    outside = {name: _in_project(project, name) for name in {m.partition(".")[0] for m in closure.third_party}}
    if not any(outside.values()) and not missing:
        # Then no import needs to be looked at.
        return []
    found: dict[str, Diagnostic] = {}
    for path, item, place in _imports(closure, read):
        name = "." * item.level + item.module
        means = outside.get(item.module.partition(".")[0], "") if not item.level else ""
        if item.guarded or not (means or (item.level > path.count("/") and place in missing)):
            continue
        detail = (
            f"{f'It means {means}, outside' if means else 'Its dots lead out'} of the module's folder. The step runs "
            "with its module's files alone: move the code into the module, or pass in what it makes as an input."
        )
        summary = f"{name} is not in the module's folder"
        found.setdefault(name, error("code_outside_module", summary, detail, range=place))
    return list(found.values())


def _in_project(project: SourceTree, name: str) -> str:
    """The file or folder that a top-level import would find in the project's own folder; "" if it is installed too."""
    if find_spec(name) is not None:
        return ""
    if exists(project, f"{name}.py"):
        return f"{name}.py"
    inside = project.folder(name) if is_folder(project, name) else None
    return f"{name}/" if inside and any(file.endswith(".py") or folder for file, folder in inside.items()) else ""


def _imports(closure: Closure, read: Read) -> Iterator[tuple[str, Import, SourceRange]]:
    """Every import statement of a closure with its file and its place, in order."""
    for path, data in sorted(closure.sources.items()):
        facts = read(data) if path.endswith(".py") else None
        text, _ = decode(data, path)
        for item in sorted(_of_file(facts), key=lambda item: item.line) if facts is not None else ():
            yield path, item, Source(path, text or "").line_range(max(item.line, 1))


def _of_file(facts: FileFacts) -> Iterator[Import]:
    yield from facts.top.imports
    for functions in facts.functions.values():
        for function in functions:
            yield from function.uses.imports
