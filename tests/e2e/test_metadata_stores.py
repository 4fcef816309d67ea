"""Records on a database server and behind gRPC: set with the words of ZenML, used like the embedded default."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import ZENCTL, Project
from tests.servers import PASSWORD, USER, DatabaseServer, running


@pytest.fixture(scope="module")
def mysql() -> Iterator[DatabaseServer]:
    with running("mysql") as server:
        yield server


@pytest.fixture
def home(tiny: Project, tmp_path: Path) -> Path:
    tiny.environment["HOME"] = str(tmp_path)
    tiny.environment.pop("XDG_CONFIG_HOME", None)
    return tmp_path


def configure(project: Project, server: DatabaseServer, database: str, password: str, type: str = "mysql") -> str:
    return project.ok(
        "config", "metadata", "set", type, "--host", "127.0.0.1", "--port", str(server.port),
        "--username", USER, "--passwd", password, "--database", database,
    )  # fmt: skip


def test_records_on_a_mysql_server(tiny: Project, home: Path, mysql: DatabaseServer) -> None:
    database = mysql.database()
    said = configure(tiny, mysql, database, PASSWORD)
    assert "The password is kept in" in said
    assert PASSWORD not in said
    written = "".join(path.read_text() for path in tiny.root.glob("*.zen.hcl"))
    assert PASSWORD not in written
    [secret] = [path for path in (home / ".config").rglob("*") if path.is_file()]
    assert secret.stat().st_mode & 0o777 == 0o600
    location = f"mysql://{USER}@127.0.0.1:{mysql.port}/{database}"
    assert tiny.json("config", "metadata", "get", "-json")["location"] == location

    assert tiny.run("plan", "-detailed-exitcode").returncode == 2
    tiny.ok("apply", "-auto-approve")
    assert tiny.run("plan", "-detailed-exitcode").returncode == 0
    assert "step.python.count" in tiny.ok("state", "list")
    assert not (tiny.root / ".zenctl" / "metadata.db").exists()

    # Over gRPC, without the password, the same is seen; and nothing can be changed.
    command = [ZENCTL, "metadata", "serve", "-read-only", "-listen=127.0.0.1:0"]
    serving = subprocess.Popen(
        command, cwd=tiny.root, env=tiny.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert serving.stdout is not None
        port = serving.stdout.readline().split(" at 127.0.0.1:")[1].split(".")[0]
        tiny.ok("config", "metadata", "set", "grpc", f"-port={port}")
        secret.unlink()
        assert "step.python.count" in tiny.ok("state", "list")
        assert tiny.run("plan", "-detailed-exitcode").returncode == 0
        refused = tiny.fails("apply", "-auto-approve", "-replace=step.python.count")
        assert "may only be read from" in " ".join(refused.split())
    finally:
        serving.send_signal(signal.SIGTERM)
        out, err = serving.communicate(timeout=60)
    assert (serving.returncode, out, err) == (0, "Stopped.\n", "")
    assert "cannot be reached" in " ".join(tiny.fails("plan").split())


def test_records_move_to_a_server_and_back(tiny: Project, home: Path, mysql: DatabaseServer) -> None:
    server = ["-host=127.0.0.1", f"-port={mysql.port}", f"-username={USER}", f"-database={mysql.database()}"]
    assert "There is nothing to copy" in tiny.fails("state", "migrate", "mysql", *server, f"-passwd={PASSWORD}")
    tiny.ok("apply", "-auto-approve")
    tiny.ok("apply", "-auto-approve", "-replace=step.python.count")
    before = tiny.json("state", "pull")
    said = tiny.ok("state", "migrate", "mysql", *server, f"-passwd={PASSWORD}")
    assert "Copied and read back: " in said
    assert PASSWORD not in said
    assert "mysql" in tiny.json("config", "metadata", "get", "-json")["location"]
    os.rename(tiny.root / ".zenctl" / "metadata.db", tiny.root / "old.db")
    tiny.ok("plan", "-detailed-exitcode")
    assert [apply["serial"] for apply in tiny.json("history", "-json")["applies"]] == [2, 1]
    tiny.ok("apply", "-auto-approve", "-replace=step.python.count")

    # Back into the old file, which is brought up to date: it holds two applies, and gets the third.
    moved = tiny.json("state", "migrate", "sqlite", "-path=old.db", "-json")
    assert moved["diagnostics"] == []
    assert 0 < moved["migrated"]["written"] < moved["migrated"]["contexts"] + moved["migrated"]["executions"]
    assert tiny.json("config", "metadata", "get", "-json")["location"] == "old.db"
    tiny.ok("plan", "-detailed-exitcode")
    after = tiny.json("state", "pull")
    assert after["serial"] == before["serial"] + 1
    again = tiny.json("state", "migrate", "mysql", *server, f"-passwd={PASSWORD}", "-keep-config", "-json")
    assert (again["migrated"]["written"], again["migrated"]["digest"]) == (0, moved["migrated"]["digest"])
    assert tiny.json("config", "metadata", "get", "-json")["location"] == "old.db"

    # Records of the same workspace that were made elsewhere are not mixed with these.
    tiny.edit("main.zen.hcl", "old.db", "new.db")
    tiny.ok("apply", "-auto-approve")
    said = " ".join(tiny.fails("state", "migrate", "sqlite", "-path=old.db").split())
    assert "apply 1 of workspace default that is another one" in said


def test_what_is_wrong_with_a_server_is_told(tiny: Project, home: Path, mysql: DatabaseServer) -> None:
    database = mysql.database()
    configure(tiny, mysql, database, "not-the-password")
    said = " ".join(tiny.fails("plan").split())
    assert f"does not let {USER} in" in said
    assert "not-the-password" not in said
    configure(tiny, mysql, database, "env:MLMD_PASSWORD")
    assert "the environment variable MLMD_PASSWORD is not set" in " ".join(tiny.fails("plan").split())
    tiny.environment["MLMD_PASSWORD"] = PASSWORD
    tiny.ok("plan")
    [hcl] = [path for path in tiny.root.glob("*.zen.hcl") if "mysql" in path.read_text()]
    hcl.write_text(hcl.read_text().replace("env:MLMD_PASSWORD", "swordfish"))
    said = tiny.fails("validate")
    assert "give where the password is, not the password" in " ".join(said.split())


def test_a_password_goes_into_the_keyring_where_there_is_one(tiny: Project, home: Path, tmp_path: Path) -> None:
    backend = tmp_path / "backend" / "ring.py"
    backend.parent.mkdir()
    backend.write_text(
        "import json, pathlib\n"
        "from keyring.backend import KeyringBackend\n"
        "FILE = pathlib.Path(__file__).with_name('ring.json')\n"
        "class Ring(KeyringBackend):\n"
        "    priority = 9\n"
        "    def get_password(self, service, username):\n"
        "        return json.loads(FILE.read_text()).get(f'{service}/{username}') if FILE.exists() else None\n"
        "    def set_password(self, service, username, password):\n"
        "        FILE.write_text(json.dumps({f'{service}/{username}': password}))\n"
    )
    tiny.environment |= {"PYTHONPATH": os.fspath(backend.parent), "PYTHON_KEYRING_BACKEND": "ring.Ring"}
    words = ("-host=127.0.0.1", "-port=1", "-user=zen", "-password=swordfish", "-database=mlmd")
    said = tiny.ok("config", "metadata", "set", "postgresql", *words)
    assert "The password is kept in the keyring" in said
    assert "swordfish" in (backend.parent / "ring.json").read_text()
    assert not (home / ".config").exists()
    written = "".join(path.read_text() for path in tiny.root.glob("*.zen.hcl"))
    assert 'password = "keyring:zenctl/postgresql-zen@127.0.0.1-1-mlmd"' in written
    assert "cannot be reached" in " ".join(tiny.fails("plan").split())
