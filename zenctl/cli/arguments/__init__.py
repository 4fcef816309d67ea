"""The arguments: what a command was given, checked and typed, one frozen dataclass per command."""
