"""How values of variables are given on the command line, and how a person is asked for one. Light to import."""

from __future__ import annotations

from collections.abc import Callable
from typing import Union

from zenctl.lazy_dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class VariableText:
    """`-var name=text`."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class VariableFile:
    """`-var-file path`; the path is seen from the configuration's folder, as with Terraform's -chdir."""

    path: str


VariableArgument = Union[VariableText, VariableFile]
"""One flag; of several the last one that gives a variable wins."""


@dataclass(frozen=True, slots=True)
class Question:
    """A variable that needs a value and has none. A `hidden` answer must not be seen while it is typed."""

    name: str
    type: str
    description: str = ""
    hidden: bool = False
    ephemeral: bool = False


Ask = Callable[[Question], Union[str, None]]
"""Asks a person; None if there is no answer."""
