"""Reads what a configuration file says by the syntax that its name tells, and writes a file whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from zenctl.config.files import HCL_SUFFIX
from zenctl.config.shapes import ROOT
from zenctl.diagnostics import Diagnostic, SourceRange
from zenctl.lang.parser import parse_config
from zenctl.lang.syntax import Body


def parse_text(name: str, text: str, scalars: dict[SourceRange, str] | None = None) -> tuple[Body, list[Diagnostic]]:
    """The body of a configuration file of that name; `scalars` as with `parse_yaml`."""
    if name.endswith(HCL_SUFFIX):
        return parse_config(text, name)
    from zenctl.lang.yaml import parse_yaml  # PyYAML is loaded by configurations that use it only

    return parse_yaml(text, name, ROOT, scalars)


def write_text(path: Path, text: str) -> None:
    """Write a file, whole or not at all; one that is there keeps its permissions. Raises OSError."""
    path = path.resolve()
    mode = path.stat().st_mode & 0o7777 if path.exists() else 0o666 & ~_umask()
    handle, temporary = tempfile.mkstemp(prefix=".zenctl-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(text.encode("utf-8"))
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, mode)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
