"""Passwords of metadata stores: kept outside of the configuration, which holds a reference to where one is.

A reference is `env:NAME`, `file:PATH` (`~` is the home folder) or `keyring:SERVICE/USER` (the operating
system's keyring, through the package `keyring` where it is installed).
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from types import ModuleType

from zenctl.metadata.store import StoreError

FOLDER = "~/.config/zenctl/credentials"
"""Where passwords are kept if there is no keyring; `XDG_CONFIG_HOME` takes the place of `~/.config`."""

SERVICE = "zenctl"


def resolve(reference: str, root: Path) -> str:
    """The secret that a reference stands for; raises StoreError if it is not there. Paths are relative to `root`."""
    kind, _, place = reference.partition(":")
    if kind == "env":
        value = os.environ.get(place)
        if not value:
            raise _missing(f"the environment variable {place} is not set")
        return value
    if kind == "file":
        path = root / Path(place).expanduser()
        try:
            return path.read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as problem:
            reason = problem.strerror if isinstance(problem, OSError) else "it is not UTF-8"
            raise _missing(f"{path} cannot be read: {reason}") from problem
    service, _, user = place.partition("/")
    keyring = _keyring()
    found = None
    if keyring is not None:
        from keyring.errors import KeyringError

        try:
            found = keyring.get_password(service, user)
        except KeyringError as problem:
            raise _missing(f"the keyring cannot be read: {problem}") from problem
    if found is None:
        raise _missing(f"the keyring has no password of {user} for {service}")
    return str(found)


def place(name: str) -> str:
    """Where a secret of that name is best kept, as a reference: the keyring if there is one, else a file."""
    if _keyring() is not None:
        return f"keyring:{SERVICE}/{name}"
    given = os.environ.get("XDG_CONFIG_HOME")
    folder = f"{given}/zenctl/credentials" if given else FOLDER
    return f"file:{folder}/{re.sub(r'[^A-Za-z0-9._@-]+', '-', name)}"


def keep(reference: str, secret: str) -> None:
    """Keep a secret where `place` said, for this user alone; one that is there is replaced. Raises StoreError."""
    kind, _, where = reference.partition(":")
    keyring = _keyring()
    if kind == "keyring" and keyring is not None:
        from keyring.errors import KeyringError

        service, _, user = where.partition("/")
        try:
            keyring.set_password(service, user, secret)
        except KeyringError as problem:
            raise StoreError(f"the keyring cannot be written: {problem}", "Unlock it, or give env:NAME.") from problem
        return
    path = Path(where).expanduser()
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w", encoding="utf-8") as stream:
            stream.write(secret + "\n")
        os.replace(fresh, path)
    except OSError as problem:
        raise StoreError(f"{path} cannot be written: {problem.strerror}", "Give the password as env:NAME.") from problem


def _missing(what: str) -> StoreError:
    return StoreError(
        f"the password of the metadata store is not there: {what}",
        "Set it there, or keep another: zenctl config metadata set TYPE -username=... -passwd=...",
    )


def _keyring() -> ModuleType | None:
    """The package `keyring`, if it is installed and has a keyring to work with."""
    try:
        import keyring
        from keyring.backends import fail
    except ImportError:
        return None
    return None if isinstance(keyring.get_keyring(), fail.Keyring) else keyring
