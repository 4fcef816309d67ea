"""How a machine comes by a program that runs containers."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from zenctl.jobs.containers import ContainerProblem
from zenctl.runner import engines
from zenctl.runner.engines import STARTING_SECONDS, have_engine


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that holds all programs which the machine has."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("sh", "cat", "chmod"):
        (folder / name).symlink_to(str(shutil.which(name)))
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(engines.os, "getuid", lambda: 0)
    return folder


def program(path: Path, script: str) -> str:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def apt_get(machine: Path, *, fails: str = "") -> Path:
    """An apt-get that notes what it is asked for, and installs a podman that works."""
    asked = machine / "asked"
    install = f'case "$*" in *"{fails or "nothing"}"*) echo "E: Unable to fetch"; exit 100;; *install*) '
    install += f"echo '#!/bin/sh' > {machine}/podman; chmod +x {machine}/podman;; esac"
    program(machine / "apt-get", f'echo "$DEBIAN_FRONTEND $*" >> {asked}\n{install}')
    return asked


def test_what_is_there_is_taken(machine: Path, tmp_path: Path) -> None:
    asked = apt_get(machine)
    docker = program(machine / "docker", "exit 0")
    assert have_engine(pytest.fail, tmp_path / "lock") == docker
    assert not asked.exists()


def test_where_there_is_none_podman_is_installed_once(machine: Path, tmp_path: Path) -> None:
    asked = apt_get(machine)
    said: list[str] = []
    for _ in range(2):
        assert have_engine(said.append, tmp_path / "lock") == str(machine / "podman")
    assert said == ["zenctl: this machine has neither podman nor docker; installing podman with apt-get"]
    update, install = asked.read_text().splitlines()
    assert update == "noninteractive -o DPkg::Lock::Timeout=300 -q update"
    assert install.endswith("-q install --yes --no-install-recommends podman")


@pytest.mark.parametrize("fails", ["update", "install"])
def test_an_installation_that_fails_says_what_to_do(machine: Path, tmp_path: Path, fails: str) -> None:
    apt_get(machine, fails=fails)
    with pytest.raises(
        ContainerProblem, match=r"podman cannot be installed: `apt-get .*` ended with exit code 100"
    ) as caught:
        have_engine(lambda _: None, tmp_path / "lock")
    assert "Cloud NAT" in caught.value.hint
    assert fails in caught.value.message


def test_where_nothing_can_be_installed_it_is_told_what_to_boot(
    machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ContainerProblem, match="podman is not installed; docker is not installed") as caught:
        have_engine(lambda _: None, tmp_path / "lock")
    assert "Boot an image of Debian or Ubuntu" in caught.value.hint
    # Nor where that is not permitted.
    asked = apt_get(machine)
    monkeypatch.setattr(engines.os, "getuid", lambda: 1000)
    with pytest.raises(ContainerProblem, match="docker is not installed"):
        have_engine(lambda _: None, tmp_path / "lock")
    assert not asked.exists()


def test_an_engine_that_is_starting_is_waited_for(machine: Path, tmp_path: Path) -> None:
    docker = program(machine / "docker", f"test -e {tmp_path}/up")
    times = iter([0.0, 1.0, 2.0])

    def sleep(seconds: float) -> None:
        (tmp_path / "up").touch()

    assert have_engine(pytest.fail, tmp_path / "lock", clock=lambda: next(times), sleep=sleep) == docker


def test_one_that_never_works_is_told(machine: Path, tmp_path: Path) -> None:
    program(machine / "docker", "echo 'no daemon' >&2; exit 1")
    times = iter([0.0, 1.0, STARTING_SECONDS + 1])
    pauses: list[float] = []
    with pytest.raises(ContainerProblem, match="docker does not work: no daemon"):
        have_engine(pytest.fail, tmp_path / "lock", clock=lambda: next(times), sleep=pauses.append)
    assert len(pauses) == 1
