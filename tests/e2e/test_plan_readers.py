"""Programs that were written for Terraform's plans read ours: a policy checker and a library for tests of plans."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from tests.e2e.conftest import ROOT, Project
from tests.measuring import PATIENCE

READERS = Path(sys.executable).parent.parent / "readers" / "bin"

FEATURE = """\
Feature: what a team wants of its pipelines
  Scenario: rankings are short
    Given I have python defined
    When its name is tallest
    Then it must have params
    And it must have top
    And its value must be {top}

  Scenario: every step says what it reads
    Given I have resource that supports inputs defined
    Then it must have inputs
"""

ASK_TFTEST = """\
import json, sys, tftest
plan = tftest.TerraformPlanOutput(json.load(open(sys.argv[1])))
changes = {address: change["change"]["actions"] for address, change in plan.resource_changes.items()}
print(json.dumps({
    "format": plan.format_version,
    "top": plan.resources["step.python.tallest"]["values"]["params"]["top"],
    "prior": plan.prior_resources["step.python.tallest"]["values"]["params"]["top"],
    "outputs": list(plan.outputs),
    "variables": plan.variables["top"],
    "inner": list(plan.modules["module.inner"].resources),
    "changes": changes,
}))
"""


@pytest.fixture
def document(tiny: Project) -> Path:
    """The plan of a changed parameter and of a new module, as `show -json` prints it."""
    tiny.ok("apply", "-auto-approve")
    tiny.write("inner/main.zen.hcl", 'datasource "csv" "more" {\n  path = "${path.module}/more.csv"\n}\n')
    tiny.write("inner/more.csv", "a,b\n1,2\n")
    tiny.write("more.zen.hcl", 'module "inner" {\n  source = "./inner"\n}\n')
    tiny.ok("plan", "-out=p.zenplan", "-var", "top=3")
    path = tiny.root / "plan.json"
    path.write_text(tiny.ok("show", "-json", "p.zenplan"))
    return path


def test_the_document_fits_the_schema_that_is_published(document: Path) -> None:
    schema = json.loads((ROOT / "schemas" / "plan.v1.schema.json").read_text())
    check = jsonschema.Draft202012Validator(schema)
    plan = json.loads(document.read_text())
    check.validate(plan)
    # What it refuses in particular, tests/unit/cli/test_plan_schema.py says.
    for key in plan:
        assert not check.is_valid({name: value for name, value in plan.items() if name != key}), key
    for change in plan["resource_changes"]:
        for wrong in ({"zenctl_action": "REBUILD"}, {"kind": "model"}, {"stale_because": [{"reason": "RAIN"}]}):
            assert not check.is_valid({**plan, "resource_changes": [{**change, **wrong}]})


@pytest.mark.parametrize(("top", "code"), [(3, 0), (4, 1)])
def test_terraform_compliance_judges_a_plan(document: Path, top: int, code: int) -> None:
    features = document.parent / "features"
    features.mkdir()
    (features / "steps.feature").write_text(FEATURE.format(top=top))
    words = [READERS / "terraform-compliance", "-p", str(document), "-f", str(features), "--no-ansi"]
    done = subprocess.run(words, cwd=document.parent, capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert done.returncode == code, done.stdout + done.stderr
    assert f"2 scenarios ({'2 passed' if code == 0 else '1 passed, 1 failed'})" in done.stdout


def test_tftest_reads_a_plan(document: Path) -> None:
    done = subprocess.run(
        [READERS / "python", "-c", ASK_TFTEST, str(document)],
        capture_output=True, text=True, check=True, timeout=PATIENCE,
    )  # fmt: skip
    assert json.loads(done.stdout) == {
        "format": "1.2",
        "top": 3,
        "prior": 2,
        "outputs": ["count"],
        "variables": 3,
        "inner": ["datasource.csv.more"],
        "changes": {
            "datasource.csv.heights": ["no-op"],
            "step.python.tallest": ["update"],
            "step.python.count": ["update"],
            "module.inner.datasource.csv.more": ["create"],
        },
    }


def test_every_event_fits_the_schema_that_is_published(tiny: Project) -> None:
    schema = json.loads((ROOT / "schemas" / "events.v1.schema.json").read_text())
    check = jsonschema.Draft202012Validator(schema).validate
    applied = [json.loads(line) for line in tiny.ok("apply", "-json", "-auto-approve").splitlines()]
    tiny.edit("heights.csv", "name,height", "name,height,x")
    tiny.edit("steps/rank.py", "def tallest(", "def broken(")
    refused = [json.loads(line) for line in tiny.run("plan", "-json").stdout.splitlines()]
    tiny.edit("steps/rank.py", "def broken(", "def tallest(")
    (tiny.root / "heights.csv").write_text("name,height\nEve,190\n")
    planned = [json.loads(line) for line in tiny.ok("plan", "-json").splitlines()]
    for line in (*applied, *refused, *planned):
        check(line)
    types = [line["type"] for line in planned]
    assert types[0] == "version"
    assert types.index("resource_drift") < types.index("planned_change") < types.index("change_summary")
    assert {"apply_start", "apply_complete", "outputs"} <= {line["type"] for line in applied}
    assert "diagnostic" in {line["type"] for line in refused}
