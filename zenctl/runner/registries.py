"""Pulls a job's image, from Google's registries with the machine's own identity, and says why one cannot be pulled."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Callable, List, Optional, Tuple

from zenctl.jobs.containers import ContainerProblem
from zenctl.jobs.storage import StorageError

PULL_SECONDS = 3600.0
"""How long pulling an image may take."""

HUB = "docker.io"
"""The registry of images whose names tell none."""

GOOGLE = re.compile(r"([a-z0-9-]+\.)?(gcr\.io|pkg\.dev)")
"""The only hosts that the machine's token is ever sent to."""

USER = "oauth2accesstoken"
"""As whom a token logs in there."""

ROLE = "Give the machine's service account the role roles/artifactregistry.reader on the repository."

Say = Callable[[str], None]


def qualified(image: str) -> str:
    """The image's full name: `python@...` is `docker.io/library/python@...`, as docker has it and podman may not."""
    host, slash, _ = image.partition("/")
    if slash and ("." in host or ":" in host or host == "localhost"):
        return image
    return f"{HUB}/{image}" if slash else f"{HUB}/library/{image}"


def registry_of(image: str) -> str:
    """The host of a full name, with its port."""
    return image.partition("/")[0]


def is_there(engine: str, image: str) -> bool:
    """Whether the machine has the image already."""
    command = [engine, "image", "inspect", image]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False
    )
    return done.returncode == 0


def pull(engine: str, image: str, folder: Path, token: Callable[[], str], say: Say) -> None:
    """Pull an image by its full name. `token` gives the machine's, or raises StorageError; `folder` is private.

    The token is in a file of the folder, that nobody else can read, for as long as that takes. ContainerProblem.
    """
    say(f"zenctl: pulling {image} with {os.path.basename(engine)}")
    login = _login(image, folder, token, say)
    podman = os.path.basename(engine) == "podman"
    if login is None:
        command = [engine, "pull", "--quiet", image]
    elif podman:
        command = [engine, "pull", "--quiet", "--authfile", str(login / "config.json"), image]
    else:
        command = [engine, "--config", str(login), "pull", "--quiet", image]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            check=False,
            timeout=PULL_SECONDS,
        )
    except subprocess.TimeoutExpired as problem:
        raise ContainerProblem(f"{image} was not pulled within {PULL_SECONDS:g} seconds", REACH) from problem
    finally:
        if login is not None:
            shutil.rmtree(login, ignore_errors=True)
    if done.returncode != 0:
        say(done.stderr.strip())
        raise explain_pull(image, done.stderr)


def _login(image: str, folder: Path, token: Callable[[], str], say: Say) -> Optional[Path]:
    """A folder as docker keeps its logins in, for one of Google's registries; None for any other."""
    host = registry_of(image)
    if not GOOGLE.fullmatch(host):
        return None
    try:
        secret = token()
    except StorageError as problem:
        say(f"zenctl: pulling without a login: {problem}")
        return None
    login = folder / "login"
    login.mkdir(mode=0o700)
    entry = {"auth": base64.b64encode(f"{USER}:{secret}".encode()).decode()}
    with open(os.open(login / "config.json", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        json.dump({"auths": {host: entry}}, stream)
    return login


REACH = (
    "A machine without an address of its own on the internet needs Cloud NAT or, for Google's registries, Private "
    "Google Access."
)

RULES: Tuple[Tuple[str, str, str], ...] = (
    (
        r"no space left on device",
        "there is no space on the machine's disk for the image {image}",
        "Give the machine a larger disk.",
    ),
    (
        r"no such host|connection refused|i/o timeout|timeout|network is unreachable|server misbehaving|dial tcp"
        r"|no route to host|connection reset|\b50[0234]\b",
        "the registry {host} of the image {image} cannot be reached",
        REACH,
    ),
    (
        r"repository does not exist|requested access to the resource is denied",
        "the registry {host} has no image {image}, or keeps it from this machine",
        "Check its name and digest. One that is not public can be copied to Artifact Registry.",
    ),
    (
        r"unauthorized|denied|forbidden|authentication required|no basic auth|\b40[13]\b|unable to retrieve auth token",
        "the registry {host} refuses this machine the image {image}",
        "{login}",
    ),
    (
        r"for (the current )?(platform|architecture|OS)|no match for platform|no image found in",
        "the image {image} is not made for this kind of machine",
        "Choose the digest of the image for this architecture, or of the list of all.",
    ),
    (
        r"unknown|not found|\b404\b|no such image",
        "there is no image {image}",
        "Check its name and digest: `docker buildx imagetools inspect NAME:TAG` tells the digest.",
    ),
)
"""What podman or docker prints, what it means, and what to do. The first that fits counts."""


def explain_pull(image: str, output: str) -> ContainerProblem:
    """Why an image was not pulled, from what was printed."""
    host = registry_of(image)
    lines: List[str] = [line.strip() for line in output.splitlines() if line.strip()]
    said = lines[-1] if lines else "nothing was said"
    for name in (image, image.partition("@")[0]):
        # What comes before tells no more than the message will.
        said = said.rpartition(f"{name}: ")[2]
    login = ROLE if GOOGLE.fullmatch(host) else "Make it public, or copy it to Artifact Registry."
    # Names are not what was said: they may hold any word.
    told = output.replace(image, "").replace(image.partition("@")[0], "")
    for pattern, message, hint in RULES:
        if re.search(pattern, told, re.IGNORECASE):
            return ContainerProblem(f"{message.format(image=image, host=host)}: {said}", hint.format(login=login))
    return ContainerProblem(f"the image {image} cannot be pulled: {said}", "What was printed is in the step's log.")
