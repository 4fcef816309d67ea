"""`zenctl backend list` and `show`: what a configuration's backends are, with no secret in it, and nothing reached."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest

from zenctl.cli import schemas
from zenctl.cli.views import backends as view
from zenctl.cli.views.style import PLAIN
from zenctl.engine.backends import BackendsOutcome, describe_backends, list_backends
from zenctl.engine.requests import Inputs

CONFIGURATION = """
zenctl { project = "shown" }
variable "token" {
  type      = string
  default   = "hush-hush"
  sensitive = true
}
backend "gce" "vm" {
  project      = "proj"
  zone         = "europe-west1-b"
  machine_type = "n1-standard-4"
  scope        = "step"
  metadata     = { team = "ml", token = var.token }
}
backend "local" "big" {}
"""


@pytest.fixture
def inputs(tmp_path: Path) -> Inputs:
    (tmp_path / "main.zen.hcl").write_text(CONFIGURATION)
    return Inputs(root=tmp_path, workspace="default")


def told(outcome: BackendsOutcome) -> list[tuple[str, str]]:
    return [(diagnostic.code, f"{diagnostic.summary} {diagnostic.detail}") for diagnostic in outcome.diagnostics]


def test_they_are_listed_with_what_is_the_default(inputs: Inputs) -> None:
    outcome = list_backends(inputs)
    assert outcome.backends is not None, told(outcome)
    assert view.backend_rows(outcome.backends, PLAIN) == [
        "backend.gce.vm          gcp    orchestrator",
        "backend.local.big       local  orchestrator",
        "backend.local.embedded  local  orchestrator, default orchestrator",
    ]
    jsonschema.validate(view.backends_document(outcome.backends), schemas.SCHEMAS["backends.v1.schema.json"]())
    settings = 'zenctl {\n  project = "shown"\n  defaults { orchestrator = backend.local.big }\n}'
    (inputs.root / "main.zen.hcl").write_text(CONFIGURATION.replace('zenctl { project = "shown" }', settings))
    chosen = list_backends(inputs).backends
    assert chosen is not None
    assert [(str(item.addr), item.default_for) for item in chosen] == [
        ("backend.gce.vm", ()),
        ("backend.local.big", ("orchestrator",)),
    ]


def test_one_is_shown_with_its_machines_and_no_secret(inputs: Inputs) -> None:
    outcome = describe_backends(inputs, "backend.gce.vm")
    assert outcome.described is not None, told(outcome)
    text = "\n".join(view.described_lines(outcome.described, PLAIN))
    document = view.described_document(outcome.described)
    jsonschema.validate(document, schemas.SCHEMAS["backends.v1.schema.json"]())
    assert "hush-hush" not in f"{text}{document}"
    assert "1 x n1-standard-4, europe-west1-b, for each step, removed after it (about 0.21 USD an hour)" in text
    assert "disk_size_gb" in text
    [shown] = document["backends"]
    assert shown["template"]["metadata"]["token"] == "(sensitive value)"
    assert shown["template"]["metadata"]["zenctl-store"] is None
    assert text.endswith(shown["template"]["startup_script"].rstrip())
    assert not (inputs.root / ".zenctl").exists()


def test_all_are_shown_without_an_address(inputs: Inputs) -> None:
    found = describe_backends(inputs).described
    assert found is not None
    assert [str(item.backend.addr) for item in found] == [
        "backend.gce.vm",
        "backend.local.big",
        "backend.local.embedded",
    ]
    assert [len(item.pools) for item in found] == [1, 0, 0]


@pytest.mark.parametrize("address", ["backend.gce.wm", "gce.vm", "step.python.vm", "]["])
def test_one_that_is_not_there(inputs: Inputs, address: str) -> None:
    outcome = describe_backends(inputs, address)
    assert outcome.described is None
    [(code, text)] = told(outcome)
    assert code == "backend_unknown"
    assert f"There is no backend {address}" in text


def test_a_broken_configuration_is_told(inputs: Inputs) -> None:
    (inputs.root / "main.zen.hcl").write_text("backend {")
    for outcome in (list_backends(inputs), describe_backends(inputs)):
        assert (outcome.backends, outcome.described) == (None, None)
        assert outcome.diagnostics
