"""Orders rows."""


def by_height(rows):
    return sorted(rows, key=lambda row: row["height"], reverse=True)
