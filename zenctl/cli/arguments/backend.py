"""Checks the flags of `zenctl backend`."""

from __future__ import annotations

from zenctl.config.given import VariableArgument
from zenctl.lazy_dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ShowArguments:
    """Of `zenctl backend show`; without an address all backends."""

    address: str = ""
    startup_script: bool = False
    json: bool = False
    variables: tuple[VariableArgument, ...] = ()
