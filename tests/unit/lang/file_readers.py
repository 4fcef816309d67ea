"""Module files from contents, for the tests of functions that read files."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from zenctl.config.module_files import ModuleFiles


def module_files(contents: Mapping[str, bytes], prefix: str = "") -> ModuleFiles:
    """A folder with these files, removed at the end of the tests."""
    root = Path(tempfile.mkdtemp(prefix="zenctl-files-"))
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    for name, content in contents.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return ModuleFiles(root, prefix)
