"""Finds the versions of the distributions that modules come from, cheaply enough for every plan."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from zenctl.digests import sha256_text
from zenctl.fingerprint.data import replace_file
from zenctl.fingerprint.digest import image_digest
from zenctl.jobs.requirements import requirement_lines, without_secrets
from zenctl.lazy_dataclasses import dataclass

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


def installed(
    names: Iterable[str], cache_dir: Path, search_path: Sequence[str] | None = None, *, transitive: bool = False
) -> dict[str, Any]:
    """{"python": "3.11", "distributions": {"numpy": "2.1.3", "torch": None}} for modules or distributions.

    Modules may be dotted (`google.cloud.storage`). Distributions are named as PEP 503 writes them; None is the version
    of one that is not installed here. `search_path` is `sys.path` if not given. `cache_dir` may be written to.
    With `transitive`, all that these distributions need by their metadata is there too, as far as it is installed.
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
    if transitive:
        found |= _needed(found, versions)
    python = f"{sys.version_info[0]}.{sys.version_info[1]}"
    return {"python": python, "distributions": dict(sorted(found.items()))}


def compare(recorded: Mapping[str, Any], now: Mapping[str, Any]) -> list[PackageChange]:
    """What differs between a recorded environment and one here, sorted by name, the interpreter first.

    With another image, that and variables.
    A package that is not installed here (None) cannot be compared and is left out.
    """
    changes = _image(recorded.get("image", ""), now.get("image", ""))
    if changes:
        # Packages of an image and those that are here are not the same step's before and after.
        return [*changes, *_variables(recorded, now)]
    if recorded.get("python") and now.get("python") and recorded["python"] != now["python"]:
        changes.append(PackageChange("python", recorded["python"], now["python"]))
    before, after = recorded.get("distributions", {}), now.get("distributions", {})
    for name in sorted(before.keys() | after.keys()):
        if name in after and after[name] is None:
            continue
        if before.get(name) != after.get(name):
            changes.append(PackageChange(name, before.get(name), after.get(name)))
    return [*changes, *_locked(recorded.get("lock"), now.get("lock")), *_variables(recorded, now)]


def locked(text: str, included: Callable[[str], str]) -> dict[str, str]:
    """What a requirements file asks for: by distribution the rest of its line; other options stand for themselves.

    `included` gives the text of a file that it names with `-r` or `-c`; it may raise. Comments, blank lines and order
    do not count; credentials in URLs are hidden.
    """
    found: dict[str, str] = {}
    for line, _ in requirement_lines(text, included):
        shown = without_secrets(line)
        named = re.match(r"([A-Za-z0-9][A-Za-z0-9._-]*)\s*(.*)$", shown)
        if named is not None:
            found[normalised(named.group(1))] = named.group(2)
        else:
            found[shown] = ""
    return dict(sorted(found.items()))


def variable_digests(names: Iterable[str], environment: Mapping[str, str]) -> dict[str, str]:
    """A short digest of each variable's value, empty where it is not set: values are written nowhere."""
    return {name: sha256_text(environment[name])[:16] if name in environment else "" for name in sorted(set(names))}


def _image(before: str, after: str) -> list[PackageChange]:
    if image_digest(before) == image_digest(after):
        return []
    shown = [short_image(reference) if reference else None for reference in (before, after)]
    return [PackageChange("image", shown[0], shown[1])]


def short_image(reference: str) -> str:
    """The name and enough of the digest to tell it from another."""
    name, _, digest = reference.partition("@")
    return f"{name}@{digest[:19]}"


def _locked(before: Mapping[str, str] | None, after: Mapping[str, str] | None) -> list[PackageChange]:
    if before is None or after is None:
        counts = [None if lock is None else f"{len(lock)} entries" for lock in (before, after)]
        return [] if before is after else [PackageChange("requirements", counts[0], counts[1])]
    return [
        PackageChange(f"requirement {name}", before.get(name), after.get(name))
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    ]


def _variables(recorded: Mapping[str, Any], now: Mapping[str, Any]) -> list[PackageChange]:
    before, after = recorded.get("variables", {}), now.get("variables", {})
    words = {None: "(not tracked)", "": "(not set)"}
    return [
        PackageChange(f"variable {name}", *(words.get(v, f"(value {str(v)[:6]})") for v in (old, new)))
        for name in sorted(before.keys() | after.keys())
        if (old := before.get(name)) != (new := after.get(name))
    ]


def normalised(name: str) -> str:
    """A distribution's name as PEP 503 writes it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _needed(found: Mapping[str, str | None], versions: Mapping[str, tuple[str, str]]) -> dict[str, str]:
    """The installed distributions that these need, and what those need, extras left out."""
    needed: dict[str, str] = {}
    waiting = [name for name, version in found.items() if version is not None]
    while waiting:
        for name in _requires(versions[waiting.pop()][1]):
            if name in versions and name not in found and name not in needed:
                needed[name] = versions[name][0]
                waiting.append(name)
    return needed


def _requires(folder: str) -> list[str]:
    """The names that its metadata requires. Markers but for extras are left to what is installed."""
    names = []
    try:
        with open(os.path.join(folder, "METADATA"), encoding="utf-8", errors="replace") as stream:
            for line in stream:
                if not line.strip():
                    break
                if line.startswith("Requires-Dist:") and "extra ==" not in line:
                    name = re.match(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)", line.partition(":")[2])
                    names += [normalised(name.group(1))] if name else []
    except OSError:
        return []
    return names


def _versions(folders: Sequence[str]) -> Mapping[str, tuple[str, str]]:
    """Version and metadata folder of every distribution, from folder names alone: the first on the path counts."""
    return _named(tuple((folder, tuple(sorted(_listed(folder)))) for folder in folders))


def _listed(folder: str) -> list[str]:
    try:
        return [name for name in os.listdir(folder) if name.endswith(".dist-info")]
    except OSError:
        return []


@lru_cache(maxsize=8)  # every step of a plan asks
def _named(listings: tuple[tuple[str, tuple[str, ...]], ...]) -> Mapping[str, tuple[str, str]]:
    found: dict[str, tuple[str, str]] = {}
    for folder, names in listings:
        for name in names:
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
