"""Where the stores of jobs get their credentials: what they are handed, lent, and what a machine gives."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.gcs import Running, serving
from tests.providers.stores.timing import Clock, quick
from zenctl.jobs.storage import StorageError
from zenctl.jobs.stores.aws_credentials import Renewing, given, of_machine
from zenctl.jobs.stores.google_tokens import GivenToken, MetadataToken
from zenctl.jobs.stores.opening import open_store
from zenctl.jobs.stores.renewal import renewal
from zenctl.jobs.stores.sigv4 import Credentials
from zenctl.provider.lending import Lender

ROLE = {"AccessKeyId": "AK", "SecretAccessKey": "SK", "Token": "T", "Expiration": "2099-01-01T00:00:00Z"}


@contextmanager
def answering(answers: Mapping[tuple[str, str], Any]) -> Iterator[tuple[str, list[Mapping[str, str]]]]:
    """A server with fixed answers by method and path; gives its URL and the headers of what was asked."""
    asked: list[Mapping[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do(self) -> None:
            asked.append(dict(self.headers.items()))
            answer = answers.get((self.command, self.path.partition("?")[0]), (404, b""))
            status, body = answer.pop(0) if isinstance(answer, list) else answer
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_PUT = do  # noqa: N815 - the server's names

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_the_environment_comes_first() -> None:
    environment = {
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
        "AWS_SESSION_TOKEN": "c",
        "AWS_ROLE_ARN": "x",
    }
    assert of_machine(quick(Clock()), environment)() == Credentials("a", "b", "c")


def test_the_role_of_an_instance_by_the_second_version_of_its_service() -> None:
    path = "/latest/meta-data/iam/security-credentials/"
    answers = {
        ("PUT", "/latest/api/token"): [(503, b""), (200, b"session"), (200, b"session")],
        ("GET", path): (200, b"my-role\n"),
        ("GET", f"{path}my-role"): (200, json.dumps(ROLE).encode()),
    }
    with answering(answers) as (url, asked):
        found = of_machine(quick(Clock()), {"AWS_EC2_METADATA_SERVICE_ENDPOINT": url})()
    assert (found.key_id, found.secret, found.token, found.ends) == ("AK", "SK", "T", 4070908800.0)
    assert asked[-1]["X-aws-ec2-metadata-token"] == "session"


def test_the_role_of_a_container() -> None:
    with answering({("GET", "/creds"): (200, json.dumps(ROLE).encode())}) as (url, asked):
        environment = {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{url}/creds?x=1",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": "secret",
        }
        assert of_machine(quick(Clock()), environment)().key_id == "AK"
    assert asked[0]["Authorization"] == "secret"


def test_the_role_of_a_web_identity(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("a.b.c\n")
    body = b"""<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
      <AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>AK</AccessKeyId><SecretAccessKey>SK</SecretAccessKey>
      <SessionToken>T</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>
      </AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"""
    with answering({("GET", "/"): (200, body)}) as (url, _):
        environment = {
            "AWS_ROLE_ARN": "arn:aws:iam::1:role/r",
            "AWS_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "token"),
            "AWS_ENDPOINT_URL_STS": url,
        }
        found = of_machine(quick(Clock()), environment)()
    assert (found.key_id, found.token, found.ends) == ("AK", "T", 4070908800.0)


def test_without_any_it_says_how_to_sign_in() -> None:
    with (
        answering({}) as (url, _),
        pytest.raises(StorageError, match="no credentials for AWS") as caught,
    ):
        of_machine(quick(Clock()), {"AWS_EC2_METADATA_SERVICE_ENDPOINT": url})()
    assert caught.value.kind == "UNAUTHORIZED"
    assert "aws sso login" in caught.value.hint


def test_credentials_are_renewed_before_they_end() -> None:
    now = [0.0]
    ends = iter([1000.0, 2000.0])
    made: list[float] = []

    def ask() -> Credentials:
        made.append(now[0])
        return Credentials("k", "s", "t", next(ends))

    current = Renewing(ask, clock=lambda: now[0])
    for now[0] in (0.0, 600.0, 699.0, 701.0, 1500.0):
        current()
    assert made == [0.0, 701.0]


def test_what_was_handed_over_and_has_ended_without_another() -> None:
    current = given({"key_id": "k", "secret": "s", "ends": time.time() - 1}, None)
    current()
    with pytest.raises(StorageError, match="expired"):
        current()
    token = GivenToken("t", 100.0, clock=lambda: 101.0)
    with pytest.raises(StorageError, match="expired"):
        token()


def test_the_token_of_a_machine_of_google(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving() as running:
        monkeypatch.setenv("GCE_METADATA_HOST", running.endpoint.partition("//")[2])
        running.fake.tokens = {"of-the-machine"}
        bucket = running.fake.bucket()
        storage = open_store(f"gs://{bucket}/p", {"endpoint": running.endpoint})
        assert storage.put("a", b"x") is True
        assert storage.stat("a") is not None
        assert running.fake.problems == []


def test_a_machine_without_a_service_account(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering({}) as (url, _):
        monkeypatch.setenv("GCE_METADATA_HOST", url.partition("//")[2])
        with pytest.raises(StorageError, match="gives no token") as caught:
            MetadataToken(quick(Clock()))()
    assert "gcloud auth application-default login" in caught.value.hint


def test_credentials_are_lent_to_who_knows_the_secret() -> None:
    lender = Lender()
    numbers = iter(range(10))

    def give() -> dict[str, Any]:
        return {"token": f"t{next(numbers)}", "ends": 5.0}

    loan = lender.loan(give)
    try:
        assert (loan["token"], loan["ends"]) == ("t0", 5.0)
        renew = renewal(loan)
        assert renew is not None
        assert renew() == {"token": "t1", "ends": 5.0}
        stranger = renewal({"renew": {"url": loan["renew"]["url"], "secret": "guessed"}})
        assert stranger is not None
        with pytest.raises(StorageError, match="no new credentials") as caught:
            stranger()
        assert caught.value.kind == "UNAUTHORIZED"
    finally:
        lender.close()
    with pytest.raises(StorageError) as gone:
        renew()
    assert gone.value.kind == "TRANSIENT"


def test_a_job_with_lent_credentials_outlives_its_first_token(served: Running) -> None:
    lender = Lender()
    tokens = iter(["short", "long"])
    served.fake.tokens = {"short", "long"}
    bucket = served.fake.bucket()
    ends = {"short": time.time() + 1, "long": time.time() + 3600}

    def give() -> dict[str, Any]:
        token = next(tokens)
        return {"token": token, "ends": ends[token]}

    try:
        storage = open_store(f"gs://{bucket}", {"endpoint": served.endpoint, **lender.loan(give)})
        served.fake.tokens = {"long"}
        assert storage.put("a", b"x") is True
    finally:
        served.fake.tokens = set()
        lender.close()


@pytest.fixture(scope="module")
def served() -> Iterator[Running]:
    with serving() as running:
        yield running


def test_requests_are_signed_as_botocore_signs_them() -> None:
    from botocore.auth import S3SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials as Theirs

    from zenctl.jobs.stores.sigv4 import EMPTY, query_text, signed

    ours = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "a token/with+signs=")
    query = {"prefix": "a b/ü+&", "list-type": "2", "uploads": ""}
    path = "/p/with%20space/%C3%BC%2B"
    now = time.time()
    sent = signed(
        "GET", "b.s3.eu-west-1.amazonaws.com", path, query, {"x-amz-meta-x": "a  b"}, EMPTY, ours, "eu-west-1", now
    )
    stamp = sent["x-amz-date"]
    url = f"https://b.s3.eu-west-1.amazonaws.com{path}?{query_text(query)}"
    request = AWSRequest("GET", url, headers={"x-amz-meta-x": "a  b", "X-Amz-Content-SHA256": EMPTY})
    request.context.update(timestamp=stamp, payload_signing_enabled=True)
    auth = S3SigV4Auth(Theirs(ours.key_id, ours.secret, ours.token), "s3", "eu-west-1")
    # Its clock is the machine's; the request is signed again for the second of ours.
    request.headers["X-Amz-Date"] = stamp
    request.headers["X-Amz-Security-Token"] = ours.token
    text = auth.string_to_sign(request, auth.canonical_request(request))
    assert sent["Authorization"].endswith(f"Signature={auth.signature(text, request)}")
    names = "host;x-amz-content-sha256;x-amz-date;x-amz-meta-x;x-amz-security-token"
    assert f"SignedHeaders={names}," in sent["Authorization"]


@pytest.mark.parametrize("scheme", ["gs", "s3"])
def test_a_job_loads_nothing_but_the_standard_library(scheme: str) -> None:
    code = (
        "import sys\nbefore = set(sys.modules)\nfrom zenctl.jobs.stores.opening import open_store\n"
        f"open_store('{scheme}://b/p', {{'endpoint': 'http://127.0.0.1:1', 'anonymous': True}})\n"
        "found = {n.split('.')[0] for n in set(sys.modules) - before} - set(sys.stdlib_module_names) - {'zenctl'}\n"
        "print(sorted(found))\n"
    )
    environment = {**os.environ, "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout == "[]\n"
