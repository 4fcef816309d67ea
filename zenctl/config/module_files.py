"""ModuleFiles: the files of a module's folder as its expressions read them, each once, with notes of what was read."""

from __future__ import annotations

import errno
import fnmatch
import os
import posixpath
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from zenctl.diagnostics import did_you_mean
from zenctl.digests import sha256_bytes
from zenctl.lang.files import FileProblem

MAX_FILE = 16 * 1024 * 1024
"""The largest file, in bytes, that an expression may read."""

MAX_ALL_FILES = 128 * 1024 * 1024
"""How many bytes all files that a module's expressions read may have: a saved plan holds them."""

MAX_VISITED = 100_000
"""How many entries of folders one pattern may look at."""

MAX_ALTERNATIVES = 1000
"""How many patterns the {a,b} in a pattern may stand for."""

_FOLDER = "This is a folder, not a file. fileset() lists the files in it."


class ModuleFiles:
    """The files of one module, as `zenctl.lang.files.FileReader` wants them.

    Paths are relative to the module's folder. An absolute path, `..` out of the folder, or a symbolic link out of it
    is a FileProblem. Every answer is kept, so that one command sees one state of the files; `reads`, `existing` and
    `matches` tell what was asked, so that a saved plan can pin it.
    """

    def __init__(self, root: Path, prefix: str = "") -> None:
        """The files of a folder on disk; `prefix` comes before paths in messages (`modules/eu/`)."""
        self._prefix = prefix
        self._files = _Disk(root)
        self._contents: dict[str, bytes] = {}
        self._existing: dict[str, bool] = {}
        self._matches: dict[str, dict[str, tuple[str, ...]]] = {}
        self._problems: dict[tuple[str, ...], FileProblem] = {}
        self._size = 0

    @property
    def reads(self) -> Mapping[str, str]:
        """The SHA-256 of each file that was read, by path."""
        return {path: sha256_bytes(content) for path, content in sorted(self._contents.items())}

    @property
    def existing(self) -> Mapping[str, bool]:
        """What `exists` answered, by path."""
        return dict(sorted(self._existing.items()))

    @property
    def matches(self) -> Mapping[str, Mapping[str, Sequence[str]]]:
        """What `glob` answered, by folder and pattern."""
        return {folder: dict(sorted(found.items())) for folder, found in sorted(self._matches.items())}

    @property
    def texts(self) -> Mapping[str, str]:
        """The text of each file that was read, by its name in messages: what diagnostics may point into."""
        return {self._prefix + path: content.decode("utf-8", "replace") for path, content in self._contents.items()}

    def shown(self, path: str) -> str:
        """How messages call the file: by its path from the root module's folder."""
        return self._prefix + self._name(path)

    def _name(self, path: str) -> str:
        """A path in the module's folder; it may begin with that folder, as `path.module` gives it."""
        return _normal(path.removeprefix(self._prefix) if self._prefix else path)

    def read(self, path: str) -> bytes:
        """A file's content. Raises FileProblem, also for files that are too large."""
        name = self._name(path)
        if name not in self._contents:
            with _Remembered(self._problems, "read", name):
                content = self._files.read(name)
                if self._size + len(content) > MAX_ALL_FILES:
                    limit = f"{MAX_ALL_FILES >> 20} MiB"
                    raise FileProblem(f"With this file, the module's expressions read more than {limit} of files.")
            self._contents[name] = content
            self._size += len(content)
        return self._contents[name]

    def exists(self, path: str) -> bool:
        """Whether there is such a file. Raises FileProblem, also for a folder of that name."""
        name = self._name(path)
        if name not in self._existing:
            with _Remembered(self._problems, "exists", name):
                self._existing[name] = self._files.exists(name)
        return self._existing[name]

    def glob(self, folder: str, pattern: str) -> Sequence[str]:
        """The files below a folder that match a pattern, relative to it and sorted. Raises FileProblem.

        `*` and `?` stand for characters of one name, `[...]` for one of several characters, `**` for any number of
        folders, `{a,b}` for one of several texts. None of them stands for a dot at the start of a name.
        """
        name = _normal(folder)
        known = self._matches.setdefault(name, {})
        if pattern not in known:
            with _Remembered(self._problems, "glob", name, pattern):
                known[pattern] = self._files.glob(name, pattern)
        return known[pattern]


class _Remembered:
    """Raises a FileProblem again if the same question had it before."""

    def __init__(self, problems: dict[tuple[str, ...], FileProblem], *question: str) -> None:
        self._problems = problems
        self._question = question

    def __enter__(self) -> None:
        if self._question in self._problems:
            raise self._problems[self._question]

    def __exit__(self, _: object, problem: BaseException | None, __: object) -> None:
        if isinstance(problem, FileProblem):
            self._problems[self._question] = problem


def _normal(path: str) -> str:
    """The one way to write a path, `.` for the folder itself. Raises FileProblem where it leads out of the folder."""
    if "\0" in path:
        raise FileProblem("A path cannot hold a NUL.")
    if path.startswith("/"):
        raise FileProblem(
            "This is an absolute path. Paths are relative to the module's folder, so that they mean the same on every "
            "machine."
        )
    if path == "~" or path.startswith("~/"):
        raise FileProblem("The home folder (~) is not expanded: paths are relative to the module's folder.")
    normal = posixpath.normpath(path) if path else "."
    if normal == ".." or normal.startswith("../"):
        raise FileProblem("This path leads out of the module's folder. Only files in it can be read.")
    return normal


class _Disk:
    """Files of a folder on disk."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._visited = 0

    def _place(self, path: str) -> Path:
        """The real place of a path. Raises FileProblem where a link on the way leads out of the folder."""
        root = self._root.resolve()
        try:
            place = (root / path).resolve()
        except (OSError, RuntimeError):  # a loop of links
            raise FileProblem("The symbolic links on the way to this file lead nowhere.") from None
        if place != root and root not in place.parents:
            raise FileProblem("A symbolic link on the way to this file leads out of the module's folder.")
        return place

    def read(self, path: str) -> bytes:
        place = self._place(path)
        try:
            # Opening a named pipe would wait for its writer.
            handle = os.open(place, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
        except OSError as problem:
            raise self._unreadable(path, problem) from None
        try:
            status = os.fstat(handle)
            if stat.S_ISDIR(status.st_mode):
                raise FileProblem(_FOLDER)
            if not stat.S_ISREG(status.st_mode):
                raise FileProblem("This is not a plain file.")
            with open(handle, "rb", closefd=False) as stream:
                content = stream.read(MAX_FILE + 1)
        except OSError as problem:
            raise self._unreadable(path, problem) from None
        finally:
            os.close(handle)
        if len(content) > MAX_FILE:
            size = f"{status.st_size / (1 << 20):.1f} MiB"
            raise FileProblem(
                f"The file has {size}; an expression can read files of up to {MAX_FILE >> 20} MiB. "
                "Large data is for a datasource, or for the files of a step."
            )
        return content

    def _unreadable(self, path: str, problem: OSError) -> FileProblem:
        if problem.errno in (errno.ENOENT, errno.ENOTDIR):
            return FileProblem("There is no such file in the module's folder.", self._nearest(path))
        return FileProblem(f"The file cannot be read: {problem.strerror}.")

    def _nearest(self, path: str) -> str:
        """A file of the same folder, or of a folder with nearly the same name, that may have been meant."""
        folder = posixpath.dirname(path)
        try:
            with os.scandir(self._place(folder or ".")) as entries:
                names = [posixpath.join(folder, entry.name) for entry, _ in zip(entries, range(1000), strict=False)]
        except (OSError, FileProblem):
            return self._nearest(folder) if folder else ""
        return did_you_mean(path, names)

    def exists(self, path: str) -> bool:
        place = self._place(path)
        try:
            mode = place.stat().st_mode
        except OSError as problem:
            if problem.errno in (errno.ENOENT, errno.ENOTDIR):
                return False
            raise FileProblem(f"It cannot be looked for: {problem.strerror}.") from None
        if stat.S_ISDIR(mode):
            raise FileProblem(_FOLDER)
        if not stat.S_ISREG(mode):
            raise FileProblem("This is not a plain file.")
        return True

    def glob(self, folder: str, pattern: str) -> tuple[str, ...]:
        self._visited = 0
        found: set[str] = set()
        for alternative in _alternatives(pattern):
            normal = _normal(alternative)
            parts = normal.split("/")
            for name in self._matching(folder, parts):
                found.add(posixpath.relpath(name, folder))
        return tuple(sorted(found))

    def _matching(self, folder: str, parts: Sequence[str]) -> Iterator[str]:
        """The files below a folder whose names match the parts of a pattern, one after the other."""
        part, rest = parts[0], parts[1:]
        if part == "**":
            if rest:
                yield from self._matching(folder, rest)
            for name, kind in self._entries(folder):
                if kind == "folder" and not name.startswith("."):
                    yield from self._matching(posixpath.join(folder, name), parts)
                elif not rest and not name.startswith("."):
                    yield from self._file(posixpath.join(folder, name), kind)
            return
        if not _is_wild(part):
            name = posixpath.join(folder, part)
            yield from self._matching(name, rest) if rest else self._file(name, "")
            return
        matches = re.compile(fnmatch.translate(part)).match
        for name, kind in self._entries(folder):
            if not matches(name) or (name.startswith(".") and not part.startswith(".")):
                continue
            path = posixpath.join(folder, name)
            if not rest:
                yield from self._file(path, kind)
            elif kind in ("folder", "link"):
                yield from self._matching(path, rest)

    def _entries(self, folder: str) -> list[tuple[str, str]]:
        """The names in a folder, each with whether it is a `file`, a `folder`, a `link` or something else."""
        found: list[tuple[str, str]] = []
        try:
            with os.scandir(self._place(folder)) as entries:
                for entry in entries:
                    self._visited += 1
                    if self._visited > MAX_VISITED:
                        raise FileProblem(f"The pattern looks at more than {MAX_VISITED} files and folders.")
                    found.append((entry.name, _kind(entry)))
        except OSError as problem:
            if problem.errno in (errno.ENOENT, errno.ENOTDIR):
                return []
            raise FileProblem(f"A folder cannot be read: {problem.strerror}.", f" It is {folder}.") from None
        return sorted(found)

    def _file(self, path: str, kind: str) -> Iterator[str]:
        """The path, if it is that of a plain file; a file that was listed as one needs no second look."""
        try:
            if kind == "file" or (kind in ("", "link") and stat.S_ISREG(self._place(path).stat().st_mode)):
                yield posixpath.normpath(path)
        except OSError:
            return


def _kind(entry: os.DirEntry[str]) -> str:
    if entry.is_symlink():
        return "link"
    return "folder" if entry.is_dir() else "file" if entry.is_file() else "other"


def _is_wild(part: str) -> bool:
    return any(sign in part for sign in "*?[")


def _alternatives(pattern: str) -> list[str]:
    """The patterns that one with {a,b} stands for, with [^...] written as [!...]."""
    waiting, done = [pattern], []
    while waiting:
        current = waiting.pop()
        innermost = re.search(r"\{([^{}]*)\}", current)
        if innermost is None:
            done.append(re.sub(r"\[\^", "[!", current))
        else:
            before, after = current[: innermost.start()], current[innermost.end() :]
            waiting += [before + choice + after for choice in innermost[1].split(",")]
        if len(waiting) + len(done) > MAX_ALTERNATIVES:
            raise FileProblem(f"The pattern stands for more than {MAX_ALTERNATIVES} patterns.")
    return done
