"""`zenctl providers schema`: describes every installed block type."""

from __future__ import annotations

import json as jsonlib
from typing import Annotated

import typer

from zenctl.cli.arguments import values
from zenctl.cli.arguments.options import NoColor
from zenctl.cli.invocation import Invocation, invocation

EPILOG = """
The document has provider_schemas (of each provider its own block, backends,
endpoints and artifact stores), step_schemas, datasource_schemas and
metadata_store_schemas. Of each attribute it has type, description, required,
default, sensitive and the values allowed; blocks inside are in block_types. Its
form is schemas/provider-schemas.v1.schema.json; format_version "1.x" only adds.

Examples:

  zenctl providers schema -json
  zenctl providers schema -json | jq '.step_schemas.train.block.attributes'

Exit codes: 0 done; 1 error, also if something installed cannot be loaded.
"""


def providers_schema(
    ctx: typer.Context,
    json: Annotated[bool, typer.Option("-json", "--json", help="Needed: the schemas are printed as JSON.")] = False,
    no_color: NoColor = False,
) -> int:
    """Print the schemas of all block types that are installed.

    For editors and other tools. Needs no configuration. What cannot be loaded is
    left out, and told on standard error.
    """
    started = invocation(ctx, no_color)
    if not json:
        return started.report(
            [values.missing("-json", "The schemas are printed as JSON: zenctl providers schema -json")]
        )
    return run(started)


def run(run: Invocation) -> int:
    """Print them; gives the exit code."""
    from zenctl.config.typeschemas import type_schemas
    from zenctl.provider.registry import discover

    document, problems = type_schemas(discover())
    run.terminal.write(jsonlib.dumps(document, indent=2, ensure_ascii=False))
    return run.aside().report(problems)
