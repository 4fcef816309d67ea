"""What machine types of Compute Engine have: CPUs, memory and GPUs, as far as that follows from their names. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from zenctl.jobs.resources import Resources, memory_text

GIB = 1 << 30

PER_CPU: Mapping[str, Mapping[str, float]] = {
    "n1": {"standard": 3.75, "highmem": 6.5, "highcpu": 0.9},
    "n2": {"standard": 4, "highmem": 8, "highcpu": 1},
    "n2d": {"standard": 4, "highmem": 8, "highcpu": 1},
    "n4": {"standard": 4, "highmem": 8, "highcpu": 2},
    "e2": {"standard": 4, "highmem": 8, "highcpu": 1},
    "c2": {"standard": 4},
    "c2d": {"standard": 4, "highmem": 8, "highcpu": 2},
    "c3": {"standard": 4, "highmem": 8, "highcpu": 2},
    "c3d": {"standard": 4, "highmem": 8, "highcpu": 2},
    "t2a": {"standard": 4},
    "t2d": {"standard": 4},
    "g2": {"standard": 4},
}
"""GiB of memory for each CPU, by series and kind: https://cloud.google.com/compute/docs/machine-resource."""

WHOLE: Mapping[str, tuple[int, float]] = {
    "e2-micro": (2, 1),
    "e2-small": (2, 2),
    "e2-medium": (2, 4),
    "f1-micro": (1, 0.6),
    "g1-small": (1, 1.7),
}
"""CPUs and GiB of the types that are named otherwise; those of these CPUs are shared."""

G2_GPUS: Mapping[int, int] = {4: 1, 8: 1, 12: 1, 16: 1, 24: 2, 32: 1, 48: 4, 96: 8}
"""GPUs of g2-standard-N, by N."""


def machine_size(config: Mapping[str, Any]) -> Resources | None:
    """What a backend's machine has; None for a type that is not known here."""
    name = str(config["machine_type"])
    gpus = config.get("accelerator")
    more = int(gpus["count"]) if gpus else 0
    if name in WHOLE:
        cpus, memory = WHOLE[name]
        return Resources(cpus, int(memory * GIB), more)
    own = re.fullmatch(r"(?:[a-z]\d[a-z]?-)?custom-(\d+)-(\d+)(?:-ext)?", name)
    if own:
        return Resources(int(own.group(1)), int(own.group(2)) << 20, more)
    found = re.fullmatch(r"([a-z]\d[a-z]?)-([a-z]+)-(\d+)", name)
    if found is None:
        return None
    series, kind, cpus = found.group(1), found.group(2), int(found.group(3))
    each = PER_CPU.get(series, {}).get(kind)
    if each is None:
        return None
    if series == "g2":
        if cpus not in G2_GPUS:
            return None
        more += G2_GPUS[cpus]
    return Resources(cpus, int(cpus * each * GIB), more)


def lacks(needs: Resources, config: Mapping[str, Any]) -> str:
    """In what a job asks for more than the backend's machine has; empty if it fits, or nobody knows."""
    size = machine_size(config)
    if size is None:
        return ""
    kind = f"machine of type {config['machine_type']}"
    if needs.cpu > size.cpu:
        return f"it asks for {Resources(cpu=needs.cpu)}, and a {kind} has {size.cpu:g}"
    if needs.memory > size.memory:
        return f"it asks for {memory_text(needs.memory)} of memory, and a {kind} has {memory_text(size.memory)}"
    if needs.gpu > size.gpu:
        return f"it asks for {Resources(gpu=needs.gpu)}, and the backend has {size.gpu or 'none'}"
    return ""
