"""The contract of backends, kept by machines of a Compute Engine that really run."""

from __future__ import annotations

import pytest

from zenctl.provider.testing.compute import ComputeBench, ComputeConformance

from .conftest import Cloud


class TestGceConformance(ComputeConformance):
    @pytest.fixture
    def bench(self, cloud: Cloud) -> ComputeBench:
        return ComputeBench(cloud.compute, cloud.storage, cloud.runner)
