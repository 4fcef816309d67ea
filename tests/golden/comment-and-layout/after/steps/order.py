"""Puts rows in order."""  # newly worded


def by_height(rows):
    # tallest first
    return sorted(
        rows,
        key=lambda row: row["height"],
        reverse=True,
    )
