#!/bin/sh
# Makes .venv/readers with programs that read Terraform's plans: tests hand them ours. They cannot share zenctl's versions.
# A second run does nothing while the list of them stays the same.
set -eu
cd "$(dirname "$0")/.."
unset PYTHONDONTWRITEBYTECODE PYTHONPATH PYTHONHOME VIRTUAL_ENV
export UV_SYSTEM_CERTS="${UV_SYSTEM_CERTS-true}" UV_NATIVE_TLS="${UV_NATIVE_TLS-true}" # new and old name
list="tests/e2e/plan-readers.txt"
stamp=".venv/readers/.made-$(cksum <"$list" | tr ' ' '-')"
if [ -e "$stamp" ]; then exit 0; fi

rm -rf .venv/readers
if .venv/bin/python -m uv venv --quiet --python .venv/bin/python .venv/readers; then
  .venv/bin/python -m uv pip install --quiet --python .venv/readers/bin/python --requirement "$list"
else
  .venv/bin/python -m venv .venv/readers
  .venv/readers/bin/python -m pip install --quiet --disable-pip-version-check --requirement "$list"
fi
: > "$stamp"
