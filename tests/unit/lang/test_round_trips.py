"""From HCL to YAML and back: nothing changes its meaning on the way, and no comment is lost."""

from __future__ import annotations

import re

import pytest

from tests.unit.lang.configurations import SHAPE, Configurations
from zenctl.lang.document import Document
from zenctl.lang.from_source import document_of_hcl, document_of_yaml
from zenctl.lang.meaning import same_body
from zenctl.lang.parser import parse_config
from zenctl.lang.syntax import Body
from zenctl.lang.write import write_hcl
from zenctl.lang.write_yaml import write_yaml
from zenctl.lang.yaml import parse_yaml


def read_hcl(text: str) -> Body:
    body, problems = parse_config(text, "f")
    assert [str(p) for p in problems] == [], text
    return body


def read_yaml(text: str) -> tuple[Body, Document]:
    scalars = {}
    body, problems = parse_yaml(text, "f", SHAPE, scalars)
    assert [str(p) for p in problems] == [], text
    return body, document_of_yaml(body, scalars, text, "f", SHAPE)


def remarks(text: str) -> list[str]:
    """The comments between items, each with a number of its own."""
    return sorted(re.findall(r"remark \d+.*", text))


@pytest.mark.parametrize("seed", range(8))
def test_hcl_to_yaml_and_back(seed: int) -> None:
    valid = 0
    for number in range(20):
        text = Configurations(seed * 1000 + number).body()
        body, problems = parse_config(text, "f")
        if problems:
            continue  # a label, say, that is the end of an interpolation
        valid += 1
        document = document_of_hcl(body, text, "f", SHAPE)
        again = write_hcl(document)
        assert same_body(read_hcl(again), body, SHAPE), again
        assert remarks(again) == remarks(text), again
        twin = write_yaml(document)
        twin_body, twin_document = read_yaml(twin)
        assert same_body(twin_body, body, SHAPE), twin
        assert remarks(twin) == remarks(text), twin
        back = write_hcl(twin_document)
        assert same_body(read_hcl(back), body, SHAPE), back
        assert remarks(back) == remarks(text), back
        assert write_hcl(document_of_hcl(read_hcl(back), back, "f", SHAPE)) == back
        once_more = write_yaml(twin_document)
        assert same_body(read_yaml(once_more)[0], body, SHAPE), once_more
        assert remarks(once_more) == remarks(text), once_more
    assert valid > 5
