"""What rows are ordered by."""

UNIT = 100


def height(row):
    return _in_metres(row["height"])


def _in_metres(value):
    return float(value) / UNIT


def name(row):
    return row["name"]
