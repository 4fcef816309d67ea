"""The registry finds types by name, loads on demand, and says what to install."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from zenctl.diagnostics import DiagnosticError
from zenctl.provider.registry import Entry, Registry, discover, registry_of
from zenctl.schema import BackendType, BlockModel, ProviderSchema
from zenctl.steps.python.schema import PYTHON


class Nothing(BlockModel):
    pass


def provider(name: str, *backends: str) -> Any:
    class Fake:
        version = "1"

        def schema(self) -> ProviderSchema:
            types = {b: BackendType(b, b, Nothing, ("orchestrator",)) for b in backends}
            return ProviderSchema(name, Nothing, types)

    fake = Fake()
    fake.name = name  # type: ignore[attr-defined]
    return fake


def failing(problem: Exception) -> Any:
    def load() -> Any:
        raise problem

    return load


def message(problem: DiagnosticError) -> str:
    [diagnostic] = problem.diagnostics
    return f"{diagnostic.code}: {diagnostic.summary} | {diagnostic.detail}"


def test_finds_by_name() -> None:
    registry = registry_of([provider("a", "a"), provider("b", "vm")], [PYTHON])
    assert registry.step_type("python") is PYTHON
    assert registry.step_names() == ("python",)
    assert registry.backend_type("vm")[0] == "b"
    assert registry.backend_names() == ("a", "vm")
    assert registry.provider("a").name == "a"
    assert registry.provider("a") is registry.provider("a")


def test_an_unknown_name_lists_what_there_is_and_guesses() -> None:
    registry = registry_of([provider("a", "machine")], [PYTHON])
    with pytest.raises(DiagnosticError) as found:
        registry.step_type("pyhton")
    expected = 'unknown_step_type: There is no step type "pyhton" | Did you mean "python"? Available: python.'
    assert message(found.value) == expected
    with pytest.raises(DiagnosticError) as found:
        registry.backend_type("machin")
    assert 'Did you mean "machine"? Available: machine.' in message(found.value)
    with pytest.raises(DiagnosticError) as found:
        registry.datasource_type("csv")
    assert "None is installed." in message(found.value)


def test_the_provider_of_the_same_name_is_enough() -> None:
    others = {"zzz": Entry(failing(RuntimeError("must not be loaded")))}
    own = registry_of([provider("local", "local")])
    registry = Registry({**own.providers, **others})
    assert registry.backend_type("local")[0] == "local"


def test_a_missing_module_says_what_to_install() -> None:
    missing = ModuleNotFoundError("No module named 'google'", name="google")
    registry = Registry({"gcp": Entry(failing(missing), lambda: "Install what it needs: pip install 'zenctl[gcp]'")})
    with pytest.raises(DiagnosticError) as found:
        registry.provider("gcp")
    assert message(found.value) == (
        'broken_provider: The provider "gcp" cannot be loaded: the Python module google is not installed '
        "| Install what it needs: pip install 'zenctl[gcp]'"
    )
    with pytest.raises(DiagnosticError) as found:
        registry.backend_type("gce")
    assert "the Python module google is not installed" in message(found.value)


def test_a_broken_provider_does_not_hide_the_others() -> None:
    good = registry_of([provider("good", "vm")])
    registry = Registry({"bad": Entry(failing(ValueError("boom"))), **good.providers})
    assert registry.backend_type("vm")[0] == "good"
    assert registry.backend_names() == ("vm",)
    with pytest.raises(DiagnosticError, match="ValueError: boom"):
        registry.schema("bad")


def test_two_providers_of_one_type_are_ambiguous() -> None:
    registry = registry_of([provider("a", "vm"), provider("b", "vm")])
    with pytest.raises(DiagnosticError, match="offered by several providers: a and b"):
        registry.backend_type("vm")


def test_discovers_what_is_installed_without_importing_it() -> None:
    code = (
        "import sys; from zenctl.provider.registry import discover; r = discover();"
        "assert 'python' in r.step_names() and 'csv' in r.datasource_names() and 'local' in r.provider_names();"
        "assert not [m for m in sys.modules if m.startswith(('zenctl.steps', 'zenctl_local'))]"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_installed_types_load() -> None:
    assert discover().step_type("python").name == "python"


# ---------------------------------------------------------------- mistakes of a provider


def loading(make: Any) -> Any:
    return Registry({"a": Entry(lambda: make, package="tests")})


@pytest.mark.parametrize("problem", [RuntimeError("boom\n" + "x" * 5000), SystemExit(7), OSError(2, "no file")])
def test_what_a_provider_raises_is_its_mistake(problem: BaseException) -> None:
    def make() -> Any:
        raise problem

    with pytest.raises(DiagnosticError) as found:
        loading(make).provider("a")
    said = message(found.value)
    assert f'broken_provider: The provider "a" cannot be loaded: {type(problem).__name__}: ' in said
    assert f"This is a mistake in tests ({__file__}:" in said
    assert len(said) < 800
    assert "\n" not in said


def test_a_name_that_its_sdk_lacks_may_be_another_version() -> None:
    registry = Registry({"a": Entry(failing(ImportError("cannot import name 'x'")), lambda: "Install it")})
    with pytest.raises(DiagnosticError) as found:
        registry.provider("a")
    assert "cannot be loaded: ImportError: cannot import name 'x' | Install it. This is a mistake in" in message(
        found.value
    )


@pytest.mark.parametrize(
    ("attributes", "says"),
    [
        ({"name": "b"}, "its entry point is called a, and its attribute name is 'b'"),
        ({"version": None}, "its attribute version is None, not a text such as '1.0'"),
        ({"version": 3}, "its attribute version is 3, not"),
        ({"schema": None}, "its entry point gives a Fake, which has no method schema"),
        ({"schema": dict}, "its method schema gives a dict, not a ProviderSchema"),
        ({"schema": lambda: ProviderSchema("b", Nothing)}, "its schema is that of a provider 'b'"),
        ({"schema": lambda: ProviderSchema("a", dict)}, "the config of its schema is <class 'dict'>, not a BlockModel"),
        (
            {"schema": lambda: ProviderSchema("a", Nothing, {"vm": "machine"})},
            'the backend type "vm" of its schema is a str, not a BackendType',
        ),
        (
            {"schema": lambda: ProviderSchema("a", Nothing, {"vm": BackendType("pod", "d", Nothing, ())})},
            "the backend type \"vm\" of its schema calls itself 'pod'",
        ),
        (
            {"schema": lambda: ProviderSchema("a", Nothing, {"vm": BackendType("vm", "d", Nothing(), ())})},
            'the model of the backend type "vm" of its schema is Nothing(), not a BlockModel',
        ),
    ],
)
def test_what_is_no_provider(attributes: dict[str, Any], says: str) -> None:
    made = provider("a", "vm")
    for name, value in attributes.items():
        setattr(made, name, value)
    with pytest.raises(DiagnosticError) as found:
        loading(lambda: made).schema("a")
    assert f'broken_provider: The provider "a" cannot be used: {says}' in message(found.value)
    assert "This is a mistake in tests, not in zenctl." in message(found.value)


def test_a_provider_for_another_version_of_the_sdk() -> None:
    made = provider("a")
    made.sdk_version = 2
    with pytest.raises(DiagnosticError) as found:
        loading(lambda: made).provider("a")
    assert message(found.value) == (
        'provider_sdk_version: The provider "a" is written for version 2 of the provider SDK '
        "| It comes from tests; this zenctl has version 1. Install versions of both that fit each other."
    )
