"""StepError: a problem that the user is told as it stands, without a traceback."""

from __future__ import annotations


class StepError(Exception):
    """The step cannot do its work, and the message says why in the user's words.

    `hint` says what to do next; `file` and `line` point into the user's data or code where that is known. `kind` is
    one of `zenctl.jobs.result.JobError`'s kinds: `bad_data` (default), `source_changed`, ...
    """

    def __init__(self, message: str, hint: str = "", file: str = "", line: int = 0, kind: str = "bad_data") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.file = file
        self.line = line
        self.kind = kind

    def __reduce__(self) -> "tuple[type[StepError], tuple[str, str, str, int, str]]":
        # Beam and multiprocessing carry exceptions from worker to caller by pickling them.
        return type(self), (self.message, self.hint, self.file, self.line, self.kind)
