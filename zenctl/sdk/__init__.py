"""What a step's code imports: `from zenctl.sdk import Dataset, Metrics, Model, Output`.

Importing it loads the standard library only; what a Dataset needs (numpy, pyarrow) is loaded when one is used.
"""

from typing import TYPE_CHECKING, Any

from zenctl.sdk.artifacts import Artifact, Metrics, Model, Output
from zenctl.sdk.checkpoints import Checkpoints
from zenctl.sdk.errors import StepError
from zenctl.sdk.job import Job, progress, warn

if TYPE_CHECKING:
    from zenctl.sdk.dataset import Dataset

__all__ = ["Artifact", "Checkpoints", "Dataset", "Job", "Metrics", "Model", "Output", "StepError", "progress", "warn"]


def __getattr__(name: str) -> Any:
    if name == "Dataset":
        from zenctl.sdk.dataset import Dataset

        return Dataset
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
