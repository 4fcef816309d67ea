#!/bin/sh
# Makes .venv with everything that the demo and the tests need, from pinned constraints, bytecode compiled.
# A second run does nothing while pyproject.toml and constraints.txt stay the same.
set -eu
cd "$(dirname "$0")/.."
unset PYTHONDONTWRITEBYTECODE PYTHONPATH PYTHONHOME VIRTUAL_ENV

# What follows [tool.ruff] in pyproject.toml configures tools and changes no installation.
stamp=".venv/.setup-$({ sed '/^\[tool.ruff\]/,$d' pyproject.toml; cat constraints.txt scripts/setup.sh; } | cksum | tr ' ' '-')"
if [ -e "$stamp" ] && .venv/bin/python -c 'import zenctl' 2>/dev/null; then
  exit 0
fi

suitable() {
  "$1" -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 10), (3, 11)))' >/dev/null 2>&1
}

rm -rf .venv
found=""
for candidate in ${PYTHON:+"$PYTHON"} python3.11 python3.10 python3 python; do
  if suitable "$candidate"; then found="$candidate"; break; fi
done

if [ -n "$found" ] && command -v uv >/dev/null 2>&1; then
  uv venv --quiet --python "$found" .venv
elif [ -n "$found" ] && "$found" -c 'import venv, ensurepip' >/dev/null 2>&1; then
  "$found" -m venv .venv
elif command -v uv >/dev/null 2>&1; then
  uv venv --quiet --python 3.11 .venv || {
    echo "zenctl needs Python 3.10 or 3.11, and uv could not get one: install python3.11, then run make again" >&2
    exit 1
  }
elif [ -n "$found" ]; then
  echo "$found has no venv module: install uv, or your system's venv package (Debian: python3-venv), then run make again" >&2
  exit 1
else
  echo "zenctl needs Python 3.10 or 3.11: install one, or uv (it brings its own), then run make again" >&2
  exit 1
fi

echo "Installing the pinned packages into .venv (about 150, TensorFlow and Beam among them) ..."
install() {
  if command -v uv >/dev/null 2>&1; then
    uv pip install --quiet --compile-bytecode --python .venv/bin/python "$@"
  elif .venv/bin/python -m uv --version >/dev/null 2>&1; then
    .venv/bin/python -m uv pip install --quiet --compile-bytecode --python .venv/bin/python "$@"
  else
    .venv/bin/python -m pip install --quiet --disable-pip-version-check "$@"
  fi
}
if ! command -v uv >/dev/null 2>&1; then
  # uv installs all this in seconds where pip takes minutes; where it cannot be had, pip does it.
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt uv || true
fi
install --requirement constraints.txt
# The project itself, editable; its dependencies are all there already.
install --no-deps --constraint constraints.txt hatchling editables
install --no-deps --no-build-isolation --editable .
.venv/bin/python -m compileall -q zenctl providers
: > "$stamp"
