"""The Beam provider: what it offers, what it refuses, and that plan pays nothing for it."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points

import pytest

from zenctl.provider import ErrorKind, Provider, ProviderError
from zenctl_beam.provider import BeamProvider


def test_it_is_found_and_offers_a_processing_backend() -> None:
    (point,) = [p for p in entry_points(group="zenctl.providers") if p.name == "beam"]
    provider: Provider = point.load()()
    assert isinstance(provider, BeamProvider)
    assert {name: kind.roles for name, kind in provider.schema().backends.items()} == {"direct": ("processing",)}
    assert (provider.schema().endpoints, provider.schema().stores) == ({}, {})
    provider.close()


def test_the_runner_is_pinned_by_name() -> None:
    options = BeamProvider().processing("direct", {}).options()
    assert options["runner"] == "FnApiRunner"
    from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
    from apache_beam.runners import create_runner

    found = PipelineOptions.from_dictionary(dict(options)).view_as(StandardOptions).runner
    assert type(create_runner(found)).__name__ == "FnApiRunner"


def test_what_it_does_not_have_is_refused() -> None:
    provider = BeamProvider()
    for call in (
        lambda: provider.compute("direct", {}),
        lambda: provider.processing("flink", {}),
        lambda: provider.endpoint("local"),
        lambda: provider.storage("local", {}),
    ):
        with pytest.raises(ProviderError) as caught:
            call()
        assert caught.value.kind is ErrorKind.INVALID


def test_its_module_does_not_import_beam() -> None:
    code = (
        "import sys; from zenctl_beam.provider import BeamProvider; p = BeamProvider(); p.schema(); "
        "p.processing('direct', {}).options(); print({'apache_beam', 'numpy', 'pyarrow'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=240)
    assert done.stdout.strip() == "set()"
