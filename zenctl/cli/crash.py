"""Writes down an unexpected exception, without secrets, and says where: the user never meets a raw traceback."""

from __future__ import annotations

import os
import platform
import re
import tempfile
import time
import traceback
from collections.abc import Iterable, Mapping
from pathlib import Path

from zenctl import __version__

_SECRET_NAME = re.compile(r"TOKEN|SECRET|PASSW|KEY|CREDENTIAL|ZENCTL_VAR_", re.IGNORECASE)
_SHORTEST = 4
"""Values shorter than this are left in: blanking every `5` would say nothing and hide much."""


def secrets(environment: Mapping[str, str], words: Iterable[str] = ()) -> list[str]:
    """Texts that a report must not hold: values of variables and of the environment's secrets, longest first."""
    found = {value for name, value in environment.items() if _SECRET_NAME.search(name)}
    found |= {word.partition("=")[2].partition("=")[2] or word.partition("=")[2] for word in words if "=" in word}
    return sorted((value for value in found if len(value) >= _SHORTEST), key=len, reverse=True)


def report(problem: BaseException, hidden: Iterable[str]) -> str:
    """The versions and the traceback, secrets blanked."""
    text = "".join(traceback.format_exception(type(problem), problem, problem.__traceback__))
    for value in hidden:
        text = text.replace(value, "***")
    return (
        f"zenctl {__version__}, Python {platform.python_version()}, {platform.system()} {platform.machine()}\n\n{text}"
    )


def write(root: Path, text: str) -> Path | None:
    """Write the report to `.zenctl/crash-<time>-<pid>.log`, or where there is no project to the temporary folder."""
    name = f"crash-{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}-{os.getpid()}.log"
    for folder in (root / ".zenctl", Path(tempfile.gettempdir())):
        try:
            if folder.name == ".zenctl" and _is_project(root):
                folder.mkdir(exist_ok=True)
            path = folder / name
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError:
            continue
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                stream.write(text)
        except OSError:
            path.unlink(missing_ok=True)
            continue
        return path
    return None


def _is_project(root: Path) -> bool:
    return any(root.glob("*.zen.*"))
