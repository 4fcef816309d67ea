"""Tells which instance of a block or module a reference selects, where that can be told."""

from __future__ import annotations

from collections.abc import Iterable, Set

from zenctl.addrs import Address, Key, ModuleInstance
from zenctl.config.configuration import Meta
from zenctl.config.references import VALUES, traversal
from zenctl.diagnostics import has_errors
from zenctl.lang.evaluate import Scope, evaluate_expression
from zenctl.lang.references import Reference
from zenctl.lang.values import Value, convert, from_python, is_unknown, to_python


def selected(meta: Meta, reference: Reference, at: int, scope: Scope) -> Key:
    """The key at a place of a reference's path to what has these meta-arguments; None if it can be any, or none.

    A computed key counts where `scope` knows it and it is no secret.
    """
    if meta.for_each is None and meta.count is None:
        return None
    value: Value | None = None
    if len(reference.path) > at:
        value = from_python(reference.path[at])
    elif len(reference.path) == at and reference.key is not None:
        value, found = evaluate_expression(reference.key, scope)
        if has_errors(found):
            return None
    if value is None or value.marks or is_unknown(value) or value.is_null:
        return None
    converted, problem = convert(value, "string" if meta.for_each is not None else "number")
    key = None if problem is not None else to_python(converted)
    return key if isinstance(key, (str, int)) else None


def expanding_uses(meta: Meta, place: tuple[ModuleInstance, ...], key: Key, uses: Iterable[Address]) -> Set[Address]:
    """Of the instances that `for_each` or `count` uses, those that matter to the instance with a key.

    Where `for_each` is a block itself, that is the instance with the same key.
    """
    names = traversal(meta.for_each) if meta.for_each is not None else None
    if names is not None and len(names) == 3 and names[0] in VALUES and key is not None:
        return {VALUES[names[0]](names[1], names[2], key, place)}
    return frozenset(uses)
