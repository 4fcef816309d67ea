"""Says why an environment cannot be made: turns what uv or pip printed into one message and what to do."""

from __future__ import annotations

import re
from typing import List, Mapping, Optional, Tuple

from zenctl.jobs.spec import VirtualEnvironment

LINES = 4
"""Most lines of a program's explanation that are repeated."""


class EnvironmentProblem(Exception):
    """An environment cannot be made. `message` says why, `hint` what to do; `full`: the disk is."""

    def __init__(self, message: str, hint: str = "", *, full: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.full = full


UNFIT = "no set of packages fits the requirements"

RULES: Tuple[Tuple[str, str, str], ...] = (
    (
        r"No space left on device",
        "the disk is full",
        "Free disk space, then apply again: completed steps are kept.",
    ),
    (
        r"\b40[13]\b|Unauthorized|Forbidden|credentials",
        "the package index refuses access",
        "Give credentials by the environment: https://${USER}:${TOKEN}@HOST in the requirements file, a .netrc file, "
        "or UV_INDEX_URL (pip: PIP_INDEX_URL).",
    ),
    (
        r"[Hh]ash mismatch|HASHES|[Hh]ashes? (are|is) (required|missing)|require-hashes",
        "a package is not what the hashes of the requirements file say",
        "Either the file is out of date: make it anew (uv pip compile --generate-hashes). Or the index gives other "
        "files than it did, which is a reason to look twice.",
    ),
    (
        r"no wheels? with a matching|no usable wheels|no compatible wheels|not a supported wheel|not compatible with",
        "a package has no wheel for this Python and machine",
        "Ask for a version that has one, or for another Python: environment { python = ... }.",
    ),
    (
        r"Failed to build|[Ff]ailed building wheel|metadata-generation-failed|subprocess-exited-with-error",
        "a package has to be built from source, and that failed",
        "Ask for a version that has a wheel for this Python, or install what its build needs (a compiler, headers).",
    ),
    (
        r"error sending request|dns error|tcp connect error|[Cc]onnection refused|NewConnectionError|timed? ?out"
        r"|Temporary failure in name resolution|Network (is )?unreachable|Network connectivity is disabled|HTTP status",
        "the package index cannot be reached",
        "Check the network and the index: UV_INDEX_URL (pip: PIP_INDEX_URL), HTTPS_PROXY. Without a network, packages "
        "can lie in a folder: UV_FIND_LINKS and UV_NO_INDEX=1.",
    ),
    (
        r"No solution found|ResolutionImpossible|No matching distribution|conflicting dependencies|not found in",
        UNFIT,
        "Change the versions that it names; `uv pip compile` makes a file that fits.",
    ),
)
"""What a program prints, what it means, and what to do. The first that fits counts."""


ON_MACHINES: Mapping[str, str] = {
    "the disk is full": "Give the backend a larger disk, then apply again: completed steps are kept.",
    "the package index refuses access": "The machine has no credentials for it. Give the backend an index that needs "
    'none in its network (`index_url`), or an image that has the packages: packages = "image".',
    "the package index cannot be reached": "The machine needs a way to the index: an address of its own, NAT, or an "
    "index in its network, which the backend names as `index_url`. Or an image that has the packages: "
    'packages = "image".',
}
"""What to do instead, where the environment is made on a machine that is there for its jobs alone."""

NOT_OWN = (
    "no set of packages fits what the step needs",
    "They are the versions that are installed where zenctl plans, which the index may not have for this machine. Give "
    "the step a set of its own: environment { requirements = ... }.",
)
"""In place of UNFIT and its hint for a step that has no requirements file."""


def explain(tool: str, output: str, code: int, wanted: Optional[VirtualEnvironment] = None) -> EnvironmentProblem:
    """What is wrong, from the output of a program that failed while it made `wanted`."""
    said = _said(output)
    for number, (pattern, message, hint) in enumerate(RULES):
        if re.search(pattern, output):
            if wanted is not None and wanted.fetches:
                hint = ON_MACHINES.get(message, hint)
            if wanted is not None and not wanted.is_own and message == UNFIT:
                message, hint = NOT_OWN
            detail = f": {said}" if said else ""
            return EnvironmentProblem(f"{message}{detail}", hint, full=number == 0)
    return EnvironmentProblem(f"{tool} failed: {said or f'exit code {code}'}", "Its output is in the step's log.")


def _said(output: str) -> str:
    """The program's own explanation: uv's error with its causes, pip's errors, else the last line."""
    lines = [line.rstrip() for line in output.splitlines() if line.strip()]
    told: List[str] = []
    goes_on = False
    for line in lines:
        found = re.match(r"\s*(?:error|cause|ERROR|hint|×|╰─▶|├─▶|Caused by):?\s+(.*)", line)
        if found is not None:
            text = found.group(1).rstrip(":")
            goes_on = text not in told and not line.lstrip().startswith("hint")
            if goes_on:
                told.append(text)
        elif goes_on and re.match(r"\s{4,}|\s*│", line):
            # uv breaks long sentences.
            told[-1] += " " + line.strip(" │")
        else:
            goes_on = False
    return "; ".join(told[:LINES]) if told else lines[-1].strip() if lines else ""
