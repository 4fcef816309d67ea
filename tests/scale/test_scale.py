"""What `plan`, `state list` and `history` cost with a thousand past applies and a million executions: as with one.

`make scale` runs it, on SQLite and on MariaDB; ZENCTL_SCALE_ADDRESSES and ZENCTL_SCALE_COPIES make it smaller.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.conftest import wait_for
from tests.scale.past import mysql, reserve, sqlite, write_apply, write_past, write_project
from tests.servers import PASSWORD, MariaDb, running
from zenctl.metadata.opening import open_store
from zenctl.metadata.store import MetadataStore
from zenctl.plans.planfile import read

ZENCTL = str(Path(sys.executable).parent / "zenctl")
ADDRESSES = int(os.environ.get("ZENCTL_SCALE_ADDRESSES", "10000"))
COPIES = int(os.environ.get("ZENCTL_SCALE_COPIES", "100"))
ROUNDS = 3
LIMIT = 1.3
COMMANDS = (("plan", "-detailed-exitcode"), ("state", "list"), ("history", "-last=20"), ("history",))

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(0)]


@dataclass
class Project:
    """A project whose records can be made many.

    `server` gives the CPU seconds of its database server so far; `settle` waits until that has nothing left to write.
    """

    root: Path
    environment: dict[str, str]
    open: Callable[[], MetadataStore]
    reserve: Callable[[], None]
    lengthen: Callable[[], None]
    server: Callable[[], float] = lambda: 0.0
    settle: Callable[[], None] = lambda: None

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [ZENCTL, *command], cwd=self.root, env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode in (0, 2), done.stderr[-2000:]
        return done

    def cost(self, *command: str) -> tuple[float, float]:
        """CPU seconds of a command, and of the database server meanwhile."""
        before, server = resource.getrusage(resource.RUSAGE_CHILDREN), self.server()
        self.run(*command)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        own = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return own, self.server() - server

    def costs(self) -> dict[str, float]:
        """The least CPU seconds of each command, those of the server included."""
        self.settle()
        found = {}
        for command in COMMANDS:
            own, server = min((self.cost(*command) for _ in range(ROUNDS)), key=sum)
            found[" ".join(command)] = own + server
            print(f"\n{' '.join(command)}: {own:.2f} s, and {server:.2f} s of the server", end="", flush=True)
        return found


def environment(tmp_path: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ZENCTL_", "PYTHON"))}
    return {**kept, "HOME": str(tmp_path)}


@pytest.fixture
def on_sqlite(tmp_path: Path) -> Project:
    root = tmp_path / "project"
    write_project(root, ADDRESSES)
    path = root / ".zenctl/metadata.db"
    database = sqlite(path)
    return Project(
        root,
        environment(tmp_path),
        lambda: open_store("sqlite", {}, root / ".zenctl", create=True),
        lambda: reserve(database),
        lambda: write_past(database, ADDRESSES, COPIES),
    )


@pytest.fixture
def on_mysql(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    monkeypatch.setenv("SCALE_PASSWORD", PASSWORD)
    root = tmp_path / "project"
    write_project(root, ADDRESSES)
    with running("mysql") as server:
        assert isinstance(server, MariaDb)
        assert server.process is not None
        # What a server that is meant for this has: with 128 MiB it would be its disk that is measured.
        server.run(
            "set global innodb_buffer_pool_size = 3 * 1024 * 1024 * 1024",
            "set global innodb_log_file_size = 2 * 1024 * 1024 * 1024",
            "set global innodb_flush_log_at_trx_commit = 0",
            "set global innodb_io_capacity_max = 20000",
            "set global innodb_io_capacity = 20000",
        )
        name = server.database()
        database = mysql(server.run, name)
        attributes = {**server.config(name), "password": "env:SCALE_PASSWORD"}
        block = "\n".join(f"    {key} = {json.dumps(value)}" for key, value in attributes.items())
        (root / "settings.zen.hcl").write_text(f'zenctl {{\n  metadata "mysql" {{\n{block}\n  }}\n}}\n')
        stat = Path(f"/proc/{server.process.pid}/stat")
        tick = os.sysconf("SC_CLK_TCK")
        yield Project(
            root,
            {**environment(tmp_path), "SCALE_PASSWORD": PASSWORD},
            lambda: open_store("mysql", attributes, root / ".zenctl", create=True),
            lambda: reserve(database),
            lambda: write_past(database, ADDRESSES, COPIES),
            lambda: sum(map(int, stat.read_text().rpartition(")")[2].split()[11:13])) / tick,
            lambda: written(server),
        )


def written(server: MariaDb) -> None:
    """Have all written to disk: what the server would do of it later is not what a command costs."""
    server.run("set global innodb_max_dirty_pages_pct_lwm = 0", "set global innodb_max_dirty_pages_pct = 0")

    def left() -> int:
        [(_, dirty)] = server.run("show global status like 'Innodb_buffer_pool_pages_dirty'")
        [(_, undo)] = server.run("show global status like 'Innodb_history_list_length'")
        return int(dirty) + int(undo)

    wait_for(lambda: left() < 1000, seconds=1200)


@pytest.mark.parametrize("where", ["on_sqlite", "on_mysql"])
def test_a_long_past_costs_nothing(where: str, request: pytest.FixtureRequest) -> None:
    project: Project = request.getfixturevalue(where)
    project.run("plan", "-out=plan.bin")
    project.open().close()
    project.reserve()
    store = project.open()
    written = write_apply(store, read(project.root / "plan.bin"), project.root / ".zenctl/artifacts")
    store.close()
    assert written == ADDRESSES
    assert project.run("plan", "-detailed-exitcode").returncode == 0, "every step is up to date"
    one = project.costs()
    began = time.monotonic()
    project.lengthen()
    print(f"\n{where[3:]}: {ADDRESSES * COPIES:,} past executions in {time.monotonic() - began:.0f} s", flush=True)
    assert project.run("plan", "-detailed-exitcode").returncode == 0, "every step is up to date"
    many = project.costs()
    applies = json.loads(project.run("history", "-json").stdout)["applies"]
    assert len(applies) == COPIES * 10 + 1
    assert applies[0]["serial"] == COPIES * 10 + 1
    listed = project.run("state", "list").stdout.splitlines()
    assert len([line for line in listed if line.startswith("step.python.")]) == ADDRESSES
    print(f"| {where[3:]} | one past apply | {COPIES * 10:,} past applies | ratio |\n|---|---|---|---|")
    for command, before in one.items():
        print(f"| `zenctl {command}` | {before:.2f} s | {many[command]:.2f} s | {many[command] / before:.2f} |")
    long = {command: many[command] / before for command, before in one.items() if command != "history"}
    assert max(long.values()) <= LIMIT, long
