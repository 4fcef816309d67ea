"""What a datasource of a fork may read in buckets: what one of the trusted revision names, letter by letter."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from zenctl.engine.trusting import Trust, _places
from zenctl.schema import SourceModel
from zenctl.steps.csv.schema import Csv
from zenctl.steps.images.schema import Images


def node(model: SourceModel) -> Any:
    return SimpleNamespace(model=model, addr="datasource.csv.rows", config=SimpleNamespace(range=None))


def trusting(root: Path, *models: SourceModel) -> Trust:
    places = frozenset(place for model in models for place in _places(node(model), root))
    return Trust("main", root, cast(Any, None), frozenset(), places, {})


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("s3://mine/in/*.csv", True),
        ("data/any.csv", True),
        ("s3://mine/in/secret.csv", False),
        ("s3://mine/in/", False),
        ("s3://mine/in/*.csv/", False),
        ("gs://mine/in/*.csv", False),
        ("s3://other/in/*.csv", False),
    ],
)
def test_a_path_in_a_bucket_must_be_one_of_the_revision(path: str, allowed: bool, tmp_path: Path) -> None:
    found = trusting(tmp_path, Csv(path="s3://mine/in/*.csv")).source(node(Csv(path=path)))
    assert [f"would read from {path}, which nothing does in main" in d.summary for d in found] == [True] * (not allowed)


def test_labels_count_too(tmp_path: Path) -> None:
    trust = trusting(tmp_path, Images(path="gs://mine/pets", labels="gs://mine/pets.csv"))
    assert trust.source(node(Images(path="gs://mine/pets", labels="gs://mine/pets.csv"))) == []
    [found] = trust.source(node(Images(path="gs://mine/pets", labels="gs://mine/people.csv")))
    assert "gs://mine/people.csv" in found.summary
