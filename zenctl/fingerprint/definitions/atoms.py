"""The texts that say where values come from and go to, which `zenctl.fingerprint.definitions.flow` joins to a graph.

An atom says where a value comes from:

- `n:x` a local variable, `g:a.b` a dotted name of the module, `c:a.b` what calling one gives
- `a:x` an attribute, `m:x` what a method of that name gives, `d:` what an operator gives
- `w:` what is given to a function inside of the one that is read
- `^` before an atom: what is in its list, dict, set or iterator; `@`: one that holds it
- what kind of value is assigned: `l:` a list, dict or set written out, `k:` a number or text, `v:` just what a call of
  a dotted name gives, `u:` any other

A place says where a value goes:

- `n:x`; `G:x` a variable of the module; `a:x`; `r:` returned; `o:` to code outside of the project
- `p:a.b|0` an argument of a call, by number, `=name`, or `*` where that is not known; `q:method|0|receiver` the same of
  a method; `w:a.b` given to what a call gives; `i:a.b` an index of it
- `.name|receiver` an attribute of an object; `+method|receiver` put by a method into a list, dict or set

A receiver is `self`, `s:x` (an attribute of it), `n:x`, `g:a.b`, or "" where it is anything else.
"""

from __future__ import annotations

import ast

Atoms = tuple[str, ...]

RETURNED, OUTSIDE = "r:", "o:"
DATA, DISPLAY, MADE, OTHER = "k:", "l:", "v:", "u:"
ITERATED: Atoms = ("m:__iter__", "m:__next__", "m:__getitem__", "m:__aiter__", "m:__anext__")
ENTERED: Atoms = ("m:__enter__", "m:__aenter__")


def inside(atoms: Atoms) -> Atoms:
    """What is in the lists, dicts, sets or iterators that the values are."""
    return tuple(f"^{atom}" for atom in atoms)


def holding(atoms: Atoms) -> Atoms:
    """A list, dict, set or iterator that holds the values."""
    return tuple(f"@{atom}" for atom in atoms)


def kind_of(value: ast.expr) -> str:
    """What kind of value is assigned."""
    if isinstance(value, (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.SetComp, ast.DictComp)):
        return DISPLAY
    if isinstance(value, ast.Constant):
        return DATA
    return MADE if isinstance(value, ast.Call) and isinstance(value.func, (ast.Name, ast.Attribute)) else OTHER
