"""What tests of the backend `gce` share: one fake Compute Engine and one fake bucket server for all of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import compute as fake_compute
from tests.fakes import gcs as fake_gcs
from tests.fakes.compute.guest import TOKEN
from tests.fakes.iam import Grant
from zenctl.jobs.storage import Storage
from zenctl.provider import ProviderContext
from zenctl.runner.zipapp import build_runner
from zenctl_gcp.compute_client import ComputeClient
from zenctl_gcp.gce import GceCompute
from zenctl_gcp.gce_fleet import Pace
from zenctl_gcp.provider import GcpProvider
from zenctl_gcp.schema import GceBackend

ZONE, OTHER = "europe-west1-b", "europe-west1-c"


@pytest.fixture(scope="session")
def machines() -> Iterator[fake_compute.Running]:
    with fake_compute.serving() as running:
        yield running


@pytest.fixture(scope="session")
def buckets() -> Iterator[fake_gcs.Running]:
    with fake_gcs.serving() as running:
        yield running


@pytest.fixture(scope="session")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_runner(tmp_path_factory.mktemp("runner"))


@dataclass
class Cloud:
    """A cloud of its own for each test, as far as that shows: an empty bucket, no machine, no fault."""

    machines: fake_compute.Running
    buckets: fake_gcs.Running
    runner: Path
    root: Path
    provider: GcpProvider
    storage: Storage
    opened: list[GceCompute] = field(default_factory=list)

    @property
    def fake(self) -> fake_compute.FakeCompute:
        return self.machines.fake

    def client(self, patience: float = 5.0) -> ComputeClient:
        return ComputeClient("proj", endpoint=self.machines.endpoint, patience=patience, first=0.01)

    def compute(self, **config: Any) -> GceCompute:
        """The backend as a command opens it."""
        zones = {} if "zones" in config or "zone" in config else {"zone": ZONE}
        block = GceBackend(**{"project": "proj", "machine_type": "e2-small", **zones, **config})
        context = ProviderContext("p", "default", self.root / ".zenctl", self.root)
        compute = GceCompute(
            block.model_dump(),
            context,
            open_client=lambda project: self.client(),
            open_store=self.provider._open_bucket,
            pace=Pace(0.02, 0.2),
        )
        self.opened.append(compute)
        return compute


@pytest.fixture
def cloud(machines: fake_compute.Running, buckets: fake_gcs.Running, runner: Path, tmp_path: Path) -> Iterator[Cloud]:
    provider = GcpProvider()
    config = {"bucket": buckets.fake.bucket(), "prefix": "some/where", "endpoint": buckets.endpoint}
    # The machine's service account has what docs/backends/gce.md asks for, and no more.
    buckets.fake.grants[TOKEN] = [Grant(str(config["bucket"]), "some/where/")]
    made = Cloud(machines, buckets, runner, tmp_path, provider, provider.storage("gcs", config))
    yield made
    fake = made.fake
    fake.faults.clear()
    fake.stockouts.clear()
    fake.close()
    assert (fake.problems, buckets.fake.problems, buckets.fake.denied) == ([], [], [])


def bare(name: str, zone: str = ZONE, **more: Any) -> dict[str, Any]:
    """An instance that runs nothing, as the API takes one."""
    return {
        "name": name,
        "machineType": f"zones/{zone}/machineTypes/e2-small",
        "disks": [{"boot": True, "autoDelete": True, "initializeParams": {"sourceImage": "some/image"}}],
        "networkInterfaces": [{"network": "global/networks/default"}],
        **more,
    }
