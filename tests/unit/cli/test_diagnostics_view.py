"""How diagnostics look."""

from __future__ import annotations

import io

import pytest

from zenctl.cli.terminal import Terminal
from zenctl.cli.views.diagnostics import Sources, grouped, render, show
from zenctl.cli.views.style import PLAIN, Style, columns
from zenctl.diagnostics import Position, SourceRange, error, warning

TEXT = 'step "train" "fit" {\n  epoch = 5\n\tname = "日本" # wide\n}\n'


def at(line, column, end_column, end_line=None):
    return SourceRange("main.zen.hcl", Position(line, column, 0), Position(end_line or line, end_column, 9))


def one(diagnostic, style=PLAIN, width=78):
    [group] = grouped([diagnostic])
    return render(group, Sources({"main.zen.hcl": TEXT}), style, width)


EPOCH = error(
    "unknown_attribute",
    'Unknown attribute "epoch"',
    'A step of type "train" has no attribute of that name. Did you mean "epochs"?',
    range=at(2, 3, 8),
    address="step.train.fit",
)


def test_without_colour():
    assert one(EPOCH) == (
        "\n"
        'Error: Unknown attribute "epoch"\n'
        "\n"
        "  on main.zen.hcl:2:3, in step.train.fit\n"
        "    2 │   epoch = 5\n"
        "      │   ^^^^^\n"
        "\n"
        'A step of type "train" has no attribute of that name. Did you mean "epochs"?'
    )


VALUES = (("var.epochs", "is -1"), ("var.key", "is (sensitive value)"), ("var.text", f'is "{"long " * 30}\x1b[2J"'))


def test_values_stand_below_the_line():
    found = one(error("x", "Too few", "Give more.", range=at(2, 11, 12), values=VALUES), width=60)
    assert found == (
        "\nError: Too few\n\n"
        "  on main.zen.hcl:2:11\n"
        "    2 │   epoch = 5\n"
        "      │           ^\n"
        "      ├────────────────\n"
        "      │ var.epochs is -1\n"
        "      │ var.key is (sensitive value)\n"
        '      │ var.text is "long long long long long long long long\n'
        "      │   long long long long long long long long long long\n"
        "      │   long long long long long long long long long long\n"
        '      │   long long [2J"\n'
        "\nGive more."
    )


def test_values_are_shown_without_a_line():
    lines = one(error("x", "Too few", values=VALUES[:1])).split("\n")
    assert lines[-3:] == ["", "      ├────────────────", "      │ var.epochs is -1"]
    assert one(error("x", "Too few", values=VALUES[:1]), Style(True)).split("\n")[-2].endswith("var.epochs is -1")


def test_with_colour_it_is_boxed():
    lines = one(EPOCH, Style(True)).split("\n")
    assert lines[0] == ""
    assert "╷" in lines[1]
    assert "╵" in lines[-1]
    assert all("│" in line for line in lines[2:-1])


def test_wide_characters_and_tabs_are_marked_where_they_are():
    lines = one(error("x", "X", range=at(3, 9, 13))).split("\n")
    code, carets = lines[-2], lines[-1]
    assert columns(code[: code.index('"')]) == columns(carets[: carets.index("^")])
    assert carets.count("^") == columns('"日本"')


@pytest.mark.parametrize("where", [at(2, 3, 1, 4), at(2, 90, 95), at(99, 1, 2), at(1, 1, 1)])
def test_any_range_can_be_shown(where):
    assert "Error: X" in one(error("x", "X", range=where))


def test_detail_is_wrapped_but_not_what_is_indented():
    text = one(error("x", "X", "word " * 40 + "\n  " + "code" * 30), width=40)
    assert all(columns(line) <= 40 for line in text.split("\n") if not line.startswith("  "))
    assert "  " + "code" * 30 in text


def test_a_file_that_is_not_given_is_read_from_the_folder(tmp_path):
    (tmp_path / "fit.py").write_text("def fit():\n    boom()\n")
    where = SourceRange("fit.py", Position(2, 5, 0), Position(2, 11, 0))
    [group] = grouped([error("x", "X", range=where)])
    assert "    boom()" in render(group, Sources(root=tmp_path), PLAIN, 78)


def screen():
    return Terminal(io.StringIO(), io.StringIO(), io.StringIO())


def test_warnings_go_out_and_errors_go_to_stderr():
    terminal = screen()
    show(terminal, [error("e", "Bad"), warning("w", "Odd"), error("e", "Bad")])
    assert terminal.out.getvalue() == "\nWarning: Odd\n"
    assert terminal.err.getvalue() == "\nError: Bad\n"


def test_warnings_that_say_the_same_are_one():
    terminal = screen()
    show(terminal, [warning("w", "Odd", range=at(line, 1, 2)) for line in (3, 1, 2)])
    text = terminal.out.getvalue()
    assert text.count("Warning: Odd") == 1
    assert "main.zen.hcl:3" in text or "main.zen.hcl:1" in text
    assert "(and 2 similar warnings elsewhere)" in text


def test_compact_warnings_only_without_errors():
    terminal = screen()
    show(terminal, [warning("w", "Odd", "why", range=at(1, 1, 2))] * 2, compact_warnings=True)
    assert terminal.out.getvalue() == "\nWarnings:\n\n- Odd\n  on main.zen.hcl:1:1\n"
    terminal = screen()
    show(terminal, [warning("w", "Odd", "why"), error("e", "Bad")], compact_warnings=True)
    assert "why" in terminal.out.getvalue()


def test_a_whole_line_is_marked_without_its_indentation():
    code, carets = one(error("x", "X", range=at(2, 1, 1, end_line=3))).split("\n")[-2:]
    assert (code, carets) == ("    2 │   epoch = 5", "      │   ^^^^^^^^^")


def test_the_same_in_several_instances_is_shown_once():
    found = [error("x", "Bad", "Why.", range=at(2, 3, 8), address=f"step.train.fit[{i}]") for i in range(6)]
    [group] = grouped([*found, found[2]])
    text = render(group, Sources({"main.zen.hcl": TEXT}), PLAIN, 100)
    assert "main.zen.hcl:2:3, in step.train.fit[0]\n" in text
    assert text.endswith("Why.\n\n(The same in step.train.fit[1], step.train.fit[2], step.train.fit[3] and 2 more.)")
    other = error("x", "Bad", "Because.", range=at(2, 3, 8), address="step.train.fit[6]")
    assert len(grouped([*found, other])) == 2
