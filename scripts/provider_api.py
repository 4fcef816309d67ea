"""Writes down all that a provider may use of zenctl, name by name, so that a change of it is seen in review."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REPORT = ROOT / "tests" / "architecture" / "provider-api.txt"

MODULES = (
    "zenctl.provider",
    "zenctl.provider.testing.compute",
    "zenctl.provider.testing.endpoint",
    "zenctl.provider.testing.fakes",
    "zenctl.provider.testing.faults",
    "zenctl.provider.testing.provider",
    "zenctl.provider.testing.storage",
    "zenctl.schema",
    "zenctl.jobs.spec",
    "zenctl.jobs.result",
    "zenctl.jobs.resources",
    "zenctl.jobs.storage",
    "zenctl.jobs.stores.opening",
    "zenctl.jobs.wire",
    "zenctl.runner.zipapp",
)
"""What docs/providers.md promises to keep within a version of the SDK."""

HEAD = """\
# All that a provider may use of zenctl. `make api` writes this file; docs/providers.md says what may change in it.
"""


def report() -> str:
    """The names of every module, with signatures, fields and values."""
    modules = (f"\n{module}\n" + "".join(f"  {line}\n" for line in _module(module)) for module in MODULES)
    # Python 3.10 writes this one otherwise.
    return HEAD + "".join(modules).replace("lambda :", "lambda:")


def _module(name: str) -> Iterator[str]:
    tree = _parsed(name)
    listed = _listed(tree)
    for public in sorted(listed) if listed is not None else [n for n in _defined(tree) if not n.startswith("_")]:
        yield from _described(name, public)


@cache
def _parsed(name: str) -> ast.Module:
    path = ROOT.joinpath(*name.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            # What a text says may change at any time.
            node.keywords = [keyword for keyword in node.keywords if keyword.arg != "description"]
    return tree


def _listed(tree: ast.Module) -> list[str] | None:
    """What `__all__` names, if there is one."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and [ast.unparse(t) for t in node.targets] == ["__all__"]:
            return [str(name) for name in ast.literal_eval(node.value)]
    return None


def _defined(tree: ast.Module) -> dict[str, ast.stmt]:
    found: dict[str, ast.stmt] = {}
    for node in tree.body:
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
            found[node.name] = node
        elif isinstance(node, ast.AnnAssign):
            found[ast.unparse(node.target)] = node
        elif isinstance(node, ast.Assign):
            found.update({ast.unparse(target): node for target in node.targets})
    return found


def _described(module: str, name: str) -> Iterator[str]:
    """A name where it is defined: a package gives on what its modules have."""
    tree = _parsed(module)
    node = _defined(tree).get(name)
    if node is None:
        origins = [n.module for n in tree.body if isinstance(n, ast.ImportFrom) and name in [a.name for a in n.names]]
        yield from _described(str(origins[0]), name)
    elif isinstance(node, ast.ClassDef):
        yield from _class(node)
    elif isinstance(node, ast.FunctionDef):
        yield _function(node)
    else:
        yield ast.unparse(node)


def _class(node: ast.ClassDef) -> Iterator[str]:
    bases = [ast.unparse(base) for base in node.bases]
    for decorator in node.decorator_list:
        yield f"@{ast.unparse(decorator)}"
    yield f"class {node.name}({', '.join(bases)})" if bases else f"class {node.name}"
    for inner in node.body:
        if isinstance(inner, (ast.AnnAssign, ast.Assign)):
            text = ast.unparse(inner)
            if not text.startswith("_"):
                yield f"  {text}"
        elif isinstance(inner, ast.FunctionDef) and (inner.name == "__init__" or not inner.name.startswith("_")):
            yield f"  {_function(inner)}"
            if inner.name == "__init__":
                yield from (f"  {attribute}" for attribute in _attributes(inner))


def _attributes(init: ast.FunctionDef) -> Iterator[str]:
    """What every object of a class has besides, as its `__init__` sets it."""
    for node in init.body:
        if isinstance(node, (ast.Assign, ast.AnnAssign)):
            target = ast.unparse(node.targets[0] if isinstance(node, ast.Assign) else node.target)
            if target.startswith("self.") and not target.startswith("self._"):
                kind = f": {ast.unparse(node.annotation)}" if isinstance(node, ast.AnnAssign) else ""
                yield target + kind


def _function(node: ast.FunctionDef) -> str:
    decorators = "".join(f"@{ast.unparse(d)} " for d in node.decorator_list if not ast.unparse(d).startswith("pytest"))
    result = f" -> {ast.unparse(node.returns)}" if node.returns is not None else ""
    return f"{decorators}{node.name}({ast.unparse(node.args)}){result}"


if __name__ == "__main__":
    REPORT.write_text(report(), encoding="utf-8")
