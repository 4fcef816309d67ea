"""Reads the metrics of results, and knows of the usual ones whether more or less is better. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from zenctl.metadata.records import Recorded

HIGHER = (
    "accuracy", "acc", "precision", "recall", "f1", "f2", "fbeta", "auc", "auroc", "auprc", "roc auc", "pr auc",
    "average precision", "map", "ndcg", "mrr", "hit rate", "hits", "r2", "explained variance", "iou", "dice", "jaccard",
    "bleu", "rouge", "meteor", "mcc", "matthews", "kappa", "sensitivity", "specificity", "tpr", "tnr",
    "true positive rate", "true negative rate", "log likelihood", "likelihood", "silhouette", "coverage", "lift",
    "gain", "throughput", "psnr", "ssim", "correlation", "pearson", "spearman", "cosine similarity", "score",
)  # fmt: skip
"""Names, or their last words, of metrics of which more is better."""

LOWER = (
    "loss", "error", "mae", "mse", "rmse", "mape", "smape", "msle", "rmsle", "mean absolute error",
    "mean squared error", "crossentropy", "cross entropy", "log loss", "logloss", "nll", "negative log likelihood",
    "perplexity", "ppl", "brier", "brier score", "hinge", "huber", "divergence", "kl", "wer", "cer", "fid", "fpr",
    "fnr", "eer", "ece", "false positive rate", "false negative rate", "false positives", "false negatives",
    "deviance", "residual", "distance", "bias", "regret", "latency", "seconds", "duration", "aic", "bic",
)  # fmt: skip
"""The same where less is better."""

_WORDS = re.compile(r"[^a-z0-9]+")
_CAPITALS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def direction(name: str) -> str:
    """`max`, `min`, or "" where the name does not tell: `val_loss` and `rmse_per_row` are `min`, `rows` is "".

    The longest known name in it decides; of two that are as long the later one, as in `accuracy_loss`.
    """
    words = [word for word in _WORDS.split(_CAPITALS.sub("_", name).lower()) if word]
    best = (0, -1, "")
    for way, names in (("max", HIGHER), ("min", LOWER)):
        for known in names:
            parts = known.split()
            for at in range(len(words) - len(parts) + 1):
                if words[at : at + len(parts)] == parts:
                    best = max(best, (len(parts), at, way))
    return best[2]


def metrics_of(recorded: Recorded) -> dict[str, Any]:
    """The plain values of a result's Metrics by name, and what its function returned, if that is plain.

    Where there are several Metrics, names begin with the output's.
    """
    outputs = recorded.outputs.items()
    metrics = {name: _plain(artifact.properties) for name, artifact in outputs if artifact.type == "Metrics"}
    returned = {name: _plain(artifact.properties) for name, artifact in outputs if name not in metrics}
    found = {name: values["value"] for name, values in returned.items() if "value" in values}
    for name, values in metrics.items():
        found |= values if len(metrics) == 1 else {f"{name}.{key}": value for key, value in values.items()}
    return found


def _plain(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in properties.items() if isinstance(value, (str, int, float, bool))}


def best(values: Mapping[int, Any], way: str) -> frozenset[int]:
    """Which of the values are best; none where fewer than two can be compared, or all are equal."""
    numbers = {key: value for key, value in values.items() if is_number(value)}
    if not way or len(set(numbers.values())) < 2:
        return frozenset()
    wanted = max(numbers.values()) if way == "max" else min(numbers.values())
    return frozenset(key for key, value in numbers.items() if value == wanted)


def is_number(value: Any) -> bool:
    """Whether a value is a finite number; true and false are none."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def names_of(metrics: Iterable[Mapping[str, Any]]) -> list[str]:
    """The names in the order in which they first occur."""
    return list(dict.fromkeys(name for values in metrics for name in values))
