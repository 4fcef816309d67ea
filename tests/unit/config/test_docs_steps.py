"""docs/steps.md has every step type with every attribute, and its examples load."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from zenctl.config.conforming import fields
from zenctl.config.loader import load_files
from zenctl.provider.registry import discover

TEXT = (Path(__file__).parents[3] / "docs" / "steps.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## ([^\n]+)\n((?:(?!^## ).*\n?)*)", TEXT, re.M))
ALL = {name: discover().step_type(name) for name in discover().step_names()}
TYPES = {name: type_ for name, type_ in ALL.items() if type_.implementation}


def test_every_built_in_step_has_a_section() -> None:
    assert set(SECTIONS) == set(TYPES)
    for name in TYPES:
        assert f"[`{name}`](#{name})" in TEXT


@pytest.mark.parametrize("name", sorted(TYPES))
def test_a_section_has_every_attribute_and_an_example_that_loads(tmp_path: Path, name: str) -> None:
    for attribute in fields(TYPES[name].model):
        if attribute != "inputs":
            assert re.search(rf"`[^`\n]*\b{attribute}\b[^`\n]*`", SECTIONS[name]), attribute
    examples = re.findall(r"^```hcl\n(.*?)^```", SECTIONS[name], re.M | re.S)
    assert examples
    for example in examples:
        loaded = load_files({"main.zen.hcl": example}, tmp_path, discover())
        assert [(d.summary, str(d.range)) for d in loaded.diagnostics] == []
