"""The JSON Schema of YAML files: it fits the code, accepts what loads, and refuses typos."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from zenctl.config.jsonschema import NAME, configuration_schema, configuration_schema_text
from zenctl.provider.registry import Registry, discover

ROOT = Path(__file__).parents[3]


def test_the_published_schema_is_that_of_the_code() -> None:
    published = (ROOT / "schemas" / NAME).read_text(encoding="utf-8")
    assert published == configuration_schema_text(discover()), "run `make schemas`"


@pytest.fixture
def validator(registry: Registry) -> Any:
    schema = configuration_schema(registry)
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def document() -> dict[str, Any]:
    return {
        "zenctl": {"project": "p", "metadata": {"sqlite": {}}, "defaults": {"orchestrator": "${backend.local.here}"}},
        "provider": {"local": {"region": "x"}},
        "variable": {
            "epochs": {"type": "number", "default": 5},
            "token": {
                "type": "object({a = optional(number, 1)})",
                "description": "A token.",
                "sensitive": True,
                "nullable": False,
                "ephemeral": True,
                "deprecated": "Use another.",
                "validation": [{"condition": "${var.token.a > 0}", "error_message": "no"}],
            },
        },
        "locals": {"a": [1, "${var.epochs}"]},
        "backend": {"local": {"here": {"workers": "${var.epochs}"}}},
        "datasource": {"csv": {"rows": {"path": "rows.csv", "enabled": True}}},
        "step": {
            "train": {
                "fit": {
                    "inputs": {"train": "${datasource.csv.rows}"},
                    "label": "y",
                    "epochs": "${var.epochs}",
                    "layers": [8, "${var.epochs}"],
                    "rules": {"a": {"method": "z_score", "limit": 2}},
                    "timeout": "30m",
                    "lifecycle": {"prevent_destroy": True},
                },
                "made": {
                    "inputs": {"train": "${datasource.csv.rows}"},
                    "label": "y",
                    "dynamic": {
                        "rules": {
                            "for_each": "${[var.epochs]}",
                            "iterator": "it",
                            "labels": ["x${it.value}"],
                            "content": {"method": "z_score", "limit": "${it.value}"},
                        },
                        "stop": [{"for_each": [], "content": {"method": "min_max"}}],
                    },
                },
            },
            "python": {"own": {"code": "a.py:f", "params": {"any": [{"thing": None}]}, "outputs": {"m": "Model"}}},
        },
        "endpoint": {"local": {"e": {"model": "${step.train.fit.model}", "port": 80}}},
        "output": {"accuracy": {"value": "${step.train.fit.metrics.accuracy}"}},
    }


def test_accepts_what_loads(validator: Any, load_text: Any) -> None:
    assert list(validator.iter_errors(document())) == []
    loaded = load_text(files={"main.zen.yaml": json.dumps(document())})
    assert loaded.diagnostics == ()


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("stpe",), {}),
        (("step", "trian"), {}),
        (("step", "train", "fit", "epochz"), 1),
        (("step", "train", "fit", "epochs"), "many"),
        (("step", "train", "fit", "epochs"), 0),
        (("step", "train", "fit", "inputs", "train"), "rows"),
        (("step", "train", "fit", "rules", "a", "method"), "zscore"),
        (("step", "train", "fit", "retries"), -1),
        (("endpoint", "local", "e", "timeout"), 3),
        (("variable", "epochs", "sensitive"), "yes"),
        (("variable", "epochs", "ephemeral"), "yes"),
        (("variable", "epochs", "validation"), {"condition": "${true}"}),
        (("step", "train", "made", "dynamic", "ruels"), {"for_each": [], "content": {"method": "z_score"}}),
        (("step", "train", "made", "dynamic", "rules", "content"), {}),
        (("step", "train", "made", "dynamic", "rules", "content", "method"), "zscore"),
        (("step", "train", "made", "dynamic", "rules", "foreach"), []),
        (("step", "train", "made", "dynamic", "rules", "labels"), ["a", "b"]),
        (
            ("step", "train", "made", "dynamic", "stop"),
            {"for_each": [], "labels": ["a"], "content": {"method": "min_max"}},
        ),
        (("step", "python", "own", "dynamic"), {"enviroment": {"for_each": [], "content": {}}}),
        (("step", "python", "own", "environment"), {"track": "all"}),
        (("datasource", "csv", "rows", "dynamic"), {}),
        (("zenctl", "metadata", "mysql"), {}),
        (("zenctl", "project"), "a b"),
    ],
)
def test_refuses_mistakes(validator: Any, path: tuple[str, ...], value: Any) -> None:
    wrong = document()
    inner = wrong
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    assert list(validator.iter_errors(wrong))
