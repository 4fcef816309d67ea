"""Fetches uv from a package index, with the standard library alone: for machines whose Python comes without pip."""

from __future__ import annotations

import base64
import hashlib
import os
import platform
import re
import ssl
import tempfile
import urllib.request
import zipfile
from html.parser import HTMLParser
from pathlib import Path
from typing import Dict, List, Mapping, Optional, Tuple
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit

from zenctl.digests import CHUNK
from zenctl.jobs.requirements import without_secrets
from zenctl.runner.environment_errors import EnvironmentProblem

VERSION = "0.13.9"
"""The version that is fetched: the one that zenctl is tested with."""

PYPI = "https://pypi.org/simple"
INDEXES = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL")
"""The index where nothing is said, and the variables that say another, the first that is set."""

MOST_BYTES = 200 << 20
"""Most bytes that the page of an index, or uv itself, is read of."""

ANSWER_SECONDS = 60.0
"""How long an index may be silent."""


class Links(HTMLParser):
    """The links of an index's page (PEP 503), as they stand there."""

    def __init__(self) -> None:
        super().__init__()
        self.found: List[str] = []

    def handle_starttag(self, tag: str, attrs: List[Tuple[str, Optional[str]]]) -> None:
        target = dict(attrs).get("href")
        if tag == "a" and target:
            self.found.append(target)


def fetch_uv(folder: Path, environment: Mapping[str, str]) -> str:
    """The path of uv below `folder`, fetched if it is not there; raises EnvironmentProblem that says why it is not.

    `environment` names the index, as uv and pip take it.
    """
    place = folder / f"uv-{VERSION}" / "uv"
    if os.access(place, os.X_OK):
        return str(place)
    index = next((environment[name] for name in INDEXES if environment.get(name)), PYPI).rstrip("/")
    shown = without_secrets(index)
    try:
        page = _read(f"{index}/uv/").decode("utf-8", "replace")
        links = Links()
        links.feed(page)
        url, digest = _wheel(links.found, f"{index}/uv/")
        if not url:
            raise EnvironmentProblem(f"{shown} has no uv {VERSION} for {platform.system()} on {platform.machine()}")
        wheel = _read(_with_user(url, index))
    except (OSError, ValueError) as problem:
        raise EnvironmentProblem(f"uv cannot be fetched from {shown}: {_words(problem)}") from problem
    name, _, wanted = digest.partition("=")
    if name and (name not in hashlib.algorithms_guaranteed or hashlib.new(name, wheel).hexdigest() != wanted):
        raise EnvironmentProblem(f"the uv that {shown} gives is not what it says it is ({name})")
    try:
        return _unpacked(wheel, place)
    except (OSError, KeyError, zipfile.BadZipFile) as problem:
        raise EnvironmentProblem(f"uv cannot be unpacked: {_words(problem)}") from problem


def _wheel(links: List[str], page: str) -> Tuple[str, str]:
    """Where the wheel for this machine is, and its digest as `sha256=...`; ("", "") if there is none."""
    libc = "musllinux" if platform.libc_ver()[0] != "glibc" else "manylinux"
    system = libc if platform.system() == "Linux" else "macosx"
    for link in links:
        address, _, digest = urljoin(page, link).partition("#")
        name = unquote(address.rpartition("/")[2])
        tags = name[len(f"uv-{VERSION}-py3-none-") : -len(".whl")]
        fits = any(tag.startswith(system) and tag.endswith(f"_{platform.machine()}") for tag in tags.split("."))
        if name.startswith(f"uv-{VERSION}-py3-none-") and name.endswith(".whl") and fits:
            return address, digest
    return "", ""


def _unpacked(wheel: bytes, place: Path) -> str:
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile() as packed:
        packed.write(wheel)
        with zipfile.ZipFile(packed) as archive:
            program = archive.read(f"uv-{VERSION}.data/scripts/uv")
    handle, temporary = tempfile.mkstemp(dir=place.parent)
    with os.fdopen(handle, "wb") as stream:
        stream.write(program)
    os.chmod(temporary, 0o755)  # noqa: S103 - a program
    os.replace(temporary, place)
    return str(place)


def _read(url: str) -> bytes:
    """What stands at a URL; OSError where it cannot be had. Credentials in it are sent as such."""
    address, headers = _apart(url)
    if not address.startswith(("https://", "http://")):
        raise ValueError("it is no http(s) URL")
    request = urllib.request.Request(address, headers={"Accept": "text/html, */*", **headers})  # noqa: S310 - see above
    parts: List[bytes] = []
    left = MOST_BYTES
    # One that a company's proxy signs is named by the variables that pip and uv take too.
    named = os.environ.get("SSL_CERT_FILE") or os.environ.get("PIP_CERT") or None
    context = ssl.create_default_context(cafile=named)
    with urllib.request.urlopen(request, timeout=ANSWER_SECONDS, context=context) as answer:  # noqa: S310
        while True:
            chunk = answer.read(CHUNK)
            left -= len(chunk)
            if left < 0:
                raise OSError(f"it is larger than {MOST_BYTES >> 20} MiB")
            if not chunk:
                return b"".join(parts)
            parts.append(chunk)


def _apart(url: str) -> Tuple[str, Dict[str, str]]:
    """A URL without its credentials, and the header that holds them."""
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    if not at:
        return url, {}
    token = base64.b64encode(unquote(user).encode()).decode()
    return urlunsplit(parts._replace(netloc=host)), {"Authorization": f"Basic {token}"}


def _with_user(url: str, index: str) -> str:
    """The URL of a file with the index's credentials, if it lies at the same host."""
    user, at, host = urlsplit(index).netloc.rpartition("@")
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"{user}@{host}")) if at and parts.netloc == host else url


def _words(problem: BaseException) -> str:
    reason = getattr(problem, "reason", None)
    text = str(reason or getattr(problem, "strerror", None) or problem)
    return re.sub(r"^\[Errno -?\d+\] ", "", text)
