"""Checks a command line against the flags that a command declares, and brings it into the one form typer takes.

Flags are Go's, as users of Terraform type them: `-out=x`, `-out x`, `--out=x`, `--out x`, `-json`, `-refresh=false`.
Flags and positional arguments may stand in any order; after `--` everything is positional. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field

from zenctl.diagnostics import Diagnostic, did_you_mean, error
from zenctl.lazy_dataclasses import dataclass

HELP = frozenset({"h", "help"})
"""Names of the flag that asks for help, whatever the command."""

TRUE = frozenset({"1", "t", "true"})
FALSE = frozenset({"0", "f", "false"})


@dataclass(frozen=True, slots=True)
class Flag:
    """A declared flag. A boolean one without a value means true; `default` is then what it is without being given."""

    name: str
    boolean: bool = False
    default: bool = False
    repeatable: bool = False


@dataclass(frozen=True, slots=True)
class Shape:
    """What a command takes: its flags by name and its positional arguments (`most` is -1 for any number)."""

    command: str
    flags: Mapping[str, Flag] = field(default_factory=dict, hash=False)
    most: int = 0


@dataclass(frozen=True, slots=True)
class CommandLine:
    """A checked command line: `words` as typer takes them, or a wish for help, or what is wrong."""

    words: tuple[str, ...] = ()
    help: bool = False
    diagnostics: tuple[Diagnostic, ...] = ()

    @property
    def order(self) -> tuple[str, ...]:
        """The names of the flags with a value, as they were typed; one that is given several times stands so often."""
        flags = self.words[: self.words.index("--")] if "--" in self.words else ()
        return tuple(name.lstrip("-") for name, equals, _ in (word.partition("=") for word in flags) if equals)


def normalise(shape: Shape, typed: Sequence[str]) -> CommandLine:
    """Check what was typed after the command's name."""
    reader = _Reader(shape)
    reader.read(list(typed))
    if reader.help:
        return CommandLine(help=True)
    if reader.diagnostics:
        return CommandLine(diagnostics=tuple(reader.diagnostics))
    words = list(reader.values)
    for name, value in reader.booleans.items():
        if value != shape.flags[name].default:
            words.append(f"--{name}" if value else f"--no-{name}")
    return CommandLine((*words, "--", *reader.positional))


class _Reader:
    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.help = False
        self.values: list[str] = []
        self.seen: dict[str, int] = {}
        self.booleans: dict[str, bool] = {}
        self.positional: list[str] = []
        self.diagnostics: list[Diagnostic] = []
        self.after_boolean = ""

    def read(self, words: list[str]) -> None:
        while words:
            word = words.pop(0)
            if word == "--":
                for rest in words:
                    self._positional(rest)
                return
            if len(word) < 2 or not word.startswith("-") or word.startswith("---"):
                self._positional(word)
                continue
            self.after_boolean = ""
            name, equals, value = word.lstrip("-").partition("=")
            if name in HELP:
                self.help = True
                continue
            flag = self.shape.flags.get(name)
            if flag is None:
                self._unknown(name)
            elif flag.boolean:
                self._boolean(flag, value if equals else "true")
            elif equals:
                self._value(flag, value)
            elif words:
                self._value(flag, words.pop(0))
            else:
                self._wrong(f"-{name} needs a value", f"Write -{name}=VALUE.")

    def _value(self, flag: Flag, value: str) -> None:
        # The last of several wins, as in Go; ZENCTL_CLI_ARGS relies on it.
        if flag.name in self.seen and not flag.repeatable:
            self.values[self.seen[flag.name]] = f"--{flag.name}={value}"
            return
        self.seen[flag.name] = len(self.values)
        self.values.append(f"--{flag.name}={value}")

    def _boolean(self, flag: Flag, value: str) -> None:
        if value.lower() not in TRUE | FALSE:
            self._wrong(
                f"-{flag.name} is true or false", f'"{value}" is neither. Write -{flag.name} or -{flag.name}=false.'
            )
            return
        self.booleans[flag.name] = value.lower() in TRUE
        self.after_boolean = flag.name

    def _positional(self, word: str) -> None:
        self.positional.append(word)
        if 0 <= self.shape.most < len(self.positional):
            if self.after_boolean and word.lower() in TRUE | FALSE:
                detail = f"The value of a true-or-false flag is joined to it: -{self.after_boolean}={word}."
            elif self.shape.most == 0:
                detail = (
                    f'"zenctl {self.shape.command}" takes flags only. To work in another folder, put -chdir=DIR before '
                    f"the command: zenctl -chdir=DIR {self.shape.command}"
                )
            else:
                detail = f'"zenctl {self.shape.command}" takes at most {self.shape.most}. Flags begin with a dash.'
            self._wrong(f'Too many arguments: "{word}"', detail)
        self.after_boolean = ""

    def _unknown(self, name: str) -> None:
        guess = did_you_mean(f"-{name}", [f"-{known}" for known in self.shape.flags])
        detail = f'"zenctl {self.shape.command}" has no such flag.{guess}'
        self._wrong(f"Unknown flag -{name}", detail)

    def _wrong(self, summary: str, detail: str) -> None:
        pointer = f"\nzenctl {self.shape.command} -help lists all it takes."
        self.diagnostics.append(error("bad_argument", summary, detail + pointer))
