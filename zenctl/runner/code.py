"""Brings a step's code to its place, safely, and imports the function to call from there."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import inspect
import io
import os
import pkgutil
import stat
import sys
import types
import zipfile
from pathlib import Path
from typing import Any, Callable, FrozenSet, Set

import zenctl
from zenctl.digests import CHUNK, sha256_bytes
from zenctl.jobs.artifacts import CorruptArtifact, code_path
from zenctl.jobs.spec import Entry
from zenctl.jobs.storage import Storage, StorageError, check_path
from zenctl.sdk.errors import StepError

MAX_BYTES = 1 << 30
"""Most bytes a code archive may unpack to, so that a crafted one cannot fill the disk."""
MAX_FILES = 100_000
"""Most files a code archive may hold."""

BASE: Set[str] = set()
"""Modules that the runner itself has loaded: a step's file cannot take their names, be the process warm or fresh."""


def fetch_code(storage: Storage, digest: str, target: Path) -> None:
    """Unpack the code archive into the empty folder `target`; raises CorruptArtifact if it is not what it must be."""
    path = code_path(digest)
    try:
        with storage.open(path) as stream:
            data = stream.read(MAX_BYTES + 1)
    except StorageError as error:
        if error.kind == "NOT_FOUND":
            raise CorruptArtifact(f"the step's code is gone: {path}", path=path, missing=True) from error
        raise
    if sha256_bytes(data) != digest:
        raise CorruptArtifact(f"the step's code archive is damaged: {path}", path=path, missing=False)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            unpack(archive, target)
    except (zipfile.BadZipFile, StorageError, EOFError, NotImplementedError, RuntimeError) as error:
        raise CorruptArtifact(f"the step's code archive is refused: {error}", path=path, missing=False) from error


def unpack(archive: zipfile.ZipFile, target: Path) -> None:
    """Write an archive's files below `target`. Refuses (BadZipFile, StorageError) what could land elsewhere.

    That is: absolute names, `..`, links and other special files, two entries of one name, and more than MAX_BYTES.
    """
    entries = archive.infolist()
    if len(entries) > MAX_FILES:
        raise zipfile.BadZipFile(f"it holds {len(entries)} files")
    left = MAX_BYTES
    for entry in entries:
        name = check_path(entry.filename[:-1] if entry.is_dir() else entry.filename)
        mode = entry.external_attr >> 16
        if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise zipfile.BadZipFile(f"{name} is no plain file")
        place = target / name
        try:
            if entry.is_dir():
                place.mkdir(parents=True, exist_ok=True)
                continue
            place.parent.mkdir(parents=True, exist_ok=True)
            left -= _unpack_file(archive, entry, place, left)
        except (FileExistsError, NotADirectoryError) as error:
            raise zipfile.BadZipFile(f"{name} stands in it twice") from error
        os.chmod(place, 0o755 if mode & 0o111 else 0o644)


def _unpack_file(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, place: Path, left: int) -> int:
    """Write one file and give its size. What the archive says of sizes is not believed: the bytes are counted."""
    written = 0
    with archive.open(entry) as reader, open(place, "xb") as writer:
        for chunk in iter(lambda: reader.read(CHUNK), b""):
            written += len(chunk)
            if written > left:
                raise zipfile.BadZipFile(f"it unpacks to more than {MAX_BYTES >> 20} MiB")
            writer.write(chunk)
    return written


def load(entry: Entry, folder: Path) -> Callable[..., Any]:
    """Import the function to call. `folder` holds the code and comes first on sys.path, then the entry file's own.

    Raises StepError if it is not there; whatever importing the user's file raises passes through.
    """
    module = _load_file(entry.file, folder) if entry.file else _load_module(entry.module)
    where = entry.file or entry.module
    function = module
    for part in entry.function.split("."):
        if not hasattr(function, part):
            close = difflib.get_close_matches(part, [n for n in dir(function) if not n.startswith("_")], n=1)
            hint = f'Did you mean "{close[0]}"?' if close else f"Define it in {where}, at the top level."
            raise StepError(f"{where} has no function {entry.function!r}", hint, entry.file, kind="user_error")
        function = getattr(function, part)
    if not callable(function):
        message = f"{entry.function!r} in {where} is a {type(function).__name__}, not a function"
        raise StepError(message, "Name a function in `code`.", entry.file, kind="user_error")
    if inspect.iscoroutinefunction(function):
        message = f"{entry.function!r} in {where} is an async function: a step is a plain one"
        hint = "Define it with `def` and call asyncio.run(...) inside."
        raise StepError(message, hint, entry.file, function.__code__.co_firstlineno, kind="user_error")
    return function  # type: ignore[no-any-return]


def _load_module(name: str) -> Any:
    if name.split(".")[0] == "zenctl":
        # The zipapp carries no steps: those of the zenctl that is installed beside it are added.
        zenctl.__path__ = pkgutil.extend_path(zenctl.__path__, "zenctl")
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and name.startswith(error.name):
            hint = f"Install zenctl {zenctl.__version__} for {sys.executable}."
            message = f"this step needs {name}, which is not installed for {sys.executable}"
            raise StepError(message, hint, kind="user_error") from error
        raise


def _load_file(file: str, folder: Path) -> types.ModuleType:
    path = folder / file
    if not path.is_file():
        raise StepError(f"{file} is not part of the step's code", file=file, kind="user_error")
    set_path(folder, path.parent)
    name = _module_name(Path(file), folder)
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise StepError(f"{file} is not a Python file", "Its name must end in .py.", file, kind="user_error")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def set_path(*folders: Path) -> None:
    """Put the folders first on sys.path, and forget loaded modules that files in them now stand before."""
    first = list(dict.fromkeys(str(folder) for folder in folders))
    sys.path[:] = first + [entry for entry in sys.path if entry not in first and entry not in ("", ".")]
    importlib.invalidate_caches()
    shadowed = _names(folders) - BASE
    for name in [name for name in sys.modules if name.split(".")[0] in shadowed]:
        del sys.modules[name]


def _names(folders: "tuple[Path, ...]") -> FrozenSet[str]:
    """Top-level modules that the folders offer."""
    found: Set[str] = set()
    for folder in folders:
        for path in folder.iterdir():
            if path.suffix == ".py" or (path.is_dir() and any(path.rglob("*.py"))):
                found.add(path.stem)
    return frozenset(found)


def _module_name(file: Path, folder: Path) -> str:
    """`steps.fit` for steps/fit.py, so that its relative imports work; `fit` where the folder is no package."""
    parts = file.with_suffix("").parts
    if len(parts) > 1 and all(part.isidentifier() for part in parts):
        parent = importlib.import_module(".".join(parts[:-1]))
        if str(folder.joinpath(*parts[:-1])) in list(getattr(parent, "__path__", [])):
            return ".".join(parts)
    return file.stem
