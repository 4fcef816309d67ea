"""`zenctl config artifacts get`, `list` and `set`: where snapshots, models and other results are kept."""

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

  zenctl config artifacts get
  zenctl config artifacts get -json | jq -r .location

Exit codes: 0 done, 1 error.
"""

LIST_EPILOG = """
The one in use has a star, with where it is and where that is set. Below each
are the attributes that `set` and the configuration take.

Examples:

  zenctl config artifacts list
  zenctl config artifacts list -json | jq -r '.types[] | .scheme'

Exit codes: 0 done, 1 error.
"""

SET_EPILOG = """
A path is a folder of this machine, relative to the configuration's folder; a
URL is served by the provider that knows its scheme: gs:// is a bucket of Google
Cloud Storage, s3:// one of Amazon S3. The bucket must exist. Credentials are
not set here: they come from where the cloud's own tools have them.

It is written into the zenctl block of the configuration, whose comments and
layout stay as they are, in HCL as in YAML; into settings.zen.hcl if there is no
such block yet. The result is checked before it is written.

Examples:

  zenctl config artifacts set results
  zenctl config artifacts set /mnt/shared/penguins
  zenctl config artifacts set gs://bucket/sub/dir
  zenctl config artifacts set s3://bucket/penguins

Exit codes: 0 done (also if it was set so already), 1 error; then nothing is
written.
"""


def get(ctx: typer.Context, json: JsonFlag = False, no_color: NoColor = False) -> int:
    """Show which artifact store the configuration uses, and where that is set."""
    return config_store.show(invocation(ctx, no_color), "artifacts", json)


def list_types(ctx: typer.Context, json: JsonFlag = False, no_color: NoColor = False) -> int:
    """List the types of artifact store that can be set, and the one in use."""
    return config_store.show_kinds(invocation(ctx, no_color), "artifacts", json)


def set(
    ctx: typer.Context,
    place: Annotated[
        str, typer.Argument(metavar="PATH_OR_URL", help="A folder, or the URL of a bucket.", show_default=False)
    ] = "",
    json: JsonFlag = False,
    no_color: NoColor = False,
) -> int:
    """Set the artifact store in the configuration."""
    run = invocation(ctx, no_color)
    if not place:
        return run.report([values.missing("The place", "For example: zenctl config artifacts set results")])

    def block(registry: Registry) -> BlockData:
        from zenctl.config.stores import artifact_store

        return artifact_store(place, registry)

    return config_store.change(run, block, json)
