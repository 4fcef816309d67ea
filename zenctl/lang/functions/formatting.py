"""The `%` verbs of `format`, as Terraform has them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Decimal

from zenctl.lang.calls import FunctionProblem, limited
from zenctl.lang.conversion import ConversionError, convert_value
from zenctl.lang.functions.bounds import bounded_text
from zenctl.lang.functions.characters import count_characters, slice_characters
from zenctl.lang.functions.json_text import to_json
from zenctl.lang.model import Value
from zenctl.lang.numbers import CONTEXT, is_whole, number_text
from zenctl.lang.types import BOOL, NUMBER, STRING, Type

_VERB = re.compile(
    r"%(?:%|(?P<flags>[-+ 0#]*)(?P<width>\d+|\*)?(?:\.(?P<precision>\d+|\*)?(?P<dot>))?"
    r"(?:\[(?P<index>\d+)\])?(?P<verb>[a-zA-Z])?)"
)
MAX_WIDTH = 10_000


def format_values(pattern: str, values: Sequence[Value]) -> str:
    """The text of `format(pattern, values...)`. Raises FunctionProblem."""
    state = _State(values)
    pieces: list[str] = []
    at = length = 0
    for found in _VERB.finditer(pattern):
        pieces += [pattern[at : found.start()], "%" if found.group() == "%%" else state.verb(found)]
        at = found.end()
        length += len(pieces[-1])
        bounded_text(length)
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
            hidden = "It is not complete: a letter must follow each %, or another % to write one."
            detail = f'"{found.group()[:20]}" is not complete: a letter must follow, or another % to write one.'
            raise FunctionProblem(detail, 0, hidden=hidden)
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
                raise FunctionProblem(f"A width must be a whole number from 0 to {MAX_WIDTH}.", at + 1)
            return int(value.raw)
        if len(digits) > 5 or int(digits) > MAX_WIDTH:
            raise FunctionProblem(f"A width or precision can be {MAX_WIDTH} at most.", 0)
        return int(digits)

    def _take(self, what: str) -> tuple[Value, int]:
        if not 0 <= self.next < len(self.values):
            hidden = f"It uses more values than there are: {len(self.values)} given."
            detail = f'There is no value for "{what[:20]}": {len(self.values)} given.'
            raise FunctionProblem(detail, 0, hidden=hidden)
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
            text = text if self.precision is None else slice_characters(text, 0, self.precision)
            return self._pad(to_json_string(text) if verb == "q" else text)
        if verb == "t":
            return self._pad("true" if self._convert(value, BOOL).raw else "false")
        if verb in "dboxX":
            return self._whole(self._convert(value, NUMBER).raw)
        if verb in "eEfFgG":
            return self._fraction(self._convert(value, NUMBER).raw)
        known = "%s, %q, %d, %f, %e, %g, %t, %v, %b, %o and %x"
        raise FunctionProblem(
            f"There is no verb %{verb}: there are {known}.", 0, hidden=f"It has an unknown verb: there are {known}."
        )

    def _convert(self, value: Value, type: Type) -> Value:
        try:
            return convert_value(value, type)
        except ConversionError as problem:
            raise FunctionProblem.of_conversion(problem, self.at + 1, f"Unsuitable value for %{self.verb}: ") from None

    def _default(self, value: Value) -> str:
        if "#" in self.flags or isinstance(value.raw, (tuple, dict)):
            return self._pad(to_json(value))
        if value.raw is None:
            return self._pad("null")
        if isinstance(value.raw, Decimal):
            self.flags = self.flags.replace("+", "")
            return self._signed(_general(value.raw, self.precision, "e"))
        text = str(self._convert(value, STRING).raw)
        return self._pad(text if self.precision is None else slice_characters(text, 0, self.precision))

    def _whole(self, number: Decimal) -> str:
        if not is_whole(number):
            raise FunctionProblem(f"The value for %{self.verb} must be a whole number.", self.at + 1)
        magnitude = int(abs(number))
        digits = str(magnitude) if self.verb == "d" else f"{magnitude:{self.verb}}"
        if self.precision is not None:
            digits = digits.rjust(self.precision, "0") if magnitude or self.precision else ""
        prefix = {"b": "0b", "o": "0", "x": "0x", "X": "0X"}.get(self.verb, "") if "#" in self.flags else ""
        return self._signed(("-" if number < 0 else "") + digits, prefix)

    def _fraction(self, number: Decimal) -> str:
        verb = self.verb
        if verb in "gG":
            return self._signed(_general(number, self.precision, "e" if verb == "g" else "E"))
        precision = 6 if self.precision is None else self.precision
        if verb in "fF":
            return self._signed(f"{number:.{precision}f}")
        return self._signed(_scientific(number, precision, verb))

    def _signed(self, text: str, prefix: str = "") -> str:
        """Put the sign that the flags ask for, and zeros or spaces up to the width."""
        sign = "-" if text.startswith("-") else "+" if "+" in self.flags else " " if " " in self.flags else ""
        start = sign + prefix
        digits = text.removeprefix("-")
        if "0" in self.flags and "-" not in self.flags:
            return start + digits.rjust(self.width - len(start), "0")
        return self._pad(start + digits)

    def _pad(self, text: str) -> str:
        missing = self.width - count_characters(text) if self.width else 0
        if "-" in self.flags:
            return text + " " * missing
        return ("0" if "0" in self.flags else " ") * missing + text


def _general(number: Decimal, precision: int | None, letter: str) -> str:
    """The form that is shorter: plain digits, or with an exponent from a million on and below 0.0001."""
    if precision is not None and number:
        last = Decimal(1).scaleb(number.adjusted() - max(precision, 1) + 1)
        number = number.quantize(last, rounding=ROUND_HALF_EVEN, context=CONTEXT)
    number = number.normalize(CONTEXT)
    exponent = number.adjusted() if number else 0
    digits = len(number.as_tuple().digits)
    limit = 6 if precision is None else max(precision, 1)
    if precision is not None and limit > digits > exponent:
        limit = digits
    if -4 <= exponent < limit:
        return number_text(number)
    return _scientific(number, digits - 1, letter)


def _scientific(number: Decimal, precision: int, letter: str) -> str:
    """With an exponent of at least two digits: `1e+05`."""
    if not number:
        return f"{Decimal(0):.{precision}f}{letter}+00"
    return re.sub(r"([eE])([-+]?)(\d)$", lambda m: f"{m[1]}{m[2] or '+'}0{m[3]}", f"{number:.{precision}{letter}}")


def to_json_string(text: str) -> str:
    """A text in quotes, with escapes."""
    return to_json(Value(STRING, text))
