"""Real database servers for tests: MariaDB and PostgreSQL in folders of their own, on free ports of loopback only."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.certificates import make_certificates
from tests.measuring import PATIENCE

USER, PASSWORD = "zen", "pass 'word\" \\ ü"
ENCRYPTED = "zen_encrypted"
"""A user with the same password whom the servers let in over TLS only."""

_numbers = count()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def program(name: str, *folders: str) -> str:
    """The path of a server's program; without it the test is skipped, unless ZENCTL_TEST_SERVERS=required."""
    found = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), *folders]))
    if found is None:
        reason = f"{name} is not installed: `sh scripts/servers.sh` installs it where it may"
        if os.environ.get("ZENCTL_TEST_SERVERS") == "required":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@dataclass
class DatabaseServer:
    """A server that runs. `database()` makes a new database of the user USER, whose password is PASSWORD."""

    type: str
    folder: Path
    owner: str
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    def config(self, database: str) -> dict[str, Any]:
        """The attributes of a `metadata` block, but for the password."""
        return {"host": "127.0.0.1", "port": self.port, "database": database, "user": USER}

    def start(self) -> None:
        """Start it, and wait until it answers."""
        log = (self.folder / "log").open("ab")
        self.process = subprocess.Popen(self._command(), stdout=log, stderr=log, user=self.owner, cwd=self.folder)
        log.close()
        deadline = time.monotonic() + PATIENCE
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"{self.type} did not start: {(self.folder / 'log').read_text()[-2000:]}")
            time.sleep(0.05)

    def stop(self, sign: signal.Signals = signal.SIGINT) -> None:
        """Stop it by its own pid, and wait until it has ended."""
        if self.process is not None:
            # PostgreSQL's fast shutdown is SIGINT; MariaDB takes SIGTERM.
            self.process.send_signal(signal.SIGTERM if sign is signal.SIGINT and self.type == "mysql" else sign)
            self.process.wait(PATIENCE)
            self.process = None

    def database(self) -> str:
        """A new database, empty."""
        raise TypeError(self.type)

    def _command(self) -> list[str]:
        raise TypeError(self.type)

    def _answers(self) -> bool:
        raise TypeError(self.type)


class MariaDb(DatabaseServer):
    def make(self) -> None:
        install = program("mariadb-install-db")
        options = ["--auth-root-authentication-method=normal", "--skip-test-db", f"--datadir={self.folder}/data"]
        subprocess.run(
            [install, "--no-defaults", *options], check=True, capture_output=True, user=self.owner, cwd=self.folder
        )

    def database(self) -> str:
        import pymysql

        name = f"zenctl_{next(_numbers)}"
        with pymysql.connect(unix_socket=self.socket, user="root") as connection, connection.cursor() as cursor:
            cursor.execute(f"create database {name}")
            for host in ("127.0.0.1", "localhost"):
                for user, require in ((USER, "none"), (ENCRYPTED, "ssl")):
                    created = f"create user if not exists %s@'{host}' identified by %s require {require}"
                    cursor.execute(created, (user, PASSWORD))
                    cursor.execute(f"grant all on *.* to %s@'{host}'", (user,))
        return name

    def run(self, *statements: str) -> list[Any]:
        """Run statements as the administrator; gives the rows of the last."""
        import pymysql

        connected = pymysql.connect(unix_socket=self.socket, user="root", autocommit=True)
        with connected as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return list(cursor.fetchall())

    @property
    def socket(self) -> str:
        return str(self.folder / "s")

    def _command(self) -> list[str]:
        return [
            program("mariadbd", "/usr/sbin"), "--no-defaults", f"--datadir={self.folder}/data",
            f"--socket={self.socket}", f"--pid-file={self.folder}/pid", "--bind-address=127.0.0.1",
            f"--port={self.port}", f"--tmpdir={self.folder}", "--skip-log-bin", "--innodb-flush-log-at-trx-commit=2",
            f"--ssl-ca={self.folder}/ca.pem", f"--ssl-cert={self.folder}/server.pem",
            f"--ssl-key={self.folder}/server.key",
        ]  # fmt: skip

    def _answers(self) -> bool:
        import pymysql

        try:
            pymysql.connect(unix_socket=self.socket, user="root").close()
        except pymysql.err.MySQLError:
            return False
        return True


class PostgreSql(DatabaseServer):
    def make(self) -> None:
        command = [
            program("initdb", *_postgresql_folders()),
            "-D",
            f"{self.folder}/data",
            "-A",
            "trust",
            "-U",
            "postgres",
        ]
        subprocess.run(
            [*command, "-E", "UTF8", "--locale=C"], check=True, capture_output=True, user=self.owner, cwd=self.folder
        )
        hba = (
            "local all postgres trust\nhost all postgres 127.0.0.1/32 trust\n"
            f"hostssl all {ENCRYPTED} 127.0.0.1/32 scram-sha-256\nhostnossl all {ENCRYPTED} 127.0.0.1/32 reject\n"
            "host all all 127.0.0.1/32 scram-sha-256\n"
        )
        (self.folder / "data/pg_hba.conf").write_text(hba)

    def database(self) -> str:
        name = f"zenctl_{next(_numbers)}"
        exists = self.run(f"select 1 from pg_roles where rolname = '{USER}'")
        if not exists:
            quoted = PASSWORD.replace("'", "''")
            self.run(*(f"create role {user} login createdb password '{quoted}'" for user in (USER, ENCRYPTED)))
            self.run(f"grant {USER} to {ENCRYPTED}")
        self.run(f"create database {name} owner {USER}")
        return name

    def run(self, *statements: str) -> list[Any]:
        """Run statements as the administrator; gives the rows of the last."""
        import psycopg

        rows: list[Any] = []
        with psycopg.connect(
            host="127.0.0.1", port=self.port, user="postgres", dbname="postgres", autocommit=True
        ) as c:
            for statement in statements:
                cursor = c.execute(statement)  # type: ignore[arg-type]
                rows = cursor.fetchall() if cursor.description else []
        return rows

    def _command(self) -> list[str]:
        return [
            program("postgres", *_postgresql_folders()), "-D", f"{self.folder}/data", "-p", str(self.port),
            "-k", str(self.folder), "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "ssl=on",
            "-c", f"ssl_cert_file={self.folder}/server.pem", "-c", f"ssl_key_file={self.folder}/server.key",
        ]  # fmt: skip

    def _answers(self) -> bool:
        import psycopg

        try:
            self.run("select 1")
        except psycopg.OperationalError:
            return False
        return True


SERVERS: dict[str, type[MariaDb] | type[PostgreSql]] = {"mysql": MariaDb, "postgresql": PostgreSql}


@contextmanager
def running(type: str) -> Iterator[MariaDb | PostgreSql]:
    """A new server, stopped and removed at the end."""
    # Not under pytest's folders: these are closed to the user that a server of root's is run as.
    folder = Path(tempfile.mkdtemp(prefix="zenctl-test-", dir="/tmp"))
    owner = pwd.getpwuid(os.getuid()).pw_name
    server = SERVERS[type](type, folder, owner)
    try:
        if os.getuid() == 0:
            # Neither server wants to be root.
            server.owner = {"mysql": "mysql", "postgresql": "postgres"}[type]
            shutil.chown(folder, server.owner)
        folder.chmod(0o755)
        made = make_certificates(folder)
        if server.owner != pwd.getpwuid(os.getuid()).pw_name:
            shutil.chown(made.key, server.owner)
        server.make()
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)


def _postgresql_folders() -> list[str]:
    return [str(path) for path in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)]
