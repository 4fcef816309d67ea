"""Who may do what in a fake bucket: roles with their permissions, on the objects below a prefix."""

from __future__ import annotations

from dataclasses import dataclass

VIEWER = frozenset({"storage.objects.get", "storage.objects.list"})
"""Permissions of roles/storage.objectViewer over objects."""

CREATOR = frozenset({"storage.objects.create"})
"""Permissions of roles/storage.objectCreator over objects."""


@dataclass(frozen=True)
class Grant:
    """What an identity may do in one bucket, below a prefix. Listing is not held to that, as in the service."""

    bucket: str
    prefix: str
    permissions: frozenset[str] = VIEWER | CREATOR

    def allows(self, permission: str, bucket: str, name: str) -> bool:
        inside = permission == "storage.objects.list" or name.startswith(self.prefix)
        return bucket == self.bucket and inside and permission in self.permissions


def needed(method: str, *, there: bool) -> str:
    """The permission that a method of the API needs; `there` says that the object exists."""
    kind = method.removeprefix("objects.").partition(".")[0]
    # To replace an object is to delete the one that is there.
    return f"storage.objects.{'delete' if there else 'create'}" if kind == "insert" else f"storage.objects.{kind}"
