"""Reads what a step's own environment is made from: what of it counts, what its job is told, what is wrong with it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from zenctl.diagnostics import Diagnostic, DiagnosticError, error, warning
from zenctl.digests import sha256_file
from zenctl.engine.desired import DesiredStep
from zenctl.fingerprint.environment import locked
from zenctl.jobs.requirements import holds_secret, is_pinned, local_path, requirement_lines, without_secrets
from zenctl.jobs.spec import VirtualEnvironment
from zenctl.lazy_dataclasses import dataclass
from zenctl.steps.python.schema import Environment, Python

LATER = "Write ${NAME} in its place: it is taken from the environment where the step runs."


@dataclass(frozen=True, slots=True)
class Requirements:
    """A requirements file with what it includes. `lock` is what of it counts, `files` are digests of local archives."""

    lines: tuple[str, ...]
    constraints: tuple[str, ...]
    lock: Mapping[str, str]
    files: Mapping[str, str]


def declared_environment(desired: DesiredStep) -> Environment:
    """The step's `environment` block, or what stands for none."""
    return desired.model.environment if isinstance(desired.model, Python) else Environment()


def requirements_folder(root: Path, desired: DesiredStep) -> Path:
    """Where relative paths of a step's environment start: the folder of its module."""
    return root / desired.code.folder if desired.code is not None else root


def read_requirements(root: Path, desired: DesiredStep) -> Requirements:
    """What the step's requirements file says. Raises OSError with the name of what cannot be read."""
    declared = declared_environment(desired)
    file = requirements_folder(root, desired) / declared.requirements

    def included(name: str) -> str:
        return (file.parent / name).read_text(encoding="utf-8", errors="replace")

    text = file.read_text(encoding="utf-8", errors="replace")
    found = list(requirement_lines(text, included))
    files: dict[str, str] = {}
    for line, _ in found:
        path = local_path(line)
        if path and (file.parent / path).is_file():
            files[path] = sha256_file(file.parent / path)
    lock = {**locked(text, included), **{f"file {path}": digest for path, digest in files.items()}}
    lines, constraints = (tuple(line for line, constrains in found if constrains is kind) for kind in (False, True))
    return Requirements(lines, constraints, dict(sorted(lock.items())), files)


def check_requirements(root: Path, desired: DesiredStep, found: Requirements) -> Iterator[Diagnostic]:
    """What is wrong with making an environment of them; nothing is made, and no index asked."""
    declared = declared_environment(desired)
    if not declared.builds:
        return
    name, place = declared.requirements, desired.config.range
    base = requirements_folder(root, desired) / name
    for line in (*found.lines, *found.constraints):
        if holds_secret(line):
            summary = f"{name} holds a password or a token in a URL: {without_secrets(line)}"
            detail = f"All of it would be recorded. {LATER}"
            yield error("requirements_secret", summary, detail, range=place)
        path = local_path(line)
        if path and (base.parent / path).is_dir():
            summary = f"{name} asks for the folder {path}, which can change while the file stays the same"
            detail = "Build a wheel of it (uv build) and name that, or import it as code of the project."
            yield error("requirements_folder", summary, detail, range=place)
        elif path and path not in found.files:
            detail = "Paths are relative to the requirements file's folder."
            yield error("requirements_unreadable", f"{name} asks for {path}, which is not there", detail, range=place)
    loose = [line.split(" ")[0] for line in found.lines if not is_pinned(line)]
    if loose:
        more = f" and {len(loose) - 3} more" if len(loose) > 3 else ""
        summary = f"{name} does not pin {', '.join(loose[:3])}{more}"
        detail = "Made tomorrow or elsewhere, it can be another. `uv pip compile` writes a file that pins all."
        yield warning("requirements_not_pinned", summary, detail, range=place)


def python_version(root: Path, desired: DesiredStep) -> str:
    """Major and minor version of the Python that the step asks for, without running it; empty if it asks for none.

    Raises DiagnosticError if an interpreter's path does not tell.
    """
    wanted = declared_environment(desired).python or ""
    if "/" not in wanted:
        return wanted
    path = requirements_folder(root, desired) / Path(wanted).expanduser()
    real = os.path.realpath(path)
    named = re.search(r"python(\d+\.\d+)$", real)
    if named is not None:
        return named.group(1)
    summary = f"{wanted} does not tell which Python it is"
    detail = "It leads to no file named python3.X. Give the version, such as 3.11, or a path that does."
    raise DiagnosticError(error("python_unknown", summary, detail, range=desired.config.range))


def ordered_environment(
    root: Path, desired: DesiredStep, planned: Mapping[str, Any]
) -> tuple[VirtualEnvironment | None, dict[str, str]]:
    """The environment that a step's job is to run in, and where its paths start; (None, {}) if it has none of its own.

    Raises DiagnosticError if the file does not say any more what `planned`, the planned environment, says.
    """
    declared = declared_environment(desired)
    if not declared.builds:
        return None, {}
    base = requirements_folder(root, desired)
    if not declared.requirements:
        return VirtualEnvironment(declared.python or ""), {"environment": str(base.absolute())}
    try:
        found = read_requirements(root, desired)
    except OSError as problem:
        raise DiagnosticError(unreadable(desired, problem)) from problem
    if found.lock != planned.get("lock"):
        summary = f"The plan is stale: {declared.requirements} changed after it was made"
        raise DiagnosticError(error("plan_stale", summary, "Make a new plan and review it.", address=str(desired.addr)))
    start = (base / declared.requirements).parent.absolute()
    own = VirtualEnvironment(_interpreter(declared, base, start), found.lines, found.constraints, found.files)
    return own, {"environment": str(start)}


def _interpreter(declared: Environment, base: Path, start: Path) -> str:
    """The interpreter as it is found from where the requirements' paths start."""
    wanted = declared.python or ""
    if "/" not in wanted or wanted.startswith(("/", "~")):
        return wanted
    return os.path.relpath(base / wanted, start)


def unreadable(desired: DesiredStep, problem: OSError) -> Diagnostic:
    """A requirements file, or one that it includes, cannot be read."""
    name = problem.filename or declared_environment(desired).requirements
    detail = f"{problem.strerror or problem}. Paths are relative to the configuration's folder."
    place = desired.config.range
    return error("requirements_unreadable", f"Cannot read {name}", detail, range=place).at(None, str(desired.addr))
