"""The typer application: every command under its name. Imports what is asked for, and no engine for that."""

from __future__ import annotations

from importlib import import_module
from keyword import iskeyword
from typing import Annotated

import typer

from zenctl.cli.declare import HELP_NAMES, Command, Group

EPILOG = """
zenctl COMMAND -help explains a command, with examples. Completion for the shell:
zenctl -install-completion, or -show-completion to see it first.

Environment: ZENCTL_WORKSPACE, ZENCTL_VAR_name (a variable's value),
ZENCTL_CLI_ARGS and ZENCTL_CLI_ARGS_command (flags to add), ZENCTL_IN_AUTOMATION
(no hints on what to type next), NO_COLOR, ZENCTL_DEBUG (tracebacks of bugs).
"""

COMMANDS = (
    "init", "validate", "plan", "apply", "destroy", "fmt", "console", "graph", "logs", "history", "import", "output",
    "compare", "reproduce", "convert", "show", "force-unlock", "version",
)  # fmt: skip
"""The commands of one word; each is the function of its name in the module of its name, `import_` for a keyword."""

STATE_COMMANDS = ("list", "show", "get", "schema", "diff", "pull", "export", "mv", "rm", "migrate", "verify", "gc")
"""The commands of `zenctl state`; each is the function `state_NAME` in the module of that name."""


def build(only: str = "") -> typer.Typer:
    """The application; where `only` is one of COMMANDS, with that one alone: it starts sooner."""
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
    for name in (only,) if only in COMMANDS else COMMANDS:
        word = name.replace("-", "_") + ("_" if iskeyword(name) else "")
        module = import_module(f"zenctl.cli.commands.{word}")
        declare = app.command(name, cls=Command, context_settings=HELP_NAMES, epilog=module.EPILOG)
        declare(getattr(module, word))
    if only not in COMMANDS:
        for name, group in (
            ("state", _states()),
            ("workspace", _workspaces()),
            ("config", _config()),
            ("metadata", _metadata_stores()),
            ("backend", _backends()),
            ("providers", _providers()),
        ):
            app.add_typer(group, name=name, cls=Group)
    return app


def _states() -> typer.Typer:
    """The commands of `zenctl state`."""
    state = typer.Typer(cls=Group, rich_markup_mode=None, context_settings=HELP_NAMES, add_completion=False)
    state.callback()(_state)
    for name in STATE_COMMANDS:
        module = import_module(f"zenctl.cli.commands.state_{name}")
        declare = state.command(name, cls=Command, context_settings=HELP_NAMES, epilog=module.EPILOG)
        declare(getattr(module, f"state_{name}"))
    return state


def _metadata_stores() -> typer.Typer:
    """The commands of `zenctl metadata`."""
    from zenctl.cli.commands import metadata_serve

    metadata = typer.Typer(cls=Group, rich_markup_mode=None, context_settings=HELP_NAMES, add_completion=False)
    metadata.callback()(_metadata_store)
    serve = metadata.command("serve", cls=Command, context_settings=HELP_NAMES, epilog=metadata_serve.EPILOG)
    serve(metadata_serve.metadata_serve)
    return metadata


def _workspaces() -> typer.Typer:
    """The commands of `zenctl workspace`."""
    from zenctl.cli.commands import workspace_delete, workspace_list, workspace_new, workspace_select, workspace_show

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


def _backends() -> typer.Typer:
    """The commands of `zenctl backend`."""
    from zenctl.cli.commands import backend_list, backend_show

    group = typer.Typer(cls=Group, rich_markup_mode=None, context_settings=HELP_NAMES, add_completion=False)
    group.callback()(_backend)
    for name, command, epilog in (
        ("list", backend_list.backend_list, backend_list.EPILOG),
        ("show", backend_show.backend_show, backend_show.EPILOG),
    ):
        group.command(name, cls=Command, context_settings=HELP_NAMES, epilog=epilog)(command)
    return group


def _config() -> typer.Typer:
    """The commands of `zenctl config`."""
    from zenctl.cli.commands import config_artifacts, config_list, config_metadata

    config = typer.Typer(cls=Group, rich_markup_mode=None, context_settings=HELP_NAMES, add_completion=False)
    config.callback()(_settings)
    config.command("list", cls=Command, context_settings=HELP_NAMES, epilog=config_list.EPILOG)(config_list.config_list)
    for name, module, describe in (
        ("metadata", config_metadata, _metadata),
        ("artifacts", config_artifacts, _artifacts),
    ):
        group = typer.Typer(cls=Group, rich_markup_mode=None, context_settings=HELP_NAMES, add_completion=False)
        group.callback()(describe)
        group.command("get", cls=Command, context_settings=HELP_NAMES, epilog=module.GET_EPILOG)(module.get)
        group.command("list", cls=Command, context_settings=HELP_NAMES, epilog=module.LIST_EPILOG)(module.list_types)
        group.command("set", cls=Command, context_settings=HELP_NAMES, epilog=module.SET_EPILOG)(module.set)
        config.add_typer(group, name=name, cls=Group)
    return config


def _providers() -> typer.Typer:
    """`zenctl providers`, which does something by itself, and the commands below it."""
    from zenctl.cli.commands import providers, providers_list, providers_lock, providers_schema

    group = typer.Typer(
        cls=Group,
        rich_markup_mode=None,
        context_settings=HELP_NAMES,
        add_completion=False,
        invoke_without_command=True,
        epilog=providers.EPILOG,
    )
    group.callback()(providers.providers)
    for name, command, epilog in (
        ("list", providers_list.providers_list, providers_list.EPILOG),
        ("lock", providers_lock.providers_lock, providers_lock.EPILOG),
        ("schema", providers_schema.providers_schema, providers_schema.EPILOG),
    ):
        group.command(name, cls=Command, context_settings=HELP_NAMES, epilog=epilog)(command)
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
    """Look into what is recorded, and keep it in order."""


def _workspace() -> None:
    """List, make, select and delete workspaces.

    A workspace has results and endpoints of its own: a preview beside production.
    """


def _backend() -> None:
    """Show where steps run: backends, and the machines that they would make."""


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
