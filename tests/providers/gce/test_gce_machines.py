"""The machines of the backend `gce` themselves: what is asked for, how they start, and that none outlives its use."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote, urlsplit
from urllib.request import Request, urlopen

import pytest
from pydantic import ValidationError

from tests.fakes.compute.guest import TOKEN
from tests.fakes.faults import Fault
from zenctl.engine.execution import read_result
from zenctl.jobs.checkpoints import checkpoint_key
from zenctl.jobs.queue import Contained, JobQueue
from zenctl.jobs.resources import Resources
from zenctl.jobs.spec import Checkpointing, Entry, JobSpec, job_path
from zenctl.jobs.wire import spec_to_json
from zenctl.provider import ErrorKind, JobState, Packages, ProviderContext, ProviderError, Remote, SubmitRequest
from zenctl.provider.testing.compute import ComputeBench
from zenctl_gcp.gce_machines import STARTUP, machine_name, machine_packages, wanted_machine
from zenctl_gcp.gce_reach import contained
from zenctl_gcp.provider import GcpProvider
from zenctl_gcp.schema import GceBackend

from .conftest import OTHER, ZONE, Cloud

CONTEXT = ProviderContext("My Project", "pr-7", Path(".zenctl"), Path())


def config(**more: Any) -> dict[str, Any]:
    return GceBackend(**{"project": "proj", "zone": ZONE, "machine_type": "e2-small", **more}).model_dump()


def request(job: str, apply: str = "", **access: Any) -> SubmitRequest:
    spec = JobSpec(job, "step.command.x", Entry(command=("true",)))
    return SubmitRequest(spec, "gs://bucket/some/where", Path("runner"), access=lambda secret: access, apply=apply)


def order(cloud: Cloud, job: str, apply: str, script: str = "true") -> SubmitRequest:
    """A job of an apply, whose order is in the store."""
    spec = JobSpec(job, "step.command.x", Entry(command=("/bin/sh", "-c", script)))
    cloud.storage.put(job_path(job), spec_to_json(spec))
    return SubmitRequest(spec, cloud.storage.uri, cloud.runner, access=cloud.storage.access, apply=apply)  # type: ignore[attr-defined]


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed")
def test_the_startup_script_passes_shellcheck(tmp_path: Path) -> None:
    script = tmp_path / "startup.sh"
    script.write_text(STARTUP)
    done = subprocess.run(["shellcheck", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"spot": True, "network": "jobs", "external_ip": False},
        {"preemptible": True},
        {"accelerator": {"type": "nvidia-tesla-t4", "count": 1}, "subnetwork": "regions/r/subnetworks/s", "slots": 2},
        {"labels": {"team": "a"}, "metadata": {"proxy": "p"}, "service_account": "x@y.iam", "max_run_time": "2h"},
    ],
)  # fmt: skip
def test_compute_engine_takes_what_is_asked_for(cloud: Cloud, more: dict[str, Any]) -> None:
    wanted = wanted_machine(request("j", "ab12-3"), config(**more), CONTEXT, ("runners/x.pyz", "0" * 64))
    cloud.client().create(ZONE, wanted.resource(ZONE))
    [made] = cloud.fake.inserted[-1:]
    scheduling = made["scheduling"]
    if "preemptible" in more:
        assert (scheduling["preemptible"], "maxRunDuration" in scheduling) == (True, False)
    else:
        assert scheduling["instanceTerminationAction"] == "DELETE"
        assert scheduling["maxRunDuration"]["seconds"] == ("7200" if "max_run_time" in more else "86400")
    assert made["shieldedInstanceConfig"]["enableVtpm"] is True
    assert made["labels"]["zenctl-project"] == "my-project"
    metadata = {item["key"]: item["value"] for item in made["metadata"]["items"]}
    assert metadata["enable-oslogin"] == "TRUE"
    assert metadata["zenctl-runner"].endswith("/storage/v1/b/bucket/o/some%2Fwhere%2Frunners%2Fx.pyz?alt=media")
    assert {**made["labels"], **more.get("labels", {})} == made["labels"]
    assert {**metadata, **more.get("metadata", {})} == metadata


def test_a_machine_is_one_applys_or_one_jobs() -> None:
    shared = config()
    assert machine_name(request("a", "ab12-3"), shared) == machine_name(request("b", "ab12-3"), shared)
    assert machine_name(request("a", "ab12-4"), shared) != machine_name(request("a", "ab12-3"), shared)
    assert machine_name(request("a", "ab12-3"), config(slots=2)) != machine_name(request("a", "ab12-3"), shared)
    alone = config(scope="step")
    assert machine_name(request("a", "ab12-3"), alone) != machine_name(request("b", "ab12-3"), alone)
    assert machine_name(request("a"), shared) != machine_name(request("b"), shared)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"zone": None}, "give either `zone`, or several `zones`"),
        ({"zones": [OTHER]}, "give either `zone`, or several `zones`"),
        ({"max_run_time": "10s"}, "between 30s and 120d"),
        ({"spot": True, "preemptible": True}, "give either `spot` or `preemptible`"),
        ({"preemptible": True, "max_run_time": "2h"}, "a preemptible machine ends after 24 hours"),
        ({"max_idle": "soon"}, "give a duration"),
        ({"index_url": "https://me:secret@i/simple"}, "index_url"),
        ({"extra_index_urls": ["not a url"]}, "extra_index_urls"),
        ({"packages": "some"}, "packages"),
        ({"labels": {"zenctl-owner": "x"}}, "the label zenctl-owner is zenctl's own"),
        ({"metadata": {"startup-script": "x"}}, "the metadata key startup-script is zenctl's own"),
        ({"container_image": "python:3.11"}, "give the image by its digest"),
    ],
)
def test_a_block_that_makes_no_sense_is_refused(more: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        config(**more)


def test_a_jobs_own_image_goes_before_the_backends() -> None:
    backends, own = (f"{name}@sha256:{'0' * 64}" for name in ("backends", "own"))
    spec = JobSpec("j", "step.python.x", Entry(), resources=Resources(memory=1 << 30))
    gpus = {"type": "nvidia-tesla-t4", "count": 1}
    assert contained(spec, config()) is None
    assert contained(spec, config(container_image=backends)) == Contained(backends, 1 << 30)
    assert contained(replace(spec, image=own), config(container_image=backends)) == Contained(own, 1 << 30)
    assert contained(replace(spec, image=own), config(accelerator=gpus)) == Contained(own, 1 << 30, True)


def test_nothing_is_installed_in_a_container_image() -> None:
    assert machine_packages(config()).install
    assert not machine_packages(config(packages="image")).install
    image = f"steps@sha256:{'0' * 64}"
    assert not machine_packages(config(container_image=image)).install


def test_artifacts_must_lie_in_a_bucket(cloud: Cloud) -> None:
    spec = JobSpec("j", "step.command.x", Entry(command=("true",)))
    with pytest.raises(ProviderError, match="cannot reach the artifact store file:///x") as caught:
        cloud.compute().submit(SubmitRequest(spec, "file:///x", cloud.runner))
    assert caught.value.kind is ErrorKind.INVALID
    assert "gs://BUCKET" in caught.value.hint


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"secrets": {"TOKEN": "env:TOKEN"}}, r"its secret TOKEN \(env:TOKEN\) is where a machine"),
        ({"locations": {"path": "/data/x.csv"}}, "its source /data/x.csv is on this machine"),
        ({"image": "i@sha256:0", "variables": ("A", "B")}, r"its variables \(A, B\) are this machine's"),
    ],
)
def test_what_only_this_machine_has_is_not_looked_for_on_another(cloud: Cloud, more: dict[str, Any], said: str) -> None:
    spec = JobSpec("j", "step.command.x", Entry(command=("true",)), **more)
    made = len(cloud.fake.inserted)
    with pytest.raises(ProviderError, match=said):
        cloud.compute().submit(SubmitRequest(spec, cloud.storage.uri, cloud.runner, access=cloud.storage.access))  # type: ignore[attr-defined]
    assert len(cloud.fake.inserted) == made


def test_no_secret_is_given_away(cloud: Cloud) -> None:
    """What everybody may read who may look at the machine holds no token, not even while zenctl has one."""

    def access(secret: bool) -> dict[str, Any]:
        return {"token": "a-secret"} if secret else {"retry_seconds": 1}

    asked = SubmitRequest(request("j").spec, "gs://bucket", Path("runner"), access=access)
    resource = wanted_machine(asked, config(), CONTEXT, ("runners/x.pyz", "0")).resource(ZONE)
    assert "a-secret" not in json.dumps(resource)
    assert "a-secret" not in json.dumps(cloud.compute().handle(asked))


def test_nothing_of_google_is_loaded_before_it_is_asked(tmp_path: Path) -> None:
    program = (
        "import sys; from zenctl.provider import ProviderContext; from zenctl_gcp.provider import GcpProvider;"
        "from pathlib import Path; p = GcpProvider(); p.configure({}, ProviderContext('p', 'd', Path('.'), Path('.')));"
        f"p.compute('gce', {config()!r}); p.close();"
        "print([name for name in sys.modules if name.split('.')[0] in ('google', 'requests')])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.strip() == "[]"


def test_a_missing_sdk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(GcpProvider, "compute_sdk", "no-such-package")
    provider = GcpProvider()
    provider.configure({}, CONTEXT)
    with pytest.raises(ProviderError, match="no-such-package is not installed") as caught:
        provider.compute("gce", config())
    assert caught.value.hint == "Install it: pip install 'zenctl[gcp]'"


def test_a_machine_that_cannot_start_says_why_and_goes(cloud: Cloud) -> None:
    """Its runner is not what zenctl has put there: the machine does not run it, and does not stay."""
    bench = ComputeBench(cloud.compute, cloud.storage, cloud.runner)
    compute, asked = cloud.compute(), bench.request("hello")
    handle = compute.handle(asked)
    path, _ = compute._runner(asked, handle)
    cloud.buckets.fake.buckets[cloud.storage.uri.split("/")[2]][f"some/where/{path}"].data = b"something else"
    made = len(cloud.fake.inserted)
    compute.submit(asked)
    status = bench.wait(compute, handle)
    assert status.state is JobState.LOST
    assert "shut down" in status.reason
    assert "sha256sum" in status.reason
    # Another one could not start either.
    assert len(cloud.fake.inserted) == made + 1
    assert cloud.fake.running() == []
    assert TOKEN not in status.reason
    compute.release(handle)
    assert cloud.fake.running() == []


def test_what_may_go_on_costing_is_told_at_the_end(cloud: Cloud) -> None:
    provider = GcpProvider()
    provider.configure({}, ProviderContext("p", "default", cloud.root, cloud.root))
    compute = provider.compute("gce", config(endpoint=cloud.machines.endpoint, retry_seconds=0))
    compute.submit(order(cloud, "conformance-x", "ab12-3"))
    cloud.fake.faults.add(Fault("instances.delete", status=503))
    with pytest.raises(ProviderError, match="a machine may still be there") as caught:
        provider.close()
    assert "the next apply deletes it" in caught.value.hint
    assert len(cloud.fake.running()) == 1
    left = cloud.fake.running()[0].name
    later = cloud.compute()
    own = later.submit(order(cloud, "conformance-y", "ab12-4"))["machine"]
    assert {i.name for i in cloud.fake.running()} == {left, own}, "its job was not given up yet"
    assert later.sweep() == [left]
    assert [i.name for i in cloud.fake.running()] == [own]


def test_a_job_whose_machine_is_taken_away_is_lost_and_the_next_one_gets_another(cloud: Cloud) -> None:
    bench = ComputeBench(cloud.compute, cloud.storage, cloud.runner)
    compute = cloud.compute()
    handle = compute.submit(order(cloud, "conformance-1", "ab12-3", "echo begun; sleep 1000"))
    bench.wait_for_log(compute, handle, "begun")
    [instance] = cloud.fake.running()
    assert len(instance.guest.processes()) > 2
    cloud.fake.preempt(instance.name, notice=False)
    assert instance.guest.processes() == []
    status = bench.wait(compute, handle)
    assert (status.state, status.exit_code) == (JobState.LOST, None)
    assert status.reason == f"Compute Engine took its machine {instance.name} away (preempted)"
    assert "begun" in compute.logs(handle, 0).text
    compute.release(handle)
    again = compute.submit(order(cloud, "conformance-2", "ab12-3"))
    assert again["machine"] == handle["machine"]
    assert bench.wait(compute, again).exit_code == 0
    compute.close()
    assert cloud.fake.running() == []


def test_a_machine_that_is_taken_away_lets_its_job_save_a_last_checkpoint(cloud: Cloud) -> None:
    """Notice first, then the job's checkpoint, then the power is off: the next attempt on the next machine goes on."""
    bench = ComputeBench(cloud.compute, cloud.storage, cloud.runner)
    compute = cloud.compute()
    words = 'echo 7 > "$ZENCTL_CHECKPOINTS/at"; touch -d 2020-01-01 "$ZENCTL_CHECKPOINTS" "$ZENCTL_CHECKPOINTS/at"'
    script = f'if [ -e "$ZENCTL_CHECKPOINTS/at" ]; then echo goes on; else {words}; echo begun; exec sleep 1000; fi'
    key = checkpoint_key("p", "default", "f" * 64)

    def asked(job: str) -> SubmitRequest:
        made = order(cloud, job, "ab12-3", script)
        spec = replace(made.spec, checkpoints=Checkpointing(key, ""))
        cloud.storage.put(job_path(job), spec_to_json(spec), overwrite=True)
        return replace(made, spec=spec)

    handle = compute.submit(asked("conformance-1"))
    bench.wait_for_log(compute, handle, "begun")
    [instance] = cloud.fake.running()
    cloud.fake.preempt(instance.name)
    status = bench.wait(compute, handle)
    assert status.state is JobState.LOST
    assert status.reason == f"Compute Engine took its machine {instance.name} away (preempted)"
    assert read_result(cloud.storage, "conformance-1") is None
    compute.release(handle)
    again = compute.submit(asked("conformance-2"))
    assert bench.wait(compute, again).exit_code == 0
    assert "goes on from the checkpoint of conformance-1 (1 file, 2 bytes)" in compute.logs(again, 0).text
    assert "\ngoes on\n" in compute.logs(again, 0).text
    assert len({i["name"] for i in cloud.fake.inserted[-2:]}) == 1
    compute.close()
    assert cloud.fake.running() == []


def test_a_job_that_does_not_heed_the_notice_is_cut_off(cloud: Cloud) -> None:
    bench = ComputeBench(cloud.compute, cloud.storage, cloud.runner)
    compute = cloud.compute()
    handle = compute.submit(
        order(cloud, "conformance-1", "ab12-3", "trap '' TERM; echo begun; while :; do sleep 1; done")
    )
    bench.wait_for_log(compute, handle, "begun")
    [instance] = cloud.fake.instances.values()
    cloud.fake.preempt(instance.name)
    assert compute.status(handle).state is JobState.RUNNING, "it may have something to save"
    cloud.fake.pass_time(30.0)
    status = bench.wait(compute, handle)
    assert (status.state, status.reason) == (
        JobState.LOST,
        f"Compute Engine took its machine {instance.name} away (preempted)",
    )
    compute.close()


def test_the_time_that_an_environment_takes_is_not_the_step_s(cloud: Cloud) -> None:
    compute = cloud.compute()
    bench = ComputeBench(cloud.compute, cloud.storage, cloud.runner)
    handle = compute.submit(order(cloud, "conformance-prepares", "ab12-3", "echo begun; sleep 1000"))
    bench.wait_for_log(compute, handle, "begun")
    queue = JobQueue(cloud.storage, handle["machine"])
    queue.prepare("conformance-prepares", "preparing its environment (2 requirements)")
    while (status := compute.status(handle)).state is JobState.RUNNING:
        pass
    assert (status.state, status.reason) == (JobState.PENDING, "preparing its environment (2 requirements)")
    queue.prepare("conformance-prepares", "")
    bench.wait(compute, handle, JobState.RUNNING)
    compute.cancel(handle)
    bench.wait(compute, handle)
    compute.release(handle)
    compute.close()


def test_how_jobs_get_their_packages(cloud: Cloud) -> None:
    assert isinstance(cloud.compute(), Remote)
    assert cloud.compute().packages() == Packages(True, {})
    assert not cloud.compute(packages="image").packages().install
    assert not cloud.compute(container_image=f"steps@sha256:{'0' * 64}").packages().install
    found = cloud.compute(index_url="https://i/simple", extra_index_urls=["https://a", "https://b"]).packages()
    assert found.settings == {
        "UV_DEFAULT_INDEX": "https://i/simple",
        "PIP_INDEX_URL": "https://i/simple",
        "UV_INDEX": "https://a https://b",
        "PIP_EXTRA_INDEX_URL": "https://a https://b",
    }


def test_an_idle_machine_shuts_down_and_another_takes_its_place(cloud: Cloud) -> None:
    compute = cloud.compute(max_idle="100ms")
    bench = ComputeBench(cloud.compute, cloud.storage, cloud.runner)
    first = order(cloud, "conformance-first", "ab12-3")
    handle = compute.submit(first)
    assert bench.wait(compute, handle).exit_code == 0
    compute.release(handle)
    while cloud.fake.running():
        pass
    second = compute.submit(order(cloud, "conformance-second", "ab12-3"))
    assert second["machine"] == handle["machine"]
    assert bench.wait(compute, second).exit_code == 0
    compute.close()
    assert cloud.fake.running() == []


def test_one_machine_serves_an_apply_and_the_next_apply_deletes_what_a_dead_one_left(cloud: Cloud) -> None:
    bench = ComputeBench(cloud.compute, cloud.storage, cloud.runner)
    dead = cloud.compute()
    handles = [dead.submit(order(cloud, f"conformance-{n}", "ab12-3", "sleep 1000")) for n in (1, 2)]
    for handle in handles:
        bench.wait(dead, handle, JobState.RUNNING)
    assert len(cloud.fake.running()) == 1
    # The next command settles what it finds: one job is given up, the other waited for.
    later = cloud.compute()
    assert later.status(handles[0]).state is JobState.RUNNING
    later.cancel(handles[0])
    bench.wait(later, handles[0])
    later.release(handles[0])
    new = later.submit(order(cloud, "conformance-3", "ab12-4"))
    assert {i.name for i in cloud.fake.running()} == {new["machine"], handles[1]["machine"]}
    later.cancel(handles[1])
    bench.wait(later, handles[1])
    later.release(handles[1])
    assert {i.name for i in cloud.fake.running()} == {new["machine"]}
    # One that nobody has an order for is found by its label.
    JobQueue(cloud.storage, new["machine"]).forget("conformance-3")
    last = cloud.compute()
    other = last.submit(order(cloud, "conformance-4", "ab12-5"))
    assert {i.name for i in cloud.fake.running()} == {other["machine"]}
    assert last.sweep() == []
    last.close()
    assert cloud.fake.running() == []
    assert cloud.compute().sweep() == []


def test_what_applies_left_goes_and_the_machine_of_another_job_stays(cloud: Cloud) -> None:
    dead = cloud.compute()
    kept, _, alone = [
        dead.submit(order(cloud, f"conformance-{n}", apply)) for n, apply in enumerate(("a-1", "a-2", ""))
    ]
    later = cloud.compute()
    assert len(cloud.fake.running()) == 3
    assert len(later.sweep([kept])) == 1
    assert {i.name for i in cloud.fake.running()} == {kept["machine"], alone["machine"]}
    assert later.sweep([]) == [kept["machine"]]
    assert later.sweep() == [alone["machine"]]
    assert cloud.fake.running() == []


def test_the_identity_of_a_machine_is_refused_all_else(cloud: Cloud) -> None:
    fake, name = cloud.buckets.fake, "some/where/one"
    assert cloud.storage.put("one", b"1")
    bucket = urlsplit(cloud.storage.uri).netloc
    upload = f"/upload/storage/v1/b/{bucket}/o?uploadType=media&name="

    def ask(method: str, path: str, data: bytes | None = None) -> int:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        request = Request(f"{cloud.buckets.endpoint}{path}", data, headers, method=method)
        try:
            with urlopen(request) as answer:
                return int(answer.status)
        except HTTPError as problem:
            return problem.code

    assert ask("GET", f"/storage/v1/b/{bucket}/o/{quote(name, safe='')}?alt=media") == 200
    assert ask("POST", f"{upload}some/where/two&ifGenerationMatch=0", b"2") == 200
    assert ask("POST", f"{upload}{name}&ifGenerationMatch=0", b"2") == 412
    assert ask("POST", f"{upload}{name}", b"2") == 403
    assert ask("POST", f"{upload}elsewhere/one", b"2") == 403
    assert ask("DELETE", f"/storage/v1/b/{bucket}/o/{quote(name, safe='')}") == 403
    assert [said.split()[0] for said in fake.denied] == [
        "storage.objects.delete",
        "storage.objects.create",
        "storage.objects.delete",
    ]
    assert fake.buckets[bucket][name].data == b"1"
    fake.denied.clear()
