"""What a machine is said to cost: the user's own figures first, then list prices; what is not known is told so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from zenctl.provider import ErrorKind, PriceEstimate, ProviderError
from zenctl_gcp.gce_prices import LISTED, estimate
from zenctl_gcp.schema import GceBackend


def priced(root: Path, machine_type: str, zone: str = "us-central1-a", **more: Any) -> PriceEstimate:
    config = GceBackend(**{"project": "p", "zone": zone, "machine_type": machine_type, **more}).model_dump()
    return estimate(config, zone, root)


@pytest.mark.parametrize(
    ("machine_type", "zone", "spot", "amount"),
    [
        ("n1-standard-4", "us-central1-a", False, 0.19),
        ("n1-standard-8", "europe-west1-b", False, 0.41801),
        ("n1-standard-8", "europe-west4-a", True, 0.16734),
        ("n1-highmem-8", "us-west1-a", False, 0.4736),
        ("e2-standard-2", "europe-west12-c", False, 0.08644),
        ("e2-standard-2", "us-west4-a", True, 0.00786),
        ("e2-micro", "us-east1-b", False, 0.00838),
        ("n4-standard-2", "asia-south1-a", False, 0.09433),
        ("n2-standard-4", "us-central1-f", False, 0.1942),
        ("a2-highgpu-1g", "us-central1-a", False, 3.6734),
    ],
)
def test_list_prices(tmp_path: Path, machine_type: str, zone: str, *, spot: bool, amount: float) -> None:
    found = priced(tmp_path, machine_type, zone, spot=spot)
    assert found.amount == pytest.approx(amount, rel=0.001)
    assert (found.currency, found.as_of) == ("USD", json.loads(LISTED.read_text())["as_of"])
    assert "list prices" in found.source
    assert "without its disk" in found.note


@pytest.mark.parametrize(
    ("machine_type", "more", "missing"),
    [
        ("x9-standard-4", {}, "list price of x9-standard-4"),
        ("custom", {}, "list price of custom"),
        ("t2d-highmem-4", {}, "list price of t2d-highmem-4"),
        ("n2-standard-4", {"zone": "europe-west1-b"}, "list price of n2-standard-4 in europe-west1"),
        ("n2-standard-4", {"spot": True}, "spot list price of n2-standard-4"),
        ("a2-highgpu-1g", {"zone": "europe-west4-a"}, "list price of a2-highgpu-1g in europe-west4"),
        ("n1-standard-4", {"accelerator": {"type": "nvidia-tesla-t4"}}, "list price of nvidia-tesla-t4"),
    ],
)
def test_what_is_not_listed_is_not_guessed(
    tmp_path: Path, machine_type: str, more: dict[str, Any], missing: str
) -> None:
    found = priced(tmp_path, machine_type, **more)
    assert found.amount is None
    assert missing in found.note


def test_the_blocks_own_price_counts(tmp_path: Path) -> None:
    found = priced(tmp_path, "n1-standard-4", price_per_hour=0.42, currency="EUR")
    assert (found.amount, found.currency, found.source) == (0.42, "EUR", "price_per_hour of the backend")


def test_a_file_of_prices(tmp_path: Path) -> None:
    (tmp_path / "prices.json").write_text(
        json.dumps(
            {
                "currency": "EUR",
                "as_of": "2026-11-01",
                "machine_types": {"n1-standard-4": 0.17, "e2-standard-4": {"on_demand": 0.12, "spot": 0.05}},
                "accelerators": {"nvidia-tesla-t4": 0.31},
            }
        )
    )
    own = {"prices": "prices.json"}
    gpus = {"accelerator": {"type": "nvidia-tesla-t4", "count": 2}}
    found = priced(tmp_path, "n1-standard-4", **own, **gpus)
    assert (found.amount, found.currency) == (pytest.approx(0.79), "EUR")
    assert (found.source, found.as_of) == ("prices.json", "2026-11-01")
    assert priced(tmp_path, "e2-standard-4", spot=True, **own).amount == 0.05
    # What the file does not have is looked up in the public one.
    assert priced(tmp_path, "n1-standard-8", **own).currency == "USD"
    assert priced(tmp_path, "n1-standard-4", spot=True, **own).source == "public list prices of Compute Engine"
    assert priced(tmp_path, "n1-standard-4", accelerator={"type": "nvidia-l4"}, **own).amount is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{\n "machine_types": {,}\n}', "no JSON: prices.json:2:20:"),
        ("[]", "prices.json:1: it holds no JSON object"),
        ("{}", 'prices.json:1: "machine_types" is missing'),
        ('{\n "machine_types": {},\n "curency": "EUR"}', 'prices.json:3: there is no "curency"'),
        ('{"machine_types": {},\n "currency": "euro"}', 'prices.json:2: "currency" is not'),
        ('{"machine_types": {},\n "as_of": "today"}', 'prices.json:2: "as_of" is not'),
        ('{"machine_types": {\n "a": -1}}', 'prices.json:2: the price of "a"'),
        ('{"machine_types": {\n\n "a": {"spto": 1}}}', 'prices.json:3: the price of "a"'),
        ('{"machine_types": {"a": NaN}}', 'prices.json:1: the price of "a"'),
        ('{"machine_types": {"a": true}}', 'prices.json:1: the price of "a"'),
    ],
)
def test_a_file_that_is_wrong_is_told_with_its_line(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "prices.json").write_text(text)
    with pytest.raises(ProviderError) as raised:
        priced(tmp_path, "n1-standard-4", prices="prices.json")
    assert raised.value.kind is ErrorKind.INVALID
    assert told in raised.value.message
    assert "machine_types" in raised.value.hint


@pytest.mark.parametrize("name", ["missing.json", "../prices.json", "folder"])
def test_a_file_that_is_not_there_or_elsewhere(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(ProviderError, match=name):
        priced(tmp_path, "n1-standard-4", prices=name)


def test_one_way_to_give_prices() -> None:
    with pytest.raises(ValidationError, match="give either `price_per_hour`, or a file of `prices`"):
        GceBackend(project="p", zone="z-a", price_per_hour=1, prices="p.json")
