"""What providers may use of zenctl is written down, and is what the example of a provider keeps to."""

from __future__ import annotations

import ast
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = runpy.run_path(str(ROOT / "scripts" / "provider_api.py"))


@pytest.fixture(scope="module")
def report() -> str:
    """Made by a Python of its own: parsing shares the depth of calls with whatever runs in this one."""
    code = f"import runpy; print(runpy.run_path({SCRIPT['__file__']!r})['report'](), end='')"
    command = [sys.executable, "-X", "utf8", "-c", code]
    return subprocess.run(command, capture_output=True, encoding="utf-8", check=True).stdout


def test_the_report_is_that_of_the_code(report: str) -> None:
    written = SCRIPT["REPORT"].read_text(encoding="utf-8")
    assert written == report, (
        "What providers may use has changed. Is it allowed within this version of the SDK (docs/providers.md)? "
        "Then `make api` writes it down."
    )


def test_the_report_sees_what_would_break_a_provider(report: str) -> None:
    for line in (
        "  class Compute(Protocol)\n    handle(self, request: SubmitRequest) -> JobHandle\n",
        "    TRANSIENT = 'transient'\n",
        "  class JobStatus\n    state: JobState\n    exit_code: int | None = None\n    reason: str = ''\n",
        "  SDK_VERSION = 1\n",
        "    self.objects: dict[str, bytes]\n",
        "  class BackendType\n",
        "    fail(self, method: str, error: BaseException, *, on: int=1,",
    ):
        assert line in report


@pytest.mark.parametrize("path", sorted((ROOT / "examples" / "custom-provider").rglob("*.py")), ids=lambda p: p.name)
def test_the_example_uses_nothing_else(path: Path) -> None:
    used = {
        node.module
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module and node.module.partition(".")[0] == "zenctl"
    }
    assert used <= set(SCRIPT["MODULES"])
