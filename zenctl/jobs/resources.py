"""What a job needs of a machine: CPUs, memory, GPUs; and sizes as people write them."""

from __future__ import annotations

import re
from typing import Dict, List, Optional

from zenctl.lazy_dataclasses import dataclass

UNITS: Dict[str, int] = {
    "": 1,
    "K": 10**3,
    "M": 10**6,
    "G": 10**9,
    "T": 10**12,
    "Ki": 1 << 10,
    "Mi": 1 << 20,
    "Gi": 1 << 30,
    "Ti": 1 << 40,
}


@dataclass(frozen=True)
class Resources:
    """`cpu` counts cores and may be a part of one, `memory` is in bytes, `gpu` counts devices. 0: nothing is asked."""

    cpu: float = 0.0
    memory: int = 0
    gpu: int = 0

    def __str__(self) -> str:
        parts: List[str] = []
        if self.cpu:
            parts.append(f"{self.cpu:g} CPU{'' if self.cpu <= 1 else 's'}")
        if self.memory:
            parts.append(f"{memory_text(self.memory)} of memory")
        if self.gpu:
            parts.append(f"{self.gpu} GPU{'' if self.gpu == 1 else 's'}")
        return ", ".join(parts) or "nothing"


def memory_bytes(text: str) -> Optional[int]:
    """The bytes of "512Mi", "4GB" or "2 GiB"; None if it is no size. Units are those of Kubernetes, B may follow."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]i?)?B?", text.strip())
    if found is None:
        return None
    size = int(float(found.group(1)) * UNITS[found.group(2) or ""])
    return size if size > 0 else None


def memory_text(size: int) -> str:
    """A size in the largest unit that leaves it whole, or else with one digit."""
    for unit in ("Ti", "T", "Gi", "G", "Mi", "M", "Ki", "K"):
        if size >= UNITS[unit] and size % UNITS[unit] == 0:
            return f"{size // UNITS[unit]} {unit}B"
    for unit in ("Ti", "Gi", "Mi", "Ki"):
        if size >= UNITS[unit]:
            return f"{size / UNITS[unit]:.1f} {unit}B"
    return f"{size} B"
