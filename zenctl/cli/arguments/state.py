"""What `show`, `output`, `state list`, `state show` and `logs` were given."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from zenctl.addrs import canonical
from zenctl.cli.arguments import values
from zenctl.config.given import VariableArgument
from zenctl.diagnostics import Diagnostic, error
from zenctl.lazy_dataclasses import dataclass

ADDRESS_LIKE = re.compile(r"(?:step|datasource|endpoint|backend|module)\.")
"""What begins as an address does, and is meant as one."""

SERIAL = re.compile(r"@\d{1,9}$")


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
    """Of `zenctl state list`; each filter is the beginning of an address, cut at a dot, each type one of a block."""

    filters: tuple[str, ...] = ()
    json: bool = False
    types: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AddressArguments:
    """Of `zenctl logs`."""

    address: str
    json: bool = False
    follow: bool = False


@dataclass(frozen=True, slots=True)
class LineageArguments:
    """Of `zenctl state show`; `what` are words that name a record, `format` is empty, dot or mermaid."""

    what: str
    json: bool = False
    format: str = ""


def lineage_arguments(what: str, json: bool, format: str, found: list[Diagnostic]) -> LineageArguments:
    """Check the words and flags of `state show`. Words that read like an address must be one."""
    if not what:
        detail = "For example: zenctl state show step.train.penguins\n`zenctl state list` lists the addresses."
        found.append(values.missing("The address, digest, folder or URL", detail))
    elif ADDRESS_LIKE.match(what):
        values.address("", SERIAL.sub("", what), found)
    if format:
        values.one_of("-format", format, ("dot", "mermaid"), found)
    if format and json:
        found.append(error("bad_argument", "-json and -format together", "Each decides the form of what is printed."))
    return LineageArguments(what, json, format)


@dataclass(frozen=True, slots=True)
class GetArguments:
    """Of `zenctl state get`; `folder` and `output` are empty where the user leaves the choice."""

    what: str
    folder: str = ""
    output: str = ""


def get_arguments(what: str, folder: str, output: str, found: list[Diagnostic]) -> GetArguments:
    """Check the words of `state get`."""
    if not what:
        detail = "For example: zenctl state get step.train.penguins.model\n`zenctl state list` lists the addresses."
        found.append(values.missing("What to copy", detail))
    return GetArguments(what, folder, output)


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


@dataclass(frozen=True, slots=True)
class VerifyArguments:
    """Of `zenctl state verify`; without addresses all that the scope names."""

    addresses: tuple[str, ...] = ()
    all_workspaces: bool = False
    everything: bool = False
    remove_corrupt: bool = False
    json: bool = False


def verify_arguments(
    texts: Sequence[str],
    found: list[Diagnostic],
    *,
    all_workspaces: bool,
    everything: bool,
    remove_corrupt: bool,
    json: bool,
) -> VerifyArguments:
    """Check what is to be verified."""
    if everything and (texts or all_workspaces):
        other = "addresses" if texts else "-all-workspaces"
        found.append(error("bad_argument", f"-all and {other} together", "-all reads every recorded result."))
    return VerifyArguments(patterns(texts, found), all_workspaces, everything, remove_corrupt, json)


def patterns(texts: Sequence[str], found: list[Diagnostic]) -> tuple[str, ...]:
    """Addresses of instances, blocks or modules, as typed without a flag."""
    return tuple(name for text in texts if (name := values.address("", text, found, read=canonical)))


@dataclass(frozen=True, slots=True)
class CollectArguments:
    """Of `zenctl state gc`; `older_than` and `lock_timeout` are in seconds."""

    keep: int = 0
    older_than: float = 0.0
    dry_run: bool = False
    auto_approve: bool = False
    force: bool = False
    json: bool = False
    variables: tuple[VariableArgument, ...] = ()
    lock_timeout: float = 0.0


def collect_arguments(
    found: list[Diagnostic],
    *,
    keep: str,
    older_than: str,
    dry_run: bool,
    auto_approve: bool,
    force: bool,
    json: bool,
    variables: tuple[VariableArgument, ...],
    lock_timeout: float,
) -> CollectArguments:
    """Check the flags of `state gc`."""
    if json and not (dry_run or auto_approve):
        detail = "It asks nothing while it prints JSON. Look first with -dry-run, or approve with -auto-approve."
        found.append(error("bad_argument", "-json needs -dry-run or -auto-approve", detail))
    return CollectArguments(
        values.count("-keep", keep, found) if keep and keep != "0" else 0,
        values.seconds("-older-than", older_than, found) if older_than else 0.0,
        dry_run,
        auto_approve,
        force,
        json,
        variables,
        lock_timeout,
    )


@dataclass(frozen=True, slots=True)
class RemoveArguments:
    """Of `zenctl state rm`; `lock_timeout` is in seconds."""

    addresses: tuple[str, ...]
    dry_run: bool = False
    json: bool = False
    lock_timeout: float = 0.0


def remove_arguments(
    texts: Sequence[str], found: list[Diagnostic], *, dry_run: bool, json: bool, lock_timeout: str
) -> RemoveArguments:
    """Check the addresses that are to be forgotten."""
    if not texts:
        detail = "For example: zenctl state rm step.python.fit\n`zenctl state list` lists the addresses."
        found.append(values.missing("The address", detail))
    return RemoveArguments(patterns(texts, found), dry_run, json, values.seconds("-lock-timeout", lock_timeout, found))


@dataclass(frozen=True, slots=True)
class MoveArguments:
    """Of `zenctl state mv`; `lock_timeout` is in seconds."""

    source: str
    target: str
    dry_run: bool = False
    json: bool = False
    lock_timeout: float = 0.0


def move_arguments(
    source: str, target: str, found: list[Diagnostic], *, dry_run: bool, json: bool, lock_timeout: str
) -> MoveArguments:
    """Check the two addresses of a move."""
    if not (source and target):
        detail = "For example: zenctl state mv step.python.fit step.python.train"
        found.append(values.missing("The new address" if source else "The address", detail))
    places = patterns([text for text in (source, target) if text], found)
    seconds = values.seconds("-lock-timeout", lock_timeout, found)
    both = places if len(places) == 2 else ("", "")
    return MoveArguments(*both, dry_run, json, seconds)
