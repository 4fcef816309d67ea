"""Names that a reader of code must know: what loads code by name, what reads docstrings, annotations or source."""

from __future__ import annotations

import sys

STANDARD = frozenset(getattr(sys, "stdlib_module_names", ())) | {
    *("__main__", "_typeshed", "aifc", "asynchat", "asyncore", "audioop", "binhex", "cgi", "cgitb", "chunk", "crypt"),
    *("distutils", "imghdr", "imp", "lib2to3", "mailcap", "msilib", "nis", "nntplib", "ossaudiodev", "pipes", "smtpd"),
    *("sndhdr", "spwd", "sunau", "telnetlib", "tomllib", "uu", "xdrlib"),
}
"""Top-level modules of the standard library, those that came or went with a version included."""

EFFECTFUL = frozenset({"__future__", "__main__", "antigravity", "readline", "rlcompleter", "site", "this"})
"""Those of them whose import does more than to bind a name."""

LITERAL_IMPORTS = frozenset(
    {"builtins.__import__", "importlib.__import__", "importlib.import_module", "importlib.util.find_spec"}
)
"""Calls that import the module they name: followed if the name is written out, else widening."""

PROJECT = frozenset(
    {
        "builtins.__builtins__",
        "builtins.__path__",
        "builtins.eval",
        "builtins.exec",
        "cProfile.run",
        "cProfile.runctx",
        "code.InteractiveConsole",
        "code.InteractiveInterpreter",
        "code.interact",
        "gin.parse_config",
        "gin.parse_config_file",
        "gin.parse_config_files_and_bindings",
        "hydra.utils",
        "imp.load_module",
        "imp.load_package",
        "imp.load_source",
        "importlib.machinery.SourceFileLoader",
        "importlib.metadata.entry_points",
        "importlib.util.module_from_spec",
        "importlib.util.spec_from_file_location",
        "importlib_metadata.entry_points",
        "logging.config",
        "pkg_resources.iter_entry_points",
        "pkg_resources.load_entry_point",
        "pkgutil.extend_path",
        "pkgutil.get_loader",
        "pkgutil.iter_modules",
        "pkgutil.resolve_name",
        "pkgutil.walk_packages",
        "profile.run",
        "profile.runctx",
        "runpy.run_module",
        "runpy.run_path",
        "site.addsitedir",
        "stevedore",
        "sys.meta_path",
        "sys.path",
        "sys.path_hooks",
        "timeit.Timer",
        "timeit.repeat",
        "timeit.timeit",
        "unittest.mock.patch",
        "zipimport.zipimporter",
    }
)
"""What can load any file of the project, or run a text as code."""

IMPORTED = frozenset(
    {
        "copyreg",
        "dill.load",
        "dill.loads",
        "cloudpickle.load",
        "cloudpickle.loads",
        "gc.get_objects",
        "gc.get_referents",
        "gc.get_referrers",
        "inspect.getmodule",
        "joblib.load",
        "jsonpickle.decode",
        "pandas.read_pickle",
        "pickle.Unpickler",
        "pickle.load",
        "pickle.loads",
        "shelve.open",
        "sys._current_frames",
        "sys.modules",
        "torch.load",
        "yaml.CLoader",
        "yaml.Loader",
        "yaml.UnsafeLoader",
        "yaml.unsafe_load",
        "yaml.unsafe_load_all",
    }
)
"""What can get hold of any definition of a module that is loaded."""

IMPORTED_ATTRIBUTES = frozenset({"__globals__", "f_globals", "f_locals", "get_referrers"})
"""Attributes that do the same, whatever they are read of."""

KNOWN_OF_MODULES = frozenset({"__all__", "__doc__", "__file__", "__name__", "__package__", "__path__", "__version__"})
"""Attributes of modules that tell nothing of their other names."""

OWN = frozenset({"builtins.globals", "builtins.locals"})
"""What gets hold of all names of its own module; `vars()` and `dir()` without arguments too."""

READS_NAMES = frozenset({"builtins.getattr", "builtins.hasattr", "builtins.setattr", "builtins.delattr"})
NAMED = READS_NAMES | {"operator.attrgetter", "operator.methodcaller"}
"""Calls that take an attribute by a name given as a text."""

LISTS_NAMES = frozenset(
    {
        "builtins.dir",
        "builtins.object.__getattribute__",
        "builtins.vars",
        "inspect.getattr_static",
        "inspect.getmembers",
        "inspect.getmembers_static",
    }
)
VARS = "builtins.vars"
ALL_ATTRIBUTES = frozenset({"__dict__", "__dir__", "__getattribute__", "__slots__"})
"""What can get hold of every method of a class."""

EVALUATORS = frozenset({"eval", "evaluate", "from_formula", "query"})
EVALUATING = frozenset({"formulaic", "linearmodels", "numexpr", "pandas", "patsy", "statsmodels"})
"""Methods that evaluate a text with the names of their caller's module, and the packages that have them."""

CALLS = frozenset(
    {
        "__import__",
        "attrgetter",
        "delattr",
        "dir",
        "find_spec",
        "getattr",
        "getmembers",
        "getmembers_static",
        "hasattr",
        "import_module",
        "methodcaller",
        "setattr",
        "vars",
    }
)
"""Last names of the calls that are looked into."""

DOC_NAMES = frozenset({"__doc__", "cleandoc", "co_consts", "getdoc"})
DOC_READERS = frozenset(
    {
        "click",
        "doctest",
        "docopt",
        "dspy",
        "fastmcp",
        "fire",
        "inspect",
        "instructor",
        "langchain",
        "langchain_core",
        "marvin",
        "mcp",
        "pydantic_ai",
        "pydoc",
        "smolagents",
        "typer",
    }
)
"""Modules that read docstrings: some of them make a program's behaviour, or a prompt, out of them."""

HINT_NAMES = frozenset(
    {
        "__annotate__",
        "__annotations__",
        "evaluate_forward_ref",
        "get_annotations",
        "get_type_hints",
        "validate_arguments",
        "validate_call",
    }
)
HINT_READERS = frozenset(
    {
        "apache_beam",
        "beartype",
        "cattrs",
        "dagster",
        "dspy",
        "fastapi",
        "fastmcp",
        "inject",
        "injector",
        "instructor",
        "jsonargparse",
        "kfp",
        "langchain",
        "langchain_core",
        "litestar",
        "marvin",
        "mcp",
        "plum",
        "prefect",
        "pydantic_ai",
        "simple_parsing",
        "smolagents",
        "strawberry",
        "tap",
        "typeguard",
        "typer",
        "tyro",
        "zenml",
    }
)
HINT_CALLS = frozenset({"inspect.Signature", "inspect.getfullargspec", "inspect.signature"})
"""Names and modules that read the annotations of functions."""

SOURCE_NAMES = frozenset(
    {
        "co_firstlineno",
        "co_lines",
        "co_lnotab",
        "co_positions",
        "f_lineno",
        "findsource",
        "getblock",
        "getcomments",
        "getframeinfo",
        "getsource",
        "getsourcefile",
        "getsourcelines",
        "lineno",
        "tb_lineno",
    }
)
SOURCE_READERS = frozenset({"linecache", "tokenize"})

PLACE_NAMES = frozenset({"__file__", "__module__", "__package__", "__path__", "__spec__"})
RESOURCE_NAMES = frozenset({"get_data", "resources"})
"""What reads files that lie in packages: `pkgutil.get_data`, `importlib.resources`."""

PLACE_READERS = frozenset({"cloudpickle", "dill", "joblib", "pickle", "shelve"})
"""Modules that write down where a function or class comes from."""

PROCESSES = frozenset(
    {
        "asyncio.create_subprocess_exec",
        "asyncio.create_subprocess_shell",
        "os.execl",
        "os.execle",
        "os.execlp",
        "os.execlpe",
        "os.execv",
        "os.execve",
        "os.execvp",
        "os.execvpe",
        "os.popen",
        "os.posix_spawn",
        "os.posix_spawnp",
        "os.spawnl",
        "os.spawnle",
        "os.spawnlp",
        "os.spawnlpe",
        "os.spawnv",
        "os.spawnve",
        "os.spawnvp",
        "os.spawnvpe",
        "os.system",
        "pexpect",
        "plumbum",
        "pty.spawn",
        "sh",
        "subprocess",
    }
)
"""What may run one of the step's own files as a program."""

STATIC, CLASS = "builtins.staticmethod", "builtins.classmethod"
PROPERTIES = frozenset({"builtins.property", "functools.cached_property"})
QUIET = PROPERTIES | {STATIC, CLASS, "abc.abstractmethod", "typing.final", "typing.overload", "typing.override"}
"""Decorators that neither read annotations nor hand the function to anybody."""

BENIGN = QUIET | frozenset(
    {
        "abc.update_abstractmethods",
        "contextlib.asynccontextmanager",
        "contextlib.contextmanager",
        "dataclasses.dataclass",
        "enum.unique",
        "functools.cache",
        "functools.lru_cache",
        "functools.total_ordering",
        "functools.wraps",
        "typing.dataclass_transform",
        "typing.no_type_check",
        "typing.runtime_checkable",
        "warnings.deprecated",
    }
)
"""Decorators that put a function or class in no registry and call none of its methods by name."""

QUIET_METACLASSES = frozenset({"abc.ABCMeta", "builtins.type", "enum.EnumMeta", "enum.EnumType"})
"""Metaclasses from outside that hand what stands in a class to nobody."""

BENIGN_BASES = frozenset(
    {
        "abc.ABC",
        "builtins.object",
        "enum.Enum",
        "enum.Flag",
        "enum.IntEnum",
        "enum.IntFlag",
        "enum.StrEnum",
        "typing.Generic",
        "typing.NamedTuple",
        "typing.Protocol",
        "typing.TypedDict",
        *(
            f"{module}.{name}"
            for module in ("collections.abc", "typing")
            for name in (
                *("AsyncIterable", "AsyncIterator", "Awaitable", "Callable", "Collection", "Container", "Hashable"),
                *("Iterable", "Iterator", "Reversible", "Sequence", "Sized"),
            )
        ),
    }
)
"""Bases from outside that call no method of a subclass but those with two underscores."""

EXCEPTIONS = ("Error", "Exception", "Warning")
MORE_EXCEPTIONS = frozenset({"GeneratorExit", "KeyboardInterrupt", "StopAsyncIteration", "StopIteration", "SystemExit"})
"""How the names of builtin exceptions end, and those that end otherwise."""

PASSING = frozenset(
    f"builtins.{name}"
    for name in (
        *("dict", "enumerate", "frozenset", "getattr", "iter", "list", "next", "reversed", "set", "sum", "super"),
        *("tuple", "type", "zip"),
    )
) | {"copy.copy", "copy.deepcopy", "dataclasses.replace", "typing.cast"}
"""Functions from outside that call only methods with two underscores of what they are given, and may return it."""

COLLECTING = frozenset(
    f"builtins.{name}"
    for name in ("dict", "enumerate", "frozenset", "iter", "list", "next", "reversed", "set", "sum", "tuple", "zip")
)
"""Those of them that return what is in what they are given."""

DROPPING = frozenset(
    f"builtins.{name}"
    for name in (
        *("all", "any", "bool", "bytes", "callable", "delattr", "float", "format", "hasattr", "hash", "id", "int"),
        *("isinstance", "issubclass", "len", "print", "range", "repr", "str"),
    )
)
"""The same, but what they return is plain data."""

CONTAINING = frozenset(
    {"add", "append", "appendleft", "extend", "insert", "push", "put", "remove", "setdefault", "update", "discard"}
)
"""Methods by which lists, dicts and sets take something in."""

GIVING = frozenset(
    {
        *("copy", "difference", "get", "intersection", "items", "keys", "pop", "popitem", "popleft", "setdefault"),
        *("symmetric_difference", "union", "values"),
    }
)
"""Methods by which they give out what they hold."""
