"""Functions of points in time, written as in RFC 3339. The time itself is that of the plan."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from functools import partial

from zenctl.lang.calls import FunctionProblem
from zenctl.lang.functions.declaring import Group, text
from zenctl.lang.model import Value, string, unknown
from zenctl.lang.numbers import CONTEXT
from zenctl.lang.types import NUMBER, STRING
from zenctl.lazy_dataclasses import dataclass

DATES = Group()

_TIMESTAMP = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9})\d*)?(?:Z|([-+])(\d\d):(\d\d))", re.ASCII
)
_DURATION_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)", re.ASCII)
_UNITS = {
    "ns": 1,
    "us": 1000,
    "µs": 1000,
    "μs": 1000,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}
_LONGEST = 2**63
"""Durations are shorter than so many nanoseconds, about 292 years."""

_MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
_DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
_EXAMPLE = 'as in "2026-01-31T08:30:00Z" or "2026-01-31T08:30:00+01:00"'


@dataclass(frozen=True, slots=True)
class _Moment:
    """A point in time: `days` since 0001-01-01, the `seconds` of that day, both where it is; `nanos` below a second.

    `offset` is how many minutes the clocks there are ahead of UTC.
    """

    days: int
    seconds: int
    nanos: int
    offset: int

    def instant(self) -> int:
        """Nanoseconds since 0001-01-01 in UTC."""
        return (self.days * 86400 + self.seconds - self.offset * 60) * 10**9 + self.nanos

    def text(self) -> str:
        """As in RFC 3339, without fractions of a second."""
        year, month, day = self.date()
        hour, rest = divmod(self.seconds, 3600)
        zone = self.zone(":") if self.offset else "Z"
        return f"{year:04}-{month:02}-{day:02}T{hour:02}:{rest // 60:02}:{rest % 60:02}{zone}"

    def date(self) -> tuple[int, int, int]:
        """Year, month and day. Raises FunctionProblem."""
        import datetime  # few configurations need it

        try:
            found = datetime.date.fromordinal(self.days + 1)
        except (ValueError, OverflowError):
            raise FunctionProblem("The result is not in the years from 1 to 9999.", 1) from None
        return found.year, found.month, found.day

    def zone(self, colon: str) -> str:
        """The offset as +hh:mm."""
        hours, minutes = divmod(abs(self.offset), 60)
        return f"{'-' if self.offset < 0 else '+'}{hours:02}{colon}{minutes:02}"


def _moment(source: str, argument: int) -> _Moment:
    import datetime

    found = _TIMESTAMP.fullmatch(source)
    if found is None:
        raise FunctionProblem(f"This is not a timestamp of RFC 3339, {_EXAMPLE}.", argument)
    year, month, day, hour, minute, second = (int(found[at]) for at in range(1, 7))
    offset = int(found[9] or 0) * 60 + int(found[10] or 0)
    try:
        days = datetime.date(year, month, day).toordinal() - 1
    except ValueError:
        raise FunctionProblem("There is no such day.", argument) from None
    if hour > 23 or minute > 59 or second > 59 or int(found[9] or 0) > 23 or int(found[10] or 0) > 59:
        raise FunctionProblem("There is no such time of day.", argument)
    nanos = int((found[7] or "").ljust(9, "0"))
    return _Moment(days, hour * 3600 + minute * 60 + second, nanos, -offset if found[8] == "-" else offset)


def _duration(source: str, argument: int) -> int:
    """Nanoseconds, of `1h30m`, `-10s` or `1.5h`. Raises FunctionProblem."""
    wrong = FunctionProblem(
        'This is not a duration: numbers with the units h, m, s, ms, us and ns, as in "1h30m" or "-0.5s".', argument
    )
    if len(source) > 100:
        raise wrong
    body = source[1:] if source[:1] in ("-", "+") else source
    total = Decimal(0)
    at = 0
    for found in _DURATION_PART.finditer(body):
        if found.start() != at:
            raise wrong
        at = found.end()
        total = CONTEXT.add(total, CONTEXT.multiply(Decimal(found[1]), _UNITS[found[2]]))
    if (at != len(body) or not body) and body != "0":
        raise wrong
    if total >= _LONGEST:
        raise FunctionProblem("The duration is longer than 292 years.", argument)
    return -int(total) if source.startswith("-") else int(total)


@DATES.function(
    "timeadd",
    "The timestamp so much later, or earlier for a negative duration.",
    text("timestamp"),
    text("duration"),
    returns=STRING,
)
def _timeadd(timestamp: str, duration: str) -> str:
    start = _moment(timestamp, 0)
    local = start.instant() + start.offset * 60 * 10**9 + _duration(duration, 1)
    seconds, nanos = divmod(local, 10**9)
    days, seconds = divmod(seconds, 86400)
    return _Moment(days, seconds, nanos, start.offset).text()


@DATES.function(
    "timecmp",
    "-1, 0 or 1: whether the first timestamp is earlier, the same, or later.",
    text("timestamp_a"),
    text("timestamp_b"),
    returns=NUMBER,
)
def _timecmp(first: str, second: str) -> int:
    a, b = _moment(first, 0).instant(), _moment(second, 1).instant()
    return (a > b) - (a < b)


_SEQUENCE = re.compile(r"'([^']*(?:''[^']*)*)'|([A-Za-z])\2*|[^A-Za-z']+|'", re.DOTALL)


@DATES.function(
    "formatdate",
    "The timestamp in another form: YYYY, MM, MMM, DD, EEE, hh, mm, ss, ZZZZZ and the like; 'text' stands for itself.",
    text("spec"),
    text("timestamp"),
    returns=STRING,
)
def _formatdate(spec: str, timestamp: str) -> str:
    moment = _moment(timestamp, 1)
    pieces: list[str] = []
    for found in _SEQUENCE.finditer(spec):
        sequence = found.group()
        if found[1] is not None:
            pieces.append(found[1].replace("''", "'") or "'")
        elif sequence == "'":
            raise FunctionProblem("A literal text has no closing quote (').", 0)
        elif found[2] is None:
            pieces.append(sequence)
        elif sequence in _SEQUENCES:
            pieces.append(_SEQUENCES[sequence](moment))
        else:
            hidden = "It has a sequence of letters that stands for nothing; put literal text in single quotes."
            raise FunctionProblem(_no_sequence(sequence), 0, hidden=hidden)
    return "".join(pieces)


def _no_sequence(sequence: str) -> str:
    alike = [known for known in _SEQUENCES if known[0] == sequence[0]]
    detail = f'"{sequence[:20]}" stands for nothing'
    if alike:
        return f"{detail}: with this letter there are {', '.join(sorted(alike, key=len))}."
    return f"{detail}. Put literal text in single quotes: 'at'."


def _part(at: int, width: int) -> Callable[[_Moment], str]:
    return lambda moment: f"{moment.date()[at]:0{width}}"


def _clock(seconds: int, modulo: int, width: int) -> Callable[[_Moment], str]:
    return lambda moment: f"{moment.seconds // seconds % modulo:0{width}}"


def _half_day(width: int) -> Callable[[_Moment], str]:
    return lambda moment: f"{(moment.seconds // 3600 - 1) % 12 + 1:0{width}}"


def _zone(colon: str, utc: str, moment: _Moment) -> str:
    return moment.zone(colon) if moment.offset or not utc else utc


def _month(moment: _Moment) -> str:
    return _MONTHS[moment.date()[1] - 1]


def _weekday(moment: _Moment) -> str:
    return _DAYS[moment.days % 7]


_SEQUENCES: dict[str, Callable[[_Moment], str]] = {
    "YYYY": _part(0, 4),
    "YY": lambda moment: f"{moment.date()[0] % 100:02}",
    "MMMM": _month,
    "MMM": lambda moment: _month(moment)[:3],
    "MM": _part(1, 2),
    "M": _part(1, 1),
    "DD": _part(2, 2),
    "D": _part(2, 1),
    "EEEE": _weekday,
    "EEE": lambda moment: _weekday(moment)[:3],
    "hh": _clock(3600, 24, 2),
    "h": _clock(3600, 24, 1),
    "HH": _half_day(2),
    "H": _half_day(1),
    "AA": lambda moment: "PM" if moment.seconds >= 43200 else "AM",
    "aa": lambda moment: "pm" if moment.seconds >= 43200 else "am",
    "mm": _clock(60, 60, 2),
    "m": _clock(60, 60, 1),
    "ss": _clock(1, 60, 2),
    "s": _clock(1, 60, 1),
    "ZZZZZ": partial(_zone, ":", ""),
    "ZZZZ": partial(_zone, "", ""),
    "ZZZ": partial(_zone, "", "UTC"),
    "Z": partial(_zone, ":", "Z"),
}


def clock_functions(timestamp: str | None) -> Group:
    """`plantimestamp` and `timestamp`: both the time of the plan, and unknown where there is none.

    Raises ValueError for what is not a timestamp of RFC 3339.
    """
    if timestamp is not None:
        try:
            _moment(timestamp, 0)
        except FunctionProblem as problem:
            raise ValueError(f"{timestamp!r}: {problem}") from None
    group = Group()

    def now() -> Value:
        return unknown(STRING) if timestamp is None else string(timestamp)

    group.function(
        "plantimestamp", "When the plan was made, in UTC. An apply of the plan has the same.", returns=STRING
    )(now)
    group.function(
        "timestamp", "The same as plantimestamp(): a time that went on would make every step stale.", returns=STRING
    )(now)
    return group
