"""An output that keeps nothing of a snapshot but its statistics, for who wants to know what a source holds."""

from __future__ import annotations

import io
import json
from typing import Any

from zenctl.sdk.dataset import DatasetOutput
from zenctl.sdk.snapshot import STATISTICS_FILE
from zenctl.sdk.snapshot_statistics import Statistics
from zenctl.sdk.snapshot_writing import ShardWriter


class SurveyedOutput(DatasetOutput):
    """Takes rows as a `DatasetOutput` does, and gives the statistics that the snapshot would have. No shard is kept."""

    def keep_note(self, key: str, data: bytes) -> None:
        """Notes are of shards, and there are none."""

    def statistics(self) -> dict[str, Any]:
        """What statistics.json would say; the output is closed by it. Raises ValueError if nothing was declared."""
        self.close()
        found: dict[str, Any] = json.loads((self.path / STATISTICS_FILE).read_bytes())
        return found

    def _opened(self) -> tuple[ShardWriter, Statistics]:
        if self._shards is None or self._statistics is None:
            self._shards = _NoFiles(self.path, self._cutter)
            self._statistics = Statistics()
        return self._shards, self._statistics


class _NoFiles(ShardWriter):
    """Cuts shards where they would be cut, and writes none of them."""

    def _write(self, data: bytes, rows: int) -> None:
        if self._stream is None:
            self._stream = io.BytesIO()
        self._rows += rows
        self._bytes += len(data)
        self.total_rows += rows
