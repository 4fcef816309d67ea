"""The standard library's `dataclass`, whose methods are written when they are first called instead of at import.

To write `__init__`, `__eq__`, `__repr__` and the like of a class costs about a millisecond. Of some 300 classes that a
command imports it makes instances of half, and compares those of a tenth (docs/decisions/0010). The classes behave as
the standard library's. What is rarely used there (`order`, `kw_only`, `init=False`, `InitVar`) is left to it at once.
"""

from __future__ import annotations

import dataclasses
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass

_OPTIONS = {"frozen", "slots", "eq", "repr"}
_LAZY = "__lazy_dataclass__"
_NOTES = ("__dataclass_fields__", "__dataclass_params__") + (("__match_args__",) if sys.version_info >= (3, 10) else ())
"""What the standard library notes of a dataclass."""

_FEW = 3
"""So many instances are filled in field by field: to write `__init__` takes as long as that does for fifty."""

_WRITING = threading.RLock()

if not TYPE_CHECKING:

    def dataclass(cls=None, /, **options):
        """As `dataclasses.dataclass`. Mistakes in a class, and its signature, show once the first instance is made."""
        if cls is None:
            return lambda cls: dataclass(cls, **options)
        if not options.keys() <= _OPTIONS or not all(_is_ordinary(cls, name) for name in _annotations(cls)):
            return dataclasses.dataclass(**options)(cls)
        return _Lazy(cls, **options).made


class _Lazy:
    """A class whose methods are still to be written, and what its author wrote of it."""

    def __init__(
        self, cls: type, *, frozen: bool = False, slots: bool = False, eq: bool = True, repr: bool = True
    ) -> None:
        annotations = _annotations(cls)
        self.own = [name for name in annotations if "ClassVar" not in str(annotations[name])]
        self.frozen, self.slots = frozen, slots
        self._options = {"frozen": frozen, "eq": eq, "repr": repr}
        self._cls = cls
        self._instances = 0
        self._late: dict[str, Any] = {}
        self.written = {name: value for name, value in vars(cls).items() if name not in ("__dict__", "__weakref__")}
        added = {_LAZY: self, **self._placeholders()}
        if slots:
            kept = {name: value for name, value in self.written.items() if name not in self.own}
            inherited = {name for base in cls.__mro__[1:-1] for name in vars(base).get("__slots__", ())}
            kept["__slots__"] = tuple(name for name in self.own if name not in inherited)
            self.made: Any = type(cls)(cls.__name__, cls.__bases__, {**kept, **added})
            self.made.__qualname__ = cls.__qualname__
            return
        self.made = cls
        for name in self.own:
            default, _ = _default(self.written.get(name, dataclasses.MISSING))
            if default is not dataclasses.MISSING:
                setattr(cls, name, default)
            elif name in self.written:
                delattr(cls, name)
        for name, value in added.items():
            setattr(cls, name, value)

    def _placeholders(self) -> dict[str, Any]:
        there, late = self.written, self._late
        late |= {name: _LateAttribute(self, name) for name in _NOTES}
        late["__init__"] = self._init()
        if self._options["repr"]:
            late["__repr__"] = self._later("__repr__")
        if self._options["eq"]:
            late["__eq__"] = self._later("__eq__")
            if self.frozen:
                late["__hash__"] = self._later("__hash__")
        # A class that has its own __eq__ and no __hash__ has None for it, as if that were wanted.
        own = {name for name in there if name != "__hash__" or there[name] is not None or "__eq__" not in there}
        self._late = {name: value for name, value in late.items() if name not in own}
        added = dict(self._late)
        if self._options["eq"] and not self.frozen and "__hash__" not in own:
            added["__hash__"] = None
        if self.frozen:
            added |= {"__setattr__": _setattr, "__delattr__": _delattr}
            if self.slots:
                added |= {
                    name: method
                    for name, method in (("__getstate__", _getstate), ("__setstate__", _setstate))
                    if name not in there
                }
        return added

    def _later(self, name: str) -> Callable[..., Any]:
        def method(this: Any, /, *args: Any, **named: Any) -> Any:
            self.write(name)
            return vars(self.made)[name](this, *args, **named)

        return method

    def _init(self) -> Callable[..., None]:
        def method(this: Any, /, *args: Any, **named: Any) -> None:
            self._instances += 1
            if self._instances > _FEW or not self._fill(this, args, named):
                self.write_init()
                vars(self.made)["__init__"](this, *args, **named)

        return method

    def _fill(self, this: Any, args: tuple[Any, ...], named: dict[str, Any]) -> bool:
        """Do what `__init__` does; gives False, and does nothing, where that raises an error of its own."""
        fields = fields_of(self.made)
        given = dict(zip(fields, args))  # noqa: B905 (Python 3.9)
        if len(args) > len(fields) or not named.keys() <= fields.keys() - given.keys():
            return False
        given.update(named)
        defaults = {name: _default(written) for name, written in fields.items() if name not in given}
        if (dataclasses.MISSING, dataclasses.MISSING) in defaults.values():
            return False
        put = object.__setattr__ if self.frozen else setattr
        for name in fields:
            if name in given:
                put(this, name, given[name])
            else:
                default, factory = defaults[name]
                put(this, name, default if factory is dataclasses.MISSING else factory())
        if hasattr(self.made, "__post_init__"):
            this.__post_init__()
        return True

    def write_init(self) -> None:
        """Write `__init__`, for a class that many instances are made of."""
        with _WRITING:
            if vars(self.made).get("__init__") is not self._late.get("__init__"):
                return
            known: dict[str, Any] = {"_MISSING": dataclasses.MISSING, "_set": object.__setattr__}
            parameters, lines = ["self"], []
            for name, written in fields_of(self.made).items():
                default, factory = _default(written)
                parameter, value = name, name
                if factory is not dataclasses.MISSING:
                    known[f"_factory_{name}"] = factory
                    parameter, value = f"{name}=_MISSING", f"_factory_{name}() if {name} is _MISSING else {name}"
                elif default is not dataclasses.MISSING:
                    known[f"_default_{name}"] = default
                    parameter = f"{name}=_default_{name}"
                parameters.append(parameter)
                if not self.frozen:
                    lines.append(f" self.{name} = {value}")
                elif self.slots:
                    known[f"_set_{name}"] = getattr(self.made, name).__set__
                    lines.append(f" _set_{name}(self, {value})")
                else:
                    lines.append(f" _set(self, {name!r}, {value})")
            if hasattr(self.made, "__post_init__"):
                lines.append(" self.__post_init__()")
            # As the standard library does; nothing but names of fields gets in.
            exec(f"def __init__({', '.join(parameters)}):\n" + ("\n".join(lines) or " pass"), known)  # noqa: S102
            init = known["__init__"]
            init.__qualname__, init.__module__ = f"{self.made.__qualname__}.__init__", self.made.__module__
            type.__setattr__(self.made, "__init__", init)

    def write(self, name: str) -> None:
        """Have the standard library write a method or attribute, and those that go with it."""
        with _WRITING:
            if vars(self.made).get(name) is not self._late[name]:
                return
            wanted = next((group for group in ({"__repr__"}, {"__eq__", "__hash__"}) if name in group), set(_NOTES))
            options = {"repr": "__repr__" in wanted, "eq": "__eq__" in wanted, "frozen": self.frozen}
            spare = type(self._cls)(self._cls.__name__, self._cls.__bases__, dict(self.written))
            spare.__qualname__ = self.made.__qualname__
            spare.__doc__ = spare.__doc__ or " "  # without one the signature is worked out
            dataclasses.dataclass(init=False, **options)(spare)
            for written in wanted & self._late.keys():
                type.__setattr__(self.made, written, vars(spare)[written])


class _LateAttribute:
    """What the standard library notes of a dataclass; to ask for it has the class written."""

    def __init__(self, lazy: _Lazy, name: str) -> None:
        self._lazy, self._name = lazy, name

    def __get__(self, this: Any, owner: Any = None) -> Any:
        self._lazy.write(self._name)
        return vars(self._lazy.made)[self._name]


def fields_of(cls: type) -> dict[str, Any]:
    """The fields of a class, those of its bases first, each with what its author assigned to it or MISSING."""
    found: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        lazy = vars(base).get(_LAZY)
        if lazy is not None:
            found.update((name, lazy.written.get(name, dataclasses.MISSING)) for name in lazy.own)
        elif "__dataclass_fields__" in vars(base):
            found.update((field.name, field) for field in dataclasses.fields(base))
    return found


def _annotations(cls: type) -> dict[str, Any]:
    found: dict[str, Any] = vars(cls).get("__annotations__", {})
    return found


def _is_ordinary(cls: type, name: str) -> bool:
    """Whether it is a field that `__init__` takes by place or name, or a variable of the class."""
    annotation, value = str(_annotations(cls)[name]), vars(cls).get(name)
    if "InitVar" in annotation or "KW_ONLY" in annotation:
        return False
    return not isinstance(value, dataclasses.Field) or (value.init and getattr(value, "kw_only", None) is not True)


def _default(written: Any) -> tuple[Any, Any]:
    """The default of a field and what makes it, each MISSING if there is none."""
    if isinstance(written, dataclasses.Field):
        return written.default, written.default_factory
    return written, dataclasses.MISSING


def _setattr(_: Any, name: str, value: Any) -> None:  # noqa: ARG001
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def _delattr(_: Any, name: str) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")


def _getstate(self: Any) -> list[Any]:
    return [getattr(self, name) for name in fields_of(type(self))]


def _setstate(self: Any, state: list[Any]) -> None:
    for place, name in enumerate(fields_of(type(self))):
        object.__setattr__(self, name, state[place])
