"""Tiny wheels for tests, made without a build tool, and a folder of them that stands for a package index."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

from zenctl.digests import sha256_file

STRANGE = "cp36-cp36m-macosx_10_9_x86_64"
"""The tag of a wheel that fits no interpreter here."""


def wheel(
    folder: Path, name: str, version: str, body: str = "", *, needs: Sequence[str] = (), tag: str = "py3-none-any"
) -> str:
    """Write a wheel with one module of the distribution's name; gives its SHA-256."""
    folder.mkdir(parents=True, exist_ok=True)
    info = f"{name}-{version}.dist-info"
    requires = "".join(f"Requires-Dist: {other}\n" for other in needs)
    files = {
        f"{name}.py": body or f"VERSION = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{requires}",
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: {tag}\n",
    }
    record = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    path = folder / f"{name}-{version}-{tag}.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for inner, text in {**files, f"{info}/RECORD": record}.items():
            archive.writestr(zipfile.ZipInfo(inner, (1980, 1, 1, 0, 0, 0)), text)
    return sha256_file(path)


def offline(folder: Path) -> dict[str, str]:
    """The environment in which uv and pip know the wheels of a folder and nothing else."""
    links = folder.as_uri()
    return {
        "UV_NO_INDEX": "1",
        "UV_FIND_LINKS": links,
        "UV_OFFLINE": "1",
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": links,
    }
