"""Draws statistics as one HTML page that needs nothing else: no script, no font, no network."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from zenctl.sdk.snapshot import Schema

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --bar: #4c78a8; --soft: #888; --bad: #c33; }
body { font: 14px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem; padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.05rem; margin: 2rem 0 .5rem; }
table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid var(--line); padding: .4rem .6rem; text-align: left; vertical-align: middle; }
th { color: var(--soft); font-weight: 500; } td.n, th.n { font-variant-numeric: tabular-nums; text-align: right; }
.missing { color: var(--bad); } .soft { color: var(--soft); } svg { display: block; } rect { fill: var(--bar); }
.bar { background: var(--bar); display: inline-block; height: .7em; margin-right: .5em; }
.values { display: grid; gap: .1rem .6rem; grid-template-columns: max-content max-content 1fr; }
"""

_WIDTH, _HEIGHT = 240, 44
_SHOWN = 5


def render(rows: int, schema: Schema, features: Mapping[str, Mapping[str, Any]]) -> str:
    """The page, from a schema and the features of a statistics.json (with or without histograms)."""
    numbers = [f.name for f in schema.features if f.type in ("int", "float")]
    texts = [f.name for f in schema.features if f.type in ("string", "bytes")]
    parts = [
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>Statistics</title>',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<style>{_STYLE}</style>\n</head>\n<body>",
        f"<h1>{rows:,} rows, {len(schema.features):,} columns</h1>",
    ]
    if numbers:
        lines = [_number_row(name, features[name], rows) for name in numbers]
        parts.append(_table("Numbers", ("missing", "zeros", "min", "mean", "max", "std"), "values", lines))
    if texts:
        lines = [_text_row(name, features[name], rows) for name in texts]
        parts.append(_table("Texts", ("missing", "different", "bytes"), "most frequent", lines))
    return "\n".join([*parts, "</body>\n</html>\n"])


def _table(title: str, titles: tuple[str, ...], last: str, lines: list[str]) -> str:
    head = "".join(f'<th class="n">{text}</th>' for text in titles)
    first = f"<tr><th>column</th><th>type</th>{head}<th>{last}</th></tr>"
    return "\n".join([f"<h2>{title}</h2>\n<table>", first, *lines, "</table>"])


def _number_row(name: str, data: Mapping[str, Any], rows: int) -> str:
    cells = [_missing(data, rows), _cell(_share(data["zeros"], rows) if "zeros" in data else "")]
    cells += [_cell(_number(data[key]) if key in data else "") for key in ("min", "mean", "max", "std")]
    notes = [f"{data[key]:,} {word}" for key, word in (("nan", "NaN"), ("infinite", "infinite")) if data.get(key)]
    note = f'<div class="missing">{", ".join(notes)}</div>' if notes else ""
    drawn = _histogram(data["histogram"]) if "histogram" in data else '<span class="soft">no value</span>'
    return f"<tr><td>{escape(name)}</td><td>{data['type']}</td>{''.join(cells)}<td>{drawn}{note}</td></tr>"


def _text_row(name: str, data: Mapping[str, Any], rows: int) -> str:
    unique = data.get("unique")
    length = data.get("length")
    span = f"{length['min']:,} to {length['max']:,}" if length else ""
    cells = [_missing(data, rows), _cell("many" if unique is None else f"{unique:,}"), _cell(span)]
    return f"<tr><td>{escape(name)}</td><td>{data['type']}</td>{''.join(cells)}<td>{_values(data, rows)}</td></tr>"


def _values(data: Mapping[str, Any], rows: int) -> str:
    top = data.get("top", [])[:_SHOWN]
    if not top:
        return '<span class="soft">not counted</span>' if data["count"] else '<span class="soft">no value</span>'
    lines = []
    for entry in top:
        value = entry["value"] if len(entry["value"]) <= 40 else entry["value"][:40] + "…"
        width = 12 * entry["count"] / max(1, rows)
        lines.append(
            f"<span>{escape(value)}</span><span>{_share(entry['count'], rows)}</span>"
            f'<span><span class="bar" style="width:{width:.2f}em"></span></span>'
        )
    return f'<div class="values">{"".join(lines)}</div>'


def _histogram(data: Mapping[str, Any]) -> str:
    counts, edges = data["counts"], data["edges"]
    most, width = max(1, *counts), _WIDTH / len(counts)
    bars = []
    for at, count in enumerate(counts):
        height = _HEIGHT * count / most
        title = f"{_number(edges[at])} to {_number(edges[at + 1])}: {count:,}"
        bars.append(
            f'<rect x="{at * width:.1f}" y="{_HEIGHT - height:.1f}" width="{max(width - 1, 0.5):.1f}" '
            f'height="{height:.1f}"><title>{title}</title></rect>'
        )
    label = f"histogram from {_number(edges[0])} to {_number(edges[-1])}"
    return f'<svg width="{_WIDTH}" height="{_HEIGHT}" role="img" aria-label="{label}">{"".join(bars)}</svg>'


def _missing(data: Mapping[str, Any], rows: int) -> str:
    return _cell(_share(data["missing"], rows), "n missing" if data["missing"] else "n")


def _cell(text: str, kind: str = "n") -> str:
    return f'<td class="{kind}">{text}</td>'


def _share(count: int, rows: int) -> str:
    return "0" if not count else f"{count:,} ({100 * count / max(1, rows):.1f}&nbsp;%)"


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) and abs(value) < 10**7 else f"{value:.6g}"
