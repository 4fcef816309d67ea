"""The typer application: every command under its name. Imports no engine; a command does that when it runs."""

from __future__ import annotations

from typing import Annotated

import typer

from zenctl.cli.commands import (
    apply,
    config_artifacts,
    config_metadata,
    console,
    convert,
    destroy,
    fmt,
    force_unlock,
    graph,
    history,
    import_,
    init,
    logs,
    metadata_serve,
    output,
    plan,
    providers,
    providers_schema,
    reproduce,
    show,
    state_list,
    state_show,
    validate,
    version,
    workspace_delete,
    workspace_list,
    workspace_new,
    workspace_select,
    workspace_show,
)
from zenctl.cli.declare import HELP_NAMES, Command, Group

EPILOG = """
zenctl COMMAND -help explains a command, with examples. Completion for the shell:
zenctl -install-completion, or -show-completion to see it first.

Environment: ZENCTL_WORKSPACE, ZENCTL_VAR_name (a variable's value),
ZENCTL_CLI_ARGS and ZENCTL_CLI_ARGS_command (flags to add), ZENCTL_IN_AUTOMATION
(no hints on what to type next), NO_COLOR, ZENCTL_DEBUG (tracebacks of bugs).
"""


def build() -> typer.Typer:
    """The application."""
    app = typer.Typer(
        name="zenctl",
        cls=Group,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings=HELP_NAMES,
        epilog=EPILOG,
        add_completion=True,
    )
    app.callback()(_root)
    state = typer.Typer(cls=Group, rich_markup_mode=None, context_settings=HELP_NAMES, add_completion=False)
    state.callback()(_state)
    for name, module in (
        ("init", init),
        ("validate", validate),
        ("plan", plan),
        ("apply", apply),
        ("destroy", destroy),
        ("fmt", fmt),
        ("console", console),
        ("graph", graph),
        ("logs", logs),
        ("history", history),
        ("import", import_),
        ("output", output),
        ("reproduce", reproduce),
        ("convert", convert),
        ("show", show),
        ("force-unlock", force_unlock),
        ("version", version),
    ):
        declare = app.command(name, cls=Command, context_settings=HELP_NAMES, epilog=module.EPILOG)
        # A word of Python, such as import, is the name of none of its functions.
        declare(getattr(module, name.replace("-", "_"), None) or getattr(module, f"{name}_"))
    state.command("list", cls=Command, context_settings=HELP_NAMES, epilog=state_list.EPILOG)(state_list.state_list)
    state.command("show", cls=Command, context_settings=HELP_NAMES, epilog=state_show.EPILOG)(state_show.state_show)
    app.add_typer(state, name="state", cls=Group)
    app.add_typer(_workspaces(), name="workspace", cls=Group)
    app.add_typer(_config(), name="config", cls=Group)
    metadata = typer.Typer(cls=Group, rich_markup_mode=None, context_settings=HELP_NAMES, add_completion=False)
    metadata.callback()(_metadata_store)
    serve = metadata.command("serve", cls=Command, context_settings=HELP_NAMES, epilog=metadata_serve.EPILOG)
    serve(metadata_serve.metadata_serve)
    app.add_typer(metadata, name="metadata", cls=Group)
    app.add_typer(_providers(), name="providers", cls=Group)
    return app


def _workspaces() -> typer.Typer:
    """The commands of `zenctl workspace`."""
    group = typer.Typer(cls=Group, rich_markup_mode=None, context_settings=HELP_NAMES, add_completion=False)
    group.callback()(_workspace)
    for name, command, epilog in (
        ("new", workspace_new.workspace_new, workspace_new.EPILOG),
        ("list", workspace_list.workspace_list, workspace_list.EPILOG),
        ("select", workspace_select.workspace_select, workspace_select.EPILOG),
        ("show", workspace_show.workspace_show, workspace_show.EPILOG),
        ("delete", workspace_delete.workspace_delete, workspace_delete.EPILOG),
    ):
        group.command(name, cls=Command, context_settings=HELP_NAMES, epilog=epilog)(command)
    return group


def _config() -> typer.Typer:
    """The commands of `zenctl config`."""
    config = typer.Typer(cls=Group, rich_markup_mode=None, context_settings=HELP_NAMES, add_completion=False)
    config.callback()(_settings)
    for name, module, describe in (
        ("metadata", config_metadata, _metadata),
        ("artifacts", config_artifacts, _artifacts),
    ):
        group = typer.Typer(cls=Group, rich_markup_mode=None, context_settings=HELP_NAMES, add_completion=False)
        group.callback()(describe)
        group.command("get", cls=Command, context_settings=HELP_NAMES, epilog=module.GET_EPILOG)(module.get)
        group.command("set", cls=Command, context_settings=HELP_NAMES, epilog=module.SET_EPILOG)(module.set)
        config.add_typer(group, name=name, cls=Group)
    return config


def _providers() -> typer.Typer:
    """`zenctl providers`, which does something by itself, and the command below it."""
    group = typer.Typer(
        cls=Group,
        rich_markup_mode=None,
        context_settings=HELP_NAMES,
        add_completion=False,
        invoke_without_command=True,
        epilog=providers.EPILOG,
    )
    group.callback()(providers.providers)
    declare = group.command("schema", cls=Command, context_settings=HELP_NAMES, epilog=providers_schema.EPILOG)
    declare(providers_schema.providers_schema)
    return group


def _root(
    chdir: Annotated[
        str, typer.Option("-chdir", "--chdir", metavar="DIR", help="Work in this folder instead of the current one.")
    ] = "",
    version: Annotated[bool, typer.Option("-version", "--version", help="The same as `zenctl version`.")] = False,
) -> None:
    """Plan and apply for machine-learning pipelines.

    Declare data sources, steps and endpoints; read what is stale and why; apply
    exactly that.
    """


def _state() -> None:
    """Look into what is recorded of the workspace."""


def _workspace() -> None:
    """List, make, select and delete workspaces.

    A workspace has results and endpoints of its own: a preview beside production.
    """


def _settings() -> None:
    """Show and set where records and artifacts are kept.

    What is set goes into the configuration, so that all who use it agree.
    """


def _metadata_store() -> None:
    """Work with the metadata store itself."""


def _metadata() -> None:
    """Show and set where runs, artifacts and lineage are recorded."""


def _artifacts() -> None:
    """Show and set where snapshots, models and other results are kept."""
