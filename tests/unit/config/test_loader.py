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
    assert made.settings.required_providers == {"local": "~> 1.4"}
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
    assert fit.meta.depends_on == (DatasourceAddr("csv", "penguins"), StepAddr("split", "penguins"))
    assert made.nodes[StepAddr("split", "penguins")].meta.lifecycle.prevent_destroy
    assert made.variables["epochs"].type == "number"


BAD: list[tuple[str, str, str]] = [
    ("unknown block", 'stpe "train" "x" {}', '1:1 unknown_block: There is no block "stpe"'),
    ("attribute outside", "a = 1", '1:1 unknown_attribute: There is no attribute "a" outside blocks'),
    ("block as attribute", "locals = {}", '1:1 unknown_attribute: "locals" is a block'),
    ("module without source", 'module "m" {}', '1:1 missing_attribute: Module "m" has no "source"'),
    ("module source", 'module "m" { source = "m" }', '1:23 invalid_source: "m" is not the source of a module'),
    ("module folder", 'module "m" { source = "./m" }', "1:23 no_configuration: There is no zenctl configuration in"),
    (
        "module not installed",
        'module "m" { source = "git::https://host/x.git?ref=v1" }',
        "1:23 module_not_installed: git::https://host/x.git?ref=v1 is not installed",
    ),
    ("check without assert", 'check "m" {}', '1:1 missing_block: Check "m" has no "assert" block'),
    (
        "constant assertion",
        'check "m" {\n  assert {\n    condition = true\n    error_message = "no"\n  }\n}',
        '3:17 constant_condition: The condition of assert of check "m" is constant',
    ),
    ("moved without to", "moved { from = step.train.a }", '1:1 missing_attribute: Moved has no "to"'),
    (
        "moved to another kind",
        "moved {\n  from = step.train.a\n  to = datasource.csv.b\n}",
        "1:1 invalid_move: This cannot move there",
    ),
    ("moved from no address", "moved {\n  from = a.b\n  to = step.train.b\n}", '2:10 invalid_address: "from" must be'),
    ("removed instance", 'removed { from = step.train.a["x"] }', "1:1 invalid_address: removed takes no keys"),
    (
        "for_each and count",
        'datasource "csv" "x" {\n  path = "p"\n  for_each = {}\n  count = 2\n}',
        '4:11 invalid_for_each: Datasource "csv" "x" has both for_each and count',
    ),
    (
        "each without for_each",
        'datasource "csv" "x" { path = each.key }',
        '1:31 invalid_reference: "each" is there only in blocks that have "for_each"',
    ),
    (
        "each in for_each",
        'datasource "csv" "x" {\n  path = "p"\n  for_each = { a = each.key }\n}',
        '3:20 invalid_reference: "each" is there only in blocks that have "for_each"',
    ),
    (
        "unknown attribute of each",
        'datasource "csv" "x" {\n  path = each.name\n  for_each = {}\n}',
        "2:10 invalid_reference: There is no each.name",
    ),
    (
        "unknown attribute of path",
        'datasource "csv" "x" { path = path.modul }',
        "1:31 undeclared_reference: There is no path.modul",
    ),
    ("module undeclared", "locals { a = module.eu.x }", "1:14 undeclared_module: There is no module.eu"),
    (
        "depends on an undeclared module",
        'datasource "csv" "x" {\n  path = "p"\n  depends_on = [module.eu]\n}',
        "1:1 undeclared_module: There is no module.eu",
    ),
    (
        "ignored changes",
        'datasource "csv" "x" {\n  path = "p"\n  lifecycle {\n    ignore_changes = "delimiter"\n  }\n}',
        "4:22 wrong_type: ignore_changes must be a list of attributes, or all",
    ),
    (
        "trigger",
        'datasource "csv" "x" {\n  path = "p"\n  lifecycle {\n    replace_triggered_by = [var.x]\n  }\n}',
        "4:29 wrong_type: replace_triggered_by holds steps and datasources only",
    ),
    (
        "self in a precondition",
        'datasource "csv" "x" {\n  path = "p"\n  lifecycle {\n    precondition {\n      condition = self.digest == ""\n'
        '      error_message = "no"\n    }\n  }\n}',
        '5:19 invalid_reference: "self" is there only in postconditions',
    ),
    (
        "create_before_destroy of a datasource",
        'datasource "csv" "x" {\n  path = "p"\n  lifecycle { create_before_destroy = true }\n}',
        '3:15 unknown_attribute: Lifecycle of datasource "csv" "x" has no attribute "create_before_destroy"',
    ),
    ("step type", 'step "trian" "x" {}', '1:6 unknown_step_type: There is no step type "trian"'),
    ("datasource type", 'datasource "cvs" "x" {}', '1:12 unknown_datasource_type: There is no datasource type "cvs"'),
    ("backend type", 'backend "gce" "x" {}', '1:9 unknown_backend_type: There is no backend type "gce"'),
    ("endpoint type", 'endpoint "vertex" "x" {}', '1:10 unknown_endpoint_type: There is no endpoint type "vertex"'),
    ("provider", 'provider "gcp" {}', '1:10 unknown_provider: There is no provider "gcp"'),
    (
        "metadata type",
        'zenctl {\n  metadata "mysql" {}\n}',
        '2:12 unknown_metadata_store_type: There is no metadata store type "mysql"',
    ),
    (
        "store type",
        'zenctl {\n  artifacts "s3" {}\n}',
        '2:13 unknown_artifact_store_type: There is no artifact store type "s3"',
    ),
    ("one label", 'step "train" {}', "1:1 wrong_labels: This step block needs a name"),
    ("three labels", 'step "train" "a" "b" {}', "1:18 wrong_labels: This step block has a label too many"),
    ("bad name", 'variable "a b" {}', '1:10 invalid_name: "a b" is not a name'),
    (
        "unknown attribute",
        'datasource "csv" "x" {\n  path = "p"\n  delimeter = ";"\n}',
        '3:3 unknown_attribute: Datasource "csv" "x" has no attribute "delimeter"',
    ),
    (
        "missing attribute",
        '\ndatasource "csv" "x" {}',
        '2:1 missing_attribute: Datasource "csv" "x" has no "path"',
    ),
    (
        "unknown nested block",
        'datasource "csv" "x" {\n  path = "p"\n  auth {}\n}',
        '3:3 unknown_block: Datasource "csv" "x" has no block "auth"',
    ),
    (
        "unknown attribute of a variable",
        'variable "x" { defualt = 1 }',
        '1:16 unknown_attribute: Variable "x" has no attribute "defualt"',
    ),
    ("undeclared variable", "locals { a = var.b }", "1:14 undeclared_variable: There is no var.b"),
    ("undeclared local", "locals { a = local.b }", "1:14 undeclared_local_value: There is no local.b"),
    (
        "undeclared step",
        'output "o" { value = step.train.fit.model }',
        "1:22 undeclared_step: There is no step.train.fit",
    ),
    (
        "half a reference",
        'output "o" { value = step.train }',
        "1:22 invalid_reference: A step is referred to as step.TYPE.NAME",
    ),
    ("unknown root", "locals { a = stp.x.y }", '1:14 undeclared_reference: There is nothing named "stp"'),
    (
        "backend as value",
        "locals { a = backend.local.here }",
        "1:14 invalid_reference: A backend cannot be used here",
    ),
    ("local cycle", "locals {\n  a = local.b\n  b = local.a\n}", "2:3 cycle: local.a depends on itself"),
    (
        "duplicate step",
        'datasource "csv" "x" { path = "p" }\ndatasource "csv" "x" { path = "q" }',
        "2:1 duplicate: datasource.csv.x is declared twice",
    ),
    ("duplicate variable", 'variable "x" {}\nvariable "x" {}', "2:1 duplicate: var.x is declared twice"),
    ("duplicate local", "locals { a = 1 }\nlocals { a = 2 }", "2:10 duplicate: local.a is declared twice"),
    (
        "duplicate setting",
        'zenctl { project = "a" }\nzenctl { project = "b" }',
        '2:10 duplicate: The setting "project" is given twice',
    ),
    (
        "version",
        'zenctl { required_version = ">= 99" }',
        '1:29 version_not_met: This is zenctl {version}; the configuration needs ">= 99"',
    ),
    (
        "bad constraint",
        'zenctl { required_version = "new" }',
        '1:29 invalid_version_constraint: "new" is not a version constraint. Write for example ">= 0.1", "~> 0.1" '
        'or ">= 0.1, < 1"',
    ),
    (
        "provider version",
        'zenctl {\n  required_providers { local = "< 1" }\n}',
        '2:32 version_not_met: This is provider local 1.4.0; the configuration needs "< 1"',
    ),
    (
        "required provider",
        'zenctl {\n  required_providers { locale = "1" }\n}',
        '2:24 unknown_provider: The provider "locale" is not installed',
    ),
    ("project name", 'zenctl { project = "a/b" }', '1:20 invalid_name: "a/b" cannot be the name of a project'),
    (
        "setting refers",
        'variable "p" { default = "x" }\nzenctl { project = var.p }',
        '2:20 not_literal: "project" of zenctl must be a literal value',
    ),
    (
        "setting's type",
        'zenctl { require_clean_code = "yes" }',
        '1:31 wrong_type: "require_clean_code" must be true or false, not the text "yes"',
    ),
    (
        "default is no backend",
        'zenctl {\n  defaults { orchestrator = "here" }\n}',
        '2:29 wrong_type: The default "orchestrator" must be a backend',
    ),
    (
        "role",
        'backend "direct" "b" {}\ndatasource "csv" "x" {\n  path = "p"\n  backend = backend.direct.b\n}',
        "4:13 wrong_backend_role: backend.direct.b cannot be used for orchestrator: "
        'a backend of type "direct" is for processing',
    ),
    (
        "undeclared backend",
        'datasource "csv" "x" {\n  path = "p"\n  backend = backend.local.her\n}',
        "3:13 undeclared_backend: There is no backend.local.her",
    ),
    (
        "backend depends on a result",
        'datasource "csv" "x" { path = "p" }\nbackend "local" "b" { workers = datasource.csv.x.rows }',
        "2:33 invalid_reference: A backend (backend.local.b) cannot depend on a result",
    ),
    (
        "depends_on",
        'datasource "csv" "x" {\n  path = "p"\n  depends_on = ["a"]\n}',
        "3:17 wrong_type: depends_on holds addresses of steps, datasources, endpoints and modules only",
    ),
    (
        "depends_on undeclared",
        'datasource "csv" "x" {\n  path = "p"\n  depends_on = [step.train.y]\n}',
        "1:1 undeclared_step: There is no step.train.y",
    ),
    (
        "variable type",
        'variable "x" { type = strin }',
        "1:23 invalid_type: ",
    ),
    (
        "variable default",
        'variable "x" {\n  type = number\n  default = "many"\n}',
        '3:13 wrong_type: The default of variable "x" does not fit its type number',
    ),
    (
        "default refers",
        'variable "y" {}\nvariable "x" { default = var.y }',
        '2:26 not_literal: "default" of variable "x" must be a literal value',
    ),
    ("output without value", 'output "o" {}', '1:1 missing_attribute: Output "o" has no "value"'),
    (
        "validation refers to a local",
        'locals { a = 1 }\nvariable "x" {\n  validation {\n    condition = local.a == 1\n    '
        'error_message = "no"\n  }\n}',
        "4:17 invalid_reference: The validation of variable x can refer to variables only",
    ),
]


@pytest.mark.parametrize(("text", "expected"), [b[1:] for b in BAD], ids=[b[0] for b in BAD])
def test_bad_input_is_one_diagnostic(load_text: Load, show: Show, text: str, expected: str) -> None:
    import zenctl

    [found] = show(load_text(text).diagnostics)
    assert found.startswith(expected.replace("{version}", zenctl.__version__))


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
