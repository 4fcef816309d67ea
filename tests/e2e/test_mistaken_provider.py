"""A provider with mistakes in it: told as its mistakes, by distribution, file and line; never a bug of zenctl."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.conftest import Project

PROVIDER = """
import os
from zenctl.provider import JobState, JobStatus, LogChunk
from zenctl.schema import BackendType, BlockModel, ProviderSchema
print("the module is loaded")
class Nothing(BlockModel):
    pass
class Compute:
    def handle(self, request):
        return {"job": request.spec.job_id}
    submit = handle
    def status(self, handle):
        return {}["region"]
    def logs(self, handle, offset):
        return LogChunk("", offset)
    def cancel(self, handle):
        print("canceled")
    release = cancel
class OddProvider:
    name, version = "odd", "0.1"
    def schema(self):
        print("the schema is asked for")
        return ProviderSchema("odd", Nothing, {"odd": BackendType("odd", "Odd.", Nothing, ("orchestrator",))})
    def configure(self, config, context):
        print("it is configured")
    def compute(self, type, config):
        return Compute()
    def processing(self, type, config):
        return None
    endpoint = storage = processing
    def close(self):
        raise RuntimeError("it does not close")
"""
LINE = PROVIDER.splitlines().index('        return {}["region"]') + 1


@pytest.fixture
def odd(project: Project, tmp_path: Path) -> Project:
    """A project that uses it, where it is installed."""
    site = tmp_path / "site"
    metadata = site / "odd_provider-0.1.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: odd-provider\nVersion: 0.1\n")
    (metadata / "entry_points.txt").write_text("[zenctl.providers]\nodd = odd_provider:OddProvider\n")
    (site / "odd_provider.py").write_text(PROVIDER)
    project.environment["PYTHONPATH"] = str(site)
    project.write("square.py", "def square(*, number: int) -> int:\n    return number * number\n")
    project.write(
        "main.zen.hcl",
        """
zenctl { project = "odd" }
backend "odd" "here" {}
step "python" "square" {
  code    = "square.py:square"
  params  = { number = 12 }
  backend = backend.odd.here
}
""",
    )
    return project


def test_what_it_prints_is_not_in_what_programs_read(odd: Project) -> None:
    done = odd.run("plan", "-json")
    assert done.returncode == 0
    # That it does not close is no reason to withhold the plan.
    *_, summed, left = [json.loads(line) for line in done.stdout.splitlines()]
    assert [event["type"] for event in (summed, left)] == ["change_summary", "diagnostic"]
    assert left["diagnostic"]["severity"] == "warning"
    assert "method close failed with RuntimeError: it does not close" in left["@message"]
    assert "the module is loaded\nthe schema is asked for\n" in done.stderr


def test_what_it_raises_while_a_job_runs(odd: Project, tmp_path: Path) -> None:
    said = " ".join(odd.fails("apply", "-auto-approve").split())
    assert "The backend of step.python.square could not be asked any more" in said
    assert "the odd provider's method status failed with KeyError: 'region'" in said
    assert f"This is a mistake in odd-provider 0.1 ({tmp_path}/site/odd_provider.py:{LINE}), not in zenctl." in said
    # What was applied is told although it does not close.
    assert "the odd provider's method close failed with RuntimeError: it does not close" in said
    assert "Apply ended with errors: 1 failed." in said
    assert not list((odd.root / ".zenctl").glob("crash-*"))
