"""The backend `direct`: Beam's direct runner, pinned by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class DirectProcessing:
    """Pipelines run in the job's process.

    The name "DirectRunner" stands for one that chooses among others, which may be another one tomorrow. FnApiRunner
    fuses reading and encoding, so that a part's batches are never all in memory; BundleBasedDirectRunner is as fast,
    but keeps what each transform of a bundle made.
    """

    def options(self) -> Mapping[str, Any]:
        """Options for `PipelineOptions.from_dictionary`."""
        return {"runner": "FnApiRunner", "direct_num_workers": 1, "direct_running_mode": "in_memory"}
