"""Asks another tool whether a project's step is stale. A program, run by a Python that has the tool.

`judge.py TOOL WAY ROOT` lays the tool's files into the project, runs the step once with it, says "ready", and then
answers each line of its input with "stale" or "fresh". WAY is how a user could tell the tool of the code: `entry` names
the file with the step's function, `every` names every Python file.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

RUN = "from steps.fit import fit\nopen('result.txt', 'w').write(repr(fit()))\n"

SCRIPT = "\nif 'snakemake' in globals():\n    open(snakemake.output[0], 'w').write(repr(fit()))\n"


def code(root: Path, way: str) -> list[str]:
    """The files that the user names."""
    every = sorted(p.relative_to(root).as_posix() for p in root.rglob("*.py") if p.name != "run_step.py")
    return ["steps/fit.py"] if way == "entry" else every


def dvc(root: Path, way: str) -> Callable[[], bool]:
    """A stage with the files as its `deps`; what `dvc status` says."""
    from dvc.repo import Repo

    (root / "run_step.py").write_text(RUN)
    deps = "".join(f"      - {path}\n" for path in code(root, way))
    stage = f"stages:\n  fit:\n    cmd: {sys.executable} run_step.py\n    deps:\n{deps}    outs:\n      - result.txt\n"
    Repo.init(str(root), no_scm=True).close()
    (root / "dvc.yaml").write_text(stage)
    with Repo(str(root)) as repo:
        repo.reproduce()

    def stale() -> bool:
        with Repo(str(root)) as repo:
            return bool(repo.status())

    return stale


def snakemake(root: Path, way: str) -> Callable[[], bool]:
    """A rule with the file as its `script`, or with all as its `input`; what a dry run says, with all its triggers."""
    if way == "entry":
        entry = root / "steps/fit.py"
        entry.write_text(entry.read_text() + SCRIPT)
        rule = "rule fit:\n    output: 'result.txt'\n    script: 'steps/fit.py'\n"
    else:
        (root / "run_step.py").write_text(RUN)
        rule = f"rule fit:\n    input: {code(root, way)!r}\n    output: 'result.txt'\n    shell: 'python run_step.py'\n"
    (root / "Snakefile").write_text(rule)
    os.environ["PYTHONPATH"] = str(root)
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    from snakemake.cli import main

    def run(*more: str) -> str:
        # A fork each time: to import it anew takes longer than all it does here.
        with tempfile.TemporaryFile() as said:
            child = os.fork()
            if not child:
                os.dup2(said.fileno(), 1)
                os.dup2(said.fileno(), 2)
                try:
                    main(["--cores", "1", *more])
                except SystemExit as end:
                    os._exit(int(end.code or 0))
                os._exit(0)
            _, status = os.waitpid(child, 0)
            said.seek(0)
            text = said.read().decode()
        if status:
            raise RuntimeError(text)
        return text

    run()
    return lambda: "Nothing to be done" not in run("--dry-run")


def redun(root: Path, way: str) -> Callable[[], bool]:
    """The function as a task, run by redun's scheduler with its SQLite; whether a dry run says that it would run again.

    With `every` the task's hash includes every file, as `hash_includes` offers.
    """
    from redun import File, Scheduler, task
    from redun.config import Config
    from redun.scheduler import DryRunResult

    settings = {"backend": {"db_uri": f"sqlite:///{root / 'redun.db'}"}}
    # redun looks the function's source up by its file: where that changes, it must be read anew.
    paths = code(root, way) if way == "every" else []

    def stale(*, dry: bool = True) -> bool:
        # A fork each time, so that the project is imported anew, as a new command of redun's does.
        child = os.fork()
        if child:
            _, status = os.waitpid(child, 0)
            answer = os.waitstatus_to_exitcode(status)
            if answer not in (0, 1):
                raise RuntimeError(f"redun ended with {answer}")
            return answer == 1
        answer = 2
        try:
            from steps.fit import fit

            step = task(name="fit", namespace="project", hash_includes=[File(path) for path in paths])(fit)
            scheduler = Scheduler(config=Config(settings))
            scheduler.load()
            scheduler.run(step(), dryrun=dry)
            answer = 0
        except DryRunResult:
            answer = 1
        finally:
            os._exit(answer)

    stale(dry=False)
    return stale


if __name__ == "__main__":
    tool, way, folder = sys.argv[1:]
    root = Path(folder)
    os.chdir(root)
    sys.path.insert(0, str(root))
    sys.dont_write_bytecode = True
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    with contextlib.redirect_stdout(sys.stderr):
        stale = {"dvc": dvc, "snakemake": snakemake, "redun": redun}[tool](root, way)
    print("ready", flush=True)
    for _ in sys.stdin:
        with contextlib.redirect_stdout(sys.stderr):
            answer = stale()
        print("stale" if answer else "fresh", flush=True)
