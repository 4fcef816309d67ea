"""Filters of list requests, as far as the tests use them: comparisons of fields with texts, joined by AND."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

TERM = re.compile(r"""\(?\s*([\w.-]+)\s*(!=|=)\s*"?([^"()]*?)"?\s*\)?""")


def matches(text: str, value: Mapping[str, Any]) -> bool:
    """Whether a resource passes the filter; ValueError for one that is not understood."""
    return all(_passes(term, value) for term in re.split(r"\s+AND\s+", text) if term.strip())


def _passes(term: str, value: Mapping[str, Any]) -> bool:
    found = TERM.fullmatch(term.strip())
    if found is None:
        raise ValueError(f"the filter {term!r} is not understood")
    path, operator, wanted = found.groups()
    holder: Any = value
    for name in path.split("."):
        holder = holder.get(name) if isinstance(holder, Mapping) else None
    return (holder == wanted) is (operator == "=")
