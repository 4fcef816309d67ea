"""The inside of a fake machine: its startup script as real processes, its serial log, and its metadata server."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

MARK = "ZENCTL_FAKE_MACHINE"
"""The variable by which every process of a machine is found, whatever group or session it has moved to."""

TOKEN = "of-the-machine"

POWER_OFF = """#!/bin/sh
exec curl -sS -X POST -H 'Metadata-Flavor: Google' "http://$GCE_METADATA_HOST/power-off"
"""


@dataclass
class Guest:
    """A machine that can be switched on once. `facts` are the instance's, `attributes` its metadata.

    `path` is a folder with programs that it has besides the system's; `programs` are what its boot image brings:
    shell scripts by their names.
    `on_power_off` is called from a thread when something inside shuts the machine down.
    """

    facts: Mapping[str, str]
    attributes: Mapping[str, str]
    on_power_off: Callable[[], None]
    has_account: bool = True
    preempted: threading.Event = field(default_factory=threading.Event)
    path: str = ""
    programs: Mapping[str, str] = field(default_factory=dict)
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)
    folder: Path | None = None
    _server: ThreadingHTTPServer | None = None
    _script: subprocess.Popen[bytes] | None = None

    @property
    def serial(self) -> bytes:
        """What the machine wrote to its first serial port."""
        return (self.folder / "serial").read_bytes() if self.folder is not None else b""

    def switch_on(self) -> None:
        """Serve its metadata and run its startup script, with nothing of this process's environment."""
        folder = self.folder = Path(tempfile.mkdtemp(prefix="fake-machine-"))
        for name in ("bin", "root", "tmp"):
            (folder / name).mkdir()
        for name in ("shutdown", "poweroff"):
            _program(folder / "bin" / name, POWER_OFF)
        for name, text in self.programs.items():
            _program(folder / "bin" / name, text)
        self._server = MetadataServer(("127.0.0.1", 0), type("Bound", (MetadataHandler,), {"guest": self}))
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        serial = open(folder / "serial", "ab", buffering=0)  # noqa: SIM115 - closed below
        serial.write(f"{self.facts['name']}: boots\r\n".encode())
        script = self.attributes.get("startup-script")
        if script is None:
            serial.close()
            return
        program = _program(folder / "startup-script", script)
        environment = {
            "PATH": f"{folder / 'bin'}:{self.path}:/usr/local/bin:/usr/bin:/bin",
            "HOME": str(folder / "root"),
            "TMPDIR": str(folder / "tmp"),
            "LANG": "C.UTF-8",
            "GCE_METADATA_HOST": f"127.0.0.1:{self._server.server_address[1]}",
            MARK: self.mark,
        }
        with serial:
            self._script = subprocess.Popen(
                [program], cwd=folder / "root", env=environment, stdin=subprocess.DEVNULL, stdout=serial, stderr=serial,
                start_new_session=True,
            )  # fmt: skip

    @property
    def is_on(self) -> bool:
        return self._server is not None

    def take_away(self) -> None:
        """The metadata server gives notice, and the button for power is pressed: the system stops its services, of the
        startup script the first process only, and is off when nothing runs any more.
        """
        self.preempted.set()
        if self._script is not None:
            self._script.terminate()
        threading.Thread(target=self._shut_down, daemon=True).start()

    def _shut_down(self) -> None:
        while self.is_on and self.processes():
            threading.Event().wait(0.05)
        self.on_power_off()

    def processes(self) -> list[int]:
        """The ids of the processes that run on the machine, those in its containers too."""
        wanted = f"{MARK}={self.mark}".encode()
        found, parents = [], {}
        for entry in os.scandir("/proc"):
            if entry.name.isdigit():
                with contextlib.suppress(OSError):
                    pid = int(entry.name)
                    parents[pid] = int(Path(entry.path, "stat").read_text().rpartition(")")[2].split()[1])
                    if wanted in Path(entry.path, "environ").read_bytes().split(b"\0"):
                        found.append(pid)
        # What is contained has an environment of its own, and a parent that has the machine's.
        known = set(found)
        while more := [pid for pid, parent in parents.items() if parent in known and pid not in known]:
            found += more
            known.update(more)
        return found

    def switch_off(self) -> None:
        """The power is gone: every process is killed, whatever it does. The serial log stays readable until `scrap`."""
        while self.folder is not None and (found := self.processes()):
            for pid in found:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if self._script is not None:
                self._script.wait()
        if self._script is not None:
            self._script.wait()
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()

    def scrap(self) -> None:
        """Remove what is left of a machine that is off."""
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)


class MetadataServer(ThreadingHTTPServer):
    """A machine whose power is cut leaves connections behind: that is no error."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class MetadataHandler(BaseHTTPRequestHandler):
    """The metadata server as a machine sees it."""

    protocol_version = "HTTP/1.1"
    guest: Guest

    def do_GET(self) -> None:
        if self.headers.get("Metadata-Flavor") != "Google":
            self._answer(403, "Missing Metadata-Flavor:Google header.")
            return
        path, _, query = self.path.partition("?")
        path = path.removeprefix("/computeMetadata/v1/instance/")
        asked = dict(parse_qsl(query))
        if path == "preempted" and asked.get("wait_for_change") == "true" and asked.get("last_etag") == "FALSE":
            self.guest.preempted.wait(float(asked["timeout_sec"]))
        value = self._value(path)
        self._answer(200 if value is not None else 404, value or "")

    def do_POST(self) -> None:
        assert self.path == "/power-off"
        threading.Thread(target=self.guest.on_power_off, daemon=True).start()
        self._answer(200, "")

    def _value(self, path: str) -> str | None:
        guest = self.guest
        if path.startswith("attributes/"):
            return guest.attributes.get(path.removeprefix("attributes/"))
        if path == "service-accounts/default/token" and guest.has_account:
            return json.dumps({"access_token": TOKEN, "expires_in": 3600, "token_type": "Bearer"})
        if path == "preempted":
            return "TRUE" if guest.preempted.is_set() else "FALSE"
        if path == "maintenance-event":
            return "NONE"
        return guest.facts.get(path)

    def _answer(self, status: int, text: str) -> None:
        data = text.encode()
        self.send_response(status)
        self.send_header("Metadata-Flavor", "Google")
        # The real one gives a digest of the value.
        self.send_header("ETag", text if text in ("TRUE", "FALSE") else "x")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


def _program(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path
