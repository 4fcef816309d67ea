"""Counts people."""

import json

from zenctl.sdk import Artifact


def count(names: Artifact) -> int:
    """How many they are."""
    raise ValueError("no names today")
    return len(json.loads((names.path / "names.json").read_text()))
