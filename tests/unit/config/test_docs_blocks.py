"""Every example of docs/blocks.md is a configuration that loads and evaluates without a problem."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from zenctl.config.loader import load_files
from zenctl.config.nodes import ENDPOINT_META, STEP_META
from zenctl.config.shapes import ROOT
from zenctl.provider.registry import discover

TEXT = (Path(__file__).parents[3] / "docs" / "blocks.md").read_text(encoding="utf-8")
EXAMPLES = [
    (title, text)
    for title, text in re.findall(r"^## ([^\n]+)\n(?:(?!^## |^```).*\n)*```hcl\n(.*?)^```", TEXT, re.M | re.S)
]
NET = EXAMPLES[-1][1]


@pytest.mark.parametrize(("title", "text"), EXAMPLES, ids=[title for title, _ in EXAMPLES])
def test_an_example_loads(tmp_path: Path, title: str, text: str) -> None:
    files = {"main.zen.hcl": text, "modules/net/net.zen.hcl": NET}
    assert [(d.summary, str(d.range)) for d in load_files(files, tmp_path, discover()).diagnostics] == []


def test_every_example_is_tested() -> None:
    assert len(EXAMPLES) == TEXT.count("```hcl") > 15


def test_every_block_and_meta_argument_is_there() -> None:
    for name in (*ROOT.blocks, *STEP_META, *ENDPOINT_META, "lifecycle", "on_change"):
        assert f"`{name}`" in TEXT
