"""Says what a job on another machine is to be brought: an environment with what it imports, or what its own needs."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath

from zenctl.diagnostics import Diagnostic, error
from zenctl.digests import sha256_bytes
from zenctl.engine.desired import DesiredStep
from zenctl.engine.execution import Order
from zenctl.engine.virtual_environments import Requirements, declared_environment
from zenctl.engine.wheel import NAME, zenctl_wheel
from zenctl.fingerprint.environment import installed, normalised
from zenctl.jobs.environments import ENVIRONMENT
from zenctl.jobs.requirements import local_path, with_archive
from zenctl.jobs.spec import VirtualEnvironment
from zenctl.plans.actions import Components
from zenctl.provider import Packages, Remote

DATA = ("google_crc32c", "numpy", "pyarrow")
"""What the SDK imports to read and write data sets."""

BUILT_IN = (*DATA, "pydantic", "zstandard")
"""What built-in steps and datasources import, whichever they are; what only some do, their types name."""

PINS = Path(__file__).parent / "pins.txt"
"""Versions that zenctl is tested with, as pip's constraints; `make constraints` writes it."""

ARCHIVE_DIGITS = 16
"""Digits of an archive's digest in its path on a machine, which tell two of one name apart."""


def equip(order: Order, components: Components, cache_dir: Path) -> Order:
    """The order as its backend can carry it out: itself where jobs run on this machine, or in an image of their own.

    A machine that installs makes just the environment that is planned, so that it does not matter to a result where it
    was made.
    """
    spec = order.spec
    if not isinstance(order.compute, Remote) or spec.image:
        return order
    packages = order.compute.packages()
    if spec.virtual_environment is not None:
        return _carried(order, spec.virtual_environment, packages)
    if not packages.install:
        return order
    names, archives = set(spec.imports), dict[str, bytes | Path]()
    lines: list[str] = []
    implementation = spec.entry.module.partition(".")[0]
    if implementation:
        names |= {*BUILT_IN, implementation}
        wheel = zenctl_wheel()
        digest = sha256_bytes(wheel)
        archives[digest] = wheel
        lines.append(place_of(digest, NAME))
    elif "Dataset" in {*(read.type for read in spec.inputs.values()), *(made.type for made in spec.outputs.values())}:
        names |= set(DATA)
    if spec.processing:
        names.add("apache_beam")
    environment = components.environment
    asked, constraints = _versions(names - {"zenctl"}, environment.get("distributions", {}), cache_dir)
    provided = VirtualEnvironment(
        str(environment.get("python", "")),
        (*asked, *lines),
        constraints,
        dict(zip(lines, archives, strict=True)),
        packages.settings,
        is_own=False,
        fetches=True,
    )
    return replace(order, spec=replace(spec, virtual_environment=provided), archives=archives)


def _versions(names: set[str], planned: Mapping[str, str], cache_dir: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What to ask for, and the versions of what that needs in turn.

    They are those planned, else those installed here, else the pinned ones. Where something is not installed here, what
    is may not go with it: then the pinned versions, which go together, count for all that is not planned.
    """
    wanted = installed(names, cache_dir)["distributions"]
    pins = pinned()
    # zenctl itself is brought, and comes from no index.
    versions = {name: at for name, at in planned.items() if name != "zenctl"}
    if None not in wanted.values():
        versions = {**installed(names, cache_dir, transitive=True)["distributions"], **versions}
    else:
        versions |= {name: at for name, at in wanted.items() if at and name not in pins and name not in versions}
    asked = tuple(f"{name}=={versions[name]}" if name in versions else name for name in sorted(wanted))
    exact = [f"{name}=={at}" for name, at in sorted(versions.items()) if name not in wanted]
    rest = [line for name, several in pins.items() if name not in versions for line in several]
    return asked, (*exact, *rest)


@functools.lru_cache(maxsize=1)
def pinned() -> Mapping[str, tuple[str, ...]]:
    """The lines of PINS by the distribution that they are about; several where Python versions differ."""
    found: dict[str, tuple[str, ...]] = {}
    for line in PINS.read_text(encoding="utf-8").splitlines():
        name = normalised(line.partition("==")[0])
        found[name] = (*found.get(name, ()), line)
    return found


def _carried(order: Order, own: VirtualEnvironment, packages: Packages) -> Order:
    """An order with its step's own environment, whose archives are named as the machine will find them."""
    spec = order.spec
    folder = Path(spec.locations.get(ENVIRONMENT, ""))
    archives: dict[str, bytes | Path] = {}
    places = {path: place_of(digest, PurePosixPath(path).name) for path, digest in own.files.items()}
    for path, digest in own.files.items():
        archives[digest] = folder / path
    lines, constraints = (
        tuple(with_archive(line, places[path]) if (path := local_path(line)) in places else line for line in several)
        for several in (own.requirements, own.constraints)
    )
    files = {places[path]: digest for path, digest in own.files.items()}
    brought = replace(
        own,
        requirements=lines,
        constraints=constraints,
        files=files,
        settings=packages.settings,
        fetches=packages.install,
    )
    locations = {name: place for name, place in spec.locations.items() if name != ENVIRONMENT}
    return replace(order, spec=replace(spec, virtual_environment=brought, locations=locations), archives=archives)


def place_of(digest: str, name: str) -> str:
    """The path of an archive on a machine, as a line of requirements names it."""
    return f"./archives/{digest[:ARCHIVE_DIGITS]}/{name}"


def check_carried(desired: DesiredStep, requirements: Requirements | None) -> Iterator[Diagnostic]:
    """What of a step's own environment is on this machine alone, and cannot be brought to another."""
    declared = declared_environment(desired)
    place, where = desired.config.range, "where the step runs"
    python = declared.python or ""
    if "/" in python and not python.startswith(("/", "~")):
        summary = f"The interpreter {python} is a path of this machine, and {desired.addr} runs on another"
        detail = f"Name a version, such as 3.11, or the absolute path that it has {where}."
        yield error("environment_not_there", summary, detail, range=place)
    for line in (*requirements.lines, *requirements.constraints) if requirements is not None else ():
        if not re.match(r"(-f|-i|--find-links|--index-url|--extra-index-url)\b", line):
            continue
        target = re.split(r"[ =]\s*", line, maxsplit=1)[-1]
        if target.startswith("file:") or ("://" not in target and not target.startswith("$")):
            summary = f"{declared.requirements} looks for packages in {target}, which is on this machine"
            detail = f"{desired.addr} runs on another. Name an index that can be reached {where}, or the archives "
            detail += "themselves (./wheels/name-1.0-py3-none-any.whl): these are brought there."
            yield error("environment_not_there", summary, detail, range=place)
