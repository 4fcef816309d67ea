"""Estimates what a machine of Compute Engine costs an hour, from the user's figures or public list prices."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from zenctl.provider import ErrorKind, PriceEstimate, ProviderError

LISTED = Path(__file__).with_name("prices.json")
"""Public list prices, by region and family; what it does not have is not known. It says itself where it is from."""

LEFT_OUT = "without its disk, network and licences"

SHAPE = re.compile(r"(?P<family>[a-z0-9]+)-(?P<kind>standard|highmem|highcpu)-(?P<vcpus>\d+)")
"""The name of a machine type whose price follows from its vCPUs and memory."""

FORM = (
    'It is a JSON object such as {"currency": "EUR", "as_of": "2026-11-01", "machine_types": {"n1-standard-4": 0.17, '
    '"e2-standard-4": {"on_demand": 0.12, "spot": 0.05}}, "accelerators": {"nvidia-tesla-t4": 0.31}}: prices of one an '
    "hour, of which machine_types must be there."
)
"""What to write into a file of prices."""


def estimate(config: Mapping[str, Any], zone: str, root: Path) -> PriceEstimate:
    """What one machine of a backend costs an hour in a zone; `root` is the configuration's folder.

    The block's own figure counts, then its file of prices, then public list prices. ProviderError(INVALID) for a file
    that cannot be used.
    """
    if config.get("price_per_hour") is not None:
        return PriceEstimate(config["price_per_hour"], config["currency"], "price_per_hour of the backend")
    gpus = config.get("accelerator") or {"type": "", "count": 0}
    model = "spot" if config["spot"] else "on_demand"
    if config.get("prices"):
        found = _own(_OwnPrices(root, config["prices"]).read(), config["prices"], config["machine_type"], gpus, model)
        if found is not None:
            return found
    return _listed(config["machine_type"], gpus, model, zone)


def _own(
    table: Mapping[str, Any], name: str, machine_type: str, gpus: Mapping[str, Any], model: str
) -> PriceEstimate | None:
    """What the user's table says; None if it does not have the machine type, or its GPUs."""
    machine = _by_model(table["machine_types"].get(machine_type), model)
    each = _by_model(table.get("accelerators", {}).get(gpus["type"]), model) if gpus["count"] else 0.0
    if machine is None or each is None:
        return None
    amount = machine + each * gpus["count"]
    return PriceEstimate(amount, table.get("currency", "USD"), name, table.get("as_of", ""))


def _by_model(entry: Any, model: str) -> float | None:
    """A price of a table of the user's: a number counts for machines that are not spot."""
    if isinstance(entry, Mapping):
        return entry.get(model)
    return entry if model == "on_demand" else None


def _listed(machine_type: str, gpus: Mapping[str, Any], model: str, zone: str) -> PriceEstimate:
    table = _public()
    region = zone.rpartition("-")[0]
    found = PriceEstimate(None, table["currency"], table["source"], table["as_of"], LEFT_OUT)
    whole = table["machine_types"].get(machine_type)
    prices = {region: {model: None}, **whole} if whole is not None else None
    amount = prices[region].get(model) if prices is not None else _by_size(table, machine_type, model, region)
    words = "spot " if model == "spot" else ""
    if amount is None:
        return replace(found, note=f"there is no {words}list price of {machine_type} in {region} here")
    if gpus["count"] and whole is None:
        return replace(found, note=f"there is no list price of {gpus['type']} here")
    return replace(found, amount=round(amount, 5))


def _by_size(table: Mapping[str, Any], machine_type: str, model: str, region: str) -> float | None:
    """The price of a machine by its vCPUs and memory: that of its family in one region, times what another asks."""
    size = table["shared_core"].get(machine_type)
    shape = SHAPE.fullmatch(machine_type)
    family = table["families"].get(size["family"] if size else shape["family"] if shape else "")
    if family is None or region not in family["regions"]:
        return None
    if size is None:
        assert shape is not None, "only what has a shape or a size has a family"
        if shape["kind"] not in family["gib_per_vcpu"]:
            return None
        vcpus = int(shape["vcpus"])
        size = {"vcpus": vcpus, "gib": vcpus * family["gib_per_vcpu"][shape["kind"]]}
    at_base = size["vcpus"] * family["vcpu"] + size["gib"] * family["gib"]
    of_region, base = family["regions"][region].get(model), family["regions"][table["base_region"]]["on_demand"]
    return None if of_region is None else float(at_base * of_region / base)


@cache
def _public() -> Any:
    return json.loads(LISTED.read_text(encoding="utf-8"))


class _OwnPrices:
    """The user's file of prices, with errors that point into it."""

    def __init__(self, root: Path, name: str) -> None:
        self._root = root
        self._name = name
        self._text = ""

    def read(self) -> Mapping[str, Any]:
        """The table, checked. Raises ProviderError(INVALID)."""
        path = (self._root / self._name).resolve()
        if not path.is_relative_to(self._root.resolve()):
            raise ProviderError(
                ErrorKind.INVALID, f"its file of prices {self._name} is outside of the configuration's folder", FORM
            )
        try:
            self._text = path.read_text(encoding="utf-8")
            table = json.loads(self._text)
        except OSError as problem:
            reason = problem.strerror or str(problem)
            raise ProviderError(ErrorKind.INVALID, f"its file of prices {self._name}: {reason}", FORM) from problem
        except json.JSONDecodeError as problem:
            message = f"its file of prices is no JSON: {self._name}:{problem.lineno}:{problem.colno}: {problem.msg}"
            raise ProviderError(ErrorKind.INVALID, message, FORM) from problem
        except (ValueError, RecursionError) as problem:
            raise ProviderError(
                ErrorKind.INVALID, f"its file of prices {self._name} is no JSON text", FORM
            ) from problem
        if not isinstance(table, dict):
            raise self._wrong("", "it holds no JSON object")
        self._check(table)
        return table

    def _check(self, table: Mapping[str, Any]) -> None:
        known: dict[str, Callable[[Any], bool]] = {
            "currency": lambda value: isinstance(value, str) and re.fullmatch("[A-Z]{3}", value) is not None,
            "as_of": lambda value: isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value) is not None,
            "machine_types": lambda value: isinstance(value, dict),
            "accelerators": lambda value: isinstance(value, dict),
        }
        for key, value in table.items():
            if key not in known:
                raise self._wrong(key, f'there is no "{key}"')
            if not known[key](value):
                raise self._wrong(key, f'"{key}" is not what it should be')
        if "machine_types" not in table:
            raise self._wrong("", '"machine_types" is missing')
        for part in ("machine_types", "accelerators"):
            for name, price in table.get(part, {}).items():
                if not _is_price(price):
                    raise self._wrong(
                        name, f'the price of "{name}" is neither a number from 0 on, nor on_demand and spot'
                    )

    def _wrong(self, key: str, what: str) -> ProviderError:
        lines = self._text.splitlines()
        line = next((number for number, text in enumerate(lines, 1) if key and json.dumps(key) in text), 1)
        return ProviderError(ErrorKind.INVALID, f"its file of prices is wrong: {self._name}:{line}: {what}", FORM)


def _is_price(value: Any) -> bool:
    if isinstance(value, dict):
        return bool(value) and value.keys() <= {"on_demand", "spot"} and all(_is_number(v) for v in value.values())
    return _is_number(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < math.inf
