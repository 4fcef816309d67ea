"""What one Python file says, as plain data: its definitions with their digests, and what each of them uses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from zenctl.lazy_dataclasses import dataclass

Chain = tuple[str, ...]
"""A dotted name as it is written: ("np", "mean"). Its first part is a name that the code does not bind itself."""

TOP = "top-level code"
"""How statements that define no name are called."""

MAIN = '__name__ == "__main__"'
"""How the block is called that only `python file.py` runs."""


@dataclass(frozen=True)
class Import:
    """`import module` (no names) or `from module import names`; `level` counts leading dots.

    `guarded` says that a `try` catches its failure. A name of "*" takes all there is.
    """

    module: str
    names: tuple[str, ...]
    level: int
    line: int
    guarded: bool = False


@dataclass(frozen=True)
class Binding:
    """One thing that a name of a module stands for.

    `kind` is "function", "class", "constant" (a literal), "variable" or "import". `target` is the qualified name of a
    function or class, and of an import the name that is taken from `module` ("" for the module itself).
    """

    kind: str
    target: str = ""
    module: str = ""
    level: int = 0


@dataclass(frozen=True)
class Call:
    """A call whose arguments say what it reaches: `getattr(owner, text)`, `import_module(text)`, `vars(owner)`.

    `owner` is the dotted name that is its object, () if that is no plain name. `text` is the literal it is given, None
    if it is computed; `prefix` is what a computed text certainly begins with. `arguments` counts them. `package` says
    that a relative name counts from the file's own package.
    """

    name: Chain
    line: int
    owner: Chain = ()
    text: str | None = None
    prefix: str = ""
    arguments: int = 0
    package: bool = False


@dataclass(frozen=True)
class Uses:
    """What a stretch of code uses when it runs.

    - `chains`: dotted names, each with the line of its first use; `attributes`: those of all else; `stores`: dotted
      names that are assigned to; `words`: names inside of texts that a library looks up in the caller's module
    - `imports` in the order in which they stand; `bindings`: what those inside of a function bind
    - `calls` that are looked into
    - `marks`: "docs", "hints", "source" (it may look at these), "place" (where its file stands may show), "resources"
      (it may read files that lie in packages)
    - `literals`: texts it hands to a call, which may be paths, with their lines
    - `flows`: what flows where, see `zenctl.fingerprint.definitions.flow`
    """

    chains: Mapping[Chain, int] = field(default_factory=dict)
    attributes: Mapping[str, int] = field(default_factory=dict)
    stores: Mapping[Chain, int] = field(default_factory=dict)
    words: tuple[str, ...] = ()
    imports: tuple[Import, ...] = ()
    bindings: Mapping[str, tuple[Binding, ...]] = field(default_factory=dict)
    calls: tuple[Call, ...] = ()
    marks: frozenset[str] = frozenset()
    literals: tuple[tuple[str, int], ...] = ()
    flows: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Entry:
    """One part of a file, in the order in which importing the file runs it.

    `kind` is "code" (it always counts), "constant" (the same, but it only binds `names` to a literal, so that its place
    does not count), "function" (it counts where the function of this name is reached), "name" (it binds `names` without
    any other effect: it counts where one of them is used) or "main" (see MAIN). `key` is what a
    person calls it. `head` is the digest of a function's decorators and defaults where evaluating them can have an
    effect: it counts always. `module` is the one that an import of the standard library names. `digest` is "" for a
    docstring on its own.
    """

    kind: str
    key: str
    digest: str
    docs: str = ""
    hints: str = ""
    head: str = ""
    names: tuple[str, ...] = ()
    module: str = ""


@dataclass(frozen=True)
class FunctionFacts:
    """One function at the top level of a module or in a class. `name` is qualified: `Scaler.fit`.

    `owner` is its class's qualified name or "". `kind` is "function", "method", "class", "static" or "property".
    `decorators` are those that get hold of it. `hinted` are the names in annotations that only a reader of annotations
    sees.
    """

    name: str
    owner: str
    kind: str
    parameters: tuple[str, ...]
    decorators: tuple[Chain, ...]
    uses: Uses
    hinted: tuple[Chain, ...] = ()


@dataclass(frozen=True)
class ClassFacts:
    """One class. `bases` and `decorators` are dotted names, () for one that is computed.

    `keywords` says that it has a metaclass or other class arguments; `metaclass` is a dotted name too, None without
    one. `methods` are names, `inner` its nested classes, `fields` its annotated attributes.
    """

    name: str
    bases: tuple[Chain, ...]
    decorators: tuple[Chain, ...]
    keywords: bool
    methods: tuple[str, ...]
    inner: tuple[str, ...]
    fields: tuple[str, ...]
    metaclass: Chain | None = None


@dataclass(frozen=True)
class FileFacts:
    """One Python file. `top` is what importing it runs; `main` what its block for `python file.py` runs.

    `bindings` says what its names stand for; functions and classes are by qualified name. `stars` are its imports of
    `*`. `exports` is its `__all__`, None if that is computed.
    """

    entries: tuple[Entry, ...]
    bindings: Mapping[str, tuple[Binding, ...]]
    functions: Mapping[str, tuple[FunctionFacts, ...]]
    classes: Mapping[str, tuple[ClassFacts, ...]]
    top: Uses
    main: Uses | None
    stars: tuple[Import, ...]
    exports: tuple[str, ...] | None
