#!/bin/sh
# Makes .venv with everything that the demo and the tests need, from pinned constraints, bytecode compiled.
# A second run does nothing while pyproject.toml and constraints.txt stay the same.
set -eu
cd "$(dirname "$0")/.."
unset PYTHONDONTWRITEBYTECODE PYTHONPATH PYTHONHOME VIRTUAL_ENV
# The machine's own certificates, as pip uses them: behind a company's proxy uv's built-in ones do not do.
export UV_SYSTEM_CERTS="${UV_SYSTEM_CERTS-true}" UV_NATIVE_TLS="${UV_NATIVE_TLS-true}" # new and old name

# What follows [tool.ruff] in pyproject.toml configures tools and changes no installation.
stamp=".venv/.setup-$({ sed '/^\[tool.ruff\]/,$d' pyproject.toml; cat constraints.txt scripts/setup.sh; } | cksum | tr ' ' '-')"
if [ -e "$stamp" ] && .venv/bin/python -c 'import zenctl' 2>/dev/null; then
  exit 0
fi

suitable() {
  "$1" -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 10), (3, 11)))' >/dev/null 2>&1
}

found=""
for candidate in ${PYTHON:+"$PYTHON"} python3.11 python3.10 python3 python; do
  if suitable "$candidate"; then found="$candidate"; break; fi
  if [ "$candidate" = "${PYTHON:-}" ]; then
    echo "PYTHON=$PYTHON is no Python 3.10 or 3.11: set another, or none to have one looked for" >&2
    exit 1
  fi
done

rm -rf .venv
uv=""
if command -v uv >/dev/null 2>&1; then uv="uv"; fi
if [ -n "$found" ] && [ -n "$uv" ]; then
  uv venv --quiet --python "$found" .venv
elif [ -n "$found" ] && "$found" -c 'import venv, ensurepip' >/dev/null 2>&1; then
  "$found" -m venv .venv
elif [ -n "$uv" ]; then
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
with_pip() { .venv/bin/python -m pip install --quiet --disable-pip-version-check "$@"; }
with_uv() { $uv pip install --quiet --compile-bytecode --python .venv/bin/python "$@"; }
# The project itself is editable; its dependencies are all there before it.
install() {
  "$1" --requirement constraints.txt &&
    "$1" --no-deps --constraint constraints.txt hatchling editables &&
    "$1" --no-deps --no-build-isolation --editable .
}
# uv installs all this in seconds where pip takes minutes; where it cannot be had, or does not get through, pip does it.
if [ -z "$uv" ] && with_pip --constraint constraints.txt uv; then uv=".venv/bin/python -m uv"; fi
if [ -z "$uv" ] || ! install with_uv; then
  echo "Installing with pip instead, which takes some minutes ..."
  .venv/bin/python -m ensurepip >/dev/null 2>&1 || true
  install with_pip
fi
.venv/bin/python -m compileall -q zenctl providers
: > "$stamp"
