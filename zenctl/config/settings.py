"""Reads the `zenctl {}` blocks: project, stores, defaults, and which versions the configuration wants."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

import zenctl
from zenctl.addrs import BackendAddr
from zenctl.config.configuration import RequiredProvider, Settings, StoreConfig
from zenctl.config.decoding import decode
from zenctl.config.reading import EMPTY, BodyReader, check_labels, guess, not_literal, static_value
from zenctl.config.references import backend_address
from zenctl.config.versions import ConstraintError, satisfies
from zenctl.diagnostics import Diagnostic, DiagnosticError, SourceRange, error
from zenctl.lang.syntax import Attribute, Block, Body
from zenctl.provider.registry import Registry
from zenctl.schema import BlockModel, StoreType

PROJECT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
"""A project's name: it becomes part of records, labels and machine names."""

ROLES = ("orchestrator", "processing", "training")
ATTRIBUTES = ("required_version", "project", "require_clean_code", "reuse_from")
BLOCKS = ("metadata", "artifacts", "required_providers", "defaults")


class SettingsReader:
    """Collects the settings of all `zenctl` blocks; each setting may be given once. Only the `wanted` ones are read."""

    def __init__(
        self,
        root: Path,
        registry: Registry,
        diagnostics: list[Diagnostic],
        wanted: Collection[str] = (*ATTRIBUTES, *BLOCKS),
    ) -> None:
        self._registry = registry
        self._diagnostics = diagnostics
        self._wanted = wanted
        self._given: dict[str, SourceRange] = {}
        self._values: dict[str, Any] = {"project": default_project(root)}
        self.store: StoreType | None = None
        self.store_provider = ""

    def read(self, block: Block) -> None:
        """Take in one `zenctl` block."""
        if not check_labels(block, (), self._diagnostics):
            return
        self._values.setdefault("range", block.header_range)
        reader = BodyReader(block.body, "zenctl", self._diagnostics, attributes=ATTRIBUTES, blocks=BLOCKS)
        for name in ATTRIBUTES:
            found = block.body.attributes.get(name)
            if found is not None and name in self._wanted and self._once(name, found.name_range):
                self._attribute(reader, found)
        for nested in block.body.blocks:
            if nested.type in BLOCKS and nested.type in self._wanted and self._once(nested.type, nested.header_range):
                self._block(nested)

    def read_required(self, block: Block) -> None:
        """Take in a `zenctl` block of a module that is called: it says which versions the module needs, no more."""
        if not check_labels(block, (), self._diagnostics):
            return
        reader = BodyReader(block.body, "zenctl", self._diagnostics, attributes=ATTRIBUTES, blocks=BLOCKS)
        named = [(attribute_.name, attribute_.name_range) for attribute_ in block.body.attributes.values()]
        for name, place in [*named, *((nested.type, nested.type_range) for nested in block.body.blocks)]:
            if name in (*ATTRIBUTES, *BLOCKS) and name not in ("required_version", "required_providers"):
                detail = "A module that is called uses the project, the stores and the defaults of the root module."
                summary = f'The setting "{name}" can stand in the root module only'
                self._diagnostics.append(error("root_only", summary, detail, range=place))
        found = block.body.attributes.get("required_version")
        if found is not None:
            self._attribute(reader, found)
        for nested in block.body.blocks:
            if nested.type == "required_providers":
                self._block(nested)

    def settings(self) -> Settings:
        """What was read; call after the last block."""
        if "artifacts" in self._wanted and "artifacts" not in self._given:
            self._store_type("local", None)
        return Settings(**self._values)

    def _once(self, name: str, place: SourceRange) -> bool:
        if name in self._given:
            summary = f'The setting "{name}" is given twice'
            detail = f"It was given first at {self._given[name]}. Remove one of them."
            self._diagnostics.append(error("duplicate", summary, detail, range=place))
            return False
        self._given[name] = place
        return True

    def _attribute(self, reader: BodyReader, found: Attribute) -> None:
        place = found.expression.range
        if found.name == "reuse_from":
            self._values["reuse_from"] = found.expression
        elif found.name == "require_clean_code":
            self._values["require_clean_code"] = reader.boolean("require_clean_code")
        elif found.name == "project":
            name = reader.string("project")
            if name and not PROJECT.fullmatch(name):
                detail = "Use up to 63 letters, digits, dots, dashes and underscores, beginning with a letter or digit."
                problem = error("invalid_name", f'"{name}" cannot be the name of a project', detail, range=place)
                self._diagnostics.append(problem)
            elif name:
                self._values["project"] = name
        else:
            wanted = reader.string("required_version")
            self._values["required_version"] = wanted
            if wanted:
                self._version("zenctl", zenctl.__version__, wanted, place)

    def _version(self, what: str, ours: str, wanted: str, place: SourceRange) -> None:
        try:
            if satisfies(ours, wanted):
                return
            summary = f'This is {what} {ours}; the configuration needs "{wanted}"'
            detail = "Install a version that fits, or change the constraint."
            if what == "zenctl":
                detail = f"Change the constraint, or install a version that fits:\n  pip install 'zenctl{_pip(wanted)}'"
            self._diagnostics.append(error("version_not_met", summary, detail, range=place))
        except ConstraintError as problem:
            self._diagnostics.append(error("invalid_version_constraint", str(problem), range=place))

    def _block(self, block: Block) -> None:
        if block.type == "defaults":
            self._values["defaults"] = self._defaults(block.body)
        elif block.type == "required_providers":
            self._values["required_providers"] = self._required_providers(block.body)
        elif check_labels(block, ("type",), self._diagnostics):
            type_, place = block.labels[0], block.label_ranges[0]
            if block.type == "metadata":
                model = self._metadata_model(type_, place)
            else:
                store = self._store_type(type_, place)
                model = store.model if store is not None else None
            if model is not None:
                config = self._decode(model, block)
                self._values[block.type] = StoreConfig(type_, config, block.header_range)

    def _metadata_model(self, type_: str, place: SourceRange) -> type[BlockModel] | None:
        from zenctl.config.metadata_stores import METADATA_STORES  # most configurations keep to the default

        if type_ not in METADATA_STORES:
            available = guess(type_, METADATA_STORES, f"Available: {', '.join(sorted(METADATA_STORES))}.")
            summary = f'There is no metadata store type "{type_}"'
            self._diagnostics.append(error("unknown_metadata_store_type", summary, available, range=place))
            return None
        return METADATA_STORES[type_]

    def _store_type(self, type_: str, place: SourceRange | None) -> StoreType | None:
        try:
            self.store_provider, self.store = self._registry.store_type(type_)
        except DiagnosticError as problem:
            self._diagnostics += [d.at(place) for d in problem.diagnostics]
            return None
        return self.store

    def _decode(self, model: type[BlockModel], block: Block) -> dict[str, Any]:
        what = f'{block.type} "{block.labels[0]}"'
        for found in block.body.attributes.values():
            problem = not_literal(found.expression, f'"{found.name}" of {what}')
            if problem is not None:
                self._diagnostics.append(problem)
                return {}
        decoded, problems = decode(model, block.body, EMPTY, what=what)
        self._diagnostics += [d.at(block.header_range) for d in problems]
        return decoded.model.model_dump() if decoded.model is not None else {}

    def _defaults(self, body: Body) -> dict[str, BackendAddr]:
        BodyReader(body, "defaults", self._diagnostics, attributes=ROLES)
        found = {}
        places = {}
        for attribute_ in body.attributes.values():
            addr = backend_address(attribute_.expression)
            if addr is None:
                summary = f'The default "{attribute_.name}" must be a backend'
                detail = f"Write {attribute_.name} = backend.TYPE.NAME"
                problem = error("wrong_type", summary, detail, range=attribute_.expression.range)
                self._diagnostics.append(problem)
            elif attribute_.name in ROLES:
                found[attribute_.name] = addr
                places[attribute_.name] = attribute_.expression.range
        self._values["default_ranges"] = places
        return found

    def _required_providers(self, body: Body) -> dict[str, RequiredProvider]:
        found = {}
        names = self._registry.provider_names()
        BodyReader(body, "required_providers", self._diagnostics, attributes=body.attributes)
        for attribute_ in body.attributes.values():
            if attribute_.name not in names:
                detail = guess(attribute_.name, names, f"Installed: {', '.join(names) or 'none'}.")
                summary = f'The provider "{attribute_.name}" is not installed'
                self._diagnostics.append(error("unknown_provider", summary, detail, range=attribute_.name_range))
                continue
            place = attribute_.expression.range
            wanted, problems = static_value(attribute_.expression, f'The version of provider "{attribute_.name}"')
            self._diagnostics += problems
            if isinstance(wanted, dict):
                wanted = wanted.get("version", "")
            if not isinstance(wanted, str):
                if not problems:
                    detail = f'Write {attribute_.name} = ">= 0.1"'
                    self._diagnostics.append(
                        error("wrong_type", "A provider's version constraint must be a text", detail, range=place)
                    )
                continue
            found[attribute_.name] = RequiredProvider(wanted, attribute_.name_range)
            if wanted:
                self._provider_version(attribute_.name, wanted, place)
        return found

    def _provider_version(self, name: str, wanted: str, place: SourceRange) -> None:
        try:
            version = self._registry.provider(name).version
        except DiagnosticError as problem:
            self._diagnostics += [d.at(place) for d in problem.diagnostics]
            return
        self._version(f"provider {name}", version, wanted, place)


def default_project(root: Path) -> str:
    """The folder's name, with what a project's name cannot hold replaced by dashes."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", root.resolve().name).strip("-._")[:63]
    return name or "project"


def _pip(constraint: str) -> str:
    parts = [part.strip().replace(" ", "").replace("~>", "~=") for part in constraint.split(",")]
    return ",".join(part if part[:1] in "<>=!~" else f"=={part}" for part in parts)
