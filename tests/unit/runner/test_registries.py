"""Pulling a job's image: with whose login, where the token is meanwhile, and each way to fail."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.containers import own_podman
from tests.fakes import registry
from zenctl.jobs.containers import ContainerProblem
from zenctl.jobs.storage import StorageError
from zenctl.runner.registries import explain_pull, is_there, pull, qualified, registry_of

TOKEN = "ya29.of-the-machine"
DIGEST = f"@sha256:{'0' * 64}"


@dataclass(frozen=True)
class Registry:
    """A registry that has an image, and the program that pulls from it."""

    fake: registry.FakeRegistry
    image: str
    engine: str


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    folder = tmp_path_factory.mktemp("podman")
    with own_podman(folder) as podman, registry.serving(TOKEN) as fake:
        (folder / "mark").write_text("x")
        podman.small_image("steps", folder / "mark")
        image = fake.add(podman, "localhost/steps", folder / "oci")
        podman = replace(podman, environment={**podman.environment, **fake.settings(folder)})
        program = folder / "bin" / "podman"
        program.parent.mkdir()
        program.write_text(podman.program())
        program.chmod(0o755)
        yield Registry(fake, image, str(program))
        assert fake.problems == []


def test_an_image_is_pulled_with_the_machines_token_which_nobody_sees(served: Registry, tmp_path: Path) -> None:
    said: list[str] = []
    assert not is_there(served.engine, served.image)
    pull(served.engine, served.image, tmp_path, lambda: TOKEN, said.append)
    assert is_there(served.engine, served.image)
    assert set(served.fake.logins) == {("oauth2accesstoken", TOKEN)}
    assert said == [f"zenctl: pulling {served.image} with podman"]
    assert list(tmp_path.iterdir()) == []


def test_a_machine_that_may_not_pull_is_told_what_it_lacks(served: Registry, tmp_path: Path) -> None:
    served.fake.is_open = False
    said: list[str] = []
    image = served.image.partition("@")[0] + DIGEST
    try:
        with pytest.raises(ContainerProblem) as caught:
            pull(served.engine, image, tmp_path, lambda: TOKEN, said.append)
    finally:
        served.fake.is_open = True
    told = f"the registry {registry.HOST} refuses this machine the image {image}: denied: Permission"
    assert caught.value.message.startswith(told)
    assert "roles/artifactregistry.reader" in caught.value.hint
    assert TOKEN not in caught.value.message + "".join(said)


def test_a_machine_without_an_account_pulls_without_a_login(served: Registry, tmp_path: Path) -> None:
    def token() -> str:
        raise StorageError("UNAUTHORIZED", "the metadata server gives no token (404)")

    said: list[str] = []
    image = served.image.partition("@")[0] + DIGEST
    with pytest.raises(ContainerProblem, match="refuses this machine the image"):
        pull(served.engine, image, tmp_path, token, said.append)
    assert said[1] == "zenctl: pulling without a login: the metadata server gives no token (404)"


def test_an_image_that_is_not_there(served: Registry, tmp_path: Path) -> None:
    image = served.image.partition("@")[0] + DIGEST
    with pytest.raises(ContainerProblem, match=f"there is no image {image}: "):
        pull(served.engine, image, tmp_path, lambda: TOKEN, lambda _: None)


def test_docker_gets_a_login_that_only_its_user_can_read(tmp_path: Path) -> None:
    docker = tmp_path / "docker"
    seen = tmp_path / "seen"
    docker.write_text(f'#!/bin/sh\nstat -c %a "$2" "$2/config.json" > {seen}\ncat "$2/config.json" >> {seen}\n'
                      f'echo "$@" >> {seen}.command\n')  # fmt: skip
    docker.chmod(0o755)
    image = f"europe-docker.pkg.dev/p/r/i{DIGEST}"
    pull(str(docker), image, tmp_path, lambda: TOKEN, lambda _: None)
    folder, file, config = seen.read_text().splitlines()
    assert (folder, file) == ("700", "600")
    login = base64.b64encode(f"oauth2accesstoken:{TOKEN}".encode()).decode()
    assert json.loads(config) == {"auths": {"europe-docker.pkg.dev": {"auth": login}}}
    command = (tmp_path / "seen.command").read_text()
    assert command == f"--config {tmp_path}/login pull --quiet {image}\n"


@pytest.mark.parametrize("host", ["docker.io", "ghcr.io", "evil-pkg.dev", "x.pkg.dev.evil.org", "gcr.io:444"])
def test_a_token_is_for_googles_registries_only(tmp_path: Path, host: str) -> None:
    docker = tmp_path / "docker"
    docker.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/command\n')
    docker.chmod(0o755)

    def token() -> str:
        raise AssertionError("asked for a token")

    pull(str(docker), f"{host}/a/b{DIGEST}", tmp_path, token, lambda _: None)
    assert (tmp_path / "command").read_text() == f"pull --quiet {host}/a/b{DIGEST}\n"


@pytest.mark.parametrize(
    ("image", "full"),
    [
        ("python", "docker.io/library/python"),
        ("team/steps", "docker.io/team/steps"),
        ("localhost/steps", "localhost/steps"),
        ("host:5000/steps", "host:5000/steps"),
        ("gcr.io/p/i", "gcr.io/p/i"),
    ],
)
def test_names_are_completed_as_docker_does(image: str, full: str) -> None:
    assert qualified(image + DIGEST) == full + DIGEST
    assert registry_of(full + DIGEST) == full.partition("/")[0]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("dial tcp: lookup gcr.io: no such host", "the registry gcr.io of the image gcr.io/not-found/i"),
        ("write /var/lib/x: no space left on device", "there is no space on the machine's disk for the image gcr.io"),
        ("Error response from daemon: manifest unknown", "there is no image gcr.io/not-found/i"),
        ("denied: requested access to the resource is denied", "the registry gcr.io has no image gcr.io/not-found/i"),
        ("Error: reading manifest: denied: Permission x", "the registry gcr.io refuses this machine the image"),
        ("no matching manifest for linux/arm64 in list: no match for platform", "is not made for this kind of machine"),
        ("something else", "the image gcr.io/not-found/i@sha256:00 cannot be pulled: something else"),
        ("", "cannot be pulled: nothing was said"),
    ],
)  # fmt: skip
def test_what_was_printed_is_put_into_words(said: str, told: str) -> None:
    image = "gcr.io/not-found/i@sha256:00"
    problem = explain_pull(image, f"trying {image}\n{said}\n" if said else "")
    assert told in problem.message
    assert problem.hint
