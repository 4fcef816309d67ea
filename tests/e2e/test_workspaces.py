"""Workspaces through the installed command: a life of one, reuse between them, previews beside production."""

from __future__ import annotations

import json
import re
import shutil
from typing import Any
from urllib.request import urlopen

from tests.e2e.conftest import ROOT, Project

APPLY = ("apply", "-auto-approve")
SERVING = """
step "python" "fit" {
  code   = "steps/fit.py:fit"
  inputs = { names = step.python.tallest.names }
}

endpoint "local" "names" {
  model = step.python.fit.model
}
"""
FIT = '''"""Makes a model that TensorFlow can serve."""

from zenctl.sdk import Artifact, Model, Output


def fit(names: Artifact, model: Output[Model]) -> None:
    """A model that doubles."""
    import tensorflow as tf

    module = tf.Module()
    module.double = tf.function(lambda x: {"y": 2 * x}, input_signature=[tf.TensorSpec([None], tf.float32)])
    tf.saved_model.save(module, str(model.path), signatures=module.double)
'''


def trusting(project: Project, *names: str) -> None:
    """Say whose results may be taken."""
    project.edit("main.zen.hcl", 'project = "tiny"', f'project = "tiny"\n  reuse_from = {json.dumps(names)}')


def attributes(project: Project) -> Any:
    """What is recorded of the live endpoint."""
    return project.json("state", "show", "-json", "endpoint.local.names")["values"]["attributes"]


def test_the_life_of_a_workspace(tiny: Project) -> None:
    assert tiny.ok("workspace", "list") == "* default\n"
    assert 'Made and selected workspace "pr-1"' in tiny.ok("workspace", "new", "pr-1", "-ttl=72h")
    assert tiny.ok("workspace", "show") == "pr-1\n"
    assert re.search(r"^  default\n\* pr-1 +ends .*UTC, in 2d23h$", tiny.ok("workspace", "list"), re.MULTILINE)
    assert "exists already" in tiny.fails("workspace", "new", "pr-1")
    assert "current workspace" in tiny.fails("workspace", "delete", "pr-1")
    tiny.ok("workspace", "select", "default")
    assert 'Did you mean "pr-1"?' in " ".join(tiny.fails("workspace", "select", "pr-2").split())
    tiny.ok("workspace", "select", "-or-create", "pr-2")
    tiny.environment["ZENCTL_WORKSPACE"] = "pr-1"
    assert tiny.ok("workspace", "show") == "pr-1\n"
    assert "ZENCTL_WORKSPACE" in tiny.fails("workspace", "select", "default")
    assert "cannot be deleted" in tiny.fails("workspace", "delete", "default")
    tiny.ok("workspace", "delete", "pr-2")
    del tiny.environment["ZENCTL_WORKSPACE"]
    document = tiny.json("workspace", "list", "-json")
    assert [(w["name"], w["ttl_seconds"], w["expired"]) for w in document["workspaces"]] == [
        ("default", None, False),
        ("pr-1", 72 * 3600, False),
    ]
    # What was selected is a cache: it may be lost.
    (tiny.root / ".zenctl" / "environment").unlink()
    assert tiny.ok("workspace", "show") == "default\n"


def test_each_workspace_has_its_own_results_and_names(tiny: Project) -> None:
    tiny.ok(*APPLY)
    assert tiny.ok("state", "list", "-workspace=pr-1") == ""
    assert tiny.ok("apply", "-auto-approve", "-workspace=pr-1", "-var=top=1").count(": ran in") == 3
    assert tiny.ok("output", "-raw", "count", "-workspace=pr-1") == "1"
    assert tiny.ok("output", "-raw", "count") == "2"
    tiny.ok("plan", "-detailed-exitcode")
    assert "is no name of a workspace" in tiny.fails("plan", "-workspace=a/b")
    tiny.ok("plan", "-workspace=pr-1", "-var=top=2", "-out=p.plan")
    assert 'is not for workspace "pr-2"' in tiny.fails("apply", "-workspace=pr-2", "p.plan")
    tiny.ok("apply", "p.plan")
    assert tiny.ok("output", "-raw", "count", "-workspace=pr-1") == "2"


def test_a_fresh_workspace_of_an_applied_project_runs_nothing(tiny: Project) -> None:
    trusting(tiny, "default", "pr-*")
    tiny.ok(*APPLY)
    assert set(tiny.stale("-workspace=pr-1").values()) == {"REUSE"}
    printed = tiny.ok(*APPLY, "-workspace=pr-1")
    assert "Apply complete: 3 reused." in printed
    tiny.ok("plan", "-detailed-exitcode", "-workspace=pr-1")
    # What a pull request has computed is promoted without a run, and lives on when its workspace is gone.
    assert "2 run, 1 up to date" in tiny.ok(*APPLY, "-workspace=pr-1", "-var=top=1")
    tiny.ok("workspace", "delete", "pr-1")
    planned = tiny.ok("plan", "-var=top=1", "-out=p.plan")
    assert "REUSE from workspace pr-1, apply 2" in planned
    assert "Apply complete: 2 reused, 1 up to date." in tiny.ok("apply", "p.plan")
    # The same name begins again with nothing.
    assert tiny.ok("state", "list", "-workspace=pr-1") == ""
    assert tiny.json("output", "-json", "-workspace=pr-1") == {}


def test_a_plan_whose_pinned_result_is_gone_is_refused(tiny: Project) -> None:
    trusting(tiny, "default")
    tiny.ok(*APPLY)
    tiny.ok("plan", "-workspace=pr-1", "-out=p.plan")
    shutil.rmtree(tiny.root / ".zenctl" / "artifacts" / "blobs")
    said = tiny.fails("apply", "p.plan", code=5)
    assert "a result that it reuses is gone" in said


def test_another_project_on_the_same_stores(tiny: Project) -> None:
    tiny.ok(*APPLY)
    other = Project(tiny.root.parent / "other")
    shutil.copytree(tiny.root, other.root)
    other.edit("main.zen.hcl", 'project = "tiny"', 'project = "other"\n  reuse_from = ["tiny/default"]')
    planned = other.ok("plan")
    assert planned.count("REUSE from workspace default of project tiny, apply 1") == 3
    assert "Apply complete: 3 reused." in other.ok(*APPLY)


def test_a_preview_beside_production(project: Project) -> None:
    shutil.copytree(ROOT / "tests" / "golden" / "nothing-changed" / "before", project.root, dirs_exist_ok=True)
    trusting(project, "default")
    project.write("serve.zen.hcl", SERVING)
    project.write("steps/fit.py", FIT)
    project.ok(*APPLY)
    # Its time is over as soon as it begins: the clean-up below finds it.
    project.ok("workspace", "new", "pr-42", "-ttl=1s")
    assert "Apply complete: 4 reused, 1 created." in project.ok(*APPLY)
    preview = attributes(project)
    project.ok("workspace", "select", "default")
    production = attributes(project)
    assert production["name"] == "names"
    assert re.fullmatch(r"names-pr-42-[0-9a-f]{6}", preview["name"])
    assert preview["pid"] != production["pid"]
    assert preview["port"] != production["port"]
    assert "has live endpoints" in project.fails("workspace", "delete", "pr-42")
    assert "needs approval" in project.fails("workspace", "delete", "-expired")
    cleaned = project.ok("workspace", "delete", "-expired", "-auto-approve")
    assert 'Deleted workspace "pr-42".' in cleaned
    assert "No workspace is expired." in project.ok("workspace", "delete", "-expired", "-auto-approve")
    with urlopen(production["url"]) as answer:
        assert answer.status == 200
    assert not (project.root / ".zenctl" / "endpoints" / preview["name"]).exists()
    project.ok("plan", "-detailed-exitcode")


def test_cut_off_is_told_in_the_summary(tiny: Project) -> None:
    tiny.ok(*APPLY)
    # Another order of equal rows: what it gives has the same bytes.
    tiny.edit("steps/rank.py", "chosen = [", "chosen = list([")
    tiny.edit("steps/rank.py", "[:top]]", "[:top]])")
    planned = tiny.ok("plan")
    assert "step.python.count may run" in planned
    assert "waits for step.python.tallest" in planned
    assert "Apply complete: 1 run, 1 cut off, 1 up to date." in tiny.ok(*APPLY)


def test_a_step_that_is_not_reproducible_fails(tiny: Project) -> None:
    settings = 'code = "steps/again.py:again"\n  reproducible = true\n  retries = 2'
    tiny.write("again.zen.hcl", f'step "python" "again" {{\n  {settings}\n}}\n')
    text = """from zenctl.sdk import Artifact, Output


def again(out: Output[Artifact]) -> None:
    (out.path / "same.txt").write_text("same")
    (out.path / "words.txt").write_text(" ".join({f"word{i}" for i in range(100)}))
"""
    tiny.write("steps/again.py", text)
    said = tiny.fails(*APPLY)
    assert "step.python.again is not reproducible" in said
    assert "out: words.txt: " in said
    assert "same.txt" not in said
    assert said.count("running a second time") == 1
    tiny.write("steps/again.py", text.replace("{f", "sorted({f").replace("(100)}", "(100)})"))
    assert "1 run, 3 up to date" in tiny.ok(*APPLY)
    tiny.ok("plan", "-detailed-exitcode")


def test_a_trigger_that_goes_back_runs_again(tiny: Project) -> None:
    tiny.edit("main.zen.hcl", "params = { top = var.top }", "params = { top = 2 }\n  triggers_replace = var.top")
    tiny.ok(*APPLY)
    assert tiny.stale("-var=top=1") == {"step.python.tallest": "RUN", "step.python.count": "MAY_RUN"}
    tiny.ok(*APPLY, "-var=top=1")
    assert "1 run, 1 cut off, 1 up to date" in tiny.ok(*APPLY)


def test_moved_and_removed_in_a_fresh_workspace(tiny: Project) -> None:
    trusting(tiny, "default")
    tiny.ok(*APPLY)
    tiny.ok(*APPLY, "-workspace=pr-1")
    tiny.edit("main.zen.hcl", 'step "python" "count"', 'step "python" "size"')
    tiny.edit("main.zen.hcl", "step.python.count.result", "step.python.size.result")
    tiny.write("moved.zen.hcl", "moved {\n  from = step.python.count\n  to   = step.python.size\n}\n")
    for workspace in ("pr-1", "default"):
        printed = tiny.ok(*APPLY, f"-workspace={workspace}")
        assert "step.python.count has moved to step.python.size" in printed
        tiny.ok("plan", "-detailed-exitcode", f"-workspace={workspace}")
    assert set(tiny.stale("-workspace=pr-2").values()) == {"REUSE"}


def test_refresh_only_records_what_has_become_of_results(tiny: Project) -> None:
    trusting(tiny, "default")
    tiny.ok(*APPLY)
    tiny.ok(*APPLY, "-workspace=pr-1")
    assert "No changes." in tiny.ok("apply", "-refresh-only", "-auto-approve", "-workspace=pr-1")
    shutil.rmtree(tiny.root / ".zenctl" / "artifacts" / "trees")
    assert "3 forgotten" in tiny.ok("apply", "-refresh-only", "-auto-approve", "-workspace=pr-1")
    assert tiny.ok("state", "list", "-workspace=pr-1") == ""
    assert len(tiny.ok("state", "list").split()) == 3
    assert set(tiny.stale("-workspace=pr-1").values()) == {"RUN"}
    assert "-refresh-only with -destroy" in tiny.fails("plan", "-refresh-only", "-destroy")
    assert "-refresh-only with a plan file" in tiny.fails("apply", "-refresh-only", "p.plan")
