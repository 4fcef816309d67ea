"""Evaluation: what is desired with nothing known, with results known, and what is said of mistakes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from zenctl.addrs import Address, BackendAddr, DatasourceAddr, EndpointAddr, StepAddr
from zenctl.config.graph import order
from zenctl.config.loader import load_files
from zenctl.config.variables import VariableInputs, resolve
from zenctl.diagnostics import Diagnostic, Position, SourceRange, error
from zenctl.digests import sha256_json
from zenctl.engine.desired import CodeRef, Desired, DesiredDatasource, DesiredEndpoint, DesiredStep
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
    Unknown,
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


class Train(BlockModel):
    inputs: dict[str, ArtifactRef] = attribute("train, eval")
    label: str = attribute("Column to predict.")
    epochs: int = attribute("Rounds.", default=5, ge=1)
    note: str = attribute("Shown only.", default="", fingerprint=False)
    extra: dict[str, Any] = attribute("Anything.", default={})


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
            backends={"local": BackendType("local", "Processes.", Nothing, ("orchestrator",))},
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

    def __init__(self, text: str, root: Path, **given: Any) -> None:
        registry: Registry = registry_of([FakeProvider()], [SPLIT, TRAIN, PYTHON], [CSV])  # type: ignore[list-item]
        loaded = load_files({"main.zen.hcl": text}, root, registry)
        assert loaded.configuration is not None
        self.loaded = list(loaded.diagnostics)
        self.configuration = loaded.configuration
        variables, self.variable_problems = resolve(self.configuration, VariableInputs(**given))
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
        for addr in order(self.configuration)[0]:
            found += self.evaluator.node(addr, {})[1]
        for name in self.configuration.outputs:
            found += self.evaluator.output(name, {})[1]
        return found


Make = Callable[..., World]


@pytest.fixture
def world(tmp_path: Path) -> Make:
    return lambda text, **given: World(text, tmp_path, **given)


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

ROWS, PARTS, NET = DatasourceAddr("csv", "rows"), StepAddr("split", "parts"), StepAddr("train", "net")


def test_with_nothing_known(world: Make) -> None:
    made = world(BASE)
    assert made.problems() == []
    rows = made.node(ROWS)
    assert isinstance(rows, DesiredDatasource)
    assert rows.params == {"delimiter": ",", "token": None}, "the path is no part of the fingerprint"
    assert isinstance(rows.model, Csv)
    parts = made.step("split", "parts")
    assert parts.inputs == {"data": ArtifactRef(ROWS, "data", "Dataset")}
    assert set(parts.outputs) == {"train", "eval"}
    assert parts.params == {"ratio": {"train": 0.8, "eval": 0.2}, "seed": 0}
    net = made.step("train", "net")
    assert net.params == {"label": "y", "epochs": 6, "extra": {}}
    assert net.inputs["train"] == ArtifactRef(PARTS, "train", "Dataset")
    assert (net.backend, net.timeout, net.retries) == (BackendAddr("local", "here"), 5400.0, 2)
    assert (net.code, net.as_types, net.returned) == (None, {}, "")
    served = made.node(EndpointAddr("local", "net"))
    assert isinstance(served, DesiredEndpoint)
    assert served.model == ArtifactRef(NET, "model", "Model")
    assert served.config_data == {"port": 8501, "password": None}
    value, problems = made.evaluator.output("accuracy", {})
    assert (value.value, value.sensitive, problems) == (Unknown(), False, [])


def known_net(**metrics: float) -> dict[Address, dict[str, ArtifactRef]]:
    return {
        NET: {
            "model": ArtifactRef(NET, "model", "Model", "d1", "objects/d1"),
            "metrics": ArtifactRef(NET, "metrics", "Metrics", "d2", "objects/d2", metrics),
        }
    }


def test_known_results_are_used(world: Make) -> None:
    made = world(BASE + 'output "model" { value = step.train.net.model.digest }')
    served = made.node(EndpointAddr("local", "net"), known_net())
    assert isinstance(served, DesiredEndpoint)
    assert served.model.digest == "d1"
    assert made.evaluator.output("accuracy", known_net(accuracy=0.9))[0].value == 0.9
    assert made.evaluator.output("accuracy", {})[0].value == Unknown(), "an earlier answer is not kept"
    assert made.evaluator.output("model", known_net())[0].value == "d1"
    _, [found] = made.evaluator.output("accuracy", known_net(acuracy=0.9))
    assert "acuracy" in f"{found.summary}{found.detail}"
    assert str(found.range).startswith("main.zen.hcl:22:")


def test_locals_follow_what_is_known(world: Make) -> None:
    made = world(
        BASE
        + """
locals { best = step.train.net.metrics.accuracy > 0.5 ? 2 : 1 }
step "train" "more" {
  inputs = { train = step.split.parts.train }
  label  = "y"
  epochs = local.best
  extra  = { score = step.train.net.metrics.accuracy }
}
"""
    )
    more = made.step("train", "more")
    assert more.model is None
    assert isinstance(more.params["epochs"], Unknown)
    assert more.params["extra"] == {"score": Unknown()}
    assert more.params["label"] == "y"
    known = known_net(accuracy=0.9)
    more = made.step("train", "more", known)
    assert more.params == {"label": "y", "epochs": 2, "extra": {"score": 0.9}}
    assert isinstance(more.model, Train)
    assert made.step("train", "more", known_net(accuracy=0.1)).params["epochs"] == 1


PYTHON_STEP = """
datasource "csv" "rows" { path = "rows.csv" }
step "python" "fit" {
  code   = "steps/fit.py:fit"
  inputs = { train = datasource.csv.rows }
  params = { rate = 0.5 }
  files  = ["steps/*.txt"]
}
"""


def test_a_python_step_takes_its_shape_from_the_signature(world: Make) -> None:
    made = world(PYTHON_STEP)
    assert made.problems() == []
    fit = made.step("python", "fit")
    assert fit.code == CodeRef("steps/fit.py", "fit")
    assert str(fit.code.range) == "main.zen.hcl:4:12"
    assert {name: decl.type for name, decl in fit.outputs.items()} == {"model": "Model", "metrics": "Metrics"}
    assert (fit.as_types, fit.params, fit.files) == ({"train": "Dataset"}, {"rate": 0.5}, ("steps/*.txt",))


def test_code_may_be_pinned(world: Make) -> None:
    made = world('step "python" "m" { code = "git::.//steps/fit.py:make?ref=v1.0" }')
    assert made.step("python", "m").code == CodeRef("steps/fit.py", "make", "v1.0")


def test_outputs_may_be_declared_in_the_block(world: Make) -> None:
    text = 'step "python" "m" {\n  code = "fit.py:make"\n  outputs = { extra = "Model" }\n}'
    made = world(text + '\noutput "o" { value = step.python.m.extra.digest }')
    assert made.problems() == []
    fit = made.step("python", "m")
    assert {n: d.type for n, d in fit.outputs.items()} == {"data": "Dataset", "extra": "Model"}
    assert fit.code is not None
    assert fit.code.outputs == (("extra", "Model"),)


def test_a_returned_value_stands_for_itself(world: Make) -> None:
    made = world(
        'datasource "csv" "rows" { path = "rows.csv" }\n'
        'step "python" "n" {\n  code = "c.py:count"\n  inputs = { data = datasource.csv.rows }\n}\n'
        'step "python" "m" {\n  code = "c.py:make"\n'
        "  params = { n = step.python.n.result, m = step.python.n.value }\n}\n"
        'output "n" { value = step.python.n }'
    )
    assert made.problems() == []
    addr = StepAddr("python", "n")
    assert made.step("python", "n").returned == "result"
    assert made.step("python", "m").params == {"n": Unknown(), "m": Unknown()}
    known = {addr: {"result": ArtifactRef(addr, "result", "Artifact", "d", "u", {"value": 7})}}
    assert made.step("python", "m", known).params == {"n": 7, "m": 7}
    assert made.evaluator.output("n", known)[0].value == 7


def test_secrets_are_digested_for_the_fingerprint(world: Make) -> None:
    made = world(
        'variable "key" { sensitive = true }\n'
        'datasource "csv" "rows" {\n  path = "p"\n  token = var.key\n}\n'
        + """
step "python" "m" {
  code   = "c.py:make"
  params = { auth = { token = "k-${var.key}", list = [1, var.key] }, n = 1 }
}
step "train" "t" {
  inputs = { train = datasource.csv.rows }
  label  = "y"
  extra  = { "a b" = var.key }
}
""",
        pairs=[("key", "hunter2")],
    )
    assert [(d.code, d.summary.split()[-1]) for d in made.problems()] == [
        ("sensitive_parameter", '"token"'),
        ("sensitive_parameter", '"auth.list[1]"'),
        ("sensitive_parameter", '"auth.token"'),
        ("sensitive_parameter", 'b"]"'),
    ]
    step = made.step("python", "m")
    assert step.params["auth"] == {"token": "k-hunter2", "list": [1, "hunter2"]}
    assert step.fingerprint_params == {
        "auth": {"token": {"sensitive": sha256_json("k-hunter2")}, "list": [1, {"sensitive": sha256_json("hunter2")}]},
        "n": 1,
    }
    assert step.sensitive == ("auth.list[1]", "auth.token")
    assert made.step("train", "t").sensitive == ('extra["a b"]',)
    rows = made.node(DatasourceAddr("csv", "rows"))
    assert isinstance(rows, DesiredDatasource)
    assert rows.fingerprint_params == {"delimiter": ",", "token": {"sensitive": sha256_json("hunter2")}}
    assert rows.sensitive == ("token",)
    for desired in (step, made.step("train", "t"), rows):
        assert "hunter2" not in str(desired.fingerprint_params)


def test_params_that_are_secret_as_a_whole(world: Make) -> None:
    made = world(
        'variable "all" {\n  sensitive = true\n  type = any\n  default = { a = 1, b = 2 }\n}\n'
        'step "python" "m" {\n  code = "c.py:make"\n  params = var.all\n}'
    )
    step = made.step("python", "m")
    assert step.fingerprint_params == {"a": {"sensitive": sha256_json(1)}, "b": {"sensitive": sha256_json(2)}}
    assert step.sensitive == ("a", "b")


def test_a_sensitive_output_must_say_so(world: Make) -> None:
    text = 'variable "k" {\n  sensitive = true\n  default = "hunter2"\n}\noutput "o" {\n  value = "x${var.k}"\n%s}'
    _, [found] = world(text % "").evaluator.output("o", {})
    assert (found.code, str(found.range), found.address) == ("sensitive_output", "main.zen.hcl:6:11", "output.o")
    assert "hunter2" not in str(found)
    value, problems = world(text % "  sensitive = true\n").evaluator.output("o", {})
    assert (value.value, value.sensitive, problems) == ("xhunter2", True, [])


def test_what_is_off_is_null_for_the_others(world: Make) -> None:
    text = BASE.replace('label   = "y"', 'label   = "y"\n  enabled = var.epochs > 5')
    made = world(text)
    assert not made.step("train", "net").enabled
    desired, problems = made.evaluator.node(EndpointAddr("local", "net"), {})
    assert desired is None
    assert problems
    assert all("step.train.net is not enabled" in d.detail for d in problems)
    assert world(text, pairs=[("epochs", "6")]).problems() == []


def test_what_is_off_may_refer_to_what_is_off(world: Make) -> None:
    text = BASE.replace('label   = "y"', 'label   = "y"\n  enabled = false')
    text = text.replace("port  = 8501", "enabled = false")
    assert world(text[: text.index("output")]).problems() == []


def test_an_optional_input_may_come_from_what_is_off(world: Make) -> None:
    made = world(
        """
variable "check" { default = false }
datasource "csv" "rows" { path = "rows.csv" }
datasource "csv" "more" {
  path    = "more.csv"
  enabled = var.check
}
step "train" "net" {
  inputs = { train = datasource.csv.rows, eval = datasource.csv.more }
  label  = "y"
}
"""
    )
    assert made.problems() == []
    assert set(made.step("train", "net").inputs) == {"train"}


BAD: list[tuple[str, str, str]] = [
    (
        'step "train" "t" {\n  inputs = { train = datasource.csv.rows }\n  label = "y"\n  epochs = "many"\n}',
        "5:12",
        '"epochs" must be a whole number, not the text "many"',
    ),
    (
        'step "train" "t" {\n  inputs = { train = datasource.csv.rows, evl = datasource.csv.rows }\n  label = "y"\n}',
        "3:43",
        'Step "train" "t" has no input "evl"',
    ),
    (
        'step "train" "t" {\n  inputs = {}\n  label = "y"\n}',
        "3:12",
        'Step "train" "t" needs the input "train"',
    ),
    (
        'step "train" "t" {\n  inputs = { train = 3 }\n  label = "y"\n}',
        "3:22",
        '"inputs.train" must be an artifact, such as step.TYPE.NAME.OUTPUT, not the number 3',
    ),
    (
        'step "train" "t" {\n  inputs = { train = step.train.u.model }\n  label = "y"\n}\n'
        'step "train" "u" {\n  inputs = { train = datasource.csv.rows }\n  label = "y"\n}',
        "3:22",
        'Input "train" must be a Dataset, step.train.u.model is a Model',
    ),
    (
        'step "split" "s" {\n  inputs = { data = datasource.csv.rows }\n  ratio = { a = 1, b = 1 }\n}\n'
        'step "train" "t" {\n  inputs = { train = step.split.s }\n  label = "y"\n}',
        "7:22",
        '"inputs.train" is step.split.s, which has several outputs',
    ),
    (
        'step "train" "t" {\n  inputs = { train = datasource.csv.rows }\n  label = "y"\n'
        "  extra = { where = datasource.csv.rows.uri }\n}",
        "5:21",
        '"extra.where" holds the uri of an artifact',
    ),
    (
        'locals { where = "at ${datasource.csv.rows.uri}" }\n'
        'step "python" "m" {\n  code = "c.py:make"\n  params = { a = upper(local.where) }\n}',
        "5:18",
        '"params.a" holds the uri of an artifact',
    ),
    (
        'step "train" "t" {\n  inputs = { train = datasource.csv.rows }\n  label = "y"\n  timeout = "soon"\n}',
        "5:13",
        '"timeout" must be a number of seconds or a text such as "30m" or "1h30m"',
    ),
    (
        'step "train" "t" {\n  inputs = { train = datasource.csv.rows }\n  label = "y"\n  retries = -1\n}',
        "5:13",
        '"retries" must be a whole number, 0 or more',
    ),
    (
        'step "train" "t" {\n  inputs = { train = datasource.csv.rows }\n  label = "y"\n  enabled = "maybe"\n}',
        "5:13",
        '"enabled" must be true or false',
    ),
    (
        'step "python" "n" {\n  code = "c.py:count"\n  inputs = { data = datasource.csv.rows }\n}\n'
        'step "train" "t" {\n  inputs = { train = datasource.csv.rows }\n  label = "y"\n'
        "  enabled = step.python.n.value\n}",
        "9:13",
        '"enabled" must be known before anything runs',
    ),
    (
        'step "python" "n" {\n  code = "c.py:count"\n  inputs = { data = datasource.csv.rows }\n}\n'
        'step "train" "t" {\n  inputs = { train = step.python.n.value ? datasource.csv.rows : datasource.csv.rows }\n'
        '  label = "y"\n}',
        "7:22",
        '"inputs.train" is known only after apply',
    ),
    ('step "python" "m" {\n  code = "c.py"\n}', "3:10", '"c.py" does not name a function'),
    ('step "python" "m" {\n  code = "../c.py:make"\n}', "3:10", '"../c.py" is outside the configuration'),
    ('step "python" "m" {\n  code = "/c.py:make"\n}', "3:10", '"/c.py" is outside the configuration'),
    (
        'step "python" "m" {\n  code = "git::https://x.org/y//c.py:make?ref=a"\n}',
        "3:10",
        'Code cannot be read from "https://x.org/y"',
    ),
    ('step "python" "m" {\n  code = "c.py:gone"\n}', "3:10", "c.py has no function gone"),
    (
        'step "python" "f" {\n  code = "c.py:fit"\n  params = { rate = 1 }\n}',
        "3:10",
        'The function fit (steps/fit.py:3:1) needs the input "train"',
    ),
    (
        'step "python" "f" {\n  code = "c.py:fit"\n  inputs = { train = datasource.csv.rows }\n}',
        "3:10",
        'The function fit (steps/fit.py:3:1) needs the parameter "rate"',
    ),
    (
        'step "python" "f" {\n  code = "c.py:fit"\n  inputs = { train = datasource.csv.rows }\n'
        "  params = { rate = 1, epoch = 3 }\n}",
        "5:24",
        'The function fit has no parameter "epoch"',
    ),
    (
        'step "python" "f" {\n  code = "c.py:fit"\n  inputs = { train = datasource.csv.rows }\n'
        '  params = { rate = 1, epochs = "3" }\n}',
        "5:33",
        '"params.epochs" must be a whole number, not the text "3"',
    ),
    (
        'step "python" "f" {\n  code = "c.py:fit"\n'
        "  inputs = { train = datasource.csv.rows, trian = datasource.csv.rows }\n"
        "  params = { rate = 1 }\n}",
        "4:43",
        'The function fit has no input "trian"',
    ),
    (
        'step "python" "f" {\n  code = "c.py:fit"\n  inputs = { train = datasource.csv.rows }\n'
        '  params = { rate = 1 }\n  outputs = { model = "Dataset" }\n}',
        "6:15",
        'Output "model" is a Model in the function, a Dataset here',
    ),
    (
        'step "python" "f" {\n  code = "c.py:fit"\n  inputs = { train = datasource.csv.rows }\n'
        '  params = { rate = 1 }\n  outputs = { modl = "Model" }\n}',
        "6:15",
        'The function fit has no parameter "modl" to write this output to',
    ),
    ('endpoint "local" "e" { model = datasource.csv.rows }', "2:32", '"model" must be a Model, datasource.csv.rows'),
    (
        'step "split" "s" {\n  inputs = { data = datasource.csv.rows }\n  ratio = { a = 1, b = 1 }\n}\n'
        'output "o" { value = step.split.s }',
        "6:22",
        'Output "o" is step.split.s, which has several outputs',
    ),
]


@pytest.mark.parametrize(("text", "place", "summary"), BAD)
def test_mistakes_are_one_diagnostic_each(world: Make, text: str, place: str, summary: str) -> None:
    [found] = world('datasource "csv" "rows" { path = "rows.csv" }\n' + text).problems()
    assert found.summary.startswith(summary)
    assert str(found.range) == f"main.zen.hcl:{place}"
    assert found.address is not None


def test_a_typo_in_an_output_name_is_guessed(world: Make) -> None:
    text = BASE.replace("step.split.parts.train,", "step.split.parts.trian,")
    [found] = world(text).problems()
    assert "trian" in f"{found.summary}{found.detail}"
    assert '"train"' in found.detail
    assert str(found.range).startswith("main.zen.hcl:11:")


def test_a_mistake_is_not_repeated_by_what_follows_from_it(world: Make) -> None:
    text = BASE.replace('label   = "y"', "label   = 3").replace("var.epochs * 2", "var.epoch * 2")
    found = world(text + 'step "trian" "x" {}\noutput "x" { value = step.trian.x.model }').problems()
    assert [d.code for d in found] == ["undeclared_variable", "wrong_type", "unknown_step_type"] or len(found) == 3
    assert {d.code for d in found} == {"undeclared_variable", "wrong_type", "unknown_step_type"}


def test_outputs_that_cannot_be_known_are_refused(world: Make) -> None:
    text = BASE.replace("ratio  = { train = 0.8, eval = 0.2 }", "ratio  = step.python.n.value")
    text += 'step "python" "n" {\n  code = "c.py:count"\n  inputs = { data = datasource.csv.rows }\n}\n'
    [found] = world(text).problems()
    assert found.code == "unknown_outputs"
    assert found.address == "step.split.parts"


def test_nodes_can_be_asked_for_in_any_order(world: Make) -> None:
    made = world(BASE)
    served = made.node(EndpointAddr("local", "net"))
    assert isinstance(served, DesiredEndpoint)
    assert served.model.type == "Model"


def test_loops_do_not_hang(world: Make) -> None:
    text = 'step "train" "a" {\n  inputs = { train = step.train.b.model }\n  label = "x"\n}\n'
    made = world(text + text.replace('"a"', '"c"').replace("train.b.", "train.a.").replace('"c"', '"b"'))
    made.evaluator.node(StepAddr("train", "a"), {})


def test_a_thousand_steps_take_well_under_half_a_second(world: Make) -> None:
    text = 'variable "epochs" { default = 3 }\nlocals { e = var.epochs * 2 }\ndatasource "csv" "rows" { path = "r" }\n'
    text += 'step "python" "s0" {\n  code = "c.py:make"\n}\n'
    for i in range(1, 1000):
        text += (
            f'step "python" "s{i}" {{\n  code   = "c.py:fit"\n  inputs = {{ train = step.python.s{i - 1}.data }}\n'
            f'  params = {{ rate = 0.5, epochs = local.e, free = "n-${{var.epochs}}" }}\n}}\n'
        ).replace("c.py:fit", "c.py:make")
    made = world(text)
    assert made.loaded == []
    began = time.process_time()
    for addr in order(made.configuration)[0]:
        assert made.evaluator.node(addr, {})[1] == []
    assert time.process_time() - began < 0.5


def test_what_no_node_uses_is_checked_too(world: Make) -> None:
    made = world(
        'locals {\n  a = 1 + "b"\n  c = local.a\n}\nbackend "local" "b" { size = 3 }\nbackend "local" "c" {}\n'
        'provider "local" { region = 3 }'
    )
    assert [d.code for d in made.loaded] == ["unknown_attribute", "unknown_attribute"]
    [found] = made.evaluator.check()
    assert str(found.range).startswith("main.zen.hcl:2:")


def test_an_error_in_a_local_is_told_in_equal_words(world: Make) -> None:
    text = BASE.replace("var.epochs * 2", 'var.epochs * "x"')
    text += (
        'step "train" "b" {\n  inputs = { train = datasource.csv.rows }\n  label = "y"\n  epochs = local.rounds\n}\n'
    )
    assert len(set(world(text).problems())) == 1


def test_a_step_without_outputs_cannot_be_referred_to(world: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SIGNATURES, "tell", Signature({}, {}, False, {}, PLACE))
    text = 'step "python" "t" {\n  code = "c.py:tell"\n}\n'
    assert world(text).problems() == []
    text += 'step "train" "n" {\n  inputs = { train = step.python.t }\n  label = "y"\n}\n'
    [found] = world(text).problems()
    assert found.summary == '"inputs.train" is step.python.t, which has no output'


def test_outputs_can_be_chosen_by_a_computed_key(world: Make) -> None:
    made = world(
        BASE + 'step "train" "k" {\n  inputs = { for k in ["train", "eval"] : k => step.split.parts[k] }\n'
        '  label = "y"\n}'
    )
    assert made.problems() == []
    assert {n: ref.output for n, ref in made.step("train", "k").inputs.items()} == {"train": "train", "eval": "eval"}
