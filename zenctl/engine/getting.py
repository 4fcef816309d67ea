"""The operation behind `zenctl state get`: copies a recorded result's files out of the artifact store, verified."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import field
from pathlib import Path

from zenctl.addrs import AddressError, parse
from zenctl.diagnostics import Diagnostic, DiagnosticError, did_you_mean, error
from zenctl.engine.integrity import Progress
from zenctl.engine.naming import TREE_URI, find_named, find_recorded, split_serial
from zenctl.engine.opening import OpeningError, open_configuration
from zenctl.engine.requests import Inputs
from zenctl.engine.world import World, open_world
from zenctl.jobs.artifacts import CorruptArtifact, fetch_tree, read_tree
from zenctl.jobs.storage import StorageError
from zenctl.lazy_dataclasses import dataclass
from zenctl.metadata.records import Recorded, RecordedArtifact


@dataclass(frozen=True, slots=True)
class Copied:
    """An output whose files were copied to `folder`; `files` are their paths in it, `bytes` their size together."""

    recorded: Recorded
    output: str
    artifact: RecordedArtifact
    folder: Path
    files: tuple[str, ...]
    bytes: int


@dataclass(frozen=True, slots=True)
class GetOutcome:
    """What was copied, by output, or only diagnostics."""

    copied: tuple[Copied, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict, hash=False)


def get_files(
    inputs: Inputs, words: str, output: str, folder: Path | None, told: Callable[[Progress], None]
) -> GetOutcome:
    """Copy what the words name: one output into `folder`, several into a folder each below it.

    Without `folder` it is named as the output, or as the step, in the configuration's folder. It is whole when it is
    there, and one that has something in it is left alone. `told` hears how far it is, from one thread at a time.
    """
    try:
        # Which stores there are is all that has to be right.
        opened = open_configuration(inputs, values_required=False, sound=False)
    except OpeningError as problem:
        return GetOutcome((), problem.diagnostics, problem.sources)
    try:
        with open_world(opened, inputs, create=False) as world:
            words, named = _split_output(words)
            recorded = _find(world, words)
            wanted = _wanted(recorded, words, output or named)
            target = inputs.root / (folder or _default(recorded, wanted))
            return GetOutcome(_copy(world, recorded, wanted, target, told))
    except DiagnosticError as problem:
        return GetOutcome((), problem.diagnostics, opened.sources)


def _find(world: World, words: str) -> Recorded:
    """The result that the words name: of an address the current one, whatever was attempted since."""
    project, inputs = world.opened.configuration.settings.project, world.inputs
    try:
        parse(split_serial(words)[0])
    except AddressError:
        return find_named(world.store, project, inputs.workspace, words, inputs.root).recorded
    return find_recorded(world.store, project, inputs.workspace, words, results_only=True)


def _split_output(words: str) -> tuple[str, str]:
    """`step.train.fit.model@3`, as expressions name a result, is `step.train.fit@3` and `model`."""
    address, _ = split_serial(words)
    head, _, name = address.rpartition(".")
    try:
        parse(address)
    except AddressError:
        try:
            parse(head)
        except AddressError:
            return words, ""
        return head + words[len(address) :], name
    return words, ""


def _wanted(recorded: Recorded, words: str, output: str) -> dict[str, RecordedArtifact]:
    """The outputs that are meant; raises DiagnosticError if there are none, or one is gone."""
    outputs = dict(recorded.outputs)
    if not outputs:
        detail = (
            f"`zenctl state show {recorded.addr}` says what is recorded, `zenctl logs {recorded.addr}` what it printed."
        )
        raise DiagnosticError(error("no_output", f"{recorded.addr} has no recorded result", detail))
    if output and output not in outputs:
        detail = f"It has {', '.join(outputs)}.{did_you_mean(output, list(outputs))}"
        raise DiagnosticError(error("no_output", f'{recorded.addr} has no output "{output}"', detail))
    uri = TREE_URI.search(words)
    digits = uri.group(2) if uri is not None else words.lower()
    # Of what a digest names, only that; of several outputs with this content, one.
    meant = [name for name, artifact in outputs.items() if artifact.digest.startswith(digits)][:1]
    names = [output] if output else meant or list(outputs)
    gone = [name for name in names if outputs[name].deleted]
    if gone:
        detail = "`zenctl state gc` freed it. What it was made of stays recorded: `zenctl reproduce` makes it anew."
        raise DiagnosticError(error("no_output", f"The files of {recorded.addr}.{gone[0]} were deleted", detail))
    return {name: outputs[name] for name in names}


def _default(recorded: Recorded, wanted: Mapping[str, RecordedArtifact]) -> Path:
    return Path(next(iter(wanted)) if len(wanted) == 1 else recorded.addr.name)


def _copy(
    world: World,
    recorded: Recorded,
    wanted: Mapping[str, RecordedArtifact],
    target: Path,
    told: Callable[[Progress], None],
) -> tuple[Copied, ...]:
    _refuse_occupied(target)
    scratch = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
        copied = _fetch(world, recorded, wanted, scratch, target, told)
        _open_up(scratch)
        # Replaces an empty folder; one that has been filled meanwhile is not.
        os.replace(scratch, target)
    except OSError as problem:
        detail = f"{problem.strerror or type(problem).__name__}. Name another folder: zenctl state get WHAT FOLDER"
        raise DiagnosticError(error("unwritable", f"{target} cannot be written", detail)) from problem
    finally:
        if scratch is not None:
            shutil.rmtree(scratch, ignore_errors=True)
    return copied


def _fetch(
    world: World,
    recorded: Recorded,
    wanted: Mapping[str, RecordedArtifact],
    scratch: Path,
    target: Path,
    told: Callable[[Progress], None],
) -> tuple[Copied, ...]:
    copied = []
    try:
        trees = {name: read_tree(world.storage, artifact.digest) for name, artifact in wanted.items()}
        count = _counter(sum(tree.bytes for tree in trees.values()), told)
        for name, tree in trees.items():
            below = "" if len(wanted) == 1 else name
            # What the user gets is the user's own: a link would be the store's, and a change of it damage.
            fetch_tree(world.storage, wanted[name].digest, scratch / below, link=False, told=count)
            files = tuple(file.path for file in tree.files)
            copied.append(Copied(recorded, name, wanted[name], target / below, files, tree.bytes))
    except (CorruptArtifact, StorageError) as problem:
        detail = f"`zenctl state verify {recorded.addr}` says what is there of it. ({problem})"
        summary = f"The result of {recorded.addr} cannot be read from the artifact store"
        raise DiagnosticError(error("artifact_unreadable", summary, detail)) from problem
    return tuple(copied)


def _counter(total: int, told: Callable[[Progress], None]) -> Callable[[int], None]:
    lock, done = threading.Lock(), 0

    def count(size: int) -> None:
        nonlocal done
        with lock:
            done += size
            told(Progress(done, total))

    return count


def _refuse_occupied(target: Path) -> None:
    if not target.exists() and not target.is_symlink():
        return
    if target.is_dir() and not any(target.iterdir()):
        return
    detail = "Nothing is overwritten. Remove it, or name another folder: zenctl state get WHAT FOLDER"
    raise DiagnosticError(error("occupied", f"{target} is there already", detail))


def _open_up(folder: Path) -> None:
    """Files and folders as the user's other new ones are: stored ones are read-only."""
    mask = os.umask(0)
    os.umask(mask)
    os.chmod(folder, 0o777 & ~mask)
    for where, _, names in os.walk(folder):
        for name in names:
            os.chmod(os.path.join(where, name), 0o666 & ~mask)
