"""A small registry, signatures, and configurations made from texts, for the tests of evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from zenctl.addrs import Address, StepAddr
from zenctl.config.given import VariableText
from zenctl.config.graph import order
from zenctl.config.loader import load_files
from zenctl.config.variables import VariableInputs, resolve
from zenctl.diagnostics import Diagnostic, Position, SourceRange, error
from zenctl.engine.desired import CodeRef, Desired, DesiredStep
from zenctl.engine.evaluating import Evaluator
from zenctl.fingerprint.signature import ParamDecl, Signature
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
    attribute,
)
from zenctl.steps.python.schema import PYTHON


class Csv(BlockModel):
    path: str = attribute("The file.", fingerprint=False)
    delimiter: str = attribute("One character.", default=",")
    token: str | None = attribute("A secret.", default=None)


class Split(BlockModel):
    inputs: dict[str, ArtifactRef] = attribute("data")
    ratio: dict[str, float] = attribute("Shares by output.")
    seed: int = attribute("Start of the hash.", default=0)


class Rule(BlockModel):
    method: str = attribute("How.")


class Train(BlockModel):
    inputs: dict[str, ArtifactRef] = attribute("train, eval")
    label: str = attribute("Column to predict.")
    epochs: int = attribute("Rounds.", default=5, ge=1)
    note: str = attribute("Shown only.", default="", fingerprint=False)
    extra: dict[str, Any] = attribute("Anything.", default={})
    rules: dict[str, Rule] = attribute("By column.", default={}, fingerprint=False)


class Server(BlockModel):
    model: ArtifactRef = attribute("What is served.")
    port: int | None = attribute("TCP port.", default=None)
    password: str | None = attribute("A secret.", default=None)


class Nothing(BlockModel):
    pass


def split_outputs(data: Mapping[str, Any]) -> dict[str, OutputDecl]:
    ratio = data.get("ratio")
    return {name: OutputDecl("Dataset") for name in ratio} if isinstance(ratio, Mapping) else {}


class FakeProvider:
    name = "local"
    version = "1"

    def schema(self) -> ProviderSchema:
        return ProviderSchema(
            name="local",
            config=Nothing,
            backends={
                "local": BackendType(
                    "local", "Processes.", Nothing, ("orchestrator",), secrets=("env", "file"), local_files=True
                )
            },
            endpoints={"local": EndpointType("local", "A server.", Server)},
            stores={"local": StoreType("local", "A folder.", Nothing, "file")},
        )


SPLIT = StepType("split", "", Split, {"data": InputDecl(("Dataset",))}, split_outputs, "fake:run")
TRAIN = StepType(
    "train",
    "",
    Train,
    {"train": InputDecl(("Dataset",), description="rows"), "eval": InputDecl(("Dataset",), required=False)},
    lambda _: {"model": OutputDecl("Model"), "metrics": OutputDecl("Metrics")},
    "fake:run",
)
CSV = DatasourceType("csv", "", Csv, "fake:observe", "fake:run")
PLACE = SourceRange("steps/fit.py", Position(3, 1, 0), Position(3, 4, 3))

SIGNATURES = {
    "fit": Signature(
        inputs={"train": "Dataset", "notes": "Path"},
        outputs={"model": "Model", "metrics": "Metrics"},
        returned=False,
        params={"epochs": ParamDecl(False, "int"), "rate": ParamDecl(True, "float | None"), "free": ParamDecl(False)},
        range=PLACE,
        optional=frozenset({"notes"}),
    ),
    "count": Signature({"data": "Dataset"}, {"result": "Artifact"}, True, {}, PLACE),
    "make": Signature({}, {"data": "Dataset"}, False, {}, PLACE, has_var_keyword=True),
}


def signatures(code: CodeRef) -> tuple[Signature | None, list[Diagnostic]]:
    if code.function in SIGNATURES:
        return SIGNATURES[code.function], []
    return None, [error("code_function_missing", f"{code.file} has no function {code.function}")]


class World:
    """A loaded configuration and its evaluator."""

    def __init__(
        self,
        text: str,
        root: Path,
        modules: Mapping[str, str] | None = None,
        *,
        pairs: Sequence[tuple[str, str]] = (),
        **given: Any,
    ) -> None:
        registry: Registry = registry_of([FakeProvider()], [SPLIT, TRAIN, PYTHON], [CSV])  # type: ignore[list-item]
        loaded = load_files({"main.zen.hcl": text, **(modules or {})}, root, registry)
        assert loaded.configuration is not None
        self.loaded = list(loaded.diagnostics)
        self.configuration = loaded.configuration
        inputs = VariableInputs(arguments=[VariableText(*pair) for pair in pairs], **given)
        variables, self.variable_problems = resolve(self.configuration, inputs)
        self.evaluator = Evaluator(self.configuration, variables, registry, signatures)

    def node(self, addr: Address, known: Any = None) -> Desired:
        desired, diagnostics = self.evaluator.node(addr, known or {})
        assert [d for d in diagnostics if d.code != "sensitive_parameter"] == []
        assert desired is not None
        return desired

    def step(self, type_: str, name: str, known: Any = None) -> DesiredStep:
        desired = self.node(StepAddr(type_, name), known)
        assert isinstance(desired, DesiredStep)
        return desired

    def problems(self) -> list[Diagnostic]:
        found = list(self.loaded)
        for block in order(self.configuration)[0]:
            instances = self.evaluator.instances(block, {})
            found += instances.diagnostics
            for addr in instances.addresses:
                found += self.evaluator.node(addr, {})[1]
        for name in self.configuration.outputs:
            found += self.evaluator.output(name, {})[1]
        return found


BASE = """
backend "local" "here" {}
variable "epochs" { default = 3 }
locals { rounds = var.epochs * 2 }
datasource "csv" "rows" { path = "rows.csv" }
step "split" "parts" {
  inputs = { data = datasource.csv.rows }
  ratio  = { train = 0.8, eval = 0.2 }
}
step "train" "net" {
  inputs  = { train = step.split.parts.train, eval = step.split.parts.eval }
  label   = "y"
  epochs  = local.rounds
  backend = backend.local.here
  timeout = "1h30m"
  retries = 2
}
endpoint "local" "net" {
  model = step.train.net.model
  port  = 8501
}
output "accuracy" { value = step.train.net.metrics.accuracy }
"""
