"""What is said of a machine type's size, and what of a type that nobody knows."""

from __future__ import annotations

from typing import Any

import pytest

from zenctl.jobs.resources import Resources
from zenctl.provider import Misfit, Sized
from zenctl_gcp.machine_sizes import GIB, lacks, machine_size

from .conftest import Cloud


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("n1-standard-4", Resources(4, 15 * GIB, 0)),
        ("n1-highmem-2", Resources(2, 13 * GIB, 0)),
        ("e2-standard-4", Resources(4, 16 * GIB, 0)),
        ("e2-small", Resources(2, 2 * GIB, 0)),
        ("n2d-highcpu-8", Resources(8, 8 * GIB, 0)),
        ("custom-6-20480", Resources(6, 20 * GIB, 0)),
        ("n2-custom-4-8192-ext", Resources(4, 8 * GIB, 0)),
        ("g2-standard-24", Resources(24, 96 * GIB, 2)),
        ("g2-standard-5", None),
        ("n9-standard-4", None),
        ("x4-megamem-960-metal", None),
    ],
)
def test_the_size_follows_from_the_name(name: str, expected: Resources | None) -> None:
    assert machine_size({"machine_type": name}) == expected


@pytest.mark.parametrize(
    ("needs", "said"),
    [
        (Resources(4, 15 * GIB, 1), ""),
        (Resources(cpu=5), "it asks for 5 CPUs, and a machine of type n1-standard-4 has 4"),
        (Resources(memory=16 * GIB), "it asks for 16 GiB of memory, and a machine of type n1-standard-4 has 15 GiB"),
        (Resources(gpu=2), "it asks for 2 GPUs, and the backend has 1"),
    ],
)
def test_what_a_job_lacks(needs: Resources, said: str) -> None:
    config: dict[str, Any] = {"machine_type": "n1-standard-4", "accelerator": {"type": "t4", "count": 1}}
    assert lacks(needs, config) == said
    assert lacks(needs, {**config, "machine_type": "n9-standard-4"}) == ""


def test_plan_is_told(cloud: Cloud) -> None:
    compute = cloud.compute()
    assert isinstance(compute, Sized)
    assert compute.misfit(Resources(gpu=1)) == Misfit("it asks for 1 GPU, and the backend has none")
    assert compute.misfit(Resources(cpu=2)) is None
