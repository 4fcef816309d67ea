"""Observed: what refreshing saw of the world, by address. Planning reads it and never looks itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from zenctl.addrs import Address
from zenctl.fingerprint.code import Closure
from zenctl.fingerprint.data import RowsDifference
from zenctl.jobs.artifacts import CorruptArtifact
from zenctl.lazy_dataclasses import dataclass
from zenctl.metadata.state import Recorded
from zenctl.provider import EndpointState
from zenctl.schema import SourceState


@dataclass(frozen=True, slots=True)
class Observed:
    """What is true now.

    `sources` has no entry for a datasource whose place is not known yet, `rows` one for each whose rows differ from the
    recorded ones in a known way. `environments` are what each step would run
    with here (`{"python": ..., "distributions": {...}}`), None for a package that is not installed here. `damage` holds
    recorded results whose outputs are gone or damaged. `endpoints` has no entry where there is nothing, which `absent`
    names if it was looked for. `pinned` is the recorded snapshot that a datasource's `version` names.
    """

    sources: Mapping[Address, SourceState] = field(default_factory=dict)
    closures: Mapping[Address, Closure] = field(default_factory=dict)
    environments: Mapping[Address, Mapping[str, Any]] = field(default_factory=dict)
    damage: Mapping[Address, CorruptArtifact] = field(default_factory=dict)
    endpoints: Mapping[Address, EndpointState] = field(default_factory=dict)
    absent: frozenset[Address] = frozenset()
    rows: Mapping[Address, RowsDifference] = field(default_factory=dict)
    pinned: Mapping[Address, Recorded] = field(default_factory=dict)
