"""Setting a nested block in a file's text: what is set is there, and every other line is as it was."""

from __future__ import annotations

from typing import Literal

import pytest

from zenctl.lang.document import BlockData
from zenctl.lang.edit import CannotEdit, set_block
from zenctl.lang.parser import parse_config
from zenctl.lang.syntax import Block, BlockShape, Body
from zenctl.lang.yaml import parse_yaml

SHAPE = BlockShape(0, {"zenctl": BlockShape(0, {"metadata": BlockShape(1), "artifacts": BlockShape(1)})})
Syntax = Literal["hcl", "yaml"]


def read(text: str, syntax: Syntax) -> Body:
    body, problems = parse_config(text, "f") if syntax == "hcl" else parse_yaml(text, "f", SHAPE)
    assert [str(p) for p in problems] == [], text
    return body


def edited(text: str, syntax: Syntax, attributes: dict[str, object]) -> str:
    outer = read(text, syntax).blocks[-1]
    after = set_block(text, syntax, outer, BlockData("metadata", ("sqlite",), attributes))
    [block] = found(read(after, syntax))
    assert block.labels == ("sqlite",)
    assert set(block.body.attributes) == set(attributes)
    return after


def found(body: Body) -> list[Block]:
    return [inner for block in body.blocks for inner in block.body.blocks if inner.type == "metadata"]


HCL = [
    ("zenctl {}\n", {}, 'zenctl {\n  metadata "sqlite" {}\n}\n'),
    ("zenctl {\n}\n", {"path": "a"}, 'zenctl {\n  metadata "sqlite" {\n    path = "a"\n  }\n}\n'),
    (
        'zenctl { project = "x" } # c\n',
        {},
        'zenctl {\n  project = "x"\n  metadata "sqlite" {}\n} # c\n',
    ),
    (
        '# é\nzenctl {\n  # a\n  project = "x" # b\n\n  # end\n}\n#\n',
        {"path": "a b"},
        '# é\nzenctl {\n  # a\n  project = "x" # b\n\n  # end\n  metadata "sqlite" {\n    path = "a b"\n  }\n}\n#\n',
    ),
    (
        'zenctl {\n  metadata sqlite {\n    # where\n    path   =  "a" # b\n    # tail\n  }\n}\n',
        {"path": "${x}"},
        'zenctl {\n  metadata sqlite {\n    # where\n    path   =  "$${x}" # b\n    # tail\n  }\n}\n',
    ),
    (
        'zenctl {\n  metadata "sqlite" {\n    # where\n    path = "a" # b\n    # tail\n  }\n}\n',
        {},
        'zenctl {\n  metadata "sqlite" {\n    # where\n    # tail\n  }\n}\n',
    ),
    (
        'zenctl {\n  metadata "other" {\n    host = "a" # b\n    port = 1\n  }\n}\n',
        {"path": "x"},
        'zenctl {\n  metadata "sqlite" {\n    path = "x" # b\n  }\n}\n',
    ),
    (
        'zenctl {\n  metadata "sqlite" {} # k\n}\n',
        {"path": "x"},
        'zenctl {\n  metadata "sqlite" { path = "x" } # k\n}\n',
    ),
    ('zenctl {\n  metadata "sqlite" { path = "x" }\n}\n', {}, 'zenctl {\n  metadata "sqlite" {}\n}\n'),
    (
        'zenctl {\n  metadata "sqlite" { path = "x" }\n}\n',
        {"path": "y", "more": 1},
        'zenctl {\n  metadata "sqlite" {\n    path = "y"\n    more = 1\n  }\n}\n',
    ),
]
YAML = [
    ("zenctl: {}\n", {}, "zenctl: {metadata: {sqlite: {}}}\n"),
    ("zenctl:\n", {"path": "a b"}, "zenctl: {metadata: {sqlite: {path: a b}}}\n"),
    ("zenctl: {project: x,} # c\n", {}, "zenctl: {project: x, metadata: {sqlite: {}}} # c\n"),
    (
        "# é\nzenctl:\n  # a\n  project: x # b\n  # end\nlocals: {}\n",
        {"path": "yes"},
        '# é\nzenctl:\n  # a\n  project: x # b\n  metadata: {sqlite: {path: "yes"}}\n  # end\nlocals: {}\n',
    ),
    (
        "zenctl:\n  artifacts:\n    local:\n      path: |\n        a\n        b\n  # end\n",
        {},
        "zenctl:\n  artifacts:\n    local:\n      path: |\n        a\n        b\n  metadata: {sqlite: {}}\n  # end\n",
    ),
    (
        "zenctl:\n  metadata:\n    sqlite: # why\n      # where\n      path: 'a' # b\n  project: x\n",
        {"path": "${x}"},
        "zenctl:\n  metadata:\n    sqlite: # why\n      # where\n      path: \"$${x}\" # b\n  project: x\n",
    ),
    (
        "zenctl:\n  metadata:\n    sqlite:\n      # where\n      path: a # b\n  project: x\n",
        {},
        "zenctl:\n  metadata:\n    sqlite:\n      # where\n  project: x\n",
    ),
    (
        "zenctl:\n  metadata:\n    other:\n      host: a # b\n      port: [1,\n        2]\n",
        {"path": "x", "more": 1},
        "zenctl:\n  metadata:\n    sqlite:\n      path: x # b\n      more: 1\n",
    ),
    (
        "zenctl:\n  metadata:\n    other:\n      hosts:\n        - a\n        - b\n      port: 1\n",
        {"path": "x"},
        "zenctl:\n  metadata:\n    sqlite:\n      path: x\n",
    ),
    ("zenctl: {metadata: {other: {a: 1, b: 2}}}\n", {}, "zenctl: {metadata: {sqlite: {}}}\n"),
    ("zenctl:\n  metadata: {sqlite: } # k\n", {"path": "x"}, "zenctl:\n  metadata: {sqlite: {path: x}} # k\n"),
    ("zenctl: {metadata: {sqlite: {path: }}}\n", {"path": "x"}, "zenctl: {metadata: {sqlite: {path: x}}}\n"),
]  # fmt: skip


@pytest.mark.parametrize(("before", "attributes", "after"), HCL)
def test_hcl(before: str, attributes: dict[str, object], after: str) -> None:
    assert edited(before, "hcl", attributes) == after
    assert edited(after, "hcl", attributes) == after


@pytest.mark.parametrize(("before", "attributes", "after"), YAML)
def test_yaml(before: str, attributes: dict[str, object], after: str) -> None:
    assert edited(before, "yaml", attributes) == after
    assert edited(after, "yaml", attributes) == after


@pytest.mark.parametrize(("before", "attributes", "after"), HCL)
def test_hcl_with_other_line_ends(before: str, attributes: dict[str, object], after: str) -> None:
    assert edited(before.replace("\n", "\r\n"), "hcl", attributes) == after.replace("\n", "\r\n")
    assert edited(f"\ufeff{before}", "hcl", attributes) == f"\ufeff{after}"


@pytest.mark.parametrize(("before", "attributes", "after"), YAML)
def test_yaml_with_other_line_ends(before: str, attributes: dict[str, object], after: str) -> None:
    assert edited(before.replace("\n", "\r\n"), "yaml", attributes) == after.replace("\n", "\r\n")
    assert edited(f"\ufeff{before}", "yaml", attributes) == f"\ufeff{after}"


@pytest.mark.parametrize(
    ("text", "syntax"),
    [
        ("zenctl { /* why */ }\n", "hcl"),
        ("zenctl {\n  /* a\n */ }\n", "hcl"),
        ("zenctl: {\n  project: x # why\n}\n", "yaml"),
    ],
)
def test_what_takes_a_person(text: str, syntax: Syntax) -> None:
    with pytest.raises(CannotEdit):
        edited(text, syntax, {"path": "x"})
