"""Loads parts by name."""

import importlib


def part(name):
    return importlib.import_module(f"steps.{name}")
