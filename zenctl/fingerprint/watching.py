"""Takes note of what is asked of a source tree, so that it can be told later whether the answers are still the same."""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import field

from zenctl.digests import sha256_bytes, sha256_json
from zenctl.fingerprint.modules import EXTENSIONS
from zenctl.fingerprint.source import ENVIRONMENT, SourceError, SourceTree
from zenctl.lazy_dataclasses import dataclass


@dataclass
class Seen:
    """What a tree answered. `files` maps paths to digests of their contents, None for one that is not there.

    `folders` maps paths to digests of what code can be found by in them (None: no such folder), `names` to what else
    was asked for by name in them: None for nothing, else whether it is a folder. `failed` says that something could not
    be read.
    """

    files: dict[str, str | None] = field(default_factory=dict)
    folders: dict[str, str | None] = field(default_factory=dict)
    names: dict[str, dict[str, bool | None]] = field(default_factory=dict)
    failed: bool = False


class WatchedTree:
    """A tree that takes note of its answers.

    Of a folder's names those of folders and code files count, and others that are asked for one by one. Who looks
    through all of a folder for files of another kind (`zenctl.fingerprint.source.glob`) has to compare what it finds.
    """

    def __init__(self, tree: SourceTree) -> None:
        self._tree = tree
        self._seen: Seen | None = None
        self._files: dict[str, str | None] = {}
        self._folders: dict[str, str | None] = {}

    @contextmanager
    def watch(self) -> Iterator[Seen]:
        """Take note of all answers in the meantime."""
        self._seen = seen = Seen()
        try:
            yield seen
        finally:
            self._seen = None

    def read(self, path: str) -> bytes | None:
        """See SourceTree."""
        try:
            data = self._tree.read(path)
        except SourceError:
            self._note_failure()
            raise
        if self._seen is not None:
            self._seen.files[path] = self._file(path)
        return data

    def folder(self, path: str) -> Mapping[str, bool] | None:
        """See SourceTree."""
        try:
            names = self._tree.folder(path)
        except SourceError:
            self._note_failure()
            raise
        if self._seen is None:
            return names
        if path not in self._seen.folders:
            self._seen.folders[path] = self._listing(path)
        return _Names(names, self._seen.names.setdefault(path, {})) if names is not None else None

    def still_gives(self, seen: Seen) -> bool:
        """Whether it would answer the same today."""
        try:
            return (
                all(self._listing(path) == digest for path, digest in seen.folders.items())
                and all(self._answers(path, asked) for path, asked in seen.names.items() if asked)
                and all(self._file(path) == digest for path, digest in seen.files.items())
            )
        except SourceError:
            return False

    def _answers(self, folder: str, asked: Mapping[str, bool | None]) -> bool:
        names = self._tree.folder(folder) or {}
        return all(names.get(name) == answer for name, answer in asked.items())

    def _file(self, path: str) -> str | None:
        if path not in self._files:
            data = self._tree.read(path)
            self._files[path] = sha256_bytes(data) if data is not None else None
        return self._files[path]

    def _listing(self, path: str) -> str | None:
        if path not in self._folders:
            names = self._tree.folder(path)
            counting = sorted(item for item in names.items() if _finds_code(*item)) if names is not None else None
            self._folders[path] = sha256_json(counting) if counting is not None else None
        return self._folders[path]

    def _note_failure(self) -> None:
        if self._seen is not None:
            self._seen.failed = True


class _Names(Mapping[str, bool]):
    """The names in a folder; those that are asked for one by one are noted."""

    def __init__(self, names: Mapping[str, bool], asked: dict[str, bool | None]) -> None:
        self._names = names
        self._asked = asked

    def __getitem__(self, name: str) -> bool:
        found = self._names.get(name)
        if not _finds_code(name, found is True):
            self._asked[name] = found
        return self._names[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def items(self) -> ItemsView[str, bool]:
        return self._names.items()


def _finds_code(name: str, is_folder: bool) -> bool:
    """Whether imports, or a walk through folders for code, may find something by a name."""
    if is_folder:
        return not name.startswith(".")
    return name.endswith((".py", *EXTENSIONS)) or name == ENVIRONMENT
