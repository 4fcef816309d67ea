"""Version constraints in Terraform's syntax: `>= 0.1, < 2`, `~> 1.2`, `!= 1.3.0`."""

from __future__ import annotations

import re
from collections.abc import Callable

from zenctl.lazy_dataclasses import dataclass

Numbers = tuple[int, int, int]

CONSTRAINT = re.compile(r"\s*(=|!=|>=|<=|~>|>|<)?\s*v?(\d+(?:\.\d+){0,2})(?:-([0-9A-Za-z.-]+))?\s*")
VERSION = re.compile(r"v?(\d+(?:\.\d+){0,2})(?:[-.]?([0-9A-Za-z][0-9A-Za-z.+-]*))?")


@dataclass(frozen=True, slots=True)
class Version:
    """Three numbers, missing ones 0, and the pre-release part or ''."""

    numbers: Numbers
    pre: str = ""

    def before(self, other: Version) -> bool:
        """Whether it is older; a pre-release is older than its release."""
        if self.numbers != other.numbers:
            return self.numbers < other.numbers
        return bool(self.pre) and (not other.pre or self.pre < other.pre)


class ConstraintError(ValueError):
    """A text is not a version constraint; the message says what is."""


def satisfies(version: str, constraint: str) -> bool:
    """Whether the version meets every comma-separated part. Raises ConstraintError.

    As in Terraform a pre-release meets only a constraint that names exactly it.
    """
    found = VERSION.fullmatch(version)
    if not found:
        raise ConstraintError(f'"{version}" is not a version')
    ours = Version(_numbers(found[1]), found[2] or "")
    return all(_meets(ours, part) for part in constraint.split(","))


def _meets(ours: Version, part: str) -> bool:
    found = CONSTRAINT.fullmatch(part)
    if not found:
        raise ConstraintError(
            f'"{part.strip()}" is not a version constraint. Write for example ">= 0.1", "~> 0.1" or ">= 0.1, < 1"'
        )
    operator, digits, pre = found[1] or "=", found[2], found[3] or ""
    theirs = Version(_numbers(digits), pre)
    if ours.pre and ours != theirs:
        return operator == "!="
    if operator == "~>":
        return not ours.before(theirs) and ours.numbers < _next(digits)
    return OPERATORS[operator](ours, theirs)


OPERATORS: dict[str, Callable[[Version, Version], bool]] = {
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    ">": lambda a, b: b.before(a),
    ">=": lambda a, b: not a.before(b),
    "<": lambda a, b: a.before(b),
    "<=": lambda a, b: not b.before(a),
}


def _numbers(digits: str) -> Numbers:
    parts = [int(part) for part in digits.split(".")]
    major, minor, patch = [*parts, 0, 0][:3]
    return major, minor, patch


def _next(digits: str) -> Numbers:
    """The first version that `~>` no longer takes: the last but one number that was written goes up."""
    parts = [int(part) for part in digits.split(".")]
    if len(parts) == 3:
        return parts[0], parts[1] + 1, 0
    return parts[0] + 1, 0, 0
