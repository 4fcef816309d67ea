import goldenlib


def use() -> int:
    return goldenlib.ANSWER
