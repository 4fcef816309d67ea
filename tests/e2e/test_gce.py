"""Steps on virtual machines of Compute Engine: the installed command, real startup scripts, no machine left over."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.containers import own_podman
from tests.e2e.conftest import ROOT, Project, kill_group, wait_for
from tests.e2e.test_artifact_stores import digests
from tests.e2e.test_commands import make_slow
from tests.e2e.test_faults import words
from tests.fakes import compute, gcs, registry
from tests.fakes.compute.guest import TOKEN
from tests.fakes.iam import Grant
from tests.measuring import PATIENCE

BACKEND = """
backend "gce" "vm" {
  project      = "proj"
  zones        = ["europe-west1-b", "europe-west1-c"]
  machine_type = "e2-small"
  packages     = "image"
  endpoint     = "ENDPOINT"
}
"""

APPLY = ("apply", "-auto-approve")


@dataclass
class Cloud:
    """Compute Engine and buckets, on loopback."""

    machines: compute.Running
    buckets: gcs.Running

    @property
    def fake(self) -> compute.FakeCompute:
        return self.machines.fake

    def names(self) -> list[str]:
        """The machines that cost money."""
        return [instance.name for instance in self.fake.running()]


@pytest.fixture(scope="module")
def served() -> Iterator[Cloud]:
    with compute.serving() as machines, gcs.serving() as buckets:
        yield Cloud(machines, buckets)


@pytest.fixture
def cloud(tiny: Project, served: Cloud) -> Iterator[Cloud]:
    """The small project, whose steps run on a machine; nothing of it stays."""
    tiny.environment["STORAGE_EMULATOR_HOST"] = served.buckets.endpoint
    bucket = served.buckets.fake.bucket()
    tiny.ok("config", "artifacts", "set", f"gs://{bucket}/p")
    # The machine's service account has what docs/backends/gce.md asks for, and no more.
    served.buckets.fake.grants[TOKEN] = [Grant(bucket, "p/")]
    tiny.edit("main.zen.hcl", 'project = "tiny"', 'project = "tiny"\n  defaults { orchestrator = backend.gce.vm }')
    tiny.write("backend.zen.hcl", BACKEND.replace("ENDPOINT", served.machines.endpoint))
    served.fake.seen.clear()
    served.fake.inserted.clear()
    yield served
    served.fake.faults.clear()
    served.fake.stockouts.clear()
    served.fake.close()
    assert (served.fake.problems, served.buckets.fake.problems, served.buckets.fake.denied) == ([], [], [])


@pytest.fixture
def slow(tiny: Project, cloud: Cloud) -> Project:
    """The same, whose step `tallest` says that it has begun, and waits until it may go on."""
    make_slow(tiny)
    return tiny


def begun(project: Project) -> bool:
    return (project.root / "started").exists()


def test_the_steps_run_on_one_machine_that_goes_away(tiny: Project, cloud: Cloud, tmp_path: Path) -> None:
    tiny.edit("steps/rank.py", "    chosen = [", '    print("seen on the machine")\n    chosen = [')
    local = Project(tmp_path / "local", dict(tiny.environment))
    shutil.copytree(tiny.root, local.root)
    local.edit("main.zen.hcl", "  defaults { orchestrator = backend.gce.vm }\n", "")
    local.ok("config", "artifacts", "set", ".zenctl/artifacts")
    local.ok(*APPLY)
    assert cloud.fake.inserted == []
    shown = tiny.ok("backend", "show", "-startup-script", "backend.gce.vm")
    said = tiny.ok(*APPLY)
    [instance] = cloud.fake.inserted
    told = [line for line in said.splitlines() if "backend.gce.vm" in line]
    assert "1 x e2-small, europe-west1-b or europe-west1-c, for 2 steps, removed afterwards (about 0.018 USD" in told[0]
    assert [line.split(":")[1].split()[0] for line in told[1:]] == ["creating", "machine", "deleting"]
    recorded = json.loads(tiny.ok("state", "show", "-json", "step.python.tallest"))["values"]["attributes"]["machines"]
    assert [event["change"] for event in recorded] == ["creating", "created"]
    assert {event["name"] for event in recorded} == {instance["name"]}
    metadata = {item["key"]: item["value"] for item in instance["metadata"]["items"]}
    assert shown == metadata["startup-script"]
    assert cloud.names() == []
    assert digests(tiny) == digests(local)
    assert tiny.ok("logs", "step.python.tallest") == "seen on the machine\n"
    # What passed between zenctl and the machine is gone with the jobs; the runner is for the next apply.
    left = [name for objects in cloud.buckets.fake.buckets.values() for name in objects]
    assert any(name.startswith("p/runners/") for name in left)
    assert [name for name in left if name.startswith("p/queues/") or "/log/" in name] == []
    assert instance["labels"]["zenctl-project"] == "tiny"
    assert TOKEN in cloud.buckets.fake.bearers


@pytest.mark.benchmark
def test_a_failure_and_a_lost_machine_are_told(slow: Project, cloud: Cloud) -> None:
    slow.edit("steps/size.py", "    return len", '    raise ValueError("too few")\n    return len')
    slow.edit("main.zen.hcl", '"steps/rank.py:tallest"', '"steps/rank.py:tallest"\n  retries = 1')
    applying = slow.start(*APPLY)
    wait_for(lambda: begun(slow))
    cloud.fake.preempt(cloud.names()[0])
    (slow.root / "started.go").touch()
    said, _ = applying.communicate(timeout=PATIENCE)
    assert applying.returncode == 1
    assert "took its machine" in words(said)
    assert "ValueError: too few" in words(said)
    assert len(cloud.fake.inserted) == 2
    assert cloud.names() == []
    told = words(slow.ok("history", "step.python.tallest"))
    assert "failed backend.gce.vm" in told
    assert "lost machine zenctl-" in told


CHECKPOINTING = """
import time
from pathlib import Path
from zenctl.sdk import Checkpoints

def fit(checkpoints: Checkpoints) -> list:
    file = checkpoints.path / "turns"
    done = file.read_text().split() if checkpoints.resumed else []
    while len(done) < 3:
        done.append(str(len(done)))
        file.write_text(" ".join(done))
        checkpoints.save()
        if done == ["0", "1"]:
            Path(STARTED).touch()
            time.sleep(1000)
    return done
"""


@pytest.mark.benchmark
def test_a_step_on_a_machine_that_is_taken_away_goes_on_on_the_next(tiny: Project, cloud: Cloud) -> None:
    tiny.write("fit.py", CHECKPOINTING.replace("STARTED", repr(str(tiny.root / "started"))))
    tiny.write("fit.zen.hcl", 'step "python" "fit" {\n  code    = "fit.py:fit"\n  retries = 1\n}\n')
    applying = tiny.start(*APPLY, "-target=step.python.fit")
    wait_for(lambda: begun(tiny))
    cloud.fake.preempt(cloud.names()[0])
    said, _ = applying.communicate(timeout=PATIENCE)
    assert applying.returncode == 0, said
    assert "took its machine" in words(said)
    assert "[resumed from a checkpoint]" in said
    shown = tiny.json("state", "show", "-json", "step.python.fit")["values"]
    assert shown["outputs"]["result"]["properties"]["value"] == ["0", "1", "2"]
    assert shown["resumed_from_job_id"].startswith(shown["job_id"][:8])
    assert len(cloud.fake.inserted) == 2
    assert cloud.names() == []
    left = [name for objects in cloud.buckets.fake.buckets.values() for name in objects]
    assert [name for name in left if "/checkpoints/" in name] == []


def test_a_machine_of_a_killed_apply_goes_on_and_is_found(slow: Project, cloud: Cloud) -> None:
    applying = slow.start(*APPLY)
    wait_for(lambda: begun(slow))
    os.killpg(applying.pid, signal.SIGKILL)
    kill_group(applying)
    assert len(cloud.names()) == 1
    again = slow.start(*APPLY)
    assert again.stdout is not None
    wait_for(lambda: "still running since apply 1" in again.stdout.readline())
    (slow.root / "started.go").touch()
    said = again.stdout.read()
    kill_group(again)
    assert again.returncode == 0, said
    assert cloud.names() == []


def test_destroy_removes_the_machine_of_a_killed_apply(slow: Project, cloud: Cloud) -> None:
    applying = slow.start(*APPLY)
    wait_for(lambda: begun(slow))
    os.killpg(applying.pid, signal.SIGKILL)
    kill_group(applying)
    assert len(cloud.names()) == 1
    slow.ok("destroy", "-auto-approve")
    assert cloud.names() == []


@pytest.mark.benchmark
def test_ctrl_c_ends_the_step_and_the_machine(slow: Project, cloud: Cloud) -> None:
    applying = slow.start(*APPLY)
    assert applying.stdout is not None
    wait_for(lambda: begun(slow))
    os.kill(applying.pid, signal.SIGINT)
    wait_for(lambda: "nterrupt" in applying.stdout.readline())
    os.kill(applying.pid, signal.SIGINT)
    said = applying.stdout.read()
    kill_group(applying)
    assert applying.returncode == 130, said
    assert cloud.names() == []


@pytest.mark.benchmark
def test_the_penguins_with_nothing_else_changed(project: Project, served: Cloud, tmp_path: Path) -> None:
    """Every built-in step on a machine, to the same digests as here."""
    shutil.copytree(ROOT / "examples" / "penguins", project.root, dirs_exist_ok=True)
    local = Project(tmp_path / "local", dict(project.environment))
    shutil.copytree(project.root, local.root)
    project.environment["STORAGE_EMULATOR_HOST"] = served.buckets.endpoint
    bucket = served.buckets.fake.bucket()
    project.ok("config", "artifacts", "set", f"gs://{bucket}/p")
    served.buckets.fake.grants[TOKEN] = [Grant(bucket, "p/")]
    project.edit("penguins.zen.hcl", "zenctl {", "zenctl {\n  defaults { orchestrator = backend.gce.vm }")
    project.write("backend.zen.hcl", BACKEND.replace("ENDPOINT", served.machines.endpoint))
    served.fake.inserted.clear()
    project.ok(*APPLY)
    assert len(served.fake.inserted) == 1
    assert served.buckets.fake.denied == []
    assert served.names() == []
    project.ok("plan", "-detailed-exitcode")
    local.ok(*APPLY)
    try:
        assert digests(project) == digests(local)
    finally:
        local.ok("destroy", "-auto-approve")


MARKED = """\
def read() -> str:
    with open("/etc/mark") as stream:
        return stream.read()
"""


@pytest.mark.benchmark
def test_steps_in_containers_of_a_private_registry(
    project: Project, served: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One step names its image, the other runs in its backend's; a machine that may not pull says what it lacks."""
    with own_podman(tmp_path) as podman, registry.serving(TOKEN) as images:
        own, backends = (
            images.add(podman, podman.image(name, tmp_path, {"etc/mark": name}), tmp_path / f"{name}-oci", name)
            for name in ("own", "backends")
        )
        settings = {**podman.environment, **images.settings(tmp_path)}
        monkeypatch.setitem(served.fake.programs, "podman", replace(podman, environment=settings).program())
        served.fake.inserted.clear()
        project.environment["STORAGE_EMULATOR_HOST"] = served.buckets.endpoint
        project.write("read.py", MARKED)
        project.write("backend.zen.hcl", BACKEND.replace("ENDPOINT", served.machines.endpoint))
        project.edit("backend.zen.hcl", '"e2-small"', f'"e2-small"\n  container_image = "{backends}"')
        image = f'  environment {{\n    image = "{own}"\n  }}\n'
        project.write(
            "main.zen.hcl",
            'zenctl {\n  project = "images"\n  defaults { orchestrator = backend.gce.vm }\n}\n'
            + "".join(
                f'step "python" "{name}" {{\n  code = "read.py:read"\n{more}}}\n'
                f'output "{name}" {{\n  value = step.python.{name}.result\n}}\n'
                for name, more in (("own", image), ("backends", ""))
            ),
        )
        bucket = served.buckets.fake.bucket()
        served.buckets.fake.grants[TOKEN] = [Grant(bucket, "p/")]
        project.ok("config", "artifacts", "set", f"gs://{bucket}/p")
        images.is_open = False
        said = words(project.fails(*APPLY))
        assert "The environment of step.python.own cannot be made" in said
        assert f"refuses this machine the image {own}" in said
        assert "roles/artifactregistry.reader" in said
        assert served.names() == []
        images.is_open = True
        project.ok(*APPLY)
        assert {name: project.json("output", "-json", name) for name in ("own", "backends")} == {
            "own": "own",
            "backends": "backends",
        }
        assert len(served.fake.inserted) == 2
        assert served.names() == []
        assert podman.containers() == []
        assert f"zenctl: pulling {own} with podman" in project.ok("logs", "step.python.own")
        assert project.stale() == {}
        assert set(images.logins) == {("oauth2accesstoken", TOKEN)}
        # The token was shown to the registry, and nobody else came by it.
        assert TOKEN not in json.dumps(served.fake.inserted)
        stored = [found.data for objects in served.buckets.fake.buckets.values() for found in objects.values()]
        assert not any(TOKEN.encode() in data for data in stored)
        assert (images.problems, served.buckets.fake.denied) == ([], [])
