def one() -> int:
    return 1


def two(*, n: int) -> int:
    return n


def three(*, n: int) -> int:
    return n
