#!/bin/sh
# Installs what tests start besides Python, from Debian's packages: MariaDB, PostgreSQL, shellcheck, and podman.
# Where it may not, it says so and ends well: those tests are then skipped, unless ZENCTL_TEST_SERVERS=required.
set -eu

missing=""
[ -x /usr/sbin/mariadbd ] || command -v mariadbd >/dev/null 2>&1 || missing="mariadb-server"
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null 2>&1 || missing="$missing postgresql"
command -v podman >/dev/null 2>&1 || missing="$missing podman"
command -v shellcheck >/dev/null 2>&1 || missing="$missing shellcheck"
[ -x /usr/sbin/runc ] || command -v runc >/dev/null 2>&1 || missing="$missing runc"
[ -n "$missing" ] || exit 0

skip() {
  echo "Tests on real database servers, of scripts and on containers are skipped:$missing could not be installed ($1)"
  [ "${ZENCTL_TEST_SERVERS:-}" != required ]
  exit
}

command -v apt-get >/dev/null 2>&1 || skip "there is no apt-get"
as_root=""
if [ "$(id -u)" != 0 ]; then
  command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null || skip "only root may; install it yourself, then try again"
  as_root="sudo -n"
fi

# Debian starts what it installs; the tests start their own servers, on free ports and in folders of their own.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
  $as_root chmod +x "$policy"
  trap '$as_root rm -f "$policy"' EXIT
fi
echo "Installing$missing for the tests ..."
log="$(mktemp)"
{
  $as_root apt-get update -qq &&
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
} >"$log" 2>&1 || {
  tail -5 "$log"
  skip "apt-get failed"
}
