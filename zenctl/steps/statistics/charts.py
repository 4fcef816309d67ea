"""Draws histograms and bars as SVG and HTML: no script, colours by the page's variables, a text for who cannot see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

WIDTH, HEIGHT = 220, 52
SHOWN = 6
"""Values of a text column that are shown."""


def histogram(data: Mapping[str, Any], baseline: Mapping[str, Any] | None) -> str:
    """Bars of the data; a stepped line over them where there is a baseline in the same bins."""
    counts, edges = data["counts"], data["edges"]
    shares = _shares(counts)
    others = _shares(baseline["counts"]) if baseline is not None else []
    most, width = max(*shares, *others, 1e-12) if len(shares) + len(others) > 1 else 1.0, WIDTH / len(counts)
    parts = []
    for at, count in enumerate(counts):
        height = HEIGHT * shares[at] / most
        title = f"{number(edges[at])} to {number(edges[at + 1])}: {count:,}"
        if others and baseline is not None:
            title += f" ({100 * shares[at]:.1f} %), baseline {baseline['counts'][at]:,} ({100 * others[at]:.1f} %)"
        parts.append(
            f'<rect x="{at * width:.1f}" y="{HEIGHT - height:.1f}" width="{max(width - 1, 0.5):.1f}" '
            f'height="{height:.1f}"><title>{title}</title></rect>'
        )
    if others:
        parts.append(f'<path d="{_steps(others, most, width)}"/>')
    label = f"histogram from {number(edges[0])} to {number(edges[-1])}" + (
        " with the baseline as a line" if others else ""
    )
    svg = (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img" aria-label="{label}">'
        f"{''.join(parts)}</svg>"
    )
    return f'{svg}<div class="ends"><span>{number(edges[0])}</span><span>{number(edges[-1])}</span></div>'


def values(data: Mapping[str, Any], baseline: Mapping[str, Any] | None) -> str:
    """The most frequent values with bars, beside their share of the baseline."""
    top = data.get("top", [])[:SHOWN]
    if not top:
        return '<span class="soft">not counted</span>' if data["count"] else '<span class="soft">no value</span>'
    before = {entry["value"]: entry["count"] for entry in (baseline or {}).get("top", [])}
    lines = []
    for entry in top:
        text = entry["value"] if len(entry["value"]) <= 40 else entry["value"][:40] + "…"
        share = entry["count"] / max(1, data["count"])
        bar = f'<span class="track"><span class="bar" style="width:{100 * share:.1f}%"></span>'
        note = f"{100 * share:.1f}&nbsp;%"
        if baseline is not None and baseline["count"]:
            was = before.get(entry["value"], 0) / baseline["count"]
            bar += f'<span class="mark" style="left:{100 * was:.1f}%"></span>'
            note += f'<span class="soft"> was {100 * was:.1f}&nbsp;%</span>'
        named = f"<span>{escape(text)}</span>" if text.strip() else '<span class="soft">(blank)</span>'
        lines.append(f'{named}{bar}</span><span class="n">{note}</span>')
    return f'<div class="values">{"".join(lines)}</div>'


def number(value: float) -> str:
    """Six digits; whole numbers in full as far as they are short."""
    if isinstance(value, int) or (float(value).is_integer() and abs(value) < 10**7):
        return f"{int(value):,}" if abs(value) < 10**12 else f"{value:.6g}"
    return f"{value:,.6g}"


def _shares(counts: Sequence[int]) -> list[float]:
    total = max(1, sum(counts))
    return [count / total for count in counts]


def _steps(shares: Sequence[float], most: float, width: float) -> str:
    points = [f"M0 {HEIGHT}"]
    for at, share in enumerate(shares):
        height = HEIGHT - (HEIGHT - 1) * share / most
        points.append(f"L{at * width:.1f} {height:.1f}L{(at + 1) * width:.1f} {height:.1f}")
    return "".join([*points, f"L{WIDTH} {HEIGHT}"])
