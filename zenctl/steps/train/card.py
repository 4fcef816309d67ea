"""ModelCard: what a model takes and gives, as `model.json` beside the SavedModel says. Standard library only.

Servers read it for metadata and to fill in missing values; `evaluate` reads it to know the label and the task.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from zenctl.lazy_dataclasses import dataclass
from zenctl.sdk import StepError

FORMAT = 1
"""Version of model.json's form."""

MODEL_FILE = "model.json"
"""The file's name, at the root of the Model artifact."""


@dataclass(frozen=True, slots=True)
class FeatureCard:
    """One raw feature: its name, its type (`float32`, `int64`, `string`) and a value from the training rows.

    A missing value is NaN for float32, -2**63 for int64 and the empty text for string. Of type `bytes` are files of
    images, [rows] strings to TensorFlow; their example is the empty text, which stands for no image.
    """

    name: str
    type: str
    example: float | str


@dataclass(frozen=True, slots=True)
class OutputCard:
    """One output of the signature `serving_default`; `shape` without the dimension of rows."""

    name: str
    type: str
    shape: tuple[int, ...] = ()
    description: str = ""


@dataclass(frozen=True, slots=True)
class ModelCard:
    """`task` is `classification` or `regression`; `classes` are the label's values in the order of the scores."""

    task: str
    label: str
    label_type: str
    features: tuple[FeatureCard, ...]
    outputs: tuple[OutputCard, ...]
    classes: tuple[str | int, ...] = ()

    def to_json(self) -> str:
        """model.json's text: equal cards give equal texts."""
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=2, sort_keys=True, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> ModelCard:
        """Read model.json; raises ValueError if it is not one that this version reads."""
        raw: Any = json.loads(text)
        if not isinstance(raw, dict) or not isinstance(raw.get("format"), int):
            raise ValueError(f"{MODEL_FILE} has no format number")
        if raw.pop("format") > FORMAT:
            raise ValueError(f"{MODEL_FILE} has a newer format than this zenctl reads ({FORMAT})")
        try:
            features = tuple(FeatureCard(**feature) for feature in raw.pop("features"))
            outputs = tuple(OutputCard(**{**output, "shape": tuple(output["shape"])}) for output in raw.pop("outputs"))
            classes = tuple(raw.pop("classes"))
            return cls(features=features, outputs=outputs, classes=classes, **raw)
        except (KeyError, TypeError) as error:
            raise ValueError(f"{MODEL_FILE}: {error}") from error


def read_card(folder: Path) -> ModelCard:
    """The card of a Model artifact; raises StepError if it has none, as models of user code may not."""
    try:
        return ModelCard.from_json((folder / MODEL_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StepError(
            f"the model has no {MODEL_FILE}, so it is not known what it predicts",
            "Use a model of a step train; a step python can evaluate any other and log its own metrics.",
        ) from None
    except ValueError as error:
        raise StepError(str(error), "Train the model again with this version of zenctl.") from error
