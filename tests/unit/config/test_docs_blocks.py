"""Every example of docs/blocks.md and docs/datasources.md is a configuration that loads without a problem."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from zenctl.config.loader import load_files
from zenctl.config.nodes import ENDPOINT_META, STEP_META
from zenctl.config.shapes import ROOT
from zenctl.provider.registry import discover

DOCS = Path(__file__).parents[3] / "docs"
TEXT = (DOCS / "blocks.md").read_text(encoding="utf-8")
SOURCES = (DOCS / "datasources.md").read_text(encoding="utf-8")


def examples(text: str) -> list[tuple[str, str]]:
    return re.findall(r"^## ([^\n]+)\n(?:(?!^## |^```).*\n)*```hcl\n(.*?)^```", text, re.M | re.S)


EXAMPLES = examples(TEXT)
OF_SOURCES = examples(SOURCES)
NET = EXAMPLES[-1][1]


@pytest.mark.parametrize(("title", "text"), [*EXAMPLES, *OF_SOURCES], ids=[t for t, _ in [*EXAMPLES, *OF_SOURCES]])
def test_an_example_loads(tmp_path: Path, title: str, text: str) -> None:
    files = {"main.zen.hcl": text, "modules/net/net.zen.hcl": NET}
    assert [(d.summary, str(d.range)) for d in load_files(files, tmp_path, discover()).diagnostics] == []


def test_every_example_is_tested() -> None:
    assert len(EXAMPLES) == TEXT.count("```hcl") > 15
    assert len(OF_SOURCES) == SOURCES.count("```hcl")


def test_every_datasource_has_an_example() -> None:
    assert {title for title, _ in OF_SOURCES} == {"Bad rows", "Buckets", *discover().datasources}


def test_every_block_and_meta_argument_is_there() -> None:
    for name in (*ROOT.blocks, *STEP_META, *ENDPOINT_META, "lifecycle", "on_change"):
        assert f"`{name}`" in TEXT
