"""The commands, one file each: declared for typer, run by asking the engine. They print through views only."""
