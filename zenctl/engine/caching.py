"""Says which recorded results may stand for a run: how old they may be, and which changes leave one in force. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from zenctl.durations import text_of_seconds
from zenctl.engine.components import ignoring
from zenctl.engine.desired import DesiredDatasource, DesiredStep
from zenctl.engine.reasons import changed
from zenctl.fingerprint.data import RowsDifference
from zenctl.fingerprint.digest import fingerprint
from zenctl.lazy_dataclasses import dataclass
from zenctl.metadata.state import Recorded
from zenctl.plans.actions import Components, Reason, ReasonCode
from zenctl.schema import ArtifactRef

ASPECTS: Mapping[ReasonCode, str] = {ReasonCode.CODE_CHANGED: "code", ReasonCode.ENVIRONMENT_CHANGED: "environment"}
"""What `on_change` can keep a result in spite of, by the reason that names its change."""

NEVER = "never"


@dataclass(frozen=True, slots=True)
class Compared:
    """What is wanted, beside what is recorded.

    `components` are what is wanted, as recorded where only that differs which makes nothing stale; `stale` names what
    differs otherwise, and `kept` what differs and does not count because `on_change` says so. `beside` is what differs
    from another workspace's result, where nothing is recorded here.
    """

    components: Components
    stale: tuple[Reason, ...] = ()
    kept: tuple[Reason, ...] = ()
    beside: tuple[Reason, ...] = ()


def compare(
    desired: DesiredDatasource | DesiredStep,
    wanted: Components,
    recorded: Recorded | None,
    example: Recorded | None = None,
    rows: RowsDifference | None = None,
) -> Compared:
    """Compare what is wanted with what is recorded here, or with what another workspace has at this address.

    Of another workspace's result only `on_change` counts: `ignore_changes` is about what this one has.
    """
    inputs: Mapping[str, ArtifactRef] = desired.inputs if isinstance(desired, DesiredStep) else {}
    meta = desired.config.meta
    keep = [(aspect,) for aspect in meta.on_change]
    before = recorded or example
    if before is None:
        return Compared(wanted)
    paths = [*meta.lifecycle.ignore_changes, *keep] if recorded is not None else keep
    ignored = ignoring(wanted, before, paths)
    everything = changed(before, wanted, inputs, rows)
    stale = changed(before, ignored, inputs, rows)
    if stale:
        if recorded is not None:
            return Compared(wanted, tuple(everything))
        return Compared(wanted, beside=tuple(_beside(reason, before) for reason in everything))
    kept = [reason for reason in everything if ASPECTS.get(reason.code) in meta.on_change]
    same = fingerprint(ignored) == before.fingerprint != ""
    return Compared(ignored if same else wanted, (), tuple(_kept(reason) for reason in kept))


def oldest(desired: DesiredDatasource | DesiredStep, wanted: Components, recorded: Recorded | None, now_ms: int) -> int:
    """The time in ms since 1970 that a result must not be older than; 0 if its age does not matter.

    `cache` says so, and `triggers_replace`: once that has another value, what was there before it is not taken again.
    """
    limit = 0
    if isinstance(desired, DesiredStep) and desired.cache_seconds is not None:
        limit = max(1, now_ms - round(desired.cache_seconds * 1000))
    if recorded is not None and recorded.components.get("triggers_replace") != wanted.triggers_replace:
        limit = max(limit, recorded.produced_ms + 1)
    return limit


def runs_always(desired: DesiredDatasource | DesiredStep) -> bool:
    """Whether no recorded result ever stands for it."""
    return isinstance(desired, DesiredStep) and desired.cache_seconds == 0


def too_old(desired: DesiredDatasource | DesiredStep, recorded: Recorded | None, now_ms: int) -> list[Reason]:
    """Why the current result does not count any more although nothing has changed."""
    if recorded is None or not isinstance(desired, DesiredStep) or desired.cache_seconds is None:
        return []
    if desired.cache_seconds == 0:
        return [Reason(ReasonCode.NOT_CACHED, 'cache = "never": it runs in every apply')]
    age = (now_ms - recorded.produced_ms) / 1000
    if age <= desired.cache_seconds:
        return []
    until = text_of_seconds(desired.cache_seconds)
    detail = f'its result is {text_of_seconds(age)} old, and cache = "until {until}"'
    return [Reason(ReasonCode.CACHE_EXPIRED, detail, {"age_seconds": round(age), "until": until})]


def milliseconds(timestamp: str) -> int:
    """An ISO 8601 time of whole seconds, in ms since 1970: the end of that second.

    So what was made before a plan is never younger than the plan, however soon after it that is made.
    """
    return round(datetime.fromisoformat(timestamp).timestamp() * 1000) + 999


def _kept(reason: Reason) -> Reason:
    aspect = ASPECTS[reason.code]
    detail = f"{aspect}: {reason.detail} (on_change keeps its result)"
    return Reason(ReasonCode.KEPT, detail, {"aspect": aspect, **reason.data})


def _beside(reason: Reason, example: Recorded) -> Reason:
    where = f"beside workspace {example.workspace}, apply {example.serial}"
    data = {**reason.data, "beside": {"workspace": example.workspace, "serial": example.serial}}
    return Reason(reason.code, f"{reason.detail} ({where})", data)
