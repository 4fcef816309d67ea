"""Opens a configuration for a command: loads it, resolves variables, orders its nodes, and makes the evaluator."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import datetime, timezone

from zenctl.addrs import Address
from zenctl.config.configuration import Configuration, Settings
from zenctl.config.graph import order
from zenctl.config.loader import Loaded, load, load_files, load_settings
from zenctl.config.variables import VariableInputs, resolve
from zenctl.diagnostics import Diagnostic, DiagnosticError, SourceRange, error, has_errors
from zenctl.digests import sha256_json
from zenctl.engine.asserting import validations
from zenctl.engine.desired import DesiredEndpoint
from zenctl.engine.evaluating import Evaluator
from zenctl.engine.events import Listener
from zenctl.engine.known import Known, unknown_refs
from zenctl.engine.libraries import Libraries
from zenctl.engine.machine_events import MachineEvents
from zenctl.engine.provider_locks import lock_problems
from zenctl.engine.providers import Providers
from zenctl.engine.requests import Inputs
from zenctl.engine.reusing import Trusted, trusted
from zenctl.engine.sources import CodeSources
from zenctl.fingerprint.repositories import Fetch
from zenctl.lang.values import Value
from zenctl.lazy_dataclasses import dataclass
from zenctl.metadata.opening import open_store
from zenctl.metadata.store import MetadataStore, StoreError
from zenctl.plans.plan import Plan
from zenctl.provider import ProviderContext
from zenctl.provider.registry import Registry, discover


@dataclass(frozen=True, slots=True)
class Opened:
    """A configuration that can be evaluated. `order` has the blocks of all modules, dependencies first.

    `trusted` says whose results may be taken in the workspace that it was opened for.
    """

    configuration: Configuration
    registry: Registry
    variables: Mapping[str, Value]
    order: tuple[Address, ...]
    evaluator: Evaluator
    code: CodeSources
    libraries: Libraries
    trusted: Trusted
    diagnostics: tuple[Diagnostic, ...]
    sources: Mapping[str, str]

    @property
    def digest(self) -> str:
        """Digest of the configuration's text."""
        return sha256_json(dict(self.configuration.files))

    @property
    def folders(self) -> dict[tuple[str, ...], str]:
        """The modules' folders by path, relative to the root module's."""
        return {module.path: module.folder for module in self.configuration.modules()}


class OpeningError(DiagnosticError):
    """The configuration cannot be used; `sources` are the texts that the diagnostics point into."""

    def __init__(self, diagnostics: tuple[Diagnostic, ...], sources: Mapping[str, str]) -> None:
        super().__init__(*diagnostics)
        self.sources = sources


def open_configuration(
    inputs: Inputs,
    *,
    values_required: bool = True,
    sound: bool = True,
    empty: bool = False,
    fetch: Fetch = Fetch.NEVER,
) -> Opened:
    """Load the folder's configuration; raises OpeningError with all that is wrong with it.

    Without `values_required` a variable may have no value yet: it is then unknown. Where it need not be `sound`, errors
    are no obstacle: what they concern is left out or unknown. It may be `empty`: without any file. `fetch` says when
    other hosts are asked for code that is pinned there.
    """
    registry = discover()
    loaded = load(inputs.root, registry, empty=empty)
    given = VariableInputs(inputs.environment, inputs.variables, required=values_required, ask=inputs.ask)
    now = datetime.now(timezone.utc).isoformat(timespec="seconds")
    code = CodeSources(inputs.root, cache_dir=inputs.data_dir / "cache", fetch=fetch)
    libraries = Libraries(inputs.root, now)
    if loaded.configuration is not None and not has_errors(loaded.diagnostics):
        problems = lock_problems(inputs.root, loaded.configuration, registry)
        loaded = replace(loaded, diagnostics=(*loaded.diagnostics, *problems))
    return _open(loaded, registry, given, code, libraries, inputs.workspace, sound=sound)


def open_settings(inputs: Inputs) -> tuple[Settings, Mapping[str, str]]:
    """What is needed to read records: the project and its store, and the texts. Raises OpeningError.

    What is recorded can be read whatever else is wrong with the configuration.
    """
    loaded = load_settings(inputs.root, discover(), ("required_version", "project", "metadata"))
    if loaded.settings is None:
        raise OpeningError(loaded.diagnostics, loaded.sources)
    return loaded.settings, loaded.sources


def open_planned(inputs: Inputs, plan: Plan, *, values_required: bool = True) -> Opened:
    """Load the configuration that a plan was made from, with its variables and its code; the disk is not read.

    Sensitive variables are not in a plan; without `values_required` they may stay unknown.
    """
    registry = discover()
    loaded = load_files(plan.files, inputs.root, registry)
    given = VariableInputs(
        inputs.environment, inputs.variables, plan.variables, required=values_required, ask=inputs.ask
    )
    modules = loaded.configuration.modules() if loaded.configuration is not None else ()
    folders = {module.path: module.folder for module in modules}
    code = CodeSources.of_plan(inputs.root, plan, folders, cache_dir=inputs.data_dir / "cache")
    libraries = Libraries(inputs.root, plan.timestamp)
    changed = libraries.changed(plan.read)
    if changed:
        raise OpeningError(tuple(changed), loaded.sources)
    return _open(loaded, registry, given, code, libraries, plan.workspace)


def _open(
    loaded: Loaded,
    registry: Registry,
    given: VariableInputs,
    code: CodeSources,
    libraries: Libraries,
    workspace: str,
    *,
    sound: bool = True,
) -> Opened:
    """All that is wrong with a configuration is told at once: after an error the rest is still checked."""
    configuration = loaded.configuration
    diagnostics = list(loaded.diagnostics)
    if configuration is None:
        raise OpeningError(tuple(diagnostics), loaded.sources)
    variables, found = resolve(configuration, given)
    nodes, cycles = order(configuration)
    # Where modules wait for each other, which is told, so does all that stands in them.
    modules_wait = any(item.kind == "call" for item in configuration.graph.looped)
    diagnostics += [*found, *(() if modules_wait else cycles)]
    evaluator = Evaluator(configuration, variables, registry, code.signature, workspace=workspace, functions=libraries)
    allowed, found = trusted(configuration, evaluator, workspace)
    diagnostics += found
    opened = Opened(
        configuration=configuration,
        registry=registry,
        variables=variables,
        order=tuple(nodes),
        evaluator=evaluator,
        code=code,
        libraries=libraries,
        trusted=allowed,
        diagnostics=tuple(diagnostics),
        sources=loaded.sources,
    )
    if sound and has_errors(diagnostics):
        if not cycles:
            diagnostics += check(opened)
        texts = code.texts(d.range.filename for d in diagnostics if d.range)
        raise OpeningError(tuple(dict.fromkeys(diagnostics)), {**loaded.sources, **texts, **libraries.texts})
    return opened


def check(opened: Opened) -> list[Diagnostic]:
    """Everything that can be told of the nodes and outputs with nothing known."""
    known: dict[Address, Known] = {}
    diagnostics = list(opened.evaluator.check())
    for block in opened.order:
        instances = opened.evaluator.instances(block, known)
        # Instances that are known only after apply are no mistake: a plan may know them.
        diagnostics += [d for d in instances.diagnostics if d.code != "unknown_for_each"]
        for addr in instances.addresses:
            desired, found = opened.evaluator.node(addr, known)
            diagnostics += found
            if desired is not None and not isinstance(desired, DesiredEndpoint):
                known[addr] = unknown_refs(addr, desired.outputs)
    diagnostics += validations(opened.evaluator, known)
    diagnostics += opened.evaluator.values(known, diagnostics)
    for name in opened.configuration.outputs:
        diagnostics += opened.evaluator.output(name, known)[1]
    return diagnostics


def open_providers(opened: Opened, inputs: Inputs, listener: Listener | None = None) -> Providers:
    """The providers of the configuration. The `listener` hears what becomes of machines."""
    context = ProviderContext(
        opened.configuration.settings.project, inputs.workspace, inputs.data_dir.absolute(), inputs.root.absolute()
    )
    machines = MachineEvents(listener) if listener is not None else None
    return Providers(opened.registry, opened.configuration, opened.evaluator.scope, context, machines)


def open_metadata(settings: Settings, inputs: Inputs, *, create: bool) -> MetadataStore:
    """The metadata store. Without `create` nothing is made: a store that is not there reads as empty."""
    metadata = settings.metadata
    try:
        return open_store(metadata.type, metadata.config, inputs.data_dir, create=create)
    except StoreError as problem:
        raise DiagnosticError(store_failure(problem, metadata.range)) from problem


@contextmanager
def opened_store(settings: Settings, inputs: Inputs, *, create: bool) -> Iterator[MetadataStore]:
    """The metadata store, closed at the end; what fails in it is a diagnostic."""
    with closing(open_metadata(settings, inputs, create=create)) as store:
        try:
            yield store
        except StoreError as problem:
            raise DiagnosticError(store_failure(problem)) from problem


def store_failure(problem: StoreError, range: SourceRange | None = None) -> Diagnostic:
    """What the user is told of a metadata store that fails."""
    text = str(problem)
    return error("metadata_store", text[:1].upper() + text[1:], problem.hint, range=range)
