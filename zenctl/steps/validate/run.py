"""Runs the step `validate`: from what is recorded of the data where that tells enough, else from its rows."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import ValidationError

from zenctl.diagnostics import did_you_mean
from zenctl.sdk import StepError
from zenctl.sdk.snapshot import SCHEMA_FILE
from zenctl.steps.data.composition import DatasetSource, as_dataset, fold, write_rows
from zenctl.steps.transform.log import log
from zenctl.steps.validate.anomalies import ANOMALIES_FILE, LISTED, Anomaly, counted, document, listed
from zenctl.steps.validate.checking import Recorded, check, expectations
from zenctl.steps.validate.rules import Count, Findings, KeyHashes, RepeatedKeys, Rule, Sort, add, merge
from zenctl.steps.validate.schema import SchemaDocument, ValidateSettings

if TYPE_CHECKING:
    from zenctl.sdk import Dataset, Job

_WORDS = {
    "missing_values": "has no value",
    "out_of_domain": "has a value outside of its domain",
    "pattern_mismatch": "does not match its pattern",
}


def validate(job: Job) -> None:
    """Write `data`, `anomalies` and, if asked for, `quarantine`. Raises StepError where what was found must stop it."""
    settings = ValidateSettings.model_validate(dict(job.params))
    data = as_dataset(job.inputs["data"])
    given = _given(job, settings)
    closed = settings.new_columns == "refuse" or (settings.new_columns is None and given is not None)
    recorded = Recorded(data.num_rows, data.schema, data.statistics)
    checked = check(recorded, expectations(settings, given), settings, closed=closed)
    findings = _count(data, checked.rules, job)
    rules = tuple(rule for rule in checked.rules if rule in findings)
    found = [*checked.anomalies, *(_anomaly(rule, findings[rule], settings.examples) for rule in rules)]
    repeated, keys = _repeated(data, settings, job)
    if keys:
        found.append(_duplicates(keys, settings))
    _stop(found, data.num_rows, settings)
    quarantined = _write(data, rules, repeated, frozenset(keys), job, settings)
    _tell(found, data.num_rows, quarantined, job)
    output = job.outputs["anomalies"]
    (output.path / ANOMALIES_FILE).write_bytes(document(found, data.num_rows, quarantined))
    output.describe(
        count=len(found),
        rows=data.num_rows,
        quarantined=quarantined,
        codes=dict(sorted(Counter(anomaly.code for anomaly in found).items())),
    )


def _given(job: Job, settings: ValidateSettings) -> SchemaDocument | None:
    """The schema of the file or of the input, if there is one."""
    if "schema" not in job.inputs:
        return settings.document
    try:
        raw: Any = json.loads((job.inputs["schema"].path / SCHEMA_FILE).read_bytes())
        return SchemaDocument.model_validate(raw)
    except (FileNotFoundError, ValidationError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise StepError(
            f'input "schema" holds no {SCHEMA_FILE}: {reason}', "Give the output schema of a step statistics."
        ) from error


def _count(data: Dataset, rules: tuple[Rule, ...], job: Job) -> Findings:
    if not rules:
        return {}
    columns = tuple(dict.fromkeys(rule.column for rule in rules))
    empty: Findings = {}
    source = DatasetSource(data.path, data.name, columns)
    return fold(source, Count(rules), merge, empty, job, total=data.num_rows)


def _repeated(
    data: Dataset, settings: ValidateSettings, job: Job
) -> tuple[RepeatedKeys | None, dict[tuple[Any, ...], int]]:
    """What finds rows with a key that is there twice, and these keys with the number of their rows."""
    key = tuple(settings.unique)
    if not key or not data.num_rows:
        return None, {}
    for name in key:
        if name not in data.schema.names:
            known = ", ".join(data.schema.names[:20])
            hint = f"Columns are {known}.{did_you_mean(name, data.schema.names)}"
            raise StepError(f'unique names the column "{name}", which the data does not have', hint)
        if data.schema.feature(name).type == "float":
            raise StepError(
                f'unique names the column "{name}", which holds fractions', "A key is of texts or whole numbers."
            )
    source = DatasetSource(data.path, data.name, key)
    empty: list[Any] = []
    hashes = np.sort(np.concatenate([np.empty(0, np.uint64), *fold(source, KeyHashes(key), add, empty, job)]))
    twice = np.unique(hashes[1:][hashes[1:] == hashes[:-1]])
    if not len(twice):
        return None, {}
    repeated = RepeatedKeys(key, twice)
    none: Counter[Any] = Counter()
    counts = fold(source, repeated, add, none, job, total=data.num_rows)
    return repeated, {values: rows for values, rows in counts.items() if rows > 1}


def _anomaly(rule: Rule, broken: Any, examples: int) -> Anomaly:
    if rule.code == "out_of_range":
        bounds = [f"below {rule.least:g}"] if rule.least is not None else []
        bounds += [f"above {rule.greatest:g}"] if rule.greatest is not None else []
        message = f"is {' or '.join(bounds)}"
    else:
        message = _WORDS[rule.code]
    return Anomaly(rule.code, message, rule.column, broken.rows, True, broken.examples(examples, rule))


def _duplicates(keys: dict[tuple[Any, ...], int], settings: ValidateSettings) -> Anomaly:
    ranked = sorted(keys.items(), key=lambda item: (-item[1], item[0]))[: settings.examples]
    shown = tuple((key[0] if len(key) == 1 else key, rows) for key, rows in ranked)
    what = f"the key {', '.join(settings.unique)} is not unique"
    return Anomaly("duplicate_keys", what, "", sum(keys.values()), True, shown)


def _stop(found: list[Anomaly], rows: int, settings: ValidateSettings) -> None:
    """Raise StepError for what must not pass."""
    stopping = found if settings.on_anomaly == "fail" else [anomaly for anomaly in found if not anomaly.by_row]
    if stopping and settings.on_anomaly != "warn":
        _log(stopping[LISTED:], rows)
        raise StepError(
            f"the data does not pass: {counted(stopping, rows)}\n{listed(stopping, rows)}",
            "Mend the data where it comes from; or, if it is right, change what is expected (`zenctl state schema "
            'ADDRESS` prints a schema that recorded data passes). on_anomaly = "warn" or "quarantine" lets it go on.',
            kind="bad_data",
        )


def _tell(found: list[Anomaly], rows: int, quarantined: int, job: Job) -> None:
    """Warn of what passed, or say that there was nothing."""
    if not found:
        log(f"{rows:,} rows, no anomalies")
        return
    aside = f", {quarantined:,} of them set aside" if quarantined else ""
    job.warn(f"{counted(found, rows)}{aside}", listed(found, rows))
    _log(found[LISTED:], rows)


def _log(found: list[Anomaly], rows: int) -> None:
    for anomaly in found:
        log(anomaly.text(rows))


def _write(
    data: Dataset,
    rules: tuple[Rule, ...],
    repeated: RepeatedKeys | None,
    keys: frozenset[tuple[Any, ...]],
    job: Job,
    settings: ValidateSettings,
) -> int:
    """Write the rows; gives the number of those that were set aside."""
    if settings.on_anomaly != "quarantine" or not (rules or keys):
        job.outputs["data"].pass_on(data)
        job.outputs["data"].describe(rows=data.num_rows)
        if settings.on_anomaly == "quarantine":
            job.outputs["quarantine"].declare(data.schema.types)
        return 0
    sort = Sort(rules, repeated if keys else None, keys)
    outputs = {name: job.outputs[name] for name in ("data", "quarantine")}
    source = DatasetSource(data.path, data.name)
    write_rows(source, sort, data.schema.types, outputs, job, total=data.num_rows)
    return int(job.outputs["quarantine"].rows)
