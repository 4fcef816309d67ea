"""Reads module blocks, and finds the folder that a module's source leads to."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import field
from typing import Any
from urllib.parse import parse_qsl

from zenctl.config.configuration import Meta
from zenctl.config.files import ModuleFolders, join
from zenctl.config.nodes import read_meta
from zenctl.config.reading import check_labels, static_value
from zenctl.diagnostics import Diagnostic, SourceRange, error
from zenctl.lang.syntax import Block, Expression
from zenctl.lazy_dataclasses import dataclass

MODULE_META = ("for_each", "count", "depends_on")
"""Meta-arguments of a module call, besides `source`."""

LOCK_FILE = "zenctl.lock.json"
"""Says which commit each source from git is, and the digest of what it holds. It belongs into version control."""

INSTALLED = ".zenctl/modules"
"""Where `zenctl init` puts modules from git, each in a folder named by its digest."""

_REPOSITORY = re.compile(r"git@|ssh://|https?://.*\.git|(github|gitlab|bitbucket)\.\w+/")
"""Sources that Terraform takes for repositories, without `git::` before them."""

MAX_DEPTH = 16
"""How deep modules may call modules."""


@dataclass(frozen=True, slots=True)
class ModuleBlock:
    """A `module` block before its source is read."""

    name: str
    source: str
    source_range: SourceRange
    arguments: Mapping[str, Expression] = field(hash=False)
    argument_ranges: Mapping[str, SourceRange] = field(hash=False)
    meta: Meta
    range: SourceRange


def read_module(block: Block, diagnostics: list[Diagnostic], module: tuple[Any, ...] = ()) -> ModuleBlock | None:
    """A `module` block; None if it is wrong."""
    if not check_labels(block, ("name",), diagnostics):
        return None
    name = block.labels[0]
    what = f'module "{name}"'
    for nested in block.body.blocks:
        detail = f"Arguments are attributes: {nested.type} = {{ ... }}"
        summary = f'{what[:1].upper()}{what[1:]} has no block "{nested.type}"'
        diagnostics.append(error("unknown_block", summary, detail, range=nested.type_range))
    attributes = dict(block.body.attributes)
    given = attributes.pop("source", None)
    meta = {n: attributes.pop(n).expression for n in MODULE_META if n in attributes}
    read = read_meta(meta, what, diagnostics, module)
    if given is None:
        detail = 'Say where it lies: source = "./modules/NAME", or "git::URL//FOLDER?ref=TAG"'
        problem = error("missing_attribute", f'Module "{name}" has no "source"', detail, range=block.header_range)
        diagnostics += [] if block.body.broken else [problem]
        return None
    source, problems = static_value(given.expression, f'"source" of {what}')
    diagnostics += problems
    if not isinstance(source, str):
        if not problems:
            summary = f'"source" of {what} must be a text'
            diagnostics.append(error("wrong_type", summary, range=given.expression.range))
        return None
    return ModuleBlock(
        name,
        source,
        given.expression.range,
        {n: a.expression for n, a in attributes.items()},
        {n: a.name_range for n, a in attributes.items()},
        read,
        block.header_range,
    )


def locate(source: str, folder: str, folders: ModuleFolders) -> tuple[str | None, Diagnostic | None]:
    """The folder that a source leads to, seen from the folder of the module that names it."""
    if source.startswith(("./", "../")) or source in (".", ".."):
        found = join(folder, source)
        inside = folder if folder.startswith(f"{INSTALLED}/") else ""
        top = "/".join(inside.split("/")[:3])
        if top and found != top and not found.startswith(f"{top}/"):
            return None, error("invalid_source", f'"{source}" leads out of the repository that the module came from')
        return ("" if found == "." else found), None
    if source.startswith("git::"):
        return _installed(source, folders)
    if not source.startswith("/") and folders.read(join(folder, source))[0]:
        detail = f'Did you mean "./{source}"? A folder begins with "./" or "../".'
        return None, error("invalid_source", f'"{source}" is not the source of a module', detail)
    detail = (
        'A folder begins with "./" or "../" and is relative to the file; a repository is '
        '"git::URL//FOLDER?ref=TAG_OR_COMMIT".'
    )
    if _REPOSITORY.match(source):
        detail = f'{detail} Did you mean "git::{"" if "@" in source or "://" in source else "https://"}{source}"?'
    return None, error("invalid_source", f'"{source}" is not the source of a module', detail)


def git_folder(source: str) -> str:
    """The folder inside the repository: what follows the second `//` of `git::https://host/repo.git//folder?ref=v1`."""
    return _split(source)[1].strip("/")


def git_location(source: str) -> tuple[str, str]:
    """The repository and the ref ("" for its default branch) of a source from git."""
    query = parse_qsl(source.partition("?")[2])
    return _split(source)[0], dict(query).get("ref", "")


def _split(source: str) -> tuple[str, str]:
    """The repository, and the folder in it."""
    location = source.removeprefix("git::").partition("?")[0]
    start = location.find("://") + 3 if "://" in location else 0
    at = location.find("//", start)
    return (location, "") if at < 0 else (location[:at], location[at + 2 :])


def lock_entries(text: str | None) -> dict[str, dict[str, str]]:
    """What a lock file says of each source: its `commit` and `digest`. Raises ValueError for another file's text."""
    if text is None:
        return {}
    data = json.loads(text)
    modules = data.get("modules") if isinstance(data, dict) else None
    if not isinstance(modules, dict) or data.get("version") != 1:
        raise ValueError("it has no modules, or is of another version of zenctl")
    for source, entry in modules.items():
        if not isinstance(entry, dict) or not all(isinstance(entry.get(k), str) for k in ("commit", "digest")):
            raise ValueError(f"the entry of {source} is incomplete")
        if not entry["digest"].isalnum():
            raise ValueError(f"the digest of {source} is no digest")
    return modules


def origin(filename: str, lock: str | None) -> str:
    """The source from git that a file belongs to, by the lock file; "" for the configuration's own."""
    if not filename.startswith(f"{INSTALLED}/"):
        return ""
    digest = filename.removeprefix(f"{INSTALLED}/").partition("/")[0]
    try:
        entries = lock_entries(lock)
    except ValueError:
        return ""
    return next((source for source, entry in entries.items() if entry["digest"] == digest), "")


def _installed(source: str, folders: ModuleFolders) -> tuple[str | None, Diagnostic | None]:
    try:
        entries = lock_entries(folders.text(LOCK_FILE))
    except ValueError as problem:
        detail = "Restore it from version control, or remove it and run `zenctl init`."
        return None, error("invalid_lock", f"{LOCK_FILE} cannot be read: {problem}", detail)
    folder = git_folder(source)
    if ".." in folder.split("/"):
        return None, error("invalid_source", f'"{source}" leads out of the repository')
    entry = entries.get(source)
    whole = None if entry is None else folders.digest(join(INSTALLED, entry["digest"]))
    if entry is not None and whole not in (None, entry["digest"]):
        detail = f"Remove {INSTALLED}/{entry['digest'][:12]}..., and run `zenctl init`: it fetches the module anew."
        return None, error("module_changed", f"The installed files of {source} were changed", detail)
    if entry is None or whole is None:
        detail = f"Run `zenctl init`: it fetches the module and writes its commit and digest into {LOCK_FILE}."
        return None, error("module_not_installed", f"{source} is not installed", detail)
    return join(join(INSTALLED, entry["digest"]), folder or "."), None
