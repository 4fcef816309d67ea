"""Shows runs side by side: a row for each with what differs and its metrics, or where that is too wide a column."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from zenctl.cli.views.state import moment, param_text
from zenctl.cli.views.style import Style, columns, pad, plural, printable, short_digest
from zenctl.fingerprint.environment import short_image

if TYPE_CHECKING:
    from zenctl.engine.run_comparison import Column, Run, RunTable

_NONE = "-"
_BEST = " *"
_LONGEST = 40
"""Characters of a value that are shown; -json has all of it."""


def comparison_lines(tables: Sequence[RunTable], style: Style, width: int) -> list[str]:
    """A table for each address. One that is wider than the terminal is turned, so that its runs are columns."""
    lines: list[str] = []
    for table in tables:
        lines += ["", *_table_lines(table, style, width)] if lines else _table_lines(table, style, width)
    return lines


def _table_lines(table: RunTable, style: Style, width: int) -> list[str]:
    named = names(table.columns)
    metrics = [name for name in table.ways if not _is_given(table, name)]
    head = ["RUN", "WHEN", *(printable(named[column]) for column in table.columns), *map(printable, metrics)]
    texts = [_texts([run.given.get(column) for run in table.runs], column) for column in table.columns]
    marked = [_metric(table, name) for name in metrics]
    rows = [
        [_run(run), moment(run.recorded.produced_ms or run.recorded.ended_ms), *(text[i] for text in (*texts, *marked))]
        for i, run in enumerate(table.runs)
    ]
    lines = _aligned([head, *rows])
    if max(map(columns, lines)) > width:
        lines = _aligned([list(cells) for cells in zip(head, *rows, strict=True)])
        drawn = [_best(line, style) for line in lines]
    else:
        drawn = [style.dim(lines[0]), *(_best(line, style) for line in lines[1:])]
    return [style.bold(f"# {table.addr}"), "", *drawn, *_notes(table, named, style)]


def _is_given(table: RunTable, metric: str) -> bool:
    """Whether a metric only says what the run was given, which has a column already."""
    columns = [column for column in table.columns if column.name == metric]
    return any(all(r.metrics.get(metric) == r.given.get(column) for r in table.runs) for column in columns)


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(columns(row[at]) for row in rows) for at in range(len(rows[0]))]
    return ["  ".join(pad(cell, width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _best(line: str, style: Style) -> str:
    """The line with its marks in colour."""
    return style.green("*").join(line.split("*")) if "*" in line else line


def _run(run: Run) -> str:
    return f"{run.recorded.workspace}@{run.recorded.serial}"


def names(given: Sequence[Column]) -> dict[Column, str]:
    """How columns are called: by their name alone where no other has it."""
    counted = Counter(column.name for column in given)
    return {c: c.name if counted[c.name] == 1 else f"{c.address} {c.name}" for c in given}


def _texts(values: Sequence[Any], column: Column) -> list[str]:
    if column.kind == "parameter":
        return [_NONE if value is None else _cut(param_text(value)) for value in values]
    if column.kind == "data":
        return [_NONE if value is None else _data(value) for value in values]
    if column.kind == "image":
        return [_NONE if value is None else short_image(str(value)) for value in values]
    return [_NONE if value is None else _cut(short_digest(str(value))) for value in values]


def _data(value: Mapping[str, Any]) -> str:
    rows = [plural(int(value["rows"]), "row")] if value.get("rows") is not None else []
    return " ".join([short_digest(str(value["digest"]))[:8], *rows])


def _metric(table: RunTable, name: str) -> list[str]:
    """A metric of each run, the best with a mark; with as many digits as tell those that differ apart."""
    values = [run.metrics.get(name) for run in table.runs]
    for digits in (4, 6, 17):
        texts = [f"{value:.{digits}g}" if isinstance(value, float) else _plain(value) for value in values]
        if len(set(texts)) == len(set(map(_plain, values))):
            break
    return [text + (_BEST if i in table.best[name] else "") for i, text in enumerate(texts)]


def _plain(value: Any) -> str:
    if value is None:
        return _NONE
    if isinstance(value, float) and value.is_integer():
        return f"{value:.4g}"
    return _cut(param_text(value)) if isinstance(value, bool) else _cut(printable(str(value)))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _notes(table: RunTable, named: Mapping[Column, str], style: Style) -> Iterator[str]:
    """What the columns are of, and what was taken for best."""
    notes = []
    words = {
        "parameter": "a parameter",
        "code": "the code",
        "data": "the source",
        "package": "a package",
        "image": "the image",
    }
    for column in table.columns:
        if column.address != str(table.addr) and named[column] == column.name:
            notes.append(f"{printable(column.name)}: {words[column.kind]} of {column.address}")
    ways = {way: [printable(n) for n, w in table.ways.items() if w == way and table.best[n]] for way in ("max", "min")}
    told = [f"{word} {', '.join(ways[way])}" for way, word in (("max", "highest"), ("min", "lowest")) if ways[way]]
    if told:
        notes.append(f"* best: {'; '.join(told)} (-metric NAME:min says otherwise)")
    if len(table.runs) == 1:
        notes.append("there is only one run: nothing to compare it with yet")
    if notes:
        yield ""
        yield from (style.dim(note) for note in notes)


def comparison_document(tables: Sequence[RunTable], project: str) -> dict[str, Any]:
    """`compare -json`."""
    return {"format_version": "1.0", "project": project, "tables": [_table(table) for table in tables]}


def _table(table: RunTable) -> dict[str, Any]:
    return {
        "address": str(table.addr),
        "columns": [{"name": c.name, "kind": c.kind, "address": c.address} for c in table.columns],
        "metrics": [
            {"name": name, "better": way or None, "best": sorted(table.best[name])} for name, way in table.ways.items()
        ],
        "runs": [
            {
                "project": run.recorded.project,
                "workspace": run.recorded.workspace,
                "serial": run.recorded.serial,
                "execution_id": run.recorded.execution_id,
                "reused_execution_id": run.recorded.source or None,
                "values": [run.given.get(column) for column in table.columns],
                "metrics": dict(run.metrics),
            }
            for run in table.runs
        ],
    }
