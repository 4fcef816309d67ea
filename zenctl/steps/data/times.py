"""Reads a column of times as whole or fractional numbers, and writes it back as it was."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from zenctl.lazy_dataclasses import dataclass
from zenctl.sdk import StepError
from zenctl.steps.data.durations import seconds

MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True)
class Times:
    """The times of rows, [rows]: int64 (of texts, microseconds since 1970 in UTC) or float64. `zone` says whether texts
    name one.
    """

    values: Any
    is_text: bool = False
    zone: bool = False

    def length(self, given: float | str, attribute: str) -> Any:
        """A length of time in the unit of the values. Raises StepError for one that does not fit them."""
        if self.is_text:
            return round(MICROSECONDS * (seconds(given) if isinstance(given, str) else given))
        if isinstance(given, str):
            raise StepError(
                f'{attribute} is the duration "{given}", but the times are numbers',
                "Give a number in the unit of these times: 3600 for an hour, if they are seconds.",
            )
        if self.values.dtype == np.int64:
            if not float(given).is_integer():
                raise StepError(f"{attribute} is {given:g}, but the times are whole numbers", "Give a whole number.")
            return int(given)
        return float(given)

    def at(self, given: float | str, attribute: str) -> Any:
        """A point in time in the unit of the values. Raises StepError for one that does not fit them."""
        if not self.is_text:
            if isinstance(given, str):
                raise StepError(f'{attribute} is the text "{given}", but the times are numbers', "Give a number.")
            return given
        if not isinstance(given, str):
            raise StepError(f"{attribute} is {given:g}, but the times are texts", 'Write "2026-03-01T00:00:00Z".')
        point = read_times(pa.array([given]), attribute)
        if point.zone != self.zone:
            here, there = ("a zone", "none") if point.zone else ("no zone", "one")
            raise StepError(f'{attribute}: "{given}" has {here}, but the times have {there}', "Write both alike.")
        return int(point.values[0])

    def written(self, values: Any) -> Any:
        """Times in the unit of the values, as an Arrow array of the column's type."""
        if not self.is_text:
            return pa.array(values)
        whole = not len(values) or not (values % MICROSECONDS).any()
        stamps = pa.array(values // MICROSECONDS if whole else values, pa.int64())
        texts = pc.strftime(stamps.cast(pa.timestamp("s" if whole else "us")), format="%Y-%m-%dT%H:%M:%S")
        return pc.binary_join_element_wise(texts, "Z", "") if self.zone else texts


def read_times(column: Any, name: str) -> Times:
    """The times of a column without missing values. Raises StepError for what is no time."""
    if column.null_count:
        raise StepError(f'column "{name}" has no time in {column.null_count:,} rows', "Leave these rows out before.")
    if pa.types.is_integer(column.type):
        return Times(np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.int64))
    if pa.types.is_floating(column.type):
        values = np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.float64)
        if not np.isfinite(values).all():
            raise StepError(f'column "{name}" holds a time that is no number', "Leave these rows out before.")
        return Times(values)
    texts = column.cast(pa.large_string())
    for zone in (None, "UTC"):
        try:
            stamps = texts.cast(pa.timestamp("us", zone))
        except pa.ArrowInvalid as error:
            reason = str(error)
            continue
        return Times(stamps.cast(pa.int64()).to_numpy(zero_copy_only=False), True, zone is not None)
    raise StepError(
        f'column "{name}" holds texts that are no times: {reason[:200]}',
        "Write them in ISO 8601, all with a zone or all without: 2026-03-01T12:00:00Z.",
    )
