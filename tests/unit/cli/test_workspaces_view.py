"""Workspaces as people and programs see them."""

from __future__ import annotations

import pytest

from zenctl.cli.views.style import Style
from zenctl.cli.views.workspaces import ending, workspace_rows, workspaces_document
from zenctl.metadata.workspaces import Workspace

NOW = 1_000_000_000_000
SECOND, MINUTE, HOUR, DAY = 1000, 60_000, 3_600_000, 86_400_000
PLAIN = Style(colour=False)


def lasting(milliseconds: int, name: str = "pr-1") -> Workspace:
    return Workspace(name, ttl_seconds=60, expires_ms=NOW + milliseconds)


@pytest.mark.parametrize(
    ("left", "text"),
    [
        (2 * DAY + 23 * HOUR + 5, "ends 2001-09-12 00:46 UTC, in 2d23h"),
        (5 * MINUTE + 3 * SECOND, "ends 2001-09-09 01:51 UTC, in 5m3s"),
        (DAY + SECOND, "ends 2001-09-10 01:46 UTC, in 1d1s"),
        (500, "ends 2001-09-09 01:46 UTC, in 500ms"),
        (0, "ended 2001-09-09 01:46 UTC, 0ms ago"),
        (-3 * HOUR, "ended 2001-09-08 22:46 UTC, 3h ago"),
    ],
)
def test_when_one_ends(left: int, text: str) -> None:
    assert ending(lasting(left), NOW) == text


def test_the_current_one_is_marked() -> None:
    found = [Workspace("default"), lasting(HOUR, "pr-1")]
    assert workspace_rows(found, "default", NOW, PLAIN) == [
        "* default",
        "  pr-1     ends 2001-09-09 02:46 UTC, in 1h",
    ]
    assert workspace_rows(found, "other", NOW, PLAIN)[1] == "* other    not there yet"
    assert workspace_rows([], "", NOW, PLAIN) == []


def test_the_document() -> None:
    document = workspaces_document([Workspace("default"), lasting(-HOUR)], "pr-1", NOW)
    assert document["current"] == "pr-1"
    assert document["workspaces"] == [
        {"name": "default", "current": False, "ttl_seconds": None, "expires": None, "expired": False},
        {"name": "pr-1", "current": True, "ttl_seconds": 60, "expires": "2001-09-09T00:46:40+00:00", "expired": True},
    ]
