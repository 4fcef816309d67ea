"""`zenctl config metadata get` and `set`: where runs, artifacts and their lineage are recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from zenctl.cli.arguments import values
from zenctl.cli.arguments.options import JsonFlag, NoColor
from zenctl.cli.commands import config_store
from zenctl.cli.invocation import invocation

if TYPE_CHECKING:
    from zenctl.lang.document import BlockData
    from zenctl.provider.registry import Registry

GET_EPILOG = """
Examples:

  zenctl config metadata get
  zenctl config metadata get -json | jq -r .location

Exit codes: 0 done, 1 error.
"""

SET_EPILOG = """
Types of metadata store: sqlite, a database file of this machine. Without -path
it is .zenctl/metadata.db.

It is written into the zenctl block of the configuration, whose comments and
layout stay as they are, in HCL as in YAML; into settings.zen.hcl if there is no
such block yet. The result is checked before it is written.

Examples:

  zenctl config metadata set sqlite
  zenctl config metadata set sqlite -path=records/metadata.db

Exit codes: 0 done (also if it was set so already), 1 error; then nothing is
written.
"""


def get(ctx: typer.Context, json: JsonFlag = False, no_color: NoColor = False) -> int:
    """Show which metadata store the configuration uses, and where that is set."""
    return config_store.show(invocation(ctx, no_color), "metadata", json)


def set(
    ctx: typer.Context,
    type: Annotated[str, typer.Argument(metavar="TYPE", help="Type of the store: sqlite.", show_default=False)] = "",
    path: Annotated[
        str | None,
        typer.Option(
            "-path", "--path", metavar="FILE", help="The database file, relative to the configuration's folder."
        ),
    ] = None,
    json: JsonFlag = False,
    no_color: NoColor = False,
) -> int:
    """Set the metadata store in the configuration."""
    run = invocation(ctx, no_color)
    if not type:
        return run.report([values.missing("The type of the store", "For example: zenctl config metadata set sqlite")])
    attributes = {} if path is None else {"path": path}

    def block(_: Registry) -> BlockData:
        from zenctl.config.stores import metadata_store

        return metadata_store(type, attributes)

    return config_store.change(run, block, json)
