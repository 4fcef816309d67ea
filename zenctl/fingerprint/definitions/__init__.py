"""The definitions of Python files: cut apart, read, resolved, followed, and counted."""
