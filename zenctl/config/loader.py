"""Loads a folder of configuration files and the modules it calls into one typed Configuration, with what is wrong."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import field, replace
from pathlib import Path
from typing import TypeVar

from zenctl.addrs import Address, BackendAddr, ModuleInstance
from zenctl.config.checking import check_tree
from zenctl.config.conditions import read_check
from zenctl.config.configuration import (
    BackendConfig,
    CheckConfig,
    Configuration,
    ModuleCall,
    MovedConfig,
    NamedExpression,
    NodeConfig,
    OutputConfig,
    ProviderConfig,
    RemovedConfig,
    Settings,
    VariableConfig,
)
from zenctl.config.declarations import (
    provider_alias,
    read_backend,
    read_locals,
    read_output,
    read_provider,
    read_variable,
)
from zenctl.config.files import FoldersOnDisk, ModuleFolders, RecordedFolders
from zenctl.config.lifecycle import read_moved, read_removed
from zenctl.config.modules import LOCK_FILE, MAX_DEPTH, MODULE_META, ModuleBlock, locate, read_module
from zenctl.config.nodes import read_node
from zenctl.config.reading import guess
from zenctl.config.settings import SettingsReader
from zenctl.config.shapes import ROOT
from zenctl.config.texts import parse_text
from zenctl.diagnostics import Diagnostic, SourceRange, did_you_mean, error, has_errors
from zenctl.lang.syntax import Block, Body
from zenctl.lazy_dataclasses import dataclass
from zenctl.provider.registry import Registry

K = TypeVar("K")
V = TypeVar("V")

NODES = ("datasource", "step", "endpoint")

ROOT_ONLY = ("zenctl", "provider", "backend")
"""Blocks that belong to the root module; of `zenctl`, a module has the versions it needs."""


ELSEWHERE = {
    "version": 'A source from git says which version: source = "git::URL//FOLDER?ref=TAG".',
    "providers": "Providers belong to the root module; a module names them: provider = provider.NAME.ALIAS.",
    "enabled": "Give the module a variable for it, or write count = CONDITION ? 1 : 0.",
    "lifecycle": "Write it in the blocks of the module.",
}
"""What users of Terraform may look for in a module block, and where it is."""

FOREIGN = {
    "terraform": "Settings stand in a block zenctl { ... }.",
    "resource": 'What is made is a step, a datasource or an endpoint: step "TYPE" "NAME" { ... }.',
    "data": 'Data is declared as datasource "TYPE" "NAME" { ... }.',
}
"""Blocks of Terraform that have another name here, or none."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What was read. `configuration` is None only where no file could be read; with errors it lacks what was wrong.

    `missing` are the sources of modules that have to be installed first.
    """

    configuration: Configuration | None
    diagnostics: tuple[Diagnostic, ...]
    sources: Mapping[str, str] = field(default_factory=dict)
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """Settings alone, or what is wrong with them."""

    settings: Settings | None
    diagnostics: tuple[Diagnostic, ...]
    sources: Mapping[str, str] = field(default_factory=dict)


def load(root: Path, registry: Registry, *, empty: bool = False) -> Loaded:
    """Load the configuration of a folder and the modules it calls. Never raises for what a user may have done.

    With `empty`, a folder without any file is an empty configuration and no mistake.
    """
    return _Loader(root, registry, FoldersOnDisk(root), empty=empty).load()


def load_files(files: Mapping[str, str], root: Path, registry: Registry) -> Loaded:
    """The same from texts by file name, relative to the root module's folder; the disk is not read."""
    return _Loader(root, registry, RecordedFolders(files)).load()


def load_settings(root: Path, registry: Registry, wanted: Collection[str]) -> LoadedSettings:
    """Only settings of these names, for commands that need no more; the rest of the configuration may be wrong.

    A file that cannot be read to its end is an error all the same: a setting may stand in what was not read.
    """
    texts, found = FoldersOnDisk(root).read("")
    diagnostics = list(found)
    reader = SettingsReader(root, registry, diagnostics, wanted)
    for name in sorted(texts):
        body, problems = parse_text(name, texts[name])
        diagnostics += problems
        for block in body.blocks:
            if block.type == "zenctl":
                reader.read(block)
    settings = None if has_errors(diagnostics) else reader.settings()
    return LoadedSettings(settings, tuple(diagnostics), texts)


class _Loader:
    """Reads a tree of modules; `files` and `diagnostics` grow."""

    def __init__(self, root: Path, registry: Registry, folders: ModuleFolders, *, empty: bool = False) -> None:
        self.root = root
        self.registry = registry
        self.folders = folders
        self.empty = empty
        self.files: dict[str, str] = {}
        self.diagnostics: list[Diagnostic] = []
        self.complete = True
        self.missing: list[str] = []

    def load(self) -> Loaded:
        """The whole tree, checked."""
        configuration = self.module("", (), ())
        if configuration is None:
            return Loaded(None, tuple(self.diagnostics), self.files)
        if configuration.calls or self.missing:
            lock = self.folders.text(LOCK_FILE)
            self.files |= {} if lock is None else {LOCK_FILE: lock}
        configuration, found = check_tree(replace(configuration, files=dict(self.files)))
        # Where a file could not be read to its end, what seems undeclared may stand in the part that was not read.
        if not self.complete:
            found = [d for d in found if not d.code.startswith("undeclared_")]
        diagnostics = tuple(dict.fromkeys([*self.diagnostics, *found]))
        return Loaded(configuration, diagnostics, self.files, tuple(dict.fromkeys(self.missing)))

    def module(self, folder: str, path: tuple[str, ...], around: tuple[str, ...]) -> Configuration | None:
        """The module of a folder. `around` are the folders of the modules that lead here."""
        texts, found = self.folders.read(folder)
        nothing = self.empty and not path and [d.code for d in found] == ["no_configuration"]
        self.diagnostics += [] if nothing else found
        if not texts and not nothing:
            return None
        self.files |= texts
        reader = _Reader(self.root, self.registry, folder, path)
        for name in sorted(texts):
            reader.file(name, texts[name])
        self.complete = self.complete and reader.complete
        calls: dict[str, ModuleCall] = {}
        for block in reader.calls.values():
            call = self._call(block, reader, (*around, folder))
            if call is not None:
                calls[call.name] = call
        self.diagnostics += reader.diagnostics
        return reader.configuration(texts, calls)

    def _call(self, block: ModuleBlock, reader: _Reader, around: tuple[str, ...]) -> ModuleCall | None:
        folder, problem = locate(block.source, reader.folder, self.folders)
        if problem is not None and problem.code == "module_not_installed":
            self.missing.append(block.source)
        if folder in around:
            names = " -> ".join([*(name or "." for name in around), folder or "."])
            problem = error("cycle", f"The module calls itself: {names}", "Remove one of these calls.")
        elif len(around) > MAX_DEPTH:
            problem = error("nested_too_deeply", f"Modules call each other more than {MAX_DEPTH} deep")
        if problem is not None or folder is None:
            self.diagnostics += [] if problem is None else [problem.at(block.source_range)]
            return None
        before = len(self.diagnostics)
        module = self.module(folder, (*reader.path, block.name), around)
        # What is wrong with the folder itself is told where it is named.
        placed = [d if d.range else d.at(block.source_range) for d in self.diagnostics[before:]]
        self.diagnostics[before:] = placed
        if module is None:
            return None
        self._arguments(block, module, complete=reader.complete)
        return ModuleCall(block.name, block.source, module, block.arguments, block.meta, block.range)

    def _arguments(self, block: ModuleBlock, module: Configuration, *, complete: bool) -> None:
        """The arguments must be the module's variables, and those that it needs must be there.

        `complete` says that the files of the module that calls were read to their ends.
        """
        for name, place in block.argument_ranges.items():
            if name not in module.variables and f"var.{name}" not in module.faulty:
                known = [*module.variables, *MODULE_META]
                has = f"Its variables: {', '.join(module.variables)}." if module.variables else "It has no variables."
                detail = ELSEWHERE.get(name) or guess(name, known, has)
                summary = f'Module "{block.name}" has no variable "{name}"'
                self.diagnostics.append(error("unknown_attribute", summary, detail, range=place))
        # Where the caller's file has a mistake in its form, the argument may stand in what was left out.
        for name, variable in module.variables.items() if complete else ():
            if not variable.has_default and name not in block.arguments:
                detail = f"{name}: {variable.description}" if variable.description else f"Give it a value: {name} = ..."
                summary = f'Module "{block.name}" needs "{name}"'
                self.diagnostics.append(error("missing_attribute", summary, detail, range=block.range))


class _Reader:
    """Reads the files of one module; `diagnostics` grows."""

    def __init__(self, root: Path, registry: Registry, folder: str, path: tuple[str, ...]) -> None:
        self.root = root
        self.registry = registry
        self.folder = folder
        self.path = path
        self.prefix = tuple(ModuleInstance(name) for name in path)
        self.calls: dict[str, ModuleBlock] = {}
        self.checks: dict[str, CheckConfig] = {}
        self.moved: list[MovedConfig] = []
        self.removed: list[RemovedConfig] = []
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
        body, found = parse_text(name, text)
        self.diagnostics += found
        if any(d.is_error for d in found):
            self.complete = False
        self._top_attributes(body)
        for block in body.blocks:
            self._block(block, text)

    def configuration(self, files: Mapping[str, str], calls: Mapping[str, ModuleCall]) -> Configuration:
        """The module as it was read, references unchecked."""
        made = {str(a) for a in self.backends}
        made |= {f"{a.kind}.{a.type}.{a.name}" for a in self.nodes}
        for kind, names in (
            ("var", self.variables),
            ("local", self.locals),
            ("output", self.outputs),
            ("provider", self.providers),
            ("module", calls),
        ):
            made |= {f"{kind}.{name}" for name in names}
        return Configuration(
            root=self.root,
            settings=self.settings.settings(),
            files=dict(files),
            variables=self.variables,
            locals=self.locals,
            outputs=self.outputs,
            providers=self.providers,
            backends=self.backends,
            nodes=self.nodes,
            calls=calls,
            checks=self.checks,
            moved=tuple(self.moved),
            removed=tuple(self.removed),
            store=self.settings.store,
            store_provider=self.settings.store_provider,
            path=self.path,
            folder=self.folder,
            faulty=frozenset((set(self.declared) | self.misspelt) - made),
        )

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
        if self.path and block.type in ROOT_ONLY:
            self._root_only(block)
        elif block.type == "zenctl":
            self.settings.read(block)
        elif block.type == "locals":
            for item in read_locals(block, self.diagnostics):
                if self._new(f"local.{item.name}", item.range):
                    self.locals[item.name] = item
        elif block.type == "moved":
            moved = read_moved(block, self.diagnostics, self.prefix)
            self.moved += [] if moved is None else [moved]
        elif block.type == "removed":
            removed = read_removed(block, self.diagnostics, self.prefix)
            self.removed += [] if removed is None else [removed]
        elif block.type in ROOT.blocks:
            if self._new(_address(block), block.header_range):
                self._labelled(block, text)
        else:
            known = f"There are {', '.join(ROOT.blocks)}."
            detail = FOREIGN.get(block.type) or guess(block.type, ROOT.blocks, known)
            summary = f'There is no block "{block.type}"'
            self.diagnostics.append(error("unknown_block", summary, detail, range=block.type_range))
            self.misspelt |= {".".join([kind, *block.labels]) for kind in ("var", "backend", *NODES)}

    def _labelled(self, block: Block, text: str) -> None:
        if block.type in NODES:
            node = read_node(block, self.registry, self.diagnostics, self.prefix)
            if node is not None:
                self.nodes[node.addr] = node
        elif block.type == "module":
            call = read_module(block, self.diagnostics, self.prefix)
            if call is not None:
                self.calls[call.name] = call
        elif block.type == "check":
            check = read_check(block, self.diagnostics)
            if check is not None:
                self.checks[check.name] = check
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
                self.providers[provider.key] = provider
        else:
            backend = read_backend(block, self.registry, self.diagnostics)
            if backend is not None:
                self.backends[backend.addr] = backend

    def _root_only(self, block: Block) -> None:
        detail = "Declare it in the root module; a module can name the backends that stand there."
        if block.type == "zenctl":
            self.settings.read_required(block)
            return
        summary = f'A "{block.type}" block can stand in the root module only'
        self.diagnostics.append(error("root_only", summary, detail, range=block.type_range))

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
    alias = provider_alias(block, []) if block.type == "provider" else ""
    return ".".join([kind, *block.labels, *([alias] if alias else [])])
