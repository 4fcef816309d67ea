"""Draws statistics as one HTML page that needs nothing else: no script, no font, no network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from zenctl.lazy_dataclasses import dataclass
from zenctl.sdk.snapshot import Schema
from zenctl.steps.statistics.charts import histogram, number, values

_STYLE = """
:root { color-scheme: light dark; --page: #fff; --text: #1c2024; --line: #d5d9de; --bar: #3b6fb6; --before: #b4570a;
  --soft: #5c6570; --bad: #b3261e; --mild: #fff4e0; }
@media (prefers-color-scheme: dark) { :root { --page: #14171a; --text: #e6e8ea; --line: #363c43; --bar: #6f9fe0;
  --before: #f0a35c; --soft: #a2abb5; --bad: #ff8a80; --mild: #3a2c14; } }
body { background: var(--page); color: var(--text); font: 14px/1.45 system-ui, sans-serif; margin: 2rem auto;
  max-width: 88rem; padding: 0 1rem; }
h1 { font-size: 1.4rem; margin: 0 0 .3rem; } .scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; } caption { font-size: 1.05rem; font-weight: 600; margin: 2rem 0 .5rem;
  text-align: left; }
th, td { border-bottom: 1px solid var(--line); padding: .5rem .45rem; text-align: left; vertical-align: top; }
thead th { color: var(--soft); font-weight: 500; }
tbody th { font-weight: 600; max-width: 16rem; overflow-wrap: break-word; }
.n { font-variant-numeric: tabular-nums; text-align: right; white-space: nowrap; } .missing { color: var(--bad); }
.soft { color: var(--soft); font-weight: 400; } .moved { background: var(--mild); }
svg { display: block; } rect { fill: var(--bar); } path { fill: none; stroke: var(--before); stroke-width: 1.5; }
.ends { color: var(--soft); display: flex; font-size: .8em; justify-content: space-between; width: 220px; }
.values { align-items: center; display: grid; gap: .15rem .6rem; grid-template-columns: minmax(4rem, auto) 7rem 1fr;
  justify-content: start; } .values > span { overflow-wrap: anywhere; } .values > .n { text-align: left; }
.track { background: var(--line); display: block; height: .7em; position: relative; }
.bar { background: var(--bar); display: block; height: 100%; }
.mark { border-left: 2px solid var(--before); bottom: -2px; position: absolute; top: -2px; }
.key { border-bottom: 2px solid var(--before); }
"""

MOVED = 0.1
"""A Jensen-Shannon distance from which on a column is called moved ..."""

BEYOND_CHANCE = 1.5
"""... if it is as many times what chance alone gives for so many rows."""

Feature = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Pair:
    """A column of the data and of the baseline, with the rows of both."""

    name: str
    data: Feature
    rows: int
    before: Feature | None
    rows_before: int
    drift: float | None
    chance: float

    @property
    def moved(self) -> bool:
        return self.drift is not None and self.drift >= max(MOVED, BEYOND_CHANCE * self.chance)


def render(document: Mapping[str, Any], schema: Schema) -> str:
    """The page of a statistics.json (with or without histograms, with or without a baseline)."""
    rows, features = document["rows"], document["features"]
    baseline = document.get("baseline")
    distances = document.get("drift", {})
    pairs = {
        f.name: _Pair(
            f.name,
            features[f.name],
            rows,
            baseline["features"].get(f.name) if baseline else None,
            baseline["rows"] if baseline else 0,
            distances.get(f.name, {}).get("distance"),
            distances.get(f.name, {}).get("chance", 0.0),
        )
        for f in schema.features
    }
    parts = [
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>Statistics</title>',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<style>{_STYLE}</style>\n</head>\n<body>\n<main>",
        f"<h1>{rows:,} rows, {len(schema.features):,} columns</h1>",
    ]
    if baseline:
        parts.append(_compared(baseline, list(pairs.values())))
    numbers = [pairs[f.name] for f in schema.features if f.type in ("int", "float")]
    texts = [pairs[f.name] for f in schema.features if f.type in ("string", "bytes")]
    drift = ("drift",) if baseline else ()
    if numbers:
        titles = (*drift, "missing", "zeros", "min", "5 %", "median", "95 %", "max", "mean", "std")
        parts.append(_table("Numbers", titles, "values", [_number_row(pair, bool(baseline)) for pair in numbers]))
    if texts:
        titles = (*drift, "missing", "different", "bytes")
        parts.append(_table("Texts", titles, "most frequent", [_text_row(pair, bool(baseline)) for pair in texts]))
    return "\n".join([*parts, "</main>\n</body>\n</html>\n"])


def _compared(baseline: Mapping[str, Any], pairs: Sequence[_Pair]) -> str:
    """What has changed, the most first."""
    moved = sorted((p for p in pairs if p.moved), key=lambda p: (-(p.drift or 0), p.name))
    names = {pair.name for pair in pairs}
    gone = sorted(set(baseline["features"]) - names)
    new = [pair.name for pair in pairs if pair.before is None]
    said = [f'Compared with a baseline of {baseline["rows"]:,} rows, <span class="key">drawn like this</span>.']
    listed = ", ".join(f"{escape(pair.name)} ({pair.drift:.2f})" for pair in moved[:10])
    said.append(f"Moved most: {listed}." if moved else "No column has moved.")
    said += [f"New: {', '.join(map(escape, new))}."] if new else []
    said += [f"Gone: {', '.join(map(escape, gone))}."] if gone else []
    hint = (
        "Drift is the Jensen-Shannon distance: 0 for equal distributions, 1 for nothing in common. Few rows differ by "
        "chance alone: what is not well beyond that is not called moved."
    )
    return f'<p>{" ".join(said)}</p>\n<p class="soft">{hint}</p>'


def _table(title: str, titles: Sequence[str], last: str, lines: Sequence[str]) -> str:
    head = "".join(f'<th scope="col" class="n">{text}</th>' for text in titles)
    first = f'<thead><tr><th scope="col">column</th>{head}<th scope="col">{last}</th></tr></thead>'
    body = "\n".join(lines)
    whole = f"<table>\n<caption>{title}</caption>\n{first}\n<tbody>\n{body}\n</tbody>\n</table>"
    return f'<div class="scroll">\n{whole}\n</div>'


def _number_row(pair: _Pair, compared: bool) -> str:
    data, before = pair.data, pair.before
    cells = [_missing(pair), _cell(_both(_share, pair, "zeros"))]
    quantiles, were = data.get("quantiles", {}), (before or {}).get("quantiles", {})
    for source, was, key in (
        (data, before or {}, "min"),
        (quantiles, were, "0.05"),
        (quantiles, were, "0.5"),
        (quantiles, were, "0.95"),
        (data, before or {}, "max"),
        (data, before or {}, "mean"),
        (data, before or {}, "std"),
    ):
        text = number(source[key]) if key in source else ""
        cells.append(_cell(text + (_was(number(was[key]), text) if key in was else "")))
    notes = [f"{data[key]:,} {word}" for key, word in (("nan", "NaN"), ("infinite", "infinite")) if data.get(key)]
    note = f'<div class="missing">{", ".join(notes)}</div>' if notes else ""
    drawn = '<span class="soft">no value</span>'
    if "histogram" in data:
        drawn = histogram(data["histogram"], (before or {}).get("histogram"))
    return _row(pair, cells, f"{drawn}{note}", compared)


def _text_row(pair: _Pair, compared: bool) -> str:
    data = pair.data
    length = data.get("length")
    span = f"{length['min']:,} to {length['max']:,}" if length else ""
    cells = [_missing(pair), _cell(_both(_different, pair, "unique")), _cell(span)]
    return _row(pair, cells, values(data, pair.before), compared)


def _row(pair: _Pair, cells: Sequence[str], drawn: str, compared: bool) -> str:
    head = f'<th scope="row"><span>{escape(pair.name)}</span><br><span class="soft">{pair.data["type"]}</span></th>'
    drift = ""
    if compared:
        text = "new" if pair.before is None else "" if pair.drift is None else f"{pair.drift:.3f}"
        drift = _cell(text, "n moved" if pair.moved or pair.before is None else "n")
    return f"<tr>{head}{drift}{''.join(cells)}<td>{drawn}</td></tr>"


def _missing(pair: _Pair) -> str:
    return _cell(_both(_share, pair, "missing"), "n missing" if pair.data["missing"] else "n")


def _both(form: Any, pair: _Pair, key: str) -> str:
    text: str = form(pair.data[key], pair.rows) if key in pair.data else ""
    if pair.before is not None and key in pair.before:
        text += _was(form(pair.before[key], pair.rows_before), text)
    return text


def _was(text: str, now: str) -> str:
    if text == now:
        return ""
    return f'<br><span class="soft">was {text}</span>'


def _cell(text: str, kind: str = "n") -> str:
    return f'<td class="{kind}">{text}</td>'


def _share(count: int, rows: int) -> str:
    return "0" if not count else f"{count:,} ({100 * count / max(1, rows):.1f}&nbsp;%)"


def _different(count: int | None, _: int) -> str:
    return "many" if count is None else f"{count:,}"
