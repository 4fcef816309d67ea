"""The command line: reads arguments, asks the engine, and shows what came of it. The only layer that prints."""
