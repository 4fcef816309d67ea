"""`zenctl convert`: writes the twin of configuration files, YAML of HCL and HCL of YAML."""

from __future__ import annotations

import json as jsonlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from zenctl.cli import exits
from zenctl.cli.arguments.convert import ConvertArguments, convert_arguments
from zenctl.cli.arguments.options import JsonFlag, NoColor
from zenctl.cli.invocation import Invocation, invocation
from zenctl.cli.views.diagnostics import Sources
from zenctl.cli.views.style import printable
from zenctl.diagnostics import Diagnostic, DiagnosticError, error
from zenctl.plans.planjson import diagnostic_json

if TYPE_CHECKING:
    from zenctl.config.twins import Twin

EPILOG = """
Both syntaxes say the same: a block `step "python" "fit" { ... }` is
`step: {python: {fit: {...}}}` in YAML, and an expression `var.epochs` is
"${var.epochs}". Comments come along. Blocks inside a step that set one of its
attributes become that attribute.

What is written was read again and compared before: a twin that would mean
anything else is never written, and plans made from either are the same.

Examples:

  zenctl convert                       show this folder in the other syntax
  zenctl convert penguins.zen.hcl      show the YAML of one file
  zenctl convert -to=hcl -write a.zen.yaml
  zenctl convert -to=yaml -replace     turn the whole folder into YAML

Exit codes: 0 done, 1 error; then nothing is written.
"""


def convert(
    ctx: typer.Context,
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="[FILE...]", help="Files to convert. Without any, those of the folder.", show_default=False
        ),
    ] = [],  # noqa: B006 - typer reads the default and copies it
    to: Annotated[
        str,
        typer.Option("-to", "--to", metavar="yaml|hcl", help="The syntax to write. Without it, the other one."),
    ] = "",
    write: Annotated[
        bool,
        typer.Option("-write", "--write", help="Write each twin beside its file: x.zen.hcl makes x.zen.yaml."),
    ] = False,
    replace: Annotated[bool, typer.Option("-replace", "--replace", help="Write, then remove the original.")] = False,
    force: Annotated[bool, typer.Option("-force", "--force", help="Overwrite twins that are there already.")] = False,
    json: JsonFlag = False,
    no_color: NoColor = False,
) -> int:
    """Convert configuration files between HCL and YAML.

    Prints the twin of a file, or of all files of the folder: the same
    configuration in the other syntax. With -write the twins are written beside
    the files; with -replace they take their place.
    """
    found: list[Diagnostic] = []
    given = convert_arguments(files, to, write=write, replace=replace, force=force, json=json, found=found)
    started = invocation(ctx, no_color)
    return started.report(found) if found else run(started, given)


def run(run: Invocation, given: ConvertArguments) -> int:
    """Convert; gives the exit code."""
    from zenctl.config import twins
    from zenctl.provider.registry import discover

    texts: dict[str, str] = {}
    made: list[Twin] = []
    try:
        texts = twins.sources(run.root, given.files, given.to)
        registry = discover()
        made = [twins.twin(name, text, registry) for name, text in texts.items()]
        problems = [problem for twin in made for problem in twin.diagnostics]
        if given.write and not given.force:
            problems += [_in_the_way(twin) for twin in made if run.path(twin.name).exists()]
        if problems:
            raise DiagnosticError(*problems)
        if given.write:
            twins.write(run.root, made, texts, replace=given.replace)
    except DiagnosticError as problem:
        if given.json:
            run.terminal.write(_document([], given, problem.diagnostics, run.sources(texts)))
            return exits.exit_code(problem.diagnostics)
        return run.report(problem.diagnostics, texts)
    if given.json:
        run.terminal.write(_document(made, given, (), run.sources(texts)))
    elif given.write:
        _tell(run, made, given)
    else:
        _show(run, made)
    if not made:
        run.terminal.complain("Nothing to convert: every file has that syntax already.")
    return exits.OK


def _in_the_way(twin: Twin) -> Diagnostic:
    detail = "Nothing was written. -force overwrites it; without -write the twin is only shown."
    return error("file_exists", f"{twin.name} is there already", detail)


def _show(run: Invocation, made: list[Twin]) -> None:
    """The texts; several are headed by their names."""
    for number, twin in enumerate(made):
        if len(made) > 1:
            run.terminal.write(("\n" if number else "") + f"# --- {printable(twin.name)}")
        run.terminal.write_exactly(twin.text)


def _tell(run: Invocation, made: list[Twin], given: ConvertArguments) -> None:
    """What was written, and what to do about the files that now say the same."""
    for twin in made:
        run.terminal.write(printable(f"{twin.source} -> {twin.name}") + (", replaced" if given.replace else ""))
    if made and not given.replace and not run.terminal.in_automation:
        both = f"{made[0].source} and {made[0].name}" if len(made) == 1 else "Files and their twins"
        run.terminal.write(f"\n{both} declare the same: remove one, or -replace with -force does.")


def _document(made: list[Twin], given: ConvertArguments, problems: Sequence[Diagnostic], sources: Sources) -> str:
    document = {
        "format_version": "1.0",
        "files": [
            {"source": twin.source, "target": twin.name, "written": given.write, "text": twin.text} for twin in made
        ],
        "diagnostics": [diagnostic_json(d, sources.text(d.range.filename) if d.range else None) for d in problems],
    }
    return jsonlib.dumps(document, indent=2, ensure_ascii=False)
