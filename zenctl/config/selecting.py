"""Tells which instance of a block or module a reference selects, where that can be told."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Set

from zenctl.addrs import Address, Key, ModuleInstance
from zenctl.config.configuration import Meta
from zenctl.config.references import VALUES, traversal
from zenctl.diagnostics import has_errors
from zenctl.lang.calls import Function
from zenctl.lang.evaluate import Scope, evaluate_expression
from zenctl.lang.references import Reference, references
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


def early_scope(
    reference: Reference,
    own: Mapping[str, Value],
    settled: Callable[[str, str], Value | None],
    functions: Mapping[str, Function] | None,
) -> Scope | None:
    """The scope of a reference's computed key before anything else that it refers to is there; None if it needs more.

    `own` are root names of the block, such as `each`; `settled` gives a variable or local by its kind and name.
    """
    named: dict[str, dict[str, Value]] = {}
    for needed in references(reference.key) if reference.key is not None else ():
        root = str(needed.path[0])
        if root in own:
            continue
        name = str(needed.path[1]) if len(needed.path) > 1 else ""
        value = settled(root, name) if root in ("var", "local") else None
        if value is None:
            return None
        named.setdefault(root, {})[name] = value
    return Scope({**own, **{root: from_python(values) for root, values in named.items()}}, functions)


def expanding_uses(meta: Meta, place: tuple[ModuleInstance, ...], key: Key, uses: Iterable[Address]) -> Set[Address]:
    """Of the instances that `for_each` or `count` uses, those that matter to the instance with a key.

    Where `for_each` is a block itself, that is the instance with the same key.
    """
    names = traversal(meta.for_each) if meta.for_each is not None else None
    if names is not None and len(names) == 3 and names[0] in VALUES and key is not None:
        return {VALUES[names[0]](names[1], names[2], key, place)}
    return frozenset(uses)
