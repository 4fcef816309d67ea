"""Makes fitted features of what was measured: shifts and scales, boundaries, vocabularies, weights, fills."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np

from zenctl.lazy_dataclasses import dataclass
from zenctl.sdk import StepError
from zenctl.steps.data.quantiles import Quantiles
from zenctl.steps.transform.log import log
from zenctl.steps.transform.measuring import MODE_LIMIT, Measured
from zenctl.steps.transform.schema import FeatureRule
from zenctl.steps.transform.state import IMAGE, LOOKUP_METHODS, MISSING, TERM_METHODS, Feature, ImageForm, Token

ONE_HOT_LIMIT = 64
"""Texts with more different values than this become a vocabulary with an embedding, unless a rule says otherwise."""

BUCKETS = 10
"""Buckets of equally many rows, unless a rule says otherwise."""

HASH_BUCKETS = 64
MAX_VALUES = 10_000
MAX_TERMS = 100

NUMBER_FILLS = ("mean", "median", "mode", "min", "max", "zero")

_SMALLEST = float(np.finfo(np.float32).tiny)
"""A smaller spread float32 cannot tell from none: it keeps a few bits of it, and TensorFlow takes it for zero."""


@dataclass(frozen=True)
class Column:
    """What is to be learned of one column. `method` is empty where the number of different values decides."""

    name: str
    raw_type: str
    method: str
    rule: FeatureRule
    fill: Token | None = None
    is_number: bool = True

    def __post_init__(self) -> None:
        fill = self.rule.fill
        if self.is_number and isinstance(fill, str) and fill not in NUMBER_FILLS:
            raise StepError(
                f'feature "{self.name}": a number cannot be filled with "{fill}"',
                f"Use {', '.join(NUMBER_FILLS)} or a number.",
            )

    @property
    def shares(self) -> tuple[float, ...]:
        """The quantiles that are needed."""
        found = {0.5} if self.rule.fill == "median" or self.method == "robust" else set()
        if self.method == "robust":
            found |= {0.25, 0.75}
        if self.method == "bucketise" and self.rule.boundaries is None:
            buckets = self.rule.buckets or BUCKETS
            found |= {at / buckets for at in range(1, buckets)}
        return tuple(sorted(found))

    @property
    def needs_values(self) -> bool:
        return self.method in LOOKUP_METHODS | {""} or self.rule.fill == "mode"

    @property
    def needs_terms(self) -> bool:
        return self.method in TERM_METHODS


def token_column(name: str, raw_type: str, rule: FeatureRule) -> Column:
    """A column of texts or integers that are looked up. Raises StepError for a fill of another type."""
    fill = rule.fill
    if fill is not None and fill != "mode":
        if raw_type == "int64":
            if isinstance(fill, str) or not float(fill).is_integer():
                raise StepError(f'feature "{name}" holds integers: fill must be one, not {fill!r}')
            fill = int(fill)
        elif not isinstance(fill, str):
            raise StepError(f'feature "{name}" holds texts: fill must be one, not {fill!r}')
    return Column(name, raw_type, rule.method or "", rule, None if fill == "mode" else _token(fill), is_number=False)


@dataclass(frozen=True)
class Learned:
    """A column and what was measured of it."""

    column: Column
    measured: Measured

    @cached_property
    def _quantiles(self) -> Quantiles | None:
        upper = self.measured.upper
        return Quantiles(upper, self.column.shares) if self.column.shares and upper.any() else None

    @property
    def stretches(self) -> tuple[int, ...]:
        """What a second pass must look into; empty if none is needed."""
        return self._quantiles.stretches if self._quantiles is not None else ()

    def feature(self, example: Any, lower: Mapping[int, Any]) -> Feature:
        """The fitted feature. `example` is a raw value, None if no row has one."""
        if self.column.method == IMAGE:
            return self._image_feature()
        if not self.column.is_number:
            return self._token_feature(example)
        found: dict[float, float] = {}
        if self._quantiles is not None:
            found = dict(zip(self.column.shares, self._quantiles.values(lower), strict=True))
        return self._number_feature(example, found)

    def _image_feature(self) -> Feature:
        rule = self.column.rule
        if rule.height is None or rule.width is None:
            raise AssertionError("the rule of an image has a size")
        form = ImageForm(rule.height, rule.width, rule.channels or 3, rule.resize or "bilinear")
        drop = rule.missing == "drop_row"
        return Feature(self.column.name, "bytes", IMAGE, example="", drop=drop, image=form)

    def _number_feature(self, example: Any, quantiles: Mapping[float, float]) -> Feature:
        name, method, rule = self.column.name, self.column.method, self.column.rule
        data = self.measured.numbers.to_data() if self.measured.numbers is not None else {}
        if "mean" not in data:
            log(f'feature "{name}": no row has a value; it becomes 0 everywhere')
            data = {"mean": 0.0, "std": 0.0, "min": 0.0, "max": 0.0}
        fill = self._number_fill(data, quantiles)
        value = _float32(float(example) if example is not None else 0.0)
        drop = rule.missing == "drop_row"
        if method == "bucketise":
            boundaries = rule.boundaries or [value for share, value in quantiles.items() if share not in _extra(rule)]
            cut = tuple(sorted({_float32(boundary) for boundary in boundaries}))
            filled = None if rule.fill is None else fill
            return Feature(name, "float32", method, fill=filled, example=value, boundaries=cut, drop=drop)
        shift, scale = self._scaling(data, quantiles)
        return Feature(name, "float32", method, shift, scale, fill=fill, example=value, drop=drop)

    def _scaling(self, data: Mapping[str, Any], quantiles: Mapping[float, float]) -> tuple[float, float]:
        method = self.column.method
        shift, scale = 0.0, 1.0
        if method in ("z_score", "log"):
            shift, scale = data["mean"], data["std"]
        elif method == "min_max":
            shift, scale = data["min"], data["max"] - data["min"]
        elif method == "robust" and quantiles:
            shift, scale = quantiles[0.5], quantiles[0.75] - quantiles[0.25]
        # What rounding leaves is more than float32 has: of rows that lie close together, far from zero, the shift must
        # not miss the middle.
        shift, scale = _rounded(shift), _rounded(scale)
        if scale <= max(abs(shift) * 1e-7, _SMALLEST):
            if self.measured.numbers is not None and self.measured.numbers.finite:
                what = "half of the rows have" if method == "robust" else "every row has"
                log(f'feature "{self.column.name}": {what} the same value; it is not scaled')
            shift, scale = float(np.float32(shift)), 1.0  # exactly the value of the rows, so that they become 0
        return shift, scale

    def _number_fill(self, data: Mapping[str, Any], quantiles: Mapping[float, float]) -> float:
        fill = self.column.rule.fill
        if fill == "mode":
            values = self.measured.values
            if values is None:
                raise StepError(
                    f'feature "{self.column.name}": with more than {MODE_LIMIT:,} different values it has no mode',
                    'Use fill = "median" or "mean".',
                )
            return float(min(values, key=lambda value: (-values[value], value))) if values else 0.0
        if self.column.method == "log" and fill in (None, "mean"):
            # The mean is that of the logarithms: what stands for a missing value is the number whose logarithm it is.
            return _float32(math.copysign(math.expm1(abs(data["mean"])), data["mean"]))
        named = {None: data["mean"], "mean": data["mean"], "zero": 0.0, "median": quantiles.get(0.5, 0.0)}
        if self.column.method == "log":
            named |= {key: math.copysign(math.expm1(abs(data[key])), data[key]) for key in ("min", "max")}
        else:
            named |= {"min": data["min"], "max": data["max"]}
        return _float32(named[fill] if fill is None or isinstance(fill, str) else fill)

    def _token_feature(self, example: Any) -> Feature:
        column, rule = self.column, self.column.rule
        counts = dict(self.measured.values or {})
        marker = MISSING[column.raw_type]
        fill = column.fill
        if rule.fill == "mode":
            known = [token for token in counts if token != marker]
            fill = min(known, key=lambda token: (-counts[token], token)) if known else None
        if fill is not None and fill != marker and marker in counts:
            counts[fill] = counts.get(fill, 0) + counts.pop(marker)
        method = column.method or ("one_hot" if len(counts) <= ONE_HOT_LIMIT else "vocabulary")
        vocabulary: tuple[Token, ...] = ()
        weights: tuple[float, ...] = ()
        buckets = 0
        if method in LOOKUP_METHODS:
            vocabulary = self._kept(counts, rule.max_size or MAX_VALUES, "value")
            buckets = rule.buckets or 0
        elif method in TERM_METHODS:
            vocabulary = self._kept(dict(self.measured.terms), rule.max_size or MAX_TERMS, "term")
            if method == "tf_idf":
                rows, terms = self.measured.rows, self.measured.terms
                weights = tuple(_rounded(math.log((1 + rows) / (1 + terms[str(t)])) + 1) for t in vocabulary)
        elif method == "hash":
            buckets = rule.buckets or HASH_BUCKETS
        value = marker if example is None else example
        return Feature(
            column.name,
            column.raw_type,
            method,
            fill=fill,
            vocabulary=vocabulary,
            example=value,
            buckets=buckets,
            weights=weights,
            ngrams=rule.ngrams or 1,
            drop=rule.missing == "drop_row",
        )

    def _kept(self, counts: Mapping[Any, int], most: int, what: str) -> tuple[Any, ...]:
        """The most frequent; ties are broken by value, so that the order of rows does not matter."""
        least = self.column.rule.min_count or 1
        kept = sorted((t for t, count in counts.items() if count >= least), key=lambda t: (-counts[t], t))[:most]
        if not kept:
            where = "occurs {least} times" if what == "value" else "is in {least} texts"
            raise StepError(
                f'feature "{self.column.name}": no {what} {where.format(least=least)}', "Lower min_count, or drop it."
            )
        if len(kept) < len(counts):
            log(f'feature "{self.column.name}": kept {len(kept)} of {len(counts)} different {what}s')
        return tuple(kept)


def _extra(rule: FeatureRule) -> set[float]:
    """Quantiles that are needed for the fill alone."""
    buckets = rule.buckets or BUCKETS
    return {0.5} - {at / buckets for at in range(1, buckets)}


def _token(fill: Any) -> Token | None:
    return fill if fill is None or isinstance(fill, (str, int)) else int(fill)


def _rounded(value: float) -> float:
    """The first ten digits of a number."""
    return float(f"{value:.10g}")


def _float32(value: float) -> float:
    """The nearest float32, as the shortest decimal that names it: 39.1 instead of 39.099998474."""
    return float(str(np.float32(value)))
