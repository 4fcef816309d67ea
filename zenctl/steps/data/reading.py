"""Opens the files of sources in a job, and says what is wrong where they are not what plan saw.

All that jobs read of sources goes through `open_file`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, cast

from zenctl.digests import CHUNK
from zenctl.sdk.errors import StepError
from zenctl.steps.data.files import source_digest


def open_file(path: Path) -> BinaryIO:
    """The file, unbuffered. Raises OSError."""
    return cast(BinaryIO, open(path, "rb", buffering=0))


def read_whole(path: Path) -> bytes:
    """All bytes of a file. Raises OSError."""
    with open_file(path) as stream:
        return stream.read()


def read_stretch(path: Path, offset: int, length: int, sha256: str) -> bytes:
    """A stretch of a file. Raises StepError source_changed if it cannot be read, or has another digest."""
    try:
        with open_file(path) as stream:
            stream.seek(offset)
            pieces = []
            while length > 0 and (piece := stream.read(length)):
                pieces.append(piece)
                length -= len(piece)
    except OSError as problem:
        raise gone(path, problem) from problem
    data = b"".join(pieces)
    if hashlib.sha256(data).hexdigest() != sha256:
        raise changed(path)
    return data


def digest_stretch(path: Path, offset: int, length: int) -> str:
    """SHA-256 of a stretch of a file, or of what there is of it. Raises StepError source_changed if it is gone."""
    hasher = hashlib.sha256()
    try:
        with open_file(path) as stream:
            stream.seek(offset)
            while length > 0 and (chunk := stream.read(min(CHUNK, length))):
                hasher.update(chunk)
                length -= len(chunk)
    except OSError as problem:
        raise gone(path, problem) from problem
    return hasher.hexdigest()


def lines_before(path: Path, offset: int) -> int:
    """How many line feeds a file holds before a place. Raises StepError source_changed if it is gone."""
    count = 0
    try:
        with open_file(path) as stream:
            while offset > 0 and (chunk := stream.read(min(CHUNK, offset))):
                count += chunk.count(b"\n")
                offset -= len(chunk)
    except OSError as problem:
        raise gone(path, problem) from problem
    return count


def require(kind: str, digests: Sequence[str], locations: Mapping[str, str], expect: Mapping[str, str]) -> None:
    """Raises StepError source_changed unless files with these digests, in order, are what plan saw."""
    expected = expect.get("source")
    if expected and source_digest(kind, digests) != expected:
        raise changed(Path(", ".join(sorted(locations))))


def gone(path: Path, problem: OSError) -> StepError:
    """What is told when a file that plan saw cannot be read any more."""
    reason = (problem.strerror or type(problem).__name__).lower()
    hint = "It was there when the plan was made: plan again."
    return StepError(f"cannot read {path}: {reason}", hint, file=str(path), kind="source_changed")


def changed(path: Path) -> StepError:
    """What is told when a file's content is not what plan saw, or not what it was a moment ago."""
    message = f"{path.name} changed after the plan was made"
    return StepError(message, "Nothing was recorded. Plan again to see what changed.", kind="source_changed")
