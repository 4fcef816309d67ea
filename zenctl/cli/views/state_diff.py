"""Shows how two recorded states differ: each address with the causes, its metrics side by side, and its outputs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from zenctl.cli.views.attributes import Side, text
from zenctl.cli.views.code_diffs import CodeDiffs
from zenctl.cli.views.drift import moved_by
from zenctl.cli.views.style import Style, columns, pad, plural, printable, short_digest
from zenctl.engine.data_drift import drift_json
from zenctl.engine.metrics import direction, is_number
from zenctl.plans.difference import ABSENT
from zenctl.plans.planjson import code_diff_json, reason_json

if TYPE_CHECKING:
    from zenctl.engine.state_differences import ResultDifference, StateDifference
    from zenctl.metadata.records import WorkspaceState
    from zenctl.sdk.drift import FeatureDrift

MOVERS = 5
"""Columns that are shown of each output: those that moved farthest."""


def difference_lines(found: StateDifference, style: Style) -> list[str]:
    """For people. Code is drawn where it was compared, each change of a file once."""
    lines = [style.bold(f"# {_side(found.before)} -> {_side(found.after)}"), ""]
    codes = CodeDiffs(style)
    for result in found.results:
        lines += [*_result(result, style)]
        if result.code is not None:
            lines += codes.of(result_document(result))
        lines.append("")
    if found.outputs:
        lines += ["Outputs:", ""]
        lines += [f"  {style.yellow('~')} {printable(str(difference))}" for difference in found.outputs]
        lines.append("")
    return [*lines, _summary(found)]


def _side(state: WorkspaceState) -> str:
    return f"{state.workspace}@{state.serial}"


def _result(result: ResultDifference, style: Style) -> Iterator[str]:
    if result.before is None or result.after is None:
        recorded = result.after or result.before
        assert recorded is not None, "one side has a result"
        came = result.before is None
        sign, said = (style.green("+"), "is new") if came else (style.red("-"), "is gone")
        yield f"{sign} {style.bold(str(result.addr))}  {style.dim(f'{said}: apply {recorded.serial}')}"
        return
    applies = f"apply {result.before.serial} -> {result.after.serial}"
    yield f"{style.yellow('~')} {style.bold(str(result.addr))}  {style.dim(applies)}"
    for reason in result.reasons:
        yield f"    {printable(reason.detail)}"
    if not result.reasons:
        yield f"    {style.dim('nothing that it depends on differs, but what came of it does')}"
    if result.metrics:
        yield from _metrics(result, style)
    for name, moved in result.drift.items():
        yield from _drift(name, moved, style)
    for name, (old, new) in result.outputs.items():
        shown = " -> ".join(short_digest(digest) if digest else "(none)" for digest in (old, new))
        yield f"    {style.dim(f'output {printable(name)}: {shown}')}"


def _metrics(result: ResultDifference, style: Style) -> Iterator[str]:
    names = {name: f"metrics.{printable(name)}" for name in result.metrics}
    texts = {name: _values(*pair) for name, pair in result.metrics.items()}
    width = max(columns(name) for name in names.values())
    first, second = (max(columns(pair[side]) for pair in texts.values()) for side in (0, 1))
    for name, (old, new) in texts.items():
        better = improved(name, *result.metrics[name])
        word = "" if better is None else style.green("  better") if better else style.red("  worse")
        right = pad(new, second) if word else new
        yield f"    {pad(names[name], width)}  {pad(old, first)} -> {right}{word}"


def _drift(output: str, moved: Sequence[FeatureDrift], style: Style) -> Iterator[str]:
    """The columns of an output that moved farthest."""
    shown = moved[:MOVERS]
    names = [f"{printable(output)}.{printable(item.name)}" for item in shown]
    width = max(columns(name) for name in names)
    for name, item in zip(names, shown, strict=True):
        yield f"    {pad(name, width)}  {moved_by(drift_json(item))}"
    if len(moved) > MOVERS:
        rest = plural(len(moved) - MOVERS, "column")
        yield f"    {style.dim(f'and {rest} of {printable(output)} that moved less')}"


def improved(name: str, before: Any, after: Any) -> bool | None:
    """Whether a metric is better than it was; None where its name does not tell which way is better."""
    way = direction(name)
    if not way or not is_number(before) or not is_number(after) or before == after:
        return None
    return bool(after > before) == (way == "max")


def _values(before: Any, after: Any) -> tuple[str, str]:
    """Both as texts; numbers with six digits where these tell them apart."""
    short = tuple(f"{value:.6g}" if isinstance(value, float) else _value(value) for value in (before, after))
    return (short[0], short[1]) if short[0] != short[1] else (_value(before), _value(after))


def _value(value: Any) -> str:
    return "(none)" if value is None else printable(text(Side(value)))


def _summary(found: StateDifference) -> str:
    changed = [r for r in found.results if r.before is not None and r.after is not None]
    counts = [
        (len(changed), "differs", "differ"),
        (sum(r.before is None for r in found.results), "is new", "are new"),
        (sum(r.after is None for r in found.results), "is gone", "are gone"),
        (found.same, "is the same", "are the same"),
    ]
    told = [f"{plural(count, 'result')} {one if count == 1 else many}" for count, one, many in counts if count]
    return ", ".join(told) + "." if told else "Nothing is recorded on either side."


def difference_document(found: StateDifference) -> dict[str, Any]:
    """`state diff -json`."""
    return {
        "format_version": "1.0",
        "project": found.after.project,
        "before": {"workspace": found.before.workspace, "serial": found.before.serial},
        "after": {"workspace": found.after.workspace, "serial": found.after.serial},
        "equal": found.equal,
        "changes": [result_document(result) for result in found.results],
        "outputs": [
            {"path": difference.path, "before": _json(difference.before), "after": _json(difference.after)}
            for difference in found.outputs
        ],
        "same": found.same,
    }


def result_document(result: ResultDifference) -> dict[str, Any]:
    """One address; `stale_because` has the shape of a plan's."""
    before, after = result.before, result.after
    document: dict[str, Any] = {
        "address": str(result.addr),
        "change": "added" if before is None else "removed" if after is None else "changed",
        "before": None if before is None else {"execution_id": before.execution_id, "serial": before.serial},
        "after": None if after is None else {"execution_id": after.execution_id, "serial": after.serial},
        "stale_because": [reason_json(reason) for reason in result.reasons],
        "metrics": {
            name: {"before": old, "after": new, "better": improved(name, old, new)}
            for name, (old, new) in result.metrics.items()
        },
        "outputs": {name: {"before": old or None, "after": new or None} for name, (old, new) in result.outputs.items()},
    }
    if result.drift:
        document["drift"] = {name: [drift_json(item) for item in moved] for name, moved in result.drift.items()}
    if result.code is not None:
        document["code_diff"] = code_diff_json(result.code)
    return document


def _json(value: Any) -> Any:
    """A value of an output; null where it is not there, and of a sensitive one."""
    return None if value is ABSENT or value == {"sensitive": ""} else value
