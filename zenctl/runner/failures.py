"""Turns whatever ended a step into a JobError that speaks of the user's code only."""

from __future__ import annotations

import errno
import os
import sys
import traceback
from pathlib import Path
from typing import List, Optional, Set

import zenctl
from zenctl.jobs.artifacts import CorruptArtifact
from zenctl.jobs.causes import causes
from zenctl.jobs.resources import memory_text
from zenctl.jobs.result import JobError
from zenctl.jobs.storage import StorageError
from zenctl.jobs.wire import WireError
from zenctl.lazy_dataclasses import dataclass
from zenctl.runner.environment import distribution_of
from zenctl.runner.lifetime import Interrupted
from zenctl.sdk.errors import StepError

MESSAGE, TRACEBACK = 4_000, 60_000
"""Most characters of a message and of a traceback that are recorded; the log has the rest."""

NO_SPACE = "Free disk space where the artifacts lie, then apply again: completed steps are kept."

_OURS = os.path.dirname(os.path.abspath(zenctl.__file__)) + os.sep


@dataclass(frozen=True)
class Place:
    """Where the user's code lies: `folder` stands for the configuration's folder. `builtin`: the step is zenctl's.

    `memory` is the most that it may take, in bytes; 0 for all there is.
    """

    folder: str
    builtin: bool = False
    memory: int = 0

    def relative(self, filename: Optional[str]) -> str:
        """A file of the user's as the user knows it, or the empty string."""
        inside = filename is not None and filename.startswith(self.folder + os.sep)
        return Path(filename or "").relative_to(self.folder).as_posix() if inside else ""


def describe(error: BaseException, place: Place) -> JobError:
    """The error as the result records it."""
    if isinstance(error, Interrupted):
        return JobError(error.kind, error.message)
    if isinstance(error, KeyboardInterrupt):
        return JobError("canceled", "it was canceled")
    if isinstance(error, StepError):
        file, line = (error.file, error.line) if error.file else _innermost(error, place)
        return JobError(error.kind, error.message, file=file, line=line, hint=error.hint)
    if isinstance(error, CorruptArtifact):
        hint = "Make it anew: zenctl apply -replace=ADDRESS, with the address of the step that wrote it."
        return JobError("input_corrupt", str(error), hint=hint)
    if isinstance(error, WireError):
        return JobError("internal", str(error))
    full = _is_full(error)
    if isinstance(error, StorageError):
        return JobError("storage", f"the {error.summary}", hint=NO_SPACE if full else error.hint)
    if full:
        return JobError("storage", _short(error), hint=NO_SPACE)
    return _raised(error, place)


def _raised(error: BaseException, place: Place) -> JobError:
    """An exception of the code that ran."""
    file, line = _innermost(error, place)
    kind = "internal" if place.builtin and not file else "user_error"
    text = _traceback(error, place)
    message, hint = _short(error), ""
    if isinstance(error, SystemExit):
        message, hint = f"the code ended itself with sys.exit({error.code!r})", "Return from the function instead."
    elif isinstance(error, MemoryError):
        message = message if _text(error) else "MemoryError: the step ran out of memory"
        hint = "Read the data in batches, or run the step on a machine with more memory."
        if place.memory:
            hint = f"It may take {memory_text(place.memory)}: read the data in batches, or raise `resources.memory`."
    elif isinstance(error, ModuleNotFoundError) and error.name:
        message, hint = _missing_module(error.name, file, place)
    return JobError(kind, _cut(message, MESSAGE), _cut(text, TRACEBACK), file, line, hint)


def _missing_module(name: str, file: str, place: Place) -> "tuple[str, str]":
    top = name.split(".")[0]
    who = file or "the step"
    folders = [place.folder, os.path.dirname(os.path.join(place.folder, file))]
    if any(os.path.isdir(os.path.join(f, top)) or os.path.isfile(os.path.join(f, f"{top}.py")) for f in folders):
        hint = "A step's folder holds what its code imports; name in `files` what it finds in other ways."
        return f"{who} imports {name}, which is not part of the step's code", hint
    version = f"Python {sys.version_info[0]}.{sys.version_info[1]}, {sys.executable}"
    hint = f"Install it for this interpreter: {sys.executable} -m pip install {distribution_of(top)}"
    return f"{who} imports {name}, which is not installed ({version})", hint


def _innermost(error: BaseException, place: Place) -> "tuple[str, int]":
    """File and line of the last frame in the user's code; for a SyntaxError the line that cannot be read."""
    if isinstance(error, SyntaxError) and place.relative(error.filename):
        return place.relative(error.filename), error.lineno or 0
    found = ("", 0)
    for frame, line in traceback.walk_tb(error.__traceback__):
        file = place.relative(frame.f_code.co_filename)
        if file:
            found = (file, line)
    return found


def _traceback(error: BaseException, place: Place) -> str:
    """Python's traceback with the user's frames; of a stretch of library frames only the last, none of zenctl's."""
    try:
        whole = traceback.TracebackException.from_exception(error)
    except RecursionError:
        return ""
    _trim(whole, place, set())
    return "".join(whole.format())


def _trim(part: traceback.TracebackException, place: Place, seen: Set[int]) -> None:
    if id(part) in seen:
        return
    seen.add(id(part))
    kept: List[traceback.FrameSummary] = []
    last_is_library = False
    for frame in part.stack:
        file = place.relative(frame.filename)
        if not file and (frame.filename.startswith("<frozen") or _is_ours(frame.filename, place)):
            continue
        if file:
            # The source line is looked up by the old name, so before the name changes.
            _ = frame.line
            frame.filename = file
        elif last_is_library:
            kept.pop()
        kept.append(frame)
        last_is_library = not file
    part.stack[:] = kept
    filename = getattr(part, "filename", None)
    if filename:
        part.filename = place.relative(filename) or filename
    for other in (part.__cause__, part.__context__, *(getattr(part, "exceptions", None) or ())):
        if other is not None:
            _trim(other, place, seen)


def _is_ours(filename: str, place: Place) -> bool:
    """Whether a frame is the runner's or the SDK's. In a built-in step the frames of the steps say what is wrong."""
    if not os.path.abspath(filename).startswith(_OURS) and "runpy" not in filename:
        return False
    return not place.builtin or not filename.startswith(os.path.join(_OURS, "steps"))


def _is_full(error: BaseException) -> bool:
    """Whether a full disk is behind it, whoever noticed it."""
    for at in causes(error):
        if isinstance(at, OSError) and at.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        if isinstance(at, StorageError) and at.kind == "NO_SPACE":
            return True
        # TensorFlow and Arrow pass on only the text of the system's error.
        if isinstance(at, Exception) and os.strerror(errno.ENOSPC) in _text(at):
            return True
    return False


def _short(error: BaseException) -> str:
    name = type(error).__qualname__
    text = error.msg if isinstance(error, SyntaxError) else _text(error)
    return f"{name}: {text}" if text else name


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as problem:  # noqa: BLE001 - the user's __str__ may raise anything
        return f"(its text cannot be made: {type(problem).__name__})"


def _cut(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    return f"{text[: most // 2]}\n  ... {len(text) - most} characters left out ...\n{text[-(most // 2) :]}"
