"""Every backend that comes with zenctl has its page, which names all its attributes and says what people need."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from zenctl.provider.registry import discover
from zenctl.schema import BlockModel

ROOT = Path(__file__).parents[2]
BUILT_IN = ("aws", "beam", "gcp", "local")
SECTIONS = ("Attributes", "Permissions", "What it costs", "How it is tested")

REGISTRY = discover()
BACKENDS = {name: kind for provider in BUILT_IN for name, kind in REGISTRY.schema(provider).backends.items()}


def names(model: type[BlockModel]) -> set[str]:
    """The attributes and blocks of a block as they are written, with those of the blocks in it."""
    found: set[str] = set()
    for name, field in model.model_fields.items():
        found.add(field.alias or name)
        waiting = [field.annotation]
        while waiting:
            annotation = waiting.pop()
            if isinstance(annotation, type) and issubclass(annotation, BlockModel):
                found |= names(annotation)
            waiting += get_args(annotation)
    return found


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_backend_has_its_page(backend: str) -> None:
    text = (ROOT / "docs" / "backends" / f"{backend}.md").read_text(encoding="utf-8")
    for section in SECTIONS:
        assert f"\n## {section}\n" in text
    assert re.search(rf'```hcl\n(?:.*\n)*?backend "{backend}" "', text), "an example"
    attributes = text.partition("\n## Attributes\n")[2].partition("\n## ")[0]
    written = set(re.findall(r"[A-Za-z_]+", " ".join(re.findall(r"`([^`]+)`", attributes))))
    assert names(BACKENDS[backend].model) - written == set()
    links = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"docs/backends/{backend}.md" in links


def test_no_page_is_left_of_a_backend_that_is_gone() -> None:
    assert {path.stem for path in (ROOT / "docs" / "backends").glob("*.md")} == set(BACKENDS)


def test_blocks_inside_are_looked_at_too() -> None:
    assert "accelerator" in names(BACKENDS["gce"].model)
    assert len(names(BACKENDS["gce"].model)) > len(BACKENDS["gce"].model.model_fields)
