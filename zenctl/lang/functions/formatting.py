"""The `%` verbs of `format`, as Terraform has them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Decimal

from zenctl.lang.calls import FunctionProblem, limited
from zenctl.lang.conversion import ConversionError, convert_value
from zenctl.lang.functions.json_text import to_json
from zenctl.lang.model import Value
from zenctl.lang.numbers import is_whole, number_text
from zenctl.lang.types import NUMBER, STRING, Type

_VERB = re.compile(
    r"%(?:%|(?P<flags>[-+ 0#]*)(?P<width>\d+|\*)?(?:\.(?P<precision>\d+|\*)?(?P<dot>))?"
    r"(?:\[(?P<index>\d+)\])?(?P<verb>[a-zA-Z])?)"
)
MAX_WIDTH = 10_000


def format_values(pattern: str, values: Sequence[Value]) -> str:
    """The text of `format(pattern, values...)`. Raises FunctionProblem."""
    state = _State(values)
    pieces: list[str] = []
    at = 0
    for found in _VERB.finditer(pattern):
        pieces.append(pattern[at : found.start()])
        at = found.end()
        pieces.append("%" if found.group() == "%%" else state.verb(found))
    pieces.append(pattern[at:])
    if state.most < len(values) and not state.indexed:
        raise FunctionProblem(f"There are {len(values)} values, but the format uses {state.most}.", state.most + 1)
    return limited("".join(pieces))


class _State:
    """Which value comes next."""

    def __init__(self, values: Sequence[Value]) -> None:
        self.values = values
        self.next = 0
        self.most = 0
        self.indexed = False

    def verb(self, found: re.Match[str]) -> str:
        verb = found["verb"]
        if verb is None:
            raise FunctionProblem(
                f'"{found.group()}" is not complete: a letter must follow, or another % to write one.', 0
            )
        width = self._size(found["width"]) if found["width"] else 0
        precision: int | None = None
        if found["dot"] is not None:
            precision = self._size(found["precision"]) if found["precision"] else 0
        if found["index"]:
            self.indexed = True
            self.next = int(found["index"][:9]) - 1
        value, at = self._take(found.group())
        return _Verb(verb, found["flags"], width, precision, at).text(value)

    def _size(self, digits: str) -> int:
        if digits == "*":
            value, at = self._take("*")
            if not isinstance(value.raw, Decimal) or not is_whole(value.raw) or not 0 <= value.raw <= MAX_WIDTH:
                raise FunctionProblem("A width must be a whole number, not too large.", at + 1)
            return int(value.raw)
        if len(digits) > 5 or int(digits) > MAX_WIDTH:
            raise FunctionProblem(f"A width or precision can be {MAX_WIDTH} at most.", 0)
        return int(digits)

    def _take(self, what: str) -> tuple[Value, int]:
        if not 0 <= self.next < len(self.values):
            raise FunctionProblem(f'There is no value for "{what}": {len(self.values)} given.', 0)
        at = self.next
        self.next += 1
        self.most = max(self.most, self.next)
        return self.values[at], at


class _Verb:
    def __init__(self, verb: str, flags: str, width: int, precision: int | None, at: int) -> None:
        self.verb = verb
        self.flags = flags
        self.width = width
        self.precision = precision
        self.at = at

    def text(self, value: Value) -> str:
        verb = self.verb
        if verb == "v":
            return self._default(value)
        if value.raw is None:
            raise FunctionProblem(f"The value for %{verb} is null.", self.at + 1)
        if verb in "sq":
            text = str(self._convert(value, STRING).raw)
            text = text if self.precision is None else text[: self.precision]
            return self._pad(to_json_string(text) if verb == "q" else text)
        if verb == "t":
            if not isinstance(value.raw, bool):
                raise FunctionProblem("The value for %t must be true or false.", self.at + 1)
            return self._pad("true" if value.raw else "false")
        if verb in "dboxX":
            return self._whole(self._convert(value, NUMBER).raw)
        if verb in "eEfFgG":
            return self._fraction(self._convert(value, NUMBER).raw)
        known = "%s, %q, %d, %f, %e, %g, %t, %v, %b, %o and %x"
        raise FunctionProblem(f"There is no verb %{verb}: there are {known}.", 0)

    def _convert(self, value: Value, type: Type) -> Value:
        try:
            return convert_value(value, type)
        except ConversionError as problem:
            raise FunctionProblem(f"Unsuitable value for %{self.verb}: {problem}.", self.at + 1) from None

    def _default(self, value: Value) -> str:
        if "#" in self.flags or isinstance(value.raw, (tuple, dict)):
            return self._pad(to_json(value))
        if value.raw is None:
            return self._pad("null")
        if isinstance(value.raw, Decimal):
            text = number_text(value.raw)
            return self._signed(text)
        return self._pad(str(self._convert(value, STRING).raw))

    def _whole(self, number: Decimal) -> str:
        if not is_whole(number):
            raise FunctionProblem(f"The value for %{self.verb} must be a whole number.", self.at + 1)
        sign = "-" if number < 0 else ""
        magnitude = int(abs(number))
        digits = str(magnitude) if self.verb == "d" else f"{magnitude:{self.verb}}"
        if "#" in self.flags and self.verb != "d":
            digits = {"b": "0b", "o": "0", "x": "0x", "X": "0X"}[self.verb] + digits
        if self.precision is not None:
            digits = digits.rjust(self.precision, "0")
        return self._signed(sign + digits)

    def _fraction(self, number: Decimal) -> str:
        verb = self.verb
        precision = 6 if self.precision is None and verb not in "gG" else self.precision
        if verb in "fF":
            return self._signed(f"{number:.{precision}f}")
        if verb in "eE":
            return self._signed(_exponent(f"{number:.{precision}{verb}}"))
        if precision is None:
            exponent = number.adjusted() if number else 0
            plain = number_text(number)
            if -4 <= exponent < 21:
                return self._signed(plain)
            digits = len("".join(map(str, number.normalize().as_tuple().digits)))
            return self._signed(_exponent(f"{number:.{digits - 1}{'e' if verb == 'g' else 'E'}}"))
        rounded = (
            number.normalize()
            if not number
            else number.quantize(Decimal(1).scaleb(number.adjusted() - max(precision, 1) + 1), rounding=ROUND_HALF_EVEN)
        )
        if -4 <= (rounded.adjusted() if rounded else 0) < max(precision, 1):
            return self._signed(number_text(rounded))
        text = f"{rounded.normalize():{'e' if verb == 'g' else 'E'}}"
        return self._signed(_exponent(text))

    def _signed(self, text: str) -> str:
        """Put the sign that the flags ask for, and zeros or spaces up to the width."""
        sign = "-" if text.startswith("-") else "+" if "+" in self.flags else " " if " " in self.flags else ""
        digits = text.removeprefix("-")
        if "0" in self.flags and "-" not in self.flags:
            return sign + digits.rjust(self.width - len(sign), "0")
        return self._pad(sign + digits)

    def _pad(self, text: str) -> str:
        if "-" in self.flags:
            return text.ljust(self.width)
        return text.rjust(self.width, "0" if "0" in self.flags else " ")


def _exponent(text: str) -> str:
    """An exponent of at least two digits: `1e+05`."""
    return re.sub(r"([eE])([-+]?)(\d)$", lambda m: f"{m[1]}{m[2] or '+'}0{m[3]}", text)


def to_json_string(text: str) -> str:
    """A text in quotes, with escapes."""
    return to_json(Value(STRING, text))
