"""Real containers for tests: podman with a store and settings of its own, and an image made of this very Python."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from tests.servers import program
from zenctl.jobs.spec import job_path
from zenctl.jobs.wire import spec_to_json
from zenctl.provider import SubmitRequest
from zenctl.provider.testing.compute import ComputeBench

_LEFT_OUT = {"test", "tests", "site-packages", "__pycache__", "idlelib", "tkinter", "ensurepip", "lib2to3"}

_CONTAINERS = """\
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1000:1000"]
netns = "host"
http_proxy = false
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "none"
lock_type = "file"
tmp_dir = "{folder}/tmp"
"""
"""What a machine allows that is a container itself: no limit may be raised, and there may be no bridge. A proxy is for
what podman itself fetches. Locks and all folders are its own, or it would be in the way of another test's podman.
"""

_STORAGE = """\
[storage]
driver = "overlay"
graphroot = "{folder}/images"
runroot = "{folder}/run"
"""


@dataclass(frozen=True)
class Podman:
    """A podman of one test run. `environment` are the variables that make any podman command the same one's."""

    path: str
    environment: Mapping[str, str]

    def run(self, *words: str) -> str:
        """What the command prints."""
        environment = {**os.environ, **self.environment}
        done = subprocess.run([self.path, *words], env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def image(self, name: str, folder: Path, files: Mapping[str, str] | None = None) -> str:
        """An image that holds this Python, a shell and `files`, as `NAME@sha256:...`; `folder` is for the archive."""
        archive = folder / f"{name}.tar"
        with tarfile.open(archive, "w", dereference=True) as tar:
            for source in sorted(_python_files()):
                tar.add(source, arcname=source.lstrip("/"), recursive=False)
            for place, target in (("usr/bin/python3", sys.executable), ("bin/sh", "/bin/sh")):
                link = tarfile.TarInfo(place)
                link.type, link.linkname = tarfile.SYMTYPE, os.path.realpath(target)
                tar.addfile(link)
            for path, text in (files or {}).items():
                (folder / "file").write_text(text)
                tar.add(folder / "file", arcname=path)
        self.run("import", "--quiet", str(archive), f"localhost/{name}:latest")
        archive.unlink()
        return f"localhost/{name}@{self.run('image', 'inspect', '--format', '{{.Digest}}', f'localhost/{name}')}"

    def small_image(self, name: str, file: Path) -> str:
        """An image that holds one file and nothing that could run, as `NAME@sha256:...`."""
        archive = file.with_suffix(".tar")
        with tarfile.open(archive, "w") as tar:
            tar.add(file, file.name)
        self.run("import", "--quiet", str(archive), f"localhost/{name}:latest")
        archive.unlink()
        return f"localhost/{name}@{self.run('image', 'inspect', '--format', '{{.Digest}}', f'localhost/{name}')}"

    def program(self) -> str:
        """A shell script that is this podman for whoever has nothing of the test's environment."""
        set_them = " ".join(f"{name}={shlex.quote(value)}" for name, value in self.environment.items())
        return f'#!/bin/sh\nexec env {set_them} {self.path} "$@"\n'

    def containers(self) -> list[str]:
        """The names of all containers, running or not."""
        return self.run("ps", "--all", "--format", "{{.Names}}").split()

    def running(self) -> list[str]:
        """The names of those that run."""
        return self.run("ps", "--format", "{{.Names}}").split()


@contextmanager
def own_podman(folder: Path) -> Iterator[Podman]:
    """A podman that keeps everything in the folder; skips the test where there is none."""
    path = program("podman")
    program("runc", "/usr/sbin")
    (folder / "containers.conf").write_text(_CONTAINERS.format(folder=folder))
    (folder / "storage.conf").write_text(_STORAGE.format(folder=folder))
    podman = Podman(
        path,
        {
            "CONTAINERS_CONF": str(folder / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(folder / "storage.conf"),
        },
    )
    try:
        yield podman
    finally:
        for name in podman.containers():
            podman.run("rm", "--force", name)


def _python_files() -> set[str]:
    """This interpreter, its standard library, a shell, `sleep`, and the shared libraries that they need."""
    programs = [os.path.realpath(path) for path in (sys.executable, "/bin/sh", "/bin/sleep")]
    library = sysconfig.get_path("stdlib")
    found = set(programs)
    for folder, folders, names in os.walk(library):
        folders[:] = [name for name in folders if name not in _LEFT_OUT and not name.startswith("config-")]
        found.update(os.path.join(folder, name) for name in names)
    programs += [path for path in found if path.endswith(".so")]
    shown = subprocess.run(["ldd", *programs], capture_output=True, text=True, check=False).stdout
    needed = set(re.findall(r"(/\S+) \(0x", shown))
    return found | needed


@dataclass(frozen=True)
class Images:
    """A podman and an image that holds Python and a file /etc/mark."""

    podman: Podman
    name: str


@contextmanager
def marked_images(folder: Path, mark: str) -> Iterator[Images]:
    """A podman of its own in a folder, and an image whose /etc/mark holds the mark."""
    with own_podman(folder) as podman:
        yield Images(podman, podman.image("steps", folder, {"etc/mark": mark}))


@dataclass
class ContainerBench(ComputeBench):
    """A bench whose jobs have an image."""

    image: str = ""

    def request(self, program: str) -> SubmitRequest:
        request = super().request(program)
        spec = replace(request.spec, image=self.image)
        self.storage.put(job_path(spec.job_id), spec_to_json(spec), overwrite=True)
        return replace(request, spec=spec)
