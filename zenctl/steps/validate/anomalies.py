"""Anomalies: what does not pass, in words, with counts and examples, and as anomalies.json. Standard library only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from zenctl.digests import canonical_json
from zenctl.lazy_dataclasses import dataclass

FORMAT = 1
"""Version of anomalies.json's form."""

ANOMALIES_FILE = "anomalies.json"

LISTED = 20
"""Anomalies that a diagnostic lists."""

Example = tuple[Any, int]
"""A value, and in how many rows it is."""


@dataclass(frozen=True, slots=True)
class Anomaly:
    """Something that does not pass.

    `code` is new_column, missing_column, type_changed, missing_values, out_of_range, out_of_domain, pattern_mismatch,
    too_few_rows or duplicate_keys. `column` is empty where it concerns no single one. `rows` are those concerned, 0
    where it concerns the data as a whole; only what has `by_row` can be put into quarantine.
    """

    code: str
    message: str
    column: str = ""
    rows: int = 0
    by_row: bool = False
    examples: tuple[Example, ...] = ()

    def text(self, total: int) -> str:
        """One line for people. `total` is the number of rows there are."""
        text = f'column "{self.column}" {self.message}' if self.column else self.message
        if self.rows:
            share = 100 * self.rows / max(1, total)
            text += f" in {self.rows:,} of {total:,} rows ({share:.1f} %)"
        if self.examples:
            text += ": " + ", ".join(_shown(value, rows) for value, rows in self.examples)
        return text

    def to_data(self, total: int) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "code": self.code,
            "column": self.column,
            "message": self.text(total),
            "rows": self.rows,
            "examples": [{"value": _plain(value), "rows": rows} for value, rows in self.examples],
        }


def document(found: Sequence[Anomaly], total: int, quarantined: int) -> bytes:
    """anomalies.json: equal anomalies give equal bytes."""
    data = {
        "format": FORMAT,
        "rows": total,
        "quarantined": quarantined,
        "anomalies": [anomaly.to_data(total) for anomaly in found],
    }
    return canonical_json(data) + b"\n"


def counted(found: Sequence[Anomaly], total: int) -> str:
    """`1 anomaly in 344 rows`."""
    many = "1 anomaly" if len(found) == 1 else f"{len(found):,} anomalies"
    return f"{many} in {total:,} row{'' if total == 1 else 's'}"


def listed(found: Sequence[Anomaly], total: int) -> str:
    """A line for each, as many as a diagnostic has room for; the last one counts the rest."""
    lines = [f"  - {anomaly.text(total)}" for anomaly in found[:LISTED]]
    more = len(found) - LISTED
    return "\n".join([*lines, f"  - and {more:,} more, which stand in the log"] if more > 0 else lines)


def _shown(value: Any, rows: int) -> str:
    text = f"{value:.7g}" if isinstance(value, float) else repr(value)
    short = text if len(text) <= 60 else text[:57] + "..."
    return f"{short} ({rows:,})" if rows > 1 else short


def _plain(value: Any) -> Any:
    """Bytes have no JSON form, nor has what float cannot hold."""
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return str(value)
    return value if value is None or isinstance(value, (int, float, str)) else repr(value)
