"""A registry of plain objects, and loading from texts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import pytest

from zenctl.config.loader import Loaded, load_files
from zenctl.diagnostics import Diagnostic
from zenctl.provider.registry import Registry, registry_of
from zenctl.schema import (
    ArtifactRef,
    BackendType,
    BlockModel,
    DatasourceType,
    EndpointType,
    InputDecl,
    OutputDecl,
    ProviderSchema,
    StepType,
    StoreType,
    Unknown,
    attribute,
)
from zenctl.steps.python.schema import PYTHON


class Csv(BlockModel):
    path: str = attribute("The file.", fingerprint=False)
    delimiter: str = attribute("One character.", default=",", max_length=1)
    token: str | None = attribute("A secret.", default=None)


class Rule(BlockModel):
    method: Literal["z_score", "min_max"] = attribute("How.")
    limit: float | None = attribute("Bound.", default=None, gt=0)


class Split(BlockModel):
    inputs: dict[str, ArtifactRef] = attribute("data")
    ratio: dict[str, float] = attribute("Shares by output.")
    seed: int = attribute("Start of the hash.", default=0, ge=0)
    note: str = attribute("Shown only.", default="", fingerprint=False)


class Train(BlockModel):
    inputs: dict[str, ArtifactRef] = attribute("train, eval")
    label: str = attribute("Column to predict.")
    epochs: int = attribute("Rounds.", default=5, ge=1)
    rate: float = attribute("Step size.", default=0.1)
    layers: list[int] = attribute("Units.", default=[8])
    rules: dict[str, Rule] = attribute("By column.", default={})
    stop: Rule | None = attribute("When to end.", default=None)
    extra: dict[str, Any] = attribute("Anything.", default={})


class Endpoint(BlockModel):
    model: ArtifactRef = attribute("What is served.")
    port: int | None = attribute("TCP port.", default=None)
    password: str | None = attribute("A secret.", default=None)


class Machine(BlockModel):
    workers: int = attribute("Processes.", default=1, ge=1)


class Store(BlockModel):
    path: str | None = attribute("A folder.", default=None)


class ProviderBlock(BlockModel):
    region: str = attribute("Where.", default="here")


class FakeProvider:
    name = "local"
    version = "1.4.0"

    def schema(self) -> ProviderSchema:
        return ProviderSchema(
            name="local",
            config=ProviderBlock,
            backends={
                "local": BackendType(
                    "local", "Processes.", Machine, ("orchestrator",), secrets=("env", "file"), local_files=True
                ),
                "direct": BackendType("direct", "Beam.", Machine, ("processing",)),
            },
            endpoints={"local": EndpointType("local", "A server.", Endpoint)},
            stores={"local": StoreType("local", "A folder.", Store, "file")},
        )


def split_outputs(data: Mapping[str, Any]) -> dict[str, OutputDecl]:
    ratio = data.get("ratio")
    return {} if isinstance(ratio, Unknown) or not ratio else {name: OutputDecl("Dataset") for name in ratio}


SPLIT = StepType(
    "split", "Split.", Split, {"data": InputDecl(("Dataset",), True, "rows")}, split_outputs, "fake.split:run"
)
TRAIN = StepType(
    "train",
    "Train.",
    Train,
    {"train": InputDecl(("Dataset",)), "eval": InputDecl(("Dataset",), required=False)},
    lambda _: {"model": OutputDecl("Model"), "metrics": OutputDecl("Metrics")},
    "fake.train:run",
)
CSV = DatasourceType("csv", "A file.", Csv, "fake:observe", "fake:run")


@pytest.fixture
def registry() -> Registry:
    return registry_of([FakeProvider()], [SPLIT, TRAIN, PYTHON], [CSV])  # type: ignore[list-item]


Load = Callable[..., Loaded]


@pytest.fixture
def load_text(registry: Registry, tmp_path: Path) -> Load:
    """Load one HCL text as main.zen.hcl, or several files by keyword `files`."""

    def load(text: str = "", *, files: Mapping[str, str] | None = None) -> Loaded:
        return load_files(files or {"main.zen.hcl": text}, tmp_path, registry)

    return load


def shown(diagnostics: list[Diagnostic] | tuple[Diagnostic, ...]) -> list[str]:
    """Each diagnostic as `line:column code summary`, for short assertions."""
    found = []
    for d in diagnostics:
        where = f"{d.range.start.line}:{d.range.start.column}" if d.range else "-"
        found.append(f"{where} {d.code}: {d.summary}")
    return found


@pytest.fixture
def show() -> Callable[..., list[str]]:
    return shown
