"""Plan starts fast: nothing heavy is imported, and its CPU time is bounded against what it cannot do without."""

from __future__ import annotations

import resource
import subprocess
import sys

import pytest

from tests.e2e.conftest import ZENCTL, Project
from tests.measuring import PATIENCE

HEAVY = ("tensorflow", "keras", "apache_beam", "numpy", "pyarrow", "pandas", "google.cloud", "boto3", "git", "deepdiff")
PEER = "import ml_metadata, pydantic, typer"
"""What plan imports whatever it does: metadata, typed blocks, the command line."""


def imported(project: Project, *words: str) -> set[str]:
    """The top-level modules that a command imports."""
    code = (
        "import sys\nfrom zenctl.cli.main import main\n"
        f"sys.argv = {['zenctl', *words]!r}\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print('\\nIMPORTED', *sorted(sys.modules))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=project.root, env=project.environment,
        capture_output=True, text=True, check=True, timeout=PATIENCE,
    )  # fmt: skip
    [line] = [line for line in done.stdout.splitlines() if line.startswith("IMPORTED ")]
    return set(line.split()[1:])


COMMANDS = [
    ["--help"],
    ["validate"],
    ["fmt"],
    ["plan"],
    ["state", "list"],
    ["show"],
    ["console"],
    ["graph", "-format=html"],
    ["graph", "-type=plan"],
    ["providers"],
    ["providers", "schema", "-json"],
]


@pytest.mark.parametrize("words", COMMANDS)
def test_nothing_heavy_is_imported(tiny: Project, words: list[str]) -> None:
    tiny.ok("apply", "-auto-approve")
    modules = imported(tiny, *words)
    assert "zenctl.cli.main" in modules
    assert modules.isdisjoint(HEAVY)
    assert not any(name.startswith("steps") for name in modules)


@pytest.mark.parametrize("words", [["validate"], ["plan"], ["state", "list"], ["config", "artifacts", "list"]])
@pytest.mark.parametrize("place", ["gs://bucket/p", "s3://bucket/p"])
def test_a_bucket_that_is_not_used_costs_nothing(tiny: Project, place: str, words: list[str]) -> None:
    """Before anything is stored there is nothing to ask it, and what asks is not loaded."""
    tiny.ok("config", "artifacts", "set", place)
    modules = imported(tiny, *words)
    assert modules.isdisjoint({*HEAVY, "botocore", "google.auth", "requests", "http.client"})


def cpu(project: Project, command: list[str]) -> float:
    """The least CPU seconds of three runs, children's included."""
    best = float("inf")
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, cwd=project.root, env=project.environment, stdout=subprocess.DEVNULL, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        best = min(best, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return best


def test_plan_costs_little_more_than_its_imports(tiny: Project) -> None:
    tiny.ok("apply", "-auto-approve")
    peer = cpu(tiny, [sys.executable, "-c", PEER])
    assert cpu(tiny, [str(ZENCTL), "plan"]) < 4 * peer
    assert cpu(tiny, [str(ZENCTL), "--help"]) < 1.2 * peer


def test_a_folder_that_is_gone_is_said_to_be(project: Project) -> None:
    command = f'mkdir gone && cd gone && rmdir ../gone && "{ZENCTL}" plan'
    done = subprocess.run(
        ["sh", "-c", command], cwd=project.root, env=project.environment,
        capture_output=True, text=True, check=False, timeout=PATIENCE,
    )  # fmt: skip
    assert done.returncode == 1
    assert "The current folder is gone" in done.stderr
