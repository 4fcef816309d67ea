"""Holds a configuration from a fork to a revision that is trusted: no credential is aimed elsewhere by it.

What says where credentials go must be as it is there: settings, providers, references to secrets, sources of modules,
and the hosts that data comes from. Values are compared as evaluated, so that no variable can change them unseen.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from zenctl.addrs import Address
from zenctl.config.configuration import StepConfig, StoreConfig
from zenctl.config.decoding import decode
from zenctl.config.modules import LOCK_FILE, lock_entries
from zenctl.config.plain import plain_value
from zenctl.diagnostics import Diagnostic, DiagnosticError, SourceRange, error
from zenctl.engine.components import plain
from zenctl.engine.desired import Desired, DesiredDatasource, DesiredEndpoint, DesiredStep
from zenctl.engine.known import Known, unknown_refs
from zenctl.engine.opening import Opened, open_configuration
from zenctl.engine.requests import Inputs
from zenctl.fingerprint.git import parse_code_ref
from zenctl.fingerprint.revision import lay_out, reaching_out, tracked
from zenctl.lang.evaluate import evaluate_expression
from zenctl.lazy_dataclasses import dataclass
from zenctl.schema import SourceModel

DATA_FOLDER = ".zenctl"

ADVICE = "With -trusted-config it is taken from there. Have the change merged there first, or plan without the flag."

LATER = "a place that follows from an instance or a result"
"""Of code that cannot be told without looking at steps: trusted only where the whole configuration is the same."""

PLACES = re.compile(
    r"(.*_)?(host|hostname|server|endpoint|address|url|uri|bucket|account|dsn|connection|connection_string)"
)
"""Attributes of a datasource that say where its data is."""


PATHS = ("path", "labels")
"""Attributes of a datasource that name files."""


@dataclass(frozen=True, slots=True)
class Trust:
    """What a trusted revision says, to hold another configuration of the same folder `root` to it."""

    ref: str
    root: Path
    opened: Opened
    secrets: frozenset[tuple[str, str, str]]
    places: frozenset[str]
    lock: Mapping[str, Mapping[str, str]]

    def differences(self, opened: Opened) -> list[Diagnostic]:
        """What must be as in the revision and is not: settings, providers, sources of modules."""
        return [*self._settings(opened), *self._providers(opened), *self._modules(opened), *self._code(opened)]

    def source(self, node: DesiredDatasource) -> list[Diagnostic]:
        """What a datasource reads that the revision reads nowhere; asked before it is looked at."""
        strange = sorted(_places(node, self.root) - self.places)
        return [
            self._untrusted(f"{node.addr} would read from {place}, which nothing does", node.config.range, node.addr)
            for place in strange
        ]

    def secret_references(self, desired: Mapping[Address, Desired]) -> list[Diagnostic]:
        """References to secrets that a step has and had not in the revision."""
        found = []
        for addr, node in desired.items():
            for _, name, reference in sorted(_secrets(node) - self.secrets):
                text = f'{addr} refers to a secret, {name} = "{reference}", and does not'
                found.append(self._untrusted(text, node.config.range, addr))
        return found

    def _settings(self, opened: Opened) -> list[Diagnostic]:
        theirs, ours = _settings(self.opened), _settings(opened)
        place = opened.configuration.settings.range
        return [
            self._untrusted(f'"{name}" of the zenctl block is another one than', place)
            for name in theirs
            if theirs[name] != ours[name]
        ]

    def _providers(self, opened: Opened) -> list[Diagnostic]:
        theirs, ours = _providers(self.opened), _providers(opened)
        found = []
        for key in sorted(theirs.keys() | ours.keys()):
            if theirs.get(key) != ours.get(key):
                block = opened.configuration.providers.get(key)
                text = f"provider.{key} is not configured as"
                found.append(self._untrusted(text, block.range if block is not None else None))
        return found

    def _modules(self, opened: Opened) -> list[Diagnostic]:
        known = {call.source for module in self.opened.configuration.modules() for call in module.calls.values()}
        found = []
        for module in opened.configuration.modules():
            for call in module.calls.values():
                if not call.source.startswith("git::"):
                    continue
                if call.source not in known:
                    found.append(self._untrusted(f'The module source "{call.source}" is not used', call.range))
                elif _lock(self.root).get(call.source) != self.lock.get(call.source):
                    text = f'The module source "{call.source}" is pinned to something else in {LOCK_FILE} than'
                    found.append(self._untrusted(text, call.range))
        return list(dict.fromkeys(found))

    def _code(self, opened: Opened) -> list[Diagnostic]:
        """Repositories that code is pinned to: they are asked as soon as a step is looked at."""
        theirs, ours = _repositories(self.opened), _repositories(opened)
        same = opened.digest == self.opened.digest and opened.variables == self.opened.variables
        known = set(theirs.values()) - (set() if same else {LATER})
        nodes = opened.evaluator.nodes
        return [
            self._untrusted(f"{addr} takes its code from {place}, which nothing does", nodes[addr].range, addr)
            for addr, place in ours.items()
            if place not in known
        ]

    def _untrusted(self, text: str, place: SourceRange | None, addr: Address | None = None) -> Diagnostic:
        address = str(addr) if addr is not None else None
        return error("untrusted_config", f"{text} in {self.ref}", ADVICE, range=place, address=address)


@contextmanager
def trust(inputs: Inputs, ref: str) -> Iterator[Trust]:
    """Open the configuration as it is at a commit, tag or branch. Raises DiagnosticError.

    The checked out commit is refused where it holds a link out of its repository, or files in zenctl's own folder: what
    is read through these would be shown by a plan, or believed.
    """
    _check_checkout(inputs.root)
    with tempfile.TemporaryDirectory(prefix="zenctl-trusted-") as work:
        # The project's name can follow from the folder's.
        folder = Path(work) / (inputs.root.resolve().name or "root")
        folder.mkdir()
        lay_out(inputs.root, ref, folder)
        if (inputs.root / DATA_FOLDER).is_dir():
            (folder / DATA_FOLDER).symlink_to((inputs.root / DATA_FOLDER).resolve())
        try:
            opened = open_configuration(replace(inputs, root=folder))
        except DiagnosticError as problem:
            errors = [d for d in problem.diagnostics if d.is_error]
            detail = "; ".join(f"{d.summary} ({d.range})" if d.range else d.summary for d in errors)
            raise DiagnosticError(
                error("untrusted_config", f"The configuration at {ref} cannot be used", f"{detail}.")
            ) from problem
        nodes = _nodes(opened)
        secrets = [secret for node in nodes for secret in _secrets(node)]
        places = [p for node in nodes if isinstance(node, DesiredDatasource) for p in _places(node, folder)]
        yield Trust(ref, inputs.root, opened, frozenset(secrets), frozenset(places), _lock(folder))


def _check_checkout(root: Path) -> None:
    problems = [
        error(
            "untrusted_config", f"{path} is a symbolic link out of the repository", "A plan might show what is there."
        )
        for path in reaching_out(root)
    ]
    held = tracked(root, DATA_FOLDER)
    if held:
        detail = f"It holds {held[0]}. What zenctl keeps there is believed, so it cannot come with a commit."
        problems.append(error("untrusted_config", f"The commit holds files in {DATA_FOLDER}", detail))
    if problems:
        raise DiagnosticError(*problems)


def _settings(opened: Opened) -> dict[str, Any]:
    """The settings by name, without where they stand."""
    settings = opened.configuration.settings

    def store(config: StoreConfig) -> tuple[str, Mapping[str, Any]]:
        return config.type, dict(config.config)

    return {
        "project": settings.project,
        "required_version": settings.required_version,
        "require_clean_code": settings.require_clean_code,
        "metadata": store(settings.metadata),
        "artifacts": store(settings.artifacts),
        "defaults": {role: str(addr) for role, addr in settings.defaults.items()},
        "required_providers": {name: wanted.constraint for name, wanted in settings.required_providers.items()},
        "reuse_from": opened.trusted.others,
    }


def _providers(opened: Opened) -> dict[str, Any]:
    """The evaluated attributes of each provider block."""
    found = {}
    for key, block in opened.configuration.providers.items():
        model = opened.registry.schema(block.name).config
        decoded, _ = decode(model, block.body, opened.evaluator.scope, what=f"provider.{key}", stored=False)
        found[key] = plain(decoded.model.model_dump() if decoded.model is not None else dict(decoded.data))
    return found


def _repositories(opened: Opened) -> dict[Address, str]:
    """The repositories other than its own that the configuration takes code from, by the block; nothing is fetched."""
    found = {}
    for addr, node in opened.evaluator.nodes.items():
        code = node.body.attributes.get("code") if isinstance(node, StepConfig) else None
        value = plain_value(evaluate_expression(code.expression, opened.evaluator.scope)[0])[0] if code else None
        pieces = parse_code_ref(value)[0] if isinstance(value, str) else None
        if pieces is not None and pieces.repository not in ("", "."):
            found[addr] = pieces.repository
        elif code is not None and not isinstance(value, str):
            found[addr] = LATER
    return found


def _nodes(opened: Opened) -> list[Desired]:
    """What is wanted at each instance as far as it is known while no result is."""
    known: dict[Address, Known] = {}
    found: list[Desired] = []
    for block in opened.order:
        for addr in opened.evaluator.instances(block, known).addresses:
            desired, _ = opened.evaluator.node(addr, known)
            if desired is None:
                continue
            found.append(desired)
            if not isinstance(desired, DesiredEndpoint):
                known[addr] = unknown_refs(addr, desired.outputs)
    return found


def _secrets(node: Desired) -> set[tuple[str, str, str]]:
    """The references to secrets of a step: its address, the attribute, where the secret is."""
    given = node.secrets if isinstance(node, DesiredStep) else {}
    return {(str(node.addr), name, reference) for name, reference in given.items()}


def _places(node: DesiredDatasource, root: Path) -> set[str]:
    """Where a datasource reads from, but for files below the configuration's folder."""
    found: set[str] = set()
    if isinstance(node.model, SourceModel) and node.model.asks:
        return {node.model.asks}
    waiting: list[tuple[str, Any]] = list(node.model.model_dump().items()) if node.model is not None else []
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, Mapping):
            waiting += [(str(key), item) for key, item in value.items()]
        elif isinstance(value, (list, tuple)):
            waiting += [(name, item) for item in value]
        elif isinstance(value, str) and "://" in value and name in PATHS:
            # Of a bucket, plan shows names and sizes, and the columns of tables: it is no more the fork's to choose.
            found.add(value)
        elif isinstance(value, str) and "://" in value:
            parts = urlsplit(value)
            found.add(f"{parts.scheme}://{parts.netloc}")
        elif isinstance(value, str) and value and name in PATHS and not _inside(root, value):
            found.add(value)
        elif value is not None and PLACES.fullmatch(name):
            found.add(f"{name} {value}")
    return found


def _inside(root: Path, path: str) -> bool:
    base, place = os.path.realpath(root), os.path.realpath(root / path)
    return place == base or place.startswith(base + os.sep)


def _lock(root: Path) -> Mapping[str, Mapping[str, str]]:
    """What the lock file pins; nothing if it cannot be read, which the loader reports where it matters."""
    path = root / LOCK_FILE
    try:
        return lock_entries(path.read_text(encoding="utf-8") if path.exists() else None)
    except (OSError, ValueError):
        return {}
