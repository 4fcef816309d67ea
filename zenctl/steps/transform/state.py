"""TransformState: what a transform has learned, and its JSON form `transform.json`.

A feature is computed from raw values in one of these ways, the same wherever it is applied:

- numbers (`z_score`, `min_max`, `robust`, `identity`, `log`): float32 `(x - shift) / scale`, computed in float64, where
  x is a float32, `fill` if it is not finite; of `log`, x is first replaced by sign(x) ln(1 + |x|);
- buckets (`bucketise`): int64, 1 + how many `boundaries` are not above the float32 x; 0 if it is missing and has no
  `fill`;
- indices (`one_hot`, `vocabulary`): int64, 1 + position in `vocabulary`; for a value that is not in it 0, or, with
  `buckets`, 1 + the vocabulary's size + the value's hash; a missing value is `fill` if given, else its type's marker
  (`MISSING`), which may itself be in the vocabulary;
- hashes (`hash`): int64, 1 + the value's hash below `buckets` (`zenctl.steps.data.hashing.token_hashes`);
- terms (`n_grams`, `tf_idf`): float32, a column for each term of the vocabulary: how often it is in the text; of
  `tf_idf` divided by the number of the text's terms, times the term's weight;
- texts (`identity`): the text, a missing one replaced in the same way;
- pixels (`image`): `height` x `width` x `channels` bytes, row by row (`zenctl.steps.transform.images`); zeros where
  there is no image.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from zenctl.lazy_dataclasses import dataclass
from zenctl.sdk import StepError

FORMAT = 3
"""Version of transform.json's form. One without images is of version 2, as it was before there were any."""

TRANSFORM_FILE = "transform.json"
"""The one file of a Transform artifact."""

MISSING: Mapping[str, Any] = {"float32": float("nan"), "int64": -(2**63), "string": "", "bytes": b""}
"""What stands for a missing value where a type has no null, as in a tensor: by the type that serving takes."""

LOOKUP_METHODS = frozenset({"one_hot", "vocabulary"})
"""Methods that keep values."""

INDEX_METHODS = LOOKUP_METHODS | {"bucketise", "hash"}
"""Methods whose result is an index."""

TERM_METHODS = frozenset({"n_grams", "tf_idf"})
"""Methods that make several columns of a text."""

IMAGE = "image"
"""The method whose result are pixels."""

Token = str | int


@dataclass(frozen=True, slots=True)
class ImageForm:
    """How an image is resized: to `height` x `width` pixels of 3 colours or 1, `bilinear` or to the `nearest` pixel."""

    height: int
    width: int
    channels: int = 3
    resize: str = "bilinear"

    @property
    def size(self) -> int:
        """Bytes of one image."""
        return self.height * self.width * self.channels

    def __str__(self) -> str:
        return f"{self.height} x {self.width} pixels in {'colour' if self.channels == 3 else 'grey'}"


@dataclass(frozen=True, slots=True)
class Feature:
    """One fitted column. `type` is what serving takes: `float32`, `int64`, `string` or `bytes` (the file of an image);
    `example` is a raw value, of an image the empty text, which stands for none.

    `drop` says that rows without a value are left out of datasets; in serving, where none can be, `fill` stands for it.
    """

    name: str
    type: str
    method: str
    shift: float = 0.0
    scale: float = 1.0
    fill: float | str | None = None
    vocabulary: tuple[Token, ...] = ()
    example: float | str = 0.0
    boundaries: tuple[float, ...] = ()
    buckets: int = 0
    weights: tuple[float, ...] = ()
    ngrams: int = 1
    drop: bool = False
    image: ImageForm | None = None

    @property
    def result(self) -> str:
        """Type of the transformed column: `float32`, `int64` (an index), `string` (a text kept as it is) or `bytes`."""
        if self.method in TERM_METHODS:
            return "float32"
        return "int64" if self.method in INDEX_METHODS else self.type

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the transformed columns: its own, or for terms `name_0`, `name_1` ..."""
        if self.method in TERM_METHODS:
            return tuple(f"{self.name}_{at}" for at in range(len(self.vocabulary)))
        return (self.name,)

    @property
    def size(self) -> int:
        """Number of different indices, the one for unseen values included."""
        if self.method == "bucketise":
            return len(self.boundaries) + 2
        return len(self.vocabulary) + self.buckets + 1

    @property
    def marker(self) -> Any:
        """What says in a tensor that the value is missing."""
        return MISSING[self.type]

    @property
    def missing(self) -> Any:
        """What a missing value counts as before it is looked up or scaled."""
        return self.marker if self.fill is None else self.fill


@dataclass(frozen=True, slots=True)
class TransformState:
    """All fitted columns in the dataset's order. `label` is passed through; `left_out` names the columns dropped."""

    features: tuple[Feature, ...]
    label: str | None = None
    left_out: tuple[str, ...] = ()

    def feature(self, name: str) -> Feature | None:
        return next((f for f in self.features if f.name == name), None)

    @property
    def names(self) -> tuple[str, ...]:
        """All transformed columns, the label left out."""
        return tuple(name for feature in self.features for name in feature.columns)

    def select(self, names: list[str]) -> TransformState:
        """The same transform of these features only, in their order here."""
        return TransformState(tuple(f for f in self.features if f.name in set(names)), self.label, self.left_out)

    def to_json(self) -> str:
        """transform.json's text: equal states give equal texts."""
        data = asdict(self)
        for feature in data["features"]:
            if feature["image"] is None:
                del feature["image"]
        number = FORMAT if any(feature.image is not None for feature in self.features) else 2
        return json.dumps({"format": number, **data}, indent=2, sort_keys=True, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> TransformState:
        """Read transform.json; raises ValueError if it is not one that this version reads."""
        raw = json.loads(text)
        if not isinstance(raw, dict) or not isinstance(raw.get("format"), int):
            raise ValueError(f"{TRANSFORM_FILE} has no format number")
        if raw["format"] > FORMAT:
            raise ValueError(f"{TRANSFORM_FILE} has format {raw['format']}, this zenctl reads up to {FORMAT}")
        try:
            features = tuple(_feature(feature) for feature in raw["features"])
            return cls(features, raw["label"], tuple(raw["left_out"]))
        except (KeyError, TypeError) as error:
            raise ValueError(f"{TRANSFORM_FILE}: {error}") from error


def _feature(raw: Mapping[str, Any]) -> Feature:
    values: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in raw.items()}
    if values.get("image") is not None:
        values["image"] = ImageForm(**values["image"])
    return Feature(**values)


def read_state(folder: Path) -> TransformState:
    """The state in a Transform artifact; raises StepError."""
    try:
        return TransformState.from_json((folder / TRANSFORM_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StepError(
            f"the transform has no {TRANSFORM_FILE}", "Give the output transform of a step transform."
        ) from None
    except ValueError as error:
        raise StepError(str(error), "Run the step transform again with this version of zenctl.") from error
