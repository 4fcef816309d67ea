"""Tells where a configuration keeps its records and artifacts, and sets it in the configuration's text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from zenctl.config.configuration import Settings, StoreConfig
from zenctl.config.conforming import fields
from zenctl.config.files import HCL_SUFFIX, read_folder
from zenctl.config.metadata_stores import ABOUT, METADATA_STORES
from zenctl.config.reading import guess
from zenctl.config.settings import SettingsReader
from zenctl.config.shapes import ROOT
from zenctl.config.texts import parse_text, write_text
from zenctl.diagnostics import Diagnostic, DiagnosticError, SourceRange, error, raise_errors
from zenctl.lang.document import BlockData, document_of
from zenctl.lang.edit import CannotEdit, set_block
from zenctl.lang.meaning import same_body
from zenctl.lang.syntax import Block, Body
from zenctl.lazy_dataclasses import dataclass
from zenctl.provider.registry import Registry
from zenctl.schema import BlockModel

SETTINGS_FILE = f"settings{HCL_SUFFIX}"
"""Where settings are written if no file has a `zenctl` block."""

Kind = Literal["metadata", "artifacts"]

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_LOCATIONS = ("path", "url", "uri", "bucket")
"""Attributes that say where a store is. No other is shown: it may be a secret."""


@dataclass(frozen=True, slots=True)
class Store:
    """A store as it is set. `location` is as the configuration gives it; `range` is None if it is the default."""

    type: str
    location: str
    range: SourceRange | None


@dataclass(frozen=True, slots=True)
class StoreKind:
    """A type of store that can be set. `scheme` is that of the URLs that an artifact store serves, `file` of paths."""

    type: str
    about: str
    attributes: tuple[str, ...]
    required: tuple[str, ...] = ()
    scheme: str = ""


@dataclass(frozen=True, slots=True)
class Edited:
    """A file of the configuration with a store set in it; nothing is written yet.

    `texts` are all files as they would be; `before` is None if what was set is wrong; `is_new` says that the file is
    not there yet, `is_changed` that its text is another than before.
    """

    file: str
    texts: Mapping[str, str]
    before: Store | None
    after: Store
    is_new: bool
    is_changed: bool


class EditError(DiagnosticError):
    """The configuration would be wrong with the store set; `texts` are the files as they would be."""

    def __init__(self, texts: Mapping[str, str], problem: DiagnosticError) -> None:
        super().__init__(*problem.diagnostics)
        self.texts = texts


def get_store(root: Path, registry: Registry, kind: Kind) -> Store:
    """The store that the configuration of a folder uses. Raises DiagnosticError if its settings are wrong."""
    texts, problems = read_folder(root)
    raise_errors(problems)
    return _store(_settings(texts, root, registry), registry, kind)


def store_kinds(registry: Registry, kind: Kind) -> list[StoreKind]:
    """The types of store that can be set, those of installed providers among them."""
    if kind == "metadata":
        return [
            StoreKind(name, ABOUT[name], _attributes(model), _attributes(model, required=True))
            for name, model in METADATA_STORES.items()
        ]
    found = []
    for name in sorted(registry.store_names()):
        store = registry.store_type(name)[1]
        model = store.model
        about = store.description.rstrip(".")
        found.append(StoreKind(name, about, _attributes(model), _attributes(model, required=True), store.scheme))
    return found


def _attributes(model: type[BlockModel], *, required: bool = False) -> tuple[str, ...]:
    found = [name for name, info in fields(model).items() if info.is_required() or not required]
    # Those of encryption come last.
    return tuple(sorted(found, key=lambda name: name.startswith("ssl_")))


def metadata_store(type_: str, attributes: Mapping[str, Any]) -> BlockData:
    """The block of a metadata store; raises DiagnosticError for a type that there is not."""
    if type_ not in METADATA_STORES:
        detail = guess(type_, METADATA_STORES, f"Available: {', '.join(sorted(METADATA_STORES))}.")
        summary = f'There is no metadata store type "{type_}"'
        raise DiagnosticError(error("unknown_metadata_store_type", summary, detail))
    for value in attributes.values():
        _check_text(str(value))
    return BlockData("metadata", (type_,), attributes)


def _check_text(text: str) -> None:
    """Raise DiagnosticError for what no configuration file can hold: bytes that are no UTF-8, and NUL."""
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        detail = "A configuration is UTF-8. Rename what it stands for, or use another path."
        raise DiagnosticError(error("bad_argument", "The path or URL is not valid text", detail))


def artifact_store(place: str, registry: Registry) -> BlockData:
    """The block of the artifact store at a path or URL; raises DiagnosticError if no store serves such a URL."""
    if not place.strip():
        raise DiagnosticError(error("bad_argument", "The place of the artifact store is empty", "Give a path or URL."))
    _check_text(place)
    found = _SCHEME.match(place)
    scheme = found[1].lower() if found else "file"
    served = {store.scheme: store for store in (registry.store_type(n)[1] for n in registry.store_names())}
    store = served.get(scheme)
    if store is None:
        known = ", ".join(f"{s.name} ({'a path' if u == 'file' else f'{u}://...'})" for u, s in sorted(served.items()))
        detail = f"Available: {known}. A provider that serves it has to be installed."
        raise DiagnosticError(error("unknown_artifact_store_type", f"No artifact store serves {scheme}://", detail))
    if found and "bucket" in fields(store.model):
        return BlockData("artifacts", (store.name,), _bucket(place, place[found.end() :]))
    attribute = next((name for name in _LOCATIONS if name in fields(store.model)), "")
    if not attribute:
        detail = f'Write artifacts "{store.name}" {{ ... }} in the zenctl block of the configuration.'
        raise DiagnosticError(error("cannot_edit", f'The artifact store "{store.name}" is not set by a URL', detail))
    path = place[found.end() :] if found and scheme == "file" else place
    return BlockData("artifacts", (store.name,), {attribute: path})


def _bucket(place: str, rest: str) -> dict[str, str]:
    """The attributes that a URL such as gs://bucket/sub/dir gives."""
    bucket, _, prefix = rest.partition("/")
    prefix = prefix.strip("/")
    if not bucket or any(part in ("", ".", "..") for part in prefix.split("/") if prefix):
        scheme = place.partition("://")[0]
        detail = f"Give a bucket, and a folder in it if you like: {scheme}://bucket/sub/dir."
        raise DiagnosticError(error("bad_argument", f"{place} is not the URL of a place in a bucket", detail))
    return {"bucket": bucket, **({"prefix": prefix} if prefix else {})}


def set_store(root: Path, registry: Registry, wanted: BlockData) -> Edited:
    """Set a store in the text of the file that has it, or else of the first with a `zenctl` block.

    Comments and layout stay. Without a `zenctl` block it goes into SETTINGS_FILE. Nothing is written. Raises
    DiagnosticError for a configuration that cannot be read, and EditError if its settings were wrong afterwards.
    """
    texts, problems = read_folder(root)
    # A folder without a configuration is where one may begin.
    raise_errors([problem for problem in problems if problem.code != "no_configuration"])
    blocks = _zenctl_blocks(texts)
    kind: Kind = "metadata" if wanted.type == "metadata" else "artifacts"
    before = _before(texts, root, registry, kind)
    name, outer = _place(blocks, wanted.type)
    text = texts.get(name, "")
    if outer is None:
        separator = "" if not text else "\n" if text.endswith("\n") else "\n\n"
        edited = text + separator + _hcl([BlockData("zenctl", (), {}, (wanted,))])
    else:
        edited = _edited(name, text, outer, wanted)
    texts_after = {**texts, name: edited}
    try:
        after = _store(_settings(texts_after, root, registry), registry, kind)
    except DiagnosticError as problem:
        raise EditError(texts_after, problem) from problem
    return Edited(name, texts_after, before, after, name not in texts, edited != text)


def write(root: Path, edited: Edited) -> None:
    """Write the edited file, whole or not at all; raises DiagnosticError if that is not possible."""
    if not edited.is_changed:
        return
    try:
        write_text(root / edited.file, edited.texts[edited.file])
    except OSError as problem:
        summary = f"{edited.file} cannot be written: {problem.strerror}"
        raise DiagnosticError(error("unwritable_file", summary)) from problem


def _zenctl_blocks(texts: Mapping[str, str]) -> list[tuple[str, Block]]:
    """The `zenctl` blocks with their files; raises DiagnosticError for a file that cannot be read."""
    found: list[tuple[str, Block]] = []
    for name, text in sorted(texts.items()):
        body, problems = parse_text(name, text)
        raise_errors(problems)
        found += [(name, block) for block in body.blocks if block.type == "zenctl"]
    return found


def _place(blocks: list[tuple[str, Block]], type_: str) -> tuple[str, Block | None]:
    """The file to edit, and the block in it that holds the setting or is to hold it."""
    holders = [(name, block, inner) for name, block in blocks for inner in block.body.blocks if inner.type == type_]
    if len(holders) > 1:
        detail = f"It is given first at {holders[0][2].header_range}. Remove one of them."
        place = holders[1][2].header_range
        raise DiagnosticError(error("duplicate", f'The setting "{type_}" is given twice', detail, range=place))
    if holders:
        return holders[0][:2]
    return blocks[0] if blocks else (SETTINGS_FILE, None)


def _edited(name: str, text: str, outer: Block, wanted: BlockData) -> str:
    """The file's text with the store set; nothing else in it means anything else than before."""
    try:
        edited = set_block(text, "hcl" if name.endswith(HCL_SUFFIX) else "yaml", outer, wanted)
    except CannotEdit:
        edited = ""
    body, _ = parse_text(name, text)
    again, problems = parse_text(name, edited)
    if problems or not same_body(_without(body, wanted.type), _without(again, wanted.type), ROOT):
        detail = "It is laid out in a way that only a person can edit. Set it there by hand, as in HCL:\n\n"
        lines = _hcl([BlockData("zenctl", (), {}, (wanted,))]).rstrip().split("\n")
        summary = f'The setting "{wanted.type}" cannot be set in {name}'
        place = outer.header_range
        raise DiagnosticError(
            error("cannot_edit", summary, detail + "\n".join(f"  {line}" for line in lines), range=place)
        )
    return edited


def _without(body: Body, type_: str) -> Body:
    """A file's body without a setting."""
    blocks = []
    for block in body.blocks:
        if block.type == "zenctl":
            kept = tuple(inner for inner in block.body.blocks if inner.type != type_)
            block = replace(block, body=replace(block.body, blocks=kept))
        blocks.append(block)
    return replace(body, blocks=tuple(blocks))


def _hcl(blocks: list[BlockData]) -> str:
    from zenctl.lang.write import write_hcl  # loads python-hcl2

    return write_hcl(document_of(blocks))


def _settings(texts: Mapping[str, str], root: Path, registry: Registry) -> Settings:
    diagnostics: list[Diagnostic] = []
    reader = SettingsReader(root, registry, diagnostics)
    for _, block in _zenctl_blocks(texts):
        reader.read(block)
    settings = reader.settings()
    raise_errors(diagnostics)
    return settings


def _before(texts: Mapping[str, str], root: Path, registry: Registry, kind: Kind) -> Store | None:
    """The store so far; None if what is set is wrong, which setting another one mends."""
    try:
        return _store(_settings(texts, root, registry), registry, kind)
    except DiagnosticError:
        return None


def _store(settings: Settings, registry: Registry, kind: Kind) -> Store:
    config: StoreConfig = settings.metadata if kind == "metadata" else settings.artifacts
    if kind == "metadata":
        location = METADATA_STORES[config.type].model_validate(dict(config.config)).location()
        return Store(config.type, location, config.range)
    store = registry.store_type(config.type)[1]
    model = fields(store.model)
    if config.config.get("bucket"):
        # As `set` takes it.
        prefix = str(config.config.get("prefix") or "").strip("/")
        url = f"{store.scheme}://{config.config['bucket']}"
        return Store(config.type, f"{url}/{prefix}" if prefix else url, config.range)
    default = next((str(model[name].default) for name in _LOCATIONS if name in model), "")
    given = next((str(config.config[name]) for name in _LOCATIONS if config.config.get(name)), default)
    return Store(config.type, given, config.range)
