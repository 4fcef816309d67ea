"""What a local job's container gets: its store, and the secrets and variables of this machine that it declares."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from zenctl.jobs.containers import (
    Container,
    ContainerProblem,
    container_command,
    find_engine,
    note_container,
    remove_container,
)
from zenctl.jobs.secrets.references import REMOTE, split
from zenctl.jobs.stores.opening import ACCESS
from zenctl.provider import ErrorKind, ProviderError, SubmitRequest
from zenctl_local.storage import store_folder

NO_ENGINE = "Install podman, or start docker; or leave `image` out and run the step with a Python of this machine."


def container_order(request: SubmitRequest, work: Path, root: Path) -> dict[str, Any]:
    """What a fork server is told besides, to run the job in its image; {} for a job that has none.

    Paths of secrets start at `root`. Raises ProviderError(INVALID).
    """
    if not request.spec.image:
        return {}
    container = container_of(request, work, root)
    try:
        engine = find_engine(NO_ENGINE)
        command = container_command(engine, container)
    except ContainerProblem as problem:
        raise ProviderError(ErrorKind.INVALID, problem.message, problem.hint) from problem
    # Before there is a container, so that it is found whatever happens.
    note_container(engine, container)
    return {"command": command, "fresh": True, "imports": []}


def container_of(request: SubmitRequest, work: Path, root: Path) -> Container:
    """The container of a job that has an image. Paths of secrets start at `root`."""
    spec = request.spec
    names = {reference[4:] for reference in spec.secrets.values() if reference.startswith("env:")}
    files = {root / reference[5:] for reference in spec.secrets.values() if reference.startswith("file:")}
    store = store_folder(request.store_uri)
    is_told = store is None or any(split(reference)[0] in REMOTE for reference in spec.secrets.values())
    variables = tuple(sorted({*names, *spec.variables} & os.environ.keys()))
    return Container(
        spec.job_id,
        spec.image,
        request.runner.absolute(),
        request.store_uri,
        work,
        root,
        folders=() if store is None else (store,),
        files=tuple(sorted(file for file in files if file.exists())),
        variables=(*variables, *([ACCESS] if is_told else [])),
        memory=spec.resources.memory,
    )


def clear_container(work: Path) -> None:
    """End and remove a job's container, if it has one that is still there. Raises ProviderError(TRANSIENT)."""
    try:
        remove_container(work)
    except ContainerProblem as problem:
        raise ProviderError(ErrorKind.TRANSIENT, problem.message, problem.hint) from problem
