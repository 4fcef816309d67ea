"""What `show`, `output`, `state list`, `state show` and `logs` were given."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from zenctl.cli.arguments import values
from zenctl.diagnostics import Diagnostic, error
from zenctl.lazy_dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ShowArguments:
    """Of `zenctl show`: a plan file, or the state of the workspace."""

    file: Path | None = None
    json: bool = False
    markdown: bool = False
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


def show_arguments(
    file: Path | None, json: bool, markdown: bool, diff_code: bool, found: list[Diagnostic]
) -> ShowArguments:
    """Check the flags of `show`."""
    if json and markdown:
        found.append(error("bad_argument", "-json and -markdown together", "Each decides the form of what is printed."))
    if markdown and file is None:
        found.append(values.missing("The plan file", "-markdown prints a plan: zenctl show -markdown FILE"))
    if diff_code and file is None:
        detail = "It shows what changed in the source of a saved plan: zenctl show -diff-code FILE"
        found.append(error("bad_argument", "-diff-code without a plan file", detail))
    return ShowArguments(file, json, markdown, diff_code)


@dataclass(frozen=True, slots=True)
class ReproduceArguments:
    """Of `zenctl reproduce`; `address` may end in the serial of an apply: `step.train.fit@3`."""

    address: str
    build: bool = True
    json: bool = False


def reproduce_arguments(text: str, build: bool, json: bool, found: list[Diagnostic]) -> ReproduceArguments:
    """Check the address that is to be reproduced."""
    if not text:
        detail = "For example: zenctl reproduce step.train.penguins\n`zenctl state list` lists the addresses."
        found.append(values.missing("The address", detail))
    else:
        address, _, serial = text.rpartition("@")
        values.address("", address if serial.isdigit() and address.count('"') % 2 == 0 else text, found)
    return ReproduceArguments(text, build, json)


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
