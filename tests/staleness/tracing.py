"""Runs functions of projects for real, each in a process of its own, and tells what they gave and what was executed.

A program: reads one JSON object a line, {"folder", "file", "function"}, and answers each with a line, {"result",
"printed", "executed"}. `executed` are (file, name, first line) of every function, class and module whose code ran. It
loads code as the runner does, and forks, so that a run costs milliseconds.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from zenctl.jobs.spec import Entry
from zenctl.runner.code import load


def run(folder: str, file: str, function: str) -> dict[str, Any]:
    """Load and call a function, with all that it prints kept back."""
    executed: set[tuple[str, str, int]] = set()
    prefix = os.path.join(os.path.realpath(folder), "")

    def trace(frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(prefix):
            executed.add((code.co_filename[len(prefix) :], code.co_name, code.co_firstlineno))

    os.chdir(folder)
    printed = io.StringIO()
    threading.setprofile(trace)
    sys.setprofile(trace)
    try:
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            result: object = load(Entry(file=file, function=function), Path(prefix))()
    except Exception as error:  # noqa: BLE001  whatever the project raises is its result
        result = f"raised {type(error).__name__}: {error}"
    finally:
        sys.setprofile(None)
        threading.setprofile(None)  # type: ignore[arg-type]
    return {"result": repr(result), "printed": printed.getvalue(), "executed": sorted(executed)}


def answer(line: str) -> None:
    """Do one job in a child."""
    sys.stdout.flush()
    child = os.fork()
    if not child:
        with contextlib.suppress(BaseException):
            print(json.dumps(run(**json.loads(line))), flush=True)
            os._exit(0)
        os._exit(1)
    _, status = os.waitpid(child, 0)
    if status:
        print(json.dumps({"result": f"ended with {status}", "printed": "", "executed": []}), flush=True)


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    for job in sys.stdin:
        answer(job)
