"""Finds the project files that an import would load, by the rules of Python's own import system."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field

from zenctl.fingerprint.definitions.facts import Import
from zenctl.fingerprint.source import SourceTree, exists, is_folder, join
from zenctl.lazy_dataclasses import dataclass

EXTENSIONS = (".so", ".pyd")

SOURCE_FOLDER = "src"
"""Where projects that are installed in place keep their packages; it is on `sys.path` only through that."""


@dataclass(frozen=True)
class Found:
    """The files that importing a dotted name executes, outermost package first.

    `folders` are where its submodules are looked for (empty for a plain module). `depth` counts the parts of the name
    that were found; `regular` says that at least one of them was a file and not only a folder.
    """

    files: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    depth: int = 0

    @property
    def regular(self) -> bool:
        return bool(self.files)


@dataclass(frozen=True)
class Target:
    """What an import statement reaches: files of the project, a module outside of it, or what is missing.

    Both files and an outside module where it depends on what is installed.
    """

    files: tuple[str, ...] = ()
    outside: str = ""
    missing: str = ""
    packages: tuple[str, ...] = field(default=())
    """Folders of packages of which `*` was imported."""


@dataclass(frozen=True)
class ModuleRef:
    """A module of the project: its `file` ("" for a folder without `__init__.py`) and where its submodules are."""

    file: str
    folders: tuple[str, ...] = ()


class Modules:
    """Resolves imports in one tree. `roots` are the folders that come first on `sys.path`, in their order."""

    def __init__(self, tree: SourceTree, roots: Sequence[str]) -> None:
        self._tree = tree
        self._roots = tuple(dict.fromkeys(roots))
        self._known: dict[tuple[str, tuple[str, ...]], Found] = {}

    def resolve(self, item: Import, file: str) -> Target:
        """What the import statement in `file` reaches."""
        if item.level:
            return self._relative(item, file)
        target = self._absolute(item, self._roots)
        if target.outside and is_folder(self._tree, SOURCE_FOLDER):
            # Installed in place, it is this file that runs; installed as a release, it is the other one.
            other = self._absolute(item, (SOURCE_FOLDER,))
            if other.files:
                return Target(other.files, outside=item.module, packages=other.packages)
        return target

    def references(self, module: str, level: int, file: str) -> tuple[tuple[ModuleRef, ...], bool]:
        """The modules that a name in an import statement of `file` stands for, and whether it may be one from outside.

        `module` may be empty where `level` counts dots: that is the package itself.
        """
        if level:
            package = self._package(level, file)
            if package is None:
                return (), False
            here = ModuleRef(
                f"{package}/__init__.py" if exists(self._tree, f"{package}/__init__.py") else "", (package,)
            )
            found = [self.child(here, module)] if module else [here]
            return tuple(ref for ref in found if ref is not None), False
        refs = []
        outside = True
        for roots in (self._roots, (SOURCE_FOLDER,)):
            place = self.find(module, roots)
            if place.depth < module.count(".") + 1:
                continue
            refs.append(_reference(place))
            if place.regular and roots == self._roots:
                outside = False
                break
        return tuple(refs), outside

    def child(self, ref: ModuleRef, name: str) -> ModuleRef | None:
        """The submodule of this (possibly dotted) name."""
        if not ref.folders:
            return None
        found = self.find(name, ref.folders)
        return _reference(found) if found.depth == name.count(".") + 1 else None

    def package(self, name: str) -> Found:
        """Where a package of the project is, in the source folder too."""
        found = self.find(name)
        return found if found.depth else self.find(name, (SOURCE_FOLDER,))

    def _absolute(self, item: Import, roots: tuple[str, ...]) -> Target:
        found = self.find(item.module, roots)
        parts = item.module.split(".")
        if found.depth == 0 or (not found.regular and not self._names(found, item)[0]):
            # A folder without Python files of ours is no package: Python prefers an installed module to it.
            return Target(outside=item.module)
        if found.depth < len(parts):
            if not found.regular:
                return Target(outside=item.module)
            return Target(found.files, missing=".".join(parts[: found.depth + 1]))
        return self._with_names(found, item)

    def find(self, name: str, folders: tuple[str, ...] | None = None) -> Found:
        """Look a dotted name up in the folders (default: the roots)."""
        start = self._roots if folders is None else folders
        key = (name, start)
        if key not in self._known:
            self._known[key] = self._find(name, start)
        return self._known[key]

    def parents(self, file: str) -> list[str]:
        """The `__init__.py` of every folder above a file: importing it by its dotted name executes them."""
        parts = file.split("/")[:-1]
        candidates = ["/".join([*parts[: i + 1], "__init__.py"]) for i in range(len(parts))]
        return [path for path in candidates if exists(self._tree, path)]

    def _find(self, name: str, folders: tuple[str, ...]) -> Found:
        files: list[str] = []
        depth = 0
        for part in name.split("."):
            file, inner = self._part(part, folders)
            if file is None and not inner:
                break
            files += [file] if file is not None else []
            folders = inner
            depth += 1
        return Found(tuple(files), folders if depth == name.count(".") + 1 else (), depth)

    def _part(self, part: str, folders: tuple[str, ...]) -> tuple[str | None, tuple[str, ...]]:
        """One part of a dotted name: its file, if it has one, and where its submodules are."""
        namespace: list[str] = []
        for folder in folders:
            place = join(folder, part)
            if exists(self._tree, f"{place}/__init__.py"):
                return f"{place}/__init__.py", (place,)
            names = self._tree.folder(folder) or {}
            binary = [n for n in names if n.startswith(f"{part}.") and n.endswith(EXTENSIONS) and not names[n]]
            if binary:
                return join(folder, min(binary)), ()
            if exists(self._tree, f"{place}.py"):
                return f"{place}.py", ()
            if is_folder(self._tree, place):
                namespace.append(place)
        return None, tuple(namespace)

    def _relative(self, item: Import, file: str) -> Target:
        package = self._package(item.level, file)
        if package is None:
            return Target(missing="." * item.level + item.module)
        own = f"{package}/__init__.py"
        base = Found((own,) if exists(self._tree, own) else (), (package,), 0)
        if not item.module:
            return self._with_names(base, item)
        found = self.find(item.module, (package,))
        files = base.files + found.files
        if found.depth < item.module.count(".") + 1:
            return Target(files, missing="." * item.level + item.module)
        return self._with_names(Found(files, found.folders, found.depth), item)

    def _package(self, level: int, file: str) -> str | None:
        """The folder that the leading dots of a relative import in `file` mean; None above the project's own."""
        parts = file.split("/")[:-1]
        up = level - 1
        return "/".join(parts[: len(parts) - up]) if parts and up < len(parts) else None

    def _names(self, found: Found, item: Import) -> tuple[list[str], list[str]]:
        """Files of the submodules among the imported names, and the names that are none."""
        files: list[str] = []
        others: list[str] = []
        for name in item.names:
            inner = self.find(name, found.folders) if found.folders and name != "*" else Found()
            files += inner.files
            if not inner.depth:
                others.append(name)
        return files, others

    def _with_names(self, found: Found, item: Import) -> Target:
        files, others = self._names(found, item)
        packages = found.folders if "*" in item.names else ()
        if not found.files and others and "*" not in others:
            # A folder without __init__.py has nothing but its modules.
            dots = "." * item.level
            stem = f"{dots}{item.module}"
            missing = f"{stem}{'' if stem.endswith('.') else '.'}{others[0]}"
            return Target((*found.files, *files), missing=missing, packages=packages)
        return Target((*found.files, *files), packages=packages)


def _reference(found: Found) -> ModuleRef:
    own = [file for file in found.files if file in [join(folder, "__init__.py") for folder in found.folders]]
    if found.folders:
        return ModuleRef(own[-1] if own else "", found.folders)
    return ModuleRef(found.files[-1])
