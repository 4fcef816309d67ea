"""What golden cases need and no real provider has: an endpoint that is one file, versions that a case can change."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from zenctl.jobs.resources import Resources
from zenctl.jobs.storage import Storage
from zenctl.provider import (
    Compute,
    Endpoint,
    EndpointAction,
    EndpointPlan,
    EndpointRequest,
    EndpointState,
    ErrorKind,
    MachinePool,
    MachineTemplate,
    PriceEstimate,
    Processing,
    ProviderContext,
    ProviderError,
)
from zenctl.schema import (
    ArtifactRef,
    BackendType,
    BlockModel,
    EndpointType,
    OutputDecl,
    ProviderSchema,
    StepType,
    attribute,
)


def version(name: str, default: str) -> str:
    """The first line of a file in the project's folder, where zenctl runs."""
    path = Path(name)
    return path.read_text().strip() if path.exists() else default


class GoldenBlock(BlockModel):
    """`provider "golden" {}`."""


class FileEndpoint(BlockModel):
    """`endpoint "file" "NAME" {}`."""

    model: ArtifactRef = attribute("The model to serve.")
    port: int = attribute("What it cannot change while it lives.", default=80)


class PlainBackend(BlockModel):
    """`backend "plain" "NAME" {}`."""


class MachinesBackend(BlockModel):
    """`backend "machines" "NAME" {}`."""

    kind: str = attribute("What each machine is.", fingerprint=False)
    scope: str = attribute("One for an apply, or one for a step.", default="apply", fingerprint=False)
    price: float | None = attribute("What one costs an hour.", default=None, fingerprint=False)


SCHEMA = ProviderSchema(
    "golden",
    GoldenBlock,
    backends={
        "plain": BackendType(
            "plain", "Runs steps, but in no images.", PlainBackend, ("orchestrator",), local_files=True
        ),
        "machines": BackendType("machines", "Would make machines.", MachinesBackend, ("orchestrator",)),
    },
    endpoints={"file": EndpointType("file", "A file that says what is served.", FileEndpoint)},
)


class FileEndpoints:
    """Endpoints that are JSON files below `.zenctl/endpoints`."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def read(self, name: str) -> EndpointState | None:
        path = self._root / f"{name}.json"
        if not path.exists():
            return None
        found = json.loads(path.read_text())
        attributes = {"port": found["port"]}
        return EndpointState(name, found["model"], found["ready"], f"file:{name}", attributes, found.get("problem", ""))

    def plan(self, prior: EndpointState | None, wanted: EndpointRequest) -> EndpointPlan:
        if prior is None:
            return EndpointPlan(EndpointAction.CREATE, ("there is none",))
        if prior.attributes["port"] != wanted.config["port"]:
            return EndpointPlan(EndpointAction.REPLACE, ("its port is another one",))
        if prior.model_digest != wanted.model_digest:
            return EndpointPlan(EndpointAction.UPDATE, ("it serves another model",))
        if not prior.ready:
            return EndpointPlan(EndpointAction.UPDATE, (prior.problem,))
        return EndpointPlan(EndpointAction.NO_OP)

    def create(self, wanted: EndpointRequest) -> EndpointState:
        self._root.mkdir(parents=True, exist_ok=True)
        state = {"model": wanted.model_digest, "port": wanted.config["port"], "ready": True}
        (self._root / f"{wanted.name}.json").write_text(json.dumps(state))
        made = self.read(wanted.name)
        assert made is not None
        return made

    def update(self, prior: EndpointState, wanted: EndpointRequest) -> EndpointState:
        return self.create(replace(wanted, name=prior.name))

    def delete(self, name: str) -> None:
        (self._root / f"{name}.json").unlink(missing_ok=True)


def _runs_nothing(*_: object) -> Any:
    raise ProviderError(ErrorKind.INVALID, "golden runs nothing")


class Machines:
    """A backend that says which machines it would make, and can run nothing."""

    handle = submit = status = logs = cancel = release = _runs_nothing

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._config = config

    def pools(self, jobs: Sequence[Resources]) -> Sequence[MachinePool]:
        kind, scope, price = (self._config[name] for name in ("kind", "scope", "price"))
        known = PriceEstimate(price, "EUR", "the golden list", "2026-11-01") if price is not None else None
        return [
            MachinePool(
                kind,
                ("here", "there"),
                scope=scope,
                accelerators={"gpu-1": 2} if kind == "fast" else {},
                spot=kind == "cheap",
                price=known or PriceEstimate(note=f"nobody knows what {kind} costs"),
                key=f"{kind}/{scope}" if scope == "apply" else "",
            )
        ]

    def template(self) -> MachineTemplate:
        return MachineTemplate()


class GoldenProvider:
    """The provider `golden`."""

    name = "golden"

    def __init__(self) -> None:
        self.version = version("provider-version", "1.0.0")
        self._root = Path()

    def schema(self) -> ProviderSchema:
        return SCHEMA

    def configure(self, config: Mapping[str, Any], context: ProviderContext) -> None:
        self._root = context.data_dir / "endpoints"

    def compute(self, type: str, config: Mapping[str, Any]) -> Compute:
        if type == "machines":
            return Machines(config)
        raise ProviderError(ErrorKind.INVALID, "golden has no backends")

    def processing(self, type: str, config: Mapping[str, Any]) -> Processing:
        raise ProviderError(ErrorKind.INVALID, "golden has no backends")

    def endpoint(self, type: str) -> Endpoint:
        return FileEndpoints(self._root)

    def storage(self, type: str, config: Mapping[str, Any]) -> Storage:
        raise ProviderError(ErrorKind.INVALID, "golden keeps no artifacts")

    def close(self) -> None:
        return None


class Echo(BlockModel):
    """`step "echo" "NAME" {}`."""

    text: str = attribute("What to write.", default="hello")


def echo(job: Any) -> None:
    """Write the text."""
    (job.outputs["text"].path / "text.txt").write_text(job.params["text"])


ECHO = StepType(
    name="echo",
    description="Writes a text.",
    model=Echo,
    inputs={},
    outputs=lambda _: {"text": OutputDecl("Artifact")},
    implementation="zenctl_golden:echo",
    version=int(version("echo-version", "1")),
)
