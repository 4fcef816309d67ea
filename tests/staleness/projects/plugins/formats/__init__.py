import importlib

NAMES = ["csv", "tsv"]


def load_all():
    return {name: importlib.import_module(f"formats.{name}") for name in NAMES}


def extensions():
    return [f".{name}" for name in NAMES]
