"""Projects whose artifacts lie in a bucket: applied, planned, verified, served and killed by the installed command."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.documented import expect_documented
from tests.e2e.conftest import ROOT, Project, kill_group, wait_for
from tests.e2e.test_faults import words
from tests.e2e.test_locking import STEPS, computed, ended, go_on, slow, started
from tests.emulators import Emulator, fake_gcs, moto
from tests.fakes.faults import Fault, Faults
from tests.fakes.gcs import Running, serving
from tests.fakes.proxy import before
from zenctl.jobs.artifacts import check_tree
from zenctl.jobs.stores.opening import open_store

__all__ = ["slow"]

KEYS = {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "a-secret-of-aws", "AWS_DEFAULT_REGION": "us-east-1"}


@pytest.fixture(scope="module")
def gcs() -> Iterator[Emulator]:
    with fake_gcs() as server:
        yield server


@pytest.fixture(scope="module")
def s3() -> Iterator[Emulator]:
    with moto() as server:
        yield server


@dataclass
class Place:
    """A bucket for a project, and how a job reaches it."""

    uri: str
    environment: dict[str, str]
    access: dict[str, Any]


@pytest.fixture(params=["gcs", "s3"])
def place(request: pytest.FixtureRequest) -> Place:
    server: Emulator = request.getfixturevalue(request.param)
    if request.param == "gcs":
        environment = {"STORAGE_EMULATOR_HOST": server.endpoint}
        return Place(f"gs://{server.bucket()}/sub/dir", environment, {"endpoint": server.endpoint, "anonymous": True})
    access = {"endpoint": server.endpoint, "key_id": "id", "secret": "secret"}
    return Place(f"s3://{server.bucket()}/prefix", {**KEYS, "AWS_ENDPOINT_URL_S3": server.endpoint}, access)


def digests(project: Project) -> dict[str, str]:
    """The digests of all outputs."""
    document = project.json("show", "-json")
    return {
        f"{resource['address']}.{name}": output["digest"]
        for resource in document["values"]["root_module"]["resources"]
        for name, output in resource["values"]["outputs"].items()
    }


def test_the_same_project_in_a_bucket_and_in_a_folder(tiny: Project, place: Place, tmp_path: Path) -> None:
    local = Project(tmp_path / "local", dict(tiny.environment))
    shutil.copytree(tiny.root, local.root)
    local.ok("apply", "-auto-approve")
    tiny.environment.update(place.environment)
    assert place.uri in tiny.ok("config", "artifacts", "set", place.uri)
    assert place.uri in tiny.ok("config", "artifacts", "get")
    said = tiny.run("apply", "-auto-approve")
    assert said.returncode == 0, said.stderr
    assert "Warning" not in said.stderr
    tiny.ok("plan", "-detailed-exitcode")
    assert digests(tiny) == digests(local)
    assert "Nothing is missing or corrupt" in tiny.ok("state", "verify")
    assert "nothing to free" in tiny.ok("state", "gc", "-auto-approve")
    assert f"{place.uri}/trees/" in tiny.ok("state", "show", "step.python.tallest")
    assert not (tiny.root / ".zenctl" / "artifacts").exists()
    storage = open_store(place.uri, place.access)
    for digest in digests(tiny).values():
        check_tree(storage, digest)
    no_secret_was_written(tiny)


def no_secret_was_written(project: Project) -> None:
    """No file of the project holds a key or a token."""
    for path in (project.root / ".zenctl").rglob("*"):
        if path.is_file():
            assert KEYS["AWS_SECRET_ACCESS_KEY"].encode() not in path.read_bytes()


def test_logs_of_jobs_are_kept_in_the_bucket(tiny: Project, place: Place) -> None:
    tiny.environment.update(place.environment)
    tiny.ok("config", "artifacts", "set", place.uri)
    told = 'import os\n\n    print("told", "ZENCTL_STORE_ACCESS" in os.environ)\n    '
    tiny.edit("steps/rank.py", "    chosen = [", f"    {told}chosen = [")
    tiny.ok("apply", "-auto-approve")
    # What the job was told of its store, which may hold a token, is not for the step's code.
    assert tiny.ok("logs", "step.python.tallest") == "told False\n"


@pytest.mark.parametrize("place", ["gcs"], indirect=True)
def test_the_penguins_in_a_bucket(project: Project, place: Place) -> None:
    shutil.copytree(ROOT / "examples" / "penguins", project.root, dirs_exist_ok=True)
    project.environment.update(place.environment)
    project.ok("config", "artifacts", "set", place.uri)
    project.ok("apply", "-auto-approve")
    project.ok("plan", "-detailed-exitcode")
    assert "Nothing is missing or corrupt" in project.ok("state", "verify")
    url = project.json("state", "show", "-json", "endpoint.local.penguins")["values"]["attributes"]["url"]
    penguin = {
        "bill_length_mm": 39.1, "bill_depth_mm": 18.7, "flipper_length_mm": 181, "body_mass_g": 3750,
        "sex": "male", "island": "Torgersen",
    }  # fmt: skip
    asked = urllib.request.Request(f"{url}:predict", json.dumps({"instances": [penguin]}).encode())
    with urllib.request.urlopen(asked, timeout=60) as answer:
        [prediction] = json.load(answer)["predictions"]
    assert prediction["class"] == "Adelie"
    assert "1 deleted" in project.ok("destroy", "-auto-approve")


@pytest.fixture
def strict(slow: Project) -> Iterator[Running]:
    """The slow project with its artifacts on our own fake, which can be told to fail."""
    with serving() as running:
        slow.environment["STORAGE_EMULATOR_HOST"] = running.endpoint
        slow.ok("config", "artifacts", "set", f"gs://{running.fake.bucket()}/p")
        yield running
        assert running.fake.problems == []


def patience(project: Project, seconds: int) -> None:
    """Set how long a request that fails is repeated; a server may be silent for a second."""
    file = next(path for path in project.root.glob("*.zen.hcl") if "artifacts" in path.read_text())
    brief = f'prefix = "p"\n    retry_seconds = {seconds}\n    timeout_seconds = 1\n'
    file.write_text(re.sub(r'prefix = "p"\n(    (retry|timeout)_seconds = \d+\n)*', brief, file.read_text()))


def test_a_bucket_that_refuses_writes(slow: Project, strict: Running) -> None:
    applying = started(slow)
    denied = "ci@x does not have storage.objects.create access to the Google Cloud Storage object."
    strict.fake.faults.add(Fault("objects.insert", status=403, reason="forbidden", message=denied, times=1000))
    go_on(slow)
    [(code, said)] = ended(applying)
    assert code == 1
    assert "met a bug" not in said
    expect_documented("the bucket refuses writes", said)
    expect_documented("the same with a bucket, before a step begins", slow.fails("apply", "-auto-approve"))
    strict.fake.faults.clear()
    slow.ok("apply", "-auto-approve")
    slow.ok("plan", "-detailed-exitcode")


def test_a_bucket_that_is_away_for_a_while_is_waited_for(slow: Project, strict: Running) -> None:
    applying = started(slow)
    for method in ("objects.insert", "objects.get", "objects.get.media"):
        strict.fake.faults.add(Fault(method, status=503, times=2))
    go_on(slow)
    [(code, said)] = ended(applying)
    assert code == 0, said
    assert computed(slow) == dict.fromkeys(STEPS, 1)
    slow.ok("plan", "-detailed-exitcode")


def test_a_bucket_that_stays_away_ends_the_apply(slow: Project, strict: Running) -> None:
    patience(slow, 1)
    applying = started(slow)
    for method in ("objects.insert", "objects.get", "objects.get.media"):
        strict.fake.faults.add(Fault(method, status=503, times=1000))
    go_on(slow)
    [(code, said)] = ended(applying)
    assert code == 1
    assert "met a bug" not in said
    expect_documented("the bucket stays away", said)
    expect_documented("plan, while the bucket is away", slow.fails("plan"))
    strict.fake.faults.clear()
    slow.ok("apply", "-auto-approve")
    slow.ok("plan", "-detailed-exitcode")


@pytest.fixture
def proxied(slow: Project, s3: Emulator) -> Iterator[Faults]:
    """The slow project with its artifacts in a bucket of S3 behind a proxy, which can be told to fail."""
    with before(s3.endpoint) as proxy:
        slow.environment |= {**KEYS, "AWS_ENDPOINT_URL_S3": proxy.endpoint}
        slow.ok("config", "artifacts", "set", f"s3://{s3.bucket()}/p")
        yield proxy.faults


def test_a_bucket_that_falls_silent_ends_the_apply_and_for_a_moment_does_not(slow: Project, proxied: Faults) -> None:
    """It takes connections, and answers nothing; then it stops once in the midst of what is written and read."""
    patience(slow, 1)
    applying = started(slow)
    proxied.add(*(Fault(request, stall=True, times=1000) for request in ("PUT", "GET", "HEAD")))
    go_on(slow)
    [(code, said)] = ended(applying)
    assert code == 1
    assert "met a bug" not in said
    expect_documented("the bucket falls silent", said)
    proxied.clear()
    assert slow.ok("state", "list").split() == ["datasource.csv.heights"]
    patience(slow, 60)
    proxied.add(*(Fault(request, stall=True, cut=3, key="blobs") for request in ("PUT", "GET")))
    slow.ok("apply", "-auto-approve")
    assert computed(slow) == dict.fromkeys(STEPS, 1)
    slow.ok("plan", "-detailed-exitcode")


def test_a_bucket_in_whose_midst_an_upload_stops_names_the_object(slow: Project, strict: Running) -> None:
    patience(slow, 1)
    applying = started(slow)
    strict.fake.faults.add(Fault("objects.insert", stall=True, cut=3, key="p/blobs", times=1000))
    go_on(slow)
    [(code, said)] = ended(applying)
    assert code == 1
    expect_documented("the bucket falls silent while an output is written", said)
    strict.fake.faults.clear()
    strict.fake.faults.add(Fault("objects.get.media", stall=True, times=1000))
    expect_documented("plan, while the bucket is silent", slow.fails("plan"))
    strict.fake.faults.clear()
    slow.ok("apply", "-auto-approve")
    slow.ok("plan", "-detailed-exitcode")


def test_kill_9_during_an_upload_leaves_nothing_that_looks_whole(slow: Project, strict: Running) -> None:
    """The upload of an output stalls, and zenctl and the job are killed in its midst."""
    applying = started(slow)
    strict.fake.faults.add(Fault("objects.insert", stall=True, times=1000, key="p/blobs"))
    go_on(slow)
    wait_for(lambda: not any(f.key == "p/blobs" and f.times == 1000 for f in strict.fake.faults._waiting))
    os.killpg(applying.pid, signal.SIGKILL)
    kill_group(applying)
    strict.fake.faults.clear()
    [objects] = strict.fake.buckets.values()
    for name, stored in objects.items():
        if name.startswith("p/blobs/"):
            assert hashlib.sha256(stored.data).hexdigest() == name.rpartition("/")[2]
    assert "was interrupted" in words(slow.ok("plan"))
    slow.ok("apply", "-auto-approve")
    slow.ok("plan", "-detailed-exitcode")
    assert "Nothing is missing or corrupt" in slow.ok("state", "verify")


def test_a_bucket_that_is_not_there_is_named(tiny: Project, gcs: Emulator) -> None:
    tiny.environment["STORAGE_EMULATOR_HOST"] = gcs.endpoint
    tiny.ok("config", "artifacts", "set", "gs://no-such-bucket/x")
    said = words(tiny.fails("apply", "-auto-approve"))
    assert "the bucket gs://no-such-bucket does not exist" in said
    assert "gcloud storage buckets create gs://no-such-bucket" in said
