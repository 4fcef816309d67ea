import contextlib
import functools


class Clock:
    def __init__(self):
        self.ticks = 0

    def tick(self):
        self.ticks += 1

    def reset(self):
        self.ticks = 0


@contextlib.contextmanager
def timer():
    clock = Clock()
    clock.tick()
    try:
        yield clock
    finally:
        clock.tick()


def counted(function):
    calls = []

    @functools.wraps(function)
    def wrapper(*args):
        calls.append(args)
        return function(*args) + len(calls)

    return wrapper


def cached(function):
    return functools.lru_cache(maxsize=None)(function)
