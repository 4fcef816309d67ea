"""Reads what a configuration file says by the syntax that its name tells, and writes a file whole or not at all."""

from __future__ import annotations

import contextlib
import errno
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
    """Write a file, whole or not at all; mode and owner stay. A link stays one: what it leads to is replaced.

    Raises OSError; what was there is then as it was.
    """
    place = Path(os.path.realpath(path))
    known = place.stat() if place.exists() else None
    if known is not None and not os.access(place, os.W_OK):  # a file can be replaced by who may not write it
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    handle, temporary = tempfile.mkstemp(prefix=".zenctl-write-", dir=place.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(text.encode("utf-8"))
            if known is not None and (known.st_uid, known.st_gid) != (os.geteuid(), os.getegid()):
                with contextlib.suppress(PermissionError):  # only root may give files away
                    os.fchown(handle, known.st_uid, known.st_gid)
            os.fchmod(handle, 0o666 & ~_umask() if known is None else known.st_mode & 0o7777)
            stream.flush()
            os.fsync(handle)
        os.replace(temporary, place)
    except BaseException:
        os.unlink(temporary)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
