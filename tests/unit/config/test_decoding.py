"""Decoding: what a block says becomes its model; what does not fit is told in plain words at its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import field_validator, model_validator

from zenctl.addrs import StepAddr
from zenctl.config.capsules import artifact_capsule, node_capsule
from zenctl.config.decoding import Decoded, decode
from zenctl.diagnostics import Diagnostic
from zenctl.lang.evaluate import Scope
from zenctl.lang.model import EPHEMERAL
from zenctl.lang.parser import parse_config
from zenctl.lang.values import Sensitive, from_python
from zenctl.schema import ArtifactRef, BlockModel, Unknown, attribute


class Rule(BlockModel):
    method: Literal["z_score", "min_max"] = attribute("How.")
    limit: float | None = attribute("Bound.", default=None, gt=0)


class Model(BlockModel):
    name: str = attribute("A name.", min_length=2)
    epochs: int = attribute("Rounds.", default=5, ge=1)
    rate: float = attribute("Step size.", default=0.5)
    on: bool = attribute("A flag.", default=False)
    layers: list[int] = attribute("Units.", default=[8])
    pair: tuple[int, str] | None = attribute("Two.", default=None)
    rules: dict[str, Rule] = attribute("By column.", default={})
    stop: Rule | None = attribute("When to end.", default=None)
    steps: list[Rule] = attribute("In order.", default=[])
    fill: float | str | None = attribute("Either.", default=None)
    path: Path | None = attribute("A path.", default=None)
    data: ArtifactRef | None = attribute("An artifact.", default=None)
    inputs: dict[str, ArtifactRef] = attribute("Artifacts.", default={})
    extra: dict[str, Any] = attribute("Anything.", default={})


REF = ArtifactRef(StepAddr("split", "x"), "train", "Dataset")
RESULT = ArtifactRef(StepAddr("python", "n"), "result", "Artifact", "d", None, {"value": 7})
SEVERAL = node_capsule(StepAddr("split", "x"), {"train": REF, "eval": ArtifactRef(REF.address, "eval", "Dataset")})
SCOPE = Scope(
    {
        "unknown": from_python(Unknown()),
        "text": from_python(Unknown("string")),
        "secret": from_python(Sensitive("hunter2")),
        "ref": from_python(artifact_capsule(REF)),
        "several": from_python(SEVERAL),
        "result": from_python(artifact_capsule(RESULT)),
    }
)


def read(text: str) -> tuple[Decoded, list[Diagnostic]]:
    body, problems = parse_config(text, "m.hcl")
    assert problems == []
    return decode(Model, body, SCOPE, what="step")


def test_values_keep_their_types() -> None:
    decoded, diagnostics = read("""
name   = "fit"
epochs = 3
rate   = 1
on     = true
layers = [1, 2]
pair   = [1, "a"]
rules  = { x = { method = "z_score" } }
fill   = "mean"
path   = "a/b"
data   = ref
inputs = { train = ref, eval = null }
extra  = { a = [1, { b = null }], n = result }
""")
    assert diagnostics == []
    model = decoded.model
    assert isinstance(model, Model)
    assert (model.epochs, model.rate, model.on, model.layers, model.pair) == (3, 1.0, True, [1, 2], (1, "a"))
    assert model.rules["x"].method == "z_score"
    assert (model.fill, model.path, model.data) == ("mean", Path("a/b"), REF)
    assert model.inputs == {"train": REF}, "a null input is one that is not given"
    assert model.extra == {"a": [1, {"b": None}], "n": 7}, "a returned value stands for itself"


def test_nested_blocks_and_attributes_mean_the_same() -> None:
    blocks, problems = read("""
name = "fit"
stop { method = "min_max" }
steps { method = "min_max" }
steps { method = "z_score" }
rules "x" { method = "z_score" }
""")
    attributes, more = read("""
name  = "fit"
stop  = { method = "min_max" }
steps = [{ method = "min_max" }, { method = "z_score" }]
rules = { x = { method = "z_score" } }
""")
    assert problems == more == []
    assert blocks.model is not None
    assert blocks.model == attributes.model


def test_null_is_not_given() -> None:
    decoded, diagnostics = read('name = "fit"\nepochs = null')
    assert diagnostics == []
    assert isinstance(decoded.model, Model)
    assert decoded.model.epochs == 5


WRONG: list[tuple[str, str, str]] = [
    ('epochs = "many"', "2:10", '"epochs" must be a whole number, not the text "many"'),
    ('epochs = "7"', "2:10", '"epochs" must be a whole number, not the text "7"'),
    ("epochs = 2.5", "2:10", '"epochs" must be a whole number, not the number 2.5'),
    ("epochs = true", "2:10", '"epochs" must be a whole number, not true'),
    ("epochs = 0", "2:10", '"epochs" must be greater than or equal to 1'),
    ("rate = []", "2:8", '"rate" must be a number, not a list'),
    ("on = 1", "2:6", '"on" must be true or false, not the number 1'),
    ("layers = 3", "2:10", '"layers" must be a list, not the number 3'),
    ('layers = [1, "b"]', "2:14", '"layers[1]" must be a whole number, not the text "b"'),
    ("pair = [1]", "2:8", '"pair" '),
    ('rules = { x = { method = "zscore" } }', "2:26", '"rules.x.method" must be one of z_score, min_max'),
    ('rules = { "a b" = {} }', "2:19", '"rules["a b"]" has no "method"'),
    ('stop = { method = "min_max", limit = -1 }', "2:38", '"stop.limit" must be greater than 0'),
    ('stop = { method = "min_max", limti = 1 }', "2:30", '"stop.limti" is no attribute here'),
    ("stop {}", "2:1", '"stop" has no "method"'),
    ("fill = []", "2:8", '"fill" must be a number or a text, not a list'),
    ("data = 3", "2:8", '"data" must be an artifact, such as step.TYPE.NAME.OUTPUT, not the number 3'),
    ("data = several", "2:8", '"data" is step.split.x, which has several outputs'),
    ("inputs = { a = several }", "2:16", '"inputs.a" is step.split.x, which has several outputs'),
    ("extra = { a = ref }", "2:15", '"extra.a" is step.split.x.train, an artifact of type Dataset'),
    ("extra = { a = [several] }", "2:16", '"extra.a[0]" is step.split.x, which is no plain value'),
    ("epochs = text", "2:10", '"epochs" must be a whole number, not a string'),
    ("epochz = 1", "2:1", 'Step has no attribute "epochz"'),
    ('stop {\n  method = "z_score"\n}\nstop {\n  method = "z_score"\n}', "5:1", '"stop" of step is given twice'),
    ("epochs { }", "2:1", '"epochs" of step is an attribute'),
    ('rules { method = "z_score" }', "2:1", "This rules block needs a name"),
]


@pytest.mark.parametrize(("text", "place", "summary"), WRONG)
def test_what_does_not_fit_is_told_in_plain_words(text: str, place: str, summary: str) -> None:
    decoded, [found] = read(f'name = "fit"\n{text}')
    assert decoded.model is None
    assert found.summary.startswith(summary)
    assert str(found.range) == f"m.hcl:{place}"
    assert "pydantic" not in f"{found.summary}{found.detail}".lower()


def test_hints() -> None:
    assert read('name = "fit"\nepochs = "7"')[1][0].detail == "Write 7 without quotes."
    assert 'Did you mean "epochs"?' in read('name = "fit"\nepochz = 7')[1][0].detail
    assert "Choose one of them: train, eval." in read('name = "fit"\ndata = several')[1][0].detail
    assert "passed in `inputs`" in read('name = "fit"\nextra = { a = ref }')[1][0].detail
    assert 'Did you mean "z_score"?' in read('name = "fit"\nstop = { method = "zscore" }')[1][0].detail


def test_a_missing_attribute_has_no_place_of_its_own() -> None:
    decoded, [found] = read("epochs = 3")
    assert decoded.model is None
    assert (found.code, found.range, found.detail) == ("missing_attribute", None, "name: A name.")


def test_all_problems_at_once_and_the_rest_is_kept() -> None:
    decoded, diagnostics = read('name = "fit"\nepochs = "x"\non = 3\nrate = 2\nbogus = 1')
    assert len(diagnostics) == 3
    assert decoded.data == {"name": "fit", "epochs": Unknown(), "on": Unknown(), "rate": 2}


def test_what_is_not_known_yet_leaves_the_model_open() -> None:
    for text in ("epochs = unknown", "layers = [1, unknown]", "layers = unknown", "stop = unknown"):
        decoded, diagnostics = read(f'name = "fit"\n{text}')
        assert (decoded.model, diagnostics) == (None, [])
    decoded, diagnostics = read('name = "fit"\nextra = { a = unknown }')
    assert diagnostics == []
    assert isinstance(decoded.model, Model)
    assert decoded.model.extra == {"a": Unknown()}


def test_secret_places_are_noted() -> None:
    decoded, diagnostics = read('name = "x${secret}"\nextra = { a = [1, secret], b = { c = secret } }')
    assert diagnostics == []
    assert set(decoded.sensitive) == {("name",), ("extra", "a", 1), ("extra", "b", "c")}
    assert decoded.data["extra"] == {"a": [1, "hunter2"], "b": {"c": "hunter2"}}


def test_the_location_of_an_artifact_is_noted() -> None:
    decoded, _ = read('name = "at ${ref.uri}"\nextra = { a = upper(ref.uri), b = ref.digest }')
    assert set(decoded.located) == {("name",), ("extra", "a")}


def test_a_secret_that_does_not_fit_is_not_told() -> None:
    for text, summary in (
        ("epochs = secret", '"epochs" must be a whole number, not a sensitive value'),
        ("layers = [1, secret]", '"layers[1]" must be a whole number, not a sensitive value'),
        ('stop = { method = "x${secret}" }', '"stop.method" must be one of z_score, min_max, not a sensitive value'),
    ):
        [found] = read(f'name = "fit"\n{text}')[1]
        assert (found.summary, found.detail) == (summary, "")
        assert "hunter2" not in f"{found}{found.values}"


def test_a_model_s_own_complaint_of_a_secret_is_not_told() -> None:
    class Picky(BlockModel):
        key: str = attribute("A key.")
        other: str = attribute("Another.", default="")

        @field_validator("key", "other")
        @classmethod
        def _refused(cls, value: str) -> str:
            raise ValueError(f"{value} will not do")

    body, _ = parse_config('key = secret\nother = "plain"', "m.hcl")
    found = decode(Picky, body, SCOPE)[1]
    assert [d.summary for d in found] == [
        '"key" is not allowed; why is not told, as it holds a sensitive value',
        "plain will not do",
    ]


def test_the_values_involved_are_told() -> None:
    scope = SCOPE.with_names({"var": from_python({"n": -1, "rows": [{"at": 3}], "key": Sensitive("k")})})
    body, _ = parse_config(
        'name = "xy"\nepochs = var.n + 0\nlayers = [1, var.rows[0].at, "x${var.key}"]\nstop { limit = var.n * 2 }', "m"
    )
    found = {d.summary.split('"')[1]: d.values for d in decode(Model, body, scope)[1]}
    assert found == {"stop": (), "layers[2]": (("var.key", "is (sensitive value)"),)}
    body, _ = parse_config('name = "xy"\nepochs = var.n + 0', "m.hcl")
    [low] = decode(Model, body, scope)[1]
    assert (low.summary, low.values) == ('"epochs" must be greater than or equal to 1', (("var.n", "is -1"),))


def test_an_ephemeral_value_is_refused_where_it_would_be_written_down() -> None:
    scope = SCOPE.with_names({"brief": from_python("t").with_marks(frozenset({EPHEMERAL}))})
    body, _ = parse_config('name = "x${brief}"\nextra = { a = [1, brief] }\nstop { method = brief }', "m.hcl")
    decoded, found = decode(Model, body, scope)
    assert [(d.code, str(d.range)) for d in found] == [
        ("ephemeral_value", "m.hcl:1:8"),
        ("ephemeral_value", "m.hcl:2:19"),
        ("ephemeral_value", "m.hcl:3:17"),
    ]
    assert found[1].summary == 'An ephemeral value is given to "extra.a[1]"'
    assert decoded.data == {"name": Unknown(), "extra": Unknown(), "stop": Unknown()}
    body, _ = parse_config('name = "x${brief}"', "m.hcl")
    decoded, found = decode(Model, body, scope, stored=False)
    assert (decoded.data, found) == ({"name": "xt"}, [])


class Login(BlockModel):
    user: str = attribute("Who.")
    password: int = attribute("A secret.", sensitive=True)


class Logins(BlockModel):
    token: str | None = attribute("A secret.", default=None, sensitive=True)
    one: Login | None = attribute("A login.", default=None)
    several: list[Login] = attribute("Logins.", default=[])
    by: dict[str, Login] = attribute("Logins by name.", default={})


def test_attributes_that_are_declared_sensitive_are_secret_whatever_they_are_given() -> None:
    text = """
token = "t"
one {
  user     = "a"
  password = 1
}
several = [{ user = "b", password = 2 }]
by "x" {
  user     = "c"
  password = 3
}
"""
    body, _ = parse_config(text, "f")
    decoded, diagnostics = decode(Logins, body, Scope({}))
    assert diagnostics == []
    assert set(decoded.sensitive) == {
        ("token",),
        ("one", "password"),
        ("several", 0, "password"),
        ("by", "x", "password"),
    }


def test_a_wrong_value_of_a_sensitive_attribute_is_not_shown() -> None:
    body, _ = parse_config('one = { user = 1, password = "hunter2" }', "f")
    _, diagnostics = decode(Logins, body, Scope({}))
    assert len(diagnostics) == 2
    assert not any("hunter2" in str(d) for d in diagnostics)


class Shares(BlockModel):
    ratio: dict[str, float] = attribute("Shares.")

    @model_validator(mode="after")
    def _whole(self) -> Shares:
        if sum(self.ratio.values()) != 1:
            raise ValueError("ratio: the shares must add up to 1")
        return self


def test_what_a_model_says_of_an_attribute_stands_there() -> None:
    body, _ = parse_config("ratio = { a = 1, b = 1 }", "m.hcl")
    [problem] = decode(Shares, body, Scope({}))[1]
    assert (str(problem.range), problem.summary) == ("m.hcl:1:9", "This block: ratio: the shares must add up to 1")
