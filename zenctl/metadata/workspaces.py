"""Keeps the list of a project's workspaces: which there are, and when those with a time to live end."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from dataclasses import replace

from zenctl.lazy_dataclasses import dataclass
from zenctl.metadata.encoding import context_name, workspace_key
from zenctl.metadata.store import AlreadyExists, Context, MetadataStore, PropertyValue, Transition
from zenctl.metadata.types import WORKSPACE

ACTIVE, DELETED = "active", "deleted"

COLLECTION = (":garbage", "collection")
"""Stands for project and workspace in the lock of garbage collection; no project can have such a name."""

MARKED_DELETED: Mapping[str, PropertyValue] = {"state": DELETED, "ttl_seconds": 0, "expires_ms": 0}
"""The properties of a workspace that was deleted. What was recorded in it stays."""


@dataclass(frozen=True, slots=True)
class Workspace:
    """A workspace that is there. `ttl_seconds` is how long it lives after its newest apply, 0 for ever.

    `expires_ms` is when that ends, in milliseconds since 1970, 0 if it does not.
    """

    name: str
    created_ms: int = 0
    ttl_seconds: int = 0
    expires_ms: int = 0

    def expired(self, now_ms: int) -> bool:
        """Whether its time is over."""
        return 0 < self.expires_ms <= now_ms


def workspaces(store: MetadataStore, project: str) -> list[Workspace]:
    """The workspaces of a project, by name; those that were deleted are left out. One query."""
    found = store.contexts(WORKSPACE, {"project": project})
    return sorted((_decode(c) for c in found if not _is_deleted(c)), key=lambda workspace: workspace.name)


def workspace(store: MetadataStore, project: str, name: str) -> Workspace | None:
    """One workspace, or None if it is not there."""
    found = store.context(WORKSPACE, context_name(project, name))
    return None if found is None or _is_deleted(found) else _decode(found)


def create_workspace(store: MetadataStore, project: str, name: str, ttl_seconds: int = 0) -> None:
    """Record a new workspace; raises AlreadyExists if it is there. One that was deleted begins again, empty."""
    now = time.time_ns() // 1_000_000
    token = secrets.token_hex(8)
    properties: dict[str, PropertyValue] = {
        "project": project,
        "workspace": name,
        "workspace_key": workspace_key(project, name),
        "state": ACTIVE,
        "ttl_seconds": ttl_seconds,
        "expires_ms": now + ttl_seconds * 1000 if ttl_seconds else 0,
        "token": token,
    }
    made = Context(WORKSPACE, context_name(project, name), properties)
    former = store.context(WORKSPACE, made.name)
    if former is None:
        try:
            store.commit(Transition(create_contexts=(made,)))
        except AlreadyExists:
            there = store.context(WORKSPACE, made.name)
            # Its answer got lost, and the store was asked again.
            if there is None or there.properties.get("token") != token:
                raise
    elif _is_deleted(former):
        # Its applies are there still.
        kept = {**properties, "serial": former.properties.get("serial", 0)}
        store.commit(Transition(update_contexts=(replace(made, properties=kept, id=former.id),)))
    else:
        raise AlreadyExists(f"workspace {name} of {project} exists already")


def is_collection(properties: Mapping[str, PropertyValue]) -> bool:
    """Whether a context of these properties is none of a workspace, but of garbage collection."""
    return (properties.get("project"), properties.get("workspace")) == COLLECTION


def renewed(group: Context, now_ms: int) -> Context:
    """A workspace's context as an apply that begins now leaves it: there, and at the beginning of its time to live."""
    changes: dict[str, PropertyValue] = {}
    if _is_deleted(group):
        changes["state"] = ACTIVE
    ttl = int(group.properties.get("ttl_seconds", 0))
    if ttl:
        changes["expires_ms"] = now_ms + ttl * 1000
    return replace(group, properties={**group.properties, **changes}) if changes else group


def _is_deleted(context: Context) -> bool:
    return context.properties.get("state") == DELETED


def _decode(context: Context) -> Workspace:
    properties = context.properties
    return Workspace(
        name=str(properties.get("workspace", "")),
        created_ms=context.created_ms,
        ttl_seconds=int(properties.get("ttl_seconds", 0)),
        expires_ms=int(properties.get("expires_ms", 0)),
    )
