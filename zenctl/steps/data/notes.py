"""Notes: what is known of the parts of a source from the last times, and which shards came of which parts.

A note tells, for each part by its digest, its rows, what its columns could be, its statistics, and how many bad rows
were left out; and for each shard
the parts that decided it: those that it has rows of, and the one whose first record it could not take, if it was cut
for that. Where the same parts follow each other again, the same shard comes of them, whatever stands around.

Different values of a column are counted up to a limit only, which a few parts may pass together. Such parts are kept
as a proof, and once there are enough proofs, values of further parts are not counted: the size of a note depends on
the number of parts and of different values, not on that of rows.
"""

from __future__ import annotations

import json
import zlib
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import field

from zenctl.lazy_dataclasses import dataclass
from zenctl.sdk.memory import Memory
from zenctl.sdk.snapshot import Shard
from zenctl.sdk.snapshot_statistics import Statistics, TextStatistics
from zenctl.sdk.statistics_state import from_text, to_text
from zenctl.steps.data.bad_rows import BadRow, Lost

FORMAT = 1
MAX_BYTES = 1 << 30
"""A note that unpacks to more is not read."""


@dataclass(frozen=True)
class Run:
    """A shard that came of consecutive parts, beginning with row `first` of the first of them.

    The next shard begins `steps` parts after the first one, with row `row`. `at_end`: it ends because the rows did.
    """

    parts: tuple[str, ...]
    first: int
    steps: int
    row: int
    at_end: bool
    shard: Shard


@dataclass(frozen=True)
class _Kept:
    """A part's statistics, packed small, and the text columns of which values were not counted."""

    packed: bytes
    skipped: frozenset[str]


@dataclass
class Notes:
    """What is known. Statistics, proofs and runs hold for rows in the `types` only; `kinds` and `rows` for any.

    `kinds` says by part what its columns could be, `bad` which rows of it are left out, `proofs` by column which parts
    have too many values together.
    """

    types: dict[str, str] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    kinds: dict[str, dict[str, str]] = field(default_factory=dict)
    runs: dict[tuple[str, int], list[Run]] = field(default_factory=dict)
    proofs: dict[str, list[tuple[str, ...]]] = field(default_factory=dict)
    bad: dict[str, Lost] = field(default_factory=dict)
    _statistics: dict[str, _Kept] = field(default_factory=dict)

    def add_run(self, run: Run) -> None:
        """Add a run, to be found by how it begins."""
        self.runs.setdefault((run.parts[0], run.first), []).append(run)

    def find(self, digests: Sequence[str], part: int, first: int) -> list[Run]:
        """The runs that begin with row `first` of the part, and whose parts are those that come here."""
        return [
            run
            for run in self.runs.get((digests[part], first), ())
            if tuple(digests[part : part + len(run.parts)]) == run.parts
            and run.at_end in (False, part + len(run.parts) == len(digests))
        ]

    def shards(self, digests: Sequence[str]) -> list[Shard]:
        """The shards of all runs that `find` can give of these parts."""
        firsts: dict[str, list[int]] = defaultdict(list)
        for digest, first in self.runs:
            firsts[digest].append(first)
        starts = ((part, first) for part, digest in enumerate(digests) for first in firsts.get(digest, ()))
        return list(dict.fromkeys(run.shard for start in starts for run in self.find(digests, *start)))

    def keep(self, digest: str, statistics: Statistics) -> None:
        """Keep a part's statistics."""
        texts = {name: c for name, c in statistics.columns.items() if isinstance(c, TextStatistics)}
        skipped = frozenset(name for name, column in texts.items() if column.values is None and column.skipped)
        self._statistics[digest] = _Kept(zlib.compress(to_text(statistics).encode(), 1), skipped)

    def statistics(self, digest: str) -> Statistics:
        """A part's statistics; raises KeyError if they are not known."""
        return from_text(self._text(digest))

    def skipped(self, digest: str) -> frozenset[str] | None:
        """The text columns of which a part's values were not counted; None if no statistics of it are known."""
        kept = self._statistics.get(digest)
        return kept.skipped if kept is not None else None

    def proved(self, present: Collection[str]) -> dict[str, list[tuple[str, ...]]]:
        """The proofs that hold where these parts are there, by column."""
        found = {name: [p for p in proofs if all(d in present for d in p)] for name, proofs in self.proofs.items()}
        return {name: proofs for name, proofs in found.items() if proofs}

    def pack(self, digests: Sequence[str], runs: Sequence[tuple[int, Run]]) -> bytes:
        """The note on data made of these parts, in order; each run with the number of its first part."""
        order = list(dict.fromkeys(digests))
        number = {digest: at for at, digest in enumerate(order)}
        data = {
            "format": FORMAT,
            "types": self.types,
            "parts": [
                {
                    "digest": d,
                    "rows": self.rows[d],
                    "kinds": self.kinds.get(d, {}),
                    "statistics": self._text(d),
                    **self._bad(d),
                }
                for d in order
            ],
            "order": [number[digest] for digest in digests],
            "proofs": {name: [[number[d] for d in proof] for proof in p] for name, p in self.proved(number).items()},
            "runs": [[at, len(r.parts), r.first, r.steps, r.row, int(r.at_end), *_shard(r.shard)] for at, r in runs],
        }
        return zlib.compress(json.dumps(data, separators=(",", ":"), ensure_ascii=False).encode("utf-8"), 6)

    def read(self, packed: bytes, types: Mapping[str, str] | None) -> None:
        """Take in a note; raises what damage leads to. See `recall`."""
        data = json.loads(_unpacked(packed))
        if data["format"] != FORMAT:
            return
        order = [str(part["digest"]) for part in data["parts"]]
        for digest, part in zip(order, data["parts"], strict=True):
            self.rows[digest] = int(part["rows"])
            self.kinds[digest] = {str(name): str(kind) for name, kind in part["kinds"].items()}
            if "bad" in part:
                rows, record, before, reason, file = part["bad"]
                self.bad[digest] = Lost(int(rows), BadRow(int(record), int(before), str(reason), file=str(file)))
        if types is None or data["types"] != dict(types):
            return
        for digest, part in zip(order, data["parts"], strict=True):
            self.keep(digest, from_text(part["statistics"]))
        for name, proofs in data["proofs"].items():
            self.proofs.setdefault(str(name), []).extend(tuple(order[at] for at in proof) for proof in proofs)
        digests = [order[at] for at in data["order"]]
        for at, length, first, steps, row, at_end, rows, size, sha256, records in data["runs"]:
            shard = Shard(int(rows), int(size), str(sha256), str(records))
            parts = tuple(digests[at : at + length])
            self.add_run(Run(parts, int(first), int(steps), int(row), bool(at_end), shard))

    def _bad(self, digest: str) -> dict[str, list[int | str]]:
        if digest not in self.bad:
            return {}
        first = self.bad[digest].first
        return {"bad": [self.bad[digest].rows, first.record, first.before, first.reason, first.file]}

    def _text(self, digest: str) -> str:
        return zlib.decompress(self._statistics[digest].packed).decode()


def recall(memory: Memory, key: str, types: Mapping[str, str] | None = None) -> Notes:
    """All that notes under the key tell. Without `types`, or of notes in other ones: of parts, rows and kinds only."""
    notes = Notes(dict(types or {}))
    # The newest comes last, so that what it tells stands.
    for packed in reversed(memory.recall(key)):
        try:
            notes.read(packed, types)
        except (zlib.error, ValueError, KeyError, TypeError, IndexError, AttributeError):
            # Damage costs time only.
            continue
    return notes


def _shard(shard: Shard) -> tuple[int, int, str, str]:
    return shard.rows, shard.bytes, shard.sha256, shard.records


def _unpacked(packed: bytes) -> bytes:
    unpacker = zlib.decompressobj()
    raw = unpacker.decompress(packed, MAX_BYTES)
    if not unpacker.eof:
        raise ValueError("a note is cut off, or too large")
    return raw
