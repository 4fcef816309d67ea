"""Secrets of AWS Secrets Manager, against moto's server, and refusals that it does not make."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.emulators import moto
from zenctl.jobs.secrets import amazon
from zenctl.jobs.secrets.amazon import AmazonSecrets
from zenctl.jobs.storage import StorageError
from zenctl.jobs.stores.http import HttpClient
from zenctl.jobs.stores.retrying import Retrying

REGION = "eu-west-1"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with moto() as server:
        yield server.endpoint


@pytest.fixture(scope="module")
def client(endpoint: str) -> Any:
    keys = {"aws_access_key_id": "id", "aws_secret_access_key": "key"}
    return boto3.client("secretsmanager", region_name=REGION, endpoint_url=endpoint, **keys)


@pytest.fixture(scope="module")
def ask(endpoint: str) -> Callable[..., str]:
    def value(place: str, **more: Any) -> str:
        access = {"endpoint": endpoint, "region": REGION, "key_id": "id", "secret": "key", **more}
        return AmazonSecrets(access, Retrying(0)).value(place)

    return value


def test_a_text_bytes_and_one_value_of_an_object(client: Any, ask: Any) -> None:
    arn = client.create_secret(Name="prod/db", SecretString='{"user": "ada", "pass word": "s3cret", "port": 5432}')[
        "ARN"
    ]
    client.create_secret(Name="binary", SecretBinary="zwölf\n".encode())
    assert ask("prod/db#pass word") == "s3cret"
    assert ask(f"{arn}#port", region=None) == "5432"
    assert json.loads(ask("prod/db"))["user"] == "ada"
    assert ask("binary") == "zwölf"


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("missing", "there is no secret missing"),
        ("plain#key", "plain is no JSON object"),
        ("object#other", "object is a JSON object without the key other"),
        ("deleted", "restore-secret --secret-id deleted"),
    ],
)
def test_what_cannot_be_read(client: Any, ask: Any, place: str, said: str) -> None:
    name = place.partition("#")[0]
    if name != "missing":
        client.create_secret(Name=name, SecretString='{"hidden": "v"}' if name == "object" else "hidden")
    if name == "deleted":
        client.delete_secret(SecretId=name)
    with pytest.raises(StorageError) as caught:
        ask(place)
    told = f"{caught.value} {caught.value.hint}"
    assert said in told
    assert "hidden" not in told


def test_without_a_region(ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(StorageError, match="the region of the secret x is not known"):
        ask("x", region=None)


@pytest.mark.parametrize(
    ("status", "code", "kind", "said"),
    [
        (400, "AccessDeniedException", "UNAUTHORIZED", "secretsmanager:GetSecretValue"),
        (400, "UnrecognizedClientException", "UNAUTHORIZED", "does not accept the credentials"),
        (403, "ExpiredTokenException", "UNAUTHORIZED", "does not accept the credentials"),
        (400, "DecryptionFailure", "INVALID", "cannot be decrypted"),
        (400, "ThrottlingException", "TRANSIENT", "too many"),
        (500, "InternalServiceError", "TRANSIENT", "too many"),
        (418, "", "INVALID", "refuses to give x (418"),
    ],
)
def test_what_a_refusal_means(status: int, code: str, kind: str, said: str) -> None:
    body = json.dumps({"__type": f"com.amazonaws#{code}", "Message": "too many"}).encode()
    problem = amazon._refused("x", "host", status, body, "")
    assert problem.kind == kind
    assert said in f"{problem} {problem.hint}"


def test_a_request_is_signed_as_amazons_own_library_signs_it(
    ask: Any, monkeypatch: pytest.MonkeyPatch, endpoint: str
) -> None:
    sent: list[tuple[dict[str, str], bytes]] = []

    class Client(HttpClient):
        def send(self, method: str, target: str, headers: Any, body: Any = None) -> Any:
            sent.append((dict(headers), b"".join(body.blocks())))
            return super().send(method, target, headers, body)

    monkeypatch.setattr(amazon, "HttpClient", Client)
    with pytest.raises(StorageError, match="there is no secret nothing"):
        ask("nothing", token="session")
    [(headers, body)] = sent
    theirs = AWSRequest(method="POST", url=f"{endpoint}/", data=body, headers={
        name: value for name, value in headers.items() if name not in ("Authorization", "x-amz-date")
    })  # fmt: skip
    theirs.context["timestamp"] = headers["x-amz-date"]
    auth = SigV4Auth(Credentials("id", "key", "session"), "secretsmanager", REGION)
    theirs.headers["host"] = endpoint.removeprefix("http://")
    theirs.headers["X-Amz-Date"] = headers["x-amz-date"]
    canonical = auth.canonical_request(theirs)
    signature = auth.signature(auth.string_to_sign(theirs, canonical), theirs)
    assert headers["Authorization"].endswith(f"Signature={signature}")


def test_the_answer_of_no_such_service_is_not_shown() -> None:
    for body in (b"<hidden>", b"[]", b'{"SecretBinary": "%%hidden"}'):
        with pytest.raises(StorageError, match="is no answer of Secrets Manager") as caught:
            amazon._value("x", body)
        assert "hidden" not in str(caught.value)
