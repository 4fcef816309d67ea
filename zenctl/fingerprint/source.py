"""Reads project files from the working tree or from a commit, and never anything outside of the project."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from git import Tree as GitObject

SKIPPED = frozenset({".git", ".hg", ".svn", ".zenctl", "__pycache__", "node_modules", "site-packages"})
"""Folders that hold no source of the project."""

ENVIRONMENT = "pyvenv.cfg"
"""A file by which a folder is a virtual environment."""

LFS_POINTER = b"version https://git-lfs.github.com/spec/"


class SourceError(Exception):
    """A file of the project cannot be used. `path` names it; the message is for the user as it is."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(message)
        self.path = path


class SourceTree(Protocol):
    """The files of a project at one moment: what was read once is not read again.

    Paths are relative to the project's folder, with forward slashes; "" is the folder itself. Paths that leave the
    project, by `..` or through a symbolic link, raise SourceError.
    """

    def read(self, path: str) -> bytes | None:
        """A file's content, or None if there is no such file. SourceError if it is there and cannot be read."""
        ...

    def folder(self, path: str) -> Mapping[str, bool] | None:
        """The names in a folder, each with whether it is a folder itself; None if there is no such folder."""
        ...


def exists(tree: SourceTree, path: str) -> bool:
    """Whether a file (not a folder) stands at the path, in exactly this spelling on every file system."""
    parent, _, name = path.rpartition("/")
    names = tree.folder(parent)
    return names is not None and names.get(name) is False


def is_folder(tree: SourceTree, path: str) -> bool:
    """Whether a folder stands at the path."""
    if not path:
        return True
    parent, _, name = path.rpartition("/")
    names = tree.folder(parent)
    return names is not None and names.get(name) is True


def walk(tree: SourceTree, folder: str = "") -> Iterator[str]:
    """Every file below a folder, sorted within each one; hidden folders, virtual environments and SKIPPED left out."""
    pending = [folder]
    while pending:
        where = pending.pop()
        names = tree.folder(where) or {}
        if where and ENVIRONMENT in names:
            continue
        inside = sorted(names.items())
        for name, is_dir in reversed(inside):
            if is_dir and name not in SKIPPED and not name.startswith("."):
                pending.append(join(where, name))
        yield from (join(where, name) for name, is_dir in inside if not is_dir)


def glob(tree: SourceTree, pattern: str) -> list[str]:
    """The files that a pattern names, sorted. `*`, `?`, `[...]` stay within a name, `**` crosses folders.

    A folder that is named outright stands for everything below it. A wildcard does not match a leading dot. Raises
    SourceError for a pattern that leaves the project.
    """
    parts = clean(pattern).split("/")
    return sorted(set(_matches(tree, "", parts)))


def _matches(tree: SourceTree, folder: str, parts: list[str]) -> Iterator[str]:
    if not parts:
        yield from walk(tree, folder)
        return
    first, rest = parts[0], parts[1:]
    names = tree.folder(folder) or {}
    if first == "**":
        yield from _matches(tree, folder, rest or ["*"])
        for name, is_dir in names.items():
            if is_dir and not name.startswith(".") and name not in SKIPPED:
                yield from _matches(tree, join(folder, name), parts)
        return
    wanted = _name_pattern(first)
    for name, is_dir in names.items():
        if not wanted(name) or (is_dir and name in SKIPPED):
            continue
        if is_dir:
            if rest or name == first:
                yield from _matches(tree, join(folder, name), rest)
        elif not rest:
            yield join(folder, name)


def _name_pattern(part: str) -> Callable[[str], bool]:
    if not re.search(r"[*?\[]", part):
        return lambda name: name == part
    text = "" if part.startswith(".") else r"(?!\.)"
    for piece in re.findall(r"\[!?\]?[^\]]*\]|.", part, re.DOTALL):
        if piece == "*":
            text += ".*"
        elif piece == "?":
            text += "."
        elif len(piece) > 1:
            inside = piece[1:-1].replace("\\", r"\\").replace("[", r"\[").replace("^", r"\^")
            text += f"[^{inside[1:]}]" if inside.startswith("!") else f"[{inside}]"
        else:
            text += re.escape(piece)
    try:
        compiled = re.compile(text, re.DOTALL)
    except re.error:
        # `[z-a]` and the like: then the characters stand for themselves.
        return lambda name: name == part
    return lambda name: compiled.fullmatch(name) is not None


def join(folder: str, name: str) -> str:
    """A path below a folder, where "" is the project's own."""
    return f"{folder}/{name}" if folder else name


def clean(path: str) -> str:
    """The path without `.` parts and a trailing slash; raises SourceError if it could leave the project."""
    if path.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", path):
        raise SourceError(path, f"{path} is absolute; paths of code are relative to the configuration's folder.")
    if "\\" in path or "\0" in path:
        raise SourceError(path, f"{path!r} has a character that no path of code may have; folders end with `/`.")
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise SourceError(path, f"{path} leads out of the configuration's folder; move the file into it.")
    return "/".join(parts)


class WorkingTree:
    """The files as they lie in a folder now."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._real = os.path.realpath(root)
        self._files: dict[str, bytes | None] = {}
        self._folders: dict[str, Mapping[str, bool] | None] = {}

    def read(self, path: str) -> bytes | None:
        """See SourceTree."""
        if path not in self._files:
            self._files[path] = self._read(path)
        return self._files[path]

    def folder(self, path: str) -> Mapping[str, bool] | None:
        """See SourceTree. A link to a folder outside of the project counts as a file: reading it says what is wrong."""
        if path not in self._folders:
            self._folders[path] = self._list(path)
        return self._folders[path]

    def _place(self, path: str) -> str:
        real = os.path.realpath(os.path.join(self._real, clean(path)))
        if not self._inside(real):
            raise _outside(path, real)
        return real

    def _inside(self, real: str) -> bool:
        return real == self._real or real.startswith(os.path.join(self._real, ""))

    def _read(self, path: str) -> bytes | None:
        place = self._place(path)
        try:
            with open(place, "rb") as stream:
                return stream.read()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None
        except OSError as problem:
            raise SourceError(path, f"{path} cannot be read: {problem.strerror}.") from problem

    def _list(self, path: str) -> Mapping[str, bool] | None:
        try:
            place = self._place(path)
        except SourceError:
            return None
        found: dict[str, bool] = {}
        try:
            with os.scandir(place) as entries:
                for entry in entries:
                    folder = entry.is_dir()
                    if folder and entry.is_symlink():
                        # A link to a folder that holds it would never end.
                        real = os.path.realpath(entry.path)
                        if self._inside(place) and os.path.join(place, "").startswith(os.path.join(real, "")):
                            continue
                        folder = self._inside(real)
                    found[entry.name] = folder
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as problem:
            raise SourceError(path, f"The folder {path or '.'} cannot be read: {problem.strerror}.") from problem
        return found


class GitTree:
    """The files of a commit, read from git's objects; the working tree is not looked at.

    `repository` is a repository or a folder inside one: then that folder is the project's. `commit` is a full hash
    (`zenctl.fingerprint.git.resolve` finds it). Close it when done: GitPython keeps a `git cat-file` running.
    """

    def __init__(self, repository: Path, commit: str) -> None:
        from git import Repo

        self.commit = commit
        self._repo: Any = Repo(repository, search_parent_directories=True)
        top = self._repo.working_tree_dir
        inside = os.path.relpath(os.path.realpath(repository), os.path.realpath(top)) if top else "."
        self._base = "" if inside == "." else inside.replace(os.sep, "/")
        self._files: dict[str, bytes | None] = {}
        self._folders: dict[str, Mapping[str, bool] | None] = {}

    def close(self) -> None:
        """End the processes that GitPython keeps for reading."""
        self._repo.close()

    def read(self, path: str) -> bytes | None:
        """See SourceTree."""
        if path not in self._files:
            found = self._follow(path)
            self._files[path] = self._content(path, found) if found is not None and found.type == "blob" else None
        return self._files[path]

    def folder(self, path: str) -> Mapping[str, bool] | None:
        """See SourceTree."""
        if path not in self._folders:
            found = self._follow(path)
            is_tree = found is not None and found.type == "tree"
            self._folders[path] = {item.name: self._is_folder(path, item) for item in found} if is_tree else None
        return self._folders[path]

    def _is_folder(self, folder: str, item: Any) -> bool:
        if item.type == "blob" and item.mode == 0o120000:
            try:
                target = self._follow(join(folder, item.name))
            except SourceError:
                return False
            return target is not None and target.type == "tree"
        return bool(item.type == "tree")

    def _content(self, path: str, blob: Any) -> bytes:
        data: bytes = blob.data_stream.read()
        if data.startswith(LFS_POINTER):
            raise SourceError(path, f"{path} is kept in Git LFS: git's objects at {self.commit[:12]} do not hold it.")
        return data

    def _follow(self, path: str) -> Any:
        """The object at a path, through links inside the project; None if there is none."""
        parts = clean(path).split("/") if path else []
        done: list[str] = []
        links = 0
        found: Any = self._root()
        while parts and found is not None:
            part = parts.pop(0)
            found = _child(found, part)
            if found is None or found.type == "commit":
                return None
            if found.mode != 0o120000:
                done.append(part)
                continue
            links += 1
            target = os.path.normpath("/".join([*done, found.data_stream.read().decode("utf-8", "replace")]))
            if links > 40 or target.startswith(("/", "..")):
                raise SourceError(
                    path, f"{path} is a link to {target}, outside of the project; put a copy in its place."
                )
            parts = [p for p in target.split("/") if p != "."] + parts
            done = []
            found = self._root()
        return found

    def _root(self) -> GitObject | None:
        found: Any = self._repo.commit(self.commit).tree
        for part in filter(None, self._base.split("/")):
            found = _child(found, part)
            if found is None:
                return None
        return found  # type: ignore[no-any-return]


def _outside(path: str, target: str) -> SourceError:
    return SourceError(path, f"{path} is a link to {target}, outside of the project; put a copy in its place.")


def _child(tree: Any, name: str) -> Any:
    if tree.type != "tree":
        return None
    try:
        return tree[name]
    except KeyError:
        return None
