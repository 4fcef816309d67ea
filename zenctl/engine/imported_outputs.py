"""Stores files that were made elsewhere as a job's outputs would be: checked by type, finalised and digested."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zenctl.diagnostics import Diagnostic, DiagnosticError, did_you_mean, error, raise_errors
from zenctl.digests import sha256_file
from zenctl.engine.execution import store_hint
from zenctl.jobs.artifacts import folder_files
from zenctl.jobs.result import OutputResult
from zenctl.jobs.spec import Entry, OutputSpec
from zenctl.jobs.storage import Storage, StorageError
from zenctl.runner.outputs import VALUE_FILE, ReturnedOutput, store_outputs
from zenctl.sdk.artifacts import METRICS_FILE, MetricsOutput, Output, read_metrics
from zenctl.sdk.errors import StepError
from zenctl.sdk.snapshot import SCHEMA_FILE, CorruptDataset, read_manifest, read_schema, shard_name

if TYPE_CHECKING:
    from collections.abc import Iterator


class _Refused(Exception):
    """A file or folder is not what the output is; carries why and what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class _SnapshotOutput(Output[Any]):
    """A snapshot as zenctl writes it. Every shard must be there with the bytes that the manifest lists."""

    def properties(self) -> dict[str, Any]:
        return {"rows": read_manifest(self.path).rows}

    def check(self) -> None:
        """Raise _Refused unless the snapshot is whole."""
        try:
            manifest = read_manifest(self.path)
            read_schema(self.path / SCHEMA_FILE)
        except CorruptDataset as problem:
            message = str(problem).replace(f"{self.path}{os.sep}", "")
            hint = f"A Dataset is a folder as zenctl writes it: manifest.json, {SCHEMA_FILE} and shards."
            raise _Refused(message, hint) from problem
        for index, shard in enumerate(manifest.shards):
            name = shard_name(index, manifest.compression)
            file = self.path / name
            if not file.is_file():
                raise _Refused(f"{name} is missing")
            if file.stat().st_size != shard.bytes or sha256_file(file) != shard.sha256:
                raise _Refused(f"{name} is damaged: its content is not what manifest.json lists")


def pair_outputs(texts: Sequence[str], outputs: Mapping[str, OutputSpec], what: str) -> dict[str, str]:
    """The path of each output from `OUTPUT=PATH` texts; a bare PATH is that of the only output.

    Raises DiagnosticError unless every output has one path, and no other has any.
    """
    names = ", ".join(outputs)
    if len(texts) == 1 and len(outputs) == 1 and texts[0].partition("=")[0] not in outputs:
        [only] = outputs
        if not _names_output(texts[0]):
            return {only: texts[0]}
    found: dict[str, str] = {}
    problems: list[Diagnostic] = []
    for text in texts:
        name, equals, path = text.partition("=")
        if not equals or not path:
            detail = f"{what} has the outputs {names}: give each as OUTPUT=PATH."
            problems.append(error("bad_argument", f'"{text}" is not OUTPUT=PATH', detail))
        elif name not in outputs:
            detail = f"It has {names}.{did_you_mean(name, outputs)}"
            problems.append(error("unknown_output", f'{what} has no output "{name}"', detail))
        elif name in found:
            problems.append(error("duplicate", f'The output "{name}" is given twice'))
        else:
            found[name] = path
    missing = [name for name in outputs if name not in found]
    if missing and not problems:
        detail = f"All outputs of a result belong together. Add {' '.join(f'{name}=PATH' for name in missing)}."
        problems.append(error("output_missing", f"{what} has more outputs: {', '.join(missing)}", detail))
    raise_errors(problems)
    return found


def _names_output(text: str) -> bool:
    """Whether a text reads `OUTPUT=PATH`: the part before the equals sign is a name and no path that is there."""
    name, equals, path = text.partition("=")
    return bool(equals and path and name.isidentifier()) and not is_there(Path(text))


def is_there(path: Path) -> bool:
    """Whether a path names something; a text that can name nothing does not."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def store_imported(
    storage: Storage, specs: Mapping[str, OutputSpec], paths: Mapping[str, Path], work_dir: Path
) -> dict[str, OutputResult]:
    """Copy, check and store each output; what `paths` name stays as it is. Raises DiagnosticError."""
    try:
        with _scratch(work_dir) as folder:
            writers = {name: _writer(spec, name, paths[name], folder / name) for name, spec in specs.items()}
            return store_outputs(storage, writers, Entry())
    except StepError as problem:
        raise DiagnosticError(error("bad_import", f"{problem}", problem.hint)) from problem
    except StorageError as problem:
        summary = f"The {problem.summary}"
        raise DiagnosticError(error("artifact_store", summary, store_hint(problem))) from problem


def _writer(spec: OutputSpec, name: str, path: Path, folder: Path) -> Output[Any]:
    """The output with its files laid out in a folder of its own, as a job would have left them."""
    folder.mkdir()
    try:
        if spec.returned:
            return _returned(name, spec.type, path, folder)
        if spec.type == "Metrics":
            return _metrics(name, path, folder)
        _lay_out(path, folder)
        if spec.type == "Dataset":
            snapshot = _SnapshotOutput(folder, name, spec.type)
            snapshot.check()
            return snapshot
        if spec.type in ("Model", "Transform"):
            _check_model(folder)
    except _Refused as problem:
        raise _not_imported(name, spec, path, str(problem), problem.hint) from problem
    except StepError as problem:
        raise _not_imported(name, spec, path, str(problem), problem.hint) from problem
    except StorageError as problem:
        hint = "Copy what the link names into the folder." if "link" in str(problem) else ""
        raise _not_imported(name, spec, path, str(problem), hint) from problem
    except (OSError, ValueError, TypeError) as problem:
        why = problem.strerror if isinstance(problem, OSError) and problem.strerror else str(problem)
        raise _not_imported(name, spec, path, why) from problem
    return Output(folder, name, spec.type)


def _lay_out(path: Path, folder: Path) -> None:
    """Copy the files: finalising changes them, and what was given belongs to the user."""
    files = [(path.name, path)] if path.is_file() else list(folder_files(path))
    if not any(file.stat().st_size for _, file in files):
        raise _Refused("there is nothing in it")
    for name, file in files:
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, place)


def _check_model(folder: Path) -> None:
    """Refuse a saved model that nothing could load."""
    for file in sorted(folder.rglob("*.keras")):
        if file.is_file() and not zipfile.is_zipfile(file):
            raise _Refused(f"{file.relative_to(folder)} is no Keras archive", "Save it with model.save(path).")
    for file in sorted(folder.rglob("saved_model.pb")):
        if not file.stat().st_size:
            raise _Refused(f"{file.relative_to(folder)} is empty", "Save it with tf.saved_model.save.")


def _metrics(name: str, path: Path, folder: Path) -> MetricsOutput:
    """Metrics from a JSON file of any name, or a folder as a step leaves it."""
    output = MetricsOutput(folder, name)
    if path.is_file():
        values = json.loads(path.read_bytes())
        if not isinstance(values, dict):
            raise _Refused("metrics are one JSON object: names and numbers")
    else:
        if not (path / METRICS_FILE).is_file():
            raise _Refused(f"it has no {METRICS_FILE}", "Give a JSON file, or a folder with metrics.json in it.")
        _lay_out(path, folder)
        values = read_metrics(folder)
    if not values:
        raise _Refused("it holds no metric")
    output.log(**values)
    return output


def _returned(name: str, type_: str, path: Path, folder: Path) -> ReturnedOutput:
    """What a function returns, from a JSON file that holds it, or from a folder as a step leaves it."""
    folder_given = path.is_dir()
    file = path / VALUE_FILE if folder_given else path
    if not file.is_file():
        raise _Refused(f"it has no {VALUE_FILE}", "Give a JSON file that holds the value the function returns.")
    value = json.loads(file.read_bytes())
    if folder_given:
        if not isinstance(value, dict) or "value" not in value:
            raise _Refused(f'{VALUE_FILE} is not {{"value": ...}}')
        value = value["value"]
    output = ReturnedOutput(folder, name, type_)
    if value is None:
        raise _Refused("it holds null: a function returns a number, a string, a list or a dict of these")
    output.keep(value, Entry(function="the function", file=path.name))
    return output


def _not_imported(name: str, spec: OutputSpec, path: Path, why: str, hint: str = "") -> DiagnosticError:
    summary = f'{path.name} is no {"value" if spec.returned else spec.type} for output "{name}": {why}'
    return DiagnosticError(error("bad_import", summary, hint))


@contextmanager
def _scratch(work_dir: Path) -> Iterator[Path]:
    """A folder of its own, removed at the end."""
    try:
        work_dir.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix="import-", dir=work_dir))
    except OSError as problem:
        summary = f"{work_dir.name} cannot be written: {problem.strerror}"
        raise DiagnosticError(error("cache_unwritable", summary, "Check its permissions and the disk.")) from problem
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
