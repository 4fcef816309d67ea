"""What is sent to a store: byte strings and local files, and stretches of them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Iterator, Union

from zenctl.jobs.storage import StorageError

TIMEOUT = 30.0
"""Seconds that a server may be silent in the midst of an exchange, unless it is set otherwise.

Half of what a call is repeated for (`retrying.PATIENCE`): one whose answer got lost is made again.
"""

REACH = "Check the network, and the endpoint that is configured."
"""What to do about a server that does not answer."""

BLOCK = 1 << 18
"""Bytes sent at a time."""

Source = Union[bytes, Path]


class Slice:
    """A stretch of bytes to send: of a byte string, or of a local file, which is read as it is sent."""

    __slots__ = ("length", "source", "start")

    def __init__(self, source: Source, start: int, length: int) -> None:
        self.source = source
        self.start = start
        self.length = length

    def blocks(self) -> Iterator[bytes]:
        """Its bytes in order; StorageError(INVALID) if the file has become shorter, or cannot be read."""
        if isinstance(self.source, bytes):
            yield self.source[self.start : self.start + self.length]
            return
        left, file = self.length, self.source
        try:
            with open(file, "rb", buffering=0) as stream:
                stream.seek(self.start)
                while left:
                    block = stream.read(min(BLOCK, left))
                    if not block:
                        raise StorageError("INVALID", f"{file.name} was cut short while it was stored")
                    left -= len(block)
                    yield block
        except OSError as error:
            # Not to be taken for an error of the connection that it is sent by.
            raise StorageError("INVALID", f"{file.name} cannot be read: {error.strerror or error}") from error


def size_of(source: Source) -> int:
    """How many bytes there are to send; raises OSError for a file that is not there."""
    return len(source) if isinstance(source, bytes) else os.stat(source).st_size
