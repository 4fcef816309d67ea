"""A bigquery datasource through the command line: planned, read, up to date, changed, held to a trusted revision."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import git
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.certificates import make_certificates
from tests.e2e.conftest import Project
from tests.fakes.bigquery import FakeBigQuery, serving
from tests.unit.steps.bigquery.tables import BY_DAY, PROJECT, orders

TABLE = f"{PROJECT}.shop.orders"
CONFIGURATION = """
datasource "bigquery" "orders" {{
  project       = "penguins-prod"
  table         = "shop.orders"
  endpoint      = "{endpoint}"
  read_endpoint = "{read_endpoint}"
}}
datasource "bigquery" "words" {{
  project       = "penguins-prod"
  query         = "select word, count(*) as n from shop.orders group by word"
  endpoint      = "{endpoint}"
  read_endpoint = "{read_endpoint}"
}}
"""


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[tuple[Project, FakeBigQuery]]:
    """A project that reads a table and a query of a fake BigQuery."""
    with serving() as served:
        served.fake.put(TABLE, orders(2000), **BY_DAY)
        project = Project(tmp_path)
        places = {"endpoint": served.endpoint, "read_endpoint": served.read_endpoint}
        project.write("main.zen.hcl", CONFIGURATION.format(**places))
        yield project, served.fake
        assert served.fake.problems == []


def test_from_the_first_plan_to_a_change(shop: tuple[Project, FakeBigQuery]) -> None:
    project, fake = shop
    said = project.ok("apply", "-auto-approve")
    assert f"datasource.bigquery.orders: checked: 2,000 rows, {orders(2000).nbytes:,} bytes" in said
    assert f"datasource.bigquery.words: checked: {orders(2000).nbytes:,} bytes" in said
    assert "[2,000 rows]" in said
    assert "[7 rows]" in said

    fake.seen.clear()
    assert "No changes" in project.ok("plan")
    assert sorted(fake.seen) == ["jobs.insert", "tables.get", "tables.get"]
    assert len(fake.queries) == 2  # the query, and the partitions of the table

    fake.put(TABLE, orders(2100))
    said = project.ok("plan")
    assert "datasource.bigquery.orders will be read again" in said
    assert f"data: 2,000 -> 2,100 rows, {orders(2000).nbytes:,} -> {orders(2100).nbytes:,} bytes" in said
    saved = str(project.root / "saved.plan")
    project.ok("plan", f"-out={saved}", "-target=datasource.bigquery.orders")
    fake.put(TABLE, orders(2200))
    said = project.fails("apply", saved, code=5)
    assert "datasource.bigquery.orders" in said

    del fake.tables[TABLE]
    assert "Error: Not found: Table penguins-prod:shop.orders" in project.fails("plan")


def test_what_a_fork_asks_is_what_the_trusted_revision_asks(shop: tuple[Project, FakeBigQuery]) -> None:
    project, fake = shop
    project.write(".gitignore", ".zenctl/\n")
    with git.Repo.init(project.root, initial_branch="trusted") as repo:
        repo.git.add(".")
        repo.git.execute(["git", "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-m", "one"])
        repo.git.checkout("-b", "fork")
    assert "2 to run" in project.ok("plan", "-trusted-config=trusted")
    for old, new in (
        ("group by word", "group by word having count(*) > 1"),
        ('table         = "shop.orders"', 'table         = "pay.roll"'),
        ('project       = "penguins-prod"\n  query', 'project       = "other-payer"\n  query'),
    ):
        text = (project.root / "main.zen.hcl").read_text()
        project.edit("main.zen.hcl", old, new)
        said = " ".join(project.fails("plan", "-trusted-config=trusted").split())
        assert "would read from BigQuery at http://127.0.0.1" in said
        assert "which nothing does in trusted" in said
        project.write("main.zen.hcl", text)
    assert fake.queries == []


def test_without_the_extra(shop: tuple[Project, FakeBigQuery], tmp_path: Path) -> None:
    project, _ = shop
    project.write("hidden/requests.py", 'raise ModuleNotFoundError("No module named requests", name="requests")\n')
    project.environment["PYTHONPATH"] = str(tmp_path / "hidden")
    said = " ".join(project.fails("plan").split())
    assert "Error: Google's libraries are not installed" in said
    assert "pip install 'zenctl[bigquery]'" in said


ACCOUNT = "reader@example.com"
TOKEN = "a-token-that-nobody-may-see"


def test_a_service_account_is_asked_for_its_token_and_nothing_keeps_it(tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    certificates = make_certificates(tmp_path / "secret")
    project = Project(tmp_path / "project")
    project.root.mkdir()
    with serving(certificates) as served:
        served.fake.put(TABLE, orders(50))
        served.fake.tokens.add(TOKEN)
        served.fake.accounts.add(ACCOUNT)
        places = {"endpoint": served.endpoint, "read_endpoint": served.read_endpoint}
        project.write("main.zen.hcl", CONFIGURATION.format(**places))
        # Google's libraries are told whom to trust, and who they are, in the way of any user.
        project.environment |= {
            # What google-auth asks of Google besides goes nowhere.
            "HTTPS_PROXY": "http://127.0.0.1:1",
            "NO_PROXY": "127.0.0.1",
            "REQUESTS_CA_BUNDLE": str(certificates.authority),
            "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": str(certificates.authority),
            "GOOGLE_APPLICATION_CREDENTIALS": str(service_account(tmp_path / "secret", f"{served.endpoint}/token")),
        }
        said = project.ok("apply", "-auto-approve", "-target=datasource.bigquery.orders")
        assert "[50 rows]" in said
        assert served.fake.problems == []
    kept = b"".join(path.read_bytes() for path in project.root.rglob("*") if path.is_file())
    for secret in (TOKEN.encode(), b"PRIVATE KEY"):
        assert secret not in kept
        assert secret.decode() not in said


def service_account(folder: Path, token_uri: str) -> Path:
    """A key file as Google makes them."""
    key = rsa.generate_private_key(65537, 2048)
    form, none = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    described = {
        "type": "service_account",
        "project_id": PROJECT,
        "client_email": ACCOUNT,
        "private_key_id": "1",
        "private_key": key.private_bytes(serialization.Encoding.PEM, form, none).decode(),
        "token_uri": token_uri,
    }
    path = folder / "key.json"
    path.write_text(json.dumps(described))
    return path
