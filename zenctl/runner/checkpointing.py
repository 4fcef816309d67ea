"""Gives a job the checkpoint of an earlier attempt, and saves what its code writes into the folder meanwhile."""

from __future__ import annotations

import os
import shutil
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Callable, Dict, Mapping, Optional, Type

from zenctl.jobs.checkpoints import CheckpointSet, CheckpointStore, Moving, Stamp, stamps
from zenctl.jobs.spec import JobSpec
from zenctl.jobs.storage import Storage, StorageError
from zenctl.lazy_dataclasses import dataclass
from zenctl.sdk.checkpoints import Checkpoints

Say = Callable[[str], None]


@dataclass(frozen=True)
class Pace:
    """Seconds. The folder is looked at every `look`; files count as complete when none has changed for `still`.

    It is saved at most every `least`, and no more of the time goes into that than the `share`-th part.
    """

    look: float = 0.5
    still: float = 1.0
    least: float = 10.0
    share: float = 10.0


PACE = Pace()


class Keeper:
    """While entered, a thread saves the folder by itself, until the code says when. `store` None keeps nothing.

    Leaving it by an error saves for the last time. Trouble with the store is said in the log and does no other harm.
    """

    def __init__(self, store: Optional[CheckpointStore], folder: Path, say: Say, pace: Pace = PACE) -> None:
        self._store = store
        self._folder = folder
        self._say = say
        self._pace = pace
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._thread: Optional[threading.Thread] = None
        self._saved: Dict[str, Stamp] = {}
        self._next = 0.0
        self._own = self._unfinished = False
        self.restored: Optional[CheckpointSet] = None

    def checkpoints(self) -> Checkpoints:
        """What the code is given, with what an earlier attempt has left. May raise StorageError."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)
        if self._store is not None:
            self.restored = self._store.restore(self._folder)
        if self.restored is not None:
            self._saved = stamps(self._folder)
            count = len(self.restored.files)
            files = f"{count} file{'' if count == 1 else 's'}, {self.restored.bytes:,} bytes"
            self._say(f"zenctl: goes on from the checkpoint of {self.restored.job_id} ({files})")
        return Checkpoints(self._folder, self.restored is not None, self.save)

    def __enter__(self) -> "Keeper":
        if self._store is not None:
            self._thread = threading.Thread(target=self._watch, name="zenctl-checkpoints", daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        at = time.time()
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
        if self._unfinished:
            self._save()
        elif error is not None:
            # What the code was writing when it was ended is not complete, and is told by its time.
            self.look(at, last=True)

    def save(self) -> bool:
        """Save now, and by itself no more: the code says when its files are complete. See `sdk.Checkpoints.save`."""
        self._own = self._unfinished = True
        kept = self._save()
        self._unfinished = False
        return kept

    def look(self, now: float, *, last: bool = False) -> bool:
        """Save the folder if it has changed and was left alone since; `last` asks for no pause between two saves."""
        if self._store is None or self._own or (not last and now < self._next):
            return False
        try:
            seen = stamps(self._folder)
        except (StorageError, OSError) as problem:
            self._say(f"zenctl: the checkpoint cannot be saved: {problem}")
            self._next = now + self._pace.least
            return False
        if not seen or seen == self._saved:
            return False
        if now - _changed(self._folder, seen) < self._pace.still:
            return False
        return self._save()

    def _save(self) -> bool:
        if self._store is None:
            return False
        with self._lock:
            began = time.time()
            try:
                seen = stamps(self._folder)
                self._store.save(self._folder)
                self._saved = seen
                return True
            except Moving:
                self._say("zenctl: the checkpoint was not saved: its files changed meanwhile")
            except (StorageError, OSError, MemoryError) as problem:
                self._say(f"zenctl: the checkpoint could not be saved: {problem}")
            finally:
                took = time.time() - began
                self._next = began + max(self._pace.least, took * self._pace.share)
        return False

    def _watch(self) -> None:
        while not self._ended.wait(self._pace.look):
            self.look(time.time())


def keeper(storage: Storage, spec: JobSpec, folder: Path, say: Say) -> Keeper:
    """The keeper of a job that has checkpoints. Without a key, as of a run that is to be compared, nothing is kept."""
    key = spec.checkpoints.key if spec.checkpoints is not None else ""
    return Keeper(CheckpointStore(storage, key, spec.job_id) if key else None, folder, say)


def _changed(folder: Path, seen: Mapping[str, Stamp]) -> float:
    """When something in a folder changed last (Unix time): a file, or what files there are."""
    times = [stamp[2] / 1e9 for stamp in seen.values()]
    return max([*times, *(os.stat(where).st_mtime for where, _, _ in os.walk(folder))])
