"""How a job on a machine can end: each way is told in its own words, with what to do about it."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace

import pytest

from tests.fakes.faults import Fault
from zenctl.digests import sha256_bytes
from zenctl.engine.execution import Order, Services, execute
from zenctl.engine.requests import Stop
from zenctl.jobs.artifacts import code_path
from zenctl.jobs.resources import Resources
from zenctl.jobs.result import JobError
from zenctl.jobs.spec import Entry, JobSpec, OutputSpec
from zenctl.provider import Compute, JobState
from zenctl.provider.testing.compute import ComputeBench
from zenctl_gcp.gce_reasons import grant, last_words, look_up, not_served

from .conftest import ZONE, Cloud

CODE = """
import os, signal, sys
def raises() -> int:
    raise ValueError("too few")
def leaves() -> int:
    sys.exit(3)
def leaves_at_once() -> int:
    os._exit(4)
def crashes() -> int:
    os.kill(os.getpid(), signal.SIGSEGV)
def is_killed() -> int:
    os.kill(os.getpid(), signal.SIGKILL)
def takes() -> int:
    return len(bytearray(1 << 30))
def hangs() -> int:
    signal.pause()
"""

SAID = {
    "raises": ("user_error", "ValueError: too few"),
    "leaves": ("user_error", "the code ended itself with sys.exit(3)"),
    "leaves_at_once": ("lost", "it ended with exit code 4"),
    "crashes": ("lost", "killed by signal 11 (SIGSEGV)"),
    "is_killed": ("lost", "killed by signal 9 (SIGKILL); the system does that when memory runs out"),
    "takes": ("user_error", "MemoryError: the step ran out of memory"),
    "hangs": ("timeout", "it did not end within its timeout of 1 seconds"),
}


def run(cloud: Cloud, compute: Compute, function: str, **more: object) -> JobError:
    """The error of a job that runs the function."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("fit.py", CODE)
    data = buffer.getvalue()
    cloud.storage.put(code_path(sha256_bytes(data)), data)
    entry = Entry(file="fit.py", function=function)
    outputs = {"result": OutputSpec("Artifact", returned=True)}
    spec = JobSpec(f"conformance-{function}", "step.python.fit", entry, outputs=outputs, code=sha256_bytes(data))
    services = Services(cloud.storage, None, cloud.runner, lambda event: None, Stop(), apply="ab12-3")  # type: ignore[arg-type]
    result = execute(Order(replace(spec, **more), compute, None), services)  # type: ignore[arg-type]
    assert result.error is not None
    return result.error


def test_each_end_of_a_job_is_told_in_its_own_words(cloud: Cloud) -> None:
    compute = cloud.compute()
    found = {}
    for function in SAID:
        limits = {"timeout": 1.0} if function == "hangs" else {"resources": Resources(memory=200 << 20)}
        told = run(cloud, compute, function, **limits)
        found[function] = (told.kind, told.message)
        if function == "takes":
            assert told.hint.startswith("It may take 200 MiB: ")
    assert found == SAID
    assert len({machine["name"] for machine in cloud.fake.inserted[-1:]}) == 1
    compute.close()


def test_a_service_account_that_may_not_read_the_bucket(cloud: Cloud) -> None:
    compute = cloud.compute(service_account="jobs@proj.iam.gserviceaccount.com")
    bench = ComputeBench(cloud.compute, cloud.storage, cloud.runner)
    asked = bench.request("hello")
    compute.submit(asked)
    cloud.buckets.fake.faults.add(Fault("objects.get.media", status=403, key="runners/", times=99))
    status = bench.wait(compute, compute.handle(asked))
    cloud.buckets.fake.faults.clear()
    assert status.state is JobState.LOST
    bucket = cloud.storage.uri.split("/")[2]
    assert (
        "its service account (jobs@proj.iam.gserviceaccount.com) may not read "
        f"gs://{bucket}; grant it roles/storage.objectViewer: gcloud storage buckets add-iam-policy-binding "
        f"gs://{bucket} --member=serviceAccount:jobs@proj.iam.gserviceaccount.com" in status.reason
    )
    assert "it said last: curl: (22) The requested URL returned error: 403" in status.reason
    assert cloud.fake.running() == []


def test_a_machine_without_a_service_account(cloud: Cloud) -> None:
    compute = cloud.compute()
    bench = ComputeBench(cloud.compute, cloud.storage, cloud.runner)
    asked = bench.request("hello")
    compute.submit(asked)
    [instance] = cloud.fake.running()
    instance.guest.has_account = False
    status = bench.wait(compute, compute.handle(asked))
    assert "it has no service account: set `service_account` of its backend" in status.reason


@pytest.mark.parametrize(
    ("message", "hint"),
    [
        (
            "Required 'compute.instances.create' permission for 'projects/proj/zones/z/instances/m'",
            "compute.instances.create is part of roles/compute.instanceAdmin.v1. Grant it: gcloud projects",
        ),
        (
            "The user does not have access to service account 'x'. Ask a project owner to grant you the "
            "iam.serviceAccountUser role",
            "iam.serviceAccounts.actAs is part of roles/iam.serviceAccountUser.",
        ),
    ],
)
def test_a_permission_of_the_user_that_is_missing(cloud: Cloud, message: str, hint: str) -> None:
    cloud.fake.faults.add(Fault("instances.insert", status=403, reason="forbidden", message=message))
    told = run(cloud, cloud.compute(), "raises")
    assert told.kind == "backend"
    assert message in told.message
    assert told.hint.startswith(hint)


def test_what_is_not_there_is_told_with_where_to_look(cloud: Cloud) -> None:
    told = run(cloud, cloud.compute(machine_type="e2-smal"), "raises")
    assert (told.kind, "Machine type with name 'e2-smal' does not exist" in told.message) == ("backend", True)
    assert "gcloud compute machine-types list" in told.hint
    told = run(cloud, cloud.compute(zone="moon-a"), "raises")
    assert (told.kind, "Unknown zone" in told.message) == ("backend", True)
    assert "gcloud compute zones list" in told.hint
    image = "Invalid value for field 'resource.disks[0].initializeParams.sourceImage': 'x'. It cannot be found."
    cloud.fake.faults.add(Fault("instances.insert", status=400, reason="invalid", message=image))
    told = run(cloud, cloud.compute(), "raises")
    assert "gcloud compute images list" in told.hint


def test_no_quota_is_not_no_capacity(cloud: Cloud) -> None:
    cloud.fake.quotas["CPUS"] = 1.0
    try:
        told = run(cloud, cloud.compute(), "raises")
    finally:
        cloud.fake.quotas["CPUS"] = 24.0
    assert told.kind == "lost"
    assert "there is no quota for its machine: europe-west1-b: Quota 'CPUS' exceeded" in told.message
    assert "Ask for more" in told.message
    cloud.fake.stockouts.add(ZONE)
    told = run(cloud, cloud.compute(), "leaves")
    assert "there is no capacity for its machine" in told.message


def test_the_last_words_of_a_serial_log_are_the_scripts() -> None:
    serial = (
        "[   12.3] systemd[1]: Started.\r\n"
        "Nov 26 12:00:00 m google_metadata_script_runner[812]: startup-script: curl: (6) Could not resolve host: x\r\n"
        "[   14.0] reboot: Power down\r\n"
    )
    assert last_words(serial) == "curl: (6) Could not resolve host: x"
    assert last_words("boots\r\n[1] Power down\r\n") == "[1] Power down"
    assert last_words("") == ""
    assert "Private Google Access" in not_served(serial, "b", "")
    creates = "zenctl: gs://b denies permission: x does not have storage.objects.create access"
    assert "roles/storage.objectCreator" in not_served(creates, "b", "a@b")
    assert "its image lacks" in not_served("startup-script: /startup: 12: python3.9: not found", "b", "")
    assert not_served("boots", "b", "") == ""
    assert grant("p", "no such thing") == look_up("z", "no such thing") == ""
