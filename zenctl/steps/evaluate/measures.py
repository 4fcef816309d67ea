"""Accumulates what a model gets right, batch by batch, and turns it into metrics."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Token = str | int

Floats = npt.NDArray[np.float32]


class Measures(Protocol):
    """Counts over rows. `truth` and `predicted` are aligned, [rows] first."""

    def add(self, truth: npt.NDArray[Any], predicted: Floats) -> None:
        """Take more rows."""
        ...

    def metrics(self, *, full: bool = True) -> dict[str, Any]:
        """Plain JSON; `full` adds what is too much for a slice. There must be at least one row."""
        ...


class Classification:
    """Accuracy, loss and the confusion matrix.

    `classes` are those the model knows, `unknown` are labels of the data that it does not know: rows of these are
    wrong whatever is predicted, and have no loss. Truth is an index into `classes + unknown`.
    """

    def __init__(self, classes: Sequence[Token], unknown: Sequence[Token] = ()) -> None:
        self.known = len(classes)
        self.labels = [str(label) for label in (*classes, *unknown)]
        self.confusion = np.zeros((len(self.labels), self.known), dtype=np.int64)
        self.loss = 0.0

    def add(self, truth: npt.NDArray[Any], predicted: Floats) -> None:
        """truth int64 [rows], predicted probabilities [rows, classes]."""
        chosen = predicted.argmax(axis=1)
        np.add.at(self.confusion, (truth, chosen), 1)
        known = truth < self.known
        right = predicted[known, truth[known]].astype(np.float64)
        # float32 probabilities reach 0, whose logarithm would make the loss infinite.
        self.loss += float(-np.log(np.maximum(right, 1e-7)).sum())

    def metrics(self, *, full: bool = True) -> dict[str, Any]:
        rows = int(self.confusion.sum())
        hits = self.confusion.diagonal()
        metrics: dict[str, Any] = {"rows": rows, "accuracy": int(hits.sum()) / rows}
        known = int(self.confusion[: self.known].sum())
        if known:
            metrics["loss"] = self.loss / known
        if not full:
            return metrics
        predicted = self.confusion.sum(axis=0)
        classes = {}
        for index, label in enumerate(self.labels):
            hit = int(hits[index]) if index < self.known else 0
            actual = int(self.confusion[index].sum())
            claimed = int(predicted[index]) if index < self.known else 0
            classes[label] = {
                "rows": actual,
                "precision": hit / claimed if claimed else 0.0,
                "recall": hit / actual if actual else 0.0,
                "f1": 2 * hit / (claimed + actual) if claimed + actual else 0.0,
            }
        metrics["classes"] = classes
        metrics["confusion"] = {
            actual: {self.labels[j]: int(self.confusion[i, j]) for j in range(self.known)}
            for i, actual in enumerate(self.labels)
        }
        return metrics


class Regression:
    """Root mean squared error, mean absolute error, and the share of variance explained."""

    def __init__(self) -> None:
        self.rows = 0
        self.mean = 0.0
        self.spread = 0.0  # sum of squared differences from the mean
        self.squares = 0.0
        self.absolute = 0.0

    def add(self, truth: npt.NDArray[Any], predicted: Floats) -> None:
        """truth and predicted numbers, [rows] each."""
        if not len(truth):
            return
        exact = truth.astype(np.float64)
        error = predicted.astype(np.float64) - exact
        self.squares += float((error**2).sum())
        self.absolute += float(np.abs(error).sum())
        mean, rows = float(exact.mean()), self.rows + len(exact)
        shift = mean - self.mean
        self.spread += float(((exact - mean) ** 2).sum()) + shift**2 * self.rows * len(exact) / rows
        self.mean += shift * len(exact) / rows
        self.rows = rows

    def metrics(self, *, full: bool = True) -> dict[str, Any]:
        mse = self.squares / self.rows
        metrics = {"rows": self.rows, "loss": mse, "rmse": math.sqrt(mse), "mae": self.absolute / self.rows}
        # Without any spread there is nothing to explain, and r2 is not defined.
        if full and self.spread > 0:
            metrics["r2"] = 1 - self.squares / self.spread
        return metrics
