"""Packs the runner into one file, `runner-<digest>.pyz`, that Python 3.9 or newer runs with nothing installed."""

from __future__ import annotations

import functools
import io
import os
import tempfile
import zipfile
from pathlib import Path
from typing import Iterable, Iterator, Tuple

import zenctl
from zenctl.digests import sha256_bytes

PACKAGES = ("jobs", "sdk", "runner")
MODULES = ("__init__.py", "digests.py", "lazy_dataclasses.py")
MAIN = b"from zenctl.runner.main import leave, main\n\nif __name__ == '__main__':\n    leave(main())\n"


def build_runner(target: Path) -> Path:
    """Write the runner into the folder `target` if it is not there yet, and give its path.

    Equal sources give an equal file, on any machine: nothing is compressed and no time is kept.
    """
    data = _pack()
    path = target / f"runner-{sha256_bytes(data)[:16]}.pyz"
    try:
        if path.stat().st_size == len(data):
            return path
    except FileNotFoundError:
        target.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=".runner-", dir=target)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    return path


@functools.lru_cache(maxsize=1)
def _pack() -> bytes:
    return packed((("__main__.py", MAIN), *sources(MODULES, PACKAGES)))


def packed(files: Iterable[Tuple[str, bytes]]) -> bytes:
    """A zip archive of these files, by their names: equal for equal files, on any machine."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, data in files:
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.create_system = 3
            info.external_attr = 0o644 << 16
            archive.writestr(info, data)
    return buffer.getvalue()


def sources(modules: Iterable[str], packages: Iterable[str]) -> Iterator[Tuple[str, bytes]]:
    """Modules of zenctl, and all in packages of it: their names in an archive, and their text."""
    root = Path(zenctl.__file__).parent
    for module in modules:
        yield f"zenctl/{module}", (root / module).read_bytes()
    for package in packages:
        for path in sorted((root / package).rglob("*.py")):
            yield f"zenctl/{path.relative_to(root).as_posix()}", path.read_bytes()
