"""Packs what built-in steps are made of, as it is installed here, into a wheel for machines that have no zenctl."""

from __future__ import annotations

import functools

import zenctl
from zenctl.runner.zipapp import packed, sources

MODULES = ("__init__.py", "addrs.py", "diagnostics.py", "digests.py", "lazy_dataclasses.py")
PACKAGES = ("jobs", "schema", "sdk", "steps")
"""What the code of steps imports of zenctl: the command line and the engine stay at home."""

NAME = f"zenctl-{zenctl.__version__}-py3-none-any.whl"
"""The wheel's file name."""


@functools.lru_cache(maxsize=1)
def zenctl_wheel() -> bytes:
    """The wheel's bytes: equal for equal sources, on any machine, as nothing is compressed and no time is kept.

    It requires nothing: what the steps need depends on the step, and is asked for beside it.
    """
    info = f"zenctl-{zenctl.__version__}.dist-info"
    files = dict(sources(MODULES, PACKAGES))
    files[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: zenctl\nVersion: {zenctl.__version__}\n".encode()
    files[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: zenctl\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    # Without digests, which the format allows: the wheel as a whole is checked by its own.
    files[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"]).encode()
    return packed(files.items())
