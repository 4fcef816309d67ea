"""The runner in one file: the same on every machine, and enough for an interpreter that has nothing installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from zenctl.jobs.spec import Entry, OutputSpec
from zenctl.runner import zipapp

from .conftest import RunnerBench, given

SOURCE = """
from pathlib import Path
from zenctl.sdk import Artifact, Metrics, Model, Output, StepError, progress
def step(data: Artifact, old: Metrics, folder: Path, made: Output[Model], scores: Output[Metrics], *, times: int):
    import sys
    progress(1, 2, "parts")
    (made.path / "w.txt").write_text((data.path / "a").read_text() * times + str(folder.is_dir()))
    scores.log(accuracy=old.values["accuracy"], minor=sys.version_info[1])
"""


def interpreters() -> list[Path]:
    return sorted(Path.home().glob(".pyenv/versions/3.9*/bin/python"))[:1]


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return zipapp.build_runner(tmp_path_factory.mktemp("runner"))


@pytest.mark.parametrize("old", [True, False])
def test_it_needs_nothing_but_python(bench: RunnerBench, runner: Path, old: bool) -> None:
    if old and not interpreters():
        pytest.skip("there is no ~/.pyenv/versions/3.9*/bin/python")
    # -S: without site-packages, so without zenctl and everything else.
    python = [str(interpreters()[0])] if old else [sys.executable, "-S", "-E"]
    spec = bench.order(
        SOURCE,
        inputs={
            "data": given(bench.artifact({"a": "ab"})),
            "old": given(bench.artifact({"metrics.json": '{"accuracy": 0.5}'}), "Metrics", "Metrics"),
            "folder": given(bench.artifact({"b": ""}), "Path"),
        },
        outputs={"made": OutputSpec("Model"), "scores": OutputSpec("Metrics")},
        params={"times": 2},
    )
    result = bench.succeed(spec, *python, str(runner))
    assert bench.files(result, "made") == {"w.txt": b"ababTrue"}
    minor = 9 if old else sys.version_info[1]
    assert result.outputs["scores"].properties == {"accuracy": 0.5, "minor": minor}
    assert result.environment == {"python": f"3.{minor}", "distributions": {}}


def test_equal_sources_give_an_equal_file(runner: Path, tmp_path: Path) -> None:
    zipapp._pack.cache_clear()
    again = zipapp.build_runner(tmp_path / "new" / "folder")
    assert again.name == runner.name
    assert again.read_bytes() == runner.read_bytes()


def test_what_is_there_is_kept_and_what_is_damaged_replaced(tmp_path: Path) -> None:
    first = zipapp.build_runner(tmp_path)
    before = first.stat()
    assert zipapp.build_runner(tmp_path) == first
    assert first.stat().st_ino == before.st_ino
    first.write_bytes(b"half")
    assert zipapp.build_runner(tmp_path).stat().st_size == before.st_size
    assert [path.name for path in tmp_path.iterdir()] == [first.name]


def test_importing_the_sdk_loads_the_standard_library_only(runner: Path) -> None:
    check = "import sys; sys.path.insert(0, sys.argv[1]); import zenctl.sdk, zenctl.runner.main;"
    check += "print(*[n for n in sys.modules if n.split('.')[0] in ('numpy', 'pyarrow', 'tensorflow', 'pydantic')])"
    done = subprocess.run([sys.executable, "-c", check, str(runner)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_built_in_steps_come_from_the_zenctl_that_is_installed(bench: RunnerBench, runner: Path) -> None:
    # zenctl.addrs is not in the file, as the steps are not; that its function cannot take a Job is beside the point.
    entry = Entry(module="zenctl.addrs", function="parse", arguments="job")
    error = bench.fail(bench.order(entry=entry), sys.executable, str(runner))
    assert error.kind == "internal"
    assert "is not installed" not in error.message
