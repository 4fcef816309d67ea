"""Tiny wheels for tests, made without a build tool, and a folder of them that stands for a package index."""

from __future__ import annotations

import platform
import zipfile
from collections.abc import Sequence
from importlib.metadata import distribution
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


def repack(folder: Path, name: str) -> str:
    """Write the wheel that a distribution was installed from here, without its scripts; gives the file's name."""
    found = distribution(name)
    tags = [line.partition(":")[2].strip() for line in (found.read_text("WHEEL") or "").splitlines() if "Tag:" in line]
    # Of each part of the tags those that occur: py2.py3-none-any.
    fits = "-".join(".".join(dict.fromkeys(several)) for several in zip(*(tag.split("-") for tag in tags), strict=True))
    files = [file for file in found.files or () if ".." not in file.parts and "__pycache__" not in file.parts]
    kept = [file for file in files if file.name not in ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json")]
    info = next(file.parts[0] for file in kept if file.name == "METADATA")
    path = folder / f"{info.removesuffix('.dist-info')}-{fits}.whl"
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for file in kept:
            archive.write(file.locate(), str(file))
        archive.writestr(f"{info}/RECORD", "".join(f"{file},,\n" for file in [*kept, f"{info}/RECORD"]))
    return path.name


def uv_wheel(folder: Path, version: str, program: Path) -> str:
    """Write a wheel of uv for this machine with any program in its place; gives its SHA-256."""
    folder.mkdir(parents=True, exist_ok=True)
    machine = platform.machine()
    path = folder / f"uv-{version}-py3-none-manylinux_2_17_{machine}.manylinux2014_{machine}.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(program, f"uv-{version}.data/scripts/uv")
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
