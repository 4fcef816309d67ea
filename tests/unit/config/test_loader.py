"""Loading: what a configuration is made of, and one clear diagnostic for everything that can be wrong with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from zenctl.addrs import BackendAddr, DatasourceAddr, EndpointAddr, StepAddr
from zenctl.config.loader import Loaded, load
from zenctl.provider.registry import Registry

Load = Callable[..., Loaded]
Show = Callable[..., list[str]]

GOOD = """
zenctl {
  required_version = ">= 0.1"
  project          = "penguins"
  metadata "sqlite" { path = "meta.db" }
  artifacts "local" { path = "store" }
  required_providers { local = "~> 1.4" }
  defaults { orchestrator = backend.local.here }
}
provider "local" { region = "there" }
backend "local" "here" { workers = 2 }
backend "direct" "beam" {}
variable "epochs" {
  type        = number
  default     = 5
  description = "Rounds."
  validation {
    condition     = var.epochs > 0
    error_message = "At least one."
  }
}
locals { rows = datasource.csv.penguins }
datasource "csv" "penguins" { path = "data.csv" }
step "split" "penguins" {
  inputs     = { data = local.rows }
  ratio      = { train = 0.8, eval = 0.2 }
  backend    = backend.local.here
  processing = backend.direct.beam
  timeout    = "30m"
  retries    = 2
  lifecycle { prevent_destroy = true }
}
step "train" "fit" {
  inputs     = { train = step.split.penguins.train }
  label      = "species"
  epochs     = var.epochs
  depends_on = [datasource.csv.penguins]
}
endpoint "local" "penguins" { model = step.train.fit.model }
output "accuracy" {
  value       = step.train.fit.metrics.accuracy
  description = "On eval."
}
"""


def test_reads_everything(load_text: Load) -> None:
    loaded = load_text(GOOD)
    assert loaded.diagnostics == ()
    made = loaded.configuration
    assert made is not None
    assert made.settings.project == "penguins"
    assert made.settings.metadata.type == "sqlite"
    assert made.settings.metadata.config == {"path": "meta.db"}
    assert made.settings.artifacts.config == {"path": "store"}
    assert made.store is not None
    assert (made.store.scheme, made.store_provider) == ("file", "local")
    assert made.settings.defaults == {"orchestrator": BackendAddr("local", "here")}
    assert made.settings.required_providers["local"].constraint == "~> 1.4"
    variable = made.variables["epochs"]
    assert (variable.type, variable.has_default, variable.default) == ("number", True, 5)
    assert len(variable.validations) == 1
    assert list(made.nodes) == [
        DatasourceAddr("csv", "penguins"),
        StepAddr("split", "penguins"),
        StepAddr("train", "fit"),
        EndpointAddr("local", "penguins"),
    ]
    split = made.nodes[StepAddr("split", "penguins")]
    assert set(split.body.attributes) == {"inputs", "ratio"}
    assert split.meta.lifecycle.prevent_destroy
    assert split.references == (DatasourceAddr("csv", "penguins"),), "through the local"
    fit = made.nodes[StepAddr("train", "fit")]
    assert fit.references == (DatasourceAddr("csv", "penguins"), StepAddr("split", "penguins"))
    assert made.outputs["accuracy"].description == "On eval."
    assert made.faulty == frozenset()


YAML = """
zenctl: {project: penguins}
variable: {epochs: {type: number, default: 5}}
datasource: {csv: {penguins: {path: data.csv}}}
step:
  split:
    penguins:
      inputs: {data: "${datasource.csv.penguins}"}
      ratio: {train: 0.8, eval: 0.2}
      lifecycle: {prevent_destroy: true}
  train:
    fit:
      inputs: {train: "${step.split.penguins.train}"}
      label: species
      epochs: ${var.epochs}
      depends_on: ["${datasource.csv.penguins}", step.split.penguins]
      backend: backend.local.here
backend: {local: {here: {}}}
"""


def test_yaml_means_the_same(load_text: Load) -> None:
    loaded = load_text(files={"a.zen.yaml": YAML, "b.zen.hcl": 'output "m" { value = step.train.fit.model.digest }'})
    assert loaded.diagnostics == ()
    made = loaded.configuration
    assert made is not None
    fit = made.nodes[StepAddr("train", "fit")]
    assert fit.references == (DatasourceAddr("csv", "penguins"), StepAddr("split", "penguins"))
    assert tuple(fit.meta.depends_on) == (DatasourceAddr("csv", "penguins"), StepAddr("split", "penguins"))
    assert made.nodes[StepAddr("split", "penguins")].meta.lifecycle.prevent_destroy
    assert made.variables["epochs"].type == "number"


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ('stpe "train" "x" {}', 'Did you mean "step"?'),
        ('step "trian" "x" {}', 'Did you mean "train"?'),
        ('datasource "csv" "x" {\n  path = "p"\n  delimeter = ";"\n}', 'Did you mean "delimiter"?'),
        ('datasource "csv" "x" {\n  path = "p"\n  dependson = []\n}', 'Did you mean "depends_on"?'),
        ('variable "epochs" {}\nlocals { a = var.epoch }', 'Did you mean "epochs"?'),
        (
            'datasource "csv" "penguins" { path = "" }\nlocals { a = datasource.csv.pinguins }',
            "datasource.csv.penguins",
        ),
        ("locals { a = vra.x }", 'Did you mean "var"?'),
        ('zenctl {\n  metadata "sqlit" {}\n}', 'Did you mean "sqlite"?'),
        (
            'backend "local" "here" {}\nzenctl {\n  defaults { orchestrator = backend.local.her }\n}',
            "backend.local.here",
        ),
        ('endpoint "locl" "x" {}', 'Did you mean "local"?'),
    ],
)
def test_typos_have_a_suggestion(load_text: Load, text: str, hint: str) -> None:
    [found] = load_text(text).diagnostics
    assert hint in found.detail


def test_both_places_of_a_duplicate_are_named(load_text: Load) -> None:
    files = {"a.zen.hcl": 'variable "x" {}', "b.zen.hcl": '\nvariable "x" {}'}
    [found] = load_text(files=files).diagnostics
    assert str(found.range) == "b.zen.hcl:2:1"
    assert "a.zen.hcl:1:1" in found.detail


def test_all_problems_come_at_once(load_text: Load, show: Show) -> None:
    text = """
stpe "a" "b" {}
step "trian" "x" {}
variable "x" { defualt = 1 }
output "o" { value = step.trian.x.model }
output "p" { value = step.train.gone.model }
"""
    assert [line.split(":")[0] + line.split(" ")[1] for line in show(load_text(text).diagnostics)] == [
        "2unknown_block:",
        "3unknown_step_type:",
        "4unknown_attribute:",
        "6undeclared_step:",
    ], "what refers to a block that is wrong itself is not reported again"


@pytest.mark.parametrize("wrong", ['datasource "cvs" "rows"', 'datasorce "csv" "rows"'])
def test_a_misspelt_block_is_reported_once(load_text: Load, show: Show, wrong: str) -> None:
    text = 'step "train" "x" {\n  inputs = { train = datasource.csv.rows }\n  label = "y"\n}\n' + wrong + " {}"
    assert len(load_text(text).diagnostics) == 1


def test_a_file_that_cannot_be_parsed_hides_no_other(load_text: Load) -> None:
    files = {"a.zen.hcl": 'variable "x" {', "b.zen.hcl": 'output "o" { value = var.x }\nbogus {}'}
    codes = [d.code for d in load_text(files=files).diagnostics]
    assert "unknown_block" in codes
    assert "undeclared_variable" not in codes


def test_the_project_is_named_after_the_folder(registry: Registry, tmp_path: Path) -> None:
    folder = tmp_path / "my pipeline!"
    folder.mkdir()
    (folder / "main.zen.hcl").write_text("")
    loaded = load(folder, registry)
    assert loaded.configuration is not None
    assert loaded.configuration.settings.project == "my-pipeline"
    assert loaded.configuration.store is not None, "the local store is the default"


def test_settings_of_several_files_are_one(load_text: Load) -> None:
    files = {"a.zen.hcl": 'zenctl { project = "p" }', "settings.zen.hcl": 'zenctl {\n  metadata "sqlite" {}\n}'}
    loaded = load_text(files=files)
    assert loaded.diagnostics == ()


def test_no_configuration_says_where_it_looked(registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text("")
    loaded = load(tmp_path, registry)
    assert loaded.configuration is None
    [found] = loaded.diagnostics
    assert found.code == "no_configuration"
    assert str(tmp_path) in found.detail
    assert "zenctl init" in found.detail
    [found] = load(tmp_path / "gone", registry).diagnostics
    assert "There is no folder" in found.summary


def test_a_file_that_is_not_utf8_has_its_place(registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "a.zen.hcl").write_bytes(b'variable "x" {}\n# caf\xe9\n')
    (tmp_path / "b.zen.hcl").write_bytes(b"bogus {}")
    loaded = load(tmp_path, registry)
    first, second = loaded.diagnostics
    assert (first.code, str(first.range)) == ("not_utf8", "a.zen.hcl:2:6")
    assert second.code == "unknown_block"


def test_a_folder_named_like_a_file_is_unreadable(registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "a.zen.hcl").mkdir()
    [found] = load(tmp_path, registry).diagnostics
    assert found.code == "unreadable_file"
    assert found.range is not None


def test_a_dangling_link_is_unreadable(registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "a.zen.hcl").symlink_to(tmp_path / "gone")
    (tmp_path / "b.zen.hcl").write_text("")
    [found] = load(tmp_path, registry).diagnostics
    assert found.code == "unreadable_file"


def test_the_texts_are_kept_for_the_plan(load_text: Load) -> None:
    loaded = load_text(files={"a.zen.hcl": "", "b.zen.yaml": "locals: {a: 1}"})
    assert loaded.sources == {"a.zen.hcl": "", "b.zen.yaml": "locals: {a: 1}"}
    configuration: Any = loaded.configuration
    assert configuration.files == loaded.sources


def test_a_provider_may_have_aliases(load_text: Load) -> None:
    loaded = load_text(
        'provider "local" {}\nprovider "local" { alias = "eu" }\n'
        'backend "local" "here" { provider = provider.local.eu }\nbackend "local" "there" {}\n'
        'datasource "csv" "d" { path = "p" }\n'
        'step "train" "t" {\n  inputs = { train = datasource.csv.d }\n  label = "y"\n}\n'
        'endpoint "local" "e" {\n  model = step.train.t.model\n  provider = provider.local.eu\n}'
    )
    assert loaded.diagnostics == ()
    made = loaded.configuration
    assert made is not None
    assert set(made.providers) == {"local", "local.eu"}
    assert [b.provider for b in made.backends.values()] == ["local.eu", "local"]
    assert made.nodes[EndpointAddr("local", "e")].provider == "local.eu"  # type: ignore[union-attr]
