"""The operations behind the commands: each opens what it needs, composes the parts, and closes again.

What only one of them needs is imported there: plan has to start fast.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from zenctl.addrs import AddressError, EndpointAddr, parse
from zenctl.config.files import SUFFIXES
from zenctl.diagnostics import Diagnostic, DiagnosticError, did_you_mean, error, has_errors, raise_errors
from zenctl.engine.drafting import draft
from zenctl.engine.events import Listener
from zenctl.engine.holding import check_versions
from zenctl.engine.opening import (
    Opened,
    OpeningError,
    check,
    open_configuration,
    open_planned,
    open_providers,
    open_settings,
    opened_store,
)
from zenctl.engine.providers import Providers
from zenctl.engine.requests import (
    ApplyOutcome,
    ImportOutcome,
    ImportRequest,
    InitOutcome,
    Inputs,
    LineageOutcome,
    LogsOutcome,
    PlanOptions,
    PlanOutcome,
    StateOutcome,
    Stop,
)
from zenctl.engine.trusting import Trust, trust
from zenctl.engine.world import World
from zenctl.fingerprint.repositories import Fetch
from zenctl.jobs.storage import Storage
from zenctl.metadata.lineage import lineage
from zenctl.metadata.state import Recorded, WorkspaceState
from zenctl.metadata.state import read_state as read_workspace
from zenctl.metadata.store import MetadataStore
from zenctl.plans.plan import Plan

if TYPE_CHECKING:
    from zenctl.engine.reproducing import ReproduceOutcome

__all__ = [
    "ApplyOutcome",
    "InitOutcome",
    "Inputs",
    "LineageOutcome",
    "LogsOutcome",
    "PlanOptions",
    "PlanOutcome",
    "StateOutcome",
    "Stop",
    "apply_plan",
    "import_result",
    "initialise",
    "logs",
    "make_plan",
    "read_state",
    "reproduce_result",
    "state_lineage",
    "validate",
]


def validate(inputs: Inputs, *, fetch: Fetch = Fetch.NEVER) -> PlanOutcome:
    """Check everything that can be known without state, data or (unless told so) network; the plan is None."""
    try:
        opened = open_configuration(inputs, values_required=False, fetch=fetch)
    except OpeningError as problem:
        return PlanOutcome(None, problem.diagnostics, problem.sources)
    diagnostics = tuple(dict.fromkeys([*opened.diagnostics, *check(opened)]))
    return PlanOutcome(None, diagnostics, {**opened.sources, **code_texts(opened, diagnostics)})


def make_plan(inputs: Inputs, options: PlanOptions, listener: Listener) -> PlanOutcome:
    """Compare the configuration with what is recorded and what is there; runs and writes nothing but caches."""
    with ExitStack() as held:
        try:
            ref = options.trusted_config
            trusted = held.enter_context(trust(inputs, ref)) if ref else None
            opened = open_configuration(inputs, fetch=_fetch(options))
        except OpeningError as problem:
            return PlanOutcome(None, problem.diagnostics, problem.sources)
        except DiagnosticError as problem:
            return PlanOutcome(None, problem.diagnostics)
        return _make_plan(opened, inputs, options, listener, trusted)


def _fetch(options: PlanOptions) -> Fetch:
    """When a plan asks other hosts for pinned code; a configuration that is not trusted names none to ask."""
    if options.trusted_config:
        return Fetch.NEVER
    return Fetch.ALWAYS if options.refresh else Fetch.MISSING


def _make_plan(
    opened: Opened, inputs: Inputs, options: PlanOptions, listener: Listener, trusted: Trust | None
) -> PlanOutcome:
    try:
        # Before a store is opened or a provider asked for anything.
        raise_errors(trusted.differences(opened) if trusted is not None else [])
        with _world(opened, inputs, create=False) as (store, providers, storage):
            made = draft(World(opened, inputs, store, providers, storage), options, listener, trusted)
    except DiagnosticError as problem:
        return PlanOutcome(None, (*opened.diagnostics, *problem.diagnostics), opened.sources)
    texts = {**opened.sources, **code_texts(opened, made.diagnostics)}
    return PlanOutcome(None if has_errors(made.diagnostics) else made, made.diagnostics, texts)


def code_texts(opened: Opened, diagnostics: Iterable[Diagnostic]) -> dict[str, str]:
    """The texts of code files that diagnostics point into."""
    return {**opened.libraries.texts, **opened.code.texts(d.range.filename for d in diagnostics if d.range)}


@contextmanager
def _world(opened: Opened, inputs: Inputs, *, create: bool) -> Iterator[tuple[MetadataStore, Providers, Storage]]:
    """Metadata store, providers and artifact store of a configuration, closed at the end."""
    providers = open_providers(opened, inputs)
    try:
        with opened_store(opened.configuration.settings, inputs, create=create) as store:
            yield store, providers, providers.storage()
    finally:
        providers.close()


def apply_plan(
    inputs: Inputs,
    plan: Plan,
    *,
    listener: Listener,
    stop: Stop,
    parallelism: int = 10,
    lock_timeout: float = 0.0,
) -> ApplyOutcome:
    """Do what the plan says, under the workspace's lock. Refuses a plan whose ground has moved."""
    from zenctl.engine.locking import WaitEnded
    from zenctl.engine.session import run_apply

    inputs = replace(inputs, workspace=plan.workspace)
    try:
        opened = open_planned(inputs, plan)
    except OpeningError as problem:
        return ApplyOutcome(diagnostics=problem.diagnostics, sources=problem.sources)
    try:
        check_versions(plan, opened.registry)
        with _world(opened, inputs, create=True) as (store, providers, storage):
            world = World(opened, inputs, store, providers, storage)
            return run_apply(
                world, plan, listener=listener, stop=stop, parallelism=parallelism, lock_timeout=lock_timeout
            )
    except DiagnosticError as problem:
        interrupted = isinstance(problem, WaitEnded)
        return ApplyOutcome(interrupted=interrupted, diagnostics=problem.diagnostics, sources=opened.sources)


def read_state(inputs: Inputs) -> StateOutcome:
    """What is recorded for the workspace."""
    try:
        settings, sources = open_settings(inputs)
    except OpeningError as problem:
        return StateOutcome(None, problem.diagnostics, problem.sources)
    try:
        with opened_store(settings, inputs, create=False) as store:
            state = read_workspace(store, settings.project, inputs.workspace)
    except DiagnosticError as problem:
        return StateOutcome(None, problem.diagnostics, sources)
    return StateOutcome(state, (), sources)


def state_lineage(inputs: Inputs, address: str) -> LineageOutcome:
    """An address's current record and all it came from."""
    sources: Mapping[str, str] = {}
    try:
        settings, sources = open_settings(inputs)
        with opened_store(settings, inputs, create=False) as store:
            state = read_workspace(store, settings.project, inputs.workspace)
            recorded = recorded_at(state, address, results_only=False)
            return LineageOutcome(lineage(store, recorded.execution_id), ())
    except OpeningError as problem:
        return LineageOutcome(None, problem.diagnostics, problem.sources)
    except DiagnosticError as problem:
        return LineageOutcome(None, problem.diagnostics, sources)


def recorded_at(state: WorkspaceState, address: str, *, results_only: bool) -> Recorded:
    """The record of an address: its newest attempt or result; raises DiagnosticError if there is none."""
    try:
        addr = parse(address)
    except AddressError as problem:
        raise DiagnosticError(error("bad_address", str(problem), "`zenctl state list` lists all.")) from problem
    found = None if results_only else state.attempts.get(addr)
    found = found or state.results.get(addr)
    if found is None:
        hint = did_you_mean(address, [str(a) for a in (*state.results, *state.attempts)])
        detail = f"`zenctl state list` lists what is recorded.{hint}"
        raise DiagnosticError(error("not_recorded", f"Nothing is recorded for {address}", detail))
    return found


def logs(inputs: Inputs, address: str, *, follow: bool = False) -> LogsOutcome:
    """What the newest attempt of a step, or an endpoint's server, printed; `follow` waits for more while it runs."""
    from zenctl.engine.logs import job_log, server_log

    sources: Mapping[str, str] = {}
    try:
        _, sources = open_settings(inputs)
        # A log lies in the artifact store, and whether it grows its backend tells: the rest may be wrong.
        opened = open_configuration(inputs, values_required=False, sound=False)
        with ExitStack() as open_things:
            store, providers, storage = open_things.enter_context(_world(opened, inputs, create=False))
            state = read_workspace(store, opened.configuration.settings.project, inputs.workspace)
            recorded = recorded_at(state, address, results_only=False)
            if isinstance(recorded.addr, EndpointAddr):
                chunks = server_log(recorded, inputs.data_dir, follow=follow)
            else:
                job_id = recorded.job_id
                if recorded.source:
                    [execution] = store.executions_by_id([recorded.source])
                    job_id = execution.name
                chunks = job_log(recorded, job_id, providers, storage, follow=follow)
            return LogsOutcome(_with(open_things.pop_all(), chunks), ())
    except OpeningError as problem:
        return LogsOutcome(None, problem.diagnostics, problem.sources)
    except DiagnosticError as problem:
        return LogsOutcome(None, problem.diagnostics, sources)


def _with(open_things: ExitStack, chunks: Iterator[str]) -> Iterator[str]:
    """The chunks, with what they are read from open until their end."""
    with open_things:
        yield from chunks


def reproduce_result(inputs: Inputs, address: str, listener: Listener, *, build: bool = True) -> ReproduceOutcome:
    """Run a recorded job once more and compare what it writes; nothing is recorded.

    `build` allows to build the recorded environment where it is not here.
    """
    from zenctl.engine.reproducing import ReproduceOutcome, reproduce

    try:
        opened = open_configuration(inputs, values_required=False)
    except OpeningError as problem:
        return ReproduceOutcome(None, problem.diagnostics, problem.sources)
    try:
        with _world(opened, inputs, create=False) as (store, providers, storage):
            world = World(opened, inputs, store, providers, storage)
            return ReproduceOutcome(reproduce(world, address, listener, build=build))
    except DiagnosticError as problem:
        return ReproduceOutcome(None, problem.diagnostics, opened.sources)


def import_result(inputs: Inputs, request: ImportRequest, listener: Listener) -> ImportOutcome:
    """Record what was made elsewhere as the result of an address; an apply of its own."""
    from zenctl.engine.importing import run_import

    written = ""
    try:
        opened = open_configuration(inputs)
        if request.config_out:
            written = _generate(opened, inputs, request)
            opened = open_configuration(inputs)
    except OpeningError as problem:
        return ImportOutcome(None, problem.diagnostics, problem.sources, written)
    except DiagnosticError as problem:
        return ImportOutcome(None, problem.diagnostics)
    try:
        with _world(opened, inputs, create=True) as (store, providers, storage):
            imported = run_import(World(opened, inputs, store, providers, storage), request, listener)
            return ImportOutcome(imported, (), opened.sources, written)
    except DiagnosticError as problem:
        texts = {**opened.sources, **code_texts(opened, problem.diagnostics)}
        return ImportOutcome(None, problem.diagnostics, texts, written)


def _generate(opened: Opened, inputs: Inputs, request: ImportRequest) -> str:
    """Write the block of an endpoint without one; gives the file's name. Raises DiagnosticError."""
    from zenctl.engine.importing import import_address
    from zenctl.engine.importing_endpoints import write_block
    from zenctl.engine.unconfigured import check_configured

    addr = import_address(request.address)
    if not isinstance(addr, EndpointAddr):
        check_configured(opened, addr)
        detail = "It describes endpoints that are there: code, parameters and sources of other results must be written."
        raise DiagnosticError(error("bad_argument", f"-generate-config-out is not for {addr}", detail))
    with _world(opened, inputs, create=False) as (store, providers, storage):
        return write_block(World(opened, inputs, store, providers, storage), addr, request)


def initialise(inputs: Inputs, *, upgrade: bool = False) -> InitOutcome:
    """Prepare the folder: a starter where there is no configuration, `.zenctl/` ignored by git, modules fetched.

    Safe to repeat. `upgrade` looks anew at what the branches and tags of modules mean.
    """
    from zenctl.engine.initialising import ignore_data, write_starter
    from zenctl.engine.installing import install_modules

    found = any(p.name.endswith(SUFFIXES) for p in inputs.root.iterdir())
    try:
        created = [] if found else write_starter(inputs.root)
        created += ignore_data(inputs.root)
    except OSError as problem:
        detail = f"{problem.filename}: {problem.strerror}"
        return InitOutcome((), found, {}, (error("init", f"The folder cannot be prepared: {detail}"),))
    try:
        modules = install_modules(inputs.root, upgrade=upgrade)
    except DiagnosticError as problem:
        return InitOutcome(tuple(created), found, {}, problem.diagnostics)
    checked = validate(inputs, fetch=Fetch.ALWAYS)
    providers: dict[str, str] = {}
    if not has_errors(checked.diagnostics):
        opened = open_configuration(inputs, values_required=False)
        used = open_providers(opened, inputs)
        used.storage()
        providers = used.versions()
        used.close()
    return InitOutcome(tuple(created), found, providers, checked.diagnostics, checked.sources, modules)
