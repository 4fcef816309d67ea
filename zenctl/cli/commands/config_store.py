"""What `zenctl config metadata` and `zenctl config artifacts` have in common: showing stores, and setting one."""

from __future__ import annotations

import json as jsonlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from zenctl.cli import exits
from zenctl.cli.invocation import Invocation
from zenctl.cli.views.style import pad
from zenctl.diagnostics import DiagnosticError
from zenctl.plans.planjson import diagnostic_json

if TYPE_CHECKING:
    from zenctl.config.stores import Edited, Kind, Store
    from zenctl.lang.document import BlockData
    from zenctl.provider.registry import Registry


def show(run: Invocation, kind: Kind, json: bool) -> int:
    """Show the store that is set; gives the exit code."""
    from zenctl.config.stores import get_store
    from zenctl.provider.registry import discover

    try:
        store = get_store(run.root, discover(), kind)
    except DiagnosticError as problem:
        return _failed(run, problem, json)
    if json:
        run.terminal.write(jsonlib.dumps(_facts(store), indent=2, ensure_ascii=False))
    else:
        run.terminal.write(f"{store.type} {store.location} {run.terminal.style.dim(f'({_declared(store)})')}")
    return exits.OK


def show_kinds(run: Invocation, kind: Kind, json: bool) -> int:
    """List the types of store that can be set, the one in use marked; gives the exit code."""
    from zenctl.config.stores import get_store, store_kinds
    from zenctl.provider.registry import discover

    registry = discover()
    try:
        current = get_store(run.root, registry, kind)
    except DiagnosticError as problem:
        return _failed(run, problem, json)
    kinds = store_kinds(registry, kind)
    if json:
        types = [
            {
                "type": found.type,
                "about": found.about,
                "attributes": list(found.attributes),
                "required": list(found.required),
                **({"scheme": found.scheme} if found.scheme else {}),
                "current": found.type == current.type,
            }
            for found in kinds
        ]
        document = {"format_version": "1.0", "current": _facts(current), "types": types}
        run.terminal.write(jsonlib.dumps(document, indent=2, ensure_ascii=False))
        return exits.OK
    style = run.terminal.style
    width = max(len(found.type) for found in kinds)
    for found in kinds:
        mark = style.green("*") if found.type == current.type else " "
        run.terminal.write(f"{mark} {pad(found.type, width)}  {found.about}")
        if found.type == current.type:
            run.terminal.write(
                f"  {' ' * width}  {style.bold(current.location)} {style.dim(f'({_declared(current)})')}"
            )
        named = [name if name not in found.required else f"{name} (required)" for name in found.attributes]
        if named:
            run.terminal.write(f"  {' ' * width}  {style.dim(', '.join(named))}")
    return exits.OK


def show_all(run: Invocation, json: bool) -> int:
    """Show both stores that are set; gives the exit code."""
    from zenctl.config.stores import get_store
    from zenctl.provider.registry import discover

    registry = discover()
    try:
        stores = {"metadata": get_store(run.root, registry, "metadata")}
        stores["artifacts"] = get_store(run.root, registry, "artifacts")
    except DiagnosticError as problem:
        return _failed(run, problem, json)
    if json:
        document = {"format_version": "1.0", **{kind: _facts(store) for kind, store in stores.items()}}
        run.terminal.write(jsonlib.dumps(document, indent=2, ensure_ascii=False))
        return exits.OK
    for kind, store in stores.items():
        where = run.terminal.style.dim(f"({_declared(store)})")
        run.terminal.write(f"{pad(kind, 9)}  {store.type} {store.location} {where}")
    return exits.OK


def change(
    run: Invocation, block: Callable[[Registry], BlockData], json: bool, prepare: Callable[[], str] | None = None
) -> int:
    """Set the store that a block describes; gives the exit code.

    `prepare` is called when the block is known to be right, before it is written, and gives what to tell of that.
    """
    from zenctl.config.stores import EditError, set_store, write
    from zenctl.provider.registry import discover

    registry = discover()
    try:
        wanted = block(registry)
        edited = set_store(run.root, registry, wanted)
        told = prepare() if prepare else ""
        write(run.root, edited)
    except EditError as problem:
        return _failed(run, problem, json, problem.texts)
    except DiagnosticError as problem:
        return _failed(run, problem, json)
    if json:
        document = {**_facts(edited.after), "file": edited.file, "changed": edited.is_changed}
        run.terminal.write(jsonlib.dumps(document, indent=2, ensure_ascii=False))
    else:
        _tell(run, edited, records=wanted.type == "metadata")
        if told:
            run.terminal.write(told)
    return exits.OK


def edited_text(edited: Edited) -> str:
    """Where the store is set now."""
    after = edited.after
    place = f"{edited.file}:{after.range.start.line}" if after.range else edited.file
    store = f"{after.type} {after.location}"
    if not edited.is_changed:
        return f"{place} sets {store} already."
    return f"{'Created' if edited.is_new else 'Changed'} {place}: {store}"


def _tell(run: Invocation, edited: Edited, *, records: bool) -> None:
    after, before = edited.after, edited.before
    run.terminal.write(edited_text(edited))
    is_other = before is not None and (before.type, before.location) != (after.type, after.location)
    if edited.is_changed and before is not None and is_other:
        run.terminal.write(f"What {before.type} {before.location} holds stays there; zenctl moves nothing.")
        if records:
            run.terminal.write(f"To take its records along set it again, then: zenctl state migrate {after.type} ...")


def _declared(store: Store) -> str:
    """Where it is set."""
    return "the default" if store.range is None else f"{store.range.filename}:{store.range.start.line}"


def _facts(store: Store) -> dict[str, Any]:
    return {
        "format_version": "1.0",
        "type": store.type,
        "location": store.location,
        "default": store.range is None,
        "declared": str(store.range) if store.range is not None else None,
    }


def _failed(run: Invocation, problem: DiagnosticError, json: bool, texts: Mapping[str, str] | None = None) -> int:
    if not json:
        return run.report(problem.diagnostics, texts)
    sources = run.sources(texts)
    found = [diagnostic_json(d, sources.text(d.range.filename) if d.range else None) for d in problem.diagnostics]
    document = {"format_version": "1.0", "diagnostics": found}
    run.terminal.write(jsonlib.dumps(document, indent=2, ensure_ascii=False))
    return exits.exit_code(problem.diagnostics)
