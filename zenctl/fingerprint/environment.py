"""Finds the versions of the distributions that modules come from, cheaply enough for every plan."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zenctl.fingerprint.data import replace_file

FORMAT = 1
"""Version of the cache file's form."""

KNOWN = {
    "Crypto": "pycryptodome",
    "PIL": "pillow",
    "attr": "attrs",
    "bs4": "beautifulsoup4",
    "cv2": "opencv-python",
    "dateutil": "python-dateutil",
    "dotenv": "python-dotenv",
    "git": "gitpython",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}
"""Distributions of well-known modules that are named otherwise; they name also what is not installed here."""


@dataclass(frozen=True)
class PackageChange:
    """One difference between two environments; None where it was not there. `name` is "python" for the interpreter."""

    name: str
    before: str | None
    after: str | None

    def __str__(self) -> str:
        return f"{self.name} {self.before or '(none)'} -> {self.after or '(none)'}"


def installed(names: Iterable[str], cache_dir: Path, search_path: Sequence[str] | None = None) -> dict[str, Any]:
    """{"python": "3.11", "distributions": {"numpy": "2.1.3", "torch": None}} for modules or distributions.

    Modules may be dotted (`google.cloud.storage`). Distributions are named as PEP 503 writes them; None is the version
    of one that is not installed here. `search_path` is `sys.path` if not given. `cache_dir` may be written to.
    """
    folders = [os.path.abspath(folder) for folder in (sys.path if search_path is None else search_path)]
    versions = _versions(folders)
    owners: Mapping[str, list[str]] | None = None
    found: dict[str, str | None] = {}
    for name in sorted(set(names)):
        likely = normalised(KNOWN.get(name, name))
        if likely in versions:
            found[likely] = versions[likely][0]
            continue
        if owners is None:
            owners = _owners(folders, versions, cache_dir)
        distributions = _lookup(name, owners)
        found.update({d: versions[d][0] for d in distributions if d in versions})
        if not distributions:
            found[normalised(KNOWN.get(name.split(".")[0], name))] = None
    python = f"{sys.version_info[0]}.{sys.version_info[1]}"
    return {"python": python, "distributions": dict(sorted(found.items()))}


def compare(recorded: Mapping[str, Any], now: Mapping[str, Any]) -> list[PackageChange]:
    """What differs between a recorded environment and one here, sorted by name, the interpreter first.

    A package that is not installed here (None) cannot be compared and is left out.
    """
    changes = []
    if recorded.get("python") and now.get("python") and recorded["python"] != now["python"]:
        changes.append(PackageChange("python", recorded["python"], now["python"]))
    before, after = recorded.get("distributions", {}), now.get("distributions", {})
    for name in sorted(before.keys() | after.keys()):
        if name in after and after[name] is None:
            continue
        if before.get(name) != after.get(name):
            changes.append(PackageChange(name, before.get(name), after.get(name)))
    return changes


def normalised(name: str) -> str:
    """A distribution's name as PEP 503 writes it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _versions(folders: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Version and metadata folder of every distribution, from folder names alone: the first on the path counts."""
    found: dict[str, tuple[str, str]] = {}
    for folder in folders:
        try:
            names = os.listdir(folder)
        except OSError:
            continue
        for name in sorted(names):
            if name.endswith(".dist-info"):
                project, _, version = name[: -len(".dist-info")].rpartition("-")
                found.setdefault(normalised(project), (version, os.path.join(folder, name)))
    return found


def _lookup(module: str, owners: Mapping[str, list[str]]) -> list[str]:
    """The distributions of a module: of `google.cloud.storage.blob` those of the longest part that any is known for."""
    parts = module.split(".")
    for count in range(len(parts), 0, -1):
        found = owners.get(".".join(parts[:count]))
        if found:
            return found
    return []


def _owners(
    folders: Sequence[str], versions: Mapping[str, tuple[str, str]], cache_dir: Path
) -> Mapping[str, list[str]]:
    """Which distributions have files of which module; kept in a file until a folder of the path changes."""
    stamp = [[folder, _modified(folder)] for folder in folders if os.path.isdir(folder)]
    path = cache_dir / "modules.json"
    try:
        kept = json.loads(path.read_bytes())
        if kept["format"] == FORMAT and kept["stamp"] == stamp and isinstance(kept["owners"], dict):
            return kept["owners"]
    except (OSError, ValueError, KeyError, TypeError):
        # No cache, or a damaged one: it is made anew.
        kept = None
    owners = _scan(versions)
    try:
        replace_file(path, json.dumps({"format": FORMAT, "stamp": stamp, "owners": owners}).encode())
    except OSError:
        # Plan must work in a read-only checkout.
        return owners
    return owners


def _modified(folder: str) -> int:
    return os.stat(folder).st_mtime_ns


def _scan(versions: Mapping[str, tuple[str, str]]) -> dict[str, list[str]]:
    """Read every distribution's list of files. Modules that several share are told apart by their subpackages."""
    tops: dict[str, set[str]] = {}
    contents: dict[str, set[str]] = {}
    for distribution, (_, folder) in versions.items():
        contents[distribution] = packages = _packages(folder)
        for package in packages:
            tops.setdefault(package.split(".")[0], set()).add(distribution)
    owners = {top: sorted(found) for top, found in tops.items()}
    for distribution, packages in contents.items():
        for package in packages:
            top, _, rest = package.partition(".")
            if rest and len(owners[top]) > 1:
                known = owners.setdefault(package, [])
                if distribution not in known:
                    known.append(distribution)
                    known.sort()
    return owners


def _packages(folder: str) -> set[str]:
    """The modules of a distribution by its RECORD, packages to the third level."""
    try:
        with open(os.path.join(folder, "RECORD"), encoding="utf-8", errors="replace") as stream:
            lines = stream.read().splitlines()
    except OSError:
        return set()
    found: set[str] = set()
    for line in lines:
        path = line.partition(",")[0].strip('"')
        head, slash, name = path.rpartition("/")
        if not name.endswith((".py", ".so", ".pyd")) or path.startswith(("..", "/")):
            continue
        parts = head.split("/") if slash else []
        if name != "__init__.py":
            parts.append(name.partition(".")[0])
        if all(part.isidentifier() for part in parts):
            found.update(".".join(parts[: i + 1]) for i in range(min(len(parts), 4)))
    return found
