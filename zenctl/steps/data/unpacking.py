"""Reads files in the clear: as they are, or unpacked if they begin as gzip or Zstandard do. Standard library only.

Whatever a file is packed with, its content is what counts: its digest, its rows and the numbers of its lines. Memory is
bounded, also for what packs far more than it seems to. (`zstandard` is imported once such a file is there.)
"""

from __future__ import annotations

import errno
import shutil
import sys
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from zenctl.digests import CHUNK
from zenctl.sdk.errors import StepError
from zenctl.steps.data.problems import FileProblem
from zenctl.steps.data.reading import changed, gone, open_file

if TYPE_CHECKING:
    from zenctl.sdk import Job

GZIP = b"\x1f\x8b\x08"
ZSTANDARD = b"\x28\xb5\x2f\xfd"
ENDINGS = ("", ".gz", ".zst")
"""What names of files may end with besides."""
MARGIN = 256 << 20
"""Bytes of the disk that are left free."""
_SKIPPED = bytes([0x2A, 0x4D, 0x18])
"""How a frame of Zstandard that holds no data goes on after its first byte, which is 0x50 to 0x5F."""
_READ = 64 << 10
_READ_ZSTANDARD = 2 << 10
"""Bytes that are unpacked at a time: three may be 128 KiB."""
_STEP = 4 << 20
_HINT = "Check what should have written it, or copy it anew."


def patterns(*names: str) -> tuple[str, ...]:
    """Patterns of files' names, and the same packed."""
    return tuple(f"{name}{ending}" for name in names for ending in ENDINGS)


def packing(head: bytes) -> str:
    """What a file that begins so is packed with: gzip, Zstandard, or "" for nothing."""
    if head.startswith(GZIP):
        return "gzip"
    skipped = head[:1] and head[0] >> 4 == 5 and head[1:4] == _SKIPPED
    return "Zstandard" if skipped or head.startswith(ZSTANDARD) else ""


@contextmanager
def clear_file(path: Path) -> Iterator[ClearFile]:
    """The file's content. Raises OSError; reading, also FileProblem for damage."""
    with open_file(path) as raw:
        kind = packing(raw.read(len(ZSTANDARD)))
        raw.seek(0)
        yield ClearFile(raw, kind)


def clear_head(path: Path, size: int) -> bytes:
    """The first bytes of a file's content. Raises OSError and FileProblem."""
    with clear_file(path) as stream:
        return stream.read(size)


def clear_bytes(path: Path) -> bytes:
    """All of a file's content. Raises OSError and FileProblem."""
    with clear_file(path) as stream:
        return b"".join(stream.chunks())


class ClearFile:
    """What is in a file, in order. `kind` says what it is packed with."""

    def __init__(self, raw: BinaryIO, kind: str) -> None:
        self.kind = kind
        self._raw = raw
        self._chunks = self._unpacked() if kind else iter(lambda: raw.read(CHUNK), b"")
        self._held = b""

    def chunks(self) -> Iterator[bytes]:
        """All that is left. Raises OSError and FileProblem."""
        if self._held:
            held, self._held = self._held, b""
            yield held
        yield from self._chunks

    def read(self, size: int) -> bytes:
        """The next bytes: as many, unless the content ends. Raises OSError and FileProblem."""
        pieces = [self._held]
        have = len(self._held)
        while have < size and (chunk := next(self._chunks, b"")):
            pieces.append(chunk)
            have += len(chunk)
        data = b"".join(pieces)
        self._held = data[size:]
        return data[:size]

    def _unpacked(self) -> Iterator[bytes]:
        gzip = self.kind == "gzip"
        begin, size = (_Gzip, _READ) if gzip else (_zstandard(), _READ_ZSTANDARD)
        unpacker: Any = begin()
        data = self._raw.read(size)
        try:
            while data:
                yield from unpacker.unpack(data)
                if not unpacker.ended:
                    data = self._raw.read(size)
                    continue
                # Files may be several, one after the other; gzip's may be filled up with zeros.
                data = unpacker.rest or self._raw.read(size)
                while gzip and data and not data.strip(b"\0"):
                    data = self._raw.read(size)
                while data and len(data) < len(ZSTANDARD) and (more := self._raw.read(len(ZSTANDARD))):
                    data += more
                if data and packing(data) != self.kind:
                    raise FileProblem(f"something that is no {self.kind} follows its {self.kind} data", _HINT)
                unpacker = begin() if data else unpacker
        except (zlib.error, _damage()) as problem:
            raise FileProblem(f"its {self.kind} data is damaged: {problem}", _HINT) from problem
        if not unpacker.ended:
            raise FileProblem(f"its {self.kind} data is cut off", _HINT)


class _Gzip:
    """Unpacks one member."""

    def __init__(self) -> None:
        self._unpacker = zlib.decompressobj(31)

    @property
    def ended(self) -> bool:
        return self._unpacker.eof

    @property
    def rest(self) -> bytes:
        return self._unpacker.unused_data

    def unpack(self, data: bytes) -> Iterator[bytes]:
        """What these bytes hold, in pieces."""
        while data and not self._unpacker.eof:
            piece = self._unpacker.decompress(data, _STEP)
            data = self._unpacker.unconsumed_tail
            if piece:
                yield piece


def _zstandard() -> Any:
    """What unpacks one frame. Raises FileProblem if the library is not there."""
    try:
        import zstandard
    except ModuleNotFoundError as problem:
        hint = "Install it with zenctl[zstd], or unpack the file: zstd -d."
        raise FileProblem("the package zstandard is not installed", hint, code="source_library") from problem

    class Frame:
        def __init__(self) -> None:
            self._unpacker = zstandard.ZstdDecompressor().decompressobj()

        @property
        def ended(self) -> bool:
            return bool(self._unpacker.eof)

        @property
        def rest(self) -> bytes:
            return bytes(self._unpacker.unused_data)

        def unpack(self, data: bytes) -> Iterator[bytes]:
            piece = self._unpacker.decompress(data)
            if piece:
                yield piece

    return Frame


def _damage() -> type[Exception]:
    """What zstandard raises, if it is loaded."""
    found = sys.modules.get("zstandard")
    return cast("type[Exception]", found.ZstdError) if found is not None else zlib.error


@contextmanager
def in_the_clear(job: Job) -> Iterator[Job]:
    """The job, with unpacked copies in its scratch folder in place of the files that are packed.

    Errors name the files themselves. Raises StepError: source_changed for a file that plan could unpack, bad_data for
    others that are damaged, and for what has more in it than there is room for.
    """
    locations = dict(job.locations)
    with tempfile.TemporaryDirectory(prefix="clear-", dir=job.scratch.absolute()) as folder:
        for number, (name, location) in enumerate(sorted(locations.items())):
            path = Path(location)
            try:
                with open_file(path) as raw:
                    packed = bool(packing(raw.read(len(ZSTANDARD))))
            except OSError as problem:
                raise gone(path, problem) from problem
            if packed:
                target = Path(folder, str(number), path.name)
                target.parent.mkdir()
                _unpack(path, target, planned=bool(job.expect.get("source")))
                locations[name] = str(target)
        try:
            yield replace(job, locations=locations) if locations != job.locations else job
        except StepError as problem:
            if not problem.file.startswith(folder):
                raise
            # No line of the packed file can be shown; the message has the number of the line in it.
            raise StepError(problem.message, problem.hint, kind=problem.kind) from problem


def _unpack(path: Path, target: Path, *, planned: bool) -> None:
    written, checked = 0, 0
    try:
        with clear_file(path) as stream, open(target, "wb") as file:
            for chunk in stream.chunks():
                if written >= checked:
                    checked = written + (64 << 20)
                    if shutil.disk_usage(target.parent).free < MARGIN:
                        message = f"{path.name} unpacks to {written:,} bytes or more: no room for that where jobs work"
                        raise StepError(message, "Free disk space there, or check what has written the file.")
                file.write(chunk)
                written += len(chunk)
    except FileProblem as problem:
        if planned:
            raise changed(path) from problem
        raise StepError(f"{path.name}: {problem.message}", problem.hint) from problem
    except OSError as problem:
        if problem.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise gone(path, problem) from problem
