"""Sums of floats are those of exact fractions, whatever the order, the size and the division of the numbers."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from zenctl.steps.evaluate.sums import UNIT, ExactSum

NUMBERS = st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=30)
MODERATE = st.lists(st.floats(-1e100, 1e100).filter(lambda x: x == 0 or abs(x) > 1e-100), max_size=30)


@given(NUMBERS)
def test_a_sum_is_exact(values: list[float]) -> None:
    found = ExactSum()
    found.add(np.array(values, np.float64))
    assert Fraction(found.total, 1 << UNIT) == sum(map(Fraction, values))


@given(MODERATE)
def test_a_sum_of_squares_is_exact(values: list[float]) -> None:
    found = ExactSum()
    found.add_squares(np.array(values, np.float64))
    assert Fraction(found.total, 1 << UNIT) == sum(Fraction(value) ** 2 for value in values)


@given(NUMBERS, st.integers(0, 30))
def test_parts_merge_to_the_whole(values: list[float], cut: int) -> None:
    whole, first, second = ExactSum(), ExactSum(), ExactSum()
    whole.add(np.array(values, np.float64))
    first.add(np.array(values[cut:], np.float64))
    second.add(np.array(values[:cut], np.float64))
    first.merge(second)
    assert first == whole


def test_many_numbers_of_one_size() -> None:
    values = np.full(1 << 17, math.nextafter(2.0, 1))
    found = ExactSum()
    found.add(values)
    assert Fraction(found.total, 1 << UNIT) == len(values) * Fraction(math.nextafter(2.0, 1))
    assert found.over(len(values)) == math.nextafter(2.0, 1)


def test_what_is_no_number_is_not_lost() -> None:
    found = ExactSum()
    found.add(np.array([1.0, math.inf, math.nan]))
    assert math.isnan(found.over(3))
