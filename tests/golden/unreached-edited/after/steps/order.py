"""Orders rows."""

from typing import Any


def shortest(rows, least=1):
    return by_height(rows)[-least:]


def by_height(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: row["height"], reverse=True)


def by_name(rows):
    return sorted(rows, key=lambda row: row["name"].lower(), reverse=True)
