"""Ranks people."""

import json

from steps.order import by_height
from zenctl.sdk import Artifact, Dataset, Output


def tallest(data: Dataset, names: Output[Artifact], *, top: int) -> None:
    """Write the names of the tallest."""
    chosen = [row["name"] for row in by_height(data)[:top]]
    (names.path / "names.json").write_text(json.dumps(chosen))
