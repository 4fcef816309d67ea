#!/bin/sh
# Pins every transitive version for Python 3.10 and 3.11 in constraints.txt, without any index address, and in the
# package those of what built-in steps need.
set -eu
cd "$(dirname "$0")/.."
uv() { if command -v uv >/dev/null 2>&1; then command uv "$@"; else .venv/bin/python -m uv "$@"; fi; }
uv lock --quiet --upgrade
uv export --quiet --all-extras --all-groups --no-hashes --no-emit-project --no-header --no-annotate \
  --format requirements-txt --output-file constraints.txt >/dev/null
rm uv.lock
.venv/bin/python scripts/pins.py
