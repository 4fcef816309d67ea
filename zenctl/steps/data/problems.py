"""FileProblem: why a file cannot be a source, in words for the user. Standard library only."""

from __future__ import annotations


class FileProblem(Exception):
    """A file is not of the kind that is wanted: why, what to do next, and the line (0: the whole file)."""

    def __init__(self, message: str, hint: str, line: int = 0, column: int = 0, code: str = "source_format") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.line = line
        self.column = column
        self.code = code
