"""Stretches of files with their digests, and parts made of many small files."""

from __future__ import annotations

import hashlib
from itertools import pairwise
from pathlib import Path

import numpy as np

from zenctl.digests import CHUNK
from zenctl.lazy_dataclasses import dataclass
from zenctl.steps.csv.cutting import PartSize
from zenctl.steps.data.grouping import Grouping
from zenctl.steps.data.reading import gone, open_file


@dataclass(frozen=True)
class Piece:
    """A stretch of a file, and its SHA-256."""

    name: str
    path: Path
    offset: int
    length: int
    sha256: str


def grouped(files: list[Piece], size: PartSize) -> list[tuple[Piece, ...]]:
    """Files in parts that end where their content says so."""
    if not files:
        return []
    hashes = np.array([int(piece.sha256[:8], 16) for piece in files], dtype=np.uint32)
    ends = Grouping(size).add(np.array([piece.length for piece in files], dtype=np.int64), hashes)
    bounds = sorted({0, *(end + 1 for end in ends), len(files)})
    return [tuple(files[begin:end]) for begin, end in pairwise(bounds)]


def whole_digest(path: Path) -> tuple[int, str]:
    """Bytes and SHA-256 of a file. Raises StepError source_changed if it cannot be read."""
    hasher, size = hashlib.sha256(), 0
    try:
        with open_file(path) as stream:
            while chunk := stream.read(CHUNK):
                hasher.update(chunk)
                size += len(chunk)
    except OSError as problem:
        raise gone(path, problem) from problem
    return size, hasher.hexdigest()
