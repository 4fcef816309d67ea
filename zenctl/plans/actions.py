"""Actions and reasons: the vocabulary of a plan. Codes are API: tools rely on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import Enum
from typing import Any

from zenctl.lazy_dataclasses import dataclass


class Action(str, Enum):
    """What apply does with an address. The first five are for datasources and steps, the rest for endpoints.

    READ records an endpoint as it is, and leaves it alone.
    """

    RUN = "RUN"
    MAY_RUN = "MAY_RUN"
    REUSE = "REUSE"
    FORGET = "FORGET"
    NO_OP = "NO_OP"
    CREATE = "CREATE"
    UPDATE = "UPDATE"
    REPLACE = "REPLACE"
    DELETE = "DELETE"
    READ = "READ"


class ReasonCode(str, Enum):
    """Why an address is not up to date; KEPT stands with what is: something differs and does not count."""

    NEVER_RAN = "NEVER_RAN"
    CODE_CHANGED = "CODE_CHANGED"
    PARAMETERS_CHANGED = "PARAMETERS_CHANGED"
    INPUT_CHANGED = "INPUT_CHANGED"
    DATA_CHANGED = "DATA_CHANGED"
    ENVIRONMENT_CHANGED = "ENVIRONMENT_CHANGED"
    IMPLEMENTATION_CHANGED = "IMPLEMENTATION_CHANGED"
    UPSTREAM_PENDING = "UPSTREAM_PENDING"
    OUTPUT_MISSING = "OUTPUT_MISSING"
    OUTPUT_CORRUPT = "OUTPUT_CORRUPT"
    FAILED_BEFORE = "FAILED_BEFORE"
    REQUESTED = "REQUESTED"
    MODEL_CHANGED = "MODEL_CHANGED"
    CONFIG_CHANGED = "CONFIG_CHANGED"
    DRIFTED = "DRIFTED"
    REMOVED = "REMOVED"
    RECORDED_ELSEWHERE = "RECORDED_ELSEWHERE"
    TRIGGERED = "TRIGGERED"
    PINNED = "PINNED"
    TRIGGER_CHANGED = "TRIGGER_CHANGED"
    NOT_CACHED = "NOT_CACHED"
    CACHE_EXPIRED = "CACHE_EXPIRED"
    KEPT = "KEPT"


DATA_REASONS = (ReasonCode.DATA_CHANGED, ReasonCode.INPUT_CHANGED, ReasonCode.PINNED)
"""Reasons that tell of data, the columns of which may have moved."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One cause. `detail` is the line a person reads (`params.epochs: 5 -> 10`); `data` is the same for machines."""

    code: ReasonCode
    detail: str = ""
    data: Mapping[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Components:
    """What a fingerprint is made of, kept apart so that a difference can be named. Plain JSON, shapes fixed.

    - `type`: the step type and its implementation version, `python/1`, `datasource.csv/1`
    - `code`: {"entry": "steps/fit.py:fit", "digest": hex, "files": {path: hex}, "definitions": {path: {name: hex}},
      "archive": hex, "pin": {"repository", "ref", "commit"}}, or {} for built-in steps; `digest` and the function's
      name decide. Only records have an archive, that of the source in the artifact store; only code from git a pin
      (`repository` is "" for the configuration's own); records of the first form hold no definitions
    - `params`: the resolved parameters; `Unknown` values are written {"unknown": type}
    - `inputs`: {input name: content digest, "" while unknown}
    - `source`: {"digest": hex, "bytes": int, "rows": int, "columns": {name: type}} of a datasource, else {}; only
      `digest` counts
    - `environment`: {"python": "3.11", "distributions": {name: version}}; "imports" names those that the code
      itself imports ("preload" where their versions do not count), "lock", "variables" and "image"
      (NAME@DIGEST) are what the step declares
    - `triggers_replace`: any JSON value, None where the step has none
    """

    type: str
    code: Mapping[str, Any] = field(default_factory=dict, hash=False)
    params: Mapping[str, Any] = field(default_factory=dict, hash=False)
    inputs: Mapping[str, str] = field(default_factory=dict, hash=False)
    source: Mapping[str, Any] = field(default_factory=dict, hash=False)
    environment: Mapping[str, Any] = field(default_factory=dict, hash=False)
    triggers_replace: Any = field(default=None, hash=False)
