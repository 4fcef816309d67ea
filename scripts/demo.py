"""Shows zenctl at work on examples/penguins: plan, apply, a live prediction, lineage, an empty plan, clean-up."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "examples" / "penguins"
ZENCTL = Path(sys.executable).parent / "zenctl"
PENGUIN = {
    "island": "Biscoe",
    "bill_length_mm": 46.1,
    "bill_depth_mm": 13.2,
    "flipper_length_mm": 211,
    "body_mass_g": 4500,
    "sex": "female",
}


def say(text: str) -> None:
    """A line of explanation."""
    print(f"\n\033[1m# {text}\033[0m" if sys.stdout.isatty() else f"\n# {text}", flush=True)


def zenctl(*arguments: str, capture: bool = False) -> str:
    """Run a command as a user would type it; ends the demo if it fails."""
    if not capture:
        print(f"$ zenctl {' '.join(arguments)}", flush=True)
    done = subprocess.run(
        [ZENCTL, *arguments], cwd=EXAMPLE, stdout=subprocess.PIPE if capture else None, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"zenctl {arguments[0]} ended with exit code {done.returncode}")
    return done.stdout or ""


def endpoint_url() -> str:
    """Where the endpoint listens, as the state tells."""
    record = json.loads(zenctl("state", "show", "endpoint.local.penguins", "-json", capture=True))
    return str(_find(record, "url"))


def _find(value: object, name: str) -> object:
    if isinstance(value, dict):
        if name in value:
            return value[name]
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            found = _find(item, name)
            if found is not None:
                return found
    return None


def predict(url: str) -> None:
    """Ask the live endpoint about one penguin."""
    body = json.dumps({"instances": [PENGUIN]})
    address = f"{url.rstrip('/')}/v1/models/penguins:predict" if "/v1/" not in url else f"{url}:predict"
    print(f"$ curl -s {address} -d '{body}'", flush=True)
    request = urllib.request.Request(address, body.encode(), {"Content-Type": "application/json"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - our own server on this machine
        print(answer.read().decode())


def main() -> None:
    began = time.monotonic()
    say("Apply: snapshot the CSV, clean, split, statistics, transform, train, evaluate, serve")
    if (EXAMPLE / ".zenctl").exists():
        print("(There is a record of an earlier run, so only what is out of date is done; `make clean` forgets it.)")
    zenctl("apply", "-auto-approve")
    say("The endpoint is live. Which species is this penguin?")
    predict(endpoint_url())
    say("Where does it come from? Lineage down to the data, the code and the commit")
    zenctl("state", "show", "endpoint.local.penguins")
    say("Plan again: nothing has changed, so nothing is to be done")
    zenctl("plan")
    say("Clean up: destroy stops the endpoint; records and artifacts stay")
    zenctl("destroy", "-auto-approve")
    say(f"Done in {time.monotonic() - began:.0f} s. Try next:")
    print(
        "  cd examples/penguins && source ../../.venv/bin/activate\n"
        "  zenctl plan -var epochs=10      # what would a longer training make stale, and why?\n"
        "  edit data/penguins.csv or steps/clean.py, then: zenctl plan\n"
        "  zenctl state list               # everything that is recorded\n"
        "  zenctl logs step.train.penguins # what training printed"
    )


if __name__ == "__main__":
    main()
