"""What `import` was given."""

from __future__ import annotations

from collections.abc import Sequence

from zenctl.cli.arguments import values
from zenctl.config.given import VariableArgument
from zenctl.diagnostics import Diagnostic
from zenctl.lazy_dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ImportArguments:
    """Of `zenctl import`. `ids` are as typed; `lock_timeout` is in seconds; `config_out` is a file to be written."""

    address: str
    ids: tuple[str, ...] = ()
    variables: tuple[VariableArgument, ...] = ()
    json: bool = False
    input: bool = True
    lock_timeout: float = 0.0
    config_out: str = ""


def import_arguments(
    words: Sequence[str],
    *,
    var: Sequence[str],
    var_file: Sequence[str],
    order: Sequence[str],
    json: bool,
    input: bool,
    lock_timeout: str,
    config_out: str,
    found: list[Diagnostic],
) -> ImportArguments:
    """Check the words and flags of `import`: an address, then what is to be recorded there."""
    address, *ids = words or [""]
    if not address:
        detail = "For example: zenctl import step.python.fit model=old/model metrics=old/metrics.json"
        found.append(values.missing("The address", detail))
    else:
        address = values.address("", address, found)
    return ImportArguments(
        address=address,
        ids=tuple(ids),
        variables=values.variables(var, var_file, order, found),
        json=json,
        input=input,
        lock_timeout=values.seconds("-lock-timeout", lock_timeout, found),
        config_out=config_out,
    )
