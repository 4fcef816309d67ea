"""Reads the values of flags: variables, addresses, durations, counts. Every problem is a diagnostic."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from zenctl.addrs import NAME, AddressError, canonical, parse
from zenctl.config.given import VariableArgument, VariableFile, VariableText
from zenctl.diagnostics import Diagnostic, did_you_mean, error

_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?")
MAX_PARALLELISM = 256


def variables(
    texts: Sequence[str], files: Sequence[str], order: Sequence[str], found: list[Diagnostic]
) -> tuple[VariableArgument, ...]:
    """`-var name=value` and `-var-file path` in the order of `order`, the names of all flags as they were typed.

    A value is everything after the first equals sign.
    """
    waiting = {"var": iter(texts), "var-file": iter(files)}
    arguments: list[VariableArgument] = []
    for flag in order:
        if flag == "var-file":
            arguments.append(VariableFile(next(waiting[flag])))
        elif flag == "var":
            pair = _pair(next(waiting[flag]), found)
            arguments += [] if pair is None else [pair]
    return tuple(arguments)


def _pair(text: str, found: list[Diagnostic]) -> VariableText | None:
    name, equals, value = text.partition("=")
    if equals and NAME.fullmatch(name):
        return VariableText(name, value)
    if equals and NAME.fullmatch(name.strip()):
        better = f"{name.strip()}={value.strip()}"
        found.append(_bad("-var has a space at the equals sign", f'Did you mean -var="{better}"?'))
    else:
        found.append(_bad(f'-var="{text}" is not NAME=VALUE', "For example: -var epochs=10"))
    return None


def addresses(flag: str, texts: Sequence[str], found: list[Diagnostic]) -> tuple[str, ...]:
    """Addresses in their canonical spelling; whether they exist is for the engine to say."""
    return tuple(name for text in texts if (name := address(f"{flag}=", text, found, read=canonical)))


def address(before: str, text: str, found: list[Diagnostic], *, read: Callable[[str], object] = parse) -> str:
    """One address in its canonical spelling, or the empty string; `before` is what stands before it when typed."""
    try:
        return str(read(text))
    except AddressError as problem:
        hint = " A shell takes quotes away: write '" + text + "' in single quotes." if "[" in text else ""
        detail = f"{problem}.{hint}\nAn address reads step.TYPE.NAME, datasource.TYPE.NAME or endpoint.TYPE.NAME."
        found.append(_bad(f'"{before}{text}" names no address', detail))
        return ""


def seconds(flag: str, text: str, found: list[Diagnostic]) -> float:
    """A duration such as `30s`, `5m`, `1h30m`, `3d`, `0`; in seconds."""
    if text == "0":
        return 0.0
    match = _DURATION.fullmatch(text)
    if match is None or not text:
        found.append(_bad(f'{flag}="{text}" is not a duration', "Write a number and a unit: 30s, 5m, 1h30m."))
        return 0.0
    days, hours, minutes, rest = (float(part or 0) for part in match.groups())
    return days * 86400 + hours * 3600 + minutes * 60 + rest


def parallelism(text: str, found: list[Diagnostic]) -> int:
    """A count from 1 to MAX_PARALLELISM."""
    if text.isascii() and text.isdigit() and len(text) < 6 and 1 <= int(text) <= MAX_PARALLELISM:
        return int(text)
    found.append(_bad(f'-parallelism="{text}" is out of range', f"It is a whole number from 1 to {MAX_PARALLELISM}."))
    return 1


def lock(wanted: bool, found: list[Diagnostic]) -> None:
    """`-lock=false` of a command that writes: refused, because the lock is the serial under which it records."""
    if not wanted:
        detail = (
            "Every apply records under its own serial, and taking that is the lock. Wait for it with -lock-timeout=5m."
        )
        found.append(_bad("-lock=false is not possible here", detail))


def missing(what: str, detail: str) -> Diagnostic:
    """An argument that has to be given and was not."""
    return _bad(f"{what} is missing", detail)


def _bad(summary: str, detail: str) -> Diagnostic:
    return error("bad_argument", summary, detail)


def port(flag: str, text: str, found: list[Diagnostic]) -> int:
    """A port number; 0 if it is none."""
    if text.isascii() and text.isdigit() and 0 < int(text) < 65536:
        return int(text)
    found.append(_bad(f'{flag}="{text}" is no port', "A port is a number from 1 to 65535."))
    return 0


def host_and_port(flag: str, text: str, found: list[Diagnostic]) -> tuple[str, int]:
    """`host:port`, `[::1]:port`; port 0 is any that is free."""
    host, colon, number = text.rpartition(":")
    host = host[1:-1] if host[:1] == "[" and host[-1:] == "]" else host
    if colon and host and number.isascii() and number.isdigit() and int(number) < 65536:
        return host, int(number)
    found.append(_bad(f'{flag}="{text}" is not HOST:PORT', f"For example: {flag}=127.0.0.1:8080"))
    return "", 0


def count(flag: str, text: str, found: list[Diagnostic]) -> int:
    """A whole number of at least 1; 0 if it is none."""
    if text.isascii() and text.isdigit() and len(text) < 10 and int(text) > 0:
        return int(text)
    found.append(_bad(f'{flag}="{text}" is no number', "It is a whole number from 1."))
    return 0


def one_of(flag: str, value: str, known: Sequence[str], found: list[Diagnostic]) -> None:
    """A word out of a few."""
    if value not in known:
        found.append(
            _bad(f'{flag}="{value}" is not known', f"There are {', '.join(known)}.{did_you_mean(value, known)}")
        )
