"""What a step's function is given: an Artifact to read for each input, an Output to write for each output.

Standard library only and Python 3.9 syntax. `Dataset` and its output live in `zenctl.sdk.dataset`.
"""

from __future__ import annotations

import json
import math
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Generic, List, Mapping, Tuple, Type, TypeVar, Union

from zenctl.digests import canonical_json

if TYPE_CHECKING:
    from zenctl.sdk.dataset import Dataset

METRICS_FILE = "metrics.json"
"""The file of a Metrics artifact."""

MetricValue = Union[bool, int, float, str, List[Any], Dict[str, Any]]

T = TypeVar("T", covariant=True)


class Artifact:
    """An input, laid out in a local folder. Read-only: a step that changes its input fails.

    `path` is the folder (a pathlib.Path), `digest` the content digest, `name` the input's name in the configuration.
    """

    type = "Artifact"

    def __init__(self, path: Union[str, "os.PathLike[str]"], name: str = "", digest: str = "") -> None:
        self.path = Path(path)
        self.name = name
        self.digest = digest

    def __fspath__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name or str(self.path)!r}, digest={self.digest[:12]!r})"


class Model(Artifact):
    """A trained model: whatever files the step that made it wrote."""

    type = "Model"


class Metrics(Artifact):
    """Named results of a step. `values` are plain JSON: {"accuracy": 0.93, "loss": {"train": 0.1, "eval": 0.2}}."""

    type = "Metrics"

    @property
    def values(self) -> Dict[str, Any]:
        """What was logged, by name; read from the file anew at each call."""
        return read_metrics(self.path)


class Output(Generic[T]):
    """An output to write. In a signature, `model: Output[Model]` declares an output `model` of type Model.

    `path` is an empty folder: everything in it when the function returns is the artifact. An output of Metrics also
    has `log`, one of Dataset also has `write`. `name` is the output's name, `type` its artifact type.

    For writers of subclasses: the runner calls `close` once after the function returned (never if it failed), then
    `written`, then stores the folder, then asks for `properties`.
    """

    type = "Artifact"

    def __init__(self, path: Union[str, "os.PathLike[str]"], name: str = "", type: str = "") -> None:
        self.path = Path(path)
        self.name = name
        self._facts: Dict[str, Any] = {}
        if type:
            self.type = type
        self.references: Dict[str, Tuple[int, str]] = {}
        self.notes: Dict[str, bytes] = {}

    def refer(self, path: str, size: int, sha256: str) -> None:
        """Name a file of the artifact that the store has (`Memory.holds`), so that it need not lie in the folder."""
        self.references[path] = (size, sha256)

    def keep_note(self, key: str, data: bytes) -> None:
        """Leave a note for later jobs (`Memory.recall`); it lives as long as the artifact that this output becomes."""
        self.notes[key] = data

    def log(self: "Output[Metrics]", **values: MetricValue) -> None:  # noqa: ARG002 - MetricsOutput's signature
        """Record metrics; only outputs declared as Output[Metrics] have them."""
        raise TypeError(f"output {self.name!r} is a {self.type}: only an Output[Metrics] has log()")

    def write(self: "Output[Dataset]", rows: Any) -> None:  # noqa: ARG002 - DatasetOutput's signature
        """Add rows; only outputs declared as Output[Dataset] take them."""
        raise TypeError(f"output {self.name!r} is a {self.type}: only an Output[Dataset] has write()")

    def describe(self, **facts: Any) -> None:
        """Record plain JSON facts about what is written, which are known without opening the artifact."""
        self._facts.update({name: json_value(value, f"fact {name!r}") for name, value in facts.items()})

    def pass_on(self, artifact: Artifact) -> None:
        """Write the files of an input, so that the output is the same artifact: linked where that can be.

        Nothing else may be written, before or after.
        """
        if self.written():
            raise ValueError(f"output {self.name!r} was written already")
        for where, _, names in os.walk(artifact.path):
            folder = self.path / Path(where).relative_to(artifact.path)
            folder.mkdir(parents=True, exist_ok=True)
            for name in names:
                try:
                    os.link(Path(where, name), folder / name)
                except OSError:
                    shutil.copyfile(Path(where, name), folder / name)

    def close(self) -> None:
        """Finish what is still open, so that `path` holds the whole artifact."""

    def written(self) -> bool:
        """Whether anything was written."""
        return self.path.is_file() or any(names for _, _, names in os.walk(self.path))

    def properties(self) -> Dict[str, Any]:
        """Plain JSON facts about what was written that are worth having without opening the artifact."""
        return dict(self._facts)

    def __fspath__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        return f"Output[{self.type}]({self.name or str(self.path)!r})"


class MetricsOutput(Output[Metrics]):
    """Writes `metrics.json`. `log` may be called repeatedly; a later value of a name replaces the earlier one."""

    type = "Metrics"

    def log(self, **values: MetricValue) -> None:
        """Merge metrics into the file: finite numbers, strings, booleans, lists, and dicts of these.

        NumPy scalars count as numbers. Raises TypeError or ValueError that names the metric.
        """
        merged = read_metrics(self.path)
        for name, value in values.items():
            if value is None:
                raise TypeError(f"metric {name!r} is None: leave out what there is no value for")
            merged[name] = json_value(value, f"metric {name!r}")
        (self.path / METRICS_FILE).write_bytes(canonical_json(merged) + b"\n")

    @property
    def values(self) -> Dict[str, Any]:
        """What was logged so far."""
        return read_metrics(self.path)

    def properties(self) -> Dict[str, Any]:
        return read_metrics(self.path)


def read_metrics(folder: Path) -> Dict[str, Any]:
    """The metrics in a folder; empty if none were logged. Raises ValueError if the file is not a JSON object."""
    try:
        data = (folder / METRICS_FILE).read_bytes()
    except FileNotFoundError:
        return {}
    values = json.loads(data, parse_constant=_refuse_constant)
    if not isinstance(values, dict):
        raise ValueError(f"{METRICS_FILE} must hold a JSON object, not a {type(values).__name__}")
    return values


def input_type(name: str) -> Type[Artifact]:
    """The class handed to code for an input declared as `name`; Artifact for a type that has none of its own."""
    if name == "Dataset":
        from zenctl.sdk.dataset import Dataset

        return Dataset
    return {"Model": Model, "Metrics": Metrics}.get(name, Artifact)


def output_type(name: str) -> Type[Output[Artifact]]:
    """The writer's class for an output of artifact type `name`; Output itself for a type that has none of its own."""
    if name == "Dataset":
        from zenctl.sdk.dataset import DatasetOutput

        return DatasetOutput
    return MetricsOutput if name == "Metrics" else Output


def json_value(value: Any, what: str) -> Any:
    """The value as JSON data: finite numbers, strings, booleans, None, lists, and dicts of these.

    NumPy scalars count as numbers, tuples as lists. Raises TypeError or ValueError that begins with `what`.
    """
    if not isinstance(value, (int, float, str, list, tuple, Mapping)) and callable(getattr(value, "item", None)):
        try:
            value = value.item()
        except ValueError as error:
            raise TypeError(f"{what} is an array: turn it into a list or a number ({error})") from None
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{what} is {value!r}: only finite numbers can be recorded")
        return float(value)
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, (list, tuple)):
        return [json_value(item, f"{what}[{i}]") for i, item in enumerate(value)]
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise TypeError(f"{what} has the key {key!r}: keys must be strings")
        return {key: json_value(item, f"{what}.{key}") for key, item in value.items()}
    raise TypeError(f"{what} is a {type(value).__name__}: only numbers, strings, lists and dicts can be recorded")


def _refuse_constant(text: str) -> Any:
    raise ValueError(f"{METRICS_FILE} holds {text}, which is not JSON")
