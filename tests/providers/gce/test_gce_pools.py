"""What plan and `zenctl backend show` are told of machines is what they turn out to be."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from zenctl.jobs.resources import Resources
from zenctl.provider import Announcing, ProviderContext, Provisioning
from zenctl_gcp.gce_machines import wanted_machine
from zenctl_gcp.gce_pools import EXTERNAL_IP, template
from zenctl_gcp.provider import GcpProvider

from .test_gce_machines import CONTEXT, config, request


def backend(context: ProviderContext = CONTEXT, **more: Any) -> Any:
    provider = GcpProvider()
    provider.configure({}, context)
    return provider.compute("gce", config(**more))


def test_it_can_be_asked_and_listened_to() -> None:
    assert isinstance(backend(), Provisioning)
    assert isinstance(backend(), Announcing)
    assert backend().pools([]) == []


def test_a_pool_says_what_the_machines_are() -> None:
    gpus = {"accelerator": {"type": "nvidia-tesla-t4", "count": 2}, "zone": None, "zones": ["b-1", "b-2"]}
    [pool] = backend(spot=True, **gpus).pools([Resources()])
    assert (pool.machine_type, pool.locations, pool.count) == ("e2-small", ("b-1", "b-2"), 1)
    assert (pool.accelerators, pool.spot, pool.scope) == ({"nvidia-tesla-t4": 2}, True, "apply")


def test_machines_are_shared_as_their_names_are() -> None:
    def key(**more: Any) -> str:
        return str(backend(**more).pools([Resources()])[0].key)

    assert key() == key(price_per_hour=3.0) != key(disk_size_gb=99)
    assert key(scope="step") == ""
    names = {
        wanted_machine(request("j", "a"), config(**more), CONTEXT, ("", "")).name for more in ({}, {"currency": "EUR"})
    }
    assert len(names) == 1


def test_a_template_is_what_each_machine_gets() -> None:
    more = {"metadata": {"team": "ml"}, "labels": {"cost": "ml"}, "external_ip": False}
    shown = template(config(**more), CONTEXT)
    wanted = wanted_machine(request("job", "abc-1", endpoint="http://e"), config(**more), CONTEXT, ("runners/x", "ff"))
    for known, real in ((shown.metadata, wanted.metadata), (shown.labels, wanted.labels)):
        assert known.keys() == real.keys()
        assert {key: value for key, value in known.items() if value is not None}.items() <= real.items()
    unknown = {key for key, value in shown.metadata.items() if value is None}
    assert unknown == {"zenctl-runner", "zenctl-runner-sha256", "zenctl-access", "zenctl-store"}
    assert [key for key, value in shown.labels.items() if value is None] == ["zenctl-apply"]
    assert shown.startup_script == wanted.metadata["startup-script"]
    assert EXTERNAL_IP not in shown.permissions
    assert EXTERNAL_IP in template(config(), CONTEXT).permissions


def test_the_documented_permissions_are_those_shown() -> None:
    page = (Path(__file__).parents[3] / "docs" / "backends" / "gce.md").read_text()
    # The page shortens names of one service: `compute.instances.create`, `.delete`.
    for permission in template(config(), CONTEXT).permissions:
        assert f".{permission.rpartition('.')[2]}`" in page, permission


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed")
def test_the_script_that_is_shown_passes_shellcheck(tmp_path: Path) -> None:
    script = tmp_path / "startup.sh"
    script.write_text(template(config(), CONTEXT).startup_script)
    done = subprocess.run(["shellcheck", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
