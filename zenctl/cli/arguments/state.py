"""What `show`, `output`, `state list`, `state show` and `logs` were given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from zenctl.cli.arguments import values
from zenctl.diagnostics import Diagnostic, error


@dataclass(frozen=True, slots=True)
class ShowArguments:
    """Of `zenctl show`: a plan file, or the state of the workspace."""

    file: Path | None = None
    json: bool = False
    diff_code: bool = False


@dataclass(frozen=True, slots=True)
class OutputArguments:
    """Of `zenctl output`; `name` is empty for all."""

    name: str = ""
    json: bool = False
    raw: bool = False


@dataclass(frozen=True, slots=True)
class ListArguments:
    """Of `zenctl state list`; each filter is the beginning of an address, cut at a dot."""

    filters: tuple[str, ...] = ()
    json: bool = False


@dataclass(frozen=True, slots=True)
class AddressArguments:
    """Of `zenctl state show` and `zenctl logs`."""

    address: str
    json: bool = False
    follow: bool = False


def output_arguments(name: str, json: bool, raw: bool, found: list[Diagnostic]) -> OutputArguments:
    """Check the flags of `output`."""
    if json and raw:
        found.append(error("bad_argument", "-json and -raw together", "Each decides the form of what is printed."))
    if raw and not name:
        found.append(values.missing("The output's name", "-raw prints one value: zenctl output -raw NAME"))
    return OutputArguments(name, json, raw)


def address_arguments(
    command: str, texts: Sequence[str], json: bool, found: list[Diagnostic], *, follow: bool = False
) -> AddressArguments:
    """Check the one address that a command needs."""
    if not texts:
        detail = f"For example: zenctl {command} step.train.penguins\n`zenctl state list` lists the addresses."
        found.append(values.missing("The address", detail))
        return AddressArguments("", json, follow)
    return AddressArguments(values.address("", texts[0], found), json, follow)
