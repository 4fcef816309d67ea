"""Orders rows."""

from steps import keys


def by_height(rows):
    return sorted(rows, key=keys.height, reverse=True)
