"""The command of a job's container, and what its end means. tests/providers run it with a real podman."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from zenctl.jobs.containers import (
    ALIVE,
    CONTAINER,
    OUT_OF_MEMORY,
    Container,
    ContainerProblem,
    container_command,
    explain_end,
    find_engine,
    note_container,
    remove_container,
)
from zenctl.runner.contained import lacked_memory

PODMAN, DOCKER = "/usr/bin/podman", "/usr/bin/docker"


def container(work: Path = Path("/w"), **more: object) -> Container:
    made = Container("j", "i@sha256:0", Path("/r.pyz"), "gs://b", work, work)
    return replace(made, **more)  # type: ignore[arg-type]


def engine(folder: Path, script: str) -> str:
    """A program that stands for an engine."""
    path = folder / "docker"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def test_variables_are_in_the_command_by_their_names_only() -> None:
    command = container_command(PODMAN, container(variables=("ZENCTL_STORE_ACCESS",)))
    assert command[command.index("ZENCTL_STORE_ACCESS") - 1] == "--env"
    assert not any(word.startswith("ZENCTL_STORE_ACCESS=") for word in command)


@pytest.mark.parametrize(
    ("engine", "words"), [(PODMAN, ["--device", "nvidia.com/gpu=all"]), (DOCKER, ["--gpus", "all"])]
)
def test_gpus_and_memory(engine: str, words: list[str]) -> None:
    command = container_command(engine, container(gpus=True, memory=1 << 30))
    assert command[command.index(words[0]) + 1] == words[1]
    assert command[command.index("--memory") + 1] == str(1 << 30)
    plain = container_command(engine, container())
    assert not {words[0], "--memory"} & set(plain)


def test_files_belong_to_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    monkeypatch.setattr(os, "getgid", lambda: 100)
    podman, docker = (container_command(engine, container()) for engine in (PODMAN, DOCKER))
    assert podman[podman.index("--user") + 1] == docker[docker.index("--user") + 1] == "1000:100"
    assert "keep-id" in podman
    assert "keep-id" not in docker


def test_a_path_that_cannot_be_mounted_is_refused() -> None:
    with pytest.raises(ContainerProblem, match="comma"):
        container_command(PODMAN, container(Path("/a,b")))


def test_without_an_engine_it_is_told_what_was_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine(tmp_path, "echo 'Cannot connect to the daemon' >&2; exit 1")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ContainerProblem) as caught:
        find_engine("Install one.")
    said = "podman is not installed; docker does not work: Cannot connect to the daemon"
    assert (caught.value.message, caught.value.hint) == (f"no container can be run here: {said}", "Install one.")


@pytest.mark.parametrize(
    ("code", "files", "told"),
    [
        (0, (), (0, 0, "")),
        (1, (ALIVE,), (1, 0, "")),
        (125, (), (125, 0, "podman could not run its image: Error: that is why")),
        (126, (), (126, 0, "podman could not run its image: Error: that is why")),
        (127, (), (127, 0, "its image has no python3 on its PATH: steps need Python 3.9 or newer")),
        (127, (ALIVE,), (127, 0, "")),
        (137, (ALIVE,), (None, 9, "")),
        (143, (ALIVE,), (None, 15, "")),
        (
            137,
            (ALIVE, OUT_OF_MEMORY),
            (None, 9, "it was ended by the system because it ran out of memory, of which it may take 2 GiB"),
        ),
    ],
)
def test_what_an_end_means(
    tmp_path: Path, code: int, files: tuple[str, ...], told: tuple[int | None, int, str]
) -> None:
    note_container(PODMAN, container(tmp_path, memory=2 << 30))
    (tmp_path / "log.txt").write_text("first\nError: that is why\n")
    for name in files:
        (tmp_path / name).touch()
    assert explain_end(tmp_path, code, tmp_path / "log.txt") == told
    (tmp_path / CONTAINER).unlink()
    assert explain_end(tmp_path, code, tmp_path / "log.txt") == (code, 0, "")


def test_what_is_gone_already_is_removed(tmp_path: Path) -> None:
    remove_container(tmp_path)
    asked = tmp_path / "asked"
    gone = f"echo $* >> {asked}; echo 'Error: No such container: zenctl-j' >&2; exit 1"
    note_container(engine(tmp_path, gone), container(tmp_path))
    remove_container(tmp_path)
    assert asked.read_text() == "rm --force zenctl-j\n", "what is gone is not asked for again"


def test_what_cannot_be_removed_is_told(tmp_path: Path) -> None:
    note_container("/nowhere/docker", container(tmp_path))
    with pytest.raises(ContainerProblem, match="the container zenctl-j may still run: ") as caught:
        remove_container(tmp_path)
    assert caught.value.hint == "Remove it: /nowhere/docker rm --force zenctl-j"
    assert caught.value.passing


@pytest.mark.parametrize(
    ("text", "lacked"),
    [
        ("low 0\nhigh 3\nmax 7\noom 2\noom_kill 1\n", True),
        ("oom_kill_disable 0\nunder_oom 0\noom_kill 2\n", True),
        ("low 0\noom 2\noom_kill 0\noom_group_kill 0\n", False),
        ("", False),
    ],
)
def test_whether_memory_was_lacking(tmp_path: Path, text: str, lacked: bool) -> None:
    (tmp_path / "memory.events").write_text(text)
    assert lacked_memory([tmp_path / "not-there", tmp_path / "memory.events"]) is lacked
