"""Makes, updates and deletes endpoints, and records each: the part of applying that touches live servers."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from zenctl.addrs import EndpointAddr
from zenctl.config.selected import DEFAULT
from zenctl.diagnostics import DiagnosticError, error
from zenctl.engine.components import plain, served_as_recorded
from zenctl.engine.desired import DesiredEndpoint
from zenctl.engine.endpoints import ACTIONS, endpoint_name, live_name
from zenctl.engine.execution import store_hint
from zenctl.engine.jobs import input_record, new_job_id
from zenctl.engine.outages import RETRIED, Time, insist
from zenctl.engine.providers import Providers, provider_diagnostic
from zenctl.engine.removing import begun
from zenctl.jobs.artifacts import CorruptArtifact, fetch_tree, tree_path
from zenctl.jobs.storage import Storage, StorageError
from zenctl.metadata.recording import Recorder
from zenctl.metadata.state import Recorded, RecordedArtifact, WorkspaceState
from zenctl.plans.actions import Action, Components
from zenctl.plans.plan import Change, Plan
from zenctl.plans.planfile import decode_components
from zenctl.provider import Endpoint, EndpointAction, EndpointRequest, EndpointState, ProviderError

T = TypeVar("T")

OUTCOMES = {
    Action.CREATE: "created",
    Action.UPDATE: "updated",
    Action.REPLACE: "replaced",
    Action.NO_OP: "recorded",
}
"""What is said of an endpoint once it is done."""


SUCCEEDS = (
    "With create_before_destroy it is made while the one before it still runs, so the two cannot share a port: "
    "leave out the port, or create_before_destroy."
)
"""What to know where an endpoint cannot be made beside the one that it replaces."""

PREVIEWS = (
    "Each workspace has an endpoint of its own, and two cannot share a port: leave it out in previews, as in "
    'port = zenctl.workspace == "default" ? 8501 : null.'
)
"""What to know where an endpoint of another workspace than the default one cannot be made."""


class Publisher:
    """Brings endpoints to where the plan wants them."""

    def __init__(
        self,
        plan: Plan,
        state: WorkspaceState,
        recorder: Recorder,
        providers: Providers,
        storage: Storage,
        work_dir: Path,
        code_version: Mapping[str, Any],
        time: Time | None = None,
    ) -> None:
        self._plan = plan
        self._state = state
        self._recorder = recorder
        self._providers = providers
        self._storage = storage
        self._work_dir = work_dir
        self._code_version = code_version
        self._time = time or Time()

    def publish(self, change: Change, desired: DesiredEndpoint) -> tuple[str, str]:
        """Bring the endpoint to serve its model; gives the outcome and its URL."""
        addr = desired.addr
        desired = served_as_recorded(desired, self._state.results.get(addr))
        model = desired.model
        if model.digest is None:
            raise AssertionError(f"{addr} is published before its model is known")
        recorded = self._state.results.get(addr)
        name = live_name(addr, self._state)
        provider = self._providers.endpoint(addr.type, desired.config.provider)
        config = plain(desired.config_data)
        labels = {"project": self._plan.project, "workspace": self._plan.workspace, "address": str(addr)}
        try:
            prior = self._insist(lambda: provider.read(name))
            wanted = EndpointRequest(name, config, model.digest, labels=labels)
            action = ACTIONS[provider.plan(prior, wanted).action]
            if change.action is Action.REPLACE:
                action = Action.REPLACE if prior is not None else Action.CREATE
            if action is Action.NO_OP and recorded is not None and prior is not None:
                return "unchanged", prior.url
            shown = plain(desired.shown_config)
            components = Components(type=f"endpoint.{addr.type}/1", params=shown, inputs={"model": model.digest})
            inputs = {"model": input_record(model)}
            job_id = new_job_id(self._plan.project, self._plan.workspace, self._recorder.serial, addr)
            if action is Action.REPLACE and desired.config.meta.lifecycle.create_before_destroy:
                wanted = replace(wanted, name=self._successor(addr))
            # It is recorded before it is made: if this apply dies now, the next one takes it over, or removes it.
            execution_id = self._recorder.start(
                addr,
                job_id,
                "Deploy",
                components,
                "",
                inputs,
                code_version=self._code_version,
                handle={"name": wanted.name, "provider": desired.config.provider},
            )
            try:
                after = self._bring(provider, action, wanted, prior)
            except BaseException as problem:
                # Where an answer was lost nobody knows what was made: of what is canceled it is looked for later.
                lost = isinstance(problem, ProviderError) and problem.kind in RETRIED
                self._recorder.fail(execution_id, str(problem) or type(problem).__name__, canceled=lost)
                raise
        except ProviderError as problem:
            diagnostic = provider_diagnostic(problem, str(addr), range=desired.config.range, address=str(addr))
            raise DiagnosticError(diagnostic) from problem
        attributes = {"name": wanted.name, "url": after.url, "provider": desired.config.provider, **after.attributes}
        self._recorder.complete(execution_id, {}, environment={}, attributes=attributes)
        return OUTCOMES[action], after.url

    def delete(self, addr: EndpointAddr) -> str:
        """Remove the endpoint and record that it is gone."""
        recorded = self._state.results.get(addr) or begun(self._state).get(addr)
        known: Mapping[str, Any] = {**recorded.handle, **recorded.attributes} if recorded is not None else {}
        name = str(known.get("name", "")) or live_name(addr, self._state)
        provider = str(known.get("provider", ""))
        try:
            endpoint = self._providers.endpoint(addr.type, provider)
            self._insist(lambda: endpoint.delete(name))
        except ProviderError as problem:
            raise DiagnosticError(provider_diagnostic(problem, str(addr), address=str(addr))) from problem
        self._recorder.endpoint_deleted(addr)
        return ""

    def record(self, addr: EndpointAddr) -> tuple[str, str]:
        """Record the endpoint as it is now, or that it is gone; gives the outcome and its URL."""
        recorded = self._state.results[addr]
        name = live_name(addr, self._state)
        try:
            endpoint = self._providers.endpoint(addr.type, str(recorded.attributes.get("provider", "")))
            seen = self._insist(lambda: endpoint.read(name))
        except ProviderError as problem:
            raise DiagnosticError(provider_diagnostic(problem, str(addr), address=str(addr))) from problem
        if seen is None:
            self._recorder.endpoint_deleted(addr)
            return "forgotten", ""
        if not seen.ready or seen.model_digest is None:
            return "unchanged", seen.url
        model = RecordedArtifact(0, "Model", tree_path(seen.model_digest), seen.model_digest)
        components = replace(decode_components(recorded.components), inputs={"model": seen.model_digest})
        attributes = {**recorded.attributes, "url": seen.url, **seen.attributes}
        self._recorder.endpoint(addr, components, attributes, {"model": model}, code_version=self._code_version)
        return "recorded", seen.url

    def _successor(self, addr: EndpointAddr) -> str:
        """The name of the endpoint that replaces one while that is still there."""
        return f"{endpoint_name(addr, self._plan.workspace)}-{self._recorder.serial}"

    def _insist(self, call: Callable[[], T]) -> T:
        return insist(call, threading.Event(), self._time)

    def _bring(
        self, provider: Endpoint, action: Action, wanted: EndpointRequest, prior: EndpointState | None
    ) -> EndpointState:
        if action is Action.NO_OP and prior is not None:
            return prior
        succeeds = prior is not None and prior.name != wanted.name
        if action is Action.REPLACE and not succeeds:
            self._insist(lambda: provider.delete(wanted.name))
        folder = _model_folder(self._work_dir, wanted.name, wanted.model_digest or "")
        try:
            fetch_tree(self._storage, wanted.model_digest or "", folder)
            ready = replace(wanted, model_path=folder)
            if action is Action.UPDATE and prior is not None:
                return _answered(provider, wanted, lambda: provider.update(prior, ready))
            try:
                made = _answered(provider, wanted, lambda: provider.create(ready))
            except ProviderError as problem:
                more = SUCCEEDS if succeeds else PREVIEWS if self._plan.workspace != DEFAULT else ""
                problem.hint = f"{problem.hint} {more}".strip()
                raise
            if succeeds and prior is not None:
                self._insist(lambda: provider.delete(prior.name))
            return made
        except (CorruptArtifact, StorageError) as problem:
            hint = store_hint(problem) if isinstance(problem, StorageError) else "Apply again to make the model anew."
            raise DiagnosticError(error("model_unreadable", f"The model cannot be read: {problem}", hint)) from problem
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _answered(provider: Endpoint, wanted: EndpointRequest, call: Callable[[], EndpointState]) -> EndpointState:
    """What the call gives; if its answer was lost, what is there, as long as that is what was wanted."""
    try:
        return call()
    except ProviderError as problem:
        seen = None
        if problem.kind in RETRIED:
            # Who cannot be asked either has nothing better to say than the first failure.
            with suppress(ProviderError):
                seen = provider.read(wanted.name)
        if seen is None or not seen.ready or provider.plan(seen, wanted).action is not EndpointAction.NO_OP:
            raise
        return seen


def discard_model(work_dir: Path, attempt: Recorded) -> None:
    """Remove the model that an interrupted apply had laid out for an endpoint; one that is gone is success."""
    model = attempt.inputs.get("model")
    if model is not None and attempt.handle.get("name"):
        shutil.rmtree(_model_folder(work_dir, str(attempt.handle["name"]), model.digest), ignore_errors=True)


def _model_folder(work_dir: Path, name: str, digest: str) -> Path:
    return work_dir / f"model-{name}-{digest}"
