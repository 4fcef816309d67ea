"""Draws a plan for people, from the same document that `show -json` prints: what happens to each address, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from zenctl.cli.terminal import Terminal
from zenctl.cli.views import machines as machines_view
from zenctl.cli.views.attributes import UNKNOWN, AttributeLines, Side, text
from zenctl.cli.views.code_diffs import CodeDiffs
from zenctl.cli.views.drift import mover_lines
from zenctl.cli.views.style import Style, pad, printable
from zenctl.plans.plan import Plan
from zenctl.plans.planjson import counted, plan_document

Document = Mapping[str, Any]

LEGEND = {
    "+": "run for the first time, or create",
    "~": "run again, or update in place",
    "?": "may run: only if a result before it turns out different",
    "=": "reuse a result that is already recorded",
    "-": "delete",
    "<=": "record as it is now; nothing is done to it",
    "-/+": "delete, then create in its place",
    "+/-": "create in its place, then delete",
    ".": "forget: the address has no result any more; records and artifacts stay",
}
"""What each symbol means, in the order in which they are listed."""

_HEADLINES = {
    ("RUN", "create"): "will be run",
    ("RUN", "update"): "will be run again",
    ("MAY_RUN", "update"): "may run",
    ("REUSE", "create"): "will reuse a recorded result",
    ("REUSE", "update"): "will reuse a recorded result",
    ("FORGET", "forget"): "will be forgotten",
    ("CREATE", "create"): "will be created",
    ("UPDATE", "update"): "will be updated in place",
    ("REPLACE", "delete"): "must be replaced",
    ("REPLACE", "create"): "must be replaced",
    ("DELETE", "delete"): "will be deleted",
    ("READ", "read"): "has changed outside of zenctl, and will be recorded as it is",
}

_REASONS = {
    "NEVER_RAN": "has never run",
    "CODE_CHANGED": "code changed",
    "PARAMETERS_CHANGED": "parameters changed",
    "INPUT_CHANGED": "an input changed",
    "DATA_CHANGED": "data changed",
    "ENVIRONMENT_CHANGED": "environment changed",
    "IMPLEMENTATION_CHANGED": "the step type's implementation changed",
    "UPSTREAM_PENDING": "depends on a result that is known only after apply",
    "OUTPUT_MISSING": "an output is missing from the artifact store",
    "OUTPUT_CORRUPT": "an output in the artifact store is damaged",
    "FAILED_BEFORE": "failed in the last apply",
    "REQUESTED": "as requested",
    "MODEL_CHANGED": "the model changed",
    "CONFIG_CHANGED": "its configuration changed",
    "DRIFTED": "differs from what was recorded",
    "REMOVED": "is no longer in the configuration",
    "RECORDED_ELSEWHERE": "the same result is recorded already",
    "PINNED": "its version names a recorded snapshot",
    "TRIGGERED": "replace_triggered_by names something that runs",
    "TRIGGER_CHANGED": "triggers_replace changed",
    "NOT_CACHED": "is never cached",
    "CACHE_EXPIRED": "its result is too old",
    "KEPT": "something differs that does not count",
}
_LABELLED = {"DATA_CHANGED": "data", "ENVIRONMENT_CHANGED": "environment", "CODE_CHANGED": "code"}


def symbol(change: Document) -> str:
    """The symbol of a `resource_changes` item; empty for no-op."""
    action = change["zenctl_action"]
    fixed = {"MAY_RUN": "?", "REUSE": "=", "FORGET": ".", "DELETE": "-", "READ": "<=", "NO_OP": ""}
    if action == "REPLACE":
        return "+/-" if change["change"]["actions"][0] == "create" else "-/+"
    return fixed[action] if action in fixed else ("+" if change["change"]["actions"] == ["create"] else "~")


def headline(change: Document) -> str:
    """`step.python.fit will be run again`."""
    if change["zenctl_action"] == "NO_OP":
        return f"{change['previous_address']} has moved to {change['address']}"
    what = _HEADLINES[change["zenctl_action"], change["change"]["actions"][0]]
    if change["kind"] == "datasource":
        what = what.replace("be run", "be read").replace("may run", "may be read")
    codes = {reason["reason"] for reason in change["stale_because"]}
    if change["zenctl_action"] == "UPDATE" and codes == {"UPSTREAM_PENDING"}:
        what = "may be updated in place"
    return f"{change['address']} {what}"


def reason_line(reason: Mapping[str, Any]) -> str:
    """A reason as one line: its detail, with a label where the detail alone would not tell what kind it is."""
    detail = printable(str(reason["detail"]))
    code = str(reason["reason"])
    if not detail:
        return _REASONS.get(code, code)
    label = _LABELLED.get(code)
    return f"{label}: {detail}" if label and not detail.startswith(label) else detail


def summary_line(counts: Mapping[str, int]) -> str:
    """`Plan: 3 to run, 1 may run, 4 up to date.`; kinds that do not occur are left out."""
    return f"Plan: {counted(counts) or 'nothing'}."


def show(terminal: Terminal, plan: Plan, *, diff_code: bool = False) -> None:
    """Print the whole plan; with `diff_code` what changed in the steps' source too."""
    terminal.write("\n".join(lines(plan_document(plan), terminal.style, diff_code=diff_code)))


def lines(document: Document, style: Style, *, diff_code: bool = False) -> list[str]:
    """The lines of a plan document."""
    changes = [c for c in document["resource_changes"] if c["zenctl_action"] != "NO_OP" or "previous_address" in c]
    outputs = {name: output for name, output in document["output_changes"].items() if output["actions"] != ["no-op"]}
    kept = _kept_lines(document["resource_changes"])
    if not changes and not outputs:
        return ["", _no_changes(document, style), *kept]
    drawn: list[str] = []
    if changes:
        drawn += ["", *_legend([*map(symbol, changes), *map(machines_view.sign, document["machines"])], style)]
        verb = "planned this much before it met an error" if document["errored"] else "will do the following"
        where = "" if document["workspace"] == "default" else f" in workspace {document['workspace']}"
        drawn += [f"zenctl {verb}{where}:", ""]
        code = CodeDiffs(style) if diff_code else None
        for change in changes:
            drawn += [*change_lines(change, style), *(code.of(change) if code is not None else ()), ""]
        drawn += machine_lines(document["machines"], style)
        drawn.append(style.bold(summary_line(document["zenctl_summary"])))
    if outputs:
        drawn += ["", "Changes to outputs:", *output_lines(outputs, style)]
        if not changes:
            drawn += ["", "Nothing has to run: apply only records these values."]
    return [*drawn, *kept]


def _kept_lines(changes: Sequence[Document]) -> list[str]:
    """What differs and leaves results in force all the same."""
    kept = [
        f"  {change['address']}: {reason_line(reason)}"
        for change in changes
        if change["zenctl_action"] == "NO_OP"
        for reason in change["stale_because"]
    ]
    return ["", "Up to date in spite of a change:", *kept] if kept else []


def machine_lines(machines: Sequence[Document], style: Style) -> list[str]:
    """The machines that are made for the jobs, one line each, and where their prices are from."""
    if not machines:
        return []
    width = max(len(machines_view.addresses(item)) for item in machines)
    drawn = [
        f"{coloured(machines_view.sign(item), style, 3)} {pad(machines_view.addresses(item), width)}  "
        f"{machines_view.line(item)}"
        for item in machines
    ]
    return ["Machines:", *drawn, *(style.dim(f"    {line}") for line in machines_view.basis(machines)), ""]


def output_lines(outputs: Mapping[str, Document], style: Style) -> list[str]:
    """One line for each output that changes, `=` aligned."""
    attributes = AttributeLines(style)
    width = max(len(name) for name in outputs)
    drawn = []
    for name, output in outputs.items():
        old = Side(output["before"], False, output["before_sensitive"])
        new = Side(output["after"], output["after_unknown"], output["after_sensitive"])
        action = output["actions"][0]
        sign = attributes.symbol({"create": "+", "delete": "-"}.get(action, "~"))
        shown = {"create": text(new), "delete": text(old)}.get(action, f"{text(old)} -> {text(new)}")
        drawn.append(f"  {sign} {pad(name, width)} = {shown.replace(UNKNOWN, style.dim(UNKNOWN))}")
    return drawn


def footer(terminal: Terminal, out: str, *, command: str = "apply") -> str:
    """What to type next: with the plan file if one was written, else that the plan was not kept."""
    rule = terminal.style.dim("─" * min(terminal.width, 100))
    if out:
        name = out if " " not in out else f'"{out}"'
        return f"\n{rule}\n\nThe plan is saved in {name}. To do exactly this:\n\n    zenctl apply {name}"
    return (
        f"\n{rule}\n\nThis plan was not saved (-out=FILE was not given): `zenctl {command}` makes its own,\n"
        "which can differ if code, data or configuration change in between."
    )


def _no_changes(document: Document, style: Style) -> str:
    if document["errored"]:
        return style.bold(style.red("Planning failed.")) + " The errors are below."
    head = style.bold(style.green("No changes."))
    if document["refresh_only"]:
        return f"{head} Everything that is recorded is still there as it was left."
    if document["destroy"]:
        return f"{head} There is nothing to destroy: no endpoint of this workspace is recorded."
    count = document["zenctl_summary"]["no_op"]
    return f"{head} Everything in the configuration is up to date{f' ({count} checked)' if count else ''}."


def _legend(used: Sequence[str], style: Style) -> list[str]:
    signs = [f"{coloured(sign, style, 3)} {LEGEND[sign]}" for sign in LEGEND if sign in used]
    return ["Symbols used below:", *signs, ""] if signs else []


def coloured(sign: str, style: Style, width: int = 0) -> str:
    """A symbol in its colour, right-aligned in `width` columns."""
    blank = " " * max(0, width - len(sign))
    draw = {
        "+": style.green,
        "~": style.yellow,
        "?": style.yellow,
        "=": style.cyan,
        "<=": style.cyan,
        "-": style.red,
        ".": style.dim,
    }
    return blank + "/".join(draw[part](part) for part in sign.split("/"))


def change_lines(change: Document, style: Style) -> list[str]:
    """The lines of one item of `resource_changes`: headline, reasons, attributes."""
    drawn = [style.bold(f"  # {headline(change)}")]
    if change["zenctl_action"] == "NO_OP":
        return drawn
    if "previous_address" in change:
        drawn.append(f"  #   has moved from {change['previous_address']}")
    for reason in change["stale_because"]:
        drawn.append(f"  #   {reason_line(reason)}")
        moved = reason.get("data", {}).get("drift")
        drawn += [f"  #     {line}" for line in mover_lines(moved)] if moved else []
    if change["zenctl_action"] == "FORGET":
        return drawn
    body = _body(change, style)
    sign = coloured(symbol(change), style, 3)
    opened = f'{sign} {change["kind"]} "{change["type"]}" "{change["name"]}"'
    return [*drawn, f"{opened} {{", *body, "    }"] if body else drawn


def _body(change: Document, style: Style) -> list[str]:
    what = change["change"]
    before, after = _visible(what["before"]), _visible(what["after"])
    if change["zenctl_action"] in ("MAY_RUN", "REUSE"):
        # Whether its inputs and outputs change is what the headline already says.
        before, after = ({k: v for k, v in (side or {}).items() if k == "params"} for side in (before, after))
        if change["change"]["actions"] == ["create"] or (before == after and not what["after_unknown"].get("params")):
            return []
    if what["actions"] == ["create"] and after is not None:
        after = {key: value for key, value in after.items() if key != "type" and value not in ({}, None, [])} | {
            key: after[key] for key in what["after_unknown"] if key in after
        }
    old = Side(before, what.get("before_unknown"), what["before_sensitive"]) if before is not None else None
    new = Side(after, what["after_unknown"], what["after_sensitive"]) if after is not None else None
    return AttributeLines(style).body(old, new, indent=6)


def _visible(side: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return dict(side) if side is not None else None
