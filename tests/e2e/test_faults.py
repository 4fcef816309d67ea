"""Faults in the midst of an apply: it waits or stops and says why, records nothing wrong, and the next one goes on.

`docs/faults.md` shows what these tests see.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.crash.crashing import SITE
from tests.documented import expect_documented
from tests.e2e.conftest import Project, kill_group, wait_for
from tests.e2e.test_locking import STEPS, computed, ended, go_on, slow, started
from tests.e2e.test_metadata_stores import configure
from tests.measuring import PATIENCE
from tests.servers import PASSWORD, free_port, running

__all__ = ["slow"]


def words(text: str) -> str:
    """A text as if it had not been broken into lines."""
    return " ".join(text.split())


class Server:
    """What keeps the records: how it is stopped and started again."""

    def __init__(self, start: Callable[[], None], stop: Callable[[], None]) -> None:
        self.start = start
        self.stop = stop


@pytest.fixture(params=["mysql", "postgresql", "grpc"])
def server(
    slow: Project, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Server]:
    """A server that holds the records of the small project."""
    slow.environment["HOME"] = str(tmp_path)
    if request.param == "grpc":
        yield from _grpc(slow)
        return
    monkeypatch.setenv("MLMD_PASSWORD", PASSWORD)
    slow.environment["MLMD_PASSWORD"] = PASSWORD
    with running(request.param) as made:
        configure(slow, made, made.database(), "env:MLMD_PASSWORD", request.param)
        yield Server(made.start, made.stop)


def _grpc(project: Project) -> Iterator[Server]:
    port = free_port()
    served = Project(project.root.parent / "served", project.environment)
    served.root.mkdir()
    served.write("main.zen.hcl", 'zenctl {\n  project = "served"\n}\n')
    serving: list[subprocess.Popen[str]] = []

    def start() -> None:
        serving.append(served.start("metadata", "serve", f"-listen=127.0.0.1:{port}"))
        out = serving[-1].stdout
        assert out is not None
        wait_for(lambda: f"127.0.0.1:{port}" in out.readline())

    def stop() -> None:
        serving[-1].send_signal(signal.SIGTERM)
        serving[-1].wait(PATIENCE)

    start()
    project.ok("config", "metadata", "set", "grpc", f"-port={port}")
    try:
        yield Server(start, stop)
    finally:
        for process in serving:
            kill_group(process)


def test_a_metadata_server_that_is_started_again_is_waited_for(slow: Project, server: Server) -> None:
    applying = started(slow)
    server.stop()
    go_on(slow)
    assert applying.stdout is not None
    out, lines = applying.stdout, [""]
    wait_for(lambda: lines.append(out.readline()) or "waiting for it up to" in lines[-1])
    expect_documented("the metadata server is stopped and started again", lines[-1])
    server.start()
    [(code, said)] = ended(applying)
    assert code == 0, said
    assert computed(slow) == dict.fromkeys(STEPS, 1)
    slow.ok("plan", "-detailed-exitcode")


@pytest.mark.parametrize("server", ["mysql"], indirect=True)
def test_a_metadata_server_that_stays_away_ends_the_apply(slow: Project, server: Server) -> None:
    applying = started(slow, PYTHONPATH=str(SITE), ZENCTL_TEST_BUSY="1")
    server.stop()
    go_on(slow)
    [(code, said)] = ended(applying)
    assert code == 1
    expect_documented("the metadata server stays away", said)
    assert "met a bug" not in said
    server.start()
    said = slow.ok("apply", "-auto-approve")
    assert "step.python.tallest: finished in apply 1 before that was interrupted; its result is kept" in words(said)
    assert computed(slow) == dict.fromkeys(STEPS, 1)
    slow.ok("plan", "-detailed-exitcode")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 4 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(place)]
    mounted = subprocess.run(command, capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip(f"a tmpfs cannot be mounted here: {mounted.stderr.decode().strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.fixture
def immutable(slow: Project) -> Iterator[Callable[[bool], None]]:
    """Makes the folders of the artifact store such that even root may put nothing into them, and back."""
    store = slow.root / ".zenctl" / "artifacts"

    def change(on: bool) -> None:
        folders = [store, *(path for path in store.rglob("*") if path.is_dir())]
        command = ["chattr", "+i" if on else "-i", *map(str, folders)]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("this file system has no immutable folders, or who runs this may not make them")

    yield change
    if store.exists():
        change(False)


def test_an_artifact_store_that_refuses_writes(slow: Project, immutable: Callable[[bool], None]) -> None:
    applying = started(slow)
    immutable(True)
    go_on(slow)
    [(code, said)] = ended(applying)
    assert code == 1
    expect_documented("the artifact store refuses writes", said)
    assert "met a bug" not in said
    before = slow.ok("state", "list").split()
    assert before == ["datasource.csv.heights"]
    expect_documented("the same, before a step begins", slow.fails("apply", "-auto-approve"))
    immutable(False)
    slow.ok("apply", "-auto-approve")
    assert computed(slow) == dict.fromkeys(STEPS, 1)
    slow.ok("plan", "-detailed-exitcode")


def filled(disk: Path) -> Path:
    """A file that takes all that is left of a disk."""
    ballast = disk / "ballast"
    with open(ballast, "wb", buffering=0) as stream, suppress(OSError):
        while True:
            stream.write(bytes(4096))
    return ballast


def test_a_disk_with_the_artifacts_that_fills_up_and_is_freed(slow: Project, disk: Path) -> None:
    slow.edit("main.zen.hcl", 'project = "tiny"', f'project = "tiny"\n  artifacts "local" {{ path = "{disk}" }}')
    applying = started(slow)
    ballast = filled(disk)
    go_on(slow)
    [(code, said)] = ended(applying)
    assert code == 1
    assert "met a bug" not in said
    expect_documented("the disk with the artifacts is full", said)
    ballast.unlink()
    assert slow.ok("state", "list").split() == ["datasource.csv.heights"]
    slow.ok("apply", "-auto-approve")
    assert computed(slow) == dict.fromkeys(STEPS, 1)
    slow.ok("plan", "-detailed-exitcode")


def test_a_disk_that_fills_up_and_is_freed(slow: Project, disk: Path) -> None:
    """Metadata, artifacts and work folders are all on it."""
    (slow.root / ".zenctl").symlink_to(disk)
    applying = started(slow)
    ballast = filled(disk)
    go_on(slow)
    [(code, said)] = ended(applying)
    assert code == 1, said
    assert "met a bug" not in said
    expect_documented("the disk with everything on it is full", said)
    ballast.unlink()
    slow.ok("apply", "-auto-approve")
    assert computed(slow)["datasource.csv.heights"] == 1
    slow.ok("plan", "-detailed-exitcode")


def test_what_is_gone_or_damaged_in_the_store_is_named(tiny: Project) -> None:
    tiny.ok("apply", "-auto-approve")
    blobs = {path.read_bytes(): path for path in (tiny.root / ".zenctl" / "artifacts" / "blobs").glob("*/*")}
    names = blobs[b'["Blaise", "Carl"]']
    names.unlink()
    said = tiny.run("plan", "-detailed-exitcode")
    assert said.returncode == 2
    expect_documented("a result is gone from the artifact store", said.stdout)
    assert f"blobs/{names.parent.name}/{names.name}" in words(said.stdout)
    names.write_bytes(b"cut")
    expect_documented("a result is damaged", tiny.ok("plan"))
    tiny.ok("apply", "-auto-approve")
    assert names.read_bytes() == b'["Blaise", "Carl"]'
    tiny.ok("plan", "-detailed-exitcode")


def test_a_step_that_ignores_an_interrupt_is_killed_after_the_grace_period(slow: Project) -> None:
    """As a CI system ends a job: SIGTERM, no terminal, and no second signal before it kills."""
    slow.environment["ZENCTL_CLI_ARGS_apply"] = "-grace-period=1s"
    applying = started(slow)
    os.kill(applying.pid, signal.SIGTERM)
    [(code, said)] = ended(applying)
    assert code == 143
    expect_documented("SIGTERM with `-grace-period`", said)
    assert "1 canceled, 1 skipped" in said
    go_on(slow)
    said = slow.ok("apply", "-auto-approve")
    assert "datasource.csv.heights: ran" not in said
    slow.ok("plan", "-detailed-exitcode")
