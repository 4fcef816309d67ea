"""FileReader: the files that an expression may read, given by who evaluates it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class FileProblem(Exception):
    """A file cannot be had; the message is a sentence that does not hold the path. `hint` may hold other paths."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class FileReader(Protocol):
    """The files of one folder. Paths are relative to it, with slashes; what leads out of it is a FileProblem.

    What was found once stays so: a reader gives the same answer to the same question.
    """

    def read(self, path: str) -> bytes:
        """A file's content. Raises FileProblem."""
        ...

    def exists(self, path: str) -> bool:
        """Whether there is such a file. Raises FileProblem, also for a folder of that name."""
        ...

    def glob(self, folder: str, pattern: str) -> Sequence[str]:
        """The files below a folder that match a pattern, relative to it and sorted. Raises FileProblem."""
        ...

    def shown(self, path: str) -> str:
        """How messages call the file."""
        ...
