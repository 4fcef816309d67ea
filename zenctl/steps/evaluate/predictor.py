"""Calls a trained model on raw rows, through the same signature that serving uses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from zenctl.steps.train.card import ModelCard
from zenctl.steps.transform.columns import raw

CALL_ROWS = 4096
"""Rows per call of the model."""

CALL_IMAGES = 64
"""The same where rows have images, which take far more memory."""


class Predictor:
    """A loaded SavedModel with its card."""

    def __init__(self, folder: Path, card: ModelCard) -> None:
        self.card = card
        # The signature's function does not keep the variables it reads alive; the loaded object does.
        self._loaded = tf.saved_model.load(str(folder))
        self._call = self._loaded.signatures["serving_default"]

    def scores(self, batch: Any, where: str) -> npt.NDArray[np.float32]:
        """For a record batch of raw features: probabilities [rows, classes], or predictions [rows].

        Raises StepError for a feature that is not in the batch, or not of its type; `where` names the dataset.
        """
        columns = {f.name: raw(batch, f.name, f.type, where) for f in self.card.features}
        wanted = "scores" if self.card.task == "classification" else "prediction"
        parts = []
        size = CALL_IMAGES if any(f.type == "bytes" for f in self.card.features) else CALL_ROWS
        for start in range(0, batch.num_rows, size):
            rows = {name: tf.constant(values[start : start + size]) for name, values in columns.items()}
            parts.append(self._call(**rows)[wanted].numpy())
        result: npt.NDArray[np.float32] = np.concatenate(parts)
        return result
