"""Finds the definitions that a function can reach: by names, attributes, imports, decorators, bases and registries.

Sound by construction: what importing a module runs always counts; of the rest only bodies of functions that nothing
reached can call drop out. Where that cannot be told from the text, more is taken and a widening says why.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from zenctl.fingerprint.definitions.by_text import follow_call, follow_evaluations
from zenctl.fingerprint.definitions.facts import Chain, ClassFacts, FileFacts, FunctionFacts, Import, Uses
from zenctl.fingerprint.definitions.lineage import Lineage, is_held
from zenctl.fingerprint.definitions.names import Bindings, Names, Resolution, Target
from zenctl.fingerprint.definitions.outside import follow_outside
from zenctl.fingerprint.definitions.watched import ALL_ATTRIBUTES, IMPORTED_ATTRIBUTES, KNOWN_OF_MODULES
from zenctl.fingerprint.definitions.widening import AS_A_VALUE, EVERY_NAME, LISTING, Widening
from zenctl.fingerprint.modules import ModuleRef, Modules


class Reach:
    """The definitions that were reached so far. `load` gives a file's facts, None for one that is not Python.

    `outside` is told of modules from outside of the project, `missing` of imports that lead nowhere, `follow_folder` of
    a folder of which every file counts; it gives those files.
    """

    def __init__(
        self,
        modules: Modules,
        load: Callable[[str], FileFacts | None],
        *,
        outside: Callable[[Import], None],
        missing: Callable[[str, Import, str], None],
        follow_folder: Callable[[str], list[str]],
    ) -> None:
        self.modules = modules
        self._load = load
        self.outside_import = outside
        self._missing_import = missing
        self._follow_folder = follow_folder
        self.names = Names(modules, load)
        self.lineage = Lineage(self.names)
        self.files: dict[str, FileFacts | None] = {}
        self.functions: dict[Target, tuple[FunctionFacts, ...]] = {}
        self.classes: dict[Target, tuple[ClassFacts, ...]] = {}
        self.open_classes: set[Target] = set()
        self.whole: set[str] = set()
        self.listed: set[str] = set()
        self.lists_members = False
        self.used: set[tuple[str, str]] = set()
        self.present: set[tuple[str, str]] = set()
        self.imported: set[str] = set()
        self.marks: set[str] = set()
        self.widenings: list[Widening] = []
        self.too_deep: set[str] = set()
        self.main = False
        self.everything = False
        self._attributes: dict[str, None] = {}
        self._prefixes: set[str] = set()
        # Methods of the classes that were reached, of names that no attribute had so far.
        self._methods: dict[str, list[Target]] = {}
        self.by_name: list[Widening] = []  # places that look up attributes by computed names
        self._loose: dict[str, None] = {}
        self._folders: set[str] = set()
        self._taken: set[str] = set()
        self._subclasses = self._owners = False
        self.evaluations: list[tuple[str, int, str]] = []
        self.tops: set[str] = set()
        self._queue: deque[Callable[[], None]] = deque()

    def entry(self, file: str, name: str) -> list[Target]:
        """Begin with a function of a file; gives what its name stands for."""
        self.module(file)
        self.mention(file, (name,), 0)
        return list(self.names.resolve(file, (name,)).targets)

    def run(self) -> None:
        """Follow everything that is pending."""
        while self._queue:
            self._queue.popleft()()
            if not self._queue:
                follow_evaluations(self)

    def module(self, file: str) -> None:
        """Importing a file runs all of it but the bodies of its functions."""
        if file in self.files:
            return
        facts = self._load(file)
        self.files[file] = facts
        if facts is not None:
            self._queue.append(lambda: self._import(file, facts))

    def open_class(self, target: Target) -> None:
        """Code from outside may call any method of a class."""
        if target in self.open_classes:
            return
        self.open_classes.add(target)
        self._class(target)
        for owner in (target, *self.lineage.of(target).ancestors):
            self.open_classes.add(owner)
            for found in self.names.classes(owner):
                for name in found.methods:
                    self._function(Target("function", owner.file, f"{owner.name}.{name}"))

    def mention(self, file: str, chain: Chain, line: int, local: Bindings | None = None) -> None:
        """A dotted name is used in a file."""
        resolution = self.names.resolve(file, chain, local)
        self.touch(resolution, file, line)
        for target in (*resolution.passed, *resolution.targets):
            if target.kind == "function":
                self._function(target)
            elif target.kind == "class":
                self._class(target)
            elif target.kind == "module":
                self.widen_module(target, file, line, ".".join(chain), AS_A_VALUE)
            elif target.kind == "outside":
                follow_outside(self, file, target.name, line, local)
        for owner, name in resolution.missing:
            if owner and name.startswith("__") and name not in KNOWN_OF_MODULES:
                self.widen_file(owner, file, line, ".".join(chain), EVERY_NAME)

    def touch(self, resolution: Resolution, file: str, line: int) -> None:
        """Take note of the names that a resolution passed by."""
        self.used |= resolution.touched
        for name in resolution.attributes:
            self.attribute(name, file, line)

    def _import(self, file: str, facts: FileFacts) -> None:
        self._use(file, facts.top)
        for name in facts.classes:
            target = Target("class", file, name)
            heritage = self.lineage.of(target)
            self.used |= heritage.touched
            registered = any(is_held(self.names, file, found.decorators) for found in facts.classes[name])
            if registered or heritage.is_noticed or self._owners or (self._subclasses and heritage.ancestors):
                self._class(target)
        for name, functions in facts.functions.items():
            if any(is_held(self.names, file, found.decorators) for found in functions):
                self._function(Target("function", file, name))
        for name in ("__getattr__", "__dir__"):
            if name in facts.functions:
                self._function(Target("function", file, name))
        if self.everything or file in self.whole:
            self._take_all(file)
        if facts.main is not None and self.runs_main(file):
            self._use(file, facts.main)

    def runs_main(self, file: str) -> bool:
        """Whether a file's block for `python file.py` may run."""
        return self.main or file.rpartition("/")[2] == "__main__.py"

    def _function(self, target: Target) -> None:
        if target in self.functions:
            return
        found = self.names.functions(target)
        self.functions[target] = found
        self.used.add((target.file, target.name.partition(".")[0]))
        for facts in found:
            self._queue.append(lambda facts=facts: self._use_function(target.file, facts))  # type: ignore[misc]

    def _use_function(self, file: str, facts: FunctionFacts) -> None:
        body = facts.body.get()
        if body.too_deep:
            self.too_deep.add(file)
        self._use(file, body.uses)
        if "hints" in self.marks:
            self._hints(file, facts)

    def _hints(self, file: str, facts: FunctionFacts) -> None:
        for chain in facts.body.get().hinted:
            if self._is_bound(file, chain[0]):
                self.mention(file, chain, 0)

    def _class(self, target: Target) -> None:
        if target in self.classes:
            return
        found = self.names.classes(target)
        self.classes[target] = found
        self.used.add((target.file, target.name.partition(".")[0]))
        heritage = self.lineage.of(target)
        self.used |= heritage.touched
        for ancestor in heritage.ancestors:
            self._class(ancestor)
        for facts in found:
            for name in facts.inner:
                self._class(Target("class", target.file, f"{target.name}.{name}"))
            for name in facts.methods:
                # A method that has the name of a field takes its place.
                method = Target("function", target.file, f"{target.name}.{name}")
                if self._is_called(name) or name in facts.fields:
                    self._function(method)
                else:
                    self._methods.setdefault(name, []).append(method)
            if "__set_name__" in facts.methods and not self._owners:
                # An object of this class is told the class in whose body it stands.
                self._owners = True
                self._queue.append(self._use_all_classes)
        if heritage.is_open or target.file in self.whole or self.everything:
            self.open_class(target)

    def _use_all_classes(self) -> None:
        for file, facts in list(self.files.items()):
            for name in facts.classes if facts is not None else ():
                target = Target("class", file, name)
                if self._owners or self.lineage.of(target).ancestors:
                    self._class(target)

    def _is_called(self, name: str) -> bool:
        if name.startswith("_") and name.endswith("_"):
            # Python itself, or what a class inherits from, calls these.
            return True
        return name in self._attributes or any(name.startswith(prefix) for prefix in self._prefixes)

    def attribute(self, name: str, file: str, line: int) -> None:
        """An attribute of this name is used of something: every method of that name may be called."""
        if name in self._attributes:
            return
        self._attributes[name] = None
        self.lists_members |= name == "__dict__"
        if name in IMPORTED_ATTRIBUTES:
            self.take_everything(Widening(file, line, name, "can reach any definition of a module that is loaded"))
        if name in ALL_ATTRIBUTES:
            self.all_methods("", Widening(file, line, name, "can reach every method", methods=True))
        if name == "__subclasses__":
            self._subclasses = True
            self._use_all_classes()
        for loose in list(self._loose):
            if self._is_bound(loose, name):
                self.mention(loose, (name,), 0)
        for target in self._methods.pop(name, ()):
            self._function(target)

    def all_methods(self, prefix: str, widening: Widening) -> None:
        """An attribute is looked up by a name that is computed, and may begin with anything after the prefix."""
        self.by_name.append(widening)
        if prefix in self._prefixes:
            return
        self._prefixes.add(prefix)
        for loose in self._loose:
            self._take_all(loose)
        for target, found in list(self.classes.items()):
            for facts in found:
                for name in facts.methods:
                    if name.startswith(prefix):
                        self._function(Target("function", target.file, f"{target.name}.{name}"))

    def _use(self, file: str, uses: Uses) -> None:
        """Follow all that a stretch of code uses."""
        local = uses.bindings
        for item in uses.imports:
            self.follow(file, item)
        for chain, line in uses.chains.items():
            self.mention(file, chain, line, local)
        for name, line in uses.attributes.items():
            self.attribute(name, file, line)
        for chain, line in uses.stores.items():
            self._store(file, chain, line, local)
        for word in uses.words:
            if word in local or self._is_bound(file, word):
                self.mention(file, (word,), 0, local)
        for call in uses.calls:
            follow_call(self, file, call, local)
        self.mark(uses.marks)

    def mark(self, marks: frozenset[str]) -> None:
        """Docstrings, annotations or source are read, or a place may show: see Uses."""
        if "hints" in marks and "hints" not in self.marks:
            self.marks.add("hints")
            for target, found in list(self.functions.items()):
                for facts in found:
                    self._hints(target.file, facts)
        self.marks |= marks

    def _is_bound(self, file: str, name: str) -> bool:
        facts = self._load(file)
        return facts is not None and name in facts.bindings

    def follow(self, file: str, item: Import) -> None:
        """An import statement that runs."""
        target = self.modules.resolve(item, file)
        if target.outside:
            self.tops.add(item.module.partition(".")[0])
            self.outside_import(item)
        if target.missing:
            self._missing_import(file, item, target.missing)
        self.imported.update(target.files)
        for found in target.files:
            self.module(found)
        refs, _ = self.modules.references(item.module, item.level, file) if item.names else ((), False)
        for ref in refs:
            self.present.update((ref.file, name) for name in item.names)
            if "*" in item.names:
                self._star(file, item, ref)

    def _star(self, file: str, item: Import, ref: ModuleRef) -> None:
        what, why = f"from {'.' * item.level}{item.module} import *", "takes every name there is"
        facts = self._load(ref.file) if ref.file else None
        if facts is None or facts.exports is None:
            # Names of submodules in a computed `__all__` are imported too.
            self.widen_folders(ref.folders, file, item.line, what, why)
        for name in (facts.exports or ()) if facts is not None else ():
            inner = self.modules.child(ref, name)
            if inner is not None and inner.file:
                self.imported.add(inner.file)
                self.module(inner.file)
        if ref.file:
            self.widen_file(ref.file, file, item.line, what, why)

    def _store(self, file: str, chain: Chain, line: int, local: Bindings) -> None:
        resolution = self.names.resolve(file, chain[:-1], local)
        if not any(target.kind == "module" for target in resolution.targets):
            self.mention(file, chain[:-1], line, local)
            return
        self.touch(resolution, file, line)
        for target in resolution.targets:
            if target.kind == "module":
                self.widen_module(target, file, line, f"{'.'.join(chain)} = ...", "changes the module from outside")

    def widen_module(self, target: Target, file: str, line: int, what: str, why: str) -> None:
        """Every definition of a module counts."""
        if target.file:
            self.widen_file(target.file, file, line, what, why)
        else:
            self.widen_folders(target.folders, file, line, what, why)

    def widen_file(self, widened: str, file: str, line: int, what: str, why: str) -> None:
        """Every definition of the file `widened` counts, because of a line in `file`."""
        if why in LISTING:
            self.listed.add(widened)
        if widened not in self.whole:
            self.whole.add(widened)
            self.widenings.append(Widening(file, line, what, why, file=widened))
            if self.files.get(widened) is not None:
                self._take_all(widened)

    def widen_folders(self, folders: tuple[str, ...], file: str, line: int, what: str, why: str) -> None:
        """Every Python file below folders counts, because of a line in `file`."""
        for folder in folders:
            if folder in self._folders:
                continue
            self._folders.add(folder)
            self.widenings.append(Widening(file, line, what, why, folder=folder))
            for found in self._follow_folder(folder):
                self.imported.add(found)
                self.whole.add(found)
                if self.files.get(found) is not None:
                    self._take_all(found)
                self.module(found)

    def take_everything(self, widening: Widening) -> None:
        """Every definition of every module that is loaded counts."""
        self.widenings.append(widening)
        if not self.everything:
            self.everything = True
            for file in list(self.files):
                self._take_all(file)

    def _take_all(self, file: str) -> None:
        """Every definition of a module counts, and all that its names stand for."""
        facts = self._load(file)
        if facts is not None and file not in self._taken:
            self._taken.add(file)
            self._queue.append(lambda: self._take(file, facts))

    def _take(self, file: str, facts: FileFacts) -> None:
        for name in facts.functions:
            self._function(Target("function", file, name))
        for name in facts.classes:
            self.open_class(Target("class", file, name))
        for name, bindings in facts.bindings.items():
            self.used.add((file, name))
            for binding in bindings:
                if binding.kind == "import":
                    self._take_import(file, name)

    def run_mains(self) -> None:
        """Blocks for `python file.py` may run."""
        self.main = True
        for file, facts in list(self.files.items()):
            if facts is not None and facts.main is not None:
                self._use(file, facts.main)

    def _take_import(self, file: str, name: str) -> None:
        """An imported name can be reached as a value: of a module what is used as an attribute of anything counts."""
        resolution = self.names.resolve(file, (name,))
        self.touch(resolution, file, 0)
        for target in resolution.targets:
            if target.kind == "function":
                self._function(target)
            elif target.kind == "class":
                self._class(target)
            elif target.kind == "module" and target.file and target.file not in self._loose:
                self._loose[target.file] = None
                if self._prefixes:
                    self._take_all(target.file)
                for attribute in list(self._attributes):
                    if self._is_bound(target.file, attribute):
                        self.mention(target.file, (attribute,), 0)
