"""`zenctl fmt`: brings configuration files into the canonical layout."""

from __future__ import annotations

import json as jsonlib
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from zenctl.cli import exits
from zenctl.cli.arguments.fmt import FmtArguments, fmt_arguments
from zenctl.cli.arguments.options import JsonFlag, NoColor
from zenctl.cli.invocation import Invocation, invocation
from zenctl.cli.views import patch as view
from zenctl.cli.views.style import plural, printable
from zenctl.diagnostics import Diagnostic, has_errors
from zenctl.plans.planjson import diagnostic_json

if TYPE_CHECKING:
    from zenctl.config.formatting import Reformatted

EPILOG = """
Files are replaced whole or not at all, and no text changes its meaning, so no
step becomes stale. A file with errors is left as it is, and they are told. What
is hidden in a folder (.zenctl, .git, .venv) is passed over.

Examples:

  zenctl fmt                           this folder
  zenctl fmt -recursive                and all folders within
  zenctl fmt train.zen.hcl modules     a file and a folder
  zenctl fmt -check -recursive         for CI: exit 3 if it would change any
  zenctl fmt -diff -write=false        see what it would change
  zenctl fmt - < train.zen.hcl         from standard input to standard output

In vim: :%!zenctl fmt -

Exit codes: 0 done, 1 error, with -check 3 if a file is not formatted.
"""


def fmt(
    ctx: typer.Context,
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="[PATH...]",
            help="Files and folders; - is standard input. Without any, the configuration's folder.",
            show_default=False,
        ),
    ] = [],  # noqa: B006 - typer reads the default and copies it
    check: Annotated[
        bool, typer.Option("-check", "--check", help="Change nothing; exit 3 if a file is not formatted.")
    ] = False,
    diff: Annotated[bool, typer.Option("-diff", "--diff", help="Show the changes as a unified diff.")] = False,
    recursive: Annotated[bool, typer.Option("-recursive", "--recursive", help="Also the folders within.")] = False,
    write: Annotated[bool, typer.Option("-write/-no-write", "--write/--no-write", help="Change no file.")] = True,
    listed: Annotated[
        bool, typer.Option("-list/-no-list", "--list/--no-list", help="Do not list the files that change.")
    ] = True,
    json: JsonFlag = False,
    no_color: NoColor = False,
) -> int:
    """Format configuration files.

    Brings every *.zen.hcl and *.zenvars of the folder into the one layout that
    `terraform fmt` users know: indented by two spaces, equals signs and comments
    in columns. It lists the files that it changes. YAML files are left alone.
    """
    found: list[Diagnostic] = []
    given = fmt_arguments(
        paths, check=check, diff=diff, recursive=recursive, write=write, listed=listed, json=json, found=found
    )
    started = invocation(ctx, no_color)
    return started.report(found) if found else run(started, given)


def run(run: Invocation, given: FmtArguments) -> int:
    """Format; gives the exit code."""
    from zenctl.config.formatting import format_files

    if given.stdin:
        return _standard_input(run, given)
    outcome = format_files(run.root, given.paths, recursive=given.recursive, write=given.write)
    if given.json:
        return _document(run, given, outcome.changed, outcome.diagnostics)
    for file in outcome.changed:
        if given.listed:
            run.terminal.write(printable(file.name))
        if given.diff:
            _show(run, file)
    code = run.report(outcome.diagnostics)
    if code == exits.OK and given.check and outcome.changed:
        _hint(run, given, len(outcome.changed))
        return exits.NOT_FORMATTED
    return code


def _standard_input(run: Invocation, given: FmtArguments) -> int:
    from zenctl.config.files import decoded
    from zenctl.config.formatting import Reformatted
    from zenctl.lang.format import format_config

    name = "<stdin>"
    text, unreadable = decoded(run.terminal.read_all(), name)
    found = format_config(text, name)
    problems = (unreadable,) if unreadable is not None else found.diagnostics
    file = Reformatted(name, text, found.text)
    changed = (file,) if found.text != text else ()
    if given.json:
        return _document(run, given, changed, problems, {name: text})
    code = run.report(problems, {name: text})
    if has_errors(problems):
        return code
    if given.diff:
        _show(run, file)
    elif not given.check:
        run.terminal.write_exactly(found.text)
    return exits.NOT_FORMATTED if given.check and changed else code


def _show(run: Invocation, file: Reformatted) -> None:
    """The changes of one file: exactly as they are where a program may read them."""
    lines = view.patch(file.name, file.before, file.after)
    if run.terminal.live or run.terminal.style.colour:
        run.terminal.out.write(view.drawn(lines, run.terminal.style))
    else:
        run.terminal.write_exactly("".join(lines))


def _hint(run: Invocation, given: FmtArguments, count: int) -> None:
    if not run.terminal.in_automation:
        again = shlex.join(["zenctl", "fmt", *(["-recursive"] if given.recursive else []), *given.paths])
        run.terminal.complain(f"{plural(count, 'file')} not formatted. `{again}` does it.")


def _document(
    run: Invocation,
    given: FmtArguments,
    changed: Sequence[Reformatted],
    problems: Sequence[Diagnostic],
    texts: dict[str, str] | None = None,
) -> int:
    sources = run.sources(texts)
    document = {
        "format_version": "1.0",
        "changed": [file.name for file in changed],
        "written": given.write,
        "diagnostics": [diagnostic_json(d, sources.text(d.range.filename) if d.range else None) for d in problems],
    }
    run.terminal.write(jsonlib.dumps(document, indent=2, ensure_ascii=False))
    code = exits.exit_code(problems)
    return exits.NOT_FORMATTED if code == exits.OK and given.check and changed else code
