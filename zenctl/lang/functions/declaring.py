"""Group: collects the functions that a module declares."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from zenctl.lang.calls import Function, Parameter, Returns
from zenctl.lang.types import NUMBER, STRING

Run = TypeVar("Run", bound=Callable[..., Any])


class Group(dict[str, Function]):
    """Functions by name; `@group.function(...)` adds one."""

    def function(
        self,
        name: str,
        description: str,
        *parameters: Parameter,
        returns: Returns,
        optional: tuple[Parameter, ...] = (),
        rest: Parameter | None = None,
        lazy: bool = False,
    ) -> Callable[[Run], Run]:
        """Declare what follows as a function of the language; see `Function`."""

        def add(run: Run) -> Run:
            self[name] = Function(name, description, parameters, returns, run, optional, rest, lazy)
            return run

        return add


def text(name: str) -> Parameter:
    """A string parameter."""
    return Parameter(name, STRING)


def number(name: str) -> Parameter:
    """A number parameter."""
    return Parameter(name, NUMBER)


def shallow(name: str) -> Parameter:
    """A parameter of any type, of which only the outside must be known."""
    return Parameter(name, shallow=True)


def deep(name: str) -> Parameter:
    """A parameter of any type that must be known in whole."""
    return Parameter(name)
