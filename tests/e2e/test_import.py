"""Results that were made elsewhere become managed: the next plan takes them, and what is wrong with them is told."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import pytest

from tests.e2e.conftest import Project, kill_group, wait_for
from tests.e2e.test_commands import make_slow
from tests.e2e.test_endpoint_lifecycle import FIT as FIT_CODE
from tests.e2e.test_endpoint_lifecycle import MAIN, answers, endpoint, free_ports
from tests.measuring import PATIENCE
from zenctl.sdk.dataset import DatasetOutput

FIT = "step.python.tallest"
COUNT = "step.python.count"
DATA = "datasource.csv.heights"

TRAINING = """
from zenctl.sdk import Dataset, Metrics, Model, Output


def fit(data: Dataset, model: Output[Model], metrics: Output[Metrics]) -> None:
    raise RuntimeError("this must not run")
"""
STEP = """
step "python" "fit" {
  code   = "fit.py:fit"
  inputs = { data = datasource.csv.heights }
}
"""


@pytest.fixture
def training(tiny: Project) -> Project:
    """The small project with its data, and a step whose results lie in `old`."""
    tiny.write("fit.py", TRAINING)
    tiny.write("fit.zen.hcl", STEP)
    (tiny.root / "old" / "model").mkdir(parents=True)
    with zipfile.ZipFile(tiny.root / "old" / "model" / "fit.keras", "w") as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": "3", "date_saved": "2026-01-01@10:00:00"}))
        archive.writestr("config.json", "{}")
    tiny.write("old/metrics.json", '{"loss": 0.25}')
    tiny.ok("apply", "-auto-approve", f"-target={DATA}")
    return tiny


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_an_imported_step_is_up_to_date_and_steps_below_take_it(tiny: Project) -> None:
    tiny.ok("apply", "-auto-approve", f"-target={DATA}")
    tiny.write("mine/names.json", '["Carl","Ada","Eve"]')
    printed = tiny.ok("import", FIT, "names=mine")
    assert "step.python.tallest is imported. It is recorded as apply 2." in printed
    assert tiny.stale() == {COUNT: "RUN"}
    assert "imported     names from mine" in tiny.ok("state", "show", FIT)
    first = tiny.ok("history").splitlines()[1]
    assert first.startswith("2 ")
    assert "complete" in first
    assert first.endswith("zenctl import step.python.tallest names=mine")

    assert "Apply complete: 1 run, 2 up to date." in tiny.ok("apply", "-auto-approve")
    assert tiny.json("output", "-json", "count") == 3
    tree = tiny.ok("state", "show", COUNT)
    assert "imported from mine" in tree
    assert "No changes" in tiny.ok("plan", "-detailed-exitcode")
    assert "was imported in apply 2" in tiny.fails("reproduce", FIT)
    assert "nothing ran" in tiny.fails("logs", FIT)

    tiny.edit("steps/order.py", "reverse=True", "reverse=False")
    assert tiny.stale() == {FIT: "RUN", COUNT: "MAY_RUN"}


def test_a_model_is_finalised_as_a_run_does_it_and_what_was_given_stays(training: Project) -> None:
    before = files(training.root / "old")
    paths = ("model=old/model/fit.keras", "metrics=old/metrics.json")
    document = training.json("import", "-json", "step.python.fit", *paths)
    assert files(training.root / "old") == before
    assert document["diagnostics"] == []
    done = document["imported"]
    assert (done["address"], done["serial"]) == ("step.python.fit", 2)
    assert done["outputs"]["metrics"]["properties"] == {"loss": 0.25}
    assert done["outputs"]["model"]["imported_from"] == "old/model/fit.keras"
    assert "step.python.fit" not in training.stale()
    assert not list((training.root / ".zenctl" / "work").iterdir())

    # Saved at another time, the same model is the same artifact.
    training.ok("workspace", "new", "other")
    training.ok("apply", "-auto-approve", f"-target={DATA}")
    with zipfile.ZipFile(training.root / "old" / "model" / "fit.keras", "w") as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": "3", "date_saved": "2027-07-07@07:07:07"}))
        archive.writestr("config.json", "{}")
    again = training.json("import", "-json", "step.python.fit", "model=old/model", "metrics=old/metrics.json")
    assert again["imported"]["outputs"]["model"]["digest"] == done["outputs"]["model"]["digest"]


def test_a_returned_value_is_a_json_file(tiny: Project) -> None:
    tiny.ok("apply", "-auto-approve", f"-target={FIT}")
    tiny.write("seven.json", "7")
    tiny.ok("import", COUNT, "seven.json")
    assert tiny.json("output", "-json", "count") == 7
    assert tiny.stale() == {}
    assert "has a result already" in tiny.fails("import", COUNT, "seven.json")


def test_inputs_must_be_known_and_the_message_says_what_to_apply(tiny: Project) -> None:
    tiny.write("names.json", "[]")
    said = " ".join(tiny.fails("import", FIT, "names.json").split())
    assert "What step.python.tallest is made from is not known yet" in said
    assert f"First: zenctl apply -target={DATA}" in said
    assert tiny.ok("state", "list") == ""


MISTAKES = (
    ((), "The paths are missing"),
    (("modle=old/model", "metrics=old/metrics.json"), 'Did you mean "model"?'),
    (("model=old/model",), "step.python.fit has more outputs: metrics"),
    (("old/model",), '"old/model" is not OUTPUT=PATH'),
    (("model=old/nothing", "metrics=old/metrics.json"), "There is no old/nothing"),
    (("model=old/empty", "metrics=old/metrics.json"), "there is nothing in it"),
    (("model=old/linked", "metrics=old/metrics.json"), "is a link to a place outside of the artifact"),
    (("model=old/model", "metrics=old/model"), "it has no metrics.json"),
)


def test_what_cannot_be_imported_is_told_and_nothing_is_recorded(training: Project) -> None:
    old = training.root / "old"
    (old / "empty").mkdir()
    (old / "linked").mkdir()
    (old / "linked" / "secret").symlink_to("/etc/hostname")
    for words, said in MISTAKES:
        assert said in " ".join(training.fails("import", "step.python.fit", *words).split())
    assert "step.python.fit" not in training.ok("state", "list")
    assert len(training.ok("history").splitlines()) == 2


def test_what_only_a_run_proves_cannot_be_imported(training: Project) -> None:
    words = ("import", "step.python.fit", "model=old/model", "metrics=old/metrics.json")
    for line, said in (
        ('cache = "never"', "runs at every apply"),
        ("reproducible = true", "is declared reproducible"),
        ("enabled = false", "is not part of the configuration now"),
    ):
        training.write("fit.zen.hcl", STEP.replace("code ", f"{line}\n  code "))
        assert said in " ".join(training.fails(*words).split())
    training.write("fit.zen.hcl", STEP)
    training.edit("main.zen.hcl", 'project = "tiny"', 'project = "tiny"\n  require_clean_code = true')
    assert "is not in a commit" in " ".join(training.fails(*words).split())
    assert "step.python.fit" not in training.ok("state", "list")


def test_a_gate_is_met_by_running_only(tiny: Project) -> None:
    gated = """
step "evaluate" "fit" {
  inputs = { model = step.python.fit.model, data = datasource.csv.heights }
  gates  = { accuracy = { min = 0.9 } }
}
"""
    tiny.write("fit.py", TRAINING)
    tiny.write("fit.zen.hcl", STEP + gated)
    tiny.ok("apply", "-auto-approve", f"-target={DATA}")
    tiny.write("m.keras/model.txt", "weights")
    tiny.write("m.json", '{"accuracy": 0.99}')
    tiny.ok("import", "step.python.fit", "model=m.keras", "metrics=m.json")
    said = tiny.fails("import", "step.evaluate.fit", "model=m.keras", "metrics=m.json")
    assert "step.evaluate.fit has gates" in said


def test_what_is_not_configured_is_told_with_the_block_to_write(tiny: Project) -> None:
    said = tiny.fails("import", "step.python.fit", "old")
    assert 'step "python" "fit" {\n  code = "fit.py:fit"\n}' in said
    assert 'endpoint "local" "x" {\n  model = step.TYPE.NAME.OUTPUT\n}' in tiny.fails("import", "endpoint.local.x", "y")
    assert 'Did you mean "python"?' in " ".join(tiny.fails("import", "step.pyton.fit", "old").split())
    assert "Did you mean" in tiny.fails("import", "step.python.talest", "old")
    document = tiny.json_of(1, "import", "-json", "step.python.fit", "old")
    assert document["imported"] is None
    assert document["diagnostics"][0]["severity"] == "error"


def test_an_import_waits_for_the_lock_and_looks_again_at_what_came_first(tiny: Project) -> None:
    make_slow(tiny)
    tiny.write("names.json", "[]")
    applying = tiny.start("apply", "-auto-approve")
    waiting = None
    try:
        wait_for(lambda: (tiny.root / "started").exists())
        assert str(applying.pid) in tiny.fails("import", FIT, "names.json", code=4)
        waiting = tiny.start("import", "-lock-timeout=5m", FIT, "names.json")
        assert waiting.stdout is not None
        wait_for(lambda: "waiting for the lock" in waiting.stdout.readline())
        (tiny.root / "started.go").touch()
        assert "step.python.tallest has a result already" in waiting.stdout.read()
        assert (applying.wait(timeout=PATIENCE), waiting.wait(timeout=PATIENCE)) == (0, 1)
    finally:
        kill_group(applying)
        if waiting is not None:
            kill_group(waiting)
    assert "imported" not in tiny.ok("state", "show", FIT)
    assert "No changes" in tiny.ok("plan", "-detailed-exitcode")


def snapshot(folder: Path, rows: int) -> Path:
    folder.mkdir()
    output = DatasetOutput(folder)
    output.write([{"name": f"p{i}", "height": 170 + i} for i in range(rows)])
    output.close()
    return folder


def test_a_snapshot_becomes_that_of_a_datasource(tiny: Project) -> None:
    snapshot(tiny.root / "old", 3)
    tiny.ok("import", DATA, "old")
    assert tiny.stale() == {FIT: "RUN", COUNT: "RUN"}
    assert "data from old" in tiny.ok("state", "show", DATA)
    tiny.ok("apply", "-auto-approve")
    (tiny.root / "heights.csv").write_text("name,height\nEve,190\n")
    assert tiny.stale()[DATA] == "RUN"


def test_a_snapshot_that_is_damaged_or_of_other_data_is_refused(tiny: Project) -> None:
    snapshot(tiny.root / "four", 4)
    assert "it has 4 rows, the source 3" in " ".join(tiny.fails("import", DATA, "four").split())
    whole = snapshot(tiny.root / "three", 3)
    shard = whole / "shards" / "00000.tfrecord"
    shard.write_bytes(shard.read_bytes()[:-1] + b"x")
    assert "shards/00000.tfrecord is damaged" in tiny.fails("import", DATA, "three")
    shutil.rmtree(whole / "shards")
    assert "shards/00000.tfrecord is missing" in tiny.fails("import", DATA, "three")
    assert "does not hold a Dataset" in " ".join(tiny.fails("import", DATA, "steps").split())
    assert tiny.ok("state", "list") == ""


def test_a_live_endpoint_becomes_managed(project: Project) -> None:
    port, _ = free_ports()
    project.write("s.py", FIT_CODE)
    project.write("main.zen.hcl", MAIN + endpoint("old", port, ""))
    project.ok("apply", "-auto-approve")
    pid = project.json("state", "show", "endpoint.local.old", "-json")["values"]["attributes"]["pid"]
    words = ("import", "-generate-config-out=live.zen.hcl", "endpoint.local.live", f"http://localhost:{port}")
    assert "is managed already, as endpoint.local.old" in " ".join(project.fails(*words).split())
    assert not (project.root / "live.zen.hcl").exists()

    project.write("main.zen.hcl", MAIN + "removed {\n  from = endpoint.local.old\n  lifecycle { destroy = false }\n}\n")
    project.ok("apply", "-auto-approve")
    assert "endpoint" not in project.ok("state", "list")
    said = project.fails("import", "endpoint.local.live", "old")
    assert 'endpoint "local" "live" {' in said
    printed = project.ok(*words)
    assert "Wrote live.zen.hcl." in printed
    assert "endpoint.local.live is imported." in printed
    written = f'endpoint "local" "live" {{\n  model = step.python.fit.model\n  port  = {port}\n}}\n'
    assert (project.root / "live.zen.hcl").read_text() == written
    assert "No changes" in project.ok("plan", "-detailed-exitcode")
    shown = project.ok("state", "show", "endpoint.local.live")
    assert "imported  endpoint from old" in " ".join(shown.split("\n")).replace("imported   ", "imported  ")
    assert "step.python.fit" in shown
    attributes = project.json("state", "show", "endpoint.local.live", "-json")["values"]["attributes"]
    assert (attributes["pid"], attributes["name"]) == (pid, "old")

    assert "is in the configuration" in project.fails(*words)
    assert "has an endpoint already" in project.fails("import", "endpoint.local.live", "old")
    assert 'There is no live local endpoint "other"' in project.fails("import", "endpoint.local.live", "other")
    project.ok("destroy", "-auto-approve")
    assert not answers(port)


def test_a_block_is_generated_for_endpoints_only_and_never_over_a_file(tiny: Project) -> None:
    tiny.write("fit.zen.hcl", "# mine\n")
    said = tiny.fails("import", "-generate-config-out=fit.zen.hcl", "step.python.fit", "old")
    assert "Write it, with its code, first" in said
    assert "is not for step.python.count" in tiny.fails("import", "-generate-config-out=x.zen.hcl", COUNT, "old")
    assert "cannot hold" in tiny.fails("import", "-generate-config-out=x.txt", "endpoint.local.x", "y")
    assert (tiny.root / "fit.zen.hcl").read_text() == "# mine\n"
    assert not (tiny.root / "x.zen.hcl").exists()
