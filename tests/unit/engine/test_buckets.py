"""Which bucket a datasource's path opens: with the provider's settings, the store's own, or what is missing for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.fakes.buckets import MemoryBucket
from zenctl.diagnostics import DiagnosticError
from zenctl.engine.execution import _with_sources
from zenctl.engine.opening import open_configuration, open_providers
from zenctl.engine.providers import Providers
from zenctl.engine.requests import Inputs
from zenctl.jobs.storage import StorageError
from zenctl.jobs.stores.opening import SOURCES
from zenctl.provider import ErrorKind, ProviderError, storing
from zenctl.provider.messages import no_access


def providers(root: Path, text: str) -> Providers:
    (root / "main.zen.hcl").write_text(text)
    inputs = Inputs(root)
    return open_providers(open_configuration(inputs), inputs)


def client(opened: Providers, uri: str) -> Any:
    """The client behind a bucket; nothing is asked of the network for it."""
    return opened.bucket(uri).bucket  # type: ignore[attr-defined]


def test_a_bucket_is_reached_as_the_provider_block_says(tmp_path: Path) -> None:
    text = 'provider "aws" {\n  endpoint_url = "http://minio:9000"\n  profile = "p"\n  path_style = true\n}\n'
    opened = providers(tmp_path, text + 'provider "gcp" {\n  endpoint = "http://gcs:1"\n  project = "q"\n}\n')
    s3, gcs = client(opened, "s3://data"), client(opened, "gs://data")
    assert (s3.uri, s3._endpoint, s3._profile, s3._path_style) == ("s3://data", "http://minio:9000", "p", True)
    assert (gcs.uri, gcs._endpoint, gcs._project) == ("gs://data", "http://gcs:1", "q")
    assert opened.bucket("s3://data") is opened.bucket("s3://data")
    opened.close()


STORE = """
zenctl {
  artifacts "s3" {
    bucket       = "mine"
    prefix       = "some/where"
    endpoint_url = "http://store:1"
  }
}
provider "aws" {
  endpoint_url = "http://other:2"
  region       = "eu-west-1"
}
"""


def test_the_artifact_stores_own_bucket_is_reached_as_its_block_says(tmp_path: Path) -> None:
    opened = providers(tmp_path, STORE)
    own, other = client(opened, "s3://mine"), client(opened, "s3://data")
    assert (own._endpoint, own._region) == ("http://store:1", "eu-west-1")
    assert (other._endpoint, other._region) == ("http://other:2", "eu-west-1")
    assert opened.bucket("s3://mine").uri == "s3://mine"
    assert opened.storage().uri == "s3://mine/some/where"


@pytest.mark.parametrize(
    ("uri", "said"),
    [("gs://UPPER", '"UPPER" cannot be the name of a bucket'), ("s3://x", '"x" cannot be the name of a bucket')],
)
def test_what_is_no_name_of_a_bucket_is_told(uri: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(DiagnosticError, match=said):
        providers(tmp_path, "").bucket(uri)


@pytest.mark.parametrize(("uri", "extra"), [("gs://data", "gcp"), ("s3://data", "aws")])
def test_an_sdk_that_is_missing_is_told(uri: str, extra: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storing, "_is_installed", lambda _: False)
    with pytest.raises(DiagnosticError) as caught:
        providers(tmp_path, "").bucket(uri)
    [found] = caught.value.diagnostics
    assert f"cannot read {uri}: the Python package" in found.summary
    assert f"pip install 'zenctl[{extra}]'" in found.detail


class Lending(MemoryBucket):
    """A bucket with a token, or a refusal in place of it."""

    def __init__(self, problem: StorageError | None = None) -> None:
        super().__init__()
        self.problem = problem

    def access(self, credentials: bool) -> dict[str, Any]:
        if self.problem is not None:
            raise self.problem
        return {"token": "t"} if credentials else {"endpoint": "e"}


class Given:
    def __init__(self, bucket: Lending) -> None:
        self._bucket = bucket

    def bucket(self, uri: str) -> Any:
        return self._bucket.storage


def test_a_job_is_told_how_to_reach_each_bucket() -> None:
    given: Any = Given(Lending())
    assert _with_sources(no_access, ["gs://a"], given, True) == {SOURCES: {"gs://a": {"token": "t"}}}
    elsewhere = _with_sources(lambda _: {"region": "r"}, ["gs://a"], given, False)
    assert elsewhere == {"region": "r", SOURCES: {"gs://a": {"endpoint": "e"}}}
    refusing: Any = Given(Lending(StorageError("UNAUTHORIZED", "the credentials have expired", "Log in.")))
    with pytest.raises(ProviderError) as caught:
        _with_sources(no_access, ["gs://a"], refusing, True)
    assert (caught.value.kind, caught.value.hint) == (ErrorKind.UNAUTHORIZED, "Log in.")
    assert "its source cannot be read: the credentials have expired" in caught.value.message
