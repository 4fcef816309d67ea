"""Reads columns of pixels, as a transform writes them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from zenctl.sdk import StepError
from zenctl.steps.transform.state import ImageForm


def pixel_matrix(column: Any, form: ImageForm, name: str) -> npt.NDArray[np.uint8]:
    """An Arrow column of binaries -> uint8 [rows, bytes of an image]. Raises StepError where one has another size."""
    values = column.cast(pa.large_binary())
    if not len(values):
        return np.empty((0, form.size), np.uint8)
    offsets = np.frombuffer(values.buffers()[1], np.int64)[values.offset : values.offset + len(values) + 1]
    if values.null_count or (np.diff(offsets) != form.size).any():
        raise StepError(
            f'column "{name}" does not hold images of {form}',
            "Give the output of the step transform that goes with this transform, not the data before it.",
        )
    return np.frombuffer(values.buffers()[2], np.uint8, len(values) * form.size, int(offsets[0])).reshape(-1, form.size)
