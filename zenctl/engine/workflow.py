"""The operations behind the commands: each opens what it needs, composes the parts, and closes again.

What only one of them needs is imported there: plan has to start fast.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from zenctl.addrs import EndpointAddr
from zenctl.config.files import SUFFIXES
from zenctl.diagnostics import Diagnostic, DiagnosticError, Severity, error, has_errors, raise_errors
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
from zenctl.engine.requests import (
    ApplyOutcome,
    CompareOutcome,
    ImportOutcome,
    ImportRequest,
    InitOutcome,
    Inputs,
    LineageOutcome,
    LogsOutcome,
    PlanOptions,
    PlanOutcome,
    StateDiffOutcome,
    StateOutcome,
    Stop,
)
from zenctl.engine.trusting import Trust, trust
from zenctl.engine.world import open_world, store_refusal
from zenctl.fingerprint.repositories import Fetch
from zenctl.jobs.storage import Storage, StorageError
from zenctl.metadata.applies import applies
from zenctl.metadata.state import read_state as read_workspace
from zenctl.plans.plan import Plan

if TYPE_CHECKING:
    from zenctl.engine.reproducing import ReproduceOutcome
    from zenctl.engine.run_comparison import Wanted

__all__ = [
    "ApplyOutcome",
    "CompareOutcome",
    "InitOutcome",
    "Inputs",
    "LineageOutcome",
    "LogsOutcome",
    "PlanOptions",
    "PlanOutcome",
    "StateDiffOutcome",
    "StateOutcome",
    "Stop",
    "apply_plan",
    "compare_results",
    "diff_states",
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
    made: Plan | None = None
    try:
        # Before a store is opened or a provider asked for anything.
        raise_errors(trusted.differences(opened) if trusted is not None else [])
        with open_world(opened, inputs, create=False) as world:
            made = draft(world, options, listener, trusted)
    except DiagnosticError as problem:
        if made is None:
            return PlanOutcome(None, (*opened.diagnostics, *problem.diagnostics), opened.sources)
        # A provider that cannot be closed has made nothing for a plan.
        left = [replace(diagnostic, severity=Severity.WARNING) for diagnostic in problem.diagnostics]
        made = replace(made, diagnostics=(*made.diagnostics, *left))
    texts = {**opened.sources, **code_texts(opened, made.diagnostics)}
    return PlanOutcome(None if has_errors(made.diagnostics) else made, made.diagnostics, texts)


def code_texts(opened: Opened, diagnostics: Iterable[Diagnostic]) -> dict[str, str]:
    """The texts of code files that diagnostics point into."""
    return {**opened.libraries.texts, **opened.code.texts(d.range.filename for d in diagnostics if d.range)}


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
    outcome: ApplyOutcome | None = None
    try:
        check_versions(plan, opened.registry)
        with open_world(opened, inputs, create=True, listener=listener) as world:
            outcome = run_apply(
                world, plan, listener=listener, stop=stop, parallelism=parallelism, lock_timeout=lock_timeout
            )
    except DiagnosticError as problem:
        if outcome is not None:
            # A provider that cannot be closed undoes nothing of what was applied.
            return replace(outcome, diagnostics=(*outcome.diagnostics, *problem.diagnostics))
        interrupted = isinstance(problem, WaitEnded)
        return ApplyOutcome(interrupted=interrupted, diagnostics=problem.diagnostics, sources=opened.sources)
    return outcome


def read_state(inputs: Inputs) -> StateOutcome:
    """What is recorded for the workspace."""
    try:
        settings, sources = open_settings(inputs)
    except OpeningError as problem:
        return StateOutcome(None, problem.diagnostics, problem.sources)
    try:
        with opened_store(settings, inputs, create=False) as store:
            state = read_workspace(store, settings.project, inputs.workspace)
            newest = applies(store, settings.project, inputs.workspace, time.time_ns() // 1_000_000, newest=1)
    except DiagnosticError as problem:
        return StateOutcome(None, problem.diagnostics, sources)
    return StateOutcome(state, (), sources, newest[0] if newest else None)


def state_lineage(inputs: Inputs, words: str) -> LineageOutcome:
    """The record that the words name, all it came from, and what was made of it: see `zenctl.engine.naming`."""
    from zenctl.engine.tracing import trace

    sources: Mapping[str, str] = {}
    try:
        settings, sources = open_settings(inputs)
        with opened_store(settings, inputs, create=False) as store:
            return trace(store, settings.project, inputs, words)
    except OpeningError as problem:
        return LineageOutcome(None, problem.diagnostics, problem.sources)
    except DiagnosticError as problem:
        return LineageOutcome(None, problem.diagnostics, sources)


def diff_states(inputs: Inputs, before: str, after: str, *, code: bool = False) -> StateDiffOutcome:
    """How two recorded states differ; `code` also compares the recorded source of steps."""
    from zenctl.engine.code_diffs import recorded_code_diff
    from zenctl.engine.data_drift import data_drift
    from zenctl.engine.state_differences import code_reason, compare_states, read_side
    from zenctl.fingerprint.data import FileCache

    sources: Mapping[str, str] = {}
    try:
        settings, sources = open_settings(inputs)
        with opened_store(settings, inputs, create=False) as store:
            sides = [read_side(store, settings.project, inputs.workspace, words) for words in (before, after)]
        found = compare_states(sides[0], sides[1], FileCache(inputs.data_dir / "cache" / "files.json").difference)
        pairs = [(item, item.before, item.after) for item in found.results if item.before and item.after]
        if not pairs or not (code or any(out.type == "Dataset" for _, _, new in pairs for out in new.outputs.values())):
            return StateDiffOutcome(found, (), sources)
        known = {}
        with artifact_store(inputs) as storage:
            for item, old, new in pairs:
                reason = code_reason(item) if code else None
                source = recorded_code_diff(old, new, reason, storage) if reason is not None else None
                known[item.addr] = replace(item, code=source, drift=data_drift(old, new, storage))
        results = [known.get(item.addr, item) for item in found.results]
        return StateDiffOutcome(replace(found, results=tuple(results)), (), sources)
    except OpeningError as problem:
        return StateDiffOutcome(None, problem.diagnostics, problem.sources)
    except DiagnosticError as problem:
        return StateDiffOutcome(None, problem.diagnostics, sources)


def compare_results(inputs: Inputs, wanted: Wanted) -> CompareOutcome:
    """Runs of addresses side by side."""
    from zenctl.engine.run_comparison import compare_runs

    sources: Mapping[str, str] = {}
    try:
        settings, sources = open_settings(inputs)
        with opened_store(settings, inputs, create=False) as store:
            tables = tuple(compare_runs(store, settings.project, wanted))
        return CompareOutcome(tables, (), sources, settings.project)
    except OpeningError as problem:
        return CompareOutcome(None, problem.diagnostics, problem.sources)
    except DiagnosticError as problem:
        return CompareOutcome(None, problem.diagnostics, sources)


@contextmanager
def artifact_store(inputs: Inputs) -> Iterator[Storage]:
    """The artifact store of the configuration, whatever else is wrong with it."""
    providers = open_providers(open_configuration(inputs, values_required=False, sound=False), inputs)
    try:
        yield providers.storage()
    except StorageError as problem:
        raise DiagnosticError(store_refusal(problem)) from problem
    finally:
        providers.close()


def logs(inputs: Inputs, address: str, *, follow: bool = False) -> LogsOutcome:
    """What the newest attempt of a step, or an endpoint's server, printed; `follow` waits for more while it runs."""
    from zenctl.engine.logs import job_log, server_log
    from zenctl.engine.naming import find_recorded

    sources: Mapping[str, str] = {}
    try:
        _, sources = open_settings(inputs)
        # A log lies in the artifact store, and whether it grows its backend tells: the rest may be wrong.
        opened = open_configuration(inputs, values_required=False, sound=False)
        with ExitStack() as open_things:
            world = open_things.enter_context(open_world(opened, inputs, create=False))
            project = opened.configuration.settings.project
            recorded = find_recorded(world.store, project, inputs.workspace, address)
            if isinstance(recorded.addr, EndpointAddr):
                chunks = server_log(recorded, inputs.data_dir, follow=follow)
            else:
                job_id = recorded.job_id
                if recorded.source:
                    [execution] = world.store.executions_by_id([recorded.source])
                    job_id = execution.name
                chunks = job_log(recorded, job_id, world.providers, world.storage, follow=follow)
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
        with open_world(opened, inputs, create=False) as world:
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
        with open_world(opened, inputs, create=True) as world:
            imported = run_import(world, request, listener)
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
    with open_world(opened, inputs, create=False) as world:
        return write_block(world, addr, request)


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
