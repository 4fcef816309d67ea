"""Sums up an apply: what was done, what failed and how to see why, what was skipped, and the outputs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from zenctl.addrs import EndpointAddr, parse
from zenctl.cli.terminal import Terminal
from zenctl.cli.views.outputs import output_block
from zenctl.cli.views.stream import JsonStream
from zenctl.cli.views.style import pad
from zenctl.diagnostics import has_errors
from zenctl.plans.planjson import value_type

if TYPE_CHECKING:
    from zenctl.engine.workflow import ApplyOutcome

_ENDPOINTS = ("created", "updated", "replaced", "deleted", "recorded", "unchanged")


def counts(outcome: ApplyOutcome) -> dict[str, int]:
    """How many addresses ended how, by the words of the summary line, in its order."""
    endpoints = Counter(outcome.endpoints.values())
    found = {
        "run": len(outcome.ran),
        "cut off": len(outcome.cut_off),
        "reused": len(outcome.reused),
        **{word: endpoints[word] for word in _ENDPOINTS[:-1]},
        "forgotten": len(outcome.forgotten),
        "up to date": len(outcome.unchanged) + endpoints["unchanged"],
        "failed": len(outcome.failed),
        "canceled": len(outcome.canceled),
        "skipped": len(outcome.skipped),
    }
    return {word: count for word, count in found.items() if count}


def headline(outcome: ApplyOutcome, *, destroy: bool = False) -> str:
    """`Apply complete: 2 run, 3 cut off, 4 up to date.`"""
    name = "Destroy" if destroy else "Apply"
    if outcome.interrupted:
        word = "was interrupted"
    elif outcome.failed or has_errors(outcome.diagnostics):
        word = "ended with errors"
    else:
        word = "complete"
    counted = ", ".join(f"{count} {word}" for word, count in counts(outcome).items())
    return f"{name} {word}: {counted or 'nothing was done'}."


def show(terminal: Terminal, outcome: ApplyOutcome, *, destroy: bool = False) -> None:
    """Print the summary for people."""
    style = terminal.style
    good = not outcome.failed and not outcome.interrupted and not has_errors(outcome.diagnostics)
    line = headline(outcome, destroy=destroy)
    terminal.write("\n" + style.bold(style.green(line) if good else style.red(line)))
    rows = [(style.red("failed"), "failed", address, _more(address)) for address in outcome.failed]
    rows += [(style.yellow("canceled"), "canceled", address, "") for address in outcome.canceled]
    rows += [(style.yellow("skipped"), "skipped", address, "") for address in outcome.skipped]
    if rows:
        width = max(len(address) for _, _, address, _ in rows)
        column = max(len(word) for _, word, _, _ in rows) + 2
        terminal.write()
        for shown, word, address, command in rows:
            blank = " " * (column - len(word))
            terminal.write(f"  {shown}{blank}{pad(address, width)}  {style.dim(command)}".rstrip())
    if rows and not terminal.in_automation:
        when = "After the cause is mended, `" if outcome.failed else "`"
        terminal.write(f"\nWhat ran is recorded. {when}zenctl apply` carries on from there.")
    if outcome.outputs and not destroy:
        terminal.write("\nOutputs:\n\n" + output_block(outcome.outputs, style))


def stream(writer: JsonStream, outcome: ApplyOutcome, *, destroy: bool = False) -> None:
    """The `change_summary` (always, also after a failure) and the `outputs` of an apply."""
    endpoints = Counter(outcome.endpoints.values())
    changes: dict[str, Any] = {
        "add": endpoints["created"] + endpoints["replaced"],
        "change": len(outcome.ran) + len(outcome.reused) + endpoints["updated"],
        "remove": endpoints["deleted"] + endpoints["replaced"],
        "import": 0,
        "operation": "destroy" if destroy else "apply",
        "zenctl": {
            "serial": outcome.serial,
            "interrupted": outcome.interrupted,
            "ran": list(outcome.ran),
            "cut_off": list(outcome.cut_off),
            "reused": list(outcome.reused),
            "unchanged": list(outcome.unchanged),
            "endpoints": dict(outcome.endpoints),
            "forgotten": list(outcome.forgotten),
            "failed": list(outcome.failed),
            "canceled": list(outcome.canceled),
            "skipped": list(outcome.skipped),
        },
    }
    writer.write("change_summary", headline(outcome, destroy=destroy), {"changes": changes})
    if outcome.outputs and not destroy:
        outputs = {name: _shown(output) for name, output in outcome.outputs.items()}
        writer.write("outputs", f"Outputs: {len(outputs)}", {"outputs": outputs})


def _shown(output: Mapping[str, Any]) -> dict[str, Any]:
    if output.get("sensitive"):
        return {"sensitive": True}
    value = output.get("value")
    return {"sensitive": False, "type": value_type(value), "value": value}


def _more(address: str) -> str:
    """The command that shows what a failed step printed. Of an endpoint that failed the error says all there is."""
    if isinstance(parse(address), EndpointAddr):
        return ""
    return "zenctl logs " + (f"'{address}'" if "[" in address else address)
