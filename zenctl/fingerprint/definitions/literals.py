"""Tells which expressions are literals: evaluating one has no effect, cannot fail, and gives a value of its own."""

from __future__ import annotations

import ast

_MOST = 10_000
"""Largest exponent or shift that is worked out."""


def is_literal(node: ast.expr) -> bool:
    """Numbers, texts, None and the like, sums and products of numbers, and tuples, lists, dicts and sets of these."""
    pending: list[ast.expr] = [node]
    while pending:
        item = pending.pop()
        if isinstance(item, ast.Constant) or _is_number(item):
            continue
        if isinstance(item, (ast.Tuple, ast.List)):
            pending += item.elts
        elif isinstance(item, ast.Set):
            if not all(map(_is_key, item.elts)):
                return False
        elif isinstance(item, ast.Dict):
            if not all(key is not None and _is_key(key) for key in item.keys):
                return False
            pending += item.values
        else:
            return False
    return True


def _is_key(node: ast.expr) -> bool:
    """A literal that can be a key: one that holds a list could not."""
    if isinstance(node, ast.Tuple):
        return all(map(_is_key, node.elts))
    return isinstance(node, ast.Constant) or _is_number(node)


def _is_number(node: ast.expr) -> bool:
    """`-1`, `60 * 60`, `1 << 20`. A division could fail."""
    pending: list[ast.expr] = [node]
    while pending:
        item = pending.pop()
        if isinstance(item, ast.UnaryOp) and isinstance(item.op, (ast.USub, ast.UAdd)):
            pending.append(item.operand)
        elif isinstance(item, ast.BinOp) and isinstance(item.op, (ast.Add, ast.Sub, ast.Mult)):
            pending += [item.left, item.right]
        elif isinstance(item, ast.BinOp) and isinstance(item.op, (ast.LShift, ast.Pow)):
            if not (_is_small(item.left) and _is_small(item.right)):
                return False
        elif not (isinstance(item, ast.Constant) and type(item.value) in (int, float, complex)):
            return False
    return True


def _is_small(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and type(node.value) is int and 0 <= node.value <= _MOST
