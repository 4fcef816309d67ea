"""Reads from a function's text what it takes and gives: inputs, outputs and parameters. Imports nothing of it."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from dataclasses import field

from zenctl.diagnostics import Diagnostic, SourceRange, did_you_mean, error
from zenctl.fingerprint.annotations import Names
from zenctl.fingerprint.code import missing_file
from zenctl.fingerprint.definitions.facts import Import
from zenctl.fingerprint.modules import Modules
from zenctl.fingerprint.parsing import Source, decode, parse
from zenctl.fingerprint.source import SourceError, SourceTree, clean
from zenctl.lazy_dataclasses import dataclass

RESULT = "result"
"""The output that is a function's return value."""

WANTED = (
    "Inputs are annotated with Dataset, Model, Metrics, Artifact (from zenctl.sdk) or pathlib.Path, outputs with "
    "Output[Model] and the like; parameters come after a `*`: def f(train: Dataset, model: Output[Model], *, epochs=5)."
)

_HOPS = 20


@dataclass(frozen=True)
class ParamDecl:
    """A keyword-only parameter: whether it must be given, its annotation's text ("" if it has none), and its place."""

    required: bool
    annotation: str = ""
    range: SourceRange | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Signature:
    """What a function takes and gives.

    `inputs` maps each to what it is annotated with (`Dataset`, `Model`, `Metrics`, `Artifact`, `Path`); those in
    `optional` have a default and need not be given. `outputs` maps each to its artifact type; `returned` says that the
    one named `result` is the return value. `checkpoints` is the parameter that takes those, or empty. `range` is where
    the function is defined, `ranges` where each input and output is. `has_var_keyword`: any further parameter is
    accepted.
    """

    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    returned: bool
    params: Mapping[str, ParamDecl]
    range: SourceRange
    has_var_keyword: bool = False
    optional: frozenset[str] = frozenset()
    checkpoints: str = ""
    ranges: Mapping[str, SourceRange] = field(default_factory=dict, compare=False)


Found = tuple[Signature | None, list[Diagnostic]]


def read_signature(tree: SourceTree, file: str, function: str, outputs: Mapping[str, str] | None = None) -> Found:
    """The signature of a function of a project file, followed through re-exports; None if there are errors.

    `outputs` are artifact types of outputs that the configuration declares: such a parameter needs no annotation.
    """
    try:
        path = clean(file)
        data = tree.read(path)
        if data is None:
            return None, [missing_file(tree, path)]
        modules = Modules(tree, ("", path.rpartition("/")[0]))
        return _Reader(tree, modules, outputs or {}).read(path, data, function)
    except SourceError as problem:
        return None, [error("code_unreadable", f"{problem.path} cannot be read as code", str(problem))]


def parse_signature(text: str, function: str, filename: str, outputs: Mapping[str, str] | None = None) -> Found:
    """The same for a text on its own: imports of other files are not followed."""
    source = Source(filename, text)
    module, problem = parse(source)
    if module is None:
        return None, [problem] if problem else []
    found = _lookup(module, function)
    if isinstance(found, ast.FunctionDef):
        return _signature(source, found, Names(module, lambda _: False), outputs or {})
    return None, [_not_a_function(source, module, function, found)]


class _Reader:
    def __init__(self, tree: SourceTree, modules: Modules, outputs: Mapping[str, str]) -> None:
        self.tree = tree
        self.modules = modules
        self.outputs = outputs

    def read(self, path: str, data: bytes, function: str) -> Found:
        """Follow the name through the files that hand it on, to its definition."""
        first: Diagnostic | None = None
        for _ in range(_HOPS):
            text, problem = decode(data, path)
            source = Source(path, text or "")
            module, unparsed = parse(source) if text is not None else (None, problem)
            if module is None:
                return None, [unparsed] if unparsed else []
            found = _lookup(module, function)
            if isinstance(found, ast.FunctionDef):
                return _signature(source, found, Names(module, self._in_project), self.outputs)
            first = first or _not_a_function(source, module, function, found)
            step = self._next(path, found)
            if step is None:
                return None, [first]
            path, data, function = step
        return None, [first] if first else []

    def _next(self, path: str, found: object) -> tuple[str, bytes, str] | None:
        """Where an imported name comes from: the file, its content, and the name there."""
        if not isinstance(found, _Imported):
            return None
        node = found.node
        target = self.modules.resolve(Import(node.module or "", (), node.level, node.lineno), path)
        file = target.files[-1] if target.files and not target.missing else None
        data = self.tree.read(file) if file is not None and file.endswith(".py") else None
        return (file, data, found.name) if file is not None and data is not None else None

    def _in_project(self, module: str) -> bool:
        return bool(self.modules.resolve(Import(module, (), 0, 0), "").files)


@dataclass(frozen=True)
class _Imported:
    node: ast.ImportFrom
    name: str


def _top_level(body: Iterable[ast.stmt]) -> Iterable[ast.stmt]:
    """The statements that run when the module is imported, those under `if`, `try` and `with` included."""
    for statement in body:
        yield statement
        for name in ("body", "orelse", "finalbody"):
            if isinstance(statement, (ast.If, ast.Try, ast.With, ast.For, ast.While)):
                yield from _top_level(getattr(statement, name, []))
        if isinstance(statement, ast.Try):
            for handler in statement.handlers:
                yield from _top_level(handler.body)


def _lookup(module: ast.Module, function: str) -> ast.stmt | _Imported | None:
    """What a module's name stands for: the last definition, assignment or import of it; aliases are followed."""
    bound: dict[str, ast.stmt | _Imported] = {}
    for statement in _top_level(module.body):
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            bound[statement.name] = statement
        elif isinstance(statement, ast.ImportFrom):
            bound.update({a.asname or a.name: _Imported(statement, a.name) for a in statement.names})
        elif isinstance(statement, ast.Assign):
            bound.update({t.id: statement for t in statement.targets if isinstance(t, ast.Name)})
    found = bound.get(function)
    for _ in range(_HOPS):
        if not (isinstance(found, ast.Assign) and isinstance(found.value, ast.Name)):
            return found
        found = bound.get(found.value.id, found)
    return found


def _not_a_function(source: Source, module: ast.Module, function: str, found: object) -> Diagnostic:
    name = source.filename
    if isinstance(found, ast.AsyncFunctionDef):
        detail = "Define it with `def` and call asyncio.run(...) inside."
        return error("code_async", f"{function} in {name} is an async function", detail, range=_head(source, found))
    if isinstance(found, ast.ClassDef):
        detail = f"The code of a step is a function. {WANTED}"
        return error("code_not_a_function", f"{function} in {name} is a class", detail, range=_head(source, found))
    if isinstance(found, _Imported):
        origin = "." * found.node.level + (found.node.module or "")
        detail = f"It comes from {origin}, outside of the project. Define a function that calls it. {WANTED}"
        place = source.range(found.node)
        return error("code_not_a_function", f"{function} is only imported into {name}", detail, range=place)
    if isinstance(found, ast.Assign):
        detail = f"What it takes cannot be read from an assignment: define it with `def`. {WANTED}"
        place = source.range(found)
        return error("code_not_a_function", f"{function} in {name} is not defined with def", detail, range=place)
    inner = _inner(module, function.rpartition(".")[2])
    if inner is not None:
        owner, node = inner
        detail = f"The code of a step is a function at the top level of its file, and this one is inside {owner}."
        return error("code_nested", f"{function} in {name} is not at the top level", detail, range=_head(source, node))
    names = [s.name for s in _top_level(module.body) if isinstance(s, ast.FunctionDef)]
    known = f"It defines {', '.join(sorted(names)[:10])}." if names else "It defines no function at its top level."
    detail = known + did_you_mean(function, names)
    # No place in the file is at fault, so the caller places it where the function is named.
    return error("code_function_missing", f"{name} has no function {function}", detail)


def _inner(module: ast.Module, function: str) -> tuple[str, ast.FunctionDef | ast.AsyncFunctionDef] | None:
    """A function of this name inside a class or another function, and what it is inside of."""
    pending: list[ast.AST] = list(module.body)
    while pending:
        outer = pending.pop(0)
        pending += ast.iter_child_nodes(outer)
        if isinstance(outer, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            what = "class" if isinstance(outer, ast.ClassDef) else "function"
            for node in ast.walk(outer):
                same = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name == function
                if same and node is not outer:
                    return f"the {what} {outer.name}", node  # type: ignore[return-value]
    return None


def _head(source: Source, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> SourceRange:
    """`def name(...)` without the body: up to the end of its line."""
    return source.line_range(node.lineno)


def _signature(source: Source, node: ast.FunctionDef, names: Names, outputs: Mapping[str, str]) -> Found:
    found = _Parts(source, node, names, outputs)
    found.positional()
    found.keyword_only()
    found.result()
    if found.diagnostics:
        return None, found.diagnostics
    return (
        Signature(
            inputs=found.inputs,
            outputs=found.outputs,
            returned=found.returned,
            params=found.params,
            range=_head(source, node),
            has_var_keyword=node.args.kwarg is not None,
            optional=frozenset(found.optional),
            checkpoints=found.checkpoints,
            ranges=found.ranges,
        ),
        [],
    )


class _Parts:
    def __init__(self, source: Source, node: ast.FunctionDef, names: Names, declared: Mapping[str, str]) -> None:
        self.source = source
        self.node = node
        self.names = names
        self.declared = declared
        self.inputs: dict[str, str] = {}
        self.outputs: dict[str, str] = {}
        self.params: dict[str, ParamDecl] = {}
        self.ranges: dict[str, SourceRange] = {}
        self.optional: set[str] = set()
        self.returned = False
        self.checkpoints = ""
        self.diagnostics: list[Diagnostic] = []

    def positional(self) -> None:
        args = self.node.args
        positional = [*args.posonlyargs, *args.args]
        required = len(positional) - len(args.defaults)
        for index, arg in enumerate(positional):
            self._positional(arg, has_default=index >= required)
        if args.vararg is not None:
            self._report("code_parameter", f"*{args.vararg.arg} is not possible in the function of a step", args.vararg)

    def keyword_only(self) -> None:
        args = self.node.args
        for arg, default in zip(args.kwonlyargs, args.kw_defaults, strict=True):
            text = ast.unparse(arg.annotation) if arg.annotation is not None else ""
            kind = self.names.meaning(arg.annotation).kind if arg.annotation is not None else ""
            if kind == "checkpoints":
                self._checkpoints(arg)
                continue
            if kind in ("input", "output") and not self._is_path(arg):
                summary = f"{arg.arg} is an {kind} and stands after the `*`, where parameters are"
                self._report("code_parameter", summary, arg)
            self.params[arg.arg] = ParamDecl(default is None, text, self.source.range(arg))

    def result(self) -> None:
        annotation = self.node.returns
        if annotation is None:
            return
        meaning = self.names.meaning(annotation)
        if meaning.kind == "none":
            return
        if meaning.kind != "json":
            summary = f"{self.node.name} returns {ast.unparse(annotation)}, which is no plain value"
            detail = (
                "A step returns None, int, float, bool, str, dict or list; a plain value becomes the output `result`. "
                "Anything else is written to an output parameter: model: Output[Model]."
            )
            self.diagnostics.append(error("code_return", summary, detail, range=self.source.range(annotation)))
        elif RESULT in self.outputs or RESULT in self.inputs:
            summary = f"{self.node.name} returns a value, whose name `result` a parameter has too"
            detail = "Rename the parameter, or return nothing."
            self.diagnostics.append(error("code_return", summary, detail, range=self.source.range(annotation)))
        else:
            self.returned = True
            self.outputs[RESULT] = "Artifact"
            self.ranges[RESULT] = self.source.range(annotation)

    def _positional(self, arg: ast.arg, *, has_default: bool) -> None:
        self.ranges[arg.arg] = self.source.range(arg)
        if arg.arg in self.declared:
            self.outputs[arg.arg] = self.declared[arg.arg]
            return
        if arg.annotation is None:
            self._report("code_parameter", f"{arg.arg} has no annotation that tells an input from an output", arg)
            return
        meaning = self.names.meaning(arg.annotation)
        if meaning.kind == "input":
            self.inputs[arg.arg] = meaning.type
            if has_default:
                self.optional.add(arg.arg)
        elif meaning.kind == "output":
            self.outputs[arg.arg] = meaning.type
        elif meaning.kind == "checkpoints":
            self._checkpoints(arg)
        elif meaning.kind == "json":
            summary = f"{arg.arg} is a parameter and stands before the `*`, where inputs and outputs are"
            self._report("code_parameter", summary, arg)
        else:
            text = ast.unparse(arg.annotation)
            because = f" ({meaning.reason})" if meaning.reason else ""
            self._report("code_parameter", f"{arg.arg} is annotated with {text}, no input or output{because}", arg)

    def _checkpoints(self, arg: ast.arg) -> None:
        """On either side of the `*`: it is neither an input nor a parameter."""
        if self.checkpoints:
            self._report("code_parameter", f"{self.checkpoints} and {arg.arg} are both Checkpoints: one is enough", arg)
        self.checkpoints = self.checkpoints or arg.arg

    def _is_path(self, arg: ast.arg) -> bool:
        return arg.annotation is not None and self.names.meaning(arg.annotation).type == "Path"

    def _report(self, code: str, summary: str, arg: ast.arg) -> None:
        self.diagnostics.append(error(code, summary, WANTED, range=self.source.range(arg)))
