"""Every mistake in a configuration is one diagnostic, at its place."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from zenctl.config.loader import Loaded

Load = Callable[..., Loaded]
Show = Callable[..., list[str]]


def moves(source: str, target: str) -> str:
    return f"moved {{\n  from = step.train.{source}\n  to = step.train.{target}\n}}\n"


BAD: list[tuple[str, str, str]] = [
    ("unknown block", 'stpe "train" "x" {}', '1:1 unknown_block: There is no block "stpe"'),
    ("attribute outside", "a = 1", '1:1 unknown_attribute: There is no attribute "a" outside blocks'),
    ("block as attribute", "locals = {}", '1:1 unknown_attribute: "locals" is a block'),
    ("module without source", 'module "m" {}', '1:1 missing_attribute: Module "m" has no "source"'),
    ("module source", 'module "m" { source = "m" }', '1:23 invalid_source: "m" is not the source of a module'),
    (
        "module from ssh",
        'module "m" { source = "git@host:a/b.git" }',
        '1:23 invalid_source: "git@host:a/b.git" is not the source of a module',
    ),
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
    (
        "ignored attribute that is none",
        'datasource "csv" "x" {\n  path = "p"\n  lifecycle {\n    ignore_changes = [delimeter]\n  }\n}',
        '4:23 unknown_attribute: ignore_changes of datasource "csv" "x" cannot name "delimeter"',
    ),
    (
        "ignored component of an endpoint",
        'endpoint "local" "x" {\n  model = var.m\n  lifecycle {\n    ignore_changes = [code]\n  }\n}\nvariable "m" {}',
        '4:23 unknown_attribute: ignore_changes of endpoint "local" "x" cannot name "code"',
    ),
    (
        "moved to itself",
        "moved {\n  from = step.train.a\n  to = step.train.a\n}",
        "1:1 invalid_move: step.train.a cannot move to itself",
    ),
    (
        "endpoint moved to another type",
        "moved {\n  from = endpoint.local.a\n  to = endpoint.other.a\n}",
        "1:1 invalid_move: This cannot move there",
    ),
    (
        "moved to two",
        moves("a", "b") + moves("a", "c"),
        "5:1 invalid_move: step.train.a moves to step.train.b and to step.train.c",
    ),
    (
        "moved from two",
        moves("a", "c") + moves("b", "c"),
        "5:1 invalid_move: step.train.a and step.train.b both move to step.train.c",
    ),
    (
        "moved in a circle",
        moves("a", "b") + moves("b", "a"),
        "1:1 invalid_move: Moves go in a circle: step.train.a -> step.train.b -> step.train.a",
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
        '3:20 invalid_reference: "each" cannot decide which instances there are',
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
    (
        "provider alias undeclared",
        'backend "local" "x" { provider = provider.local.eu }',
        "1:34 undeclared_provider: There is no provider.local.eu",
    ),
    (
        "provider of another type",
        'backend "local" "x" { provider = provider.beam.eu }',
        "1:34 wrong_provider: provider.beam does not offer this",
    ),
    (
        "provider twice",
        'provider "local" { alias = "a" }\nprovider "local" { alias = "a" }\nprovider "local" {}',
        "2:1 duplicate: provider.local.a is declared twice",
    ),
    ("module undeclared", "locals { a = module.eu.x }", "1:14 undeclared_module: There is no module.eu"),
    (
        "depends on an undeclared module",
        'datasource "csv" "x" {\n  path = "p"\n  depends_on = [module.eu]\n}',
        "3:17 undeclared_module: There is no module.eu",
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
        'zenctl {\n  metadata "oracle" {}\n}',
        '2:12 unknown_metadata_store_type: There is no metadata store type "oracle"',
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
        "3:17 undeclared_step: There is no step.train.y",
    ),
    (
        "depends_on an instance",
        'datasource "csv" "x" {\n  path = "p"\n  depends_on = [datasource.csv.y[0]]\n}\n'
        'datasource "csv" "y" {\n  path = "q"\n  count = 1\n}',
        "3:17 wrong_type: depends_on holds addresses of steps, datasources, endpoints and modules only",
    ),
    (
        "default undeclared",
        "zenctl {\n  defaults { orchestrator = backend.local.x }\n}",
        "2:29 undeclared_backend: There is no backend.local.x",
    ),
    (
        "endpoint's provider alias undeclared",
        'variable "m" {}\nendpoint "local" "x" {\n  model = var.m\n  provider = provider.local.eu\n}',
        "4:14 undeclared_provider: There is no provider.local.eu",
    ),
    (
        "key of a trigger",
        'datasource "csv" "x" {\n  path = "p"\n  lifecycle {\n'
        "    replace_triggered_by = [datasource.csv.y[each.key]]\n  }\n}\n"
        'datasource "csv" "y" {\n  path = "q"\n  count = 1\n}',
        '4:46 invalid_reference: "each" is there only in blocks that have "for_each"',
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
    "text",
    [
        'output "o" {\n  value = \n}',
        'datasource "csv" "x" {\n  path = "p\n}',
        'module "m" {\n  source = ./m\n}',
        "moved {\n  from = step.train.a\n  to = \n}",
        'check "c" {\n  assert {\n    condition = var.a ==\n    error_message = "no"\n  }\n}',
        'check "c" {\n  assert [\n}',
        'variable "a" {\n  validation {\n    condition = var.a > 0\n    error_message = no no\n  }\n}',
        'datasource "csv" "x" {\n  path = "p"\n  dynamic "auth" {\n    for_each = [\n    content {}\n  }\n}',
        'backend "local" "b" {\n  path = \n}',
    ],
)
def test_what_could_not_be_read_is_not_said_to_be_missing(load_text: Load, text: str) -> None:
    found = load_text(text).diagnostics
    assert found
    assert not [d.summary for d in found if "has no" in d.summary or "needs" in d.summary]


def test_a_variable_that_could_not_be_read_is_not_asked_for(load_text: Load, show: Show) -> None:
    files = {
        "main.zen.hcl": 'module "m" {\n  source = "./m"\n  b = 1\n}\n',
        "m/main.zen.hcl": 'variable "a" {\n  default =\n}\nvariable "b" {\n  type =\n}\noutput "o" { value = var.a }\n',
    }
    assert show(load_text(files=files).diagnostics) == [
        "2:12 missing_expression: Missing expression",
        "5:9 missing_expression: Missing expression",
    ]


def test_what_could_not_be_read_in_yaml_is_not_said_to_be_missing(load_text: Load) -> None:
    found = load_text(files={"main.zen.yaml": "output:\n  o:\n    value: '${'\n    <<: 1\n"}).diagnostics
    assert found
    assert not [d.summary for d in found if "has no" in d.summary]


def test_a_trigger_is_checked_where_it_is_a_text_of_yaml(load_text: Load, show: Show) -> None:
    text = "datasource:\n  csv:\n    x:\n      path: p\n      lifecycle: {replace_triggered_by: [datasource.csv.z]}\n"
    found = show(load_text(files={"main.zen.yaml": text}).diagnostics)
    assert found == ["5:42 undeclared_datasource: There is no datasource.csv.z"]


@pytest.mark.parametrize(
    ("source", "meant"),
    [
        ("git@host:a/b.git", "git::git@host:a/b.git"),
        ("github.com/a/b", "git::https://github.com/a/b"),
        ("https://host/a/b.git", "git::https://host/a/b.git"),
    ],
)
def test_a_repository_as_terraform_names_it_is_understood(load_text: Load, source: str, meant: str) -> None:
    [problem] = load_text(f'module "m" {{ source = "{source}" }}').diagnostics
    assert problem.detail.endswith(f'Did you mean "{meant}"?')
