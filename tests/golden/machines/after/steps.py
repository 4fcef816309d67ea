def one() -> int:
    return 2


def two(*, n: int) -> int:
    return n


def three(*, n: int) -> int:
    return n + 1
