"""What a step's code finds in its checkpoint folder after an attempt that has failed, and what is saved when."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from zenctl.jobs.checkpoints import CHECKPOINTS, CheckpointStore, checkpoint_key
from zenctl.jobs.spec import Checkpointing, Entry, OutputSpec
from zenctl.jobs.storage import FolderStorage, StorageError
from zenctl.runner.checkpointing import Keeper, Pace

from .conftest import RunnerBench, value

KEY = checkpoint_key("p", "default", "f" * 64)
OWN = Checkpointing(KEY, "kept")


def keeper(root: Path, job: str = "job-1") -> Keeper:
    """A keeper whose thread leaves everything to the test."""
    store = CheckpointStore(FolderStorage(root / "store"), KEY, job)
    return Keeper(store, root / job, print, Pace(look=3600.0, still=1.0, least=10.0))


@contextmanager
def ended(kept: Keeper) -> Iterator[None]:
    """The step's code, which is ended in its midst."""
    with suppress(KeyboardInterrupt), kept:
        yield
        raise KeyboardInterrupt


def changed(folder: Path, at: float) -> None:
    """Have everything in the folder look as if it had been written then."""
    for path in (*folder.rglob("*"), folder):
        os.utime(path, (at, at))


def left(root: Path) -> dict[str, str]:
    target = root / "left"
    target.mkdir(exist_ok=True)
    CheckpointStore(FolderStorage(root / "store"), KEY, "x").restore(target)
    return {path.name: path.read_text() for path in target.iterdir()}


def test_the_folder_is_saved_by_itself_once_it_is_still(tmp_path: Path) -> None:
    kept = keeper(tmp_path)
    folder = kept.checkpoints().path
    assert not kept.look(1000.0), "there is nothing yet"
    (folder / "a").write_text("1")
    changed(folder, 1000.0)
    assert not kept.look(1000.5), "it may be in the midst of it"
    assert kept.look(1001.5)
    assert left(tmp_path) == {"a": "1"}
    (folder / "a").write_text("2")
    changed(folder, 1002.0)
    kept._next = 1011.5
    assert not kept.look(1005.0), "saving takes no more than its share of the time"
    assert kept.look(1012.0)
    kept._next = 0.0
    assert not kept.look(1030.0), "nothing has changed"
    assert left(tmp_path) == {"a": "2"}


def test_a_step_that_is_ended_saves_what_was_complete(tmp_path: Path) -> None:
    kept = keeper(tmp_path)
    folder = kept.checkpoints().path
    with ended(kept):
        (folder / "a").write_text("1")
        changed(folder, 1000.0)
    assert left(tmp_path) == {"a": "1"}
    again = keeper(tmp_path, "job-2")
    made = again.checkpoints()
    assert (made.resumed, again.restored.job_id if again.restored else "") == (True, "job-1")
    with ended(again):
        (made.path / "a").write_text("half-writ")
    assert left(tmp_path) == {"a": "1"}, "what was being written is not complete"


def test_code_that_saves_itself_is_left_to_it(tmp_path: Path) -> None:
    kept = keeper(tmp_path)
    made = kept.checkpoints()
    with ended(kept):
        (made.path / "a").write_text("1")
        assert made.save()
        (made.path / "b").write_text("2")
        changed(made.path, 1000.0)
        assert not kept.look(2000.0)
    assert left(tmp_path) == {"a": "1"}


def test_a_save_that_was_interrupted_is_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = keeper(tmp_path)
    made = kept.checkpoints()
    put = FolderStorage.put
    calls = []

    def interrupted(self: FolderStorage, path: str, source: bytes | Path, *, overwrite: bool = False) -> bool:
        calls.append(path)
        if len(calls) == 1:
            raise KeyboardInterrupt
        return put(self, path, source, overwrite=overwrite)

    monkeypatch.setattr(FolderStorage, "put", interrupted)
    with ended(kept):
        (made.path / "a").write_text("1")
        made.save()
    assert left(tmp_path) == {"a": "1"}


def test_a_store_that_refuses_costs_the_checkpoint_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = keeper(tmp_path)
    made = kept.checkpoints()

    def refused(self: FolderStorage, path: str, source: bytes | Path, *, overwrite: bool = False) -> bool:
        raise StorageError("UNAUTHORIZED", "no permission")

    monkeypatch.setattr(FolderStorage, "put", refused)
    (made.path / "a").write_text("1")
    assert not made.save()
    assert "zenctl: the checkpoint could not be saved: no permission" in capsys.readouterr().out


SOURCE = """
import os, signal
from zenctl.sdk import Checkpoints
def step(kept: Checkpoints, *, crash=True) -> list:
    file = kept.path / "done"
    done = file.read_text().split() if kept.resumed else []
    assert kept.resumed == bool(done)
    for turn in range(len(done), 4):
        done.append(str(turn) + os.environ["ZENCTL_JOB_ID"][:2])
        file.write_text(" ".join(done))
        assert kept.save() or not crash
        if crash and len(done) in (1, 2):
            os.kill(os.getpid(), signal.SIGKILL)
        if crash and len(done) == 3:
            raise ValueError("no more")
    return [word[0] for word in done]
"""


def test_attempts_go_on_where_the_last_one_was(bench: RunnerBench) -> None:
    bench.run(bench.order(SOURCE, job_id="a1", outputs=value(), checkpoints=OWN))
    assert bench.exit_code == -signal.SIGKILL
    bench.run(bench.order(SOURCE, job_id="b2", outputs=value(), checkpoints=OWN))
    assert bench.exit_code == -signal.SIGKILL
    assert "goes on from the checkpoint of a1 (1 file, 3 bytes)" in bench.log
    failing = bench.order(SOURCE, job_id="c3", outputs=value(), checkpoints=OWN)
    assert bench.fail(failing).message == "ValueError: no more"
    failed = bench.result(failing)
    assert failed is not None
    assert failed.resumed == "b2"
    result = bench.succeed(bench.order(SOURCE, job_id="d4", outputs=value(), checkpoints=OWN))
    assert (result.resumed, result.outputs["result"].properties) == ("c3", {"value": ["0", "1", "2", "3"]})
    # One that is to be compared with it, or reproduced, begins anew and leaves nothing.
    bench.storage.delete(next(bench.storage.list(f"{CHECKPOINTS}{KEY}/sets/")).path)
    before = [info.path for info in bench.storage.list(CHECKPOINTS)]
    alone = bench.order(SOURCE, outputs=value(), checkpoints=Checkpointing("", "kept"), params={"crash": False})
    again = bench.succeed(alone)
    assert (again.resumed, again.outputs["result"].digest) == ("", result.outputs["result"].digest)
    assert [info.path for info in bench.storage.list(CHECKPOINTS)] == before


def test_a_canceled_step_saves_what_its_code_has_left_alone(bench: RunnerBench) -> None:
    source = """
import os, sys, time
def step(kept):
    (kept.path / "a").write_text("1")
    for path in (kept.path / "a", kept.path):
        os.utime(path, (1000, 1000))
    print("written", flush=True)
    time.sleep(1000)
"""
    spec = bench.order(source, outputs=value(), checkpoints=OWN)
    process = subprocess.Popen(
        bench.command(spec), cwd=bench.root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout is not None
    assert "written" in process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    result = bench.result(spec)
    assert result is not None
    assert result.error is not None
    assert result.error.kind == "canceled"
    assert left_by(bench) == {"a": "1"}


def test_a_command_learns_of_the_folder(bench: RunnerBench) -> None:
    words = (
        "/bin/sh",
        "-c",
        'echo 1 > "$ZENCTL_CHECKPOINTS/a"; cp "$ZENCTL_CHECKPOINTS/a" "$ZENCTL_OUTPUT_OUT"; exit 3',
    )
    outputs = {"out": OutputSpec("Artifact")}
    spec = bench.order(entry=Entry(command=words), outputs=outputs, checkpoints=OWN)
    assert "exit code 3" in bench.fail(spec).message


def left_by(bench: RunnerBench) -> dict[str, str]:
    target = bench.root / "left"
    target.mkdir()
    CheckpointStore(bench.storage, KEY, "x").restore(target)
    return {path.name: path.read_text() for path in target.iterdir()}
