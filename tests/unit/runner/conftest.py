"""What tests of the runner share: a store and a way to run jobs in it, each in a process of its own."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import uuid
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from zenctl.digests import sha256_bytes
from zenctl.jobs.artifacts import code_path, fetch_tree, store_folder
from zenctl.jobs.result import JobError, JobResult
from zenctl.jobs.spec import Entry, InputSpec, JobSpec, OutputSpec, job_path, result_path
from zenctl.jobs.storage import FolderStorage
from zenctl.jobs.wire import result_from_json, spec_to_json


class RunnerBench:
    """A store, and jobs that run in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.storage = FolderStorage(root / "store")
        self.log = ""
        self.exit_code: int | None = None
        self.work = root / "work"

    def code(self, files: Mapping[str, str | bytes]) -> str:
        """Store a code archive and give its digest."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for name, text in files.items():
                archive.writestr(name, text)
        return self.archive(buffer.getvalue())

    def archive(self, data: bytes) -> str:
        digest = sha256_bytes(data)
        self.storage.put(code_path(digest), data)
        return digest

    def artifact(self, files: Mapping[str, str | bytes]) -> str:
        """Store an artifact and give its digest."""
        folder = self.root / uuid.uuid4().hex
        for name, text in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode() if isinstance(text, str) else text)
        return store_folder(self.storage, folder).digest

    def order(self, source: str | Mapping[str, str] = "", function: str = "step", **fields: Any) -> JobSpec:
        """The order for a user function; `source` is the text of steps/fit.py, or of several files."""
        files = {"steps/fit.py": source} if isinstance(source, str) else source
        base = JobSpec(uuid.uuid4().hex, "step.python.fit", Entry(file="steps/fit.py", function=function))
        if "code" not in fields and any(files.values()):
            fields["code"] = self.code(files)
        spec = replace(base, **fields)
        self.storage.put(job_path(spec.job_id), spec_to_json(spec))
        return spec

    def command(self, spec: JobSpec, *program: str) -> list[str]:
        program = program or (sys.executable, "-m", "zenctl.runner")
        return [*program, self.storage.uri, spec.job_id, "--work", str(self.work)]

    def run(self, spec: JobSpec, *program: str, env: Mapping[str, str] | None = None) -> JobResult | None:
        """Run the job to its end; its result, if it wrote one."""
        done = subprocess.run(
            self.command(spec, *program),
            cwd=self.root,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=240,
            check=False,
        )
        self.log, self.exit_code = done.stdout.decode(), done.returncode
        return self.result(spec)

    def result(self, spec: JobSpec) -> JobResult | None:
        if self.storage.stat(result_path(spec.job_id)) is None:
            return None
        with self.storage.open(result_path(spec.job_id)) as stream:
            return result_from_json(stream.read())

    def succeed(self, spec: JobSpec, *program: str, **more: Any) -> JobResult:
        result = self.run(spec, *program, **more)
        assert result is not None, self.log
        assert result.error is None, (result.error, self.log)
        assert self.exit_code == 0
        return result

    def fail(self, spec: JobSpec, *program: str, **more: Any) -> JobError:
        result = self.run(spec, *program, **more)
        assert result is not None, self.log
        assert result.error is not None
        assert not result.outputs
        assert self.exit_code == 1
        return result.error

    def files(self, result: JobResult, output: str) -> dict[str, bytes]:
        """An output's files and their content."""
        target = self.root / "out" / uuid.uuid4().hex
        tree = fetch_tree(self.storage, result.outputs[output].digest, target)
        return {file.path: (target / file.path).read_bytes() for file in tree.files}


def value() -> dict[str, OutputSpec]:
    """The outputs of a function that returns a value."""
    return {"result": OutputSpec("Artifact", returned=True)}


def given(digest: str, as_type: str = "Artifact", type: str = "Artifact") -> InputSpec:
    return InputSpec(type, digest, as_type)


@pytest.fixture
def bench(tmp_path: Path) -> RunnerBench:
    root = tmp_path / "a root"
    root.mkdir()
    return RunnerBench(root)
