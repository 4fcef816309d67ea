"""Evaluation: what is said of mistakes, each once and at its place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.engine.worlds import BASE, PLACE, SIGNATURES, World
from zenctl.addrs import EndpointAddr, StepAddr
from zenctl.config.graph import order
from zenctl.engine.desired import DesiredEndpoint, DesiredStep
from zenctl.fingerprint.signature import Signature
from zenctl.schema import ArtifactRef

Make = Callable[..., World]


@pytest.fixture
def world(tmp_path: Path) -> Make:
    return lambda text, **given: World(text, tmp_path, **given)


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
        'step "python" "m" {\n  code = "git::https://x.org/y//c.py:make"\n}',
        "3:10",
        '"git::https://x.org/y//c.py:make" does not name a function',
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
    """A loop is told when blocks are put in order; to evaluate a step of it gives what it needs, with nothing known."""
    text = 'step "train" "a" {\n  inputs = { train = step.train.b.model }\n  label = "x"\n}\n'
    made = world(text + text.replace('"a"', '"c"').replace("train.b.", "train.a.").replace('"c"', '"b"'))
    desired, found = made.evaluator.node(StepAddr("train", "a"), {})
    assert isinstance(desired, DesiredStep)
    used = desired.inputs["train"]
    assert isinstance(used, ArtifactRef)
    assert (used.address, used.output, used.digest) == (StepAddr("train", "b"), "model", None)
    assert [problem.code for problem in found] == ["wrong_input_type"]
    [loop] = order(made.configuration)[1]
    assert loop.code == "cycle"
    assert "step.train.a" in loop.summary + loop.detail
    assert "step.train.b" in loop.summary + loop.detail


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


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("each.val", ["invalid_reference"]),
        ("zenctl.projekt", ["undeclared_reference"]),
        ("path.modul", ["undeclared_reference"]),
    ],
)
def test_a_name_that_is_not_there_is_told_once(tmp_path: Path, value: str, expected: list[str]) -> None:
    text = f'step "python" "x" {{\n  for_each = {{ a = 1 }}\n  code = "s.py:make"\n  params = {{ n = {value} }}\n}}'
    assert [d.code for d in World(text, tmp_path).problems()] == expected


def test_self_in_a_precondition_is_told_once(tmp_path: Path) -> None:
    condition = '    condition = self.result.value > 1\n    error_message = "no"\n'
    text = f'step "python" "x" {{\n  code = "s.py:make"\n  lifecycle {{\n  precondition {{\n{condition}  }}\n  }}\n}}'
    assert [d.code for d in World(text, tmp_path).problems()] == ["invalid_reference"]


def test_a_block_with_instances_taken_for_one_says_how_to_name_one(tmp_path: Path) -> None:
    text = """
step "python" "many" {
  for_each = { a = 1 }
  code     = "s.py:make"
}
step "python" "counted" {
  count = 1
  code  = "s.py:make"
}
module "m" {
  source   = "./m"
  for_each = { a = 1 }
}
output "many" { value = step.python.many.digest }
output "counted" { value = step.python.counted.digest }
output "module" { value = module.m.o }
"""
    found = World(text, tmp_path, {"m/main.zen.hcl": 'output "o" { value = 1 }'}).problems()
    assert [d.code for d in found] == ["unknown_attribute"] * 3
    for problem, name in zip(
        found, ('step.python.many["KEY"]', "step.python.counted[0]", 'module.m["KEY"]'), strict=True
    ):
        assert f"refer to one of them as {name}." in problem.detail


def test_an_argument_in_a_damaged_file_is_not_missed(tmp_path: Path) -> None:
    text = 'module "m" {\n  source = "./m"\n  v = 1}\n'
    found = World(text, tmp_path, {"m/main.zen.hcl": 'variable "v" {}'}).problems()
    assert len(found) == 1


@pytest.mark.parametrize(
    "text",
    [
        'step "python" "p" {\n  code = "s.py:fit"\n  inputs = { train = datasource.csv. }\n}',
        'step "split" "s" {\n  inputs = { data = }\n  ratio = { a = 1 }\n}',
        'step "split" "s" {\n  inputs = { data = datasource.csv.rows }\n  ratio = { a = 1, }}\n}\n'
        'output "o" { value = step.split.s.a.digest }',
        'step "split" "s" {\n  inputs = { data = datasource.csv.rows }\n  ration = { a = 1 }\n}\n'
        'output "o" { value = step.split.s.a.digest }',
    ],
)
def test_nothing_is_missed_that_could_not_be_read_or_is_misspelt(world: Make, text: str) -> None:
    assert len(world(f'datasource "csv" "rows" {{ path = "rows.csv" }}\n{text}').problems()) == 1
