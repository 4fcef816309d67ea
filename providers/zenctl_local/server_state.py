"""ServerState: what is on disk about an endpoint's server, by which a later zenctl finds the process again."""

from __future__ import annotations

import json
import os
import shutil
import stat
import tempfile
from dataclasses import asdict, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from zenctl.lazy_dataclasses import dataclass
from zenctl_local.forkserver import boot, started

FORMAT = 1
"""Version of the file's form."""

STATE_FILE, LOG_FILE, MODELS = "server.json", "server.log", "models"
"""What an endpoint's folder holds; below `models` one folder for each model, named by its digest."""

OWN = "zenctl: "
"""Begins the lines of the log that the server itself wrote."""


@dataclass(frozen=True, slots=True)
class ServerState:
    """A server that was started. `started` tells its process from a later one of the same number.

    `token` lets its holder change the model: the file is readable by its owner only and the token never leaves it.
    `host` and `port` are where it listens; what it serves now is the server's to say.
    """

    name: str
    pid: int
    started: str
    host: str
    port: int
    token: str = field(repr=False)

    @property
    def alive(self) -> bool:
        """Whether that very process still runs."""
        return bool(self.started) and started(self.pid) == self.started

    @property
    def lingers(self) -> bool:
        """Whether the process is dead, but for threads that the kernel has not ended yet and that hold its port."""
        try:
            fields = Path(f"/proc/{self.pid}/stat").read_bytes().rpartition(b")")[2].split()
            return f"{fields[19].decode()}@{boot()}" == self.started and len(os.listdir(f"/proc/{self.pid}/task")) > 1
        except (OSError, IndexError):
            return False

    @property
    def address(self) -> str:
        """The host to reach it from this machine: loopback if it listens everywhere."""
        return {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(self.host, self.host)  # noqa: S104 - compared

    @property
    def url(self) -> str:
        """The model's URL: `:predict` appended it predicts."""
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"http://{host}:{self.port}/v1/models/{self.name}"

    def answers_at(self, url: str) -> bool:
        """Whether a URL, of the model or of the server alone, leads to it; `localhost` is this machine."""
        parts = urlsplit(url if "//" in url else f"//{url}")
        try:
            host, port = parts.hostname or "", parts.port or 80
        except ValueError:
            return False
        path = parts.path.rstrip("/")
        here = {self.address, self.host} | ({"localhost"} if self.address in ("127.0.0.1", "::1") else set())
        return host in here and port == self.port and path in ("", urlsplit(self.url).path)


def read_state(folder: Path) -> ServerState | None:
    """What the folder says; None if it says nothing, or what this version cannot read."""
    try:
        raw: Any = json.loads((folder / STATE_FILE).read_text(encoding="utf-8"))
        if raw.pop("format") != FORMAT:
            return None
        return ServerState(**raw)
    except (FileNotFoundError, NotADirectoryError, ValueError, TypeError, KeyError, AttributeError):
        return None


def write_state(folder: Path, state: ServerState) -> None:
    """Write the file whole or not at all, readable by its owner only."""
    descriptor, temporary = tempfile.mkstemp(dir=folder, prefix=f".{STATE_FILE}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            json.dump({"format": FORMAT, **asdict(state)}, stream)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, folder / STATE_FILE)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def place_model(source: Path, target: Path) -> None:
    """Lay a model's folder out below `target`, hard links where the file system has them; whole or not at all."""
    remove(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    staging = target.with_name(f".{target.name}")
    remove(staging)
    try:
        shutil.copytree(source, staging, copy_function=_link)
        os.replace(staging, target)
    except BaseException:
        remove(staging)
        raise


def _link(source: str, target: str) -> str:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
    return target


def remove(folder: Path) -> None:
    """Remove a folder with all in it, read-only folders too; one that is gone is success."""
    if folder.is_symlink() or folder.is_file():
        folder.unlink()
        return
    for parent, _, _ in os.walk(folder):
        os.chmod(parent, stat.S_IRWXU)
    try:
        shutil.rmtree(folder)
    except FileNotFoundError:
        return


def log_tail(folder: Path, lines: int = 8) -> str:
    """What the server said itself, or else the last lines of its log that are not empty."""
    try:
        text = (folder / LOG_FILE).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    found = [line for line in text.splitlines() if line.strip()]
    # TensorFlow has much to say that is not the reason.
    own = [line.removeprefix(OWN) for line in found if line.startswith(OWN)]
    return "\n".join((own or found)[-lines:])
