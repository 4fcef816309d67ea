"""Runs a step's code: a user's function, a built-in step's function, or a command."""

from __future__ import annotations

import inspect
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable, Dict, Mapping, Optional

from zenctl.jobs.spec import JobSpec
from zenctl.runner.inputs import Input
from zenctl.runner.lifetime import Interrupted
from zenctl.runner.outputs import ReturnedOutput, variable
from zenctl.sdk.artifacts import Output
from zenctl.sdk.checkpoints import Checkpoints
from zenctl.sdk.errors import StepError
from zenctl.sdk.job import Job, progress, warn
from zenctl.sdk.memory import Memory

GRACE = 5.0
"""Seconds a command has to end after SIGTERM."""

Writers = Mapping[str, Output[Any]]


def call_job(function: Callable[..., Any], spec: JobSpec, job: Job, writers: Writers) -> None:
    """Call a built-in step with all that it is told."""
    _keep(function(job), spec, writers)


def call_keywords(
    function: Callable[..., Any],
    spec: JobSpec,
    inputs: Mapping[str, Input],
    writers: Writers,
    checkpoints: Optional[Checkpoints] = None,
) -> None:
    """Call a user's function: inputs, outputs and parameters by name. Raises StepError if they do not fit it."""
    arguments: Dict[str, Any] = {name: item.value(by_type=False) for name, item in inputs.items()}
    arguments.update({name: writer for name, writer in writers.items() if not isinstance(writer, ReturnedOutput)})
    if checkpoints is not None and spec.checkpoints is not None:
        arguments[spec.checkpoints.parameter] = checkpoints
    arguments.update(spec.params)
    try:
        signature = inspect.signature(function)
    except ValueError:
        # Some functions written in C have no signature; they are called as they are.
        _keep(function(**arguments), spec, writers)
        return
    positional = [p.name for p in signature.parameters.values() if p.kind is p.POSITIONAL_ONLY and p.name in arguments]
    first = [arguments.pop(name) for name in positional]
    try:
        signature.bind(*first, **arguments)
    except TypeError as error:
        code = getattr(inspect.unwrap(function), "__code__", None)
        raise StepError(
            f"{spec.entry.function} cannot be called: {error}",
            f"It is given {', '.join(sorted([*positional, *arguments])) or 'nothing'}.",
            file=spec.entry.file,
            line=code.co_firstlineno if code else 0,
            kind="user_error",
        ) from None
    _keep(function(*first, **arguments), spec, writers)


def make_job(spec: JobSpec, inputs: Mapping[str, Input], writers: Writers, scratch: Path, memory: Memory) -> Job:
    """The argument of a built-in step."""
    return Job(
        inputs={name: item.value(by_type=True) for name, item in inputs.items()},
        outputs=dict(writers),
        params=spec.params,
        locations=spec.locations,
        expect=spec.expect,
        processing=spec.processing,
        scratch=scratch,
        memory=memory,
        report=progress,
        alert=warn,
    )


def run_command(
    spec: JobSpec,
    inputs: Mapping[str, Input],
    writers: Writers,
    scratch: Path,
    checkpoints: Optional[Checkpoints] = None,
) -> None:
    """Run a command in the code's folder. It learns its paths and parameters from ZENCTL_* environment variables.

    `ZENCTL_INPUT_<NAME>` and `ZENCTL_OUTPUT_<NAME>` are folders, `ZENCTL_PARAM_<NAME>` a value (strings as they are,
    all else as JSON), `ZENCTL_PARAMS` all parameters as one JSON object; `ZENCTL_CHECKPOINTS` is the folder that
    attempts have in common, if it has one.
    """
    environment = dict(os.environ, ZENCTL_PARAMS=json.dumps(spec.params, sort_keys=True), ZENCTL_SCRATCH=str(scratch))
    environment.update({variable("INPUT", name): str(item.folder) for name, item in inputs.items()})
    environment.update({variable("OUTPUT", name): str(writer.path) for name, writer in writers.items()})
    for name, value in spec.params.items():
        environment[variable("PARAM", name)] = value if isinstance(value, str) else json.dumps(value)
    if checkpoints is not None:
        environment["ZENCTL_CHECKPOINTS"] = str(checkpoints.path)
    program = spec.entry.command[0]
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        process = subprocess.Popen(list(spec.entry.command), env=environment, stdin=subprocess.DEVNULL)
    except OSError as error:
        hint = "Give its path from the configuration's folder, or install it." if error.errno == 2 else ""
        raise StepError(f"{program} cannot be started: {error.strerror}", hint, kind="user_error") from error
    try:
        code = process.wait()
    except (Interrupted, KeyboardInterrupt):
        _end(process)
        raise
    if code:
        raise StepError(f"{program} ended with {_exit(code)}", "Its output is in the log.", kind="user_error")


def _keep(value: Any, spec: JobSpec, writers: Writers) -> None:
    for writer in writers.values():
        if isinstance(writer, ReturnedOutput):
            writer.keep(value, spec.entry)


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(GRACE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _exit(code: int) -> str:
    if code > 0:
        return f"exit code {code}"
    try:
        return f"signal {-code} ({signal.Signals(-code).name})"
    except ValueError:
        return f"signal {-code}"
