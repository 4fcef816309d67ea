"""Keeps what was typed into the console from one session to the next, in a file that only its user can read."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from pathlib import Path

MOST = 1000
"""Lines that are kept."""


class History:
    """The lines of earlier sessions, oldest first, and a way to add to them.

    A line that holds one of the `secrets` is not written. Where the file cannot be read or written there is no history:
    that is no reason to fail.
    """

    def __init__(self, path: Path | None, secrets: Collection[str] = ()) -> None:
        self._path = path
        self._secrets = secrets
        self.lines = self._read()

    def add(self, line: str) -> None:
        """Write a line down at once, so that it outlives whatever ends the session."""
        line = line.rstrip("\r\n")
        if not line.strip() or self.lines[-1:] == [line] or any(secret in line for secret in self._secrets):
            return
        self.lines.append(line)
        self._write([line], os.O_APPEND)

    def _read(self) -> list[str]:
        if self._path is None:
            return []
        try:
            lines = self._path.read_text(encoding="utf-8", errors="replace").split("\n")
        except OSError:
            return []
        lines = [line for line in lines if line]
        if len(lines) > 2 * MOST:
            self._write(lines[-MOST:], os.O_TRUNC)
        return lines[-MOST:]

    def _write(self, lines: list[str], how: int) -> None:
        if self._path is None:
            return
        text = "".join(f"{line}\n" for line in lines).encode("utf-8", "replace")
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | how, 0o600)
            with os.fdopen(handle, "wb") as stream:
                os.fchmod(handle, 0o600)
                stream.write(text)
        except OSError:
            self._path = None


def history_file(environment: Mapping[str, str]) -> Path | None:
    """Where the history lies: in the user's state directory. None if there is no home to have one in."""
    state = environment.get("XDG_STATE_HOME", "")
    if os.path.isabs(state):
        return Path(state) / "zenctl" / "history"
    home = environment.get("HOME", "")
    return Path(home) / ".local" / "state" / "zenctl" / "history" if os.path.isabs(home) else None
