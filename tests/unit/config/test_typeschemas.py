"""What `providers schema -json` says of block types: attributes, nested blocks, limits, secrets."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

import jsonschema
import pytest
from pydantic import Field

from tests.unit.config.conftest import CSV, FakeProvider
from zenctl.cli.schemas import provider_schemas_schema
from zenctl.config.typeschemas import block_schema, type_schemas, type_text
from zenctl.diagnostics import error
from zenctl.provider.registry import Entry, Registry, discover
from zenctl.schema import ArtifactRef, BackendRef, BlockModel, attribute


class Key(BlockModel):
    name: str = attribute("Whose.")
    value: str = attribute("The key.", sensitive=True)


class Everything(BlockModel):
    path: str = attribute("A file.", min_length=1, fingerprint=False)
    size: int = attribute("How large.", default=3, ge=1, lt=10)
    share: float | None = attribute("A part.", default=None, gt=0, le=1)
    how: Literal["a", "b"] = attribute("One of two.", default="a")
    either: int | str = attribute("This or that.", default=1)
    inputs: dict[str, ArtifactRef] = attribute("What goes in.", default={})
    where: BackendRef | None = attribute("A machine.", default=None)
    password: str | None = attribute("A secret.", default=None, sensitive=True)
    key: Key | None = attribute("One key.", default=None)
    keys: list[Key] = attribute("Keys in their order.", default=[])
    by: dict[str, Key] = attribute("Keys by name.")


class Loop(BlockModel):
    inner: Loop | None = attribute("One like this.", default=None)


def test_attributes_and_blocks() -> None:
    found = block_schema(Everything)
    attributes, blocks = found["attributes"], found["block_types"]
    assert attributes["path"] == {
        "type": "string",
        "description": "A file.",
        "required": True,
        "sensitive": False,
        "fingerprint": False,
        "min_length": 1,
    }
    assert {k: attributes["size"][k] for k in ("default", "integer", "minimum", "exclusive_maximum")} == {
        "default": 3,
        "integer": True,
        "minimum": 1,
        "exclusive_maximum": 10,
    }
    assert (attributes["share"]["exclusive_minimum"], attributes["share"]["maximum"]) == (0, 1)
    assert attributes["how"]["choices"] == ["a", "b"]
    assert attributes["either"]["any_of"] == ["number", "string"]
    assert attributes["password"]["sensitive"] is True
    assert {name: block["nesting_mode"] for name, block in blocks.items()} == {
        "key": "single",
        "keys": "list",
        "by": "map",
    }
    assert [name for name, block in blocks.items() if block["required"]] == ["by"]
    assert blocks["key"]["block"]["attributes"]["value"]["sensitive"] is True


def test_a_block_inside_one_of_its_own_kind_ends() -> None:
    assert list(block_schema(Loop)["attributes"]) == ["inner"]


@pytest.mark.parametrize(
    ("annotation", "text"),
    [
        (bool, "bool"),
        (Annotated[int, Field(ge=1)], "number"),
        (list[int], "list(number)"),
        (tuple[str, ...], "list(string)"),
        (set[str], "set(string)"),
        (dict[str, list[float]], "map(list(number))"),
        (dict[str, Any], "map(any)"),
        (int | str, "any"),
        (Literal["a", 1], "any"),
        (str | None, "string"),
        (ArtifactRef, "artifact"),
        (BackendRef | None, "backend"),
    ],
)
def test_types(annotation: Any, text: str) -> None:
    assert type_text(annotation) == text


def test_what_is_installed_fits_the_published_schema() -> None:
    document, problems = type_schemas(discover())
    assert problems == []
    schema = provider_schemas_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(json.loads(json.dumps(document)), schema)
    assert {"local", "beam"} <= set(document["provider_schemas"])
    assert document["provider_schemas"]["local"]["backend_schemas"]["local"]["roles"] == ["orchestrator"]
    assert document["step_schemas"]["train"]["inputs"]["eval"]["required"] is False
    assert document["step_schemas"]["python"]["inputs"] is None
    assert document["datasource_schemas"]["csv"]["block"]["attributes"]["path"]["required"] is True


def test_what_cannot_be_loaded_is_left_out_and_told() -> None:
    def broken() -> Any:
        raise ModuleNotFoundError("no such SDK", name="sdk")

    registry = Registry(
        {"local": Entry(lambda: FakeProvider), "gone": Entry(broken, lambda: "Install it.")},  # type: ignore[arg-type, return-value]
        {"gone": Entry(broken, lambda: "Install it.")},
        {"csv": Entry(lambda: CSV)},
    )
    document, problems = type_schemas(registry)
    assert [p.code for p in problems] == [error("broken_provider", "").code, error("broken_step_type", "").code]
    assert list(document["provider_schemas"]) == ["local"]
    assert document["step_schemas"] == {}
    assert list(document["datasource_schemas"]) == ["csv"]
