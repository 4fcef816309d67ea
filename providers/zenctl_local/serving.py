"""The model server's program: `python -m zenctl_local.serving --model DIR --name NAME` serves one model over HTTP.

Started by an endpoint it is given its listening socket (`--fd`) and reads one line of JSON, {"token": ...}, from its
standard input; it serves nothing before that line has come, so that a server that nobody has recorded cannot live.
Nor can one whose record is gone: it looks for the state file in its working directory, which is its folder.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import stat
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from zenctl_local.server_state import OWN, STATE_FILE

GRACE = 5
"""How long requests may go on after SIGTERM, in seconds."""

LOOK = 1.0
"""How often the server looks whether it is still recorded, in seconds."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM; gives 1 if the model cannot be loaded, 3 if a package is missing."""
    options = _parser().parse_args(arguments)
    token = ""
    if options.fd is not None:
        line = sys.stdin.readline()
        if not line:
            return 1
        token = str(json.loads(line)["token"])
        _empty_stdin()
    try:
        return _serve(options, token)
    except OSError as error:
        _say(f"cannot listen on {options.host}, port {options.port}: {error.strerror}")
        return 1
    except ModuleNotFoundError as error:
        _say(f"serving needs the package {error.name}: pip install 'zenctl[tensorflow]'")
        return 3


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="zenctl_local.serving", description="Serve one model over HTTP.")
    parser.add_argument("--model", type=Path, required=True, help="folder of a SavedModel or with a .keras file")
    parser.add_argument("--name", required=True, help="the model's name in URLs")
    parser.add_argument("--digest", default="", help="digest of the model; by default its folder's name")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=8501, help="port to listen on")
    parser.add_argument("--fd", type=int, help="a socket that listens already, instead of --host and --port")
    return parser


def _serve(options: argparse.Namespace, token: str) -> int:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import uvicorn

    from zenctl_local.serving_app import Served, build_app

    served = Served(options.name)
    listening = (
        socket.socket(fileno=options.fd)
        if options.fd is not None
        else socket.create_server((options.host, options.port), backlog=2048)
    )
    host, port = listening.getsockname()[:2]
    app = build_app(served, options.model.parent, token)
    config = uvicorn.Config(app, access_log=False, log_level="warning", lifespan="off", timeout_graceful_shutdown=GRACE)
    server = uvicorn.Server(config)
    failed = threading.Event()

    def load() -> None:
        try:
            # In a thread, so that "still being loaded" can be answered meanwhile.
            _import_tensorflow()
            served.load(options.model, options.digest or options.model.name)
            _say(f"serving {options.name} on http://{host}:{port}/v1/models/{options.name}")
        except BaseException as error:  # noqa: BLE001 - whatever it is, the process ends and says so
            missing = isinstance(error, ModuleNotFoundError)
            _say(f"cannot load the model: {error}" + ("; pip install 'zenctl[tensorflow]'" if missing else ""))
            failed.set()
            server.should_exit = True

    def watch() -> None:
        while is_known():
            time.sleep(LOOK)
        _say("its folder was removed, so nobody could find it any more: it ends")
        server.should_exit = True

    threading.Thread(target=load, name="load", daemon=True).start()
    if options.fd is not None:
        threading.Thread(target=watch, name="watch", daemon=True).start()
    server.run(sockets=[listening])
    sys.stdout.flush()
    sys.stderr.flush()
    # Without TensorFlow's teardown: a model that is still being loaded would be torn down in the midst of it.
    os._exit(1 if failed.is_set() else 0)


def _import_tensorflow() -> None:
    """Import it, and take what it said meanwhile out of the log: errors about GPUs, on machines that have none."""
    before = os.fstat(2)
    import tensorflow  # noqa: F401 - it is imported here for its noise

    if stat.S_ISREG(before.st_mode):
        os.ftruncate(2, before.st_size)


def is_known() -> bool:
    """Whether a later zenctl can find this server. A folder that was moved is the same folder."""
    try:
        os.stat(STATE_FILE)
    except FileNotFoundError:
        return False
    except OSError:
        # A file system that does not answer now says nothing about the file.
        return True
    return True


def _empty_stdin() -> None:
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.close(empty)


def _say(text: str) -> None:
    sys.stderr.write(f"{OWN}{text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
