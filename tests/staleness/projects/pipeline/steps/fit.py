"""Cleans rows with functions, generators, decorators, context managers and caches."""
import functools
import operator

from lib import clean, stats
from lib.timing import counted, timer

LIMIT = 3
STEPS = [clean.strip, clean.number]


def fit(limit=LIMIT):
    with timer() as clock:
        rows = [apply(row) for row in take(source(), limit)]
    table = stats.Table(rows)
    return [table.mean(), table["first"], sorted(rows, key=order), clock.ticks > 0, counted_total()]


def source():
    yield from (" 1 ", "2", " 3", "4 ", "x")


def take(rows, limit):
    for index, row in enumerate(rows):
        if index >= limit:
            return
        yield row


def apply(row):
    return functools.reduce(lambda value, step: step(value), STEPS, row)


def order(value):
    return -value


def counted_total():
    return total() + total()


@counted
def total():
    return functools.reduce(operator.add, [1, 2], 0)


def debug(rows):
    for row in rows:
        print(show(row))


def show(row):
    return repr(row)
