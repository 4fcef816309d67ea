"""Brings a job into the virtual environment that its order asks for, before anything of the step is looked at."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Callable, Mapping, Tuple

import zenctl
from zenctl.jobs.environments import ENVIRONMENT, PREPARING, environment_place, environment_python, is_whole, prune
from zenctl.jobs.spec import JobSpec
from zenctl.jobs.storage import Storage
from zenctl.lazy_dataclasses import dataclass
from zenctl.runner.archives import fetch_archives
from zenctl.runner.environment_errors import EnvironmentProblem
from zenctl.runner.preparing import enter, prepare

SETTLED = "--settled"
"""Argument of the runner that it gives itself when it has entered the environment."""


@dataclass(frozen=True)
class Settling:
    """How a runner gets into an environment: from its folder `cache`, started anew with `words` and `variables`."""

    cache: Path
    words: Tuple[str, ...]
    variables: Mapping[str, str]

    def settle(self, spec: JobSpec, storage: Storage, work: Path, say: Callable[[str], None]) -> None:
        """Return if this process runs in the job's environment. Else have it made and enter it, and do not return.

        `storage` is where its archives are, if they were brought there. Raises EnvironmentProblem and StorageError.
        """
        wanted = spec.virtual_environment
        if wanted is None or SETTLED in self.words:
            return
        is_carried = ENVIRONMENT not in spec.locations and bool(wanted.files)
        # Archives lie beside the environments: paths that lead to them, and so environments, are of use to all jobs.
        fetched = self.cache.absolute().parent
        folder = str(fetched) if is_carried else spec.locations.get(ENVIRONMENT) or os.getcwd()
        place = environment_place(self.cache.absolute(), wanted, sys.executable, folder)
        if os.path.realpath(sys.prefix) == os.path.realpath(place):
            return
        runner = Path(zenctl.__file__).parents[1]
        if not runner.is_file():
            raise EnvironmentProblem("only the packed runner can enter an environment, and this one is not packed")
        mark = work / PREPARING
        count = len(wanted.requirements)
        words = f"preparing its environment ({count} requirement{'' if count == 1 else 's'})"
        mark.write_text(words, encoding="utf-8")
        try:
            if is_carried and not is_whole(place):
                fetch_archives(storage, wanted.files, fetched)
            lock = prepare(wanted, place, sys.executable, folder, say)
            prune(place.parent, place, time.time())
        finally:
            mark.unlink(missing_ok=True)
        enter(environment_python(place), lock, [str(runner), *self.words, SETTLED], self.variables)
