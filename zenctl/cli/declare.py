"""Declares commands for typer: classes that know single-dash flags, and a help text that teaches."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from typer.core import TyperCommand, TyperGroup

from zenctl.cli.flags import Flag, Shape
from zenctl.cli.interrupts import Interrupted

HELP_NAMES = {"help_option_names": ["-help", "--help", "-h"]}
"""Context settings of every command."""

MAIN_COMMANDS = ("init", "validate", "plan", "apply", "destroy")
"""The way of working, in its order; every other command is listed below them."""

WIDTH = 80
"""Columns of help texts."""


class Command(TyperCommand):
    """A command. Its help is the docstring, the flags, then the epilog (examples and exit codes), as they are."""

    def invoke(self, ctx: Any) -> Any:
        with _interruptible():
            return super().invoke(ctx)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        formatter.write(command_help(self, _path(ctx)))

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        return spelled(self, super().shell_complete(ctx, incomplete), incomplete)


class Group(TyperGroup):
    """The program, or a command of commands such as `state`; `providers` is one that does something alone, too."""

    def invoke(self, ctx: Any) -> Any:
        with _interruptible():
            return super().invoke(ctx)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        formatter.write(group_help(self, _path(ctx)))

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        return spelled(self, super().shell_complete(ctx, incomplete), incomplete)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Lets Ctrl-C through: typer would swallow a KeyboardInterrupt."""
    try:
        yield
    except KeyboardInterrupt as interrupt:
        raise Interrupted from interrupt


def spelled(command: Any, items: list[Any], incomplete: str) -> list[Any]:
    """Completions in the spelling that was begun, `-out` or `--out`; what is true by default as `-refresh=false`."""
    negative = {name for param in command.params for name in param.secondary_opts} | {"-h"}
    positive = {name for param in command.params if param.secondary_opts for name in param.opts}
    found = []
    for item in items:
        name = str(item.value)
        if name in negative or (name.startswith("-") and name.startswith("--") != incomplete.startswith("--")):
            continue
        item.value = f"{name}=false" if name in positive else name
        found.append(item)
    return found


def shape(command: Any, path: str) -> Shape:
    """What a typer command takes, for `flags.normalise`."""
    flags: dict[str, Flag] = {}
    most = 0
    for param in command.params:
        if param.param_type_name == "argument":
            most = -1 if param.nargs == -1 or most == -1 else most + 1
            continue
        name = _name(param)
        if name not in ("help", "h"):
            flag = Flag(name, bool(param.is_flag), bool(param.is_flag and param.default), bool(param.multiple))
            flags |= {spelling.lstrip("-"): flag for spelling in param.opts}
    return Shape(path, flags, most)


def command_help(command: Any, path: str) -> str:
    """The whole help text of one command."""
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option" and not p.hidden and _name(p) != "help"]
    usage = " ".join([f"Usage: zenctl {path} [flags]", *(p.metavar or p.name.upper() for p in arguments)])
    parts = [usage, _text(command.help or "")]
    if arguments:
        rows = [(str(p.metavar or p.name.upper()), str(p.help or "")) for p in arguments]
        parts.append("Arguments:\n\n" + _rows(rows))
    if options:
        parts.append("Flags (each also with two dashes):\n\n" + _rows([(_spelling(p), _explained(p)) for p in options]))
    if command.epilog:
        parts.append(_text(command.epilog))
    return "\n\n".join(parts) + "\n"


def group_help(group: Any, path: str) -> str:
    """The help text of the program (path empty) or of a group."""
    usage = f"zenctl {path + ' ' if path else '[global flags] '}COMMAND [flags]"
    alone = f"zenctl {path} [flags]\n       " if group.invoke_without_command else ""
    parts = [f"Usage: {alone}{usage}", _text(group.help or "")]
    shown = {name: command for name, command in group.commands.items() if not command.hidden}
    width = max(len(name) for name in shown)
    first = [name for name in MAIN_COMMANDS if name in shown and not path]
    if first:
        parts.append("Main commands, in the order of work:\n\n" + _commands(shown, first, width))
    rest = sorted(name for name in shown if name not in first)
    title = "All other commands" if first else "Commands"
    parts.append(f"{title}:\n\n" + _commands(shown, rest, width))
    options = [p for p in group.params if p.param_type_name == "option" and not p.hidden and _name(p) != "help"]
    if options and path:
        parts.append("Flags (each also with two dashes):\n\n" + _rows([(_spelling(p), _explained(p)) for p in options]))
    elif options:
        rows = [(_spelling(p), _explained(p)) for p in options]
        rows.append(("-help", "This text, or with a command before it, that command's."))
        parts.append("Global flags, before the command:\n\n" + _rows(rows))
    if group.epilog:
        parts.append(_text(group.epilog))
    return "\n\n".join(parts) + "\n"


def summary(command: Any) -> str:
    """A command in one line: the first of its help."""
    return _text(command.help or "").partition("\n")[0].rstrip(".")


def _commands(shown: dict[str, Any], names: list[str], width: int) -> str:
    return "\n".join(f"  {name:<{width}}  {summary(shown[name])}" for name in names)


def _rows(rows: list[tuple[str, str]]) -> str:
    width = min(24, max(len(left) for left, _ in rows))
    lines = []
    for left, right in rows:
        wrapped = textwrap.wrap(right, WIDTH - width - 4, break_on_hyphens=False) or [""]
        if len(left) > width:
            lines.append(f"  {left}")
            left = ""
        lines += [f"  {left if i == 0 else '':<{width}}  {line}".rstrip() for i, line in enumerate(wrapped)]
    return "\n".join(lines)


def _spelling(param: Any) -> str:
    if param.is_flag:
        return f"-{_name(param)}" + ("=false" if param.default is True else "")
    return f"-{_name(param)}={param.metavar or 'VALUE'}"


def _explained(param: Any) -> str:
    more = " May be given several times." if param.multiple else ""
    default = f" Default: {param.default}." if isinstance(param.default, str) and param.default else ""
    return f"{param.help or ''}{more}{default}"


def _name(param: Any) -> str:
    """The flag's name without dashes; that of `-out, --out` is `out`. Of several spellings the first is the name."""
    return str(next((opt for opt in param.opts if opt.startswith("--")), param.opts[0])).lstrip("-")


def _path(ctx: Any) -> str:
    names = []
    while ctx.parent is not None:
        names.append(str(ctx.info_name))
        ctx = ctx.parent
    return " ".join(reversed(names))


def _text(text: str) -> str:
    return textwrap.dedent(text).strip("\n").rstrip()
