"""Lays the objects of a JSON file out as one a line: those of an array, or objects one after the other.

Line feeds between an object's values become carriage returns, which JSON takes for the same; inside of a text both are
refused by whoever reads the line. Beside the lines a file of numbers says where each object begins, so that it can be
told. Brackets and quotes are found with numpy over bytes; what is between them is not looked at.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from zenctl.lazy_dataclasses import dataclass
from zenctl.steps.csv.counting import BYTE_ORDER_MARK
from zenctl.steps.data.bad_rows import MAX_ROW
from zenctl.steps.data.problems import FileProblem
from zenctl.steps.data.reading import open_file

if TYPE_CHECKING:
    from numpy.typing import NDArray

_READ = 4 << 20
_BACKSLASH, _QUOTE, _LF = 92, 34, b"\n"
_STEPS = np.zeros(256, dtype=np.int8)
_STEPS[[ord("{"), ord("[")]] = 1
_STEPS[[ord("}"), ord("]")]] = -1
"""How much deeper it is after a byte."""
_TOKEN = re.compile(rb'\s*(,|"(?:[^"\\]|\\.)*"|[^,\s"]+|")')
_HINT = "Write one array of objects: [{...}, {...}]."


@dataclass(frozen=True)
class Elements:
    """A file whose objects are laid out as lines: the file, and the lines of it on which they begin (8 bytes each)."""

    source: Path
    places: Path

    def line(self, number: int) -> int:
        """The line on which an object begins, which counts from 0."""
        with open_file(self.places) as stream:
            stream.seek(8 * number)
            return int.from_bytes(stream.read(8), "little")


def lay_out(path: Path, lines: Path, places: Path) -> tuple[Elements, str]:
    """Write both files; gives them, and the SHA-256 of what was read. Raises OSError, and FileProblem for no JSON."""
    hasher = hashlib.sha256()
    with open_file(path) as stream, open(lines, "wb") as text, open(places, "wb") as numbers:
        layout = _Layout(text, numbers)
        first = True
        while chunk := stream.read(_READ):
            hasher.update(chunk)
            layout.add(chunk.removeprefix(BYTE_ORDER_MARK) if first else chunk)
            first = False
        layout.finish()
    return Elements(path, places), hasher.hexdigest()


class _Layout:
    """Takes a file's bytes in order, and writes its objects as they end."""

    def __init__(self, lines: BinaryIO, places: BinaryIO) -> None:
        self._lines = lines
        self._places = places
        self._held = b""
        """What is not written yet, from the end of the last object on."""
        self._scanned = 0
        """How much of it was looked at for brackets."""
        self._opened: int | None = None
        """Where the object in it begins that has no end yet."""
        self._quoted = False
        self._depth = 0
        self._base: int | None = None
        """The depth between objects: 1 in an array, 0 elsewhere, None as long as nothing is known."""
        self._count = 0
        self._line = 1
        """Of the first byte that is held."""
        self._after_value = False
        self._closed = False

    def add(self, chunk: bytes) -> None:
        """Take the next bytes. Raises FileProblem."""
        self._held += chunk
        if self._closed or (self._base is None and not self._begin()):
            return
        # What follows a backslash at the end decides whether that escapes it.
        end = max(len(self._held.rstrip(b"\\")), self._scanned)
        found, depths = self._brackets(self._held[self._scanned : end])
        self._write(found + self._scanned, depths, end)
        if len(self._held) > MAX_ROW:
            raise FileProblem(f"element {self._count + 1:,} is larger than {MAX_ROW:,} bytes", _HINT, self._line)

    def finish(self) -> None:
        """All bytes were taken. Raises FileProblem where something is missing."""
        if self._base is None:
            raise FileProblem("the file is empty", "Check what should have written it.")
        if self._quoted or self._opened is not None or (self._base == 1 and not self._closed):
            what = f"it is cut off in element {self._count + 1:,}"
            raise FileProblem(what, "Check what should have written it, or copy it anew.", self._line)
        if self._closed and self._held.strip():
            raise FileProblem("something follows the array", _HINT, self._line)
        self._between(self._held)

    def _begin(self) -> bool:
        """Find out whether this is an array."""
        body = self._held.lstrip()
        if not body:
            return False
        self._base = self._depth = int(body.startswith(b"["))
        self._drop(len(self._held) - len(body) + self._base)
        self._scanned = 0
        return True

    def _brackets(self, data: bytes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Where brackets stand outside of texts, and the depth after each. Texts that are open go on."""
        raw = np.frombuffer(data, dtype=np.uint8)
        quotes = np.flatnonzero(raw == _QUOTE)
        if b'\\"' in data:
            quotes = quotes[~_escaped(raw, quotes)]
        steps = _STEPS[raw]
        found = np.flatnonzero(steps)
        found = found[(np.searchsorted(quotes, found) + self._quoted) % 2 == 0]
        depths = self._depth + np.cumsum(steps[found], dtype=np.int64)
        self._quoted = bool((len(quotes) + self._quoted) % 2)
        self._depth = int(depths[-1]) if len(depths) else self._depth
        return found, depths

    def _write(self, found: NDArray[np.int64], depths: NDArray[np.int64], scanned: int) -> None:
        """Write the objects that end at these brackets; what follows the last of them stays held."""
        base = self._base or 0
        below = np.flatnonzero(depths < base)
        closing = int(found[below[0]]) if len(below) else -1
        if len(below):
            found, depths = found[: below[0]], depths[: below[0]]
        steps = _STEPS[np.frombuffer(self._held, dtype=np.uint8)[found]]
        begins = found[(steps > 0) & (depths == base + 1)].tolist()
        begins = begins if self._opened is None else [self._opened, *begins]
        ends = found[(steps < 0) & (depths == base)].tolist()
        self._opened = begins[len(ends)] if len(begins) > len(ends) else None
        done = 0
        objects: list[tuple[int, bytes]] = []
        for begin, end in zip(begins, ends, strict=False):
            gap = self._held[done:begin]
            if not (self._after_value and base and gap.strip() == b","):
                self._put(objects)
                objects = []
                self._between(gap, object_follows=True)
            self._line += gap.count(_LF)
            objects.append((self._line, self._held[begin : end + 1]))
            self._line += objects[-1][1].count(_LF)
            self._after_value = True
            done = end + 1
        self._put(objects)
        if len(below):
            self._close(done, closing)
            return
        self._held = self._held[done:]
        self._scanned = scanned - done
        self._opened = self._opened - done if self._opened is not None else None

    def _close(self, done: int, closing: int) -> None:
        """The array ends here."""
        if not self._base:
            raise FileProblem("a bracket is closed that was not opened", _HINT, self._line)
        gap = self._held[done:closing]
        self._between(gap)
        if self._count and not self._after_value:
            raise FileProblem("a comma stands before the end of the array", "Remove it.", self._line)
        self._line += gap.count(_LF)
        self._held, self._opened, self._quoted, self._closed = self._held[closing + 1 :], None, False, True

    def _between(self, gap: bytes, *, object_follows: bool = False) -> None:
        """Check what stands between objects; values there are none, and are told as rows that are bad."""
        if self._closed:
            return
        missing = FileProblem("a comma is missing between elements", _HINT, self._line)
        values = []
        for found in _TOKEN.finditer(gap):
            token = found[1]
            if token == b",":
                if not self._after_value or not self._base:
                    raise FileProblem("a comma stands where an element should be", _HINT, self._line)
                self._after_value = False
                continue
            if self._after_value and self._base:
                raise missing
            values.append((self._line + gap.count(_LF, 0, found.start(1)), token))
            self._after_value = True
        self._put(values)
        if object_follows and self._after_value and self._base:
            raise missing

    def _put(self, objects: list[tuple[int, bytes]]) -> None:
        self._lines.write(b"".join(text.replace(_LF, b"\r") + _LF for _, text in objects))
        self._places.write(np.array([line for line, _ in objects], dtype="<i8").tobytes())
        self._count += len(objects)

    def _drop(self, size: int) -> None:
        self._line += self._held.count(_LF, 0, size)
        self._held = self._held[size:]


def _escaped(raw: NDArray[np.uint8], places: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether an odd number of backslashes stands before each place."""
    others = np.maximum.accumulate(np.where(raw == _BACKSLASH, -1, np.arange(len(raw))))
    before = np.where(places > 0, others[places - 1], -1)
    return np.asarray((places - 1 - before) % 2 == 1)
