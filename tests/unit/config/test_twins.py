"""The twin of a configuration file: what it says, what it cannot say, and how it takes the file's place."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from zenctl.config import twins
from zenctl.config.jsonschema import configuration_schema
from zenctl.config.loader import load_files
from zenctl.config.twins import Twin, twin, twin_name
from zenctl.diagnostics import DiagnosticError
from zenctl.lang import evaluate
from zenctl.provider.registry import Registry, discover

ROOT = Path(__file__).parents[3]
FILES = sorted(
    path
    for folder in ("examples", "tests/golden")
    for path in (ROOT / folder).rglob("*.zen.hcl")
    if ".zenctl" not in path.parts and "configuration-broken" not in path.parts
)


@pytest.fixture(scope="module")
def installed() -> Registry:
    return discover()


def test_names() -> None:
    assert twin_name("a.b.zen.hcl") == "a.b.zen.yaml"
    assert twin_name("modules/x.zen.yaml") == twin_name("modules/x.zen.yml") == "modules/x.zen.hcl"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_configuration_has_a_twin(path: Path, installed: Registry) -> None:
    text = path.read_text(encoding="utf-8")
    there = twin(path.name, text, installed)
    assert there.diagnostics == ()
    back = twin(there.name, there.text, installed)
    assert back.diagnostics == ()
    assert back.name == path.name
    assert twin(back.name, back.text, installed).text == there.text
    if "examples" in path.parts:  # they are laid out as everything is that is written
        assert back.text == text


EXAMPLES = [path for path in FILES if "examples" in path.parts and "custom-provider" not in path.parts]
"""But for one whose provider is not installed here: tests/e2e/test_custom_provider.py installs and runs it."""


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.parent.name)
def test_the_twins_of_examples_fit_the_schema(path: Path, installed: Registry) -> None:
    made = twin(path.name, path.read_text(encoding="utf-8"), installed)
    document = evaluate_nothing(made.text)
    schema = jsonschema.Draft202012Validator(configuration_schema(installed))
    schema.validate(document)
    # It would refuse a key that nobody knows at the top, in a block and in what is nested there.
    for broken in with_unknown_key(document):
        assert not schema.is_valid(broken), broken


def with_unknown_key(document: Any) -> Iterator[Any]:
    """The document with a key more: at its top, and in each block with two labels."""
    yield {**document, "unheard_of": 1}
    for kind in {"datasource", "step", "endpoint", "backend"} & document.keys():
        for type_, blocks in document[kind].items():
            for name in blocks:
                broken = copy.deepcopy(document)
                broken[kind][type_][name]["unheard_of"] = 1
                yield broken


def evaluate_nothing(text: str) -> Any:
    """A YAML file as plain data, expressions as the texts they are written as."""
    return evaluate(text.replace("${", "$${").replace("%{", "%%{"), syntax="yaml").value


NESTED = """\
# top
step "train" "fit" {
  inputs = { train = datasource.csv.a }
  label  = "y"

  # by column
  rules "x" { # the first
    method = "z_score"
  }
  rules "other" { method = "min_max" }

  # when to end
  stop {
    method = "z_score" # of the loss
    limit  = 1
  }
  lifecycle {
    prevent_destroy = true
  }
}
datasource "csv" "a" {
  path = "a"
}
"""


def test_blocks_of_a_type_become_attributes(registry: Registry, tmp_path: Path) -> None:
    made = twin("a.zen.hcl", NESTED, registry)
    assert made == Twin("a.zen.hcl", "a.zen.yaml", made.text)
    assert (
        made.text
        == """\
step:
  train:
    # top
    fit:
      inputs: {train: "${datasource.csv.a}"}
      label: "y"

      # by column
      rules:
        x:
          # the first
          method: z_score
        other: {method: min_max}

      # when to end
      stop:
        method: z_score  # of the loss
        limit: 1
      lifecycle:
        prevent_destroy: true

datasource:
  csv:
    a:
      path: a
"""
    )
    for name, text in (("a.zen.hcl", NESTED), (made.name, made.text)):
        loaded = load_files({name: text}, tmp_path, registry)
        assert loaded.diagnostics == ()


ATTRIBUTES_ONLY = "YAML has attributes only here"
DYNAMIC = """\
step "train" "fit" {
  inputs = { train = datasource.csv.a }
  label  = "y"

  dynamic "rules" {
    for_each = { x = "z_score", z = "min_max" }
    labels   = [rules.key]

    content {
      method = rules.value
    }
  }
}

datasource "csv" "a" {
  path = "a"
}

check "rows" {
  assert {
    condition     = datasource.csv.a.digest != ""
    error_message = "There are none in ${datasource.csv.a.digest}."
  }
}

moved {
  from = step.train.old
  to   = step.train.fit
}
"""


def test_dynamic_blocks_and_all_others_stay_blocks(registry: Registry, tmp_path: Path) -> None:
    made = twin("a.zen.hcl", DYNAMIC, registry)
    assert made.diagnostics == ()
    assert twin(made.name, made.text, registry).text == DYNAMIC
    for name, text in (("a.zen.hcl", DYNAMIC), (made.name, made.text)):
        assert load_files({name: text}, tmp_path, registry).diagnostics == ()


REFUSED = [
    (
        'step "train" "a" {\n  dynamic "rules" {}\n  rules "x" {}\n}\n',
        '"rules" is made by a dynamic block as well',
        "Write it in one way only.",
    ),
    ('step "train" {}\n', "This step block cannot be written in YAML", "It must have 2 labels, but has 1."),
    ('stpe "a" "b" {}\n', 'There is no block "stpe" in YAML', "`zenctl validate` says which there are."),
    ('step "train" "a" {\n  rulez {}\n}\n', 'The block "rulez" cannot be written in YAML', ATTRIBUTES_ONLY),
    ('step "nope" "a" {\n  rules "x" {}\n}\n', 'The block "rules" cannot be written in YAML', ATTRIBUTES_ONLY),
    ('step "train" "a" {\n  rules {}\n}\n', 'The block "rules" cannot be written in YAML', "It must have 1 label"),
    ('step "train" "a" {\n  stop {}\n  stop {}\n}\n', '"stop" is given twice', "Remove one"),
    ('step "train" "a" {\n  rules "x" {}\n  rules "x" {}\n}\n', 'Two blocks "rules" have the same label', "Remove or"),
    ('step "train" "a" {\n  stop = {}\n  stop {}\n}\n', '"stop" is an attribute and a block here', "Remove one"),
    ('zenctl {\n  metadata {}\n}\n', "This metadata block cannot be written in YAML", "It must have 1 label"),
    ('output "$${a}" {}\n', "This output block cannot be written in YAML", "Names are plain texts in YAML"),
    ("locals {\n", "Unclosed block", "There is no closing brace"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "summary", "detail"), REFUSED)
def test_what_yaml_cannot_say(registry: Registry, text: str, summary: str, detail: str) -> None:
    made = twin("a.zen.hcl", text, registry)
    assert made.text == ""
    assert [d.summary for d in made.diagnostics] == [summary]
    assert made.diagnostics[0].detail.startswith(detail)
    assert made.diagnostics[0].range is not None


def test_what_hcl_cannot_say(registry: Registry) -> None:
    made = twin("a.zen.yaml", "locals: {a b: 1, ok: {a b: 2}}\nstep: {train: {x y: {c d: 1}}}\n", registry)
    assert [(d.code, d.summary) for d in made.diagnostics] == [
        ("cannot_convert", '"a b" cannot be written in HCL'),
        ("cannot_convert", '"c d" cannot be written in HCL'),
    ]


def test_what_nests_too_deeply_for_yaml(registry: Registry) -> None:
    text = f'step "train" "a" {{\n  extra = {"[" * 98}{"]" * 98}\n}}\n'
    [problem] = twin("a.zen.hcl", text, registry).diagnostics
    assert problem.summary == "a.zen.hcl cannot be written as a.zen.yaml: Nested too deeply"


def write(root: Path, **texts: str) -> None:
    for name, text in texts.items():
        (root / name.replace("_", ".", 2).replace("_", "/")).write_text(text)


def test_which_files_are_converted(tmp_path: Path) -> None:
    with pytest.raises(DiagnosticError, match="There is no zenctl configuration in this folder"):
        twins.sources(tmp_path, [], None)
    write(tmp_path, a_zen_hcl="locals {}\n", b_zen_hcl="")
    assert list(twins.sources(tmp_path, [], None)) == ["a.zen.hcl", "b.zen.hcl"]
    assert list(twins.sources(tmp_path, ["b.zen.hcl"], None)) == ["b.zen.hcl"]
    assert twins.sources(tmp_path, [], "hcl") == {}
    write(tmp_path, c_zen_yaml="")
    assert list(twins.sources(tmp_path, [], "yaml")) == ["a.zen.hcl", "b.zen.hcl"]
    assert list(twins.sources(tmp_path, [], "hcl")) == ["c.zen.yaml"]
    assert list(twins.sources(tmp_path, ["c.zen.yaml", "a.zen.hcl"], None)) == ["c.zen.yaml", "a.zen.hcl"]
    with pytest.raises(DiagnosticError, match="There are files of both syntaxes here"):
        twins.sources(tmp_path, [], None)
    with pytest.raises(DiagnosticError, match=r"a\.zen\.hcl is HCL already"):
        twins.sources(tmp_path, ["a.zen.hcl"], "hcl")
    with pytest.raises(DiagnosticError, match=r"main\.tf is no configuration file"):
        twins.sources(tmp_path, ["main.tf"], None)
    with pytest.raises(DiagnosticError, match=r"d\.zen\.hcl cannot be read: No such file"):
        twins.sources(tmp_path, ["d.zen.hcl"], None)
    write(tmp_path, c_zen_yml="")
    with pytest.raises(DiagnosticError, match=r"c\.zen\.yaml and c\.zen\.yml would both become c\.zen\.hcl"):
        twins.sources(tmp_path, [], "hcl")


def test_a_twin_takes_the_place_of_its_file(tmp_path: Path, registry: Registry) -> None:
    write(tmp_path, a_zen_hcl="locals {\n  x = 1\n}\n", b_zen_hcl="locals {\n  y = 1\n}\n")
    texts = twins.sources(tmp_path, [], None)
    made = [twin(name, text, registry) for name, text in texts.items()]
    twins.write(tmp_path, made, texts, replace=False)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.zen.hcl", "a.zen.yaml", "b.zen.hcl", "b.zen.yaml"]
    write(tmp_path, b_zen_hcl="locals {\n  y = 2\n}\n")
    with pytest.raises(DiagnosticError, match=r"b\.zen\.hcl was changed meanwhile"):
        twins.write(tmp_path, made, texts, replace=True)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.zen.yaml", "b.zen.hcl", "b.zen.yaml"]
    assert (tmp_path / "a.zen.yaml").read_text() == "locals:\n  x: 1\n"


def test_a_folder_that_cannot_be_written(tmp_path: Path, registry: Registry) -> None:
    made = [twin("none/a.zen.hcl", "locals {}\n", registry)]
    with pytest.raises(DiagnosticError, match="cannot be written: No such file"):
        twins.write(tmp_path, made, {"none/a.zen.hcl": "locals {}\n"}, replace=True)


def test_json_is_yaml(registry: Registry) -> None:
    document = {"step": {"train": {"fit": {"label": "y", "inputs": {"train": "${datasource.csv.a}"}, "rate": 1e-3}}}}
    assert twin("a.zen.yaml", json.dumps(document), registry).text == (
        'step "train" "fit" {\n  label  = "y"\n  inputs = { train = datasource.csv.a }\n  rate   = 0.001\n}\n'
    )
