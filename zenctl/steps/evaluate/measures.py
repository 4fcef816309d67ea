"""Accumulates what a model gets right, batch by batch, and turns it into metrics. What is counted merges exactly."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from zenctl.steps.evaluate.sums import UNIT, ExactSum

Token = str | int

Floats = npt.NDArray[np.float32]


class Measures(Protocol):
    """Counts over rows. `truth` and `predicted` are aligned, [rows] first."""

    def add(self, truth: npt.NDArray[Any], predicted: Floats) -> None:
        """Take more rows."""
        ...

    def merge(self, other: Any) -> None:
        """Take all rows that another of the same kind has taken; the order and division of rows show nowhere."""
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
        self.loss = ExactSum()

    def add(self, truth: npt.NDArray[Any], predicted: Floats) -> None:
        """truth int64 [rows], predicted probabilities [rows, classes]."""
        chosen = predicted.argmax(axis=1)
        np.add.at(self.confusion, (truth, chosen), 1)
        known = truth < self.known
        right = predicted[known, truth[known]].astype(np.float64)
        # float32 probabilities reach 0, whose logarithm would make the loss infinite.
        self.loss.add(-np.log(np.maximum(right, 1e-7)))

    def merge(self, other: Classification) -> None:
        """See `Measures`."""
        self.confusion += other.confusion
        self.loss.merge(other.loss)

    def metrics(self, *, full: bool = True) -> dict[str, Any]:
        rows = int(self.confusion.sum())
        hits = self.confusion.diagonal()
        metrics: dict[str, Any] = {"rows": rows, "accuracy": int(hits.sum()) / rows}
        known = int(self.confusion[: self.known].sum())
        if known:
            metrics["loss"] = self.loss.over(known)
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
        self.truth = ExactSum()
        self.truths = ExactSum()
        """Of squares of the truth."""
        self.squares = ExactSum()
        self.absolute = ExactSum()

    def add(self, truth: npt.NDArray[Any], predicted: Floats) -> None:
        """truth and predicted numbers, [rows] each."""
        exact = truth.astype(np.float64)
        error = predicted.astype(np.float64) - exact
        self.rows += len(exact)
        self.truth.add(exact)
        self.truths.add_squares(exact)
        self.squares.add_squares(error)
        self.absolute.add(np.abs(error))

    def merge(self, other: Regression) -> None:
        """See `Measures`."""
        self.rows += other.rows
        self.truth.merge(other.truth)
        self.truths.merge(other.truths)
        self.squares.merge(other.squares)
        self.absolute.merge(other.absolute)

    def metrics(self, *, full: bool = True) -> dict[str, Any]:
        mse = self.squares.over(self.rows)
        metrics = {"rows": self.rows, "loss": mse, "rmse": math.sqrt(mse), "mae": self.absolute.over(self.rows)}
        # Squared differences from the mean, as a fraction: floats would lose them where the mean is far from 0.
        spread = Fraction(self.truths.total, 1 << UNIT) - Fraction(self.truth.total, 1 << UNIT) ** 2 / self.rows
        # Without any spread there is nothing to explain, and r2 is not defined.
        if full and spread > 0 and not self.truths.odd and not self.squares.odd:
            metrics["r2"] = float(1 - Fraction(self.squares.total, 1 << UNIT) / spread)
        return metrics
