"""Loads a folder of configuration files into one typed Configuration, collecting everything that is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from zenctl.addrs import Address, BackendAddr
from zenctl.config.checking import Checker
from zenctl.config.configuration import (
    BackendConfig,
    Configuration,
    NamedExpression,
    NodeConfig,
    OutputConfig,
    ProviderConfig,
    VariableConfig,
)
from zenctl.config.declarations import read_backend, read_locals, read_output, read_provider, read_variable
from zenctl.config.files import HCL_SUFFIX, read_folder
from zenctl.config.nodes import read_node
from zenctl.config.reading import guess, not_yet
from zenctl.config.settings import SettingsReader
from zenctl.config.shapes import NOT_YET, ROOT
from zenctl.diagnostics import Diagnostic, SourceRange, did_you_mean, error
from zenctl.lang.parser import parse_config
from zenctl.lang.syntax import Block, Body
from zenctl.provider.registry import Registry

K = TypeVar("K")
V = TypeVar("V")

NODES = ("datasource", "step", "endpoint")


@dataclass(frozen=True, slots=True)
class Loaded:
    """What was read. `configuration` is None only where no file could be read; with errors it lacks what was wrong."""

    configuration: Configuration | None
    diagnostics: tuple[Diagnostic, ...]
    sources: Mapping[str, str] = field(default_factory=dict)


def load(root: Path, registry: Registry) -> Loaded:
    """Load the configuration of a folder. Never raises for what a user may have done."""
    texts, diagnostics = read_folder(root)
    if not texts:
        return Loaded(None, tuple(diagnostics), texts)
    loaded = load_files(texts, root, registry)
    return Loaded(loaded.configuration, (*diagnostics, *loaded.diagnostics), texts)


def load_files(files: Mapping[str, str], root: Path, registry: Registry) -> Loaded:
    """The same from texts by file name; the disk is not read."""
    reader = _Reader(root, registry)
    for name in sorted(files):
        reader.file(name, files[name])
    configuration = reader.configuration(files)
    diagnostics = tuple(dict.fromkeys(reader.diagnostics))
    return Loaded(configuration, diagnostics, dict(files))


class _Reader:
    def __init__(self, root: Path, registry: Registry) -> None:
        self.root = root
        self.registry = registry
        self.diagnostics: list[Diagnostic] = []
        self.settings = SettingsReader(root, registry, self.diagnostics)
        self.variables: dict[str, VariableConfig] = {}
        self.locals: dict[str, NamedExpression] = {}
        self.outputs: dict[str, OutputConfig] = {}
        self.providers: dict[str, ProviderConfig] = {}
        self.backends: dict[BackendAddr, BackendConfig] = {}
        self.nodes: dict[Address, NodeConfig] = {}
        self.declared: dict[str, SourceRange] = {}
        self.misspelt: set[str] = set()
        self.complete = True

    def file(self, name: str, text: str) -> None:
        """Take in one file."""
        if name.endswith(HCL_SUFFIX):
            body, found = parse_config(text, name)
        else:
            from zenctl.lang.yaml import parse_yaml  # PyYAML is loaded by configurations that use it only

            body, found = parse_yaml(text, name, ROOT)
        self.diagnostics += found
        if any(d.is_error for d in found):
            self.complete = False
        self._top_attributes(body)
        for block in body.blocks:
            self._block(block, text)

    def configuration(self, files: Mapping[str, str]) -> Configuration:
        """All files together, checked."""
        made = {str(a) for a in [*self.nodes, *self.backends]}
        for kind, names in (
            ("var", self.variables),
            ("local", self.locals),
            ("output", self.outputs),
            ("provider", self.providers),
        ):
            made |= {f"{kind}.{name}" for name in names}
        configuration = Configuration(
            root=self.root,
            settings=self.settings.settings(),
            files=dict(files),
            variables=self.variables,
            locals=self.locals,
            outputs=self.outputs,
            providers=self.providers,
            backends=self.backends,
            nodes=self.nodes,
            store=self.settings.store,
            store_provider=self.settings.store_provider,
            faulty=frozenset((set(self.declared) | self.misspelt) - made),
        )
        checker = Checker(configuration)
        configuration = checker.check()
        # Where a file could not be read to its end, what seems undeclared may stand in the part that was not read.
        if self.complete:
            self.diagnostics += checker.diagnostics
        else:
            self.diagnostics += [d for d in checker.diagnostics if not d.code.startswith("undeclared_")]
        return configuration

    def _top_attributes(self, body: Body) -> None:
        for attribute in body.attributes.values():
            if attribute.name in ROOT.blocks:
                detail = f"Write it as a block, without the equals sign: {attribute.name} {{ ... }}"
                summary = f'"{attribute.name}" is a block'
            else:
                detail = "A configuration file holds blocks only." + did_you_mean(attribute.name, ROOT.blocks)
                summary = f'There is no attribute "{attribute.name}" outside blocks'
            self.diagnostics.append(error("unknown_attribute", summary, detail, range=attribute.name_range))

    def _block(self, block: Block, text: str) -> None:
        if block.type == "zenctl":
            self.settings.read(block)
        elif block.type == "locals":
            for item in read_locals(block, self.diagnostics):
                if self._new(f"local.{item.name}", item.range):
                    self.locals[item.name] = item
        elif block.type in NOT_YET:
            self.diagnostics.append(not_yet(f'The block "{block.type}"', block.type_range))
        elif block.type in ROOT.blocks:
            if self._new(_address(block), block.header_range):
                self._labelled(block, text)
        else:
            known = [name for name in ROOT.blocks if name not in NOT_YET]
            detail = guess(block.type, ROOT.blocks, f"There are {', '.join(known)}.")
            summary = f'There is no block "{block.type}"'
            self.diagnostics.append(error("unknown_block", summary, detail, range=block.type_range))
            self.misspelt |= {".".join([kind, *block.labels]) for kind in ("var", "backend", *NODES)}

    def _labelled(self, block: Block, text: str) -> None:
        if block.type in NODES:
            node = read_node(block, self.registry, self.diagnostics)
            if node is not None:
                self.nodes[node.addr] = node
        elif block.type == "variable":
            variable = read_variable(block, text, self.diagnostics)
            if variable is not None:
                self.variables[variable.name] = variable
        elif block.type == "output":
            output = read_output(block, self.diagnostics)
            if output is not None:
                self.outputs[output.name] = output
        elif block.type == "provider":
            provider = read_provider(block, self.registry, self.diagnostics)
            if provider is not None:
                self.providers[provider.name] = provider
        else:
            backend = read_backend(block, self.registry, self.diagnostics)
            if backend is not None:
                self.backends[backend.addr] = backend

    def _new(self, address: str, place: SourceRange) -> bool:
        """Whether this address is declared for the first time."""
        first = self.declared.setdefault(address, place)
        if first is place:
            return True
        detail = f"It is declared first at {first}. Rename or remove one of them."
        self.diagnostics.append(error("duplicate", f"{address} is declared twice", detail, range=place))
        return False


def _address(block: Block) -> str:
    kind = "var" if block.type == "variable" else block.type
    return ".".join([kind, *block.labels])
