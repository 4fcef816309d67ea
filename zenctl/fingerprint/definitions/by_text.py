"""Follows calls that are told by a text what they reach: imports, attributes, and texts that are evaluated."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zenctl.fingerprint.definitions.facts import Call, Import
from zenctl.fingerprint.definitions.names import Bindings, Resolution, Target
from zenctl.fingerprint.definitions.watched import EVALUATING, LISTS_NAMES, LITERAL_IMPORTS, NAMED, READS_NAMES, VARS
from zenctl.fingerprint.definitions.widening import AS_A_VALUE, EVERY_NAME, Widening

if TYPE_CHECKING:
    from zenctl.fingerprint.definitions.reach import Reach


def follow_call(reach: Reach, file: str, call: Call, local: Bindings) -> None:
    """Follow a call in a file; `local` are imports inside of the function that makes it."""
    if not call.name[0]:
        reach.evaluations.append((file, call.line, call.name[1]))
        return
    resolution = reach.names.resolve(file, call.name, local)
    reach.touch(resolution, file, call.line)
    for target in resolution.targets:
        name = target.name if target.kind == "outside" else ""
        if name in LITERAL_IMPORTS:
            _import_by_name(reach, file, call, name)
        elif name in READS_NAMES:
            _read_name(reach, file, call, name, local)
        elif name in NAMED:
            _named(reach, file, call, call.text.split(".") if call.text is not None else None)
        elif name == "sys.modules":
            _loaded(reach, file, call)
        elif name in LISTS_NAMES:
            _list_names(reach, file, call, name, local)
        elif name or target.kind != "unknown":
            reach.mention(file, call.name, call.line, local)
            if call.owner:
                reach.mention(file, call.owner, call.line, local)


def follow_evaluations(reach: Reach) -> None:
    """Texts that are evaluated with the names of their module, once it is known that a package does that."""
    if reach.evaluations and reach.tops & EVALUATING:
        for file, line, name in reach.evaluations:
            reach.widen_file(file, file, line, f"{name}(...)", "evaluates a text with the names of the module")
        reach.evaluations.clear()


def _import_by_name(reach: Reach, file: str, call: Call, name: str) -> None:
    """`import_module("a.b")` is a plain import; of `import_module(f"a.{x}")` at least the start is known."""
    start = call.prefix if call.text is None else call.text
    level = len(start) - len(start.lstrip("."))
    what, why = f"{name.replace('builtins.', '')}(...)", "loads a module by a name that is computed"
    if call.text is not None and (not level or call.package):
        item = Import(start.lstrip("."), (), level, call.line)
        reach.follow(file, item)
        if not name.endswith("find_spec"):
            for ref in reach.modules.references(item.module, level, file)[0]:
                if ref.file:
                    reach.widen_file(ref.file, file, call.line, what, AS_A_VALUE)
        return
    package = start.lstrip(".").rpartition(".")[0]
    if level and call.package:
        refs, _ = reach.modules.references(package, level, file)
        folders = tuple(folder for ref in refs for folder in ref.folders)
        reach.widen_folders(folders or ("",), file, call.line, what, why)
        return
    found = reach.modules.package(package) if package and not level else None
    if found is not None and not found.depth:
        # The name begins with a module from outside: only that can be loaded.
        reach.outside_import(Import(package, (), 0, call.line))
        return
    reach.widen_folders((found.folders if found is not None else ()) or ("",), file, call.line, what, why)


def _read_name(reach: Reach, file: str, call: Call, name: str, local: Bindings) -> None:
    """`getattr(owner, text)` and its like."""
    changes = name in ("builtins.setattr", "builtins.delattr")
    resolution = reach.names.resolve(file, call.owner, local) if call.owner else Resolution(())
    what = f"{name.partition('.')[2]}({'.'.join(call.owner) or '...'}, ...)"
    for target in resolution.targets or (Target("unknown"),):
        if target.kind == "module" and (changes or call.text is None):
            why = "changes the module from outside" if changes else "reads a name of the module that is computed"
            reach.widen_module(target, file, call.line, what, why)
        if target.kind in ("module", "outside") and call.text is not None:
            reach.mention(file, (*call.owner, *call.text.split(".")), call.line, local)
        elif target.kind == "outside":
            if target.name.partition(".")[0] in ("builtins", "importlib"):
                reach.widen_folders(("",), file, call.line, what, "can load any module")
        elif target.kind != "module":
            if call.owner:
                reach.mention(file, call.owner, call.line, local)
            _named(reach, file, call, [call.text] if call.text is not None else None)


def _named(reach: Reach, file: str, call: Call, names: list[str] | None) -> None:
    if names is not None:
        for name in names:
            reach.attribute(name, file, call.line)
        return
    what = f"{call.name[-1]}(...)"
    reach.all_methods(
        call.prefix, Widening(file, call.line, what, "looks up an attribute by a computed name", methods=True)
    )


def _loaded(reach: Reach, file: str, call: Call) -> None:
    """`sys.modules[__name__]`, or another name that is written out."""
    if call.text is None:
        reach.widen_file(file, file, call.line, "sys.modules[__name__]", EVERY_NAME)
        return
    for ref in reach.modules.references(call.text, 0, file)[0]:
        if ref.file:
            reach.widen_file(ref.file, file, call.line, f'sys.modules["{call.text}"]', EVERY_NAME)


def _list_names(reach: Reach, file: str, call: Call, name: str, local: Bindings) -> None:
    """`vars(owner)` and its like."""
    what = f"{call.name[-1]}({'.'.join(call.owner)})"
    if not call.arguments:
        reach.widen_file(file, file, call.line, what, EVERY_NAME)
        return
    targets = reach.names.resolve(file, call.owner, local).targets if call.owner else (Target("unknown"),)
    for target in targets:
        if target.kind == "module":
            reach.widen_module(target, file, call.line, what, EVERY_NAME)
        else:
            if call.owner and target.kind != "outside":
                reach.mention(file, call.owner, call.line, local)
            reach.all_methods("", Widening(file, call.line, what, "can reach every method", methods=True))
            if name == VARS:
                reach.attribute("__dict__", file, call.line)
