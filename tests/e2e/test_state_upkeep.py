"""Stored results are verified and freed: plans stay what they are, kills heal, applies and collections keep apart."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.e2e.conftest import Project, kill_group, wait_for
from tests.e2e.test_commands import make_slow
from tests.measuring import PATIENCE
from zenctl.engine.events import Notice
from zenctl.engine.requests import ImportRequest, Inputs
from zenctl.engine.workflow import import_result
from zenctl.metadata.holder import Holder
from zenctl.metadata.lock import acquire
from zenctl.metadata.opening import open_store

APPLY = ("apply", "-auto-approve")
TALLEST, COUNT, DATA = "step.python.tallest", "step.python.count", "datasource.csv.heights"

KILLED = """
import os, signal, sys
from zenctl.jobs.storage import FolderStorage

left, real = int(sys.argv.pop(1)), FolderStorage.delete

def delete(self, path):
    global left
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    left -= 1
    real(self, path)

FolderStorage.delete = delete
from zenctl.cli.main import main
main()
"""


def killed_gc(project: Project, deletions: int) -> None:
    """A collection that is killed before it deletes one object more."""
    words = [sys.executable, "-c", KILLED, str(deletions), "state", "gc", "-auto-approve"]
    done = subprocess.run(words, cwd=project.root, env=project.environment, capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stdout.decode() + done.stderr.decode()


def objects(project: Project) -> list[Path]:
    found = (project.root / ".zenctl" / "artifacts").rglob("*")
    return sorted(path for path in found if path.is_file())


def blob_of(project: Project, digest: str) -> Path:
    return project.root / ".zenctl" / "artifacts" / "blobs" / digest[:2] / digest


def actions(project: Project, *words: str) -> dict[str, Any]:
    """All that a plan says of every address, and its outputs."""
    project.ok("plan", "-out=p.plan", *words)
    document = project.json("show", "-json", "p.plan")
    return {c["address"]: (c["zenctl_action"], c["change"]["after"]) for c in document["resource_changes"]}


def test_verify_names_what_is_missing_and_corrupt(tiny: Project) -> None:
    tiny.ok(*APPLY)
    assert "Nothing is missing or corrupt. Read 5 artifacts, 8 files" in tiny.ok("state", "verify")
    clean = tiny.json("state", "verify", "-json", "-all")
    assert (clean["clean"], clean["faults"], clean["artifacts"]) == (True, [], 5)

    assert DATA in [row["address"] for row in tiny.json("state", "list", "-json")]
    tree = tiny.json("state", "show", "-json", DATA)["values"]["outputs"]["data"]["digest"]
    faults = {f["file"]: f for f in _damaged(tiny, tree)["faults"]}
    shard, schema = faults["shards/00000.tfrecord"], faults["schema.json"]
    assert (shard["kind"], shard["type"], shard["named_by"]) == ("corrupt", "Dataset", [f"{DATA}.data"])
    assert shard["expected"]["bytes"] == shard["found"]["bytes"]
    assert shard["expected"]["sha256"] != shard["found"]["sha256"]
    assert (schema["kind"], schema["found"]) == ("missing", None)
    said = tiny.fails("state", "verify", TALLEST)
    assert f"corrupt  input data of {TALLEST}: shards/00000.tfrecord" in said
    assert "1 missing and 1 corrupt" in said
    assert "Nothing is missing or corrupt" in tiny.ok("state", "verify", COUNT)
    assert "No result is recorded for step.python.cont" in tiny.fails("state", "verify", "step.python.cont")
    assert "-all and addresses together" in tiny.fails("state", "verify", "-all", COUNT)

    assert "1 corrupt file deleted" in tiny.fails("state", "verify", "-remove-corrupt")
    assert tiny.stale()[DATA] == "RUN"
    tiny.ok(*APPLY)
    assert "Nothing is missing or corrupt" in tiny.ok("state", "verify", "-all-workspaces")


def _damaged(project: Project, digest: str) -> Any:
    """Flip a bit of one file of a snapshot, which keeps its size, and remove another."""
    from zenctl.jobs.artifacts import read_tree
    from zenctl.jobs.storage import FolderStorage

    files = {f.path: f.sha256 for f in read_tree(FolderStorage(project.root / ".zenctl" / "artifacts"), digest).files}
    shard = blob_of(project, files["shards/00000.tfrecord"])
    shard.chmod(0o644)
    data = bytearray(shard.read_bytes())
    data[20] ^= 1
    shard.write_bytes(bytes(data))
    blob_of(project, files["schema.json"]).unlink()
    return project.json_of(1, "state", "verify", "-json")


def test_old_versions_go_and_what_needs_them_says_so(tiny: Project) -> None:
    for top in (1, 3, 2):
        tiny.ok(*APPLY, f"-var=top={top}")
    tiny.ok("plan", "-var=top=1", "-out=old.plan")
    tiny.ok("reproduce", f"{COUNT}@1")
    asked = tiny.run("state", "gc")
    assert asked.returncode == 1
    assert "Not approved, so nothing was freed" in asked.stderr
    assert "-json needs -dry-run or -auto-approve" in tiny.fails("state", "gc", "-json")

    dry = tiny.json("state", "gc", "-dry-run", "-json")
    assert [(g["address"], g["versions"], g["workspaces"]) for g in dry["garbage"]["addresses"]] == [
        (COUNT, 2, ["default"]),
        (TALLEST, 2, ["default"]),
    ]
    assert (dry["freed"], dry["garbage"]["staging"]["files"]) == (None, 0)
    assert tiny.json("state", "gc", "-dry-run", "-keep=2", "-json")["garbage"]["addresses"][0]["versions"] == 1
    assert "There is nothing to free" in tiny.ok("state", "gc", "-older-than=1h")

    before = len(objects(tiny))
    assert "4 versions of 2 addresses" in tiny.ok("state", "gc", "-auto-approve")
    assert before - len(objects(tiny)) == dry["garbage"]["files"]
    assert "No changes" in tiny.ok("plan", "-detailed-exitcode")
    assert "Nothing is missing or corrupt" in tiny.ok("state", "verify", "-all")
    assert "There is nothing to free" in tiny.ok("state", "gc")

    assert tiny.stale("-var=top=1") == {TALLEST: "RUN", COUNT: "MAY_RUN"}
    assert "a result that it reuses is gone" in tiny.fails("apply", "old.plan", code=5)
    assert "has freed its input names (Artifact " in tiny.fails("reproduce", f"{COUNT}@1")
    tiny.ok(*APPLY, "-var=top=1")
    assert tiny.json("output", "-json", "count") == 1
    assert "Nothing is missing or corrupt" in tiny.ok("state", "verify", "-all")


def test_a_snapshot_that_is_pinned_but_not_applied_stays(tiny: Project) -> None:
    tiny.ok(*APPLY)
    first = (tiny.root / "heights.csv").read_text()
    tiny.write("heights.csv", first + "Zoe,199\n")
    tiny.ok(*APPLY)
    tiny.edit("main.zen.hcl", 'path = "heights.csv"', 'path = "heights.csv"\n  version = "1"')
    assert DATA not in tiny.ok("state", "gc", "-auto-approve")
    assert tiny.stale()[DATA] == "REUSE"
    tiny.edit("main.zen.hcl", '\n  version = "1"', "")
    assert DATA in tiny.ok("state", "gc", "-auto-approve")
    tiny.edit("main.zen.hcl", 'path = "heights.csv"', 'path = "heights.csv"\n  version = "1"')
    assert "was deleted, or is damaged" in tiny.fails("plan")


def test_a_collection_that_is_killed_leaves_plans_right_and_is_finished_by_the_next(tiny: Project) -> None:
    for top in (1, 3, 2):
        tiny.ok(*APPLY, f"-var=top={top}")
    before = actions(tiny)
    for deletions in (0, 1, 3):
        killed_gc(tiny, deletions)
        assert actions(tiny) == before
        assert "Nothing is missing or corrupt" in tiny.ok("state", "verify", "-all")
    # What is half deleted is not reused, and made anew beside what is left of it.
    tiny.ok(*APPLY, "-var=top=1")
    assert tiny.json("output", "-json", "count") == 1
    tiny.ok("state", "gc", "-auto-approve")
    assert "Nothing is missing or corrupt" in tiny.ok("state", "verify", "-all")
    assert "There is nothing to free" in tiny.ok("state", "gc")
    trees = [path for path in objects(tiny) if "trees" in path.parts]
    assert len(trees) == 3


def test_while_an_apply_runs_nothing_is_freed(tiny: Project) -> None:
    for top in (1, 3):
        tiny.ok(*APPLY, f"-var=top={top}")
    make_slow(tiny)
    running = tiny.start(*APPLY)
    try:
        wait_for((tiny.root / "started").exists)
        before = objects(tiny)
        # Nothing that the running job has written is even shown.
        dry = tiny.json("state", "gc", "-dry-run", "-json")
        assert dry["garbage"]["staging"]["files"] == 0
        refused = tiny.fails("state", "gc", "-auto-approve", code=4)
        assert "is locked by apply 3" in " ".join(refused.split())
        assert objects(tiny) == before
        waiting = tiny.start("state", "gc", "-auto-approve", "-lock-timeout=10m")
        assert waiting.stdout is not None
        wait_for(lambda: "waiting for an apply to end" in waiting.stdout.readline())
        (tiny.root / "started.go").touch()
        assert running.wait() == 0
        assert waiting.wait() == 0
    finally:
        kill_group(running)
    assert "Nothing is missing or corrupt" in tiny.ok("state", "verify", "-all")
    assert "No changes" in tiny.ok("plan", "-detailed-exitcode")


def test_a_store_without_its_records_is_left_alone(tiny: Project) -> None:
    tiny.ok(*APPLY)
    (tiny.root / ".zenctl" / "metadata.db").unlink()
    before = objects(tiny)
    assert "Another metadata store uses this artifact store too" in tiny.fails("state", "gc", "-auto-approve")
    assert objects(tiny) == before
    assert "abandoned files" in tiny.ok("state", "gc", "-auto-approve", "-force")
    assert objects(tiny) == []


def test_whatever_was_applied_before_collections_change_no_plan(tiny: Project) -> None:
    chance = random.Random(5)
    tiny.edit("main.zen.hcl", 'project = "tiny"', 'project = "tiny"\n  reuse_from = ["*"]')
    applied: dict[str, int] = {}
    for _ in range(4):
        workspace, top = chance.choice(["default", "one"]), chance.randrange(1, 4)
        tiny.ok(*APPLY, f"-workspace={workspace}", f"-var=top={top}")
        applied[workspace] = top
        if chance.random() < 0.3:
            tiny.ok("state", "rm", f"-workspace={workspace}", COUNT)
            tiny.ok(*APPLY, f"-workspace={workspace}", f"-var=top={top}")
        if chance.random() < 0.6:
            flags = [(f"-workspace={name}", f"-var=top={value}") for name, value in applied.items()]
            before = [actions(tiny, *words) for words in flags]
            tiny.ok("state", "gc", "-auto-approve", f"-keep={chance.randrange(3)}")
            assert [actions(tiny, *words) for words in flags] == before
            assert "Nothing is missing or corrupt" in tiny.ok("state", "verify", "-all")
    tiny.ok("state", "gc", "-auto-approve")
    assert "Nothing is missing or corrupt" in tiny.ok("state", "verify", "-all-workspaces")


def test_an_import_whose_files_were_collected_before_it_had_the_lock_stores_them_again(tiny: Project) -> None:
    tiny.ok(*APPLY, f"-target={DATA}")
    tiny.write("mine/names.json", '["Carl","Ada","Eve"]')
    before = objects(tiny)
    store = open_store("sqlite", {}, tiny.root / ".zenctl", create=True)
    elsewhere = Holder("other-host", 4711, "zenctl apply", "ada")
    lock = acquire(store, "tiny", "default", elsewhere, lease_seconds=3600)

    def heard(event: object) -> None:
        if isinstance(event, Notice) and "waiting for the lock" in event.text:
            stored = [path for path in objects(tiny) if path not in before and "jobs" not in path.parts]
            assert stored
            for path in stored:
                path.unlink()
            lock.finish("complete")

    try:
        outcome = import_result(Inputs(tiny.root), ImportRequest(TALLEST, ("names=mine",), PATIENCE), heard)
    finally:
        lock.close()
        store.close()
    assert outcome.imported is not None, outcome.diagnostics
    assert "Nothing is missing or corrupt" in tiny.ok("state", "verify")
