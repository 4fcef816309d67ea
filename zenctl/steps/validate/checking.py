"""Holds what is recorded of a dataset, its schema and statistics, against what is expected. Pure: reads no rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from zenctl.diagnostics import did_you_mean
from zenctl.lazy_dataclasses import dataclass
from zenctl.sdk import StepError
from zenctl.sdk.snapshot import Schema
from zenctl.steps.validate.anomalies import Anomaly
from zenctl.steps.validate.rules import Rule
from zenctl.steps.validate.schema import Expectation, SchemaDocument, ValidateSettings


@dataclass(frozen=True, slots=True)
class Recorded:
    """What is known of a dataset without reading it."""

    rows: int
    schema: Schema
    features: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Checked:
    """What is wrong with the data as a whole, and the rules that some row breaks or may break."""

    anomalies: tuple[Anomaly, ...]
    rules: tuple[Rule, ...]


def expectations(settings: ValidateSettings, given: SchemaDocument | None) -> dict[str, Expectation]:
    """What is expected of each column: of the schema, changed attribute by attribute by the `feature` blocks."""
    found = dict(given.features) if given is not None else {}
    for name, more in settings.feature.items():
        said = more.model_dump(exclude_none=True)
        known = found[name].model_dump(exclude_none=True) if name in found else {}
        if "max_missing" in said:
            known.pop("presence", None)
        if said.get("presence") == "required":
            known.pop("max_missing", None)
        found[name] = Expectation.model_validate({**known, **said})
    return found


def check(
    recorded: Recorded, expected: Mapping[str, Expectation], settings: ValidateSettings, *, closed: bool
) -> Checked:
    """Compare. `closed` says that columns which are not expected are anomalies. Raises StepError for rules that make
    no sense for a column's type.
    """
    found: list[Anomaly] = []
    rules: list[Rule] = []
    if recorded.rows < settings.min_rows:
        found.append(
            Anomaly("too_few_rows", f"there are {recorded.rows:,} rows, wanted at least {settings.min_rows:,}")
        )
    names = recorded.schema.names
    for name, wanted in expected.items():
        if name not in names:
            hint = did_you_mean(name, [other for other in names if other not in expected]).strip()
            found.append(Anomaly("missing_column", f"is missing{'. ' + hint if hint else ''}", name))
            continue
        data = recorded.features[name]
        type_ = recorded.schema.feature(name).type
        if wanted.type is not None and data["count"] and (type_, wanted.type) not in _PASSING | {(type_, type_)}:
            found.append(Anomaly("type_changed", f"is {type_}, expected was {wanted.type}", name))
            continue
        found += _missing(name, wanted, data, recorded.rows, rules)
        if data["count"]:
            rules += _rules(name, type_, wanted, data)
    if closed:
        found += [Anomaly("new_column", "is new", name) for name in names if name not in expected]
    return Checked(tuple(found), tuple(rules))


_PASSING = {("int", "float"), ("string", "bytes")}
"""Types found that pass for another one expected."""


def _missing(name: str, wanted: Expectation, data: Mapping[str, Any], rows: int, rules: list[Rule]) -> list[Anomaly]:
    missing = int(data["missing"]) + int(data.get("nan", 0))
    if not missing or (wanted.presence == "optional" and wanted.max_missing is None):
        return []
    allowed = wanted.max_missing or 0.0
    if not allowed:
        rules.append(Rule(name, "missing_values"))
    elif missing > allowed * rows:
        return [Anomaly("missing_values", f"has no value (allowed are {100 * allowed:g} %)", name, missing)]
    return []


def _rules(name: str, type_: str, wanted: Expectation, data: Mapping[str, Any]) -> list[Rule]:
    """The rules that statistics alone cannot tell to hold."""
    is_number, is_text = type_ in ("int", "float"), type_ == "string"
    found: list[Rule] = []
    if wanted.min is not None or wanted.max is not None:
        _require(is_number, name, "min and max are for numbers", type_)
        if not _inside(data, wanted, type_):
            found.append(Rule(name, "out_of_range", least=wanted.min, greatest=wanted.max))
    if wanted.domain is not None:
        _require(type_ in ("int", "string"), name, "domain is for texts and whole numbers", type_)
        wrong = next((value for value in wanted.domain if is_text != isinstance(value, str)), None)
        if wrong is not None:
            holds = "texts" if is_text else "whole numbers"
            raise StepError(f'feature "{name}": the column holds {holds}, and {wrong!r} of its domain is none')
        if not _listed(data, wanted.domain):
            found.append(Rule(name, "out_of_domain", domain=tuple(wanted.domain)))
    if wanted.pattern is not None:
        _require(is_text, name, "pattern is for texts", type_)
        found.append(Rule(name, "pattern_mismatch", pattern=wanted.pattern))
    return found


def _inside(data: Mapping[str, Any], wanted: Expectation, type_: str) -> bool:
    """Whether least and greatest value are in range; infinite ones, which these leave out, are not."""
    if data.get("infinite"):
        return False
    if "min" not in data:
        return True
    as_held = (lambda bound: float(np.float32(bound))) if type_ == "float" else float
    above = wanted.min is None or data["min"] >= as_held(wanted.min)
    return above and (wanted.max is None or data["max"] <= as_held(wanted.max))


def _listed(data: Mapping[str, Any], domain: list[str | int]) -> bool:
    """Whether the statistics list all values, and all are in the domain."""
    top = data.get("top", [])
    return data.get("unique") == len(top) and {entry["value"] for entry in top} <= set(domain)


def _require(holds: bool, name: str, what: str, type_: str) -> None:
    if not holds:
        raise StepError(f'feature "{name}": {what}, but the column is {type_}', "Take it out, or name another column.")
