"""Reads a stretch of a file in blocks of whole lines, in bounded memory however long a line is."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from zenctl.steps.data.bad_rows import CUT, MAX_ROW, MAX_TEXT
from zenctl.steps.data.reading import changed, gone, open_file

if TYPE_CHECKING:
    from zenctl.steps.csv.cutting import Span

BLOCK_BYTES = 16 << 20


def blocks(path: Path, span: Span) -> Iterator[bytes]:
    """A span in blocks of whole lines. Raises StepError source_changed if it is not the same any more, at its end.

    Of a line that is longer than MAX_ROW there is the beginning only, and CUT after it.
    """
    hasher, left = hashlib.sha256(), span.length
    held: list[bytes] = []
    size = 0
    """Of the line that is open; more than MAX_ROW says that it is cut."""
    try:
        with open_file(path) as stream:
            stream.seek(span.offset)
            while left > 0 and (chunk := stream.read(min(BLOCK_BYTES, left))):
                hasher.update(chunk)
                left -= len(chunk)
                line, end, rest = chunk.partition(b"\n")
                size += len(line)
                if size > MAX_ROW:
                    held = [b"".join(held)[:MAX_TEXT].removesuffix(CUT), CUT]
                else:
                    held.append(line)
                if end:
                    last = rest.rfind(b"\n") + 1
                    if left > 0:
                        yield b"".join([*held, end, rest[:last]])
                        held, size = [rest[last:]], len(rest) - last
                    else:
                        held += [end, rest]
    except OSError as problem:
        raise gone(path, problem) from problem
    if left or hasher.hexdigest() != span.sha256:
        raise changed(path)
    if any(held):
        yield b"".join(held)
