"""The step of the example."""


def square(*, number: int) -> int:
    """The number times itself."""
    return number * number
