"""Colours and weights of text on a terminal; without colour every style is the text itself."""

from __future__ import annotations

import re
import unicodedata

from zenctl.lazy_dataclasses import dataclass

_ESCAPES = re.compile(r"\x1b\[[0-9;]*m")
_CONTROL = dict.fromkeys((*range(9), *range(11, 32), *range(127, 160))) | {9: "    "}
"""What a value must not smuggle onto a terminal: control characters other than the newline."""


@dataclass(frozen=True, slots=True)
class Style:
    """How text is drawn. `colour` off returns every text as it is."""

    colour: bool

    def bold(self, text: str) -> str:
        return self._wrap("1", text)

    def dim(self, text: str) -> str:
        return self._wrap("2", text)

    def red(self, text: str) -> str:
        return self._wrap("31", text)

    def green(self, text: str) -> str:
        return self._wrap("32", text)

    def yellow(self, text: str) -> str:
        return self._wrap("33", text)

    def cyan(self, text: str) -> str:
        return self._wrap("36", text)

    def _wrap(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.colour and text else text


PLAIN = Style(False)
"""Text as it is."""


def printable(text: str) -> str:
    """The text without control characters, tabs as four spaces: safe to show whatever it holds."""
    return text.translate(_CONTROL)


def columns(text: str) -> int:
    """Terminal columns that a text takes: escapes and combining marks none, wide East Asian characters two."""
    total = 0
    for character in _ESCAPES.sub("", text):
        if unicodedata.combining(character):
            continue
        total += 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1
    return total


def pad(text: str, width: int) -> str:
    """The text filled with spaces to `width` columns."""
    return text + " " * max(0, width - columns(text))


def plural(count: int, noun: str, many: str = "") -> str:
    """`1 step`, `2 steps`."""
    return f"{count:,} {noun if count == 1 else many or noun + 's'}"


def duration(seconds: float) -> str:
    """A length of time as people read it: `0.4s`, `12.3s`, `2m05s`, `3h10m`."""
    if seconds < 9.95:
        return f"{seconds:.1f}s"
    if seconds < 59.5:
        return f"{seconds:.0f}s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}m{rest:02d}s"
    return f"{minutes // 60}h{minutes % 60:02d}m"


def size(count: float) -> str:
    """Bytes as people read them: `512 B`, `1.4 MB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} B" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def short_digest(text: str) -> str:
    """A SHA-256 digest by its first twelve digits, as in `git log`; any other text as it is."""
    return text[:12] if len(text) == 64 and re.fullmatch(r"[0-9a-f]{64}", text) else text
