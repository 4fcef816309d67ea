"""Every provider that comes with zenctl holds the contract of providers."""

from __future__ import annotations

import pytest

from zenctl.provider import Processing, Provider
from zenctl.provider.registry import discover
from zenctl.provider.testing.provider import ProcessingConformance, ProviderConformance
from zenctl_beam.direct import DirectProcessing

REGISTRY = discover()


@pytest.mark.parametrize("name", REGISTRY.provider_names())
class TestBuiltIn(ProviderConformance):
    @pytest.fixture
    def provider(self, name: str) -> Provider:
        return REGISTRY.providers[name].load()()


class TestDirect(ProcessingConformance):
    @pytest.fixture
    def processing(self) -> Processing:
        return DirectProcessing()
