"""ProviderConformance and ProcessingConformance: what every provider, and every processing backend, must do."""

from __future__ import annotations

import json
from collections.abc import Mapping, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from zenctl.jobs.secrets.references import REMOTE, SCHEMES
from zenctl.provider.errors import ErrorKind, ProviderError
from zenctl.provider.messages import ProviderContext
from zenctl.provider.protocol import Processing, Provider, Vouching

ABSENT = "conformance-no-such-type"


class ProviderConformance:
    """Inherit as `class TestMyProvider(ProviderConformance)` and define the fixture `provider`: a new, bare one.

    `config` are the attributes of its block that must be given.
    """

    config: Mapping[str, Any] = MappingProxyType({})

    def test_it_has_a_name_and_a_version(self, provider: Provider) -> None:
        assert provider.name.isidentifier()
        assert provider.version[:1].isdigit()

    def test_its_schema_is_known_before_it_is_configured_and_stays(self, provider: Provider) -> None:
        schema = provider.schema()
        assert schema.name == provider.name
        assert provider.schema() == schema
        for types in (schema.backends, schema.endpoints, schema.stores):
            for name, offered in types.items():
                assert offered.name == name
                assert offered.description

    def test_every_attribute_says_what_it_is_for(self, provider: Provider) -> None:
        schema = provider.schema()
        models = [schema.config, *(backend.model for backend in schema.backends.values())]
        models += [endpoint.model for endpoint in schema.endpoints.values()]
        models += [store.model for store in schema.stores.values()]
        for model in models:
            undescribed = [name for name, field in model.model_fields.items() if not field.description]
            assert undescribed == [], model.__name__

    def test_a_backend_has_roles_that_are_known(self, provider: Provider) -> None:
        for backend in provider.schema().backends.values():
            assert backend.roles
            assert set(backend.roles) <= {"orchestrator", "processing", "training"}

    def test_schemes_of_secrets_are_ones_that_jobs_know(self, provider: Provider) -> None:
        schema = provider.schema()
        for backend in schema.backends.values():
            assert set(backend.secrets) <= set(SCHEMES)
        assert set(schema.secrets) <= set(REMOTE)
        assert not schema.secrets or isinstance(provider, Vouching)

    def test_what_a_job_elsewhere_is_told_of_secrets_is_plain(self, provider: Provider, tmp_path: Path) -> None:
        self._configured(provider, tmp_path)
        for scheme in provider.schema().secrets:
            assert isinstance(provider, Vouching)
            told = provider.secrets_access(scheme, False)
            assert json.loads(json.dumps(told)) == told
            assert not {"token", "key_id", "secret", "renew"} & set(told)

    def test_configuring_writes_nothing(self, provider: Provider, tmp_path: Path) -> None:
        self._configured(provider, tmp_path)
        assert list(tmp_path.iterdir()) == []

    def test_a_type_that_it_does_not_have_is_an_error_for_people(self, provider: Provider, tmp_path: Path) -> None:
        self._configured(provider, tmp_path)
        asked = (
            lambda: provider.compute(ABSENT, {}),
            lambda: provider.processing(ABSENT, {}),
            lambda: provider.endpoint(ABSENT),
            lambda: provider.storage(ABSENT, {}),
        )
        for ask in asked:
            with pytest.raises(ProviderError) as caught:
                ask()
            assert caught.value.kind is ErrorKind.INVALID
            assert ABSENT in caught.value.message
            assert provider.name in caught.value.message

    def test_closing_twice(self, provider: Provider, tmp_path: Path) -> None:
        provider.close()
        self._configured(provider, tmp_path)
        provider.close()
        provider.close()

    def _configured(self, provider: Provider, root: Path) -> None:
        config = provider.schema().config(**self.config).model_dump()
        provider.configure(config, ProviderContext("p", "default", root / ".zenctl", root))


class ProcessingConformance:
    """Inherit and define the fixture `processing`: a configured processing backend."""

    def test_its_options_are_plain_and_stay(self, processing: Processing) -> None:
        options = processing.options()
        assert json.loads(json.dumps(dict(options))) == dict(options)
        assert processing.options() == options

    def test_what_is_given_is_the_callers(self, processing: Processing) -> None:
        given = processing.options()
        if isinstance(given, MutableMapping):
            given["conformance"] = True
        assert "conformance" not in processing.options()

    def test_threads_get_the_same(self, processing: Processing) -> None:
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda _: processing.options(), range(16)))
        assert found == [found[0]] * len(found)

    def test_beam_knows_every_option(self, processing: Processing) -> None:
        """What Beam does not know it passes over in silence: a name that is written wrongly would change nothing."""
        beam = pytest.importorskip("apache_beam.options.pipeline_options")
        wanted = dict(processing.options())
        taken = beam.PipelineOptions.from_dictionary(wanted).get_all_options()
        assert {name: taken.get(name) for name in wanted} == wanted

    def test_it_names_a_runner(self, processing: Processing) -> None:
        assert isinstance(processing.options().get("runner"), str)
