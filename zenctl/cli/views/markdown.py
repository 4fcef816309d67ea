"""Writes a plan as Markdown for a pull request: the summary, a table of what happens and why, details to unfold.

What a plan shows comes from a branch that anybody may have written, so no text of it is Markdown, HTML or a mention:
all of it stands in code spans and fences.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from zenctl.cli.views import machines as machines_view
from zenctl.cli.views import plan as view
from zenctl.cli.views.style import PLAIN, printable
from zenctl.diagnostics import Diagnostic
from zenctl.plans.plan import Plan
from zenctl.plans.planjson import plan_document

Document = Mapping[str, Any]

MAX_CHARACTERS = 60_000
"""A comment on GitHub holds 65,536 characters; the rest is for what a workflow writes around it."""

MAX_REASON = 160
"""Characters of a reason in the table; the whole of it is among the details."""

MAX_PROBLEMS = 20
"""Errors and warnings that are told, errors first, each cut after a few lines."""

MAX_MACHINES = 10
"""Kinds of machines that are told one by one."""

DANGEROUS = ("DELETE", "REPLACE", "FORGET")
"""Actions whose rows stay whatever has to be left out."""


def markdown(plan: Plan, limit: int = MAX_CHARACTERS) -> str:
    """The plan as Markdown, `limit` characters at most: details are left out before rows, dangerous rows never."""
    document = plan_document(plan)
    changes = [c for c in document["resource_changes"] if c["zenctl_action"] != "NO_OP" or "previous_address" in c]
    outputs = {name: o for name, o in document["output_changes"].items() if o["actions"] != ["no-op"]}
    head = [f"### Plan for {code(plan.project)}, workspace {code(plan.workspace)}", "", _summary(document, changes), ""]
    made = f"<sub>zenctl {code(plan.zenctl_version)}, made after apply {plan.serial} at {code(plan.timestamp)}.</sub>"
    foot = ["", made]
    head += _diagnostics(plan.diagnostics)
    head += _machines(document["machines"])
    fixed = len("\n".join([*head, *foot])) + 400
    rows, left = _rows(changes, limit - fixed)
    if rows:
        head += ["| | Address | What | Why |", "|:-:|---|---|---|", *rows]
        head += [f"\n_{left} more rows are left out: `zenctl show` prints them all._"] if left else []
        head.append("")
    shown = _outputs(outputs)
    short = sum(map(len, shown)) < limit // 10
    head += shown if short else []
    blocks = [_details(change) for change in changes] + ([_drift(document["resource_drift"])] * bool(plan.drift))
    blocks = blocks if short else [shown, *blocks]
    room = limit - len("\n".join([*head, *foot])) - 200
    return "\n".join([*head, *_fitting(blocks, room), *foot]) + "\n"


def code(text: str) -> str:
    """A text as a code span, whatever stands in it."""
    text = " ".join(printable(text).split()) or " "
    runs = {len(run) for run in re.findall("`+", text)}
    ticks = "`" * next(count for count in range(1, len(runs) + 2) if count not in runs)
    space = " " if text[0] == "`" or text[-1] == "`" else ""
    return f"{ticks}{space}{text}{space}{ticks}"


def fence(lines: Sequence[str], language: str = "diff") -> list[str]:
    """Lines as a fenced block; none of them can end it."""
    longest = max((len(run) for line in lines for run in re.findall("`+", line)), default=0)
    ticks = "`" * max(3, longest + 1)
    return [f"{ticks}{language}", *lines, ticks]


def _cut(text: str, most: int = MAX_REASON) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _cell(text: str) -> str:
    """A code span that stands in a table: there a bar ends the cell even inside of code."""
    return code(text).replace("|", "\\|")


def _summary(document: Document, changes: Sequence[Document]) -> str:
    if document["errored"]:
        return "**Planning failed.** The errors are below."
    if changes:
        return f"**{view.summary_line(document['zenctl_summary'])}**"
    if not document["applyable"]:
        return f"**No changes.** {document['zenctl_summary']['no_op']} up to date."
    return "**Only outputs change.** Nothing has to run."


def _diagnostics(diagnostics: Sequence[Diagnostic]) -> list[str]:
    lines = []
    for diagnostic in sorted(diagnostics, key=lambda d: not d.is_error)[:MAX_PROBLEMS]:
        word = "Error" if diagnostic.is_error else "Warning"
        place = f" at {code(str(diagnostic.range))}" if diagnostic.range else ""
        lines.append(f"- **{word}**{place}: {code(_cut(diagnostic.summary))}")
        lines += [f"  <br>{code(_cut(diagnostic.detail, 500))}"] if diagnostic.detail else []
    if len(diagnostics) > MAX_PROBLEMS:
        lines.append(f"- and {len(diagnostics) - MAX_PROBLEMS} more")
    return [*lines, ""] if lines else []


def _machines(machines: Sequence[Document]) -> list[str]:
    lines = [f"- {code(view.machine_lines([item], PLAIN)[1])}" for item in machines]
    if len(lines) > MAX_MACHINES:
        lines = [*lines[:MAX_MACHINES], f"- and {len(lines) - MAX_MACHINES} more"]
    basis = [f"<sub>{code(line)}</sub>" for line in machines_view.basis(machines)[:MAX_MACHINES]]
    return ["**Machines**", "", *lines, "", *basis, *([""] if basis else [])] if lines else []


def _rows(changes: Sequence[Document], room: int) -> tuple[list[str], int]:
    """The rows that fit, in the plan's order, and how many do not."""
    rows = [_row(change) for change in changes]
    kept = {i for i, change in enumerate(changes) if change["zenctl_action"] in DANGEROUS}
    room -= sum(len(rows[i]) + 1 for i in kept)
    for i, row in enumerate(rows):
        if i not in kept and len(row) < room:
            kept.add(i)
            room -= len(row) + 1
    return [row for i, row in enumerate(rows) if i in kept], len(rows) - len(kept)


def _row(change: Document) -> str:
    reasons = [view.reason_line(reason) for reason in change["stale_because"]]
    what = view.headline(change).removeprefix(change["address"]).strip()
    if "previous_address" in change:
        what = "moves" if change["zenctl_action"] == "NO_OP" else what
        reasons.append(f"has moved from {change['previous_address']}")
    first = reasons[0] if reasons else ""
    why = _cell(_cut(first)) if first else ""
    more = f" and {len(reasons) - 1} more" if len(reasons) > 1 else ""
    sign = view.symbol(change)
    return f"| {_cell(sign) if sign else ''} | {_cell(change['address'])} | {what} | {why}{more} |"


def _outputs(outputs: Mapping[str, Document]) -> list[str]:
    if not outputs:
        return []
    return ["**Outputs**", "", *fence([_flush(line) for line in view.output_lines(outputs, PLAIN)]), ""]


def _details(change: Document) -> list[str]:
    """A change with all its reasons and its attributes, folded; nothing where the table has said it all."""
    headline, *lines = view.change_lines(change, PLAIN)
    if not lines or (len(lines) == 1 and len(lines[0]) <= MAX_REASON):
        return []
    return _folded(headline.strip("# "), [_flush(line) for line in lines])


def _drift(drift: Sequence[Document]) -> list[str]:
    lines = [f"{c['address']}: {view.reason_line(reason)}" for c in drift for reason in c["stale_because"]]
    return _folded("What changed since the last apply, not by zenctl", lines, "text")


def _folded(title: str, lines: Sequence[str], language: str = "diff") -> list[str]:
    safe = title.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return [f"<details><summary><code>{safe}</code></summary>", "", *fence(lines, language), "", "</details>"]


def _flush(line: str) -> str:
    """The line with its sign in the first column, where a diff's colours come from; `!` is how it writes a change."""
    found = re.fullmatch(r"( *)(-/\+|\+/-|[-+~])( .*)", printable(line))
    if found is None:
        return re.sub(r"^  #   ", "# ", printable(line))
    blank, sign, rest = found.groups()
    return f"{'!' if sign == '~' else sign}{blank}{rest}"


def _fitting(blocks: Sequence[Sequence[str]], room: int) -> list[str]:
    """The blocks that fit one after another, and a line that says how many do not."""
    lines: list[str] = []
    left = 0
    for block in blocks:
        size = sum(len(line) + 1 for line in block)
        if size > room:
            left += 1
            continue
        room -= size
        lines += block
    note = f"\n_The details of {left} changes are left out: `zenctl show` of the plan file prints them._"
    return [*lines, note] if left else lines
