"""How much of this machine a backend has for its jobs, and whether another one fits beside those that run. Pure."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from zenctl.jobs.resources import Resources, memory_bytes, memory_text
from zenctl.lazy_dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Room:
    """What there is. `slots` 0: any number of jobs. `gpus` are the names of devices, as CUDA_VISIBLE_DEVICES has them.

    `declared` names what the backend's block says itself; the rest is what this machine has.
    """

    slots: int = 0
    cpus: float = 0.0
    memory: int = 0
    gpus: tuple[str, ...] = ()
    declared: frozenset[str] = frozenset()

    def share(self, needs: Resources, taken: Sequence[tuple[Resources, tuple[str, ...]]]) -> tuple[str, ...] | None:
        """The GPUs for a job beside others, each given with its GPUs; None if it does not fit now.

        A job that asks for no CPU or memory takes none of it.
        """
        if self.slots and len(taken) >= self.slots:
            return None
        if needs.cpu and needs.cpu + sum(other.cpu for other, _ in taken) > self.cpus:
            return None
        if needs.memory and needs.memory + sum(other.memory for other, _ in taken) > self.memory:
            return None
        busy = {gpu for _, gpus in taken for gpu in gpus}
        free = [gpu for gpu in self.gpus if gpu not in busy]
        return tuple(free[: needs.gpu]) if len(free) >= needs.gpu else None

    def lacks(self, needs: Resources) -> tuple[str, bool]:
        """Why a job can never run here, and whether the backend's block says so itself; ("", False) if it can."""
        asked = (
            ("cpus", needs.cpu, self.cpus, f"{needs.cpu:g} CPUs", f"{self.cpus:g}"),
            ("memory", needs.memory, self.memory, f"{memory_text(needs.memory)} of memory", memory_text(self.memory)),
            ("gpus", needs.gpu, len(self.gpus), f"{needs.gpu} GPUs", str(len(self.gpus))),
        )
        for name, wanted, there, text, here in asked:
            if wanted > there:
                own = name in self.declared
                return f"it asks for {text}, and {'the backend' if own else 'this machine'} has {here}", own
        return "", False


def room_of(config: Mapping[str, object], environment: Mapping[str, str], devices: Path = Path("/dev")) -> Room:
    """The room of a backend's decoded block; what it leaves out is this machine's."""
    given = {name: config[name] for name in ("cpus", "memory", "gpus") if config.get(name) is not None}
    found = _gpus(environment, devices)
    if "gpus" in given:
        count = int(str(given["gpus"]))
        found = found[:count] if len(found) >= count else tuple(str(number) for number in range(count))
    cpus = float(str(given["cpus"])) if "cpus" in given else float(_cores())
    memory = memory_bytes(str(given["memory"])) if "memory" in given else _memory()
    return Room(int(str(config.get("slots") or 0)), cpus, memory or 0, found, frozenset(given))


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _gpus(environment: Mapping[str, str], devices: Path) -> tuple[str, ...]:
    """The GPUs that CUDA programs may see here; without the variable, NVIDIA's device files."""
    visible = environment.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return tuple(name.strip() for name in visible.split(",") if name.strip() not in ("", "-1"))
    return tuple(str(number) for number in range(len(list(devices.glob("nvidia[0-9]*")))))
