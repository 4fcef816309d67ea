"""What a function's text says of its inputs, outputs and parameters."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from zenctl.diagnostics import Diagnostic
from zenctl.fingerprint.signature import Signature, parse_signature, read_signature
from zenctl.fingerprint.source import WorkingTree

IMPORTS = "from zenctl.sdk import Artifact, Dataset, Metrics, Model, Output\n"


def good(text: str, function: str = "fit") -> Signature:
    found, diagnostics = parse_signature(textwrap.dedent(text), function, "steps/fit.py")
    assert found is not None, diagnostics
    assert not diagnostics
    return found


def bad(text: str, function: str = "fit") -> list[Diagnostic]:
    found, diagnostics = parse_signature(textwrap.dedent(text), function, "steps/fit.py")
    assert found is None
    assert all(d.is_error for d in diagnostics)
    return diagnostics


def test_the_example_of_the_design() -> None:
    text = f"""{IMPORTS}
def fit(train: Dataset, model: Output[Model], metrics: Output[Metrics], *, epochs: int = 5, seed) -> None:
    ...
"""
    found = good(text)
    assert found.inputs == {"train": "Dataset"}
    assert found.outputs == {"model": "Model", "metrics": "Metrics"}
    assert {n: (p.required, p.annotation) for n, p in found.params.items()} == {
        "epochs": (False, "int"),
        "seed": (True, ""),
    }
    assert not found.returned
    assert not found.has_var_keyword
    assert not found.optional
    assert str(found.range) == "steps/fit.py:3:1"
    assert str(found.ranges["model"]) == "steps/fit.py:3:25"


INPUTS = [
    (IMPORTS, "Dataset", "Dataset"),
    (IMPORTS, "Model", "Model"),
    (IMPORTS, "Metrics", "Metrics"),
    (IMPORTS, "Artifact", "Artifact"),
    (IMPORTS, "'Dataset'", "Dataset"),
    (IMPORTS, '"""Dataset"""', "Dataset"),
    ("", "Dataset", "Dataset"),
    ("from zenctl.sdk import *\n", "Dataset", "Dataset"),
    ("from zenctl.sdk import Dataset as Table\n", "Table", "Dataset"),
    ("from zenctl import sdk\n", "sdk.Dataset", "Dataset"),
    ("import zenctl.sdk\n", "zenctl.sdk.Dataset", "Dataset"),
    ("import zenctl.sdk as z\n", "z.Dataset", "Dataset"),
    ("import zenctl.sdk as z\n", "'z.Dataset'", "Dataset"),
    ("", "sdk.Dataset", "Dataset"),
    ("from zenctl.sdk.dataset import Dataset\n", "Dataset", "Dataset"),
    ("from pathlib import Path\n", "Path", "Path"),
    ("from pathlib import Path as P\n", "P", "Path"),
    ("import pathlib\n", "pathlib.Path", "Path"),
    ("import pathlib as pl\n", "pl.Path", "Path"),
    (IMPORTS + "from typing import Annotated\n", "Annotated[Dataset, 'rows']", "Dataset"),
    (IMPORTS + "from typing import Optional\n", "Optional[Dataset]", "Dataset"),
    (IMPORTS + "import typing as t\n", "t.Optional['Dataset']", "Dataset"),
    (IMPORTS + "from typing import Union\n", "Union[None, Dataset]", "Dataset"),
    (IMPORTS, "Dataset | None", "Dataset"),
    (IMPORTS, "'Dataset | None'", "Dataset"),
    (IMPORTS + "Table = Dataset\n", "Table", "Dataset"),
    ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from zenctl.sdk import Model as M\n", "'M'", "Model"),
    ("from .types import Dataset\n", "Dataset", "Dataset"),
]


@pytest.mark.parametrize(("head", "annotation", "expected"), INPUTS)
def test_spellings_of_inputs(head: str, annotation: str, expected: str) -> None:
    assert good(f"{head}def fit(x: {annotation}): ...").inputs == {"x": expected}


OUTPUTS = [
    (IMPORTS, "Output[Model]", "Model"),
    (IMPORTS, "'Output[Model]'", "Model"),
    (IMPORTS, "Output['Model']", "Model"),
    (IMPORTS, "Output", "Artifact"),
    (IMPORTS + "from pathlib import Path\n", "Output[Path]", "Artifact"),
    ("from zenctl import sdk\n", "sdk.Output[sdk.Dataset]", "Dataset"),
    ("import zenctl.sdk as z\n", "'z.Output[z.Metrics]'", "Metrics"),
    ("from zenctl.sdk import Output as Out, Metrics as M\n", "Out[M]", "Metrics"),
    (IMPORTS + "import typing\n", "typing.Annotated[Output[Model], 1]", "Model"),
]


@pytest.mark.parametrize(("head", "annotation", "expected"), OUTPUTS)
def test_spellings_of_outputs(head: str, annotation: str, expected: str) -> None:
    assert good(f"{head}def fit(x: {annotation}): ...").outputs == {"x": expected}


@pytest.mark.parametrize(
    "annotation",
    [
        "int",
        "float",
        "str",
        "bool",
        "dict",
        "list",
        "'int'",
        "dict[str, float]",
        "list[int]",
        "Dict[str, int]",
        "t.List[int]",
        "Optional[int]",
        "int | float",
        "'dict[str, int] | None'",
        "Annotated[int, 'x']",
        "Literal['a', 'b']",
    ],
)
def test_plain_values_that_are_returned(annotation: str) -> None:
    head = "import typing as t\nfrom typing import Annotated, Dict, Literal, Optional\n"
    found = good(f"{head}def fit() -> {annotation}: ...")
    assert found.returned
    assert found.outputs == {"result": "Artifact"}
    assert found.ranges["result"].start.column == len("def fit() -> ") + 1


@pytest.mark.parametrize("text", ["def fit(): ...", "def fit() -> None: ...", "def fit() -> 'None': ..."])
def test_nothing_is_returned(text: str) -> None:
    found = good(text)
    assert not found.returned
    assert found.outputs == {}


def test_an_input_with_a_default_may_be_left_out() -> None:
    found = good(f"{IMPORTS}def fit(a: Dataset, b: Dataset | None = None, c: Model = None, /, d: 'Model' = None): ...")
    assert list(found.inputs) == ["a", "b", "c", "d"]
    assert found.optional == {"b", "c", "d"}


def test_any_parameter_with_double_star() -> None:
    assert good("def fit(**params): ...").has_var_keyword


def test_a_path_may_be_a_parameter() -> None:
    found = good("from pathlib import Path\ndef fit(data: Path, *, place: Path = Path('x')): ...")
    assert found.inputs == {"data": "Path"}
    assert found.params["place"].annotation == "Path"


@pytest.mark.parametrize(
    "text",
    [
        "@decorated(1)\ndef fit(x: Dataset): ...",
        "if True:\n    def fit(x: Dataset): ...\nelse:\n    def other(): ...",
        "try:\n    import a\nexcept ImportError:\n    def fit(x: Dataset): ...",
        "def train(x: Dataset): ...\nfit = train",
        "def fit(): ...\ndef fit(x: Dataset): ...",
        "class A:\n    def fit(self): ...\ndef fit(x: Dataset): ...",
    ],
)
def test_where_a_function_can_be_defined(text: str) -> None:
    assert good(IMPORTS + text).inputs == {"x": "Dataset"}


WRONG = [
    ("def fit(x): ...", "code_parameter", "1:9", "x has no annotation"),
    ("def fit(x, y): ...", "code_parameter", "1:9", "x has no annotation"),
    ("def fit(x: int): ...", "code_parameter", "1:9", "before the `*`"),
    ("def fit(x=5): ...", "code_parameter", "1:9", "no annotation"),
    ("def fit(x: Foo): ...", "code_parameter", "1:9", "Foo is not a type of zenctl.sdk"),
    ("def fit(x: 'no way'): ...", "code_parameter", "1:9", "the text in quotes is no type"),
    ("def fit(x: 5): ...", "code_parameter", "1:9", "it is a value"),
    ("def fit(x: lambda: 1): ...", "code_parameter", "1:9", "annotated with"),
    (
        "from torch.utils.data import Dataset\ndef fit(x: Dataset): ...",
        "code_parameter",
        "2:9",
        "torch.utils.data.Dataset",
    ),
    ("import datasets\ndef fit(x: datasets.Dataset): ...", "code_parameter", "2:9", "datasets.Dataset"),
    ("class Model: ...\ndef fit(x: Model): ...", "code_parameter", "2:9", "a class of this file"),
    ("T = T\ndef fit(x: T): ...", "code_parameter", "2:9", "refers to itself"),
    ("def fit(x: Output[int]): ...", "code_parameter", "1:9", "an output is no int"),
    ("def fit(x: Output[Output[Model]]): ...", "code_parameter", "1:9", "an output is no"),
    ("def fit(x: Dataset | Model): ...", "code_parameter", "1:9", "several kinds"),
    ("def fit(x: list[Dataset]): ...", "code_parameter", "1:9", "before the `*`"),
    ("def fit(*args): ...", "code_parameter", "1:10", "*args"),
    ("def fit(*, x: Output[Model]): ...", "code_parameter", "1:12", "after the `*`"),
    ("def fit(*, x: Dataset): ...", "code_parameter", "1:12", "after the `*`"),
    ("def fit() -> Model: ...", "code_return", "1:14", "no plain value"),
    ("def fit() -> tuple[int, int]: ...", "code_return", "1:14", "no plain value"),
    ("def fit(result: Output[Model]) -> int: ...", "code_return", "1:35", "`result`"),
    ("async def fit(): ...", "code_async", "1:1", "async"),
    ("class fit: ...", "code_not_a_function", "1:1", "is a class"),
    ("fit = lambda: 1", "code_not_a_function", "1:1", "with def"),
    ("from functools import partial\nfit = partial(f, 1)", "code_not_a_function", "2:1", "with def"),
    ("from elsewhere import fit", "code_not_a_function", "1:1", "only imported"),
    ("class A:\n    def fit(self): ...", "code_nested", "2:5", "inside the class A"),
    ("def outer():\n    def fit(): ...", "code_nested", "2:5", "inside the function outer"),
    ("\ndef fits(): ...\ndef other(): ...", "code_function_missing", "", 'Did you mean "fits"?'),
    ("", "code_function_missing", "", "defines no function"),
    ("def fit(:\n    pass", "code_syntax", "1:", "does not parse"),
    ("x = '''", "code_syntax", "1:5", "unterminated"),
]


@pytest.mark.parametrize(("text", "code", "place", "part"), WRONG)
def test_what_is_wrong_is_said_at_its_place(text: str, code: str, place: str, part: str) -> None:
    problem = bad(text)[0]
    assert problem.code == code
    assert part in str(problem)
    # What is nowhere in the file has no place in it: the caller points to where the function is named.
    assert str(problem.range).startswith(f"steps/fit.py:{place}" if place else "None")


def test_a_method_is_named_as_one() -> None:
    [problem] = bad("class Trainer:\n    def fit(self): ...", "Trainer.fit")
    assert problem.code == "code_nested"
    assert "the class Trainer" in problem.detail


def test_every_problem_is_told_at_once() -> None:
    found = bad("def fit(a, b: int, *c, d: Output[Model]) -> Model: ...")
    assert [d.range.start.column for d in found if d.range] == [9, 12, 21, 24, 45]


def test_ranges_count_characters_and_bytes() -> None:
    text = "# grün\r\ndef fit(é: 'ß', ü): ...\r\n"
    first, second = bad(text)
    assert first.range is not None
    assert second.range is not None
    assert (first.range.start.line, first.range.start.column, first.range.end.column) == (2, 9, 15)
    assert first.range.start.byte == len("# grün\r\ndef fit(".encode())
    assert (second.range.start.column, second.range.start.byte) == (17, len("# grün\r\ndef fit(é: 'ß', ".encode()))


def test_the_configuration_can_declare_outputs() -> None:
    found, _ = parse_signature("def fit(model, x: 'Dataset'): ...", "fit", "a.py", {"model": "Model"})
    assert found is not None
    assert found.outputs == {"model": "Model"}
    assert found.inputs == {"x": "Dataset"}


def project(root: Path, files: dict[str, str]) -> WorkingTree:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return WorkingTree(root)


@pytest.mark.parametrize(
    ("entry", "where"),
    [
        ("from steps.impl import train as fit", "steps/impl.py"),
        ("from impl import train as fit", "steps/impl.py"),
        ("from .impl import train as fit", "steps/impl.py"),
        ("from lib import fit", "lib/deep.py"),
    ],
)
def test_re_exports_are_followed(entry: str, where: str, tmp_path: Path) -> None:
    files = {
        "steps/fit.py": entry,
        "steps/impl.py": IMPORTS + "def train(x: Dataset): ...",
        "lib/__init__.py": "from .deep import fit",
        "lib/deep.py": IMPORTS + "def fit(x: Dataset): ...",
    }
    found, diagnostics = read_signature(project(tmp_path, files), "steps/fit.py", "fit")
    assert found is not None, diagnostics
    assert found.inputs == {"x": "Dataset"}
    assert str(found.range) == f"{where}:2:1"


def test_a_projects_own_module_may_hand_types_on(tmp_path: Path) -> None:
    text = "from common.types import Dataset\nimport common.types as ct\ndef fit(x: Dataset, y: ct.Model): ..."
    tree = project(tmp_path, {"steps/fit.py": text, "common/types.py": IMPORTS})
    found, _ = read_signature(tree, "steps/fit.py", "fit")
    assert found is not None
    assert found.inputs == {"x": "Dataset", "y": "Model"}


@pytest.mark.parametrize(
    ("files", "function", "code", "part"),
    [
        ({"steps/fti.py": ""}, "fit", "code_file_missing", 'Did you mean "steps/fti.py"?'),
        (
            {"steps/fit.py": "from .a import fit", "steps/a.py": "from .fit import fit"},
            "fit",
            "code_not_a_function",
            "imported",
        ),
        (
            {"steps/fit.py": "from .a import fit", "steps/a.py": "def fot(): ..."},
            "fit",
            "code_not_a_function",
            "imported",
        ),
        ({"steps/fit.py": "def fit(): ..."}, "fitt", "code_function_missing", 'Did you mean "fit"?'),
    ],
)
def test_functions_that_are_not_there(
    files: dict[str, str], function: str, code: str, part: str, tmp_path: Path
) -> None:
    found, diagnostics = read_signature(project(tmp_path, files), "steps/fit.py", function)
    assert found is None
    assert diagnostics[0].code == code
    assert part in str(diagnostics[0])


def test_nothing_is_imported(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    text = f"open({str(marker)!r}, 'w').close()\nimport sys; sys.exit(1)\ndef fit(*, x=1): ..."
    found, _ = read_signature(project(tmp_path / "p", {"fit.py": text}), "fit.py", "fit")
    assert found is not None
    assert not marker.exists()


@pytest.mark.parametrize(
    ("imports", "parameters"),
    [
        (
            "from zenctl.sdk import Artifact, Checkpoints, Output\n",
            "a: Output[Artifact], kept: Checkpoints, *, epochs=5",
        ),
        (
            "from zenctl.sdk import Artifact, Checkpoints, Output\n",
            "a: Output[Artifact], *, kept: Checkpoints, epochs=5",
        ),
        ("from zenctl import sdk\n", "a: sdk.Output[sdk.Artifact], kept: 'sdk.Checkpoints', *, epochs=5"),
    ],
)
def test_checkpoints_are_neither_input_nor_parameter(imports: str, parameters: str) -> None:
    found = good(f"{imports}def fit({parameters}): ...")
    assert (found.checkpoints, found.inputs, list(found.params)) == ("kept", {}, ["epochs"])
    assert good("def fit(): ...").checkpoints == ""


def test_one_folder_for_checkpoints_is_enough() -> None:
    [problem] = bad("from zenctl.sdk import Checkpoints\ndef fit(a: Checkpoints, *, b: Checkpoints): ...")
    assert problem.summary == "a and b are both Checkpoints: one is enough"
