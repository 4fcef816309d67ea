"""What a job really ran with: the Python version, and the versions of the packages it names."""

from __future__ import annotations

import os
import re
import sys
from importlib import metadata
from typing import Any, Dict, Iterable, Optional

KNOWN = {
    "PIL": "pillow",
    "apache_beam": "apache-beam",
    "attr": "attrs",
    "bs4": "beautifulsoup4",
    "cv2": "opencv-python",
    "dateutil": "python-dateutil",
    "dotenv": "python-dotenv",
    "google_crc32c": "google-crc32c",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}
"""Distributions of well-known modules that are named otherwise."""


def recorded(modules: Iterable[str]) -> Dict[str, Any]:
    """{"python": "3.11", "distributions": {"numpy": "2.1.3"}} for top-level modules or distribution names.

    Names are normalised (PEP 503). What is not installed is left out.
    """
    python = f"{sys.version_info[0]}.{sys.version_info[1]}"
    return {"python": python, "distributions": distributions(modules)}


def everything() -> Dict[str, Any]:
    """The same for all that is installed here."""
    return {**recorded(()), "distributions": dict(sorted(_installed().items()))}


def distributions(modules: Iterable[str]) -> Dict[str, str]:
    """Names and versions of the distributions that the modules come from."""
    wanted = sorted(set(modules))
    installed = _installed() if wanted else {}
    found: Dict[str, str] = {}
    for module in wanted:
        name: Optional[str] = normalised(KNOWN.get(module, module))
        if name not in installed:
            name = _owner(module)
        if name in installed:
            found[name] = installed[name]
    return dict(sorted(found.items()))


def distribution_of(module: str) -> str:
    """What to ask pip for to get a module: its usual distribution's name."""
    return KNOWN.get(module, module.replace("_", "-"))


def normalised(name: str) -> str:
    """A distribution's name as PEP 503 writes it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _installed() -> Dict[str, str]:
    """Every installed distribution, read from folder names alone: a few milliseconds."""
    found: Dict[str, str] = {}
    for entry in sys.path:
        try:
            names = os.listdir(entry or ".")
        except OSError:
            continue
        for name in names:
            if name.endswith(".dist-info"):
                project, _, version = name[: -len(".dist-info")].rpartition("-")
                found.setdefault(normalised(project), version)
    return found


def _owner(module: str) -> Optional[str]:
    """The distribution whose files include the module; reads every distribution's list of files, so it is slow."""
    for distribution in metadata.distributions():
        top = distribution.read_text("top_level.txt")
        if top is not None and module not in top.split():
            continue
        for file in distribution.files or ():
            if file.parts[0] == module or str(file) == f"{module}.py" or str(file).startswith(f"{module}."):
                return normalised(distribution.metadata["Name"])
    return None
