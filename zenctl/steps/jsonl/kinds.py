"""What the values of a key are: kinds of JSON, how they go together, and the type of column that holds them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

KINDS = {
    "": "missing",
    "bool": "true or false",
    "int": "a number",
    "float": "a number",
    "string": "text",
    "nested": "a list or an object",
    "mixed": "values of several kinds",
}
"""Each kind in words; "" is that of a key whose values are all null."""

COLUMN = {"": "", "bool": "int", "int": "int", "float": "float", "string": "string", "nested": "string"}
"""The type of column for values of a kind."""


def together(one: str, other: str) -> str:
    """The kind that holds values of both."""
    if one == other or not other:
        return one
    if not one:
        return other
    return "float" if {one, other} == {"int", "float"} else "mixed"


def merged(several: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """The kinds that hold what each of these do, by key, in the order in which keys come first."""
    found: dict[str, str] = {}
    for kinds in several:
        for name, kind in kinds.items():
            found[name] = together(found.get(name, ""), kind)
    return found
