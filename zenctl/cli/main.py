"""The entry point: takes a command line apart, starts the command, and turns what comes of it into an exit code."""

from __future__ import annotations

import gc
import os
import re
import shlex
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from zenctl.cli import exits, terminal
from zenctl.cli.flags import HELP, normalise
from zenctl.cli.interrupts import Interrupted, Terminated, raise_terminated
from zenctl.cli.invocation import Invocation
from zenctl.cli.terminal import Terminal
from zenctl.diagnostics import Diagnostic, DiagnosticError, did_you_mean, error
from zenctl.lazy_dataclasses import dataclass

COMPLETE = "_ZENCTL_COMPLETE"
"""Set by the shell's completion script; typer then answers with completions instead of running anything."""

_COMPLETION_FLAGS = ("install-completion", "show-completion")


def main() -> None:
    """Run the program with the process's arguments and exit."""
    # A large configuration is many objects that stay: to look for garbage in them again and again is a sixth of a plan.
    gc.set_threshold(100_000, 50, 100)
    code = run(sys.argv[1:], terminal.standard())
    # Nor is garbage looked for at the end, in all that the system frees at once: that took a tenth of a second.
    gc.freeze()
    sys.exit(code)


@dataclass(frozen=True, slots=True)
class Typed:
    """A command line in parts: global flags, the command's words, and what was typed after them."""

    chdir: str = ""
    path: tuple[str, ...] = ()
    rest: tuple[str, ...] = ()
    help: bool = False
    version: bool = False
    completion: tuple[str, ...] = ()


def run(words: Sequence[str], screen: Terminal) -> int:
    """Run a command line on a terminal; gives the exit code. Never raises but for SystemExit."""
    if "-no-color" in words or "--no-color" in words:
        screen = screen.plain()
    started = Invocation(Path("."), screen)
    try:
        _on_sigterm()
        code = _run(list(words), started)
        screen.out.flush()
    except DiagnosticError as problem:
        return started.report(problem.diagnostics)
    except (KeyboardInterrupt, Interrupted):
        screen.complain("\nInterrupted.")
        return exits.INTERRUPTED
    except Terminated:
        screen.complain("\nTerminated.")
        return exits.TERMINATED
    except BrokenPipeError:
        return _reader_gone()
    except Exception as problem:  # noqa: BLE001 - the last resort: a bug is written down, not thrown at the user
        return _bug(problem, words, screen)
    return code


def _run(words: list[str], started: Invocation) -> int:
    from typer.main import get_command

    from zenctl.cli.application import build

    try:
        os.getcwd()
    except FileNotFoundError:
        detail = "It was removed, or moved away. Change into one that is there."
        return started.report([error("no_folder", "The current folder is gone", detail)])
    screen = started.terminal
    completing = screen.environment.get(COMPLETE)
    program: Any = get_command(build("" if completing or not words else words[0]))
    if completing:
        program.main(args=[], prog_name="zenctl")
    typed = _take_apart(list(words), program)
    if typed.completion:
        return _code(program.main(args=list(typed.completion), prog_name="zenctl", standalone_mode=False))
    root = _folder(typed.chdir)
    workspace, workspace_from = _workspace(screen.environment, root)
    if typed.version:
        typed = Typed(path=("version",))
    command = _command(program, typed.path)
    if hasattr(command, "commands") and not command.invoke_without_command:
        return _group(program, typed, screen)
    added = _from_environment(screen.environment, typed.path)
    line = normalise(_shape(command, typed.path), [*added, *typed.rest])
    if typed.help or line.help:
        return _help(program, typed.path, screen)
    if line.diagnostics:
        return started.report(line.diagnostics)
    invocation = Invocation(root, screen, workspace, _as_recorded(words), line.order, workspace_from)
    arguments = [*typed.path, *line.words]
    try:
        # What a provider prints must not get into what a program reads: the screen has its own hold of the stream.
        with redirect_stdout(screen.err):
            return _code(program.main(args=arguments, prog_name="zenctl", standalone_mode=False, obj=invocation))
    except DiagnosticError as problem:
        return invocation.report(problem.diagnostics)


def _take_apart(words: list[str], program: Any) -> Typed:
    """Global flags up to the first word that is none, then the names of commands."""
    chdir, version, wants_help = "", False, False
    while words and words[0].startswith("-") and words[0] != "-":
        name, equals, value = words.pop(0).lstrip("-").partition("=")
        if name == "chdir":
            if not equals and not words:
                raise _wrong("-chdir needs a folder", "Write zenctl -chdir=DIR COMMAND.")
            chdir = value if equals else words.pop(0)
        elif name in HELP:
            wants_help = True
        elif name in ("version", "v"):
            version = True
        elif name in _COMPLETION_FLAGS:
            if equals or words:
                raise _wrong(f"-{name} takes no value", "It finds out by itself which shell it is started from.")
            return Typed(completion=(f"--{name}",))
        else:
            guess = did_you_mean(f"-{name}", ["-chdir", "-help", "-version"])
            detail = (
                f"Flags of a command stand after it; before it only -chdir=DIR, -help and -version are known.{guess}"
            )
            raise _wrong(f"Unknown global flag -{name}", detail)
    path: list[str] = []
    node = program
    while words and hasattr(node, "commands") and not words[0].startswith("-"):
        node = _named(node, words[0], path)
        path.append(words.pop(0))
    return Typed(chdir, tuple(path), tuple(words), wants_help, version)


def _named(group: Any, name: str, path: list[str]) -> Any:
    if name in group.commands:
        return group.commands[name]
    before = " ".join(["zenctl", *path])
    guess = did_you_mean(name, group.commands)
    raise _wrong(f'{before} has no command "{name}"', f"`{before} -help` lists the commands.{guess}")


def _command(program: Any, path: tuple[str, ...]) -> Any:
    node = program
    for name in path:
        node = node.commands[name]
    return node


def _shape(command: Any, path: tuple[str, ...]) -> Any:
    from zenctl.cli.declare import shape

    return shape(command, " ".join(path))


def _group(program: Any, typed: Typed, screen: Terminal) -> int:
    """A group alone shows its help; flags after it other than a wish for help are unknown."""
    for word in typed.rest:
        if word.lstrip("-") not in HELP:
            name = " ".join(["zenctl", *typed.path])
            raise _wrong(f"{name} needs a command before {word}", f"`{name} -help` lists the commands.")
    return _help(program, typed.path, screen)


def _help(program: Any, path: tuple[str, ...], screen: Terminal) -> int:
    from zenctl.cli.declare import command_help, group_help

    command = _command(program, path)
    text = group_help if hasattr(command, "commands") else command_help
    screen.out.write(text(command, " ".join(path)))
    return exits.OK


def _from_environment(environment: Mapping[str, str], path: tuple[str, ...]) -> list[str]:
    """Flags of ZENCTL_CLI_ARGS and of the command's own variable; they come first, so typed ones are stronger."""
    words = []
    for name in ("ZENCTL_CLI_ARGS", f"ZENCTL_CLI_ARGS_{'_'.join(path).replace('-', '_')}"):
        try:
            words += shlex.split(environment.get(name, ""))
        except ValueError as problem:
            raise _wrong(f"{name} cannot be split into words", f"{problem}. It is read as a shell would.") from None
    return words


def _folder(chdir: str) -> Path:
    root = Path(chdir or ".")
    if not root.is_dir():
        raise _wrong(f'-chdir="{chdir}" is no folder', "It is seen from the current folder.")
    return root


def _workspace(environment: Mapping[str, str], root: Path) -> tuple[str, str]:
    """The workspace as far as no flag says otherwise, and the variable that says so if one does."""
    from zenctl.config.selected import check_name, selected

    variable = "ZENCTL_WORKSPACE"
    name = environment.get(variable)
    if name:
        said = f'{variable}="{name}"'
    else:
        variable, name = "", selected(root / ".zenctl")
        said = f'What .zenctl/environment holds ("{name}")'
    found = check_name(name, said)
    if found:
        raise DiagnosticError(*found)
    return name, variable


def _as_recorded(words: Sequence[str]) -> str:
    """The command line for the record: without the values of variables, which may be secret."""
    shown, after_var = [], False
    for word in words:
        name, equals, value = word.lstrip("-").partition("=")
        if after_var or (name == "var" and equals and word.startswith("-")):
            variable = (word if after_var else value).partition("=")[0]
            shown.append(f"{variable}=..." if after_var else f"-var={variable}=...")
            after_var = False
            continue
        after_var = name == "var" and not equals and word.startswith("-")
        shown.append(word)
    return shlex.join(["zenctl", *shown])


def _wrong(summary: str, detail: str) -> DiagnosticError:
    found: Diagnostic = error("bad_argument", summary, detail)
    return DiagnosticError(found)


def _code(result: object) -> int:
    return result if isinstance(result, int) else exits.OK


def _on_sigterm() -> None:
    try:
        signal.signal(signal.SIGTERM, raise_terminated)
    except ValueError:
        # Not the main thread: whoever runs this inside another program handles signals.
        return


def _reader_gone() -> int:
    """The reader of standard output left (`| head`): end quietly, and keep Python from complaining at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return exits.ERROR


def _bug(problem: Exception, words: Sequence[str], screen: Terminal) -> int:
    import traceback

    from zenctl.cli import crash

    text = crash.report(problem, crash.secrets(screen.environment, words))
    if screen.environment.get("ZENCTL_DEBUG") == "1":
        screen.complain("".join(traceback.format_exception(type(problem), problem, problem.__traceback__)))
    root = Path(next((w.partition("=")[2] for w in words if re.match(r"--?chdir=", w)), "."))
    path = crash.write(root, text)
    where = f"The traceback is in {path}" if path else "The traceback could not be written"
    style = screen.err_style
    message = f"{style.bold(style.red('Error:'))} zenctl met a bug of its own ({type(problem).__name__}). {where}."
    screen.complain(f"\n{message} Please report it with that file.")
    return exits.ERROR
