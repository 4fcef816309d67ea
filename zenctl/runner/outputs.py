"""Gives a job its writers, checks that every declared output was written, and stores what was."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, Mapping

from zenctl.digests import canonical_json, sha256_bytes
from zenctl.jobs.artifacts import TreeFile, note_path, store_folder
from zenctl.jobs.result import OutputResult
from zenctl.jobs.spec import Entry, OutputSpec
from zenctl.jobs.storage import Storage, StorageError
from zenctl.runner.inputs import folder_name
from zenctl.runner.models import NORMALISED, normalise
from zenctl.sdk.artifacts import METRICS_FILE, Output, json_value, output_type
from zenctl.sdk.errors import StepError

VALUE_FILE = "result.json"
"""The file of an output that is a function's return value: {"value": ...}."""

_HOW = {
    "Dataset": "Write its rows: {name}.write(table), as often as you like.",
    "Metrics": "Log at least one value: {name}.log(accuracy=0.93).",
    "Model": 'Save the model below its path: model.save({name}.path / "model.keras").',
}


class ReturnedOutput(Output[Any]):
    """The function's return value, kept as JSON."""

    value: Any = None

    def keep(self, value: Any, entry: Entry) -> None:
        """Take the value; raises StepError for what is not JSON."""
        where = f"{entry.function} in {entry.file or entry.module}"
        if value is None:
            raise StepError(
                f"output {self.name!r} was not written: {where} returned nothing",
                "Return a number, a string, a list or a dict of these.",
                file=entry.file,
                kind="output_missing",
            )
        try:
            self.value = json_value(value, "the returned value")
        except (TypeError, ValueError) as error:
            hint = "Return a number, a string, a list or a dict; declare an Output[Artifact] for anything else."
            raise StepError(f"{where}: {error}", hint, file=entry.file, kind="user_error") from None
        (self.path / VALUE_FILE).write_bytes(canonical_json({"value": self.value}) + b"\n")

    def properties(self) -> Dict[str, Any]:
        return {"value": self.value}


def make_writers(specs: Mapping[str, OutputSpec], target: Path) -> Dict[str, Output[Any]]:
    """A writer with an empty folder for each declared output."""
    writers: Dict[str, Output[Any]] = {}
    for number, (name, spec) in enumerate(sorted(specs.items())):
        folder = target / folder_name(name, number)
        folder.mkdir(parents=True)
        kind = ReturnedOutput if spec.returned else output_type(spec.type)
        writers[name] = kind(folder, name, spec.type)
    return writers


def store_outputs(storage: Storage, writers: Mapping[str, Output[Any]], entry: Entry) -> Dict[str, OutputResult]:
    """Close the writers, check that each has something, and store all of them. Raises StepError, StorageError."""
    for writer in writers.values():
        writer.close()
    missing = [writer for writer in writers.values() if not writer.written()]
    if missing:
        raise _missing(missing[0], entry)
    properties = {name: _properties(writer) for name, writer in writers.items()}
    results: Dict[str, OutputResult] = {}
    for name, writer in writers.items():
        if writer.type in NORMALISED:
            normalise(writer.path)
        try:
            references = [TreeFile(path, size, sha256) for path, (size, sha256) in writer.references.items()]
            tree = store_folder(storage, writer.path, references)
            for data in writer.notes.values():
                storage.put(note_path(tree.digest, sha256_bytes(data)), data)
        except StorageError as error:
            if error.kind != "INVALID":
                raise
            raise StepError(f"output {name!r} cannot be kept: {error}", kind="user_error") from error
        results[name] = OutputResult(
            writer.type,
            tree.digest,
            len(tree.files),
            tree.bytes,
            properties[name],
            len(references),
            {key: sha256_bytes(data) for key, data in writer.notes.items()},
        )
    return results


def _missing(writer: Output[Any], entry: Entry) -> StepError:
    if entry.command:
        how = f"Write files into the folder that the variable {variable('OUTPUT', writer.name)} names."
    else:
        how = _HOW.get(writer.type, "Write at least one file into the folder {name}.path.").format(name=writer.name)
    message = f"output {writer.name!r} ({writer.type}) was not written"
    return StepError(message, how, file=entry.file, kind="output_missing")


def _properties(writer: Output[Any]) -> Dict[str, Any]:
    try:
        return writer.properties()
    except ValueError as error:
        hint = f"{METRICS_FILE} holds one JSON object: names and finite numbers, strings, lists or objects."
        raise StepError(f"output {writer.name!r} is damaged: {error}", hint, kind="user_error") from error


def variable(kind: str, name: str) -> str:
    """The environment variable that tells a command about an input, output or parameter: ZENCTL_INPUT_TRAIN."""
    return f"ZENCTL_{kind}_" + "".join(c if c.isascii() and c.isalnum() else "_" for c in name).upper()
